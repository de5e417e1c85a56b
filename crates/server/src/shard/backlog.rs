//! Flow control: who sends more than readers can be written to waits until they were.

use std::mem;

use hub::{ChannelKey, Limit, SessionKey};
use protocol::ChannelName;

use super::{Shard, lookup};
use crate::inbox::Event;

/// Who waits for whom.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    /// Channels whose readers here have still much to be sent.
    behind: Vec<(ChannelKey, ChannelName)>,
    /// Sessions that wait until readers of a channel, here or elsewhere, were sent to.
    held: Vec<(ChannelName, SessionKey)>,
}

impl Shard {
    /// Who sends faster than readers can be written to is not read from until they were: else what
    /// waits for them would grow, and they would be taken for slow. A reader whose socket is full
    /// makes nobody wait.
    pub(super) fn hold(&mut self, session: SessionKey, channel: ChannelName) {
        let id = self.id;
        if !self.inboxes.iter().any(|inbox| inbox.hold(&channel, id)) {
            return;
        }
        let Some(connection) = lookup(&mut self.connections, session) else { return };
        if !mem::replace(&mut connection.held, true) {
            self.count(Limit::Backlog);
            self.backlog.held.push((channel, session));
        }
    }

    /// Lets those go on who wait to send to a channel.
    pub(super) fn release(&mut self, channel: &ChannelName) {
        for (held, key) in mem::take(&mut self.backlog.held) {
            if held != *channel {
                self.backlog.held.push((held, key));
            } else {
                self.go_on(key);
            }
        }
    }

    fn go_on(&mut self, key: SessionKey) {
        if let Some(connection) = self.connection(key) {
            connection.held = false;
            if connection.stalled && !connection.must_wait() {
                self.unread.push(key.index);
            }
        }
    }

    /// Nobody waits longer than to the next tick: what others send, the backend say, may keep readers
    /// busy for ever.
    pub(super) fn release_all(&mut self) {
        for (_, key) in mem::take(&mut self.backlog.held) {
            self.go_on(key);
        }
    }

    /// Notes which channels' readers have still much to be sent, now that it is known.
    pub(super) fn note_behind(&mut self) {
        for key in self.fanout.take_behind() {
            if let Some(name) = self.hub.channel_name(key)
                && !self.backlog.behind.iter().any(|(known, _)| *known == key)
            {
                self.backlog.behind.push((key, name.clone()));
            }
        }
    }

    /// Tells who has to wait with sending, and who no longer has.
    pub(super) fn relieve(&mut self) {
        self.backlog.behind.retain(|(channel, _)| !self.fanout.has_caught_up(*channel));
        let behind: Vec<_> = self.backlog.behind.iter().map(|(_, name)| name.clone()).collect();
        for (channel, shard) in self.inbox.relieve(&behind) {
            self.inboxes[shard.0].push(Event::Relieved(channel));
        }
        self.counts.held.set(self.backlog.held.len() as u64);
    }
}
