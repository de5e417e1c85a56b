//! Connections to where the client's reach allows, and to nowhere else.

use std::error::Error;
use std::future::{Future, ready};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower_service::Service;

use super::reach::{Reach, literal};

/// A host has only addresses that must not be called; this is one of them.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the host's address, {0}, is none of the public internet")]
pub struct ForbiddenAddress(pub IpAddr);

/// Connects to allowed addresses: a name's others are left out when it is looked up.
#[derive(Clone, Debug)]
pub(super) struct Connector {
    http: HttpConnector<Resolver>,
    reach: Reach,
}

#[derive(Clone, Debug)]
struct Resolver {
    system: GaiResolver,
    reach: Reach,
}

type BoxError = Box<dyn Error + Send + Sync>;
type BoxFuture<T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>;

impl ForbiddenAddress {
    /// The one that caused an error, if it was one.
    pub(super) fn behind(error: &(dyn Error + 'static)) -> Option<Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(forbidden) = error.downcast_ref() {
                return Some(*forbidden);
            }
            next = error.source();
        }
        None
    }
}

impl Connector {
    pub(super) fn new(reach: Reach) -> Self {
        let mut http =
            HttpConnector::new_with_resolver(Resolver { system: GaiResolver::new(), reach });
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(CONNECT_TIMEOUT));
        Self { http, reach }
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<TcpStream>;
    type Error = BoxError;
    type Future = BoxFuture<Self::Response>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.http.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let reach = self.reach;
        // What is an address already is never looked up.
        if let Some(address) = uri.host().and_then(literal)
            && !reach.allows(address)
        {
            return Box::pin(ready(Err(ForbiddenAddress(address).into())));
        }
        let connecting = self.http.call(uri);
        Box::pin(async move {
            let stream = connecting.await?;
            // Should the two readings of a host ever differ, nothing is sent all the same.
            let peer = stream.inner().peer_addr()?.ip();
            if reach.allows(peer) { Ok(stream) } else { Err(ForbiddenAddress(peer).into()) }
        })
    }
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = BoxError;
    type Future = BoxFuture<Self::Response>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.system.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let (reach, looking_up) = (self.reach, self.system.call(name));
        Box::pin(async move { Ok(allowed(reach, looking_up.await?)?.into_iter()) })
    }
}

/// The addresses that may be called, or one that must not when there are no others.
pub(super) fn allowed(
    reach: Reach,
    addresses: impl Iterator<Item = SocketAddr>,
) -> Result<Vec<SocketAddr>, ForbiddenAddress> {
    let (allowed, forbidden): (Vec<_>, Vec<_>) =
        addresses.partition(|address| reach.allows(address.ip()));
    match forbidden.first() {
        Some(forbidden) if allowed.is_empty() => Err(ForbiddenAddress(forbidden.ip())),
        _ => Ok(allowed),
    }
}

/// How long connecting may take before the name's next address is tried.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
