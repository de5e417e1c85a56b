//! One connection: its socket, and the bytes that wait in either direction.

pub(crate) mod frame;
mod stream;

use hub::{AudienceClass, ChannelKey, Identity, SessionId};
use protocol::ErrorCode;

use crate::fanout::Effect;
use crate::places::Place;

pub(crate) use stream::AcceptedStream;
pub(crate) use stream::Stream;

/// A connection whose WebSocket handshake is done.
#[derive(Debug)]
pub struct Accepted {
    /// Its socket.
    pub stream: AcceptedStream,
    /// What the client sent right behind its handshake.
    pub received: Vec<u8>,
    /// The connection hash it asked for.
    pub connection_hash: String,
    /// Its new public id.
    pub id: SessionId,
    /// Who it is.
    pub identity: Identity,
    /// Its place among the node's connections.
    pub place: Place,
    /// When its identity ends and the connection with it, in milliseconds since 1970, if it shall.
    pub ends: Option<u64>,
    /// Set when it brought a token that names nobody.
    pub token_refused: Option<ErrorCode>,
}

/// A connection as its shard keeps it.
#[derive(Debug)]
pub(crate) struct Connection {
    /// What its session is called by others, and in the log.
    pub(crate) id: SessionId,
    pub(crate) stream: Stream,
    pub(crate) generation: u32,
    pub(crate) decoder: frame::Decoder,
    pub(crate) outbox: Outbox,
    /// Where it reads channel logs, by channel.
    pub(crate) seats: Vec<Seat>,
    /// The socket is full; its next writable event ends this.
    pub(crate) blocked: bool,
    /// Its socket says when it has room again.
    pub(crate) room_watched: bool,
    /// Bytes of channel logs that its full socket has refused so far: the sum over its seats.
    pub(crate) lag: usize,
    /// How many of its requests the engine has still to answer.
    pub(crate) unanswered: u8,
    /// One of those answers may be long.
    pub(crate) awaits_long_answer: bool,
    /// It is not read from, because readers of a channel it sent to have still to be written to.
    pub(crate) held: bool,
    /// It is not read from, because its requests have to wait.
    pub(crate) stalled: bool,
    /// Whether it is on the list of connections with something of their own to write.
    pub(crate) listed: bool,
    pub(crate) state: State,
    /// Given back when the connection goes.
    pub(crate) _place: Option<Place>,
}

/// How far a connection is from its end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum State {
    Open,
    /// Our close frame is in the outbox; the peer has until this second to answer it.
    Closing {
        until: u32,
    },
    /// Nothing is expected any more: gone as soon as the outbox is written, at this second at the latest.
    Ending {
        until: u32,
    },
}

/// A connection's place among the readers of a channel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seat {
    pub(crate) channel: ChannelKey,
    pub(crate) class: AudienceClass,
    /// It wants what comes together as one message.
    pub(crate) batch: bool,
    /// Its position in the list of readers.
    pub(crate) place: u32,
}

/// Bytes for one connection alone. Owns memory only while some wait.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    bytes: Vec<u8>,
    written: usize,
    /// Bytes that nobody asked for: so many at most, and all of them before `owed_end`.
    owed: usize,
    owed_end: usize,
}

impl Connection {
    pub(crate) fn new(id: SessionId, stream: Stream, generation: u32) -> Self {
        Self {
            id,
            stream,
            generation,
            decoder: frame::Decoder::default(),
            outbox: Outbox::default(),
            seats: Vec::new(),
            blocked: false,
            room_watched: false,
            lag: 0,
            unanswered: 0,
            awaits_long_answer: false,
            held: false,
            stalled: false,
            listed: false,
            state: State::Open,
            _place: None,
        }
    }

    /// Whether its requests have to wait: it has not read, or not got, the answers to earlier ones.
    pub(crate) fn must_wait(&self) -> bool {
        self.outbox.len() > MAX_UNREAD_ANSWERS
            || self.awaits_long_answer
            || self.unanswered >= MAX_UNANSWERED
            || self.held
    }

    /// Where its seat in a channel is in the list, or would have to be.
    pub(crate) fn seat(&self, channel: ChannelKey) -> Result<usize, usize> {
        self.seats.binary_search_by_key(&channel, |seat| seat.channel)
    }

    /// What waits for it although it did not ask for it, in bytes.
    pub(crate) fn unread(&self) -> usize {
        self.lag + self.outbox.owed()
    }

    /// Tells what a write has changed for the connection.
    pub(crate) fn report(&self, index: u32, effects: &mut Vec<Effect>) {
        let all_written = self.outbox.is_empty() && !self.blocked;
        if matches!(self.state, State::Ending { .. }) && all_written {
            effects.push(Effect::Gone(index));
        } else if self.stalled && !self.must_wait() {
            effects.push(Effect::Relieved(index));
        }
    }
}

impl Outbox {
    /// Appends what `write` writes.
    pub(crate) fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.bytes);
    }

    /// Appends what `write` writes, which the connection did not ask for.
    pub(crate) fn push_owed(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let (owed, before) = (self.owed(), self.bytes.len());
        write(&mut self.bytes);
        self.owed = owed + self.bytes.len() - before;
        self.owed_end = self.bytes.len();
    }

    /// How much of what waits nobody asked for, at most.
    pub(crate) fn owed(&self) -> usize {
        self.owed.min(self.owed_end.saturating_sub(self.written))
    }

    /// What waits.
    pub(crate) fn pending(&self) -> &[u8] {
        &self.bytes[self.written..]
    }

    /// Drops the first `count` bytes of what waits, because they were written.
    pub(crate) fn advance(&mut self, count: usize) {
        self.written += count;
        if self.written == self.bytes.len() {
            *self = Self::default();
        } else if self.written > self.bytes.len() / 2 {
            // A client may for ever be a little behind: what it has read must go all the same.
            self.owed = self.owed();
            self.owed_end = self.owed_end.saturating_sub(self.written);
            self.bytes.drain(..self.written);
            self.written = 0;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.pending().len()
    }
}

/// The bytes of answers that may wait for a connection before its next requests do.
const MAX_UNREAD_ANSWERS: usize = 64 << 10;
/// The requests of one connection that the engine may work on at once.
const MAX_UNANSWERED: u8 = 4;
