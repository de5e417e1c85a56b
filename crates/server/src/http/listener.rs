//! Where a server listens, and with which certificate.

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpSocket;
use tokio::sync::Semaphore;

use crate::config::{LimitOptions, ServeConfig};
use crate::peer::TrustedProxies;
use crate::tls::{Tls, TlsError};

/// The addresses a server listens on.
#[derive(Debug)]
pub struct Listener {
    pub(super) sockets: Vec<TcpListener>,
    pub(super) tls: Option<Tls>,
    pub(super) trusted: Arc<TrustedProxies>,
    /// HTTP connections there may be at once.
    pub(super) handshakes: Arc<Semaphore>,
    /// How long a client may take for a request's head, also for that of its next request, or for the
    /// TLS handshake.
    pub(super) handshake_timeout: Duration,
    pub(super) metrics_public: bool,
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

impl Listener {
    /// Listens where `config` says; a host with several addresses is served on all of them. Must be
    /// called inside a tokio runtime.
    pub fn bind(config: &ServeConfig) -> Result<Self, ServeError> {
        let (addresses, tls) = Self::prepare(config)?;
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
            _ => {
                let trusted = Arc::new(config.trust_proxy.iter().copied().collect());
                let LimitOptions { max_handshakes, handshake_timeout, metrics_public, .. } =
                    config.limits;
                let handshakes = Arc::new(Semaphore::new(max_handshakes as usize));
                Ok(Self { sockets, tls, trusted, handshakes, handshake_timeout, metrics_public })
            }
        }
    }

    /// Reads what [`bind`](Self::bind) needs, and goes no further.
    pub fn check(config: &ServeConfig) -> Result<(), ServeError> {
        Self::prepare(config).map(drop)
    }

    /// What it serves TLS with, if it does.
    pub const fn tls(&self) -> Option<&Tls> {
        self.tls.as_ref()
    }

    fn prepare(config: &ServeConfig) -> Result<(Vec<SocketAddr>, Option<Tls>), ServeError> {
        let listen = &config.listen;
        let tls = match (&config.tls_cert, &config.tls_key) {
            (Some(certificate), Some(key)) => Some(Tls::load(certificate, key)?),
            _ => None,
        };
        let addresses = listen
            .to_socket_addrs()
            .map_err(|source| ServeError::Address { listen: listen.clone(), source })?;
        Ok((addresses.collect(), tls))
    }

    /// The port, the chosen one where 0 was given.
    pub fn port(&self) -> Option<u16> {
        self.sockets.first()?.local_addr().ok().map(|address| address.port())
    }
}

fn listen_on(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A restart need not wait for the old connections to be forgotten.
    #[cfg(not(windows))]
    socket.set_reuseaddr(true)?;
    // For all connections, see INHERITS_NODELAY.
    socket.set_nodelay(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)?.into_std()
}

/// Whether connections send small frames at once because the socket says so that they were accepted from,
/// which saves a system call for each.
pub(super) const INHERITS_NODELAY: bool = cfg!(target_os = "linux");
/// Connections that may wait to be accepted.
const BACKLOG: u32 = 4_096;

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn connections_inherit_that_small_frames_are_sent_at_once_where_it_is_said_so() {
        let socket = listen_on(([127, 0, 0, 1], 0).into()).expect("a port is free");
        let address = socket.local_addr().expect("it has an address");
        let _client = TcpStream::connect(address).expect("somebody listens");
        socket.set_nonblocking(false).expect("it can wait");
        let (accepted, _) = socket.accept().expect("somebody came");
        assert!(!INHERITS_NODELAY || accepted.nodelay().expect("it says so"));
    }
}
