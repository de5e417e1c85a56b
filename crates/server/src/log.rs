//! What the members of a channel are to read, as the bytes that go onto the wire.
//!
//! Positions count bytes from the log's birth, so a member's cursor stays right when what everybody
//! has read is dropped.

use crate::transport::frame;

/// A run of complete WebSocket frames.
#[derive(Debug, Default)]
pub(crate) struct Log {
    /// The position of the first byte held.
    base: u64,
    bytes: Vec<u8>,
    /// The position at which the newest frame begins.
    newest: u64,
}

impl Log {
    /// Appends a text frame.
    pub(crate) fn push_text(&mut self, text: &[u8]) {
        self.newest = self.head();
        frame::write_text(&mut self.bytes, text);
    }

    /// The position behind the newest frame.
    pub(crate) fn head(&self) -> u64 {
        self.base + self.bytes.len() as u64
    }

    /// The frames from `cursor`, which must be a frame's beginning, to the head.
    pub(crate) fn from(&self, cursor: u64) -> &[u8] {
        &self.bytes[(cursor - self.base) as usize..]
    }

    /// The size of the newest frame, as far as it is held.
    pub(crate) fn newest_len(&self) -> usize {
        (self.head() - self.newest.max(self.base)) as usize
    }

    /// Drops what is before `position`; all cursors must be there or beyond.
    pub(crate) fn drop_until(&mut self, position: u64) {
        if position == self.head() {
            // Idle channels are many and bursts are rare: an empty log owns no memory.
            self.bytes = Vec::new();
        } else {
            self.bytes.drain(..(position - self.base) as usize);
        }
        self.base = position;
    }

    /// How many bytes are held.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Where a reader is that was sent `count` bytes from `cursor`: the end of the frame that the
    /// last of them belongs to, and the part of that frame that was not sent.
    pub(crate) fn advance(&self, cursor: u64, count: usize) -> (u64, &[u8]) {
        let unread = self.from(cursor);
        if count == unread.len() {
            // As a rule a socket takes all, and then no frame need be looked at.
            return (self.head(), &[]);
        }
        let mut end = 0;
        while end < count {
            end += frame::server_frame_len(&unread[end..]);
        }
        (cursor + end as u64, &unread[count..end])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partly_sent_frame_is_finished_from_a_copy() {
        let mut log = Log::default();
        log.push_text(b"one");
        log.push_text(&[b'x'; 200]);
        let start = log.head();
        log.push_text(b"three");
        assert_eq!(log.advance(0, 5), (5, &[][..]));
        let (cursor, rest) = log.advance(0, 7);
        assert_eq!((cursor, rest.len()), (start, 202));
        assert_eq!(log.from(cursor), [&[0x81, 5][..], b"three"].concat());
    }

    #[test]
    fn dropping_what_was_read_moves_no_cursor() {
        let mut log = Log::default();
        log.push_text(b"one");
        log.push_text(b"two");
        log.drop_until(5);
        assert_eq!(log.from(5), b"\x81\x03two");
        log.drop_until(10);
        assert_eq!((log.len(), log.head()), (0, 10));
        log.push_text(b"late");
        assert_eq!(log.from(10), b"\x81\x04late");
    }
}
