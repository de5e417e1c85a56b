//! What the server signs its own tokens with.

use std::time::SystemTime;

use rusqlite::{Connection, Row, TransactionBehavior, params};
use serde::Serialize;

use super::access_tokens::seconds;
use super::{Store, StoreError};
use crate::auth::{OwnKeys, SigningKey};

/// What may be known of a signing key. Times are in UTC: `2026-01-31T12:00:00Z`.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct SigningKeyRow {
    /// By which it is removed.
    pub id: u64,
    /// What the tokens that it has signed call it.
    pub kid: String,
    /// Since when it signs.
    pub created_at: String,
    /// Since when another signs; nothing for the one that does.
    pub retired_at: Option<String>,
}

/// Why the signing keys stay as they are.
#[derive(Debug, thiserror::Error)]
pub enum SigningKeyError {
    /// There are too many.
    #[error("there are {MAX_KEYS} signing keys, and no more are allowed; remove some first")]
    TooMany,
    /// It is in use.
    #[error(
        "this key signs the tokens that are given out now; make a new one first (POST …/key), then remove it"
    )]
    Signs,
    /// There is none.
    #[error("there is no signing key with this id")]
    Missing,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// The keys themselves; `None` if there are none yet. The newest signs.
    pub fn own_keys(&self) -> Result<Option<OwnKeys>, StoreError> {
        let mut keys = select(&self.connection())?.into_iter().map(|(_, key)| key).rev();
        Ok(keys.next().map(|signs| OwnKeys { signs, retired: keys.collect() }))
    }

    /// What may be known of them, by id.
    pub fn signing_keys(&self) -> Result<Vec<SigningKeyRow>, StoreError> {
        Ok(select(&self.connection())?.into_iter().map(|(row, _)| row).collect())
    }

    /// Keeps the first key there is, made at this time; does nothing where there is one already,
    /// maybe since another program was faster.
    pub(super) fn add_first_key(
        &self,
        key: &SigningKey,
        made: SystemTime,
    ) -> Result<(), StoreError> {
        self.connection().execute(
            "INSERT INTO signing_key (secret, created_at)
             SELECT ?1, ?2 WHERE NOT EXISTS (SELECT * FROM signing_key)",
            params![key.as_bytes(), seconds(made)],
        )?;
        Ok(())
    }

    /// Keeps a key that signs from now on. Those there were still verify.
    pub fn add_signing_key(
        &self,
        key: &SigningKey,
        now: SystemTime,
    ) -> Result<SigningKeyRow, SigningKeyError> {
        let now = seconds(now);
        let mut connection = self.connection();
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(StoreError::from)?;
        let mut rows = select(&transaction)?;
        if rows.len() >= MAX_KEYS {
            return Err(SigningKeyError::TooMany);
        }
        let change = || {
            let retire = "UPDATE signing_key SET retired_at = ?1 WHERE retired_at IS NULL";
            transaction.execute(retire, [now])?;
            let insert = "INSERT INTO signing_key (secret, created_at) VALUES (?1, ?2)";
            transaction.execute(insert, params![key.as_bytes(), now])
        };
        change().map_err(StoreError::from)?;
        rows = select(&transaction)?;
        transaction.commit().map_err(StoreError::from)?;
        rows.pop().map(|(row, _)| row).ok_or(SigningKeyError::Missing)
    }

    /// Removes a key that signs no more: its tokens are good no longer.
    pub fn delete_signing_key(&self, id: u64) -> Result<(), SigningKeyError> {
        let connection = self.connection();
        // One statement, since another process may make a key at the same time.
        let delete =
            "DELETE FROM signing_key WHERE id = ?1 AND id < (SELECT max(id) FROM signing_key)";
        if connection.execute(delete, [id]).map_err(StoreError::from)? > 0 {
            return Ok(());
        }
        let is_there = select(&connection)?.iter().any(|(row, _)| row.id == id);
        Err(if is_there { SigningKeyError::Signs } else { SigningKeyError::Missing })
    }
}

/// By id, so that the newest is the last.
fn select(connection: &Connection) -> Result<Vec<(SigningKeyRow, SigningKey)>, StoreError> {
    let mut statement = connection.prepare_cached(SELECT)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, read(row)?)))?;
    rows.map(|row| {
        let (id, key) = row?;
        key.ok_or(StoreError::DamagedKey { id })
    })
    .collect()
}

fn read(row: &Row<'_>) -> rusqlite::Result<Option<(SigningKeyRow, SigningKey)>> {
    let secret: Vec<u8> = row.get(1)?;
    let Ok(key) = secret.try_into().map(SigningKey::from_random) else { return Ok(None) };
    let (kid, created_at, retired_at) = (key.id(), row.get(2)?, row.get(3)?);
    Ok(Some((SigningKeyRow { id: row.get(0)?, kid, created_at, retired_at }, key)))
}

const SELECT: &str = "SELECT id, secret,
    strftime('%Y-%m-%dT%H:%M:%SZ', created_at, 'unixepoch'),
    strftime('%Y-%m-%dT%H:%M:%SZ', retired_at, 'unixepoch')
    FROM signing_key ORDER BY id";
/// The most keys there may be: a token that names none is tried with all of them.
const MAX_KEYS: usize = 16;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn key(byte: u8) -> SigningKey {
        SigningKey::from_random([byte; 32])
    }

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    /// A store with these keys, made at the seconds 1, 2, 3 and so on.
    fn with_keys(count: u8) -> Store {
        let store = Store::in_memory();
        store.add_first_key(&key(1), at(1)).expect("it can be added");
        for byte in 2..=count {
            store.add_signing_key(&key(byte), at(byte.into())).expect("it can be added");
        }
        store
    }

    /// The ids of the key that signs and of the retired ones.
    fn ids(store: &Store) -> Vec<String> {
        let OwnKeys { signs, retired } = store.own_keys().expect("read").expect("there are some");
        [signs].iter().chain(&retired).map(SigningKey::id).collect()
    }

    #[test]
    fn the_newest_key_signs_and_the_others_say_since_when_they_do_not() {
        let store = with_keys(3);
        assert_eq!(ids(&store), [key(3).id(), key(2).id(), key(1).id()]);
        let row = |id: u8, retired_at: Option<&str>| SigningKeyRow {
            id: id.into(),
            kid: key(id).id(),
            created_at: format!("1970-01-01T00:00:0{id}Z"),
            retired_at: retired_at.map(|second| format!("1970-01-01T00:00:{second}Z")),
        };
        let expected = [row(1, Some("02")), row(2, Some("03")), row(3, None)];
        assert_eq!(store.signing_keys().expect("they can be listed"), expected);
    }

    #[test]
    fn there_is_a_first_key_once() {
        let store = with_keys(1);
        store.add_first_key(&key(9), at(9)).expect("nothing happens");
        assert_eq!(ids(&store), [key(1).id()]);
        assert!(Store::in_memory().own_keys().expect("it can be read").is_none());
    }

    #[test]
    fn the_key_that_signs_cannot_be_removed() {
        let store = with_keys(2);
        assert!(matches!(store.delete_signing_key(2), Err(SigningKeyError::Signs)));
        store.delete_signing_key(1).expect("the retired one can go");
        assert!(matches!(store.delete_signing_key(1), Err(SigningKeyError::Missing)));
        assert!(matches!(store.delete_signing_key(2), Err(SigningKeyError::Signs)));
        assert_eq!(ids(&store), [key(2).id()]);
        let next = store.add_signing_key(&key(3), at(3)).expect("it can be added");
        assert_eq!((next.id, next.retired_at), (3, None));
    }

    #[test]
    fn there_are_not_more_keys_than_a_token_may_be_tried_with() {
        let store = with_keys(16);
        let one_more = || store.add_signing_key(&key(17), at(17));
        assert!(matches!(one_more(), Err(SigningKeyError::TooMany)));
        let before = ids(&store);
        store.delete_signing_key(4).expect("a retired one can go");
        assert!(before.iter().filter(|id| !ids(&store).contains(id)).eq([&key(4).id()]));
        assert!(one_more().is_ok());
    }

    #[test]
    fn a_key_that_is_none_is_told() {
        let store = with_keys(1);
        store.connection().execute("UPDATE signing_key SET secret = x'00'", []).expect("changed");
        assert!(matches!(store.own_keys(), Err(StoreError::DamagedKey { id: 1 })));
    }
}
