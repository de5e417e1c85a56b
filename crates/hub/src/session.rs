//! One connection as the decisions see it: who it is, and where it has joined.

use std::sync::Arc;

use data_encoding::BASE64URL_NOPAD;
use protocol::{ClientInfo, Permissions};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::channel::ChannelKey;
use crate::line::Lines;
use crate::rate_limit::Bucket;

/// A session's place on its thread. The generation tells a place's tenants apart, so that an answer
/// to a session that has gone never reaches its successor.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct SessionKey {
    /// The place.
    pub index: u32,
    /// Which tenant of it.
    pub generation: u32,
}

/// A session's public id, 128 random bits; the wire has them as 22 characters of base64url.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct SessionId([u8; 16]);

/// Who a session is, as its token says.
#[derive(Clone, Debug, Default)]
pub enum Identity {
    /// Nobody in particular.
    #[default]
    Anonymous,
    /// A record of an authentication table, with the token's extras as a JSON object.
    Authenticated {
        /// Table and record.
        permissions: Permissions,
        /// The extras, ready to be written into frames.
        extras: Box<RawValue>,
    },
}

/// A session as the members of its channels see it.
#[derive(Debug)]
pub struct Member {
    /// Its public id.
    pub id: SessionId,
    /// Whether it has an identity.
    pub authenticated: bool,
    /// Whom it stands for.
    pub permissions: Permissions,
    /// Its `client` object, ready to be written into frames.
    pub info: Box<RawValue>,
}

/// What the hub keeps for one connection.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) generation: u32,
    pub(crate) member: Arc<Member>,
    /// Sorted: a session may be in a thousand channels.
    memberships: Vec<ChannelKey>,
    /// When something last came from it, in seconds of the shard's own time.
    pub(crate) last_seen: u32,
    /// When its token ends it, in milliseconds since 1970; never, as a rule.
    pub(crate) ends: u64,
    pub(crate) pings_unanswered: u8,
    pub(crate) malformed_in_a_row: u8,
    /// The second by which it must have joined a channel; none once it has.
    pub(crate) join_by: Option<u32>,
    /// What it may still send.
    pub(crate) messages: Bucket,
    /// How often it may still join.
    pub(crate) joins: Bucket,
    /// What waits for triggers.
    pub(crate) lines: Lines,
}

impl SessionId {
    /// The length of its text.
    const TEXT: usize = 22;

    /// An id from 16 bytes that nobody can guess.
    pub const fn from_random(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Reads an id as the wire has it; `None` if it cannot be one.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
        bytes.try_into().ok().map(Self)
    }
}

impl std::fmt::Display for SessionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(BASE64URL_NOPAD.encode_mut_str(&self.0, &mut [0; Self::TEXT]))
    }
}

impl Identity {
    /// Whether this is somebody in particular.
    pub const fn is_authenticated(&self) -> bool {
        matches!(self, Self::Authenticated { .. })
    }
}

impl Member {
    /// The member that a session of this id and identity is in every channel.
    pub fn new(id: SessionId, identity: &Identity) -> Self {
        let nothing;
        let (permissions, extras) = match identity {
            Identity::Anonymous => {
                nothing = to_raw_value(&NoExtras {}).expect("an empty object is JSON");
                (Permissions::ANONYMOUS, &nothing)
            }
            Identity::Authenticated { permissions, extras } => (permissions.clone(), extras),
        };
        let info =
            ClientInfo { session_id: id.to_string(), extras, permissions: permissions.clone() };
        let info = to_raw_value(&info).expect("a client's info has only string keys");
        Self { id, authenticated: identity.is_authenticated(), permissions, info }
    }
}

impl Session {
    pub(crate) fn new(generation: u32, member: Member, now: u32) -> Self {
        Self {
            generation,
            member: Arc::new(member),
            memberships: Vec::new(),
            last_seen: now,
            ends: u64::MAX,
            pings_unanswered: 0,
            malformed_in_a_row: 0,
            join_by: None,
            messages: Bucket::default(),
            joins: Bucket::default(),
            lines: Lines::default(),
        }
    }

    pub(crate) fn is_in(&self, channel: ChannelKey) -> bool {
        self.memberships.binary_search(&channel).is_ok()
    }

    pub(crate) fn join(&mut self, channel: ChannelKey) {
        if let Err(at) = self.memberships.binary_search(&channel) {
            self.memberships.insert(at, channel);
        }
    }

    /// Whether it was in the channel.
    pub(crate) fn leave(&mut self, channel: ChannelKey) -> bool {
        let at = self.memberships.binary_search(&channel);
        at.map(|at| self.memberships.remove(at)).is_ok()
    }

    pub(crate) fn memberships(&self) -> &[ChannelKey] {
        &self.memberships
    }
}

#[derive(Serialize)]
struct NoExtras {}
