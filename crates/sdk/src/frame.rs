//! What the server sent, read as far as the client must know it.

use protocol::{Action, PresenceFull, PresenceUpdate};

use crate::Member;

/// A frame of the server. `P` is what listeners get to see, never looked into.
#[derive(Clone, Debug)]
pub struct Frame<P> {
    /// The action's name: listeners may ask for names this SDK has never heard of.
    pub action: String,
    /// The channel it is about; `None` when it is about the connection.
    pub channel: Option<String>,
    /// What the client itself learns from it.
    pub news: News<P>,
    /// The whole frame for the listeners.
    pub body: P,
}

/// What a frame means to the client itself.
#[derive(Clone, Debug)]
pub enum News<P> {
    /// Nothing: it is for the listeners alone.
    None,
    /// The server refused something.
    Error,
    /// The server refused a join, or took one back.
    JoinRefused,
    /// The server answers a join.
    Joined {
        /// How to notice a dead line, where the server answers pings.
        ping: Option<PingInterval>,
    },
    /// Everybody who is in the channel.
    PresenceFull(PresenceFull<Member<P>>),
    /// One member came or went.
    PresenceUpdate(PresenceUpdate<Member<P>>),
    /// A presence frame without the fields it must have.
    MalformedPresence,
    /// The server answers a ping, or tells what only the SDK itself can know: not for listeners.
    Internal,
}

/// After how much silence to ping, in milliseconds: a second to a day.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PingInterval(u64);

impl PingInterval {
    /// Checks what the answer to a join says: the server must offer the feature and an interval.
    pub fn parse(offered: bool, interval: f64) -> Option<Self> {
        (offered && interval > 0.0).then(|| Self((interval as u64).clamp(1_000, A_DAY)))
    }

    pub(crate) fn millis(self) -> u64 {
        self.0
    }
}

impl<P> News<P> {
    /// What an action without fields of its own means.
    pub fn of(action: Option<Action>) -> Self {
        match action {
            Some(Action::Error) => Self::Error,
            Some(Action::Pong | Action::ConnectionStatus) => Self::Internal,
            _ => Self::None,
        }
    }
}

/// In milliseconds.
const A_DAY: u64 = 86_400_000;
