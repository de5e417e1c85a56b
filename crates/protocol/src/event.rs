//! What the backend pushes.

use serde::{Deserialize, Serialize};

use crate::RowId;

/// The payload of an event: the data is one level down, beside whom it is for.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct EventPayload<D> {
    /// What was pushed.
    pub data: D,
    /// The authentication table it is for; 0 for everybody in the channel.
    pub dbo_id: u64,
    /// The record in it; 0 for all of the table.
    pub row_id: RowId,
}
