//! Frames: the envelope both sides share, and what goes into it.

use serde::{Deserialize, Serialize};

/// What a frame asks for or tells.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
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
    pub const ALL: [Self; 11] = [
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
pub struct ClientOptions<S> {
    /// Send to authenticated members only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authenticated: Option<bool>,
    /// The channel acted on.
    pub channel: Option<S>,
    /// Send to this session only.
    #[serde(rename = "socketId", skip_serializing_if = "Option::is_none")]
    pub session_id: Option<S>,
}

/// The payload of a client's join.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct JoinRequest {
    /// Send the kept publications.
    pub history: bool,
    /// Send who is here, and keep telling.
    pub presence: bool,
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
    /// What this server can do beyond the first version of the protocol.
    pub features: Vec<S>,
    /// The server's ping interval in milliseconds: silence for twice as long means a dead line.
    pub ping_interval: u32,
}
