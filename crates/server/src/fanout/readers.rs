//! A channel's log, who reads it, and how far everybody is.

use std::sync::Arc;

use super::batch::{self, Batch};
use crate::log::Log;
use crate::transport::{Connection, Seat};

/// A log and its readers.
#[derive(Debug, Default)]
pub(super) struct Readers {
    pub(super) log: Log,
    pub(super) readers: Vec<Reader>,
    /// Whom to visit next.
    next: u32,
    /// How many are still to be visited since the log last grew.
    pub(super) unvisited: u32,
    /// How many are behind because their sockets are full.
    lagging: u32,
    /// How many are visited but not written to yet: what they have to read must stay.
    pub(super) in_hand: u32,
    pub(super) round: Round,
    /// The length at which the log is cut, when somebody lags.
    cut_at: usize,
    pub(super) queued: bool,
    /// What waits for the readers that want batches, as the last of them got it; kept while there are
    /// others to visit.
    pub(super) batch: Option<Arc<Batch>>,
}

/// A reader that is behind is one of a log with readers to visit, or `waiting` says how much.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader {
    pub(super) connection: u32,
    /// As its seat has it.
    pub(super) batch: bool,
    /// The bytes that its full socket has refused, as its connection's lag counts them.
    pub(super) waiting: u32,
    pub(super) cursor: u64,
}

/// How far all readers of a log were offered it: a bound, found by visiting them in rounds.
#[derive(Debug, Default)]
pub(super) struct Round {
    /// Everybody was offered what is before this position.
    pub(super) offered: u64,
    /// The log's head when the round began.
    start: u64,
    /// Visits until the round is over.
    left: u32,
}

impl Readers {
    pub(super) fn add(&mut self, connection: u32, batch: bool) -> u32 {
        let place = self.readers.len() as u32;
        self.readers.push(Reader { connection, batch, waiting: 0, cursor: self.log.head() });
        if self.unvisited > 0 {
            self.unvisited += 1;
        }
        place
    }

    /// Takes `connection`'s reader out; the index of the one who got its place, if any did.
    pub(super) fn remove(&mut self, place: u32, connection: &mut Connection) -> Option<u32> {
        let reader = self.readers.swap_remove(place as usize);
        connection.lag -= reader.waiting as usize;
        self.lagging -= u32::from(reader.waiting > 0);
        let count = self.readers.len() as u32;
        self.round.left = self.round.left.min(count);
        if self.next >= count {
            self.next = 0;
        }
        if self.unvisited > 0 {
            // The one who moved may have been next in line: everybody is looked at once more.
            self.unvisited = count;
        }
        self.release();
        self.readers.get(place as usize).map(|reader| reader.connection)
    }

    /// The next reader who has something to read.
    pub(super) fn next_to_visit(&mut self) -> Option<u32> {
        while self.unvisited > 0 {
            self.unvisited -= 1;
            self.round.step(self.readers.len() as u32, self.log.head());
            let place = self.next;
            self.next = if place + 1 == self.readers.len() as u32 { 0 } else { place + 1 };
            if self.is_behind(place) {
                return Some(place);
            }
        }
        None
    }

    pub(super) fn is_behind(&self, place: u32) -> bool {
        self.readers[place as usize].cursor < self.log.head()
    }

    /// Makes the messages that the reader at a seat is to be sent, unless they are there already.
    pub(super) fn prepare(&mut self, seat: &Seat) {
        let cursor = self.readers[seat.place as usize].cursor;
        let unread = self.log.from(cursor);
        if seat.batch && self.batch_at(cursor).is_none() && batch::is_worth_it(unread) {
            self.batch = Some(Arc::new(Batch::new(cursor, unread)));
        }
    }

    /// What the reader at a seat, who is behind and for whom all is prepared, is to be sent.
    pub(super) fn offered(&self, seat: &Seat) -> &[u8] {
        match self.batch_for(seat) {
            Some(batch) => batch.bytes(),
            None => self.log.from(self.readers[seat.place as usize].cursor),
        }
    }

    /// Moves the reader at a seat after it was sent `count` bytes of what it was offered; the rest of
    /// the message that the last of them belongs to.
    pub(super) fn advance(&mut self, seat: &Seat, count: usize) -> &[u8] {
        let reader = &mut self.readers[seat.place as usize];
        let (at, head) = (reader.cursor, self.log.head());
        let batch = self.batch.as_deref().filter(|batch| seat.batch && batch.is_for(at, head));
        let (cursor, unsent) = match batch {
            Some(batch) => batch.advance(count),
            None => self.log.advance(at, count),
        };
        reader.cursor = cursor;
        unsent
    }

    /// The batch that the reader at a seat, for whom all is prepared, is to be sent, if it is one.
    pub(super) fn batch_for(&self, seat: &Seat) -> Option<&Arc<Batch>> {
        let cursor = self.readers[seat.place as usize].cursor;
        self.batch_at(cursor).filter(|_| seat.batch)
    }

    fn batch_at(&self, cursor: u64) -> Option<&Arc<Batch>> {
        self.batch.as_ref().filter(|batch| batch.is_for(cursor, self.log.head()))
    }

    /// Keeps count of who lags and by how much, after a reader was visited.
    pub(super) fn note_progress(&mut self, place: u32, lag: &mut usize) {
        let reader = &mut self.readers[place as usize];
        let waits = u32::try_from(self.log.head() - reader.cursor).unwrap_or(u32::MAX);
        let waited = std::mem::replace(&mut reader.waiting, waits);
        if waits == 0 && waited == 0 {
            // As a rule: what has not changed is not written, so that it need not be fetched.
            return;
        }
        *lag = *lag + waits as usize - waited as usize;
        self.lagging = self.lagging + u32::from(waits > 0) - u32::from(waited > 0);
        if waited > 0 && waits == 0 {
            self.release();
        } else if waits > 0 && self.unvisited == 0 {
            self.batch = None;
        }
    }

    /// How much has still to be offered to some reader; sockets that are full do not count.
    pub(super) fn backlog(&self) -> u64 {
        if self.readers.is_empty() { 0 } else { self.log.head() - self.round.offered }
    }

    /// Everybody was visited since the log last grew.
    pub(super) fn all_offered(&mut self) {
        self.round = Round { offered: self.log.head(), ..Round::default() };
    }

    /// Drops what nobody has still to read.
    pub(super) fn release(&mut self) {
        if self.log.len() == 0 {
            return;
        }
        if self.unvisited == 0 {
            self.batch = None;
        }
        if self.readers.is_empty() || (self.unvisited + self.lagging + self.in_hand == 0) {
            self.unvisited = 0;
            self.log.drop_until(self.log.head());
            self.all_offered();
            self.cut_at = MIN_CUT;
        } else if self.log.len() > self.cut_at.max(MIN_CUT) {
            let slowest = self.readers.iter().map(|reader| reader.cursor).min();
            self.log.drop_until(slowest.unwrap_or(self.log.head()));
            self.cut_at = 2 * self.log.len();
        }
    }
}

impl Round {
    /// One more of `count` readers is visited, while the log's head is at `head`.
    fn step(&mut self, count: u32, head: u64) {
        if self.left == 0 {
            self.start = head;
            self.left = count;
        }
        self.left -= 1;
        if self.left == 0 {
            self.offered = self.start;
        }
    }
}

/// The length below which a log is not worth cutting, in bytes.
const MIN_CUT: usize = 64 << 10;
