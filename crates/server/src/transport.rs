//! One connection: its socket, and the bytes that wait in either direction.

pub(crate) mod frame;
mod stream;

use hub::{AudienceClass, ChannelKey, Identity, SessionId};
use protocol::ErrorCode;
use smallvec::SmallVec;

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

/// A connection as its shard keeps it. Where each message goes to other connections than the last one, none
/// of them is in the processor's cache: what a visit to a plain socket in one channel needs is in one line
/// of it, the first.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct Connection {
    pub(crate) stream: Stream,
    pub(crate) outbox: Outbox,
    /// Where it reads channel logs, by channel. Most are in one channel.
    pub(crate) seats: SmallVec<[Seat; 1]>,
    pub(crate) state: State,
    /// The socket is full; its next writable event ends this.
    pub(crate) blocked: bool,
    /// Its socket says when it has room again.
    pub(crate) room_watched: bool,
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
    // What a read needs besides.
    pub(crate) generation: u32,
    /// What has come of a frame or message that has not come whole, and what waits behind requests that
    /// have to wait.
    pub(crate) incomplete: Option<Box<frame::Decoder>>,
    /// Bytes of channel logs that its full socket has refused so far: the sum over its seats.
    pub(crate) lag: usize,
    /// What its session is called by others, and in the log.
    pub(crate) id: SessionId,
    /// Given back when the connection goes.
    pub(crate) _place: Option<Place>,
}

// mio's sockets are larger on other systems, and where their use is checked.
#[cfg(all(target_os = "linux", target_pointer_width = "64", not(debug_assertions)))]
const _: () = {
    assert!(std::mem::offset_of!(Connection, generation) == 64);
    // As an `Option` does, a slab tells its free entries by values that `state` never has.
    assert!(size_of::<Option<Connection>>() == 128);
};

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
pub(crate) struct Outbox(Option<Box<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    bytes: Vec<u8>,
    written: usize,
    /// Bytes that nobody asked for: so many at most, and all of them before `owed_end`.
    owed: usize,
    owed_end: usize,
}

impl Connection {
    pub(crate) fn new(id: SessionId, stream: Stream, generation: u32) -> Self {
        Self {
            stream,
            outbox: Outbox::default(),
            seats: SmallVec::new(),
            state: State::Open,
            blocked: false,
            room_watched: false,
            unanswered: 0,
            awaits_long_answer: false,
            held: false,
            stalled: false,
            listed: false,
            generation,
            incomplete: None,
            lag: 0,
            id,
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
        write(&mut self.0.get_or_insert_default().bytes);
    }

    /// Appends what `write` writes, which the connection did not ask for.
    pub(crate) fn push_owed(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let waiting = self.0.get_or_insert_default();
        let (owed, before) = (waiting.owed(), waiting.bytes.len());
        write(&mut waiting.bytes);
        waiting.owed = owed + waiting.bytes.len() - before;
        waiting.owed_end = waiting.bytes.len();
    }

    /// How much of what waits nobody asked for, at most.
    pub(crate) fn owed(&self) -> usize {
        self.0.as_ref().map_or(0, |waiting| waiting.owed())
    }

    /// What waits.
    pub(crate) fn pending(&self) -> &[u8] {
        self.0.as_ref().map_or(&[], |waiting| &waiting.bytes[waiting.written..])
    }

    /// Drops the first `count` bytes of what waits, because they were written.
    pub(crate) fn advance(&mut self, count: usize) {
        let Some(waiting) = &mut self.0 else { return };
        waiting.written += count;
        if waiting.written == waiting.bytes.len() {
            self.0 = None;
        } else if waiting.written > waiting.bytes.len() / 2 {
            // A client may for ever be a little behind: what it has read must go all the same.
            waiting.owed = waiting.owed();
            waiting.owed_end = waiting.owed_end.saturating_sub(waiting.written);
            waiting.bytes.drain(..waiting.written);
            waiting.written = 0;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pending().is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.pending().len()
    }
}

impl Waiting {
    fn owed(&self) -> usize {
        self.owed.min(self.owed_end.saturating_sub(self.written))
    }
}

/// The bytes of answers that may wait for a connection before its next requests do.
const MAX_UNREAD_ANSWERS: usize = 64 << 10;
/// The requests of one connection that the engine may work on at once.
const MAX_UNANSWERED: u8 = 4;
