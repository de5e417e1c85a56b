//! The accepting side: HTTP, TLS, and the WebSocket handshake; then the socket is a shard's.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::header::{
    CONNECTION, HeaderName, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use data_encoding::BASE64;
use hub::{Identity, SessionId};
use hyper::server::conn::http1;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use protocol::ErrorCode;
use sha1::{Digest, Sha1};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::api::{self, Admin};
use crate::auth::Verifier;
use crate::config::ServeConfig;
use crate::node::Node;
use crate::pages;
use crate::tls::{self, TlsError};
use crate::transport::{Accepted, AcceptedStream};

/// The addresses a server listens on.
pub struct Listener {
    sockets: Vec<TcpListener>,
    tls: Option<TlsAcceptor>,
}

/// What stands behind the accepting side.
#[derive(Clone, Debug)]
pub struct Front {
    /// Where connections go.
    pub node: Arc<Node>,
    /// Whom the clients' tokens name.
    pub verifier: Arc<Verifier>,
    /// The Metadata API, if there is to be one.
    pub admin: Option<Admin>,
}

/// What a handshake asked for.
struct Admission {
    connection_hash: String,
    identity: Identity,
    token_refused: Option<ErrorCode>,
}

/// Why a server cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// `--listen` names no address.
    #[error("cannot listen on {listen}: it is not HOST:PORT, or the host is unknown")]
    Address {
        /// What was given.
        listen: String,
        /// Why it is none.
        source: io::Error,
    },
    /// Somebody else listens there.
    #[error(
        "cannot listen on {0}: another program uses that port; stop it, or choose another with \
         --listen HOST:PORT (npm start -- --listen HOST:PORT)"
    )]
    InUse(SocketAddr),
    /// The address cannot be listened on for another reason.
    #[error("cannot listen on {address}")]
    Bind {
        /// Which address.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The certificate or its key is of no use.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listener")
            .field("sockets", &self.sockets)
            .field("tls", &self.tls.is_some())
            .finish()
    }
}

impl Listener {
    /// Listens where `config` says; a host with several addresses is served on all of them. Must be
    /// called inside a tokio runtime.
    pub fn bind(config: &ServeConfig) -> Result<Self, ServeError> {
        let listen = &config.listen;
        let tls = match (&config.tls_cert, &config.tls_key) {
            (Some(certificate), Some(key)) => Some(tls::acceptor(certificate, key)?),
            _ => None,
        };
        let addresses = listen
            .to_socket_addrs()
            .map_err(|source| ServeError::Address { listen: listen.clone(), source })?;
        let mut sockets: Vec<TcpListener> = Vec::new();
        let mut missing = None;
        for mut address in addresses {
            if let (0, Some(first)) = (address.port(), sockets.first()) {
                let port = first
                    .local_addr()
                    .map_err(|source| ServeError::Bind { address, source })?
                    .port();
                address.set_port(port);
            }
            match listen_on(address) {
                Ok(socket) => sockets.push(socket),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                    return Err(ServeError::InUse(address));
                }
                // A machine without IPv6 still calls ::1 localhost; the other address will do.
                Err(source) => missing = Some(ServeError::Bind { address, source }),
            }
        }
        match missing {
            Some(error) if sockets.is_empty() => Err(error),
            _ => Ok(Self { sockets, tls }),
        }
    }

    /// The port, the chosen one where 0 was given.
    pub fn port(&self) -> Option<u16> {
        self.sockets.first()?.local_addr().ok().map(|address| address.port())
    }
}

/// Serves until `shutdown` is done, then ends every connection in order.
pub async fn serve(listener: Listener, front: Front, shutdown: impl Future<Output = ()>) {
    let node = Arc::clone(&front.node);
    let admin = front.admin.clone();
    let mut router = Router::new()
        .route("/rt/{hash}", get(realtime))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .fallback(page)
        .with_state(front);
    if let Some(admin) = admin {
        router = router.merge(api::router(admin));
    }
    let (stop, stopped) = watch::channel(());
    let mut loops = JoinSet::new();
    for socket in listener.sockets {
        let (router, tls, mut stopped) = (router.clone(), listener.tls.clone(), stopped.clone());
        loops.spawn(async move {
            tokio::select! {
                () = accept(&socket, &router, tls.as_ref()) => {}
                _ = stopped.changed() => {}
            }
        });
    }
    shutdown.await;
    // Whoever asks is told that this node is not ready until the last connection has ended.
    node.drain();
    if tokio::task::spawn_blocking(move || node.join()).await.is_err() {
        tracing::error!("the shards could not be waited for");
    }
    drop(stop);
    while loops.join_next().await.is_some() {}
}

async fn accept(socket: &TcpListener, router: &Router, tls: Option<&TlsAcceptor>) {
    loop {
        match socket.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(serve_connection(stream, router.clone(), tls.cloned()));
            }
            Err(error) => {
                // Most likely there are no file descriptors left; some come back in a moment.
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve_connection(stream: TcpStream, router: Router, tls: Option<TlsAcceptor>) {
    if let Err(error) = stream.set_nodelay(true) {
        return tracing::debug!(%error, "a connection was gone at once");
    }
    let result = match tls {
        None => serve_http(stream, router).await,
        Some(tls) => match timeout(HEAD_TIMEOUT, tls.accept(stream)).await {
            Ok(Ok(stream)) => serve_http(stream, router).await,
            Ok(Err(error)) => return tracing::debug!(%error, "a TLS handshake failed"),
            Err(_) => return tracing::debug!("a TLS handshake took too long"),
        },
    };
    if let Err(error) = result {
        tracing::debug!(%error, "an HTTP connection broke");
    }
}

async fn serve_http<S>(stream: S, router: Router) -> hyper::Result<()>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
{
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .with_upgrades()
        .await
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

/// The WebSocket handshake. A wrong hash is told to the client behind it, where browsers can read it.
async fn realtime(
    State(Front { node, verifier, .. }): State<Front>,
    Path(connection_hash): Path<String>,
    mut request: Request,
) -> Response {
    let Some(accept) = handshake_answer(request.headers()) else {
        let headers =
            [(UPGRADE, "websocket"), (CONNECTION, "upgrade"), (SEC_WEBSOCKET_VERSION, "13")];
        let text = "This address speaks WebSocket (version 13) only.\n";
        return (StatusCode::UPGRADE_REQUIRED, headers, text).into_response();
    };
    if !node.is_ready() {
        return (StatusCode::SERVICE_UNAVAILABLE, "This server is about to stop.\n")
            .into_response();
    }
    let Some(upgrade) = request.extensions_mut().remove::<OnUpgrade>() else {
        return (StatusCode::BAD_REQUEST, "This connection cannot be upgraded.\n").into_response();
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
    let (identity, token_refused) = identify(&verifier, token.as_ref());
    let admission = Admission { connection_hash, identity, token_refused };
    tokio::spawn(async move {
        match upgrade.await {
            Ok(upgraded) => hand_over(upgraded, &node, admission),
            Err(error) => tracing::debug!(%error, "a connection broke during its handshake"),
        }
    });
    response
}

/// A token that names nobody does not keep its bearer out: it is told, and goes on as anonymous.
fn identify(verifier: &Verifier, token: Option<&HeaderValue>) -> (Identity, Option<ErrorCode>) {
    match token.map(|token| verifier.verify(token.as_bytes())) {
        None => (Identity::Anonymous, None),
        Some(Ok(identity)) => (identity, None),
        Some(Err(reason)) => {
            tracing::debug!(%reason, "a token was refused");
            (Identity::Anonymous, Some(ErrorCode::InvalidToken))
        }
    }
}

fn hand_over(upgraded: Upgraded, node: &Node, admission: Admission) {
    let taken = match upgraded.downcast::<TokioIo<TcpStream>>() {
        Ok(parts) => {
            parts.io.into_inner().into_std().map(|tcp| (AcceptedStream::Plain(tcp), parts.read_buf))
        }
        Err(upgraded) => match upgraded.downcast::<TokioIo<TlsStream<TcpStream>>>() {
            Ok(parts) => {
                let (tcp, tls) = parts.io.into_inner().into_inner();
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
    let Admission { connection_hash, identity, token_refused } = admission;
    node.accept(Accepted { stream, received, connection_hash, id, identity, token_refused });
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

fn listen_on(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A restart need not wait for the old connections to be forgotten.
    #[cfg(not(windows))]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// From RFC 6455.
const HANDSHAKE_GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// How long a client may take for its request's head, or for the TLS handshake.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// The most a request's head may take, in bytes.
const MAX_HEAD: usize = 16 << 10;
/// Connections that may wait to be accepted.
const BACKLOG: u32 = 4_096;
/// How long to wait when accepting fails.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
