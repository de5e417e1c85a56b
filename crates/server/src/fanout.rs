//! The write path: channel logs, a cursor for every reader, one write a reader and turn.
//!
//! A frame for a channel is appended once to the log of each class of members that gets it. Readers
//! are then visited in slices, so that a huge channel does not keep its neighbours waiting; each
//! visit writes all from the reader's cursor to the log's head. A reader whose socket is full only
//! falls behind: it costs no queue, and beyond the lag limit it is given up.

mod batch;
mod readers;
// The same as in Cargo.toml, for io-uring.
#[cfg_attr(
    not(all(target_os = "linux", any(target_arch = "aarch64", target_arch = "x86_64"))),
    path = "fanout/no_ring.rs"
)]
mod ring;
mod sending;

use std::collections::VecDeque;
use std::io::IoSlice;
use std::sync::Arc;

use hub::{AudienceClass, ChannelKey, Publication, Reading};
use slab::Slab;

use crate::metrics::ShardCounts;
use crate::transport::{Connection, Seat, frame};
use readers::{Reader, Readers};
use sending::{Visit, write_slices};

pub(crate) use ring::Ring;
pub use sending::{RingError, check_ring};

/// All logs of a shard, and who has still to be written to.
#[derive(Debug)]
pub(crate) struct Fanout {
    /// By [`ChannelKey`].
    channels: Vec<[Readers; AudienceClass::COUNT]>,
    /// Logs with readers to visit, in turn.
    dirty: VecDeque<(ChannelKey, AudienceClass)>,
    /// Connections with bytes of their own to write.
    listed: Vec<u32>,
    max_lag: usize,
    scratch: Vec<u8>,
    /// Channels whose readers have fallen behind since this was last asked.
    behind: Vec<ChannelKey>,
    /// Connections whose sockets were found full since this was last asked.
    filled: Vec<u32>,
    /// Bytes written since the beginning.
    written: u64,
    counts: Arc<ShardCounts>,
    /// Writes to several readers at once; without, each is written to when it is visited.
    ring: Option<Ring>,
    /// Who is visited but not written to yet: nobody, between two runs.
    in_hand: Vec<Visit>,
}

/// What writing brought about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Effect {
    /// The connection lags beyond the limit.
    TooSlow(u32),
    /// The connection's socket is broken, or it was ended and all is written.
    Gone(u32),
    /// The connection waits to be read from, and has got some of what held it back.
    Relieved(u32),
}

/// Some of a connection's seats.
#[derive(Default)]
struct Behind {
    seats: [Option<Seat>; MAX_SLICES - 1],
    count: usize,
}

impl Fanout {
    /// A write path that gives readers up when more than `max_lag` bytes wait for them.
    pub(crate) fn new(max_lag: usize, counts: Arc<ShardCounts>) -> Self {
        Self {
            channels: Vec::new(),
            dirty: VecDeque::new(),
            listed: Vec::new(),
            max_lag,
            scratch: Vec::new(),
            behind: Vec::new(),
            filled: Vec::new(),
            written: 0,
            counts,
            ring: None,
            in_hand: Vec::new(),
        }
    }

    /// Writes through `ring`, if there is one.
    pub(crate) fn through(self, ring: Option<Ring>) -> Self {
        Self { ring, ..self }
    }

    /// Whether somebody is to be written to.
    pub(crate) fn has_work(&self) -> bool {
        !self.dirty.is_empty() || !self.listed.is_empty()
    }

    /// Makes a connection a reader of a channel from the log's head on. If it is one already it
    /// keeps its place, and reads in the new way from there on.
    pub(crate) fn attach(
        &mut self,
        all: &mut Slab<Connection>,
        index: u32,
        channel: ChannelKey,
        reading: Reading,
    ) {
        let Reading { class, batch } = reading;
        let at = channel.0 as usize;
        if self.channels.len() <= at {
            self.channels.resize_with(at + 1, Default::default);
        }
        let Some(connection) = all.get_mut(index as usize) else { return };
        if let Ok(seat) = connection.seat(channel) {
            let now = connection.seats[seat];
            if now.class == class && now.batch == batch {
                return;
            }
            self.collect(connection);
            self.list(connection, index);
            self.detach(all, index, channel);
        }
        let readers = &mut self.channels[at][class.index()];
        let place = readers.add(index, batch);
        let connection = &mut all[index as usize];
        if let Err(seat) = connection.seat(channel) {
            connection.seats.insert(seat, Seat { channel, class, batch, place });
        }
    }

    /// Ends a connection's reading of a channel.
    pub(crate) fn detach(&mut self, all: &mut Slab<Connection>, index: u32, channel: ChannelKey) {
        let Some(connection) = all.get_mut(index as usize) else { return };
        let Ok(at) = connection.seat(channel) else { return };
        let Seat { class, place, .. } = connection.seats.remove(at);
        let moved = self.channels[channel.0 as usize][class.index()].remove(place, connection);
        let Some(connection) = moved.and_then(|moved| all.get_mut(moved as usize)) else { return };
        if let Ok(seat) = connection.seat(channel) {
            connection.seats[seat].place = place;
        }
    }

    /// Ends a connection's reading of all channels.
    pub(crate) fn detach_all(&mut self, all: &mut Slab<Connection>, index: u32) {
        while let Some(seat) =
            all.get(index as usize).and_then(|connection| connection.seats.last().copied())
        {
            self.detach(all, index, seat.channel);
        }
    }

    /// Appends a publication to the logs of all who may see it.
    pub(crate) fn publish(&mut self, channel: ChannelKey, publication: &Publication) {
        for authenticated in [false, true] {
            let classes = [false, true].map(|presence| AudienceClass { authenticated, presence });
            if classes.iter().all(|class| self.is_unread(channel, *class)) {
                continue;
            }
            let mut frame = std::mem::take(&mut self.scratch);
            frame.clear();
            if publication.write(authenticated, &mut frame) {
                classes.into_iter().for_each(|class| self.append(channel, class, &frame));
            }
            self.scratch = frame;
        }
    }

    /// Whether somebody wants a channel's presence updates.
    pub(crate) fn is_watched(&self, channel: ChannelKey) -> bool {
        let mut classes = AudienceClass::ALL.into_iter().filter(|class| class.presence);
        classes.any(|class| !self.is_unread(channel, class))
    }

    /// Appends a presence update to the logs of all who watch.
    pub(crate) fn announce_presence(&mut self, channel: ChannelKey, frame: &[u8]) {
        for class in AudienceClass::ALL.into_iter().filter(|class| class.presence) {
            self.append(channel, class, frame);
        }
    }

    /// Queues the answer to something a connection asked for, behind all it has still to read.
    pub(crate) fn reply(&mut self, connection: &mut Connection, index: u32, text: &[u8]) {
        self.collect(connection);
        connection.outbox.push(|bytes| frame::write_text(bytes, text));
        self.list(connection, index);
    }

    /// Queues a frame that a connection did not ask for; refused when too much waits for it.
    pub(crate) fn push(
        &mut self,
        connection: &mut Connection,
        index: u32,
        text: &[u8],
    ) -> Result<(), Effect> {
        if connection.blocked && connection.unread() > self.max_lag {
            return Err(Effect::TooSlow(index));
        }
        if !connection.blocked {
            self.collect(connection);
        }
        connection.outbox.push_owed(|bytes| frame::write_text(bytes, text));
        self.counts.deliveries.add(1);
        self.list(connection, index);
        Ok(())
    }

    /// Moves all that a connection has still to read in channel logs to its outbox.
    pub(crate) fn collect(&mut self, connection: &mut Connection) {
        loop {
            let behind = self.find_behind(connection);
            if behind.is_empty() {
                return;
            }
            for Seat { channel, class, batch, place } in behind.iter() {
                let readers = &mut self.channels[channel.0 as usize][class.index()];
                let reader = &mut readers.readers[place as usize];
                let unread = readers.log.from(reader.cursor);
                connection.outbox.push_owed(|bytes| match batch {
                    true => batch::write_all(unread, bytes),
                    false => bytes.extend_from_slice(unread),
                });
                reader.cursor = readers.log.head();
                readers.note_progress(place, &mut connection.lag);
            }
        }
    }

    /// Seats at which a connection has something to read: all of them, or as many as one write
    /// can gather from.
    fn find_behind(&self, connection: &Connection) -> Behind {
        let mut behind = Behind::default();
        let is_behind = |seat: &Seat| self.readers(seat).is_behind(seat.place);
        // Who has not lagged so far can be behind only where there are readers to visit.
        if connection.lag == 0 && self.dirty.len() < connection.seats.len() {
            for &(channel, class) in &self.dirty {
                if let Ok(at) = connection.seat(channel)
                    && connection.seats[at].class == class
                    && is_behind(&connection.seats[at])
                    && !behind.add(connection.seats[at])
                {
                    break;
                }
            }
        } else {
            for seat in connection.seats.iter().filter(|seat| is_behind(seat)) {
                if !behind.add(*seat) {
                    break;
                }
            }
        }
        behind
    }

    /// Sees to it that a connection's outbox is written in this turn.
    pub(crate) fn list(&mut self, connection: &mut Connection, index: u32) {
        if !connection.listed {
            connection.listed = true;
            self.listed.push(index);
        }
    }

    /// Writes to all connections with an outbox, and to about `slice` readers of channels. At most so many
    /// of one log are visited; a log with fewer is visited whole, or its last readers would wait until
    /// all others had their turn.
    pub(crate) fn run(
        &mut self,
        all: &mut Slab<Connection>,
        slice: usize,
        effects: &mut Vec<Effect>,
    ) {
        for index in std::mem::take(&mut self.listed) {
            let Some(connection) = all.get_mut(index as usize) else { continue };
            connection.listed = false;
            if !connection.blocked {
                self.write(connection, index, effects);
            }
        }
        let mut visited = 0;
        while visited < slice
            && let Some(&(channel, class)) = self.dirty.front()
        {
            visited += self.visit(all, (channel, class), slice, effects);
            // It stays on the list while it is visited: see `find_behind`.
            self.dirty.pop_front();
            let readers = &mut self.channels[channel.0 as usize][class.index()];
            if readers.unvisited > 0 {
                self.dirty.push_back((channel, class));
            } else {
                readers.queued = false;
                readers.all_offered();
            }
            readers.release();
        }
        self.send(all, effects);
        self.counts.sent_bytes.set(self.written);
    }

    /// Channels whose readers have fallen behind since this was last asked: more of a log than
    /// [`BACKLOG`] has still to be offered to some of them.
    pub(crate) fn take_behind(&mut self) -> Vec<ChannelKey> {
        std::mem::take(&mut self.behind)
    }

    /// Connections whose sockets were found full since this was last asked.
    pub(crate) fn take_filled(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.filled)
    }

    /// Whether a channel's readers have caught up: little of it has still to be offered.
    pub(crate) fn has_caught_up(&self, channel: ChannelKey) -> bool {
        let classes = self.channels.get(channel.0 as usize).into_iter().flatten();
        classes.into_iter().all(|readers| readers.backlog() <= BACKLOG / 2)
    }

    /// Writes a connection's outbox and then, from each of its cursors, to the head: all in one
    /// system call where it has few channels.
    pub(crate) fn write(
        &mut self,
        connection: &mut Connection,
        index: u32,
        effects: &mut Vec<Effect>,
    ) {
        loop {
            let behind = self.find_behind(connection);
            self.prepare(&behind);
            let mut slices = [IoSlice::new(&[]); MAX_SLICES];
            let mut count = 0;
            let mut add = |bytes| {
                slices[count] = IoSlice::new(bytes);
                count += 1;
            };
            if !connection.outbox.is_empty() {
                add(connection.outbox.pending());
            }
            for seat in behind.iter() {
                add(self.readers(&seat).offered(&seat));
            }
            if count == 0 {
                break;
            }
            match write_slices(
                &mut connection.stream,
                &mut connection.blocked,
                &mut slices[..count],
                None,
            ) {
                Ok(written) => self.account(connection, behind.iter(), written),
                Err(_) => return effects.push(Effect::Gone(index)),
            }
            if connection.blocked {
                self.filled.push(index);
                break;
            }
        }
        connection.report(index, effects);
    }

    /// Makes what a connection wants as batches at its seats `behind`.
    fn prepare(&mut self, behind: &Behind) {
        for seat in behind.iter().filter(|seat| seat.batch) {
            self.channels[seat.channel.0 as usize][seat.class.index()].prepare(&seat);
        }
    }

    /// Moves a connection's cursors after `written` bytes of its outbox and of its seats `behind`,
    /// in that order.
    fn account(
        &mut self,
        connection: &mut Connection,
        behind: impl Iterator<Item = Seat>,
        mut written: usize,
    ) {
        self.written += written as u64;
        let own = connection.outbox.len().min(written);
        connection.outbox.advance(own);
        written -= own;
        for seat in behind {
            let readers = &mut self.channels[seat.channel.0 as usize][seat.class.index()];
            let taken = readers.offered(&seat).len().min(written);
            let unsent = readers.advance(&seat, taken);
            if !unsent.is_empty() {
                connection.outbox.push_owed(|bytes| bytes.extend_from_slice(unsent));
            }
            written -= taken;
            readers.note_progress(seat.place, &mut connection.lag);
        }
    }

    /// Visits readers of one log until all were visited since it last grew, or so many were written to;
    /// how many were.
    fn visit(
        &mut self,
        all: &mut Slab<Connection>,
        (channel, class): (ChannelKey, AudienceClass),
        most: usize,
        effects: &mut Vec<Effect>,
    ) -> usize {
        let mut count = 0;
        while count < most {
            let readers = &mut self.channels[channel.0 as usize][class.index()];
            let Some(place) = readers.next_to_visit() else { break };
            // A list of several seats is memory of its own, which is not fetched for each delivery.
            let Reader { connection: index, batch, .. } = readers.readers[place as usize];
            let seat = Seat { channel, class, batch, place };
            let connection = &mut all[index as usize];
            if connection.blocked {
                readers.note_progress(place, &mut connection.lag);
                // A single frame, be it as large as it may, is no reason.
                if connection.unread().saturating_sub(readers.log.newest_len()) > self.max_lag {
                    effects.push(Effect::TooSlow(index));
                }
                continue;
            }
            count += 1;
            if self.take_in_hand(connection, index, seat) {
                continue;
            }
            if connection.seats.len() > 1 || batch || !connection.outbox.is_empty() {
                self.write(connection, index, effects);
            } else {
                let visit = Visit { connection: index, seat, batch: None };
                self.offer(connection, &visit, None, effects);
            }
            // A broken socket has got nothing: until it is let go, the log must reach back to it.
            let readers = &mut self.channels[channel.0 as usize][class.index()];
            readers.note_progress(place, &mut connection.lag);
        }
        count
    }

    fn append(&mut self, channel: ChannelKey, class: AudienceClass, frame: &[u8]) {
        if self.is_unread(channel, class) {
            return;
        }
        let readers = &mut self.channels[channel.0 as usize][class.index()];
        let was_behind = readers.backlog() > BACKLOG;
        readers.log.push_text(frame);
        readers.unvisited = readers.readers.len() as u32;
        self.counts.deliveries.add(u64::from(readers.unvisited));
        if !was_behind && readers.backlog() > BACKLOG {
            self.behind.push(channel);
        }
        if !readers.queued {
            readers.queued = true;
            self.dirty.push_back((channel, class));
        }
    }

    fn is_unread(&self, channel: ChannelKey, class: AudienceClass) -> bool {
        self.channels
            .get(channel.0 as usize)
            .is_none_or(|classes| classes[class.index()].readers.is_empty())
    }

    fn readers(&self, seat: &Seat) -> &Readers {
        &self.channels[seat.channel.0 as usize][seat.class.index()]
    }
}

impl Behind {
    /// Whether one more may follow.
    const fn add(&mut self, seat: Seat) -> bool {
        self.seats[self.count] = Some(seat);
        self.count += 1;
        self.count < self.seats.len()
    }

    const fn is_empty(&self) -> bool {
        self.count == 0
    }

    fn iter(&self) -> impl Iterator<Item = Seat> {
        self.seats[..self.count].iter().copied().flatten()
    }
}

/// How many places one write can gather from.
const MAX_SLICES: usize = 16;
/// How much of a log may have to be offered to its readers before those who send to the channel have to
/// wait, in bytes.
const BACKLOG: u64 = 256 << 10;

#[cfg(test)]
mod tests;
