//! The doors of a server without TLS: a plain handshake is answered on the spot by the shard that has the
//! door, and all else is for the HTTP library.

use std::io;
use std::net::{IpAddr, TcpStream as StdStream};
use std::sync::Arc;
use std::time::Instant;

use hub::Limit;
use mio::Registry;
use mio::net::{TcpListener, TcpStream};
use tokio::net::TcpStream as HttpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::sleep;

use super::greeting::{Greeting, Welcome, greet};
use super::handshake::Arrived;
use super::listener::INHERITS_NODELAY;
use super::timed::Timed;
use super::{ACCEPT_PAUSE, Failing, MAX_HEAD, Reception, WRITE_TIMEOUT, serve_connection};
use crate::door::{Door, Guest, Visitor};
use crate::transport::AcceptedStream;

/// A door to the shards and, behind them, to the HTTP library.
#[derive(Debug)]
pub(super) struct FrontDoor {
    socket: TcpListener,
    reception: Arc<Reception>,
    /// For the next one who is not a plain handshake at once.
    permit: Option<OwnedSemaphorePermit>,
    failing: Failing,
}

/// Who may have opened a connection only to be quick later, as browsers do.
#[derive(Debug)]
struct SilentGuest {
    comer: Comer,
    reception: Arc<Reception>,
    permit: Option<OwnedSemaphorePermit>,
    since: Instant,
}

/// A new connection.
#[derive(Debug)]
struct Comer {
    stream: TcpStream,
    peer: IpAddr,
}

impl FrontDoor {
    /// A door at which a socket stands that is listened on.
    pub(super) fn of(
        socket: &std::net::TcpListener,
        reception: &Arc<Reception>,
    ) -> io::Result<Self> {
        Ok(Self {
            socket: TcpListener::from_std(socket.try_clone()?),
            reception: Arc::clone(reception),
            permit: None,
            failing: Failing::default(),
        })
    }

    /// Whether one more may be for the HTTP library. Who is not accepted waits in the system's queue.
    fn has_room(&mut self) -> bool {
        if self.permit.is_none() {
            self.permit = Arc::clone(&self.reception.handshakes).try_acquire_owned().ok();
        }
        self.permit.is_some()
    }

    fn find_nobody(&mut self) -> Visitor {
        // There may be other doors.
        self.permit = None;
        Visitor::Nobody
    }
}

impl Door for FrontDoor {
    fn socket(&mut self) -> &mut TcpListener {
        &mut self.socket
    }

    fn let_in(&mut self, buffer: &mut [u8]) -> Visitor {
        if !is_knocked_at(&self.socket) {
            return self.find_nobody();
        }
        if !self.has_room() {
            return Visitor::Shut;
        }
        let mut comer = match self.socket.accept() {
            Ok((stream, peer)) => Comer { stream, peer: peer.ip() },
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return self.find_nobody(),
            Err(error) => {
                self.fail(&error);
                return Visitor::Shut;
            }
        };
        self.failing.note_success();
        if !INHERITS_NODELAY && let Err(error) = comer.stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection was gone at once");
            return Visitor::SentOn;
        }
        let reception = &self.reception;
        match greet(&mut comer.stream, comer.peer, reception, &mut buffer[..MAX_HEAD]) {
            Greeting::Silent => Visitor::Silent(Box::new(SilentGuest {
                comer,
                reception: Arc::clone(reception),
                permit: self.permit.take(),
                since: Instant::now(),
            })),
            Greeting::Http(received) => {
                let Comer { stream, peer } = comer;
                let permit = self.permit.take();
                serve((stream.into(), received), (peer, None), Arc::clone(reception), permit);
                Visitor::SentOn
            }
            Greeting::Done => Visitor::SentOn,
            Greeting::Welcome(welcome) => {
                enter(welcome, AcceptedStream::Plain(comer.stream.into()), reception)
            }
        }
    }

    fn fail(&mut self, error: &io::Error) {
        self.failing.note(error);
    }

    fn stay_shut(mut self: Box<Self>) {
        let runtime = self.reception.runtime.clone();
        runtime.spawn(async move {
            if self.failing.0 {
                sleep(ACCEPT_PAUSE).await;
            }
            if self.permit.is_none() {
                self.permit = self.reception.permit().await;
            }
            Arc::clone(&self.reception.front.node).open(self);
        });
    }
}

impl Guest for SilentGuest {
    fn socket(&mut self) -> &mut TcpStream {
        &mut self.comer.stream
    }

    fn listen(mut self: Box<Self>, buffer: &mut [u8], registry: &Registry) -> Visitor {
        let Comer { stream, peer } = &mut self.comer;
        match greet(stream, *peer, &self.reception, &mut buffer[..MAX_HEAD]) {
            Greeting::Silent => Visitor::Silent(self),
            Greeting::Http(received) => {
                self.leave(received, registry);
                Visitor::SentOn
            }
            Greeting::Done => Visitor::SentOn,
            Greeting::Welcome(welcome) => {
                let Comer { stream, .. } = self.comer;
                let stream = match welcome.admission.has_token() {
                    true => AcceptedStream::Plain(forget(stream, registry)),
                    false => AcceptedStream::Watched(stream),
                };
                enter(welcome, stream, &self.reception)
            }
        }
    }

    fn is_late(&self) -> bool {
        let is_late = self.since.elapsed() >= self.reception.handshake_timeout;
        if is_late {
            self.reception.front.node.metrics().limit_reached(Limit::HandshakeTime);
        }
        is_late
    }

    fn send_on(self: Box<Self>, registry: &Registry) {
        self.leave(Vec::new(), registry);
    }
}

impl SilentGuest {
    /// Goes to the HTTP library with what it has said.
    fn leave(self, received: Vec<u8>, registry: &Registry) {
        let Self { comer: Comer { stream, peer }, reception, permit, since } = self;
        let due = since + reception.handshake_timeout;
        serve((forget(stream, registry), received), (peer, Some(due)), reception, permit);
    }
}

/// Has a connection served by the HTTP library that begins with these bytes. If `due` is given, its first
/// head must have come by then; without, it has all its time from now on.
fn serve(
    (stream, received): (StdStream, Vec<u8>),
    (peer, due): (IpAddr, Option<Instant>),
    reception: Arc<Reception>,
    permit: Option<OwnedSemaphorePermit>,
) {
    reception.runtime.clone().spawn(async move {
        match HttpStream::from_std(stream) {
            Ok(stream) => {
                let stream = Timed::new(stream, WRITE_TIMEOUT).after(received);
                serve_connection(stream, (peer, due), Reception::clone(&reception)).await;
            }
            Err(error) => tracing::debug!(%error, "a connection was gone at once"),
        }
        drop(permit);
    });
}

/// Gives a connection whose handshake is answered to the shard, unless it has to be found out who it is.
fn enter(welcome: Welcome, stream: AcceptedStream, reception: &Reception) -> Visitor {
    let Welcome { admission, received } = welcome;
    let arrived = Arrived { stream, received };
    if admission.has_token() {
        let front = Arc::clone(&reception.front);
        reception.runtime.spawn(async move { admission.hand_over(arrived, &front).await });
        return Visitor::SentOn;
    }
    match admission.of_stranger(arrived, &reception.front) {
        Some(accepted) => Visitor::Entered(Box::new(accepted)),
        None => Visitor::SentOn,
    }
}

/// Whether somebody may stand at a door. To accept nobody takes the system 20 times as long as this does: it
/// makes a socket and a file for whoever comes before it looks.
#[cfg(unix)]
fn is_knocked_at(socket: &TcpListener) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    poll(&mut [PollFd::new(socket, PollFlags::IN)], Some(&Timespec::default())) != Ok(0)
}

#[cfg(not(unix))]
fn is_knocked_at(_: &TcpListener) -> bool {
    true
}

/// Takes a connection from a shard's poll.
fn forget(mut stream: TcpStream, registry: &Registry) -> StdStream {
    if let Err(error) = registry.deregister(&mut stream) {
        tracing::debug!(%error, "a socket was gone before it was let go");
    }
    stream.into()
}
