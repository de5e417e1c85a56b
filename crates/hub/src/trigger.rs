//! Rules that somebody outside is asked by before something happens in a channel, and their answers.

use protocol::{ClientInfo, RawPayload, RowId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::session::{Member, SessionKey};

/// A rule: before this happens in the channels of a row, ask that address.
#[derive(Clone, Debug)]
pub struct Trigger {
    /// Identifies it, and gives it its place: triggers of one row are asked by ascending id.
    pub id: u64,
    /// The [row](crate::ChannelSettings::id) whose channels it is for.
    pub channel_id: u64,
    /// For people.
    pub name: String,
    /// Whether it is asked at all.
    pub active: bool,
    /// Before what.
    pub actions: TriggerActions,
    /// Whom it asks.
    pub url: String,
    /// Proves to whom it asks that it is this server that does.
    pub secret: Secret,
}

/// Before what a trigger is asked.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct TriggerActions {
    /// Before a session joins.
    pub join: bool,
    /// Before a message is sent, be it public or private.
    pub message: bool,
}

/// What a trigger can be asked before.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TriggerAction {
    /// A join.
    Join,
    /// A message.
    Message,
}

/// A key that is nobody's business: it is not shown by `Debug`.
#[derive(Clone, Eq, PartialEq)]
pub struct Secret(Box<[u8]>);

/// One question to one trigger. An answer to a session that has gone changes nothing.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct CallId {
    pub(crate) session: SessionKey,
    pub(crate) number: u64,
}

/// Why there is no answer to a call.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum CallError {
    /// Whom it asked did not answer as it should. If it said something that its question's sender
    /// may read, this is it.
    Failed(Option<String>),
    /// More waits than may.
    Overloaded,
}

/// What a trigger's answer says.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// It must not happen.
    Refuse,
    /// It may, as it is.
    Keep,
    /// It may, with this payload.
    Replace(Box<RawPayload>),
}

/// What a trigger is told; the fields are Xano's, and `socketId` and `id`.
#[derive(Debug, Serialize)]
pub(crate) struct TriggerInput<'a, P> {
    pub(crate) action: TriggerAction,
    pub(crate) channel: &'a str,
    pub(crate) client: TriggerClient,
    pub(crate) options: TriggerOptions<'a>,
    pub(crate) payload: P,
}

/// Who wants to do it.
#[derive(Debug, Serialize)]
pub(crate) struct TriggerClient {
    extras: Box<RawValue>,
    permissions: TextPermissions,
    #[serde(rename = "socketId")]
    session_id: String,
}

#[derive(Debug, Serialize)]
struct TextPermissions {
    dbo_id: u64,
    row_id: String,
}

/// To whom a message is to go, and what its sender calls it.
#[derive(Debug, Serialize)]
pub(crate) struct TriggerOptions<'a> {
    pub(crate) authenticated: bool,
    pub(crate) channel: &'a str,
    #[serde(rename = "socketId", skip_serializing_if = "Option::is_none")]
    pub(crate) session_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<&'a str>,
}

impl Trigger {
    /// Whether it is asked before `action`.
    pub const fn is_for(&self, action: TriggerAction) -> bool {
        self.active
            && match action {
                TriggerAction::Join => self.actions.join,
                TriggerAction::Message => self.actions.message,
            }
    }
}

impl Secret {
    /// Keeps `bytes`.
    pub fn new(bytes: impl Into<Box<[u8]>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes, for whoever signs with them.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

impl Verdict {
    /// Reads an answer: JSON, or nothing at all.
    pub(crate) fn parse(answer: &[u8]) -> Result<Self, CallError> {
        if answer.trim_ascii().is_empty() {
            return Ok(Self::Keep);
        }
        let payload: Box<RawPayload> =
            serde_json::from_slice(answer).map_err(|_| CallError::Failed(None))?;
        Ok(match payload.get() {
            "false" => Self::Refuse,
            "null" => Self::Keep,
            _ => Self::Replace(payload),
        })
    }
}

impl CallError {
    /// What a trigger said, as it may be shown to who caused the call: one short line.
    pub(crate) fn words(message: &str) -> Option<String> {
        let visible = |c: char| if c.is_control() { ' ' } else { c };
        let words: String = message.chars().map(visible).collect();
        let words: String = words.trim().chars().take(MAX_WORDS).collect();
        (!words.is_empty()).then_some(words)
    }
}

impl TriggerClient {
    pub(crate) fn new(member: &Member) -> Self {
        let ClientInfo { session_id, extras, permissions } =
            serde_json::from_str::<ClientInfo<Box<RawValue>>>(member.info.get())
                .expect("a member's info was made from this type");
        let row_id = match permissions.row_id {
            RowId::Number(number) => number.to_string(),
            RowId::Text(text) => text,
        };
        let permissions = TextPermissions { dbo_id: permissions.dbo_id, row_id };
        Self { extras, permissions, session_id }
    }
}

impl<'a> TriggerOptions<'a> {
    pub(crate) const fn new(channel: &'a str) -> Self {
        Self { authenticated: false, channel, session_id: None, id: None }
    }
}

/// The input as the body of a request.
pub(crate) fn body(input: &TriggerInput<'_, impl Serialize>) -> Vec<u8> {
    serde_json::to_vec(input).expect("the input has only string keys")
}

/// The most characters of what a trigger says that are passed on.
const MAX_WORDS: usize = 300;
