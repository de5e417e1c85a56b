//! Frames: the envelope both sides share, and what goes into it.

use serde::{Deserialize, Serialize};

use crate::lenient;
use crate::object::object;

/// What a frame asks for or tells.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// A client's message has its place: the answer to one that carried an id.
    Ack,
    /// Made by the SDK itself; never on the wire.
    ConnectionStatus,
    /// The server refused something.
    Error,
    /// The backend pushed something.
    Event,
    /// A channel's kept publications: the request and its answer.
    History,
    /// Start being in a channel: the request and its answer.
    Join,
    /// Stop being in a channel: the request and its answer.
    Leave,
    /// A publication, or a private message.
    Message,
    /// Are you there?
    Ping,
    /// Yes.
    Pong,
    /// Who is in the channel.
    PresenceFull,
    /// One member came or went.
    PresenceUpdate,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 12] = [
        Self::Ack,
        Self::ConnectionStatus,
        Self::Error,
        Self::Event,
        Self::History,
        Self::Join,
        Self::Leave,
        Self::Message,
        Self::Ping,
        Self::Pong,
        Self::PresenceFull,
        Self::PresenceUpdate,
    ];

    /// The action of this name, if there is one.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name() == name)
    }

    /// The action as the wire has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ack => "ack",
            Self::ConnectionStatus => "connection_status",
            Self::Error => "error",
            Self::Event => "event",
            Self::History => "history",
            Self::Join => "join",
            Self::Leave => "leave",
            Self::Message => "message",
            Self::Ping => "ping",
            Self::Pong => "pong",
            Self::PresenceFull => "presence_full",
            Self::PresenceUpdate => "presence_update",
        }
    }
}

/// The envelope of everything a client sends. Fields appear on the wire in this order.
#[derive(Clone, Debug, Serialize)]
pub struct ClientFrame<O, P> {
    /// What the frame asks for.
    pub action: Action,
    /// Where; `None` when it is about the connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub options: Option<O>,
    /// The rest, by action.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<P>,
}

/// The envelope of everything the server sends. Fields appear on the wire in this order.
#[derive(Clone, Debug, Serialize)]
pub struct ServerFrame<'a, C, P> {
    /// What the frame tells.
    pub action: Action,
    /// Where.
    pub options: ServerOptions<'a>,
    /// Who caused it; `None` when the server did.
    pub client: Option<C>,
    /// The rest, by action.
    pub payload: P,
}

/// Where a frame of the server belongs.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum ServerOptions<'a> {
    /// A frame about the connection as a whole.
    Connection {},
    /// A frame about a channel.
    Channel {
        /// Its name.
        channel: &'a str,
    },
    /// A frame about one of the reader's own messages.
    Request {
        /// The channel's name.
        channel: &'a str,
        /// The id that the message carried.
        id: &'a str,
    },
    /// A message, with the sender's options made complete.
    Message {
        /// Only authenticated members get it.
        authenticated: bool,
        /// The only session that gets it.
        #[serde(rename = "socketId")]
        session_id: Option<&'a str>,
        /// The channel's name.
        channel: &'a str,
    },
}

/// The options a client sends with an action.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
#[serde(bound(deserialize = "S: Default + Deserialize<'de>"))]
pub struct ClientOptions<S> {
    /// Send to authenticated members only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authenticated: Option<bool>,
    /// The channel acted on.
    pub channel: Option<S>,
    /// Names the message, for its ack. What is no text is none of our names, but the application's.
    #[serde(deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub id: Option<S>,
    /// Send to this session only.
    #[serde(rename = "socketId", skip_serializing_if = "Option::is_none")]
    pub session_id: Option<S>,
}

/// The payload of a client's join.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct JoinRequest {
    /// Send the kept publications.
    #[serde(deserialize_with = "lenient::flag")]
    pub history: bool,
    /// Send who is here, and keep telling.
    #[serde(deserialize_with = "lenient::flag")]
    pub presence: bool,
    /// Send what was published since.
    #[serde(deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    pub resume: Option<Resume>,
    /// Send what comes together as one message: an array of frames. No older client asks for it, so
    /// it is true or false, and not whatever JavaScript takes for that.
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    pub batch: bool,
}

/// How far in a channel a client has read.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Resume {
    /// The life of the numbering, from the answer to its last join.
    pub epoch: String,
    /// The last number it has seen in that life.
    pub seq: u64,
}

/// Why what a client has missed cannot be sent.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ResumeRefusal {
    /// The channel's numbering has started anew.
    EpochChanged,
    /// Some of it is no longer kept.
    HistoryTooShort,
    /// The client claims to have read what was never published.
    PositionUnknown,
}

/// The payload of the server's answer to a join.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JoinAck<S> {
    /// The session's own public id.
    #[serde(rename = "socketId")]
    pub session_id: S,
    /// Names the life of the channel's numbering: when it changes, `seq` starts anew.
    pub epoch: S,
    /// The number of the last publication before this join.
    pub seq: u64,
    /// How many publications the channel keeps.
    pub history: u32,
    /// Whether the channel tells who is here.
    pub presence: bool,
    /// Whether all that was missed follows, where that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resumed: Option<bool>,
    /// Why it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<ResumeRefusal>,
    /// What this server can do beyond the first version of the protocol.
    pub features: Vec<S>,
    /// The server's ping interval in milliseconds: silence for twice as long means a dead line.
    pub ping_interval: u32,
}

/// The payload of an ack: the place that the message has got.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct AckPayload<S> {
    /// The publication's id.
    pub id: S,
    /// Its number as its sender counts; private messages have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// Its time, in milliseconds since 1970.
    pub ts: u64,
}
