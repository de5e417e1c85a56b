//! The one HTTP client for all that the server calls: webhooks, and other issuers' keys.
//!
//! Whoever may name an address for the server to call must not reach through it what is meant for
//! the server alone: its own machine, its network, its cloud's metadata. So an address is judged
//! where the connection is made, after the name was looked up.

mod connect;
mod reach;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper::header::{HeaderValue, USER_AGENT};
use hyper::{Request, Response};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::{ClientConfig, RootCertStore};
use tokio::time::timeout;

use self::connect::Connector;
pub use self::connect::ForbiddenAddress;
pub use self::reach::{Reach, UrlError, parse_url};

/// A client that keeps to its [`Reach`]. It follows no redirects, heeds no proxy of the environment,
/// and uses connections again; clones share them.
#[derive(Clone, Debug)]
pub struct Outbound {
    client: Client<HttpsConnector<Connector>, Full<Bytes>>,
    reach: Reach,
}

/// How long an answer may take, and how long it may be.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// For everything together: looking up the name, connecting, asking, and the whole answer.
    pub timeout: Duration,
    /// Bytes of the answer's body.
    pub max_body: usize,
}

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    /// The address is none to call.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// The name stands for an address that must not be called.
    #[error(transparent)]
    Forbidden(#[from] ForbiddenAddress),
    /// The name is unknown, nobody listens there, or TLS failed.
    #[error("cannot connect")]
    Connect(#[source] Box<dyn Error + Send + Sync>),
    /// There was no whole answer in time.
    #[error("there was no whole answer within {} ms", .0.as_millis())]
    TimedOut(Duration),
    /// The answer is too long; what there was of it is lost.
    #[error("the answer has more than {0} bytes")]
    TooLarge(usize),
    /// The connection broke, or what came over it is not HTTP.
    #[error("the answer is broken")]
    Broken(#[source] Box<dyn Error + Send + Sync>),
}

impl Outbound {
    /// A client that trusts the certificate authorities that this machine trusts: where an operator
    /// has one of their own, it is there already, or in the file that `SSL_CERT_FILE` names.
    pub fn new(reach: Reach) -> Result<Self, rustls::Error> {
        let found = rustls_native_certs::load_native_certs();
        for error in &found.errors {
            tracing::warn!(%error, "some certificate authorities of this machine cannot be read");
        }
        let mut roots = RootCertStore::empty();
        if roots.add_parsable_certificates(found.certs).0 == 0 {
            tracing::warn!(
                "this machine has no certificate authorities: calls to https addresses will fail; \
                 install its package ca-certificates, or set SSL_CERT_FILE"
            );
        }
        Self::with_roots(reach, roots)
    }

    /// A client that trusts `roots` alone.
    pub fn with_roots(reach: Reach, roots: RootCertStore) -> Result<Self, rustls::Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(Connector::new(reach));
        let client = Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(MAX_IDLE)
            .http1_max_buf_size(MAX_HEAD)
            .http1_max_headers(MAX_HEADERS)
            .build(connector);
        Ok(Self { client, reach })
    }

    /// What this client may call.
    pub const fn reach(&self) -> Reach {
        self.reach
    }

    /// Sends a request and waits for the whole answer, whatever its status. To be called inside a
    /// tokio runtime; who stops waiting ends the request.
    pub async fn send(
        &self,
        mut request: Request<Bytes>,
        limits: Limits,
    ) -> Result<Response<Bytes>, OutboundError> {
        self.reach.check(request.uri())?;
        request.headers_mut().entry(USER_AGENT).or_insert(HeaderValue::from_static(AGENT));
        match timeout(limits.timeout, self.exchange(request.map(Full::new), limits)).await {
            Ok(result) => result,
            Err(_) => Err(OutboundError::TimedOut(limits.timeout)),
        }
    }

    async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
        Limits { max_body, .. }: Limits,
    ) -> Result<Response<Bytes>, OutboundError> {
        let response = self.client.request(request).await.map_err(|error| {
            match (ForbiddenAddress::behind(&error), error.is_connect()) {
                (Some(forbidden), _) => forbidden.into(),
                (None, true) => OutboundError::Connect(error.into()),
                (None, false) => OutboundError::Broken(error.into()),
            }
        })?;
        let (head, body) = response.into_parts();
        match Limited::new(body, max_body).collect().await {
            Ok(body) => Ok(Response::from_parts(head, body.to_bytes())),
            Err(error) if error.is::<LengthLimitError>() => Err(OutboundError::TooLarge(max_body)),
            Err(error) => Err(OutboundError::Broken(error)),
        }
    }
}

/// Whose request it is.
const AGENT: &str = concat!("xano-realtime/", env!("CARGO_PKG_VERSION"));
/// The most an answer's head may take, in bytes.
const MAX_HEAD: usize = 64 << 10;
/// The most header fields an answer may have.
const MAX_HEADERS: usize = 100;
/// Connections to one host that are kept for later.
const MAX_IDLE: usize = 32;
/// For how long: less than what servers do, of which many end idle connections after 5 s. A request
/// on its way while they do so would fail.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);

#[cfg(test)]
mod tests;
