//! What an administrator decides: is realtime on, under which hash, and which channels there are.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::trigger::{Trigger, TriggerAction};

/// The settings of a workspace's realtime, checked and ready for look-ups.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// `None` while realtime is switched off: then every hash is unknown.
    pub connection_hash: Option<String>,
    exact: HashMap<String, Arc<ChannelSettings>>,
    /// Longest literal prefix first, then lowest id.
    nested: Vec<(String, Arc<ChannelSettings>)>,
    /// By the id of their row, each list by ascending id.
    triggers: HashMap<u64, Vec<Arc<Trigger>>>,
}

/// One declared channel. Field names are those of the Metadata API.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct ChannelSettings {
    /// Identifies the row; of two rows that fit equally well the lower id decides.
    pub id: u64,
    /// The name, or with `wildcard` the root of a tree of names.
    pub pattern: String,
    /// Whether the row stands for all names below the pattern.
    pub wildcard: bool,
    /// For people.
    pub description: String,
    /// A row that is switched off refuses its name; no other row takes over.
    pub enabled: bool,
    /// Whether anonymous clients may join.
    pub anonymous_clients: bool,
    /// Whether members may see who is here.
    pub presence: bool,
    /// How many publications are kept.
    pub history: HistorySize,
    /// Whether clients may send to everyone.
    pub client_public_messaging: bool,
    /// … if they are authenticated.
    pub client_public_messaging_authenticated_only: bool,
    /// Whether authenticated clients may send to authenticated clients.
    pub client_authenticated_messaging: bool,
    /// Whether clients may send to one client.
    pub client_private_messaging: bool,
    /// … if both are authenticated.
    pub client_private_messaging_authenticated_only: bool,
    /// How many messages clients may send to it in a minute, all together; 0 for any number.
    /// Left out of answers then, as Xano's own tools do not know it.
    #[serde(skip_serializing_if = "is_unlimited")]
    pub messages_per_minute: u32,
}

/// How many publications a channel keeps: 0, 25, 50, 100, 250 or 1000.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct HistorySize(u32);

/// Why settings are refused.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SettingsError {
    /// A history size outside the list on [`HistorySize`].
    HistorySize(u32),
}

impl Settings {
    /// Settings in which realtime is on under `connection_hash`, with these channels.
    pub fn new(connection_hash: String, channels: Vec<ChannelSettings>) -> Self {
        let mut settings = Self { connection_hash: Some(connection_hash), ..Self::default() };
        let mut channels: Vec<_> = channels.into_iter().map(Arc::new).collect();
        channels.sort_by_key(|channel| channel.id);
        for channel in channels {
            if channel.wildcard && channel.enabled {
                settings.nested.push((literal_prefix(&channel.pattern), Arc::clone(&channel)));
            }
            let is_tree_only = channel.wildcard && channel.pattern.ends_with("/*");
            if !is_tree_only {
                settings.exact.entry(channel.pattern.clone()).or_insert(channel);
            }
        }
        settings.nested.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        settings
    }

    /// The same with these triggers.
    pub fn with_triggers(mut self, mut triggers: Vec<Trigger>) -> Self {
        triggers.sort_by_key(|trigger| trigger.id);
        self.triggers.clear();
        for trigger in triggers {
            self.triggers.entry(trigger.channel_id).or_default().push(Arc::new(trigger));
        }
        self
    }

    /// Who is to be asked before `action` in the channels of a row, in order.
    pub fn triggers(
        &self,
        channel_id: u64,
        action: TriggerAction,
    ) -> impl Iterator<Item = &Arc<Trigger>> {
        // Looked at with every message: mostly there are none at all.
        let found = match self.triggers.is_empty() {
            true => None,
            false => self.triggers.get(&channel_id),
        };
        found.into_iter().flatten().filter(move |trigger| trigger.is_for(action))
    }

    /// The row that decides for `name`, unless there is none or it is switched off.
    ///
    /// An exact row comes before a nested one; of the nested ones the longest literal prefix
    /// decides. `chat/*` with nesting stands for every name that goes on after `chat/`; `feed` with
    /// nesting stands for itself and every name that goes on after `feed/`.
    pub fn channel(&self, name: &str) -> Option<&Arc<ChannelSettings>> {
        if let Some(channel) = self.exact.get(name) {
            return channel.enabled.then_some(channel);
        }
        let below = |prefix: &str| name.len() > prefix.len() && name.starts_with(prefix);
        self.nested.iter().find(|(prefix, _)| below(prefix)).map(|(_, channel)| channel)
    }
}

impl HistorySize {
    /// The sizes there are.
    pub const ALL: [u32; 6] = [0, 25, 50, 100, 250, 1000];

    /// The number of publications.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl TryFrom<u32> for HistorySize {
    type Error = SettingsError;

    fn try_from(size: u32) -> Result<Self, SettingsError> {
        Self::ALL.contains(&size).then_some(Self(size)).ok_or(SettingsError::HistorySize(size))
    }
}

impl From<HistorySize> for u32 {
    fn from(size: HistorySize) -> Self {
        size.0
    }
}

impl std::fmt::Display for SettingsError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::HistorySize(size) => {
                write!(f, "history is {size}, but must be one of 0, 25, 50, 100, 250 and 1000")
            }
        }
    }
}

impl std::error::Error for SettingsError {}

const fn is_unlimited(count: &u32) -> bool {
    *count == 0
}

fn literal_prefix(pattern: &str) -> String {
    match pattern.strip_suffix('*') {
        Some(prefix) => prefix.to_owned(),
        None => format!("{pattern}/"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: u64, pattern: &str, wildcard: bool, enabled: bool) -> ChannelSettings {
        ChannelSettings {
            id,
            pattern: pattern.to_owned(),
            wildcard,
            enabled,
            ..ChannelSettings::default()
        }
    }

    fn check(rows: &[ChannelSettings], name: &str, expected: Option<u64>) {
        let settings = Settings::new("hash".to_owned(), rows.to_vec());
        assert_eq!(settings.channel(name).map(|row| row.id), expected, "{name}");
    }

    #[test]
    fn without_nesting_a_pattern_is_a_name() {
        let rows = [row(1, "chat", false, true), row(2, "room:*", false, true)];
        check(&rows, "chat", Some(1));
        check(&rows, "Chat", None);
        check(&rows, "chat/1", None);
        check(&rows, "room:*", Some(2));
        check(&rows, "room:1", None);
    }

    #[test]
    fn with_nesting_a_pattern_is_a_tree() {
        let rows = [row(1, "chat/*", true, true), row(2, "feed", true, true)];
        check(&rows, "chat/1", Some(1));
        check(&rows, "chat/1/2", Some(1));
        check(&rows, "chat/*", Some(1));
        check(&rows, "chat/", None);
        check(&rows, "chat", None);
        check(&rows, "feed", Some(2));
        check(&rows, "feed/heater", Some(2));
        check(&rows, "feeder", None);
    }

    #[test]
    fn the_closest_row_decides_and_a_disabled_one_blocks_its_name() {
        let rows = [
            row(5, "chat/*", true, true),
            row(4, "chat/vip/*", true, true),
            row(3, "chat/vip/closed", false, false),
            row(9, "chat/open", false, true),
            row(8, "chat/open", false, true),
            row(7, "gone/*", true, false),
        ];
        check(&rows, "chat/1", Some(5));
        check(&rows, "chat/vip/1", Some(4));
        check(&rows, "chat/vip/closed", None);
        check(&rows, "chat/open", Some(8));
        check(&rows, "gone/1", None);
    }

    #[test]
    fn history_has_six_sizes() {
        assert_eq!(HistorySize::try_from(100).map(HistorySize::get), Ok(100));
        assert_eq!(HistorySize::try_from(99), Err(SettingsError::HistorySize(99)));
    }
}
