//! What one client may know of another.

use serde::{Deserialize, Serialize};

/// A session as other clients see it. `X` holds the extras of its token: any JSON object.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct ClientInfo<X> {
    /// The session's public id, new with every connection.
    #[serde(rename = "socketId")]
    pub session_id: String,
    /// What the token's issuer added about the person; `{}` for anonymous sessions.
    pub extras: X,
    /// Who the session is.
    pub permissions: Permissions,
}

/// Which record of which table a session stands for; zeros mean anonymous.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Permissions {
    /// The authentication table.
    pub dbo_id: u64,
    /// The record in it.
    pub row_id: RowId,
}

/// A record's id: a number where the id is an integer, text where it is not (a UUID, say).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(untagged)]
pub enum RowId {
    /// An integer id.
    Number(u64),
    /// Any other id.
    Text(String),
}

impl RowId {
    /// Names no record.
    pub const NONE: Self = Self::Number(0);
}

impl Permissions {
    /// Nobody in particular.
    pub const ANONYMOUS: Self = Self { dbo_id: 0, row_id: RowId::NONE };
}
