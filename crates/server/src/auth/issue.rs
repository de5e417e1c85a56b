//! The tokens that this server signs.

use std::time::{SystemTime, UNIX_EPOCH};

use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use protocol::{Permissions, RowId};
use serde::Serialize;
use serde_json::value::RawValue;

use super::{Extras, SigningKey, crypto};

/// Why a token cannot be signed.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// There is no randomness.
    #[error("the operating system gives no random bytes")]
    Randomness(#[source] getrandom::Error),
    /// The time it shall end at is before 1970.
    #[error("the token would end before 1970")]
    Time,
    /// The token cannot be encoded.
    #[error("the token cannot be signed")]
    Encoding(#[source] jsonwebtoken::errors::Error),
}

/// What a token of this server says.
#[derive(Serialize)]
struct OwnClaims<'a> {
    dbo_id: u64,
    row_id: &'a RowId,
    extras: &'a RawValue,
    exp: u64,
    jti: String,
}

impl SigningKey {
    /// A token that names this record, with these extras, until `expires`.
    pub fn issue(
        &self,
        permissions: &Permissions,
        extras: &Extras,
        expires: SystemTime,
    ) -> Result<String, IssueError> {
        crypto::install();
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(IssueError::Randomness)?;
        let claims = OwnClaims {
            dbo_id: permissions.dbo_id,
            row_id: &permissions.row_id,
            extras: extras.as_raw(),
            exp: expires.duration_since(UNIX_EPOCH).map_err(|_| IssueError::Time)?.as_secs(),
            jti: BASE64URL_NOPAD.encode(&id),
        };
        let key = EncodingKey::from_secret(self.as_bytes());
        let header = Header { kid: Some(self.id()), ..Header::new(Algorithm::HS256) };
        encode(&header, &claims, &key).map_err(IssueError::Encoding)
    }
}
