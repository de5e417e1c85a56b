//! The access tokens that were given out, by their digests.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use rusqlite::{OptionalExtension, Row, params};
use serde::Serialize;
use subtle::ConstantTimeEq;

use super::{Store, StoreError};
use crate::auth::{AccessDigest, Scope};

/// What is known of an access token; times are milliseconds since 1970.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct AccessToken {
    /// By which it is revoked.
    pub id: u64,
    /// For people.
    pub name: String,
    /// What it allows.
    pub scopes: BTreeSet<Scope>,
    /// When it was made.
    pub created_at: u64,
    /// When it was last used, five minutes more or less.
    pub last_used_at: Option<u64>,
    /// From when on it is refused.
    pub expires_at: Option<u64>,
}

/// An access token to make.
#[derive(Clone, Debug)]
pub struct NewAccessToken {
    /// For people.
    pub name: String,
    /// What it shall allow.
    pub scopes: BTreeSet<Scope>,
    /// Until when.
    pub expires: Option<SystemTime>,
}

/// Why there is no new access token.
#[derive(Debug, thiserror::Error)]
pub enum AccessTokenError {
    /// The name is no name.
    #[error("a name must have 1 to 100 characters, none of them a control character")]
    Name,
    /// It would allow nothing.
    #[error("a token must have at least one of the scopes read, update and publish")]
    NoScope,
    /// It would have expired already.
    #[error("the end must be in the future")]
    Past,
    /// There are too many.
    #[error("there are {MAX_TOKENS} access tokens, and no more are allowed; revoke some first")]
    TooMany,
    /// It cannot be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl AccessToken {
    /// Whether it allows nothing any more.
    pub fn has_expired(&self, now: SystemTime) -> bool {
        self.expires_at.is_some_and(|end| end <= ms(now))
    }
}

impl Store {
    /// Keeps a new token by its digest.
    pub fn add_access_token(
        &self,
        new: NewAccessToken,
        digest: &AccessDigest,
        now: SystemTime,
    ) -> Result<AccessToken, AccessTokenError> {
        let NewAccessToken { name, scopes, expires } = new;
        let length = name.chars().count();
        if !(1..=MAX_NAME).contains(&length) || name.chars().any(char::is_control) {
            return Err(AccessTokenError::Name);
        }
        if scopes.is_empty() {
            return Err(AccessTokenError::NoScope);
        }
        if expires.is_some_and(|expires| expires <= now) {
            return Err(AccessTokenError::Past);
        }
        let (created_at, expires_at) = (ms(now), expires.map(ms));
        let words: Vec<_> = scopes.iter().map(|scope| scope.word()).collect();
        let connection = self.connection();
        // One statement, since another process may add one at the same time.
        let added = connection
            .execute(
                "INSERT INTO access_token (digest, name, scopes, created_at, expires_at)
                 SELECT ?1, ?2, ?3, ?4, ?5 WHERE (SELECT count(*) FROM access_token) < ?6",
                params![
                    digest.as_bytes(),
                    name,
                    words.join(" "),
                    created_at,
                    expires_at,
                    MAX_TOKENS
                ],
            )
            .map_err(StoreError::from)?;
        if added == 0 {
            return Err(AccessTokenError::TooMany);
        }
        let id = connection.last_insert_rowid().unsigned_abs();
        Ok(AccessToken { id, name, scopes, created_at, last_used_at: None, expires_at })
    }

    /// All tokens that were not revoked, by id.
    pub fn access_tokens(&self) -> Result<Vec<AccessToken>, StoreError> {
        let connection = self.connection();
        let mut statement = connection.prepare_cached(
            "SELECT id, name, scopes, created_at, last_used_at, expires_at, digest
             FROM access_token ORDER BY id",
        )?;
        let rows = statement.query_map([], read)?;
        rows.map(|row| Ok(row?.0)).collect()
    }

    /// The token with this digest; notes that it is used, if it has not expired.
    pub fn use_access_token(
        &self,
        digest: &AccessDigest,
        now: SystemTime,
    ) -> Result<Option<AccessToken>, StoreError> {
        let connection = self.connection();
        let mut statement = connection.prepare_cached(
            "SELECT id, name, scopes, created_at, last_used_at, expires_at, digest
             FROM access_token WHERE digest = ?1",
        )?;
        let found = statement.query_row([digest.as_bytes()], read).optional()?;
        // What the index found is compared once more, in a time that tells nothing.
        let is_it = |kept: &[u8]| bool::from(kept.ct_eq(digest.as_bytes()));
        let Some((token, _)) = found.filter(|(_, kept)| is_it(kept)) else { return Ok(None) };
        let noted = token.last_used_at.is_some_and(|at| ms(now) < at + NOTE_EVERY);
        if !noted && !token.has_expired(now) {
            let note = "UPDATE access_token SET last_used_at = ?1 WHERE id = ?2";
            if let Err(error) = connection.execute(note, params![ms(now), token.id]) {
                // A full disk shall not keep out who may come in.
                tracing::warn!(%error, token.id, "the use of an access token could not be noted");
            }
        }
        Ok(Some(token))
    }

    /// Revokes a token; whether there was one.
    pub fn delete_access_token(&self, id: u64) -> Result<bool, StoreError> {
        Ok(self.connection().execute("DELETE FROM access_token WHERE id = ?1", [id])? > 0)
    }
}

/// A row, and its digest.
fn read(row: &Row<'_>) -> rusqlite::Result<(AccessToken, Vec<u8>)> {
    let scopes: String = row.get(2)?;
    let known = [Scope::Read, Scope::Update, Scope::Publish];
    let scopes =
        known.into_iter().filter(|scope| scopes.split(' ').any(|word| word == scope.word()));
    let token = AccessToken {
        id: row.get(0)?,
        name: row.get(1)?,
        scopes: scopes.collect(),
        created_at: row.get(3)?,
        last_used_at: row.get(4)?,
        expires_at: row.get(5)?,
    };
    Ok((token, row.get(6)?))
}

fn ms(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX >> 1).min(u64::MAX >> 1)
}

/// The most tokens there may be.
const MAX_TOKENS: u32 = 1_000;
/// The most characters a name may have.
const MAX_NAME: usize = 100;
/// How often it is noted that a token is in use, in milliseconds: not with every request.
const NOTE_EVERY: u64 = 300_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::AccessSecret;

    fn store(name: &str) -> Store {
        let folder =
            std::env::temp_dir().join(format!("xano-access-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a temporary directory can be made");
        Store::open(&folder.join("settings.db"), "hash").expect("the store opens")
    }

    fn new(name: &str, scopes: &[Scope]) -> NewAccessToken {
        let scopes = scopes.iter().copied().collect();
        NewAccessToken { name: name.to_owned(), scopes, expires: None }
    }

    fn digest() -> AccessDigest {
        AccessSecret::generate().expect("there is randomness").digest()
    }

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn a_token_is_found_by_its_digest_until_it_is_revoked() {
        let store = store("found");
        let (ci, backup) = (digest(), digest());
        let added = store
            .add_access_token(new("ci", &[Scope::Publish, Scope::Read]), &ci, at(1))
            .expect("it can be added");
        store.add_access_token(new("backup", &[Scope::Read]), &backup, at(2)).expect("another too");
        let found = store.use_access_token(&ci, at(3)).expect("it can be looked up");
        assert_eq!(found, Some(added.clone()));
        assert_eq!(store.use_access_token(&digest(), at(3)).expect("looked up"), None);
        let names: Vec<_> = store.access_tokens().expect("they can be listed");
        assert_eq!(names.iter().map(|token| &*token.name).collect::<Vec<_>>(), ["ci", "backup"]);
        assert!(store.delete_access_token(added.id).expect("it can be revoked"));
        assert!(!store.delete_access_token(added.id).expect("it is gone"));
        assert_eq!(store.use_access_token(&ci, at(4)).expect("looked up"), None);
    }

    #[test]
    fn use_is_noted_now_and_then_and_never_after_the_end() {
        let store = store("noted");
        let ci = digest();
        let new = NewAccessToken { expires: Some(at(1_000)), ..new("ci", &[Scope::Publish]) };
        store.add_access_token(new, &ci, at(1)).expect("it can be added");
        for (seconds, noted) in [(10, 10), (20, 10), (309, 10), (310, 310), (1_000, 310)] {
            let token = store.use_access_token(&ci, at(seconds)).expect("looked up");
            assert_eq!(token.map(|token| token.has_expired(at(seconds))), Some(seconds == 1_000));
            let listed = store.access_tokens().expect("they can be listed");
            assert_eq!(listed[0].last_used_at, Some(noted * 1_000), "at {seconds}");
        }
    }

    #[test]
    fn what_is_no_token_is_not_kept() {
        let store = store("refused");
        let add = |new| store.add_access_token(new, &digest(), at(5));
        for name in ["", "a\n", &"a".repeat(101)] {
            assert!(matches!(add(new(name, &[Scope::Read])), Err(AccessTokenError::Name)));
        }
        assert!(matches!(add(new("ci", &[])), Err(AccessTokenError::NoScope)));
        let past = NewAccessToken { expires: Some(at(5)), ..new("ci", &[Scope::Read]) };
        assert!(matches!(add(past), Err(AccessTokenError::Past)));
        for _ in 0..MAX_TOKENS {
            add(new("ä".repeat(100).as_str(), &[Scope::Read])).expect("there is room");
        }
        assert!(matches!(add(new("ci", &[Scope::Read])), Err(AccessTokenError::TooMany)));
    }
}
