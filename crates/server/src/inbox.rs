//! The one way into a shard from other threads.

use std::io;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hub::{CallError, CallId, EngineEvent, Settings};
use mio::{Registry, Token, Waker};
use protocol::ChannelName;

use crate::door::Door;
use crate::engine::ShardId;
use crate::transport::Accepted;

/// What can happen to a shard besides its sockets and its clock.
#[derive(Debug)]
pub enum Event {
    /// A connection has been upgraded and is the shard's from now on.
    Accepted(Box<Accepted>),
    /// It is the shard's turn to let clients in.
    Door(Box<dyn Door>),
    /// The engine answers or tells something.
    Engine(EngineEvent),
    /// A trigger has answered, or has failed to.
    Called(CallId, Result<Vec<u8>, CallError>),
    /// The administrator has changed the settings. The sender is dropped when they hold.
    Settings(Arc<Settings>, Sender<()>),
    /// Who waits to send to this channel may go on.
    Relieved(ChannelName),
    /// The node stops: say so to every session, spread over this time, and end. A later one counts
    /// instead of an earlier one.
    Drain(Duration),
}

/// A shard's queue of events.
///
/// What clients ask for is bounded by their number and by each waiting for its answers. What they
/// publish is not, so a publication asks [`has_room`](Self::has_room) first and is refused with
/// `overloaded` where there is none. Long before that, [`hold`](Self::hold) lets senders wait, so that
/// nobody is told more at once than its readers can be.
#[derive(Debug)]
pub struct Inbox {
    queue: Mutex<Queue>,
    /// Whether senders may have to wait, so that only then it costs a lock to ask.
    pressed: AtomicBool,
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
    /// Channels whose readers on this shard have still much to be sent.
    behind: Vec<ChannelName>,
    /// Shards with somebody who waits to send to a channel.
    held: Vec<(ChannelName, ShardId)>,
}

impl Inbox {
    /// The most events that may wait before publications are refused.
    pub const MAX_EVENTS: usize = 65_536;
    /// The most bytes of publications and private messages that may wait before more are refused.
    pub const MAX_BYTES: usize = 64 << 20;
    /// The bytes of them from which on their senders wait until the shard has taken them.
    pub const PRESSING_BYTES: usize = 256 << 10;

    /// An empty inbox that wakes the poll behind `registry` with `token`.
    pub fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        Ok(Self {
            queue: Mutex::default(),
            pressed: AtomicBool::new(false),
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
        if queue.bytes > Self::PRESSING_BYTES {
            self.pressed.store(true, Ordering::Relaxed);
        }
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

    /// How many events wait, and bytes of publications and private messages among them.
    pub fn load(&self) -> (usize, usize) {
        let queue = self.queue();
        (queue.events.len(), queue.bytes)
    }

    /// Whether somebody on `shard` who has sent to `channel` must wait before it sends more. Then an
    /// [`Event::Relieved`] tells that shard when it may go on.
    pub fn hold(&self, channel: &ChannelName, shard: ShardId) -> bool {
        if !self.pressed.load(Ordering::Relaxed) {
            return false;
        }
        let mut queue = self.queue();
        if !queue.is_pressed(channel) {
            return false;
        }
        if !queue.held.iter().any(|(held, by)| held == channel && *by == shard) {
            queue.held.push((channel.clone(), shard));
        }
        true
    }

    /// Says which channels' readers have still much to be sent, if somebody waits or may have to;
    /// who no longer has to. To be called by the shard in every turn.
    pub fn relieve(&self, behind: &[ChannelName]) -> Vec<(ChannelName, ShardId)> {
        if behind.is_empty() && !self.pressed.load(Ordering::Relaxed) {
            return Vec::new();
        }
        let mut queue = self.queue();
        queue.behind = behind.to_vec();
        let (held, relieved) = mem::take(&mut queue.held)
            .into_iter()
            .partition(|(channel, _)| queue.is_pressed(channel));
        queue.held = held;
        let pressed = queue.bytes > Self::PRESSING_BYTES || !behind.is_empty();
        self.pressed.store(pressed, Ordering::Relaxed);
        relieved
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

impl Queue {
    fn is_pressed(&self, channel: &ChannelName) -> bool {
        self.bytes > Inbox::PRESSING_BYTES || self.behind.contains(channel)
    }
}

#[cfg(test)]
mod tests {
    use hub::SessionKey;
    use mio::Poll;

    use super::*;

    const HERE: ShardId = ShardId(0);
    const THERE: ShardId = ShardId(1);

    fn name(text: &str) -> ChannelName {
        ChannelName::parse(text).expect("the test names a legal channel")
    }

    fn inbox() -> (Inbox, Poll) {
        let poll = Poll::new().expect("a poll can be made");
        (Inbox::new(poll.registry(), Token(0)).expect("an inbox can be made"), poll)
    }

    #[test]
    fn who_sends_to_a_channel_that_is_behind_waits_until_it_is_not() {
        let (inbox, _poll) = inbox();
        let (blue, red) = (name("blue"), name("red"));
        assert!(!inbox.hold(&blue, HERE));
        assert_eq!(inbox.relieve(std::slice::from_ref(&blue)), []);
        assert!(inbox.hold(&blue, HERE) && inbox.hold(&blue, THERE) && inbox.hold(&blue, HERE));
        assert!(!inbox.hold(&red, HERE), "the other channel has nothing to do with it");
        assert_eq!(inbox.relieve(&[blue.clone(), red.clone()]), []);
        assert!(inbox.hold(&red, THERE));
        let relieved = inbox.relieve(std::slice::from_ref(&red));
        assert_eq!(relieved, [(blue.clone(), HERE), (blue.clone(), THERE)]);
        assert_eq!(inbox.relieve(&[]), [(red.clone(), THERE)]);
        assert!(!inbox.hold(&blue, HERE) && !inbox.hold(&red, HERE));
        assert_eq!(inbox.relieve(&[]), []);
    }

    #[test]
    fn who_sends_more_than_the_shard_has_taken_waits_until_it_takes_it() {
        let (inbox, _poll) = inbox();
        let (session, frame) = (SessionKey { index: 0, generation: 0 }, vec![b'x'; 200 << 10]);
        let push =
            || inbox.push(Event::Engine(EngineEvent::Private { session, frame: frame.clone() }));
        push();
        assert!(!inbox.hold(&name("blue"), HERE));
        push();
        assert_eq!(inbox.load(), (2, 400 << 10));
        assert!(inbox.hold(&name("blue"), HERE));
        assert_eq!(inbox.relieve(&[]), [], "it has taken nothing yet");
        inbox.take(&mut Vec::new());
        assert_eq!(inbox.relieve(&[]), [(name("blue"), HERE)]);
        assert!(!inbox.hold(&name("blue"), HERE));
    }
}
