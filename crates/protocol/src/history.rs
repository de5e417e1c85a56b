//! The payload of a history message.

use serde::{Deserialize, Serialize};

/// A channel's kept publications, oldest first; each entry `E` is a whole message frame.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct HistoryPayload<E> {
    /// The publications.
    pub history: Vec<E>,
}
