//! What the caller must do next.

use std::rc::Rc;

use protocol::{Action, JoinRequest};

use crate::{ChannelId, Gap, Refusal};

/// One attempt to connect and the connection that came of it; never used twice.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ConnectionId(pub(crate) u32);

/// Something to do with the network or the console, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Output<P> {
    /// Open a WebSocket and report what becomes of it under this id.
    Open {
        /// Names the connection in everything reported about it.
        connection: ConnectionId,
        /// The only sub-protocol to offer.
        token: Option<String>,
    },
    /// Ask the application for the token, and report it under this id.
    Ask {
        /// Names the attempt.
        connection: ConnectionId,
    },
    /// Send a frame over the latest WebSocket.
    Send(Outgoing),
    /// Close the latest WebSocket; nothing it reports from now on counts.
    Close {
        /// The code for the close frame.
        code: u16,
    },
    /// Warn the developer.
    Warn(&'static str),
    /// Tell the developer about an error that no listener takes.
    Untaken(Event<P>),
}

/// A frame to the server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outgoing {
    /// Start being in a channel.
    Join {
        /// Which.
        channel: Rc<str>,
        /// What to send at once.
        request: JoinRequest,
    },
    /// Stop being in a channel.
    Leave {
        /// Which.
        channel: Rc<str>,
    },
    /// Read a channel's kept publications.
    History {
        /// Which.
        channel: Rc<str>,
    },
    /// Are you there?
    Ping,
    /// What the application asked for, already encoded.
    Encoded(String),
}

/// One call of one listener.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery<P, L> {
    /// Whom to call.
    pub listener: L,
    /// With what.
    pub event: Event<P>,
    pub(crate) channel: ChannelId,
}

/// What a listener hears.
#[derive(Clone, Debug, PartialEq)]
pub enum Event<P> {
    /// A frame of the server.
    Frame(P),
    /// A connection is open.
    Connected,
    /// There is no connection any more, or an attempt failed.
    Disconnected {
        /// The close code.
        code: u16,
        /// The reason in the close frame.
        reason: Rc<str>,
        /// In how many milliseconds the next attempt starts; `None` when there will be none.
        retry_in: Option<u64>,
    },
    /// The client itself refused something, or gave up what waited.
    Refused {
        /// Where.
        channel: Rc<str>,
        /// What.
        action: Action,
        /// Why.
        refusal: Refusal,
    },
    /// Publications of a channel were missed.
    Missed {
        /// Where.
        channel: Rc<str>,
        /// Which.
        gap: Gap,
    },
    /// What was waited for has come, and there is no more to tell: the channel is joined, or a
    /// message went out to a server that does not acknowledge.
    Done,
}
