//! What waits for a connection: bounded in number and in bytes.

use std::collections::VecDeque;

use protocol::Action;

use crate::ChannelId;

/// Frames in the order they were asked for.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    entries: VecDeque<Waiting>,
    bytes: usize,
}

/// A frame that waits.
#[derive(Debug)]
pub(crate) struct Waiting {
    /// The channel object that asked.
    pub(crate) channel: ChannelId,
    pub(crate) action: Action,
    pub(crate) text: String,
}

/// There is no room for another frame.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Full;

impl Queue {
    /// How many frames it holds at most.
    pub(crate) const MAX_FRAMES: usize = 1_000;
    /// How many bytes they have at most.
    pub(crate) const MAX_BYTES: usize = 4 << 20;

    /// Takes a frame, or refuses it: what waits already has been promised, so it stays.
    pub(crate) fn push(&mut self, frame: Waiting) -> Result<(), Full> {
        let bytes = self.bytes + frame.text.len();
        if self.entries.len() >= Self::MAX_FRAMES || bytes > Self::MAX_BYTES {
            return Err(Full);
        }
        self.bytes = bytes;
        self.entries.push_back(frame);
        Ok(())
    }

    /// The frame that waits longest.
    pub(crate) fn pop(&mut self) -> Option<Waiting> {
        let frame = self.entries.pop_front()?;
        self.bytes -= frame.text.len();
        Some(frame)
    }

    /// Drops what a channel object asked for; whether there was anything.
    pub(crate) fn remove(&mut self, channel: ChannelId) -> bool {
        let before = self.entries.len();
        self.entries.retain(|frame| frame.channel != channel);
        self.bytes = self.entries.iter().map(|frame| frame.text.len()).sum();
        self.entries.len() < before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: ChannelId = ChannelId(1);
    const B: ChannelId = ChannelId(2);

    fn frame(channel: ChannelId, text: impl Into<String>) -> Waiting {
        Waiting { channel, action: Action::Message, text: text.into() }
    }

    fn pop(queue: &mut Queue) -> Option<String> {
        queue.pop().map(|frame| frame.text)
    }

    #[test]
    fn a_full_queue_refuses_the_new_frame_and_keeps_the_old_ones() {
        let mut queue = Queue::default();
        for number in 0..Queue::MAX_FRAMES {
            assert_eq!(queue.push(frame(A, number.to_string())), Ok(()));
        }
        assert_eq!(queue.push(frame(A, "one too many")), Err(Full));
        assert_eq!(pop(&mut queue).as_deref(), Some("0"));
        assert_eq!(queue.push(frame(A, "now")), Ok(()));
    }

    #[test]
    fn bytes_are_bounded_as_well() {
        let mut queue = Queue::default();
        assert_eq!(queue.push(frame(A, "x".repeat(Queue::MAX_BYTES))), Ok(()));
        assert_eq!(queue.push(frame(A, "x")), Err(Full));
        assert!(queue.pop().is_some());
        assert_eq!(queue.push(frame(A, "x")), Ok(()));
    }

    #[test]
    fn a_destroyed_channel_takes_its_frames_and_their_room_along() {
        let mut queue = Queue::default();
        assert_eq!(queue.push(frame(A, "x".repeat(Queue::MAX_BYTES - 1))), Ok(()));
        assert_eq!(queue.push(frame(B, "b")), Ok(()));
        assert!(queue.remove(A));
        assert!(!queue.remove(A));
        assert_eq!(queue.push(frame(A, "x".repeat(Queue::MAX_BYTES - 1))), Ok(()));
        assert_eq!(pop(&mut queue).as_deref(), Some("b"));
    }
}
