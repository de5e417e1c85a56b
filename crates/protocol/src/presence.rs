//! Presence payloads: the full list once, then updates.

use serde::{Deserialize, Serialize};

/// Who is in a channel; each entry `C` is a [`ClientInfo`](crate::ClientInfo).
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct PresenceFull<C> {
    /// Every member, the reader included.
    pub presence: Vec<C>,
}

/// One member came or went.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct PresenceUpdate<C> {
    /// Which of the two.
    pub action: PresenceAction,
    /// Who.
    pub presence: C,
}

/// What a presence update tells.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PresenceAction {
    /// A member came.
    Join,
    /// A member went.
    Leave,
}
