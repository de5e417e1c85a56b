//! What an administrator changes while the server runs, in one SQLite file.

use std::cmp::Ordering;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use hub::ChannelSettings;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use serde::Serialize;

use super::triggers::delete_orphans;

/// The settings' database. Calls block for as long as the disk takes.
#[derive(Debug)]
pub struct Store {
    connection: Mutex<Connection>,
}

/// The settings of the workspace's realtime, as the Metadata API shows them.
#[derive(Clone, Debug, Serialize)]
pub struct Realtime {
    /// Whether clients may connect.
    pub enabled: bool,
    /// Under which hash.
    pub hash: String,
    /// The declared channels, by id.
    pub channels: Vec<ChannelSettings>,
}

/// Why the store could not do something.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file cannot be opened, or is no database of ours.
    #[error("cannot use the settings in {}", path.display())]
    Open {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// The file was written by a later version.
    #[error("{} was written by a newer version of this server (schema {found}, this one knows {})", path.display(), MIGRATIONS.len())]
    Newer {
        /// Which file.
        path: PathBuf,
        /// The schema it has.
        found: usize,
    },
    /// The file was written by an earlier version, which may still use it.
    #[error("{} was written by an earlier version of this server (schema {found}, this one knows {}); a server of this version brings it up to date when it starts: start it once", path.display(), MIGRATIONS.len())]
    Older {
        /// Which file.
        path: PathBuf,
        /// The schema it has.
        found: usize,
    },
    /// A statement failed.
    #[error("the settings cannot be read or written")]
    Statement(#[from] rusqlite::Error),
    /// A row of ours holds something else.
    #[error("channel {id} in the settings is damaged")]
    Damaged {
        /// The row.
        id: u64,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A signing key of ours holds something else.
    #[error("signing key {id} in the settings is damaged")]
    DamagedKey {
        /// The key.
        id: u64,
    },
    /// A trigger of ours holds something else.
    #[error("trigger {id} in the settings is damaged")]
    DamagedTrigger {
        /// The trigger.
        id: u64,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

impl Store {
    /// Opens the file, and creates it, with realtime switched off under `hash`, if it is not there.
    pub fn open(path: &Path, hash: &str) -> Result<Self, StoreError> {
        let failed = |source| StoreError::Open { path: path.to_owned(), source };
        let mut connection = Connection::open(path).map_err(failed)?;
        connection.pragma_update(None, "journal_mode", "wal").map_err(failed)?;
        connection.pragma_update(None, "synchronous", "full").map_err(failed)?;
        // From here on no other program can bring the schema further.
        let transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        let found = schema(&transaction).map_err(failed)?;
        if found > MIGRATIONS.len() {
            return Err(StoreError::Newer { path: path.to_owned(), found });
        }
        for migration in &MIGRATIONS[found..] {
            transaction.execute_batch(migration).map_err(failed)?;
        }
        transaction.pragma_update(None, "user_version", MIGRATIONS.len()).map_err(failed)?;
        transaction
            .execute(
                "INSERT OR IGNORE INTO realtime (id, enabled, hash) VALUES (1, FALSE, ?1)",
                [hash],
            )
            .map_err(failed)?;
        transaction.commit().map_err(failed)?;
        Ok(Self { connection: Mutex::new(connection) })
    }

    /// Opens the file that a server of this version uses, beside that server. It is brought no
    /// further: an earlier version that still runs could not start with it again.
    pub fn open_beside(path: &Path) -> Result<Self, StoreError> {
        let failed = |source| StoreError::Open { path: path.to_owned(), source };
        let connection = Connection::open(path).map_err(failed)?;
        let found = schema(&connection).map_err(failed)?;
        match found.cmp(&MIGRATIONS.len()) {
            Ordering::Less => Err(StoreError::Older { path: path.to_owned(), found }),
            Ordering::Greater => Err(StoreError::Newer { path: path.to_owned(), found }),
            Ordering::Equal => {
                connection.pragma_update(None, "synchronous", "full").map_err(failed)?;
                Ok(Self { connection: Mutex::new(connection) })
            }
        }
    }

    /// A store that ends with what holds it.
    #[cfg(test)]
    pub(crate) fn in_memory() -> Self {
        Self::open(Path::new(":memory:"), "hash").expect("memory needs no disk")
    }

    /// All settings.
    pub fn realtime(&self) -> Result<Realtime, StoreError> {
        read(&self.connection())
    }

    /// Replaces all settings. Channels with id 0 are new and get one; triggers stay with those that
    /// stay.
    pub fn replace(&self, realtime: &Realtime) -> Result<Realtime, StoreError> {
        let mut connection = self.connection();
        let transaction = connection.transaction()?;
        transaction.execute(
            "UPDATE realtime SET enabled = ?1, hash = ?2",
            params![realtime.enabled, realtime.hash],
        )?;
        transaction.execute("DELETE FROM channel", [])?;
        for channel in &realtime.channels {
            insert(&transaction, channel)?;
        }
        delete_orphans(&transaction)?;
        let replaced = read(&transaction)?;
        transaction.commit()?;
        Ok(replaced)
    }

    /// The channel with this id.
    pub fn channel(&self, id: u64) -> Result<Option<ChannelSettings>, StoreError> {
        let row = self
            .connection()
            .query_row("SELECT id, settings FROM channel WHERE id = ?1", [id], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()?;
        row.map(parse).transpose()
    }

    /// Adds a channel, or with an id that is taken replaces that one; the channel with its id.
    pub fn put_channel(&self, channel: &ChannelSettings) -> Result<ChannelSettings, StoreError> {
        let id = insert(&self.connection(), channel)?;
        Ok(ChannelSettings { id, ..channel.clone() })
    }

    /// Removes a channel and its triggers; whether there was one.
    pub fn delete_channel(&self, id: u64) -> Result<bool, StoreError> {
        let mut connection = self.connection();
        let transaction = connection.transaction()?;
        let deleted = transaction.execute("DELETE FROM channel WHERE id = ?1", [id])? > 0;
        delete_orphans(&transaction)?;
        transaction.commit()?;
        Ok(deleted)
    }

    pub(super) fn connection(&self) -> MutexGuard<'_, Connection> {
        // What a panic has interrupted was rolled back.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How far the schema was brought.
fn schema(connection: &Connection) -> rusqlite::Result<usize> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

pub(super) fn read(connection: &Connection) -> Result<Realtime, StoreError> {
    let (enabled, hash) =
        connection.query_row("SELECT enabled, hash FROM realtime", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    let mut statement =
        connection.prepare_cached("SELECT id, settings FROM channel ORDER BY id")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let channels = rows.map(|row| parse(row?)).collect::<Result<_, _>>()?;
    Ok(Realtime { enabled, hash, channels })
}

/// The id that the channel has then.
fn insert(connection: &Connection, channel: &ChannelSettings) -> Result<u64, StoreError> {
    let id = (channel.id != 0).then_some(channel.id);
    let settings = serde_json::to_string(channel)
        .map_err(|source| StoreError::Damaged { id: channel.id, source })?;
    connection.execute(
        "INSERT OR REPLACE INTO channel (id, settings) VALUES (?1, ?2)",
        params![id, settings],
    )?;
    Ok(connection.last_insert_rowid().unsigned_abs())
}

fn parse((id, settings): (u64, String)) -> Result<ChannelSettings, StoreError> {
    let channel: ChannelSettings =
        serde_json::from_str(&settings).map_err(|source| StoreError::Damaged { id, source })?;
    Ok(ChannelSettings { id, ..channel })
}

/// Each brings the schema from one version to the next; those that were released never change.
const MIGRATIONS: [&str; 5] = ["
    CREATE TABLE realtime (id INTEGER PRIMARY KEY CHECK (id = 1), enabled INTEGER NOT NULL, hash TEXT NOT NULL);
    CREATE TABLE channel (id INTEGER PRIMARY KEY AUTOINCREMENT, settings TEXT NOT NULL);
", "
    CREATE TABLE user (
        id INTEGER PRIMARY KEY AUTOINCREMENT, created_at INTEGER NOT NULL, name TEXT NOT NULL,
        email TEXT NOT NULL, email_key TEXT NOT NULL UNIQUE, password_hash TEXT NOT NULL
    );
", "
    CREATE TABLE trigger (
        id INTEGER PRIMARY KEY AUTOINCREMENT, channel_id INTEGER NOT NULL, created_at TEXT NOT NULL,
        updated_at TEXT NOT NULL, guid TEXT NOT NULL, secret BLOB NOT NULL, settings TEXT NOT NULL
    );
", "
    CREATE TABLE access_token (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        digest BLOB NOT NULL UNIQUE,
        name TEXT NOT NULL,
        scopes TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        last_used_at INTEGER,
        expires_at INTEGER
    );
", "
    CREATE TABLE signing_key (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        secret BLOB NOT NULL UNIQUE,
        created_at INTEGER NOT NULL,
        retired_at INTEGER
    );
"];

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn directory() -> TempDir {
        TempDir::new().expect("a temporary directory can be made")
    }

    fn channel(pattern: &str) -> ChannelSettings {
        ChannelSettings { pattern: pattern.to_owned(), enabled: true, ..ChannelSettings::default() }
    }

    #[test]
    fn settings_are_off_at_first_and_outlive_the_process() {
        let directory = directory();
        let path = directory.path().join("settings.db");
        let store = Store::open(&path, "first").expect("the store opens");
        let realtime = store.realtime().expect("settings can be read");
        assert!(!realtime.enabled && realtime.hash == "first" && realtime.channels.is_empty());
        let added = store.put_channel(&channel("chat/*")).expect("a channel can be added");
        assert_eq!(added.id, 1);
        store
            .replace(&Realtime { enabled: true, ..store.realtime().expect("read") })
            .expect("settings can be written");
        drop(store);
        let store = Store::open(&path, "second").expect("the store opens again");
        let realtime = store.realtime().expect("settings can be read");
        assert_eq!(
            (realtime.enabled, realtime.hash.as_str(), realtime.channels.len()),
            (true, "first", 1)
        );
        assert!(store.settings().expect("settings can be read").channel("chat/*").is_some());
    }

    #[test]
    fn an_id_is_never_given_twice() {
        let store = Store::in_memory();
        let ids = ["a", "b"].map(|pattern| store.put_channel(&channel(pattern)).expect("added").id);
        assert!(
            store.delete_channel(ids[1]).expect("deleted")
                && !store.delete_channel(ids[1]).expect("gone")
        );
        let next = store.put_channel(&channel("c")).expect("added").id;
        assert!(next > ids[1]);
        let changed =
            ChannelSettings { description: "changed".to_owned(), id: next, ..channel("c") };
        assert_eq!(store.put_channel(&changed).expect("replaced").id, next);
        assert_eq!(
            store.channel(next).expect("read").map(|row| row.description).as_deref(),
            Some("changed")
        );
    }

    #[test]
    fn two_programs_that_open_an_old_file_at_once_both_can_use_it() {
        for round in 0..20 {
            let directory = directory();
            let path = directory.path().join("settings.db");
            let old = Connection::open(&path).expect("a database can be made");
            old.pragma_update(None, "journal_mode", "wal").expect("a pragma can be set");
            let together = std::sync::Barrier::new(4);
            std::thread::scope(|scope| {
                let open = || {
                    together.wait();
                    Store::open(&path, "hash").map(drop).map_err(|error| format!("{error:?}"))
                };
                let all: Vec<_> = (0..4).map(|_| scope.spawn(open)).collect();
                for opened in all {
                    assert_eq!(opened.join().expect("nothing panics"), Ok(()), "round {round}");
                }
            });
            drop(old);
        }
    }

    #[test]
    fn what_a_newer_server_wrote_is_left_alone() {
        let directory = directory();
        let path = directory.path().join("settings.db");
        let connection = Connection::open(&path).expect("a database can be made");
        connection.pragma_update(None, "user_version", 99).expect("a pragma can be set");
        drop(connection);
        assert!(matches!(Store::open(&path, "hash"), Err(StoreError::Newer { found: 99, .. })));
        assert!(matches!(Store::open_beside(&path), Err(StoreError::Newer { found: 99, .. })));
    }

    #[test]
    fn only_a_server_brings_an_older_file_up_to_date() {
        let directory = directory();
        let path = directory.path().join("settings.db");
        let old = Connection::open(&path).expect("a database can be made");
        old.execute_batch(MIGRATIONS[0]).expect("the first schema can be made");
        old.pragma_update(None, "user_version", 1).expect("a pragma can be set");
        let refused = Store::open_beside(&path).map(drop);
        assert!(matches!(refused, Err(StoreError::Older { found: 1, .. })), "{refused:?}");
        assert_eq!(schema(&old).expect("it can be read"), 1);
        let server = Store::open(&path, "hash").expect("the store opens");
        let beside = Store::open_beside(&path).expect("now it is up to date");
        server.put_channel(&channel("a")).expect("a channel can be added");
        assert!(beside.channel(1).expect("it can be read").is_some());
    }
}
