//! The WebSocket handshake: who may open a connection, as whom; then its socket is a shard's.

use axum::body::Body;
use axum::extract::{Extension, Request, State};
use axum::http::header::{
    CONNECTION, HeaderName, ORIGIN, RETRY_AFTER, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use data_encoding::BASE64;
use hub::{Identity, Limit};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use protocol::ErrorCode;
use sha1::{Digest, Sha1};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::timed::Timed;
use super::{Front, REALTIME, TokenExpiry};
use crate::auth::{Verified, Verifier};
use crate::metrics::{Handshake, Metrics};
use crate::node::Node;
use crate::peer::PeerAddress;
use crate::places::Place;
use crate::transport::{Accepted, AcceptedStream};

/// A handshake that nothing speaks against.
pub(super) struct Admission {
    connection_hash: String,
    accept: HeaderValue,
    /// The token, if there is one: the sub-protocol that was asked for first.
    token: Option<HeaderValue>,
    place: Place,
}

/// A handshake that is not to succeed.
pub(super) enum Refusal {
    NotWebSocket,
    Draining,
    /// This origin's pages may not connect.
    WrongOrigin(String),
    Full(Limit),
}

/// A connection whose handshake is answered, and what its client sent right behind it.
pub(super) struct Arrived {
    pub(super) stream: AcceptedStream,
    pub(super) received: Vec<u8>,
}

/// Who opens a connection, as far as its token says.
#[derive(Default)]
struct Bearer {
    identity: Identity,
    valid_until: Option<u64>,
    refused: Option<ErrorCode>,
}

/// The WebSocket handshake. A wrong hash is told to the client behind it, where browsers can read it.
pub(super) async fn realtime(
    State(front): State<Front>,
    Extension(peer): Extension<PeerAddress>,
    mut request: Request,
) -> Response {
    // A question for the head of the answer comes here too.
    let admission = match request.method() {
        &Method::GET => admit(&front, peer, request.uri(), request.headers()),
        _ => Err(Refusal::NotWebSocket),
    };
    let admission = match admission {
        Ok(admission) => admission,
        Err(refusal) => return refusal.answer(front.node.metrics()),
    };
    let Some(upgrade) = request.extensions_mut().remove::<OnUpgrade>() else {
        return (StatusCode::BAD_REQUEST, "This connection cannot be upgraded.\n").into_response();
    };
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    response.headers_mut().extend(admission.headers());
    tokio::spawn(async move {
        let arrived = match upgrade.await {
            Ok(upgraded) => take_over(upgraded),
            Err(error) => {
                front.node.metrics().handshake(Handshake::Broken);
                return tracing::debug!(%error, "a connection broke during its handshake");
            }
        };
        if let Some(arrived) = arrived {
            admission.hand_over(arrived, &front).await;
        }
    });
    response
}

/// Judges a handshake, and keeps a place for it.
pub(super) fn admit(
    front: &Front,
    peer: PeerAddress,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<Admission, Refusal> {
    let accept = handshake_answer(headers).ok_or(Refusal::NotWebSocket)?;
    if !front.node.is_ready() {
        return Err(Refusal::Draining);
    }
    if let Some(origin) = headers.get(ORIGIN) {
        let origin = origin.to_str().unwrap_or_default();
        if !front.origins.allows(origin) {
            return Err(Refusal::WrongOrigin(origin.to_owned()));
        }
    }
    let place = front.node.place(peer).map_err(Refusal::Full)?;
    // Not even text, or none at all, it is still a hash that nobody knows: an HTTP error would look to
    // old clients like a server that is away, and they would come back for ever.
    let connection_hash = uri.path().strip_prefix(REALTIME).unwrap_or_default().to_owned();
    Ok(Admission { connection_hash, accept, token: first_protocol(headers), place })
}

impl Admission {
    /// What the answer says.
    pub(super) fn headers(&self) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
        // Browsers end a connection whose only sub-protocol, the token, is not given back.
        let token = self.token.clone().map(|token| (SEC_WEBSOCKET_PROTOCOL, token));
        let headers = [
            (CONNECTION, HeaderValue::from_static("upgrade")),
            (UPGRADE, HeaderValue::from_static("websocket")),
            (SEC_WEBSOCKET_ACCEPT, self.accept.clone()),
        ];
        headers.into_iter().chain(token)
    }

    /// Whether it has to be found out who connects.
    pub(super) const fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// Finds out who connects, and gives the connection to its shard.
    pub(super) async fn hand_over(self, arrived: Arrived, front: &Front) {
        let mut bearer = identify(&front.verifier, self.token.as_ref()).await;
        if front.expiry == TokenExpiry::Ignore {
            bearer.valid_until = None;
        }
        if let Some(accepted) = self.accept(arrived, &front.node, bearer) {
            front.node.accept(Box::new(accepted));
        }
    }

    /// The connection of somebody without a token.
    pub(super) fn of_stranger(self, arrived: Arrived, front: &Front) -> Option<Accepted> {
        self.accept(arrived, &front.node, Bearer::default())
    }

    fn accept(
        self,
        Arrived { stream, received }: Arrived,
        node: &Node,
        bearer: Bearer,
    ) -> Option<Accepted> {
        let id = match node.new_id() {
            Ok(id) => id,
            Err(error) => {
                tracing::error!(%error, "there are no random bytes for a session's id");
                return None;
            }
        };
        node.metrics().handshake(Handshake::Accepted);
        Some(Accepted {
            stream,
            received,
            connection_hash: self.connection_hash,
            id,
            identity: bearer.identity,
            ends: bearer.valid_until,
            token_refused: bearer.refused,
            place: self.place,
        })
    }
}

impl Refusal {
    /// What the client is told in HTTP.
    fn answer(self, metrics: &Metrics) -> Response {
        metrics.handshake(match self {
            Self::NotWebSocket => Handshake::NotWebSocket,
            Self::Draining => Handshake::Draining,
            Self::WrongOrigin(_) => Handshake::WrongOrigin,
            Self::Full(_) => Handshake::Full,
        });
        match self {
            Self::NotWebSocket => {
                let headers = [
                    (UPGRADE, "websocket"),
                    (CONNECTION, "upgrade"),
                    (SEC_WEBSOCKET_VERSION, "13"),
                ];
                let text = "This address speaks WebSocket (version 13) only.\n";
                (StatusCode::UPGRADE_REQUIRED, headers, text).into_response()
            }
            Self::Draining => {
                (StatusCode::SERVICE_UNAVAILABLE, "This server is about to stop.\n").into_response()
            }
            Self::WrongOrigin(origin) => {
                tracing::debug!(origin, "a page of an origin that is not allowed was refused");
                let text = format!(
                    "Pages of {origin} may not connect to this server. Its operator can let them, with \
                     --allow-origin {origin}\n"
                );
                (StatusCode::FORBIDDEN, text).into_response()
            }
            Self::Full(limit) => {
                metrics.limit_reached(limit);
                full(limit)
            }
        }
    }
}

/// No place is left. This is told in HTTP and not in a close frame, because old clients wait longer
/// after each handshake that fails, but only a second after one that did not.
fn full(limit: Limit) -> Response {
    let (status, text) = match limit {
        Limit::ConnectionsPerAddress => {
            (StatusCode::TOO_MANY_REQUESTS, "Your address has too many connections already.\n")
        }
        _ => (StatusCode::SERVICE_UNAVAILABLE, "This server has no room for more connections.\n"),
    };
    (status, [(RETRY_AFTER, RETRY_SECONDS)], text).into_response()
}

/// A token that names nobody does not keep its bearer out: it is told, and goes on as anonymous.
async fn identify(verifier: &Verifier, token: Option<&HeaderValue>) -> Bearer {
    let Some(token) = token else { return Bearer::default() };
    match verifier.verify_or_fetch(token.as_bytes()).await {
        Ok(Verified { identity, valid_until }) => Bearer { identity, valid_until, refused: None },
        Err(reason) => {
            tracing::debug!(%reason, "a token was refused");
            Bearer { refused: Some(ErrorCode::InvalidToken), ..Bearer::default() }
        }
    }
}

/// The socket below an HTTP connection.
fn take_over(upgraded: Upgraded) -> Option<Arrived> {
    let taken = match upgraded.downcast::<TokioIo<Timed<TcpStream>>>() {
        Ok(parts) => {
            let (tcp, rest) = parts.io.into_inner().into_parts();
            tcp.into_std().map(|tcp| (AcceptedStream::Plain(tcp), parts.read_buf, rest))
        }
        Err(upgraded) => match upgraded.downcast::<TokioIo<Timed<TlsStream<TcpStream>>>>() {
            Ok(parts) => {
                let (stream, rest) = parts.io.into_inner().into_parts();
                let (tcp, tls) = stream.into_inner();
                tcp.into_std()
                    .map(|tcp| (AcceptedStream::Tls(tcp, Box::new(tls)), parts.read_buf, rest))
            }
            Err(_) => {
                tracing::error!("an upgraded connection is of an unknown kind");
                return None;
            }
        },
    };
    match taken {
        Ok((stream, read, rest)) => Some(Arrived { stream, received: [&read, &*rest].concat() }),
        Err(error) => {
            tracing::warn!(%error, "a connection could not be handed to its shard");
            None
        }
    }
}

/// The `Sec-WebSocket-Accept` that goes with the request's key; `None` if it is no right handshake.
fn handshake_answer(headers: &HeaderMap) -> Option<HeaderValue> {
    let has = |name: HeaderName, token: &str| {
        let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
        values
            .flat_map(|value| value.split(','))
            .any(|part| part.trim().eq_ignore_ascii_case(token))
    };
    let right =
        has(CONNECTION, "upgrade") && has(UPGRADE, "websocket") && has(SEC_WEBSOCKET_VERSION, "13");
    let key = headers.get(SEC_WEBSOCKET_KEY)?;
    let mut nonce = [0; NONCE.next_multiple_of(3)];
    let is_key = BASE64.decode_len(key.len()) == Ok(nonce.len())
        && BASE64.decode_mut(key.as_bytes(), &mut nonce) == Ok(NONCE);
    if !right || !is_key {
        return None;
    }
    let digest = Sha1::new().chain_update(key.as_bytes()).chain_update(HANDSHAKE_GUID).finalize();
    let mut text = [0; 28];
    HeaderValue::from_str(BASE64.encode_mut_str(&digest, &mut text)).ok()
}

/// The first sub-protocol asked for: where clients of this protocol put their token.
fn first_protocol(headers: &HeaderMap) -> Option<HeaderValue> {
    let list = headers.get(SEC_WEBSOCKET_PROTOCOL)?.to_str().ok()?;
    let first = list.split(',').next()?.trim();
    (!first.is_empty()).then(|| HeaderValue::from_str(first).ok()).flatten()
}

/// When to come back to a server that is full, in seconds.
const RETRY_SECONDS: &str = "5";
/// From RFC 6455, as is the next: what a key has, in bytes.
const NONCE: usize = 16;
const HANDSHAKE_GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
