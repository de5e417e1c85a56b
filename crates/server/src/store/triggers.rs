//! Triggers: who is asked before something happens in the channels of a row.

use hub::{Secret, Settings, Trigger, TriggerActions};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};

use super::sqlite::{Store, StoreError, read};

/// A trigger as administrators see it. Its secret is not part of it.
#[derive(Clone, Debug, Serialize)]
pub struct TriggerRow {
    /// Identifies it, and gives it its place among the triggers of a channel.
    pub id: u64,
    /// When it was made, in UTC: `2026-01-31T12:00:00Z`.
    pub created_at: String,
    /// When it was changed last.
    pub updated_at: String,
    /// Identifies it everywhere.
    pub guid: String,
    /// The row of channels that it is for.
    pub channel_id: u64,
    /// What an administrator decides.
    #[serde(flatten)]
    pub settings: TriggerSettings,
}

/// What an administrator decides about a trigger.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct TriggerSettings {
    /// For people.
    pub name: String,
    /// For people.
    pub description: String,
    /// Whether it is asked at all.
    pub active: bool,
    /// For people.
    pub tag: Vec<String>,
    /// Before what it is asked.
    pub actions: TriggerActions,
    /// Whom it asks.
    pub url: String,
}

impl Store {
    /// All settings, ready for look-ups.
    pub fn settings(&self) -> Result<Settings, StoreError> {
        let connection = self.connection();
        let realtime = read(&connection)?;
        if !realtime.enabled {
            return Ok(Settings::default());
        }
        let triggers = select(&connection)?.into_iter().map(|(row, secret)| Trigger {
            id: row.id,
            channel_id: row.channel_id,
            name: row.settings.name,
            active: row.settings.active,
            actions: row.settings.actions,
            url: row.settings.url,
            secret,
        });
        Ok(Settings::new(realtime.hash, realtime.channels).with_triggers(triggers.collect()))
    }

    /// All triggers, by id.
    pub fn triggers(&self) -> Result<Vec<TriggerRow>, StoreError> {
        let triggers = select(&self.connection())?;
        Ok(triggers.into_iter().map(|(row, _)| row).collect())
    }

    /// The trigger with this id.
    pub fn trigger(&self, id: u64) -> Result<Option<TriggerRow>, StoreError> {
        select_one(&self.connection(), id)
    }

    /// Adds a trigger to a row of channels, which must exist.
    pub fn add_trigger(
        &self,
        (channel_id, settings): (u64, &TriggerSettings),
        guid: &str,
        secret: &Secret,
    ) -> Result<Option<TriggerRow>, StoreError> {
        let connection = self.connection();
        connection.execute(
            "INSERT INTO trigger (channel_id, created_at, updated_at, guid, secret, settings)
             VALUES (?1, strftime('%Y-%m-%dT%H:%M:%SZ', 'now'), strftime('%Y-%m-%dT%H:%M:%SZ', 'now'), ?2, ?3, ?4)",
            params![channel_id, guid, secret.expose(), text(0, settings)?],
        )?;
        select_one(&connection, connection.last_insert_rowid().unsigned_abs())
    }

    /// Replaces what an administrator decides; the trigger, if there is one with this id.
    pub fn put_trigger(
        &self,
        id: u64,
        (channel_id, settings): (u64, &TriggerSettings),
    ) -> Result<Option<TriggerRow>, StoreError> {
        let connection = self.connection();
        connection.execute(
            "UPDATE trigger SET channel_id = ?2, updated_at = strftime('%Y-%m-%dT%H:%M:%SZ', 'now'), settings = ?3
             WHERE id = ?1",
            params![id, channel_id, text(id, settings)?],
        )?;
        select_one(&connection, id)
    }

    /// Gives a trigger another secret; the trigger, if there is one with this id.
    pub fn put_trigger_secret(
        &self,
        id: u64,
        secret: &Secret,
    ) -> Result<Option<TriggerRow>, StoreError> {
        let connection = self.connection();
        connection.execute(
            "UPDATE trigger SET updated_at = strftime('%Y-%m-%dT%H:%M:%SZ', 'now'), secret = ?2 WHERE id = ?1",
            params![id, secret.expose()],
        )?;
        select_one(&connection, id)
    }

    /// Removes a trigger; whether there was one.
    pub fn delete_trigger(&self, id: u64) -> Result<bool, StoreError> {
        Ok(self.connection().execute("DELETE FROM trigger WHERE id = ?1", [id])? > 0)
    }
}

/// Removes the triggers of channels that are no more.
///
/// A foreign key would do that too soon: channels are replaced by removing and adding them.
pub(super) fn delete_orphans(connection: &Connection) -> Result<(), StoreError> {
    connection
        .execute("DELETE FROM trigger WHERE channel_id NOT IN (SELECT id FROM channel)", [])?;
    Ok(())
}

fn select(connection: &Connection) -> Result<Vec<(TriggerRow, Secret)>, StoreError> {
    let mut statement = connection.prepare_cached(&format!("{SELECT} ORDER BY id"))?;
    let rows = statement.query_map([], columns)?;
    rows.map(|row| parse(row?)).collect()
}

fn select_one(connection: &Connection, id: u64) -> Result<Option<TriggerRow>, StoreError> {
    let row = connection.query_row(&format!("{SELECT} WHERE id = ?1"), [id], columns).optional()?;
    row.map(|row| parse(row).map(|(row, _)| row)).transpose()
}

/// A row whose settings are text still.
type Columns = (TriggerRow, String, Vec<u8>);

fn columns(row: &Row<'_>) -> rusqlite::Result<Columns> {
    let trigger = TriggerRow {
        id: row.get(0)?,
        channel_id: row.get(1)?,
        created_at: row.get(2)?,
        updated_at: row.get(3)?,
        guid: row.get(4)?,
        settings: TriggerSettings::default(),
    };
    Ok((trigger, row.get(5)?, row.get(6)?))
}

fn parse((row, settings, secret): Columns) -> Result<(TriggerRow, Secret), StoreError> {
    let settings = serde_json::from_str(&settings)
        .map_err(|source| StoreError::DamagedTrigger { id: row.id, source })?;
    Ok((TriggerRow { settings, ..row }, Secret::new(secret)))
}

fn text(id: u64, settings: &TriggerSettings) -> Result<String, StoreError> {
    serde_json::to_string(settings).map_err(|source| StoreError::DamagedTrigger { id, source })
}

const SELECT: &str =
    "SELECT id, channel_id, created_at, updated_at, guid, settings, secret FROM trigger";

#[cfg(test)]
mod tests {
    use hub::{ChannelSettings, TriggerAction};

    use super::*;
    use crate::store::Realtime;

    fn store() -> Store {
        let store = Store::in_memory();
        let channels = ["a", "b"].map(|pattern| ChannelSettings {
            pattern: pattern.to_owned(),
            enabled: true,
            ..ChannelSettings::default()
        });
        store
            .replace(&Realtime {
                enabled: true,
                hash: "hash".to_owned(),
                channels: channels.into(),
            })
            .expect("settings can be written");
        store
    }

    fn add(store: &Store, channel_id: u64) -> TriggerRow {
        let actions = TriggerActions { join: true, message: false };
        let settings = TriggerSettings { active: true, actions, ..TriggerSettings::default() };
        let added = store.add_trigger((channel_id, &settings), "guid", &Secret::new([7; 32]));
        added.expect("a trigger can be added").expect("and is there")
    }

    fn asked(store: &Store, channel: u64) -> Vec<u64> {
        let settings = store.settings().expect("settings can be read");
        settings.triggers(channel, TriggerAction::Join).map(|trigger| trigger.id).collect()
    }

    #[test]
    fn triggers_stay_with_their_channel_and_go_with_it() {
        let store = store();
        let [first, second, third] = [2, 1, 2].map(|channel| add(&store, channel).id);
        assert_eq!((asked(&store, 1), asked(&store, 2)), (vec![second], vec![first, third]));

        let mut realtime = store.realtime().expect("settings can be read");
        store.replace(&realtime).expect("settings can be written");
        assert_eq!((asked(&store, 1), asked(&store, 2)), (vec![second], vec![first, third]));
        let row = store.channel(2).expect("read").expect("it is there");
        store.put_channel(&row).expect("a channel can be written");
        assert_eq!(asked(&store, 2), [first, third]);

        realtime.channels.remove(0);
        store.replace(&realtime).expect("settings can be written");
        assert_eq!((asked(&store, 1), asked(&store, 2)), (vec![], vec![first, third]));
        assert!(store.trigger(second).expect("read").is_none());
        assert!(store.delete_channel(2).expect("a channel can be removed"));
        assert!(store.triggers().expect("triggers can be read").is_empty());
        let row = store.put_channel(&row).expect("it comes back");
        assert!(add(&store, row.id).id > third, "an id is never given twice");
    }

    #[test]
    fn a_secret_is_kept_and_shown_to_nobody() {
        let store = store();
        let row = add(&store, 1);
        let shown = serde_json::to_value(&row).expect("a row is JSON");
        assert!(shown.get("secret").is_none(), "{shown}");
        let secret = |store: &Store| {
            let settings = store.settings().expect("settings can be read");
            let trigger = settings.triggers(1, TriggerAction::Join).next().cloned();
            trigger.expect("it is there").secret.clone()
        };
        assert_eq!(secret(&store), Secret::new([7; 32]));
        let rotated = store.put_trigger_secret(row.id, &Secret::new([8; 32])).expect("rotated");
        assert_eq!(rotated.map(|row| row.id), Some(row.id));
        assert_eq!(secret(&store), Secret::new([8; 32]));
        assert!(store.put_trigger_secret(99, &Secret::new([8; 32])).expect("asked").is_none());
    }
}
