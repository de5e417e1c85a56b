//! The channels under one lock: which there are, and which go when there are too many.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use data_encoding::BASE64URL_NOPAD;
use hub::{Ledger, Member, Publication, Remembered, SessionKey};
use protocol::ChannelName;

use super::{MAX_IDLE_CHANNELS, PARTS};
use crate::engine::{Census, ShardId};
use crate::journal::{self, Journal};

/// The channels whose names fall to one lock.
#[derive(Debug, Default)]
pub(super) struct Part {
    pub(super) channels: HashMap<ChannelName, Channel>,
    /// Channels that nobody is in and that still have a history, longest idle first.
    idle: BTreeMap<u64, ChannelName>,
    idle_count: u64,
    /// Idle channels that had to go because there were too many.
    forgotten: u64,
}

#[derive(Debug)]
pub(super) struct Channel {
    pub(super) ledger: Ledger<Seat>,
    /// How many members each shard has here.
    pub(super) shards: Vec<(ShardId, usize)>,
    /// Which of the entries in [`Part::idle`] is this channel's.
    idle: u64,
    /// Whether the journal has all of it.
    journaled: bool,
}

/// Where a member is to be found.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) shard: ShardId,
    pub(super) session: SessionKey,
    pub(super) member: Arc<Member>,
    pub(super) announced: bool,
}

impl Part {
    /// The channel, made for the occasion if nobody has been there.
    pub(super) fn channel(&mut self, name: &ChannelName) -> &mut Channel {
        let new = || Channel::new(Ledger::new(new_epoch()), false);
        self.channels.entry(name.clone()).or_insert_with(new)
    }

    /// The same for somebody who comes to stay.
    pub(super) fn enter(&mut self, name: &ChannelName) -> &mut Channel {
        let idle = self.channel(name).idle;
        self.idle.remove(&idle);
        self.channel(name)
    }

    /// Takes a channel that the journal had. Returns the bytes that went for it.
    pub(super) fn adopt(&mut self, name: &ChannelName, ledger: Ledger<Seat>) -> usize {
        self.channels.insert(name.clone(), Channel::new(ledger, true));
        self.retire(name, None)
    }

    /// Nobody is in the channel any more: it goes at once if it keeps nothing, and else when too
    /// many others have been idle for less long. Returns the bytes that went.
    pub(super) fn retire(&mut self, name: &ChannelName, journal: Option<&Journal>) -> usize {
        let Some(channel) = self.channels.get_mut(name) else { return 0 };
        if !channel.ledger.has_history() {
            return self.forget(name, journal);
        }
        self.idle.remove(&channel.idle);
        self.idle_count += 1;
        channel.idle = self.idle_count;
        self.idle.insert(self.idle_count, name.clone());
        if self.idle.len() <= MAX_IDLE_CHANNELS / PARTS {
            return 0;
        }
        self.forgotten += 1;
        self.forget_idle(journal)
    }

    /// Adds what there is to `census`.
    pub(super) fn count(&self, census: &mut Census) {
        census.channels += self.channels.len();
        census.idle_channels += self.idle.len();
        census.forgotten += self.forgotten;
    }

    /// Frees `bytes` of history: channels that are idle go first, then the oldest of `name`.
    /// Returns what went, which may be less, or more.
    pub(super) fn make_room(
        &mut self,
        name: &ChannelName,
        bytes: usize,
        journal: Option<&Journal>,
    ) -> usize {
        let mut freed = 0;
        while freed < bytes && !self.idle.is_empty() {
            freed += self.forget_idle(journal);
        }
        if let Some(Channel { ledger, .. }) = self.channels.get_mut(name) {
            let before = ledger.bytes();
            while freed + before - ledger.bytes() < bytes && ledger.drop_oldest() {}
            freed += before - ledger.bytes();
        }
        freed
    }

    /// Forgets the channel that has been idle longest; the bytes it kept.
    fn forget_idle(&mut self, journal: Option<&Journal>) -> usize {
        let longest = self.idle.pop_first();
        longest.map_or(0, |(_, name)| self.forget(&name, journal))
    }

    fn forget(&mut self, name: &ChannelName, journal: Option<&Journal>) -> usize {
        let Some(mut channel) = self.channels.remove(name) else { return 0 };
        channel.drop_from(journal, name);
        channel.ledger.bytes()
    }
}

impl Channel {
    fn new(ledger: Ledger<Seat>, journaled: bool) -> Self {
        Self { ledger, shards: Vec::new(), idle: 0, journaled }
    }

    /// Tells the journal of what was published last, for a channel that keeps `history`.
    pub(super) fn keep(
        &mut self,
        journal: &Journal,
        name: &ChannelName,
        publication: &Publication,
        remembered: Option<&Remembered>,
        history: u32,
    ) {
        if history == 0 {
            self.drop_from(Some(journal), name);
        } else if self.journaled {
            let write = |out: &mut _| {
                journal::write_publication(out, name, publication, remembered, history);
            };
            journal.append(write);
        } else {
            self.journaled = true;
            self.append_to(journal, name);
        }
    }

    /// Tells the journal of all there is.
    pub(super) fn append_to(&self, journal: &Journal, name: &ChannelName) {
        if self.journaled {
            let state = self.ledger.state();
            journal.append(|out| journal::write_channel(out, name, &state));
        }
    }

    /// What goes on unseen by the journal must not be taken for what it knew, after a restart.
    fn drop_from(&mut self, journal: Option<&Journal>, name: &ChannelName) {
        if let Some(journal) = journal
            && self.journaled
        {
            self.journaled = false;
            journal.append(|out| journal::write_forgotten(out, name));
        }
    }
}

/// A name for a life of a channel's numbers that was never given before.
pub(super) fn new_epoch() -> Arc<str> {
    let mut epoch = [0; 9];
    getrandom::fill(&mut epoch).expect("the operating system gives random bytes");
    BASE64URL_NOPAD.encode(&epoch).into()
}
