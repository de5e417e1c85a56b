//! The WebSocket handshake: who may open a connection, as whom; then its socket is a shard's.

use axum::body::Body;
use axum::extract::{Extension, Request, State};
use axum::http::header::{
    CONNECTION, HeaderName, ORIGIN, RETRY_AFTER, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use data_encoding::BASE64;
use hub::{Identity, Limit, SessionId};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use protocol::ErrorCode;
use sha1::{Digest, Sha1};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::timed::Timed;
use super::{Front, TokenExpiry};
use crate::auth::{Verified, Verifier};
use crate::metrics::Handshake;
use crate::node::Node;
use crate::origin::AllowedOrigins;
use crate::peer::PeerAddress;
use crate::places::Place;
use crate::transport::{Accepted, AcceptedStream};

/// What a handshake asked for.
struct Admission {
    connection_hash: String,
    bearer: Bearer,
    place: Place,
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
    State(Front { node, verifier, origins, expiry, .. }): State<Front>,
    Extension(peer): Extension<PeerAddress>,
    mut request: Request,
) -> Response {
    // A question for the head of the answer comes here too.
    let is_get = request.method() == Method::GET;
    let Some(accept) = handshake_answer(request.headers()).filter(|_| is_get) else {
        node.metrics().handshake(Handshake::NotWebSocket);
        let headers =
            [(UPGRADE, "websocket"), (CONNECTION, "upgrade"), (SEC_WEBSOCKET_VERSION, "13")];
        let text = "This address speaks WebSocket (version 13) only.\n";
        return (StatusCode::UPGRADE_REQUIRED, headers, text).into_response();
    };
    if !node.is_ready() {
        node.metrics().handshake(Handshake::Draining);
        return (StatusCode::SERVICE_UNAVAILABLE, "This server is about to stop.\n")
            .into_response();
    }
    if let Some(refusal) = refuse_origin(&origins, request.headers()) {
        node.metrics().handshake(Handshake::WrongOrigin);
        return refusal;
    }
    let Some(upgrade) = request.extensions_mut().remove::<OnUpgrade>() else {
        return (StatusCode::BAD_REQUEST, "This connection cannot be upgraded.\n").into_response();
    };
    let place = match node.place(peer) {
        Ok(place) => place,
        Err(limit) => return full(&node, limit),
    };
    let token = first_protocol(request.headers());
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    if let Some(token) = &token {
        // Browsers end a connection whose only sub-protocol, the token, is not given back.
        headers.insert(SEC_WEBSOCKET_PROTOCOL, token.clone());
    }
    // Not even text, or none at all, it is still a hash that nobody knows: an HTTP error would look to
    // old clients like a server that is away, and they would come back for ever.
    let connection_hash = request.uri().path().strip_prefix("/rt/").unwrap_or_default().to_owned();
    tokio::spawn(async move {
        match upgrade.await {
            Ok(upgraded) => {
                let mut bearer = identify(&verifier, token.as_ref()).await;
                if expiry == TokenExpiry::Ignore {
                    bearer.valid_until = None;
                }
                let admission = Admission { connection_hash, bearer, place };
                hand_over(upgraded, &node, admission);
            }
            Err(error) => {
                node.metrics().handshake(Handshake::Broken);
                tracing::debug!(%error, "a connection broke during its handshake");
            }
        }
    });
    response
}

/// No place is left. This is told in HTTP and not in a close frame, because old clients wait longer
/// after each handshake that fails, but only a second after one that did not.
fn full(node: &Node, limit: Limit) -> Response {
    node.metrics().handshake(Handshake::Full);
    let (status, text) = match limit {
        Limit::ConnectionsPerAddress => {
            (StatusCode::TOO_MANY_REQUESTS, "Your address has too many connections already.\n")
        }
        _ => (StatusCode::SERVICE_UNAVAILABLE, "This server has no room for more connections.\n"),
    };
    (status, [(RETRY_AFTER, RETRY_SECONDS)], text).into_response()
}

/// What a page hears that must not connect. Programs that are no browsers name no origin.
fn refuse_origin(origins: &AllowedOrigins, headers: &HeaderMap) -> Option<Response> {
    let origin = headers.get(ORIGIN)?.to_str().unwrap_or_default();
    if origins.allows(origin) {
        return None;
    }
    tracing::debug!(origin, "a page of an origin that is not allowed was refused");
    let text = format!(
        "Pages of {origin} may not connect to this server. Its operator can let them, with \
         --allow-origin {origin}\n"
    );
    Some((StatusCode::FORBIDDEN, text).into_response())
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

fn hand_over(upgraded: Upgraded, node: &Node, admission: Admission) {
    let taken = match upgraded.downcast::<TokioIo<Timed<TcpStream>>>() {
        Ok(parts) => {
            let tcp = parts.io.into_inner().into_inner().into_std();
            tcp.map(|tcp| (AcceptedStream::Plain(tcp), parts.read_buf))
        }
        Err(upgraded) => match upgraded.downcast::<TokioIo<Timed<TlsStream<TcpStream>>>>() {
            Ok(parts) => {
                let (tcp, tls) = parts.io.into_inner().into_inner().into_inner();
                tcp.into_std().map(|tcp| (AcceptedStream::Tls(tcp, Box::new(tls)), parts.read_buf))
            }
            Err(_) => return tracing::error!("an upgraded connection is of an unknown kind"),
        },
    };
    let (stream, received) = match taken {
        Ok((stream, received)) => (stream, received.to_vec()),
        Err(error) => {
            return tracing::warn!(%error, "a connection could not be handed to its shard");
        }
    };
    let mut id = [0; 16];
    if let Err(error) = getrandom::fill(&mut id) {
        return tracing::error!(%error, "there are no random bytes for a session's id");
    }
    let id = SessionId::from_random(id);
    node.metrics().handshake(Handshake::Accepted);
    let Admission { connection_hash, bearer, place } = admission;
    node.accept(Accepted {
        stream,
        received,
        connection_hash,
        id,
        identity: bearer.identity,
        ends: bearer.valid_until,
        token_refused: bearer.refused,
        place,
    });
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
    if !right || BASE64.decode(key.as_bytes()).ok()?.len() != 16 {
        return None;
    }
    let digest = Sha1::new().chain_update(key.as_bytes()).chain_update(HANDSHAKE_GUID).finalize();
    HeaderValue::from_str(&BASE64.encode(&digest)).ok()
}

/// The first sub-protocol asked for: where clients of this protocol put their token.
fn first_protocol(headers: &HeaderMap) -> Option<HeaderValue> {
    let list = headers.get(SEC_WEBSOCKET_PROTOCOL)?.to_str().ok()?;
    let first = list.split(',').next()?.trim();
    (!first.is_empty()).then(|| HeaderValue::from_str(first).ok()).flatten()
}

/// When to come back to a server that is full, in seconds.
const RETRY_SECONDS: &str = "5";
/// From RFC 6455.
const HANDSHAKE_GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
