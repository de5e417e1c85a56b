//! Writing to readers: to one, or to many in one system call where there is a ring for that.

use std::io::{self, IoSlice};
use std::iter;
use std::mem;
use std::sync::Arc;

use slab::Slab;

use super::batch::Batch;
use super::ring::Ring;
use super::{Effect, Fanout};
use crate::transport::{Connection, Seat, Stream};

/// A reader that has something to read at this one of its seats, and nowhere else.
#[derive(Debug)]
pub(super) struct Visit {
    pub(super) connection: u32,
    pub(super) seat: Seat,
    /// The batch that it is to get, kept while others have theirs made.
    pub(super) batch: Option<Arc<Batch>>,
}

/// A write that may go out with others.
pub(super) struct Sending<'a> {
    pub(super) stream: &'a Stream,
    pub(super) bytes: &'a [u8],
    /// As of `write`; interrupted as long as nobody has tried.
    pub(super) result: io::Result<usize>,
}

/// Why there is no ring.
#[derive(Debug, thiserror::Error)]
pub enum RingError {
    /// Somebody does not want it.
    #[error(
        "io_uring is forbidden to this process, by the kernel's setting (sysctl \
         kernel.io_uring_disabled, which must be 0) or by a seccomp profile, as containers have it \
         (io_uring_setup, io_uring_enter and io_uring_register must be allowed): allow it, or start \
         without --io-uring"
    )]
    Forbidden(#[source] io::Error),
    /// The system does not have it, or not all of it.
    #[error(
        "this system does not have the io_uring that --io-uring needs, that of Linux 5.18 or later on \
         x86-64 or AArch64: start without --io-uring"
    )]
    Missing(#[source] io::Error),
    /// It failed.
    #[error("the kernel cannot set io_uring up now: try again, or start without --io-uring")]
    Failed(#[source] io::Error),
}

/// Whether the kernel lets this process have a ring.
pub fn check_ring() -> Result<(), RingError> {
    Ring::new().map(drop)
}

impl Ring {
    /// Asks the kernel for a ring.
    pub(crate) fn new() -> Result<Self, RingError> {
        Self::open().map_err(|error| match error.kind() {
            io::ErrorKind::PermissionDenied => RingError::Forbidden(error),
            io::ErrorKind::Unsupported | io::ErrorKind::InvalidInput => RingError::Missing(error),
            _ => RingError::Failed(error),
        })
    }
}

impl Fanout {
    /// Keeps a reader to be written to with others of its slice; not one that has more to get than what
    /// waits at one seat.
    pub(super) fn take_in_hand(&mut self, connection: &Connection, index: u32, seat: Seat) -> bool {
        if self.ring.is_none() || !connection.outbox.is_empty() {
            return false;
        }
        if connection.seats.len() > 1 && self.find_behind(connection).count > 1 {
            return false;
        }
        let readers = &mut self.channels[seat.channel.0 as usize][seat.class.index()];
        readers.prepare(&seat);
        let batch = readers.batch_for(&seat).cloned();
        if batch.as_ref().is_some_and(|batch| !batch.is_all()) {
            return false;
        }
        readers.in_hand += 1;
        self.in_hand.push(Visit { connection: index, seat, batch });
        true
    }

    /// Writes to all who are in hand.
    pub(super) fn send(&mut self, all: &mut Slab<Connection>, effects: &mut Vec<Effect>) {
        let Some(ring) = &mut self.ring else { return };
        let sendings = self.in_hand.iter().map(|visit| {
            let connection = &all[visit.connection as usize];
            let Seat { channel, class, place, .. } = visit.seat;
            let readers = &self.channels[channel.0 as usize][class.index()];
            let bytes = match &visit.batch {
                Some(batch) => batch.bytes(),
                None => readers.log.from(readers.readers[place as usize].cursor),
            };
            let result = Err(io::ErrorKind::Interrupted.into());
            Sending { stream: &connection.stream, bytes, result }
        });
        let mut sendings: Vec<_> = sendings.collect();
        ring.send(&mut sendings);
        let results: Vec<_> = sendings.into_iter().map(|sending| sending.result).collect();
        let mut in_hand = mem::take(&mut self.in_hand);
        for (visit, result) in in_hand.drain(..).zip(results) {
            let connection = &mut all[visit.connection as usize];
            let Seat { channel, class, place, .. } = visit.seat;
            let at = (channel.0 as usize, class.index());
            if visit.batch.is_some() {
                self.channels[at.0][at.1].batch.clone_from(&visit.batch);
            }
            self.offer(connection, &visit, Some(result), effects);
            let readers = &mut self.channels[at.0][at.1];
            readers.in_hand -= 1;
            readers.note_progress(place, &mut connection.lag);
            readers.release();
        }
        self.in_hand = in_hand;
    }

    /// Writes to a reader what waits at one of its seats. If that was tried already, `tried` is what
    /// became of it.
    pub(super) fn offer(
        &mut self,
        connection: &mut Connection,
        visit: &Visit,
        tried: Option<io::Result<usize>>,
        effects: &mut Vec<Effect>,
    ) {
        let seat = visit.seat;
        let readers = &self.channels[seat.channel.0 as usize][seat.class.index()];
        let mut offered = [IoSlice::new(readers.offered(&seat))];
        let (stream, blocked) = (&mut connection.stream, &mut connection.blocked);
        match write_slices(stream, blocked, &mut offered, tried) {
            Ok(written) => self.account(connection, iter::once(seat), written),
            Err(_) => effects.push(Effect::Gone(visit.connection)),
        }
        if connection.blocked {
            self.filled.push(visit.connection);
        }
    }
}

/// Writes `slices`, in order, until all is written or the socket is full; how much was written. If
/// writing has begun already, `tried` is what became of it.
pub(super) fn write_slices(
    stream: &mut Stream,
    blocked: &mut bool,
    mut slices: &mut [IoSlice<'_>],
    mut tried: Option<io::Result<usize>>,
) -> io::Result<usize> {
    let mut written = 0;
    while !slices.is_empty() {
        let result = match (tried.take(), &*slices) {
            (Some(result), _) => result,
            (None, [slice]) => stream.write(slice),
            (None, slices) => stream.write_vectored(slices),
        };
        match result {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => {
                written += count;
                IoSlice::advance_slices(&mut slices, count);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                *blocked = true;
                break;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    if stream.holds_back() {
        *blocked = true;
    }
    Ok(written)
}
