//! The access tokens that were given out, by their digests.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use rusqlite::{OptionalExtension, Row, params};
use serde::Serialize;
use subtle::ConstantTimeEq;

use super::{Store, StoreError};
use crate::auth::{AccessDigest, Scope};

/// What is known of an access token. Times are in UTC: `2026-01-31T12:00:00Z`.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct AccessToken {
    /// By which it is revoked.
    pub id: u64,
    /// For people.
    pub name: String,
    /// What it allows.
    pub scopes: BTreeSet<Scope>,
    /// When it was made.
    pub created_at: String,
    /// When it was last used, five minutes more or less.
    pub last_used_at: Option<String>,
    /// From when on it is refused.
    pub expires_at: Option<String>,
}

/// What a token allows now.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Access {
    /// These.
    Scopes(BTreeSet<Scope>),
    /// Nothing any more: its time is over.
    Expired,
}

/// An access token to make.
#[derive(Clone, Debug)]
pub struct NewAccessToken {
    /// For people.
    pub name: String,
    /// What it shall allow.
    pub scopes: BTreeSet<Scope>,
    /// For how long, if not until it is revoked.
    pub lifetime: Option<Duration>,
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
    /// It would end at once, or never.
    #[error("a lifetime is 1 second to 100 years")]
    Lifetime,
    /// There are too many.
    #[error("there are {MAX_TOKENS} access tokens, and no more are allowed; revoke some first")]
    TooMany,
    /// It cannot be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A token as the look-up by its digest finds it; times are seconds since 1970.
struct Found {
    id: u64,
    scopes: String,
    used: Option<u64>,
    end: Option<u64>,
    digest: Vec<u8>,
}

impl Store {
    /// Keeps a new token by its digest.
    pub fn add_access_token(
        &self,
        new: NewAccessToken,
        digest: &AccessDigest,
        now: SystemTime,
    ) -> Result<AccessToken, AccessTokenError> {
        let NewAccessToken { name, scopes, lifetime } = new;
        let length = name.chars().count();
        if !(1..=MAX_NAME).contains(&length) || name.chars().any(char::is_control) {
            return Err(AccessTokenError::Name);
        }
        if scopes.is_empty() {
            return Err(AccessTokenError::NoScope);
        }
        let lifetime = lifetime.map(|lifetime| lifetime.as_secs());
        if lifetime.is_some_and(|seconds| !(1..=MAX_LIFETIME).contains(&seconds)) {
            return Err(AccessTokenError::Lifetime);
        }
        let now = seconds(now);
        let end = lifetime.map(|lifetime| now + lifetime);
        let words: Vec<_> = scopes.iter().map(|scope| scope.word()).collect();
        self.insert_access_token(params![
            digest.as_bytes(),
            name,
            words.join(" "),
            now,
            end,
            MAX_TOKENS
        ])?
        .ok_or(AccessTokenError::TooMany)
    }

    fn insert_access_token(
        &self,
        values: &[&dyn rusqlite::ToSql],
    ) -> Result<Option<AccessToken>, StoreError> {
        let connection = self.connection();
        // One statement, since another process may add one at the same time.
        let added = connection.execute(
            "INSERT INTO access_token (digest, name, scopes, created_at, expires_at)
             SELECT ?1, ?2, ?3, ?4, ?5 WHERE (SELECT count(*) FROM access_token) < ?6",
            values,
        )?;
        if added == 0 {
            return Ok(None);
        }
        let id = connection.last_insert_rowid();
        Ok(Some(connection.query_row(&format!("{SELECT} WHERE id = ?1"), [id], read)?))
    }

    /// All tokens that were not revoked, by id.
    pub fn access_tokens(&self) -> Result<Vec<AccessToken>, StoreError> {
        let connection = self.connection();
        let mut statement = connection.prepare_cached(&format!("{SELECT} ORDER BY id"))?;
        let rows = statement.query_map([], read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// What the token with this digest allows; notes that it is used, if it has not expired.
    pub fn use_access_token(
        &self,
        digest: &AccessDigest,
        now: SystemTime,
    ) -> Result<Option<Access>, StoreError> {
        let now = seconds(now);
        let connection = self.connection();
        let mut statement = connection.prepare_cached(
            "SELECT id, scopes, last_used_at, expires_at, digest FROM access_token WHERE digest = ?1",
        )?;
        let found = statement.query_row([digest.as_bytes()], Found::read).optional()?;
        // What the index found is compared once more, in a time that tells nothing.
        let is_it = |found: &Found| bool::from(found.digest.ct_eq(digest.as_bytes()));
        let Some(found) = found.filter(is_it) else { return Ok(None) };
        if found.end.is_some_and(|end| end <= now) {
            return Ok(Some(Access::Expired));
        }
        if found.used.is_none_or(|used| now >= used + NOTE_EVERY) {
            let note = "UPDATE access_token SET last_used_at = ?1 WHERE id = ?2";
            if let Err(error) = connection.execute(note, params![now, found.id]) {
                // A full disk shall not keep out who may come in.
                tracing::warn!(%error, token.id = found.id, "the use of an access token could not be noted");
            }
        }
        Ok(Some(Access::Scopes(parse_scopes(&found.scopes))))
    }

    /// Revokes a token; whether there was one.
    pub fn delete_access_token(&self, id: u64) -> Result<bool, StoreError> {
        Ok(self.connection().execute("DELETE FROM access_token WHERE id = ?1", [id])? > 0)
    }
}

impl Found {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            scopes: row.get(1)?,
            used: row.get(2)?,
            end: row.get(3)?,
            digest: row.get(4)?,
        })
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<AccessToken> {
    let scopes: String = row.get(2)?;
    Ok(AccessToken {
        id: row.get(0)?,
        name: row.get(1)?,
        scopes: parse_scopes(&scopes),
        created_at: row.get(3)?,
        last_used_at: row.get(4)?,
        expires_at: row.get(5)?,
    })
}

fn parse_scopes(words: &str) -> BTreeSet<Scope> {
    let known = [Scope::Read, Scope::Update, Scope::Publish];
    known.into_iter().filter(|scope| words.split(' ').any(|word| word == scope.word())).collect()
}

pub(super) fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

const SELECT: &str = "SELECT id, name, scopes,
    strftime('%Y-%m-%dT%H:%M:%SZ', created_at, 'unixepoch'),
    strftime('%Y-%m-%dT%H:%M:%SZ', last_used_at, 'unixepoch'),
    strftime('%Y-%m-%dT%H:%M:%SZ', expires_at, 'unixepoch')
    FROM access_token";
/// The most tokens there may be.
const MAX_TOKENS: u32 = 1_000;
/// The most characters a name may have.
const MAX_NAME: usize = 100;
/// The longest lifetime, in seconds: 100 years.
const MAX_LIFETIME: u64 = 100 * 365 * 86_400;
/// How often it is noted that a token is in use, in seconds: not with every request.
const NOTE_EVERY: u64 = 300;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::AccessSecret;

    fn new(name: &str, scopes: &[Scope]) -> NewAccessToken {
        let scopes = scopes.iter().copied().collect();
        NewAccessToken { name: name.to_owned(), scopes, lifetime: None }
    }

    fn digest() -> AccessDigest {
        AccessSecret::generate().expect("there is randomness").digest()
    }

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn a_token_is_found_by_its_digest_until_it_is_revoked() {
        let store = Store::in_memory();
        let (ci, backup) = (digest(), digest());
        let scopes = [Scope::Publish, Scope::Read];
        let added =
            store.add_access_token(new("ci", &scopes), &ci, at(1)).expect("it can be added");
        assert_eq!(added.created_at, "1970-01-01T00:00:01Z");
        store.add_access_token(new("backup", &[Scope::Read]), &backup, at(2)).expect("another too");
        let found = store.use_access_token(&ci, at(3)).expect("it can be looked up");
        assert_eq!(found, Some(Access::Scopes(scopes.into())));
        assert_eq!(store.use_access_token(&digest(), at(3)).expect("looked up"), None);
        let listed = store.access_tokens().expect("they can be listed");
        assert_eq!(listed.iter().map(|token| &*token.name).collect::<Vec<_>>(), ["ci", "backup"]);
        assert!(store.delete_access_token(added.id).expect("it can be revoked"));
        assert!(!store.delete_access_token(added.id).expect("it is gone"));
        assert_eq!(store.use_access_token(&ci, at(4)).expect("looked up"), None);
    }

    #[test]
    fn use_is_noted_now_and_then_and_never_after_the_end() {
        let store = Store::in_memory();
        let ci = digest();
        let lifetime = Some(Duration::from_secs(999));
        let new = NewAccessToken { lifetime, ..new("ci", &[Scope::Publish]) };
        let added = store.add_access_token(new, &ci, at(1)).expect("it can be added");
        assert_eq!(added.expires_at.as_deref(), Some("1970-01-01T00:16:40Z"));
        let times =
            [(10, "00:10"), (20, "00:10"), (309, "00:10"), (310, "05:10"), (1_000, "05:10")];
        for (seconds, noted) in times {
            let access = store.use_access_token(&ci, at(seconds)).expect("looked up");
            assert_eq!(access == Some(Access::Expired), seconds == 1_000);
            let used = store.access_tokens().expect("they can be listed").remove(0).last_used_at;
            assert_eq!(used, Some(format!("1970-01-01T00:{noted}Z")), "at {seconds}");
        }
    }

    #[test]
    fn what_is_no_token_is_not_kept() {
        let store = Store::in_memory();
        let add = |new| store.add_access_token(new, &digest(), at(5));
        for name in ["", "a\n", &"a".repeat(101)] {
            assert!(matches!(add(new(name, &[Scope::Read])), Err(AccessTokenError::Name)));
        }
        assert!(matches!(add(new("ci", &[])), Err(AccessTokenError::NoScope)));
        for seconds in [0, MAX_LIFETIME + 1, u64::MAX] {
            let lifetime = Some(Duration::from_secs(seconds));
            let new = NewAccessToken { lifetime, ..new("ci", &[Scope::Read]) };
            assert!(matches!(add(new), Err(AccessTokenError::Lifetime)));
        }
        for _ in 0..MAX_TOKENS {
            add(new("ä".repeat(100).as_str(), &[Scope::Read])).expect("there is room");
        }
        assert!(matches!(add(new("ci", &[Scope::Read])), Err(AccessTokenError::TooMany)));
    }
}
