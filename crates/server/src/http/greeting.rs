//! The first bytes of a connection. Where they are a WebSocket handshake with nothing unusual about it,
//! one read and one write are all it takes: when a server comes back, everybody does at once.
//! Everything else is for the HTTP library, refusals too.

use std::io::{self, Read, Write};
use std::net::IpAddr;

use axum::body::Bytes;
use axum::http::header::{CONTENT_LENGTH, EXPECT, TRANSFER_ENCODING};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri};
use httparse::{EMPTY_HEADER, Request, Status};

use super::handshake::{Admission, admit};
use super::{REALTIME, Reception};
use crate::metrics::Handshake;
use crate::peer::PeerAddress;

/// What became of a connection's first bytes.
pub(super) enum Greeting {
    /// There are none.
    Silent,
    /// They are a handshake, which was answered.
    Welcome(Welcome),
    /// The connection is gone.
    Done,
    /// They are for the HTTP library.
    Http(Vec<u8>),
}

/// A connection whose handshake was answered, and what came right behind that.
pub(super) struct Welcome {
    pub(super) admission: Admission,
    pub(super) received: Vec<u8>,
}

/// Reads what has come on a new connection, and answers it if it is a plain handshake. `buffer` is as
/// large as a head may be.
pub(super) fn greet(
    stream: &mut (impl Read + Write),
    peer: IpAddr,
    reception: &Reception,
    buffer: &mut [u8],
) -> Greeting {
    let count = match stream.read(buffer) {
        Ok(0) => return Greeting::Done,
        Ok(count) => count,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Greeting::Silent,
        Err(error) if error.kind() == io::ErrorKind::Interrupted => return Greeting::Silent,
        Err(error) => {
            tracing::debug!(%error, "a connection was gone at once");
            return Greeting::Done;
        }
    };
    let bytes = &buffer[..count];
    let Some((opening, admission)) = Opening::read(bytes).and_then(|opening| {
        let peer = PeerAddress::of(peer, &opening.headers, &reception.trusted);
        let admission = admit(&reception.front, peer, &opening.uri, &opening.headers).ok()?;
        Some((opening, admission))
    }) else {
        return Greeting::Http(bytes.to_vec());
    };
    let mut head = Vec::with_capacity(ANSWER);
    head.extend_from_slice(b"HTTP/1.1 101 Switching Protocols\r\n");
    for (name, value) in admission.headers() {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            head.extend_from_slice(part);
        }
    }
    head.extend_from_slice(b"\r\n");
    let metrics = reception.front.node.metrics();
    // Nothing was written before, so there is room for so little.
    if !stream.write(&head).is_ok_and(|count| count == head.len()) {
        metrics.handshake(Handshake::Broken);
        return Greeting::Done;
    }
    metrics.answered(101);
    Greeting::Welcome(Welcome { admission, received: bytes[opening.length..].to_vec() })
}

/// A request's head that may be a handshake's.
struct Opening {
    uri: Uri,
    headers: HeaderMap,
    length: usize,
}

impl Opening {
    fn read(bytes: &[u8]) -> Option<Self> {
        // Parts of one copy, and not a copy of each.
        let head = Bytes::copy_from_slice(bytes);
        let mut fields = [EMPTY_HEADER; MAX_HEADERS];
        let mut request = Request::new(&mut fields);
        let Ok(Status::Complete(length)) = request.parse(&head) else { return None };
        let path = request.path?;
        if request.method != Some("GET")
            || request.version != Some(1)
            || !path.starts_with(REALTIME)
        {
            return None;
        }
        let uri = Uri::from_maybe_shared(head.slice_ref(path.as_bytes())).ok()?;
        let mut headers = HeaderMap::with_capacity(request.headers.len());
        for field in request.headers {
            let name = HeaderName::from_bytes(field.name.as_bytes()).ok()?;
            headers.append(name, HeaderValue::from_maybe_shared(head.slice_ref(field.value)).ok()?);
        }
        let has_body = [CONTENT_LENGTH, TRANSFER_ENCODING, EXPECT];
        has_body.iter().all(|name| !headers.contains_key(name)).then_some(Self {
            uri,
            headers,
            length,
        })
    }
}

/// What an answer takes, but for a token.
const ANSWER: usize = 160;
/// What browsers send is far less; more is for the HTTP library to judge.
const MAX_HEADERS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    const HANDSHAKE: &str = "GET /rt/abc?x=1 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\n";

    fn is_opening(text: &str) -> bool {
        Opening::read(text.as_bytes()).is_some()
    }

    #[test]
    fn a_handshakes_head_is_read_up_to_its_end() {
        let opening = Opening::read([HANDSHAKE, "\u{1}\u{2}"].concat().as_bytes());
        let opening = opening.expect("it is one");
        assert_eq!((opening.uri.path(), opening.length), ("/rt/abc", HANDSHAKE.len()));
        assert_eq!(opening.headers["upgrade"], "websocket");
    }

    #[test]
    fn what_is_not_whole_is_none() {
        for length in 0..HANDSHAKE.len() {
            assert!(!is_opening(&HANDSHAKE[..length]), "{length}");
        }
    }

    #[test]
    fn all_that_is_unusual_is_for_the_library() {
        assert!(is_opening(HANDSHAKE));
        for (usual, unusual) in [
            ("GET", "POST"),
            ("GET", "get"),
            ("/rt/", "/rt"),
            ("/rt/", "http://x/rt/"),
            ("HTTP/1.1", "HTTP/1.0"),
            ("HTTP/1.1", "HTTP/2.0"),
            ("Upgrade: ", "Up grade: "),
            ("Upgrade: websocket", "Content-Length: 0"),
            ("Upgrade: websocket", "Transfer-Encoding: chunked"),
            ("Upgrade: websocket", "Expect: 100-continue"),
        ] {
            assert!(!is_opening(&HANDSHAKE.replace(usual, unusual)), "{unusual}");
        }
        let many = "a: b\r\n".repeat(MAX_HEADERS);
        assert!(!is_opening(&HANDSHAKE.replace("Upgrade", &format!("{many}Upgrade"))));
    }
}
