//! The one way into a shard from other threads.

use std::io;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hub::{CallError, CallId, EngineEvent, Settings};
use mio::{Registry, Token, Waker};

use crate::transport::Accepted;

/// What can happen to a shard besides its sockets and its clock.
#[derive(Debug)]
pub enum Event {
    /// A connection has been upgraded and is the shard's from now on.
    Accepted(Box<Accepted>),
    /// The engine answers or tells something.
    Engine(EngineEvent),
    /// A trigger has answered, or has failed to.
    Called(CallId, Result<Vec<u8>, CallError>),
    /// The administrator has changed the settings. The sender is dropped when they hold.
    Settings(Arc<Settings>, Sender<()>),
    /// The node stops: say so to every session, spread over this time, and end. A later one counts
    /// instead of an earlier one.
    Drain(Duration),
}

/// A shard's queue of events.
///
/// What clients ask for is bounded by their number and by each waiting for its answers. What they
/// publish is not, so a publication asks [`has_room`](Self::has_room) first and is refused with
/// `overloaded` where there is none.
#[derive(Debug)]
pub struct Inbox {
    queue: Mutex<Queue>,
    /// Whether the shard sleeps in its poll, so that only then a wake-up costs a system call.
    sleeping: AtomicBool,
    waker: Waker,
}

#[derive(Debug, Default)]
struct Queue {
    events: Vec<Event>,
    /// The shard has ended: nobody takes anything any more.
    closed: bool,
    /// Bytes of what clients have sent and others are to read.
    bytes: usize,
}

impl Inbox {
    /// The most events that may wait before publications are refused.
    pub const MAX_EVENTS: usize = 65_536;
    /// The most bytes of publications and private messages that may wait before more are refused.
    pub const MAX_BYTES: usize = 64 << 20;

    /// An empty inbox that wakes the poll behind `registry` with `token`.
    pub fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        Ok(Self {
            queue: Mutex::default(),
            sleeping: AtomicBool::new(false),
            waker: Waker::new(registry, token)?,
        })
    }

    /// Adds an event, and wakes the shard if it sleeps. Where the shard has ended the event is dropped:
    /// nobody is left there whom it could be for.
    pub fn push(&self, event: Event) {
        let size = match &event {
            Event::Engine(EngineEvent::Published { publication, .. }) => publication.size(),
            Event::Engine(EngineEvent::Private { frame, .. }) => frame.len(),
            Event::Called(_, Ok(answer)) => answer.len(),
            _ => 0,
        };
        let mut queue = self.queue();
        if queue.closed {
            return;
        }
        queue.events.push(event);
        queue.bytes += size;
        drop(queue);
        if self.sleeping.swap(false, Ordering::SeqCst)
            && let Err(error) = self.waker.wake()
        {
            tracing::error!(%error, "a shard could not be woken; its events wait for its next tick");
        }
    }

    /// Whether one more publication may be pushed.
    pub fn has_room(&self) -> bool {
        let queue = self.queue();
        queue.bytes < Self::MAX_BYTES && queue.events.len() < Self::MAX_EVENTS
    }

    /// Moves all events into `events`, which must be empty.
    pub fn take(&self, events: &mut Vec<Event>) {
        debug_assert!(events.is_empty(), "events would be lost");
        let mut queue = self.queue();
        mem::swap(&mut queue.events, events);
        queue.bytes = 0;
    }

    /// Says that the shard has ended.
    pub fn close(&self) {
        let mut queue = self.queue();
        queue.closed = true;
        queue.bytes = 0;
        let unread = mem::take(&mut queue.events);
        drop(queue);
        // A dropped event may tell others that nobody will answer.
        drop(unread);
    }

    /// Says that the shard is about to sleep; whether it may, which it must not if events wait.
    pub fn may_sleep(&self) -> bool {
        self.sleeping.store(true, Ordering::SeqCst);
        let empty = self.queue().events.is_empty();
        if !empty {
            self.sleeping.store(false, Ordering::SeqCst);
        }
        empty
    }

    /// Says that the shard is awake: nobody needs to wake it.
    pub fn awake(&self) {
        self.sleeping.store(false, Ordering::SeqCst);
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
