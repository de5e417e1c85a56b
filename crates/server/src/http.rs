//! The reception side: HTTP, TLS, and the WebSocket handshake; then the socket is a shard's.

mod listener;
mod timed;

use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, Request, State};
use axum::http::header::{
    CONNECTION, CONTENT_TYPE, HeaderName, ORIGIN, RETRY_AFTER, SEC_WEBSOCKET_ACCEPT,
    SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE, WWW_AUTHENTICATE,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use data_encoding::BASE64;
use hub::{Identity, Limit, SessionId};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use protocol::ErrorCode;
use sha1::{Digest, Sha1};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{sleep, timeout};
use tokio_rustls::server::TlsStream;

pub use self::listener::{Listener, ServeError};
use self::timed::Timed;
use crate::api::{self, Accounts, Admin};
use crate::auth::{Verified, Verifier};
use crate::metrics::Handshake;
use crate::node::Node;
use crate::origin::AllowedOrigins;
use crate::pages;
use crate::peer::{PeerAddress, TrustedProxies};
use crate::places::Place;
use crate::shutdown::{Phase, Shutdown};
use crate::tls::Tls;
use crate::transport::{Accepted, AcceptedStream};

/// What stands behind the reception side.
#[derive(Clone, Debug)]
pub struct Front {
    /// Where connections go.
    pub node: Arc<Node>,
    /// Whom the clients' tokens name.
    pub verifier: Arc<Verifier>,
    /// Whose pages may open connections.
    pub origins: Arc<AllowedOrigins>,
    /// The Metadata API, if there is to be one.
    pub admin: Option<Admin>,
    /// What becomes of a connection whose token expires.
    pub expiry: TokenExpiry,
    /// The default API group, if there is to be one.
    pub accounts: Option<Accounts>,
}

/// What becomes of a connection whose token expires.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum TokenExpiry {
    /// Who was named by it stays who they are until the connection ends.
    #[default]
    Ignore,
    /// It is closed, with 4401.
    Close,
}

/// What a connection needs to be served.
#[derive(Clone)]
struct Reception {
    router: Router,
    node: Arc<Node>,
    /// HTTP connections there may be at once.
    handshakes: Arc<Semaphore>,
    handshake_timeout: Duration,
    tls: Option<Tls>,
    trusted: Arc<TrustedProxies>,
    /// Changes when the last answers are to be given.
    stopped: watch::Receiver<()>,
}

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

/// Serves until `shutdown` says so, then ends every connection in order: those by WebSocket spread
/// over its window, while the others still hear whether this node is ready; these at the end.
pub async fn serve(listener: Listener, front: Front, mut shutdown: Shutdown) {
    let node = Arc::clone(&front.node);
    let router = router(front, listener.metrics_public);
    let (stop, stopped) = watch::channel(());
    let mut loops = JoinSet::new();
    let Listener { sockets, tls, trusted, handshakes, handshake_timeout, .. } = listener;
    let reception = Reception {
        router,
        node: Arc::clone(&node),
        handshakes,
        handshake_timeout,
        tls,
        trusted,
        stopped,
    };
    for socket in sockets {
        let reception = reception.clone();
        loops.spawn(async move {
            let mut told = reception.stopped.clone();
            tokio::select! {
                () = accept(&socket, &reception) => {}
                _ = told.changed() => {}
            }
        });
    }
    drop(reception);
    shutdown.reached(Phase::Draining).await;
    node.drain(shutdown.window());
    let ending = Arc::clone(&node);
    let mut ended = spawn_blocking(move || ending.join());
    let result = tokio::select! {
        result = &mut ended => result,
        () = shutdown.reached(Phase::Ending) => {
            node.drain(Duration::ZERO);
            ended.await
        }
    };
    if result.is_err() {
        tracing::error!("the shards could not be waited for");
    }
    stop.send_replace(());
    while loops.join_next().await.is_some() {}
    if timeout(LAST_ANSWERS, stop.closed()).await.is_err() {
        tracing::debug!("some HTTP connections are cut off");
    }
}

fn router(front: Front, metrics_public: bool) -> Router {
    let Front { node, admin, accounts, .. } = front.clone();
    let mut router = Router::new()
        .route("/rt/", get(realtime))
        .route("/rt/{*hash}", get(realtime))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(move |front, headers| metrics(front, headers, metrics_public)))
        .fallback(page)
        .with_state(front);
    if let Some(admin) = admin {
        router = router.merge(api::router(admin));
    }
    if let Some(accounts) = accounts {
        router = router.nest(AUTH, api::auth_router(accounts));
    }
    router.layer(middleware::from_fn_with_state(node, in_time))
}

/// Answers in time, whoever is slow; and ends kept connections while the node drains.
async fn in_time(State(node): State<Arc<Node>>, request: Request, next: Next) -> Response {
    let mut response = match timeout(REQUEST_TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let text = "This request was not whole, or not done, in time (30 s).\n";
            let close = [(CONNECTION, HeaderValue::from_static("close"))];
            (StatusCode::REQUEST_TIMEOUT, close, text).into_response()
        }
    };
    if !node.is_ready() && response.status() != StatusCode::SWITCHING_PROTOCOLS {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

impl Reception {
    /// Waits for room for one more HTTP connection. Who is not accepted waits in the system's queue.
    async fn permit(&self) -> Option<OwnedSemaphorePermit> {
        if let Ok(permit) = Arc::clone(&self.handshakes).try_acquire_owned() {
            return Some(permit);
        }
        self.node.metrics().limit_reached(Limit::Handshakes);
        // It is never closed.
        Arc::clone(&self.handshakes).acquire_owned().await.ok()
    }
}

async fn accept(socket: &TcpListener, reception: &Reception) {
    loop {
        let permit = reception.permit().await;
        match socket.accept().await {
            Ok((stream, peer)) => {
                let served = serve_connection(stream, peer.ip(), reception.clone());
                tokio::spawn(async move {
                    served.await;
                    drop(permit);
                });
            }
            Err(error) => {
                // Most likely there are no file descriptors left; some come back in a moment.
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve_connection(stream: TcpStream, peer: IpAddr, reception: Reception) {
    if let Err(error) = stream.set_nodelay(true) {
        return tracing::debug!(%error, "a connection was gone at once");
    }
    let node = Arc::clone(&reception.node);
    let metrics = node.metrics();
    let patience = reception.handshake_timeout;
    let result = match reception.tls.clone() {
        None => serve_http(stream, peer, reception).await,
        Some(tls) => match timeout(patience, tls.acceptor().accept(stream)).await {
            Ok(Ok(stream)) => serve_http(stream, peer, reception).await,
            Ok(Err(error)) => return tracing::debug!(%error, "a TLS handshake failed"),
            Err(_) => {
                metrics.limit_reached(Limit::HandshakeTime);
                return tracing::debug!("a TLS handshake took too long");
            }
        },
    };
    if let Err(error) = result {
        if error.is_timeout() {
            metrics.limit_reached(Limit::HandshakeTime);
        } else if error.is_parse_too_large() {
            metrics.limit_reached(Limit::HeadSize);
        }
        tracing::debug!(%error, "an HTTP connection broke");
    }
}

/// Serves the requests of a connection; each carries the [`PeerAddress`] of who sent it.
async fn serve_http<S>(stream: S, peer: IpAddr, reception: Reception) -> hyper::Result<()>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
{
    let Reception { router, node, trusted, mut stopped, handshake_timeout, .. } = reception;
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        let peer = PeerAddress::of(peer, request.headers(), &trusted);
        request.extensions_mut().insert(peer);
        let (answer, node) = (router.call(request), Arc::clone(&node));
        async move {
            let answer = answer.await;
            if let Ok(response) = &answer {
                node.metrics().answered(response.status().as_u16());
            }
            answer
        }
    });
    let stream = TokioIo::new(Timed::new(stream, WRITE_TIMEOUT));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(handshake_timeout)
        .max_buf_size(MAX_HEAD)
        .serve_connection(stream, service)
        .with_upgrades();
    let mut connection = pin!(connection);
    tokio::select! {
        result = &mut connection => return result,
        _ = stopped.changed() => connection.as_mut().graceful_shutdown(),
    }
    connection.await
}

async fn page(State(Front { node, .. }): State<Front>, request: Request) -> Response {
    pages::respond(
        request.uri().path(),
        request.headers(),
        node.settings().connection_hash.as_deref(),
    )
}

async fn readyz(State(Front { node, .. }): State<Front>) -> (StatusCode, &'static str) {
    match node.is_ready() {
        true => (StatusCode::OK, "ready\n"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
    }
}

/// They tell how busy the server is, so they are for everybody only where the operator says so.
async fn metrics(
    State(Front { node, admin, .. }): State<Front>,
    headers: HeaderMap,
    public: bool,
) -> Response {
    let may_read = match admin {
        Some(admin) if !public => admin.may_read(&headers).await,
        _ => public,
    };
    if !may_read {
        let text = "Metrics are for who brings the admin token, or an access token with the scope read \
                    (Authorization: Bearer TOKEN), or for everybody where the server was started with --metrics-public.\n";
        return (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, "Bearer")], text).into_response();
    }
    // Its locks are held by others for moments only, but there are many.
    match spawn_blocking(move || node.metrics_page()).await {
        Ok(page) => ([(CONTENT_TYPE, METRICS_TYPE)], page).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// The WebSocket handshake. A wrong hash is told to the client behind it, where browsers can read it.
async fn realtime(
    State(Front { node, verifier, origins, expiry, .. }): State<Front>,
    Extension(peer): Extension<PeerAddress>,
    mut request: Request,
) -> Response {
    let Some(accept) = handshake_answer(request.headers()) else {
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

/// Where the default API group is.
const AUTH: &str = "/api:main/auth";
/// Prometheus's text format.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
/// When to come back to a server that is full, in seconds.
const RETRY_SECONDS: &str = "5";
/// From RFC 6455.
const HANDSHAKE_GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// How long a request may take from its head to its answer, the reading of its body included.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a client may take to read an answer.
const WRITE_TIMEOUT: Duration = Duration::from_secs(60);
/// How long the last answers may take when the server stops.
const LAST_ANSWERS: Duration = Duration::from_secs(2);
/// The most a request's head may take, in bytes.
const MAX_HEAD: usize = 16 << 10;
/// How long to wait when reception fails.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests;
