//! Where clients come in: whoever has a door accepts who stands before it. The shards take turns.

use std::{fmt, io};

use mio::Registry;
use mio::net::{TcpListener, TcpStream};

use crate::transport::Accepted;

/// A socket that is listened on, and what becomes of who comes.
pub trait Door: fmt::Debug + Send {
    /// What says when somebody has come.
    fn socket(&mut self) -> &mut TcpListener;

    /// Lets one in. `buffer` is for its first bytes, and large enough for a request's head.
    fn let_in(&mut self, buffer: &mut [u8]) -> Visitor;

    /// Its socket is of no use for now, says the system.
    fn fail(&mut self, error: &io::Error);

    /// Nobody can come in for now: goes to a shard's [inbox](crate::Event::Door) again when it is worth a try.
    fn stay_shut(self: Box<Self>);
}

/// Somebody who has come in and not said anything yet.
pub trait Guest: fmt::Debug + Send {
    /// What says when it has. As long as it is a guest, its shard's poll looks at it.
    fn socket(&mut self) -> &mut TcpStream;

    /// Listens to it. Where the shard has no more to do with it, `registry` forgets it.
    fn listen(self: Box<Self>, buffer: &mut [u8], registry: &Registry) -> Visitor;

    /// Whether it has had its time. Then it is counted, and to be dropped.
    fn is_late(&self) -> bool;

    /// It is not a shard's any more, and waited for elsewhere.
    fn send_on(self: Box<Self>, registry: &Registry);
}

/// Who was at a door.
#[derive(Debug)]
pub enum Visitor {
    /// The shard has one connection more.
    Entered(Box<Accepted>),
    /// It has said nothing yet.
    Silent(Box<dyn Guest>),
    /// Somebody who is gone, or whom somebody else sees to.
    SentOn,
    /// Nobody. The socket says when somebody comes.
    Nobody,
    /// Nobody can come in.
    Shut,
}
