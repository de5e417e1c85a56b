//! The first bytes of a connection. Where they are a WebSocket handshake with nothing unusual about it,
//! one read and one write are all it takes: when a server comes back, everybody does at once.
//! Everything else is for the HTTP library, refusals too.

use std::io::{Read, Write};
use std::net::{IpAddr, TcpStream};
use std::sync::Arc;

use axum::http::header::{CONTENT_LENGTH, EXPECT, TRANSFER_ENCODING};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri};
use httparse::{EMPTY_HEADER, Request, Status};

use super::handshake::{Arrived, admit};
use super::{REALTIME, Reception};
use crate::metrics::Handshake;
use crate::peer::PeerAddress;
use crate::transport::{Accepted, AcceptedStream};

/// What became of a connection's first bytes.
pub(super) enum Greeting {
    /// It is one for a shard.
    Entered(Box<Accepted>),
    /// It is gone, or will be a shard's as soon as it is known who it is.
    Done,
    /// They are for the HTTP library.
    Http(TcpStream, Vec<u8>),
}

/// Reads what has come on a new connection, and answers it if it is a plain handshake. `buffer` is as
/// large as a head may be.
pub(super) fn greet(
    mut stream: TcpStream,
    peer: IpAddr,
    reception: &Reception,
    buffer: &mut [u8],
) -> Greeting {
    // It may be that nothing has come yet.
    let count = stream.read(buffer).unwrap_or_default();
    let bytes = &buffer[..count];
    let Some((opening, admission)) = Opening::read(bytes).and_then(|opening| {
        let peer = PeerAddress::of(peer, &opening.headers, &reception.trusted);
        let admission = admit(&reception.front, peer, &opening.uri, &opening.headers).ok()?;
        Some((opening, admission))
    }) else {
        return Greeting::Http(stream, bytes.to_vec());
    };
    let mut head = b"HTTP/1.1 101 Switching Protocols\r\n".to_vec();
    for (name, value) in admission.headers() {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            head.extend_from_slice(part);
        }
    }
    head.extend_from_slice(b"\r\n");
    let front = &reception.front;
    // Nothing was written before, so there is room for so little.
    if !stream.write(&head).is_ok_and(|count| count == head.len()) {
        front.node.metrics().handshake(Handshake::Broken);
        return Greeting::Done;
    }
    front.node.metrics().answered(101);
    let stream = AcceptedStream::Plain(stream);
    let arrived = Arrived { stream, received: bytes[opening.length..].to_vec() };
    if admission.has_token() {
        let front = Arc::clone(front);
        reception.runtime.spawn(async move { admission.hand_over(arrived, &front).await });
        return Greeting::Done;
    }
    match admission.of_stranger(arrived, front) {
        Some(accepted) => Greeting::Entered(Box::new(accepted)),
        None => Greeting::Done,
    }
}

/// A request's head that may be a handshake's.
struct Opening {
    uri: Uri,
    headers: HeaderMap,
    length: usize,
}

impl Opening {
    fn read(bytes: &[u8]) -> Option<Self> {
        let mut fields = [EMPTY_HEADER; MAX_HEADERS];
        let mut request = Request::new(&mut fields);
        let Ok(Status::Complete(length)) = request.parse(bytes) else { return None };
        let path = request.path?;
        if request.method != Some("GET")
            || request.version != Some(1)
            || !path.starts_with(REALTIME)
        {
            return None;
        }
        let uri = path.parse().ok()?;
        let mut headers = HeaderMap::with_capacity(request.headers.len());
        for field in request.headers {
            let name = HeaderName::from_bytes(field.name.as_bytes()).ok()?;
            headers.append(name, HeaderValue::from_bytes(field.value).ok()?);
        }
        let has_body = [CONTENT_LENGTH, TRANSFER_ENCODING, EXPECT];
        has_body.iter().all(|name| !headers.contains_key(name)).then_some(Self {
            uri,
            headers,
            length,
        })
    }
}

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
