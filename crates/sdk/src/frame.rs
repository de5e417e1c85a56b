//! What the server sent, read as far as the client must know it.

use protocol::{Action, PresenceFull, PresenceUpdate, Resume};

use crate::Member;

/// A frame of the server. `P` is what listeners get to see, never looked into.
#[derive(Clone, Debug)]
pub struct Frame<'a, P> {
    /// The action's name: listeners may ask for names this SDK has never heard of.
    pub action: &'a str,
    /// The channel it is about; `None` when it is about the connection.
    pub channel: Option<&'a str>,
    /// Its number among the channel's publications.
    pub seq: Option<u64>,
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
    /// The server refused something, or took it back.
    Error(Refused),
    /// The server answers a join.
    Joined(Joined),
    /// A message of this name has its place.
    Acked(String),
    /// A history: of all that is kept, or a part of it.
    History {
        /// It answers a request for a part.
        page: bool,
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

/// What the answer to a join says. A server without extensions says nothing of it.
#[derive(Clone, Debug, Default)]
pub struct Joined {
    /// How to notice a dead line, where the server answers pings.
    pub ping: Option<PingInterval>,
    /// Messages with a name are acknowledged.
    pub acks: bool,
    /// Parts of a history may be asked for.
    pub pages: bool,
    /// The channel keeps publications.
    pub keeps: bool,
    /// The channel's newest publication, where a later join may go on from there.
    pub position: Option<Resume>,
    /// All that was missed follows.
    pub resumed: bool,
    /// Why it does not, where that was asked.
    pub reason: Option<String>,
}

/// What an error is about.
#[derive(Clone, Debug, Default)]
pub struct Refused {
    /// The action that was refused.
    pub action: Option<Action>,
    /// The name of the message that was refused.
    pub id: Option<String>,
    /// The same may be taken later.
    pub later: bool,
    /// In how many milliseconds at the earliest.
    pub retry_after: u64,
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
            Some(Action::Error) => Self::Error(Refused::default()),
            Some(Action::History) => Self::History { page: false },
            Some(Action::Pong | Action::ConnectionStatus) => Self::Internal,
            _ => Self::None,
        }
    }
}

/// In milliseconds.
const A_DAY: u64 = 86_400_000;
