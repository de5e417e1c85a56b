//! The accepting side: HTTP, TLS, and the WebSocket handshake; then the socket is a shard's.

mod door;
mod greeting;
mod handshake;
mod listener;
mod timed;

use std::io;
use std::mem;
use std::net::{IpAddr, TcpListener as StdListener};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{CONNECTION, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hub::Limit;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{sleep, sleep_until, timeout};

use self::door::FrontDoor;
use self::handshake::realtime;
use self::listener::INHERITS_NODELAY;
pub use self::listener::{Listener, ServeError};
use self::timed::Timed;
use crate::api::{self, Accounts, Admin};
use crate::auth::Verifier;
use crate::node::Node;
use crate::origin::AllowedOrigins;
use crate::pages;
use crate::peer::{PeerAddress, TrustedProxies};
use crate::shutdown::{Phase, Shutdown};
use crate::tls::Tls;

/// What stands behind the accepting side.
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
#[derive(Clone, Debug)]
struct Reception {
    router: Router,
    front: Arc<Front>,
    /// HTTP connections there may be at once.
    handshakes: Arc<Semaphore>,
    handshake_timeout: Duration,
    tls: Option<Tls>,
    trusted: Arc<TrustedProxies>,
    runtime: Handle,
    /// Changes when the last answers are to be given.
    stopped: watch::Receiver<()>,
}

/// Serves until `shutdown` says so, then ends every connection in order: those by WebSocket spread
/// over its window, while the others still hear whether this node is ready; these at the end.
pub async fn serve(listener: Listener, front: Front, mut shutdown: Shutdown) {
    let node = Arc::clone(&front.node);
    let router = router(front.clone(), listener.metrics_public);
    let (stop, stopped) = watch::channel(());
    let mut loops = JoinSet::new();
    let Listener { sockets, tls, trusted, handshakes, handshake_timeout, .. } = listener;
    let reception = Arc::new(Reception {
        router,
        front: Arc::new(front),
        handshakes,
        handshake_timeout,
        tls,
        trusted,
        runtime: Handle::current(),
        stopped,
    });
    let mut at_the_end = Vec::new();
    for socket in sockets {
        // Where there is no other handle to be had, this side does it all.
        let door =
            reception.tls.is_none().then(|| FrontDoor::of(&socket, &reception).ok()).flatten();
        match door {
            Some(door) => {
                node.open(Box::new(door));
                at_the_end.push(socket);
            }
            None => keep_accepting(&mut loops, socket, &reception),
        }
    }
    shutdown.reached(Phase::Draining).await;
    node.drain(shutdown.window());
    // The shards let nobody in any more.
    at_the_end.into_iter().for_each(|socket| keep_accepting(&mut loops, socket, &reception));
    drop(reception);
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
        .route(REALTIME, get(realtime))
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
        self.front.node.metrics().limit_reached(Limit::Handshakes);
        // It is never closed.
        Arc::clone(&self.handshakes).acquire_owned().await.ok()
    }
}

/// Accepts for the HTTP library until the last answers are given.
fn keep_accepting(loops: &mut JoinSet<()>, socket: StdListener, reception: &Arc<Reception>) {
    let reception = Arc::clone(reception);
    loops.spawn(async move {
        let socket = match TcpListener::from_std(socket) {
            Ok(socket) => socket,
            Err(error) => return tracing::error!(%error, "a socket cannot be listened on any more"),
        };
        let mut told = reception.stopped.clone();
        tokio::select! {
            () = accept(&socket, &reception) => {}
            _ = told.changed() => {}
        }
    });
}

async fn accept(socket: &TcpListener, reception: &Reception) {
    let mut failing = Failing::default();
    let mut permit = reception.permit().await;
    loop {
        match socket.accept().await {
            Ok((stream, peer)) => {
                failing.note_success();
                let peer = peer.ip();
                if !INHERITS_NODELAY && let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "a connection was gone at once");
                    continue;
                }
                let stream = Timed::new(stream, WRITE_TIMEOUT);
                let served = serve_connection(stream, (peer, None), reception.clone());
                tokio::spawn(async move {
                    served.await;
                    drop(permit);
                });
                permit = reception.permit().await;
            }
            Err(error) => {
                failing.note(&error);
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Whether the last try to accept somebody has failed, which is said once.
#[derive(Debug, Default)]
struct Failing(bool);

impl Failing {
    /// Most likely there are no file descriptors left; some come back in a moment.
    fn note(&mut self, error: &io::Error) {
        if !mem::replace(&mut self.0, true) {
            tracing::warn!(%error, "connections cannot be accepted; it is tried again and again");
        }
    }

    fn note_success(&mut self) {
        if mem::take(&mut self.0) {
            tracing::info!("connections are accepted again");
        }
    }
}

/// A peer's connection. If `due` is given, its first head must have come by then.
async fn serve_connection(
    stream: Timed<TcpStream>,
    (peer, due): (IpAddr, Option<Instant>),
    reception: Reception,
) {
    let node = Arc::clone(&reception.front.node);
    let metrics = node.metrics();
    let patience = reception.handshake_timeout;
    let result = match reception.tls.clone() {
        None => serve_http(stream, (peer, due), reception).await,
        Some(tls) => match timeout(patience, tls.acceptor().accept(stream.into_parts().0)).await {
            Ok(Ok(stream)) => {
                serve_http(Timed::new(stream, WRITE_TIMEOUT), (peer, None), reception).await
            }
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
async fn serve_http<S>(
    stream: Timed<S>,
    (peer, due): (IpAddr, Option<Instant>),
    reception: Reception,
) -> hyper::Result<()>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
{
    let Reception { router, front, trusted, mut stopped, handshake_timeout, .. } = reception;
    let router = TowerToHyperService::new(router);
    let node = Arc::clone(&front.node);
    let begun = Arc::new(AtomicBool::new(false));
    let has_begun = Arc::clone(&begun);
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        has_begun.store(true, Ordering::Relaxed);
        let peer = PeerAddress::of(peer, request.headers(), &trusted);
        request.extensions_mut().insert(peer);
        let (answer, front) = (router.call(request), Arc::clone(&front));
        async move {
            let answer = answer.await;
            if let Ok(response) = &answer {
                front.node.metrics().answered(response.status().as_u16());
            }
            answer
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(handshake_timeout)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let mut due = due;
    loop {
        tokio::select! {
            result = &mut connection => return result,
            _ = stopped.changed() => break,
            () = sleep_until(due.unwrap_or_else(Instant::now).into()), if due.is_some() => {
                due = None;
                if !begun.load(Ordering::Relaxed) {
                    node.metrics().limit_reached(Limit::HandshakeTime);
                    tracing::debug!("a request's head took too long to come");
                    return Ok(());
                }
            }
        }
    }
    connection.as_mut().graceful_shutdown();
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

/// Where WebSocket is spoken; the connection hash follows.
const REALTIME: &str = "/rt/";
/// Where the default API group is.
const AUTH: &str = "/api:main/auth";
/// Prometheus's text format.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
/// How long a request may take from its head to its answer, the reading of its body included.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a client may take to read an answer.
const WRITE_TIMEOUT: Duration = Duration::from_secs(60);
/// How long the last answers may take when the server stops.
const LAST_ANSWERS: Duration = Duration::from_secs(2);
/// The most a request's head may take, in bytes.
const MAX_HEAD: usize = 16 << 10;
/// How long to wait when accepting fails.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests;
