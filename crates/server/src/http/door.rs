//! The doors of a server without TLS: a plain handshake is answered on the spot by the shard that has the
//! door, and all else is for the HTTP library.

use std::io;
use std::mem;
use std::net::{IpAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use mio::net::TcpListener;
use tokio::net::TcpStream as HttpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{sleep, timeout};

use super::greeting::{Greeting, greet};
use super::listener::INHERITS_NODELAY;
use super::timed::Timed;
use super::{ACCEPT_PAUSE, MAX_HEAD, Reception, WRITE_TIMEOUT, serve_connection};
use crate::door::{Door, Visitor};

/// A door to the shards and, behind them, to the HTTP library.
#[derive(Debug)]
pub(super) struct FrontDoor {
    socket: TcpListener,
    reception: Reception,
    /// For the next one who is for the HTTP library.
    permit: Option<OwnedSemaphorePermit>,
    /// The last try to accept somebody has failed.
    failing: bool,
}

impl FrontDoor {
    /// A door at which a socket stands that is listened on.
    pub(super) fn of(socket: &std::net::TcpListener, reception: &Reception) -> io::Result<Self> {
        Ok(Self {
            socket: TcpListener::from_std(socket.try_clone()?),
            reception: reception.clone(),
            permit: None,
            failing: false,
        })
    }

    /// Whether one more may be for the HTTP library. Who is not accepted waits in the system's queue.
    fn has_room(&mut self) -> bool {
        if self.permit.is_none() {
            self.permit = Arc::clone(&self.reception.handshakes).try_acquire_owned().ok();
        }
        self.permit.is_some()
    }

    /// Has a connection served that begins with these bytes.
    fn send_on(&mut self, stream: TcpStream, peer: IpAddr, received: Vec<u8>) {
        let (permit, reception) = (self.permit.take(), self.reception.clone());
        self.reception.runtime.spawn(async move {
            if let Err(error) = serve_later((stream, received), peer, reception).await {
                tracing::debug!(%error, "a connection was gone at once");
            }
            drop(permit);
        });
    }
}

impl Door for FrontDoor {
    fn socket(&mut self) -> &mut TcpListener {
        &mut self.socket
    }

    fn let_in(&mut self, buffer: &mut [u8]) -> Visitor {
        if !self.has_room() {
            return Visitor::Shut;
        }
        let (stream, peer) = match self.socket.accept() {
            Ok((stream, peer)) => (TcpStream::from(stream), peer.ip()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Visitor::Nobody,
            Err(error) => {
                self.fail(&error);
                return Visitor::Shut;
            }
        };
        if mem::take(&mut self.failing) {
            tracing::info!("connections are accepted again");
        }
        if !INHERITS_NODELAY && let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection was gone at once");
            return Visitor::SentOn;
        }
        match greet(stream, peer, &self.reception, &mut buffer[..MAX_HEAD]) {
            Greeting::Entered(accepted) => Visitor::Entered(accepted),
            Greeting::Done => Visitor::SentOn,
            Greeting::Http(stream, received) => {
                self.send_on(stream, peer, received);
                Visitor::SentOn
            }
        }
    }

    fn fail(&mut self, error: &io::Error) {
        // Most likely there are no file descriptors left; some come back in a moment.
        if !mem::replace(&mut self.failing, true) {
            tracing::warn!(%error, "connections cannot be accepted; it is tried again and again");
        }
    }

    fn stay_shut(mut self: Box<Self>) {
        let runtime = self.reception.runtime.clone();
        runtime.spawn(async move {
            if self.failing {
                sleep(ACCEPT_PAUSE).await;
            }
            if self.permit.is_none() {
                self.permit = self.reception.permit().await;
            }
            Arc::clone(&self.reception.front.node).open(self);
        });
    }
}

/// Serves a connection that begins with these bytes. Where there are none its client may just not have got
/// to it: what it says first may still be a plain handshake.
async fn serve_later(
    (mut stream, mut received): (TcpStream, Vec<u8>),
    peer: IpAddr,
    reception: Reception,
) -> io::Result<()> {
    if received.is_empty() {
        let waiting = HttpStream::from_std(stream)?;
        let patience = GREETING_PATIENCE.min(reception.handshake_timeout);
        let has_come = timeout(patience, waiting.readable()).await;
        stream = waiting.into_std()?;
        if has_come.is_ok() {
            match greet(stream, peer, &reception, &mut vec![0; MAX_HEAD]) {
                Greeting::Entered(accepted) => {
                    reception.front.node.accept(accepted);
                    return Ok(());
                }
                Greeting::Done => return Ok(()),
                Greeting::Http(rest, bytes) => (stream, received) = (rest, bytes),
            }
        }
    }
    let stream = Timed::new(HttpStream::from_std(stream)?, WRITE_TIMEOUT).after(received);
    serve_connection(stream, peer, reception).await;
    Ok(())
}

/// How long a client may take for its first bytes before the HTTP library waits for them.
const GREETING_PATIENCE: Duration = Duration::from_secs(1);
