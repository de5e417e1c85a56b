//! What waits in a log, as the few messages that a reader wants who has asked for batches.

use std::iter;

use hub::batch::{self, Fit};

use crate::transport::frame;

/// A part of a log as such messages, made once for all readers that have come equally far.
#[derive(Debug)]
pub(super) struct Batch {
    /// It is for readers that are here,
    cursor: u64,
    /// as long as the log goes to here.
    head: u64,
    bytes: Vec<u8>,
    messages: Vec<End>,
}

/// Where a message ends.
#[derive(Clone, Copy, Debug)]
struct End {
    /// In the batch.
    at: usize,
    /// In the log, behind the last of its frames.
    cursor: u64,
}

impl Batch {
    /// The messages for who is at `cursor`, where `unread` lies between it and the log's head: all of
    /// them, or as many as are worth being made at once.
    pub(super) fn new(cursor: u64, unread: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(unread.len().min(ENOUGH + batch::MAX_BATCH));
        let mut messages = Vec::new();
        let mut read = 0;
        while read < unread.len() && bytes.len() < ENOUGH {
            read += write_next(&unread[read..], &mut bytes);
            messages.push(End { at: bytes.len(), cursor: cursor + read as u64 });
        }
        Self { cursor, head: cursor + unread.len() as u64, bytes, messages }
    }

    pub(super) const fn is_for(&self, cursor: u64, head: u64) -> bool {
        self.cursor == cursor && self.head == head
    }

    /// Whether the log goes no further.
    pub(super) fn is_all(&self) -> bool {
        self.messages.last().is_some_and(|end| end.cursor == self.head)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Where a reader is that was sent the first `count` bytes: the end, in the log, of the message
    /// that the last of them belongs to, and the part of that message that was not sent.
    pub(super) fn advance(&self, count: usize) -> (u64, &[u8]) {
        let begun = self.messages.iter().find(|end| end.at >= count);
        match begun.filter(|_| count > 0) {
            Some(end) => (end.cursor, &self.bytes[count..end.at]),
            None => (self.cursor, &[]),
        }
    }
}

/// Whether it makes a difference that a reader wants batches.
pub(super) fn is_worth_it(unread: &[u8]) -> bool {
    unread.len() > frame::server_frame_len(unread)
}

/// Appends all of a log's `unread` frames, as few messages.
pub(super) fn write_all(mut unread: &[u8], out: &mut Vec<u8>) {
    while !unread.is_empty() {
        unread = &unread[write_next(unread, out)..];
    }
}

/// Appends one message; how much of what is `unread` is in it.
fn write_next(unread: &[u8], out: &mut Vec<u8>) -> usize {
    let Fit { count, size } = batch::fit(frames(unread).map(|frame| text(frame).len()));
    let read = frames(unread).take(count).map(<[u8]>::len).sum();
    if count == 1 {
        out.extend_from_slice(&unread[..read]);
    } else {
        frame::begin_text(out, size);
        batch::write_array(frames(&unread[..read]).map(text), out);
    }
    read
}

/// The frames one by one, headers included.
fn frames(mut rest: &[u8]) -> impl Iterator<Item = &[u8]> {
    iter::from_fn(move || {
        let length = rest.first().map(|_| frame::server_frame_len(rest))?;
        rest.split_off(..length)
    })
}

fn text(frame: &[u8]) -> &[u8] {
    &frame[frame::server_header_len(frame)..]
}

/// How many bytes of messages are made at once at most, give or take one message: a reader that is
/// far behind has hardly room for more.
const ENOUGH: usize = 128 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn log(texts: &[Vec<u8>]) -> Vec<u8> {
        let mut log = Vec::new();
        texts.iter().for_each(|text| frame::write_text(&mut log, text));
        log
    }

    /// Texts of all sizes that matter, the same in every run; each tells its number.
    fn texts(seed: usize) -> Vec<Vec<u8>> {
        let sizes = [9, 120, 130, 1_000, 5_000, 16_380, 16_390, 70_000, 9, 9];
        let size = |n: usize| sizes[(n * n + n / 3 + seed) % sizes.len()];
        let text = |n: usize| {
            let mut text = format!("{n} ").into_bytes();
            text.resize(size(n), b'x');
            text
        };
        (0..40 + seed).map(text).collect()
    }

    /// Takes messages apart; no array is larger than it may be.
    fn read(messages: &[u8]) -> Vec<Vec<u8>> {
        let mut read = Vec::new();
        for text in frames(messages).map(text) {
            match text.strip_prefix(b"[").and_then(|text| text.strip_suffix(b"]")) {
                Some(texts) => {
                    assert!(text.len() <= batch::MAX_BATCH, "{}", text.len());
                    read.extend(texts.split(|byte| *byte == b',').map(<[u8]>::to_vec));
                }
                None => read.push(text.to_vec()),
            }
        }
        read
    }

    #[test]
    fn what_waits_is_told_once_and_in_order_in_few_messages() {
        for seed in 0..10 {
            let (texts, mut all) = (texts(seed), Vec::new());
            write_all(&log(&texts), &mut all);
            assert_eq!(read(&all), texts);
            let (messages, most) = (frames(&all).count(), texts.len() * 9 / 10);
            assert!(messages < most, "{messages} messages for {} frames", texts.len());
        }
    }

    #[test]
    fn a_frame_alone_is_left_as_it_is() {
        for size in [5, 200, 70_000] {
            let alone = log(&[vec![b'x'; size]]);
            assert!(!is_worth_it(&alone) && is_worth_it(&alone.repeat(2)));
            let mut out = Vec::new();
            write_all(&alone, &mut out);
            assert_eq!(out, alone);
        }
    }

    #[test]
    fn however_much_is_sent_at_a_time_every_frame_comes_once_and_in_order() {
        for step in [1, 3, 127, 4_096, 16_384, 16_389, 100_000, usize::MAX] {
            let texts = texts(step % 10);
            let log = log(&texts);
            let (mut cursor, mut sent) = (0, Vec::new());
            while cursor < log.len() as u64 {
                let batch = Batch::new(cursor, &log[cursor as usize..]);
                assert!(batch.is_for(cursor, log.len() as u64));
                assert_eq!(batch.advance(0), (cursor, &[][..]), "who got nothing has not moved");
                let count = batch.bytes().len().min(step);
                let (next, unsent) = batch.advance(count);
                assert!(next > cursor, "who got something has");
                sent.extend_from_slice(&batch.bytes()[..count]);
                // As the outbox does before anything else.
                sent.extend_from_slice(unsent);
                cursor = next;
            }
            assert_eq!(cursor, log.len() as u64);
            assert_eq!(read(&sent), texts, "{step} bytes at a time");
        }
    }

    #[test]
    fn what_is_made_at_once_has_a_bound() {
        let log = log(&vec![vec![b'x'; 1_000]; 2_000]);
        let batch = Batch::new(7, &log);
        let made = batch.bytes().len();
        assert!((ENOUGH..ENOUGH + batch::MAX_BATCH + 4).contains(&made), "{made}");
        let (cursor, unsent) = batch.advance(made);
        assert!(unsent.is_empty() && cursor > 100_000, "{cursor}");
        assert!(batch.bytes.capacity() < 2 * ENOUGH);
    }
}
