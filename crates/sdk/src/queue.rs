//! What waits: for a connection, or for the server's answer. Bounded in number and in bytes.

use protocol::Action;

use crate::{ChannelId, Request};

/// Requests in the order they were made. One that is under way stays until it is answered, so that
/// it can be sent again over the next connection, in its place.
#[derive(Debug)]
pub(crate) struct Queue<L> {
    /// No ring, and walked by index: this is compiled for browsers, and few are many here.
    entries: Vec<Waiting<L>>,
    bytes: usize,
    under_way: usize,
}

/// A request that waits.
#[derive(Debug)]
pub(crate) struct Waiting<L> {
    /// The channel object that asked.
    pub(crate) channel: ChannelId,
    pub(crate) request: Request<L>,
    /// When it was first handed to a connection.
    pub(crate) sent: Option<u64>,
    under_way: bool,
    refusals: u32,
}

impl<L> Waiting<L> {
    pub(crate) fn new(channel: ChannelId, request: Request<L>) -> Self {
        Self { channel, request, sent: None, under_way: false, refusals: 0 }
    }
}

impl<L: Clone> Queue<L> {
    /// How many requests it holds at most that no connection has.
    pub(crate) const MAX_FRAMES: usize = 1_000;
    /// How many bytes they have at most, with those that are under way.
    pub(crate) const MAX_BYTES: usize = 4 << 20;
    /// How many are under way at most: as many names as the server remembers of a channel.
    pub(crate) const WINDOW: usize = 1_000;
    /// How often the server may say that it has too much to do for a message, before that is told.
    const MAX_REFUSALS: u32 = 5;

    /// Takes a request, or gives it back: what waits already has been promised, so it stays.
    pub(crate) fn push(&mut self, waiting: Waiting<L>) -> Result<(), Waiting<L>> {
        let bytes = self.bytes + waiting.request.text.len();
        if self.entries.len() - self.under_way >= Self::MAX_FRAMES || bytes > Self::MAX_BYTES {
            return Err(waiting);
        }
        self.bytes = bytes;
        self.entries.push(waiting);
        Ok(())
    }

    /// The text of the next request to send. It stays if it will be answered under its own name;
    /// otherwise it comes along.
    pub(crate) fn next(&mut self, acks: bool, now: u64) -> Option<(String, Option<Waiting<L>>)> {
        if self.under_way >= Self::WINDOW || self.under_way == self.entries.len() {
            return None;
        }
        let index = self.find(&|waiting| !waiting.under_way)?;
        let waiting = &mut self.entries[index];
        if !waiting.request.is_answered(acks) {
            let mut waiting = self.take(index);
            return Some((std::mem::take(&mut waiting.request.text), Some(waiting)));
        }
        waiting.under_way = true;
        waiting.sent = waiting.sent.or(Some(now));
        self.under_way += 1;
        Some((waiting.request.text.clone(), None))
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Takes out the first that fits.
    pub(crate) fn take_first(&mut self, fits: &dyn Fn(&Waiting<L>) -> bool) -> Option<Waiting<L>> {
        let index = self.find(fits)?;
        Some(self.take(index))
    }

    /// Takes out the message of this name, which was refused for now. Or it stays, to be sent again,
    /// unless it was refused too often: whether it stays.
    pub(crate) fn postpone(&mut self, id: &str) -> bool {
        let Some(index) = self.find(&|waiting| waiting.is(id)) else { return false };
        let waiting = &mut self.entries[index];
        waiting.refusals += 1;
        let again = waiting.under_way && waiting.refusals <= Self::MAX_REFUSALS;
        if again {
            waiting.under_way = false;
            // Not done is not unknown.
            waiting.sent = None;
            self.under_way -= 1;
        }
        again
    }

    /// The connection is gone: all of it is to be sent over the next one.
    pub(crate) fn handle_disconnect(&mut self) {
        for waiting in &mut self.entries {
            waiting.under_way = false;
        }
        self.under_way = 0;
    }

    fn find(&self, fits: &dyn Fn(&Waiting<L>) -> bool) -> Option<usize> {
        (0..self.entries.len()).find(|index| fits(&self.entries[*index]))
    }

    fn take(&mut self, index: usize) -> Waiting<L> {
        let waiting = self.entries.remove(index);
        self.bytes -= waiting.request.text.len();
        self.under_way -= usize::from(waiting.under_way);
        waiting
    }
}

impl<L> Waiting<L> {
    /// Whether it is the message of this name.
    pub(crate) fn is(&self, id: &str) -> bool {
        self.request.id.as_deref() == Some(id)
    }

    /// Whether it asks for a page of a history.
    pub(crate) fn is_page(&self) -> bool {
        self.request.action == Action::History && self.request.receipt.is_some()
    }
}

impl<L> Default for Queue<L> {
    fn default() -> Self {
        Self { entries: Vec::new(), bytes: 0, under_way: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: ChannelId = ChannelId(1);
    const B: ChannelId = ChannelId(2);

    fn plain(channel: ChannelId, text: impl Into<String>) -> Waiting<()> {
        named(channel, text, None)
    }

    fn named(channel: ChannelId, text: impl Into<String>, id: Option<&str>) -> Waiting<()> {
        let id = id.map(str::to_owned);
        let request = Request { action: Action::Message, text: text.into(), id, receipt: None };
        Waiting::new(channel, request)
    }

    fn next(queue: &mut Queue<()>) -> Option<String> {
        queue.next(true, 0).map(|(text, _)| text)
    }

    #[test]
    fn a_full_queue_refuses_the_new_frame_and_keeps_the_old_ones() {
        let mut queue = Queue::default();
        for number in 0..Queue::<()>::MAX_FRAMES {
            assert!(queue.push(plain(A, number.to_string())).is_ok());
        }
        assert!(queue.push(plain(A, "one too many")).is_err());
        assert_eq!(next(&mut queue).as_deref(), Some("0"));
        assert!(queue.push(plain(A, "now")).is_ok());
    }

    #[test]
    fn bytes_are_bounded_as_well_and_count_until_the_answer() {
        let mut queue = Queue::default();
        let largest = "x".repeat(Queue::<()>::MAX_BYTES);
        assert!(queue.push(named(A, largest, Some("1"))).is_ok());
        assert!(next(&mut queue).is_some());
        assert!(queue.push(plain(A, "x")).is_err());
        assert!(queue.take_first(&|waiting| waiting.is("1")).is_some());
        assert!(queue.push(plain(A, "x")).is_ok());
    }

    #[test]
    fn a_destroyed_channel_takes_its_frames_and_their_room_along() {
        let mut queue = Queue::default();
        assert!(queue.push(plain(A, "x".repeat(Queue::<()>::MAX_BYTES - 1))).is_ok());
        assert!(queue.push(plain(B, "b")).is_ok());
        assert!(queue.take_first(&|waiting| waiting.channel == A).is_some());
        assert!(queue.take_first(&|waiting| waiting.channel == A).is_none());
        assert!(queue.push(plain(A, "x".repeat(Queue::<()>::MAX_BYTES - 1))).is_ok());
        assert_eq!(next(&mut queue).as_deref(), Some("b"));
    }

    #[test]
    fn what_is_under_way_comes_first_over_the_next_connection() {
        let mut queue = Queue::default();
        for id in ["1", "2", "3"] {
            assert!(queue.push(named(A, id, Some(id))).is_ok());
        }
        assert_eq!(next(&mut queue).as_deref(), Some("1"));
        assert_eq!(next(&mut queue).as_deref(), Some("2"));
        assert!(queue.take_first(&|waiting| waiting.is("1")).is_some());
        queue.handle_disconnect();
        assert_eq!(next(&mut queue).as_deref(), Some("2"));
        assert_eq!(next(&mut queue).as_deref(), Some("3"));
        assert_eq!(next(&mut queue), None);
    }

    #[test]
    fn no_more_is_under_way_than_the_server_remembers() {
        let mut queue = Queue::default();
        for number in 0..=Queue::<()>::WINDOW {
            let id = number.to_string();
            if number == Queue::<()>::WINDOW {
                assert!(next(&mut queue).is_some());
            }
            assert!(queue.push(named(A, id.clone(), Some(&id))).is_ok());
        }
        for _ in 1..Queue::<()>::WINDOW {
            assert!(next(&mut queue).is_some());
        }
        assert_eq!(next(&mut queue), None);
        assert!(queue.take_first(&|waiting| waiting.is("7")).is_some());
        assert_eq!(next(&mut queue).as_deref(), Some("1000"));
    }

    #[test]
    fn a_message_is_postponed_five_times_and_keeps_its_place() {
        let mut queue = Queue::default();
        assert!(queue.push(named(A, "1", Some("1"))).is_ok());
        assert!(queue.push(named(A, "2", Some("2"))).is_ok());
        for _ in 0..5 {
            assert_eq!(next(&mut queue).as_deref(), Some("1"));
            assert!(queue.postpone("1"));
        }
        assert_eq!(next(&mut queue).as_deref(), Some("1"));
        assert!(!queue.postpone("1"));
        assert_eq!(next(&mut queue).as_deref(), Some("2"));
    }
}
