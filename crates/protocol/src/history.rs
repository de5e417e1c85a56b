//! The payload of a history message.

use serde::{Deserialize, Serialize};

/// Which part of a channel's history a client asks for.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct HistoryRequest {
    /// Only publications with a smaller number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
    /// The most to send.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// A channel's kept publications, oldest first; each entry `E` is a whole message frame.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct HistoryPayload<E> {
    /// The publications.
    pub history: Vec<E>,
    /// Whether there are older ones, where a part was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub more: Option<bool>,
}
