//! Several frames as one message: a JSON array, for members that have asked for it.

use std::collections::VecDeque;

/// How large a message of several frames may be, in bytes. A frame that is larger alone comes alone.
///
/// Readers that are slow keep the rest of a message that their socket took half of, so this is what
/// each of them may cost; and a TLS record holds as much.
pub const MAX_BATCH: usize = 16 << 10;

/// The next of several messages.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Fit {
    /// How many frames it has: one alone is sent as it is.
    pub count: usize,
    /// Its size as an array, in bytes.
    pub size: usize,
}

/// How many frames of these lengths the next message has: as many as it may hold, and one at least.
pub fn fit(lengths: impl IntoIterator<Item = usize>) -> Fit {
    let mut fit = Fit { count: 0, size: "[".len() };
    for length in lengths {
        let size = fit.size + length + ",".len();
        if fit.count > 0 && size > MAX_BATCH {
            break;
        }
        fit = Fit { count: fit.count + 1, size };
    }
    fit
}

/// Appends an array of frames.
pub fn write_array<'a>(frames: impl IntoIterator<Item = &'a [u8]>, out: &mut Vec<u8>) {
    let mut before = b'[';
    for frame in frames {
        out.push(before);
        out.extend_from_slice(frame);
        before = b',';
    }
    out.push(b']');
}

/// All of these frames, in as few messages as there may be.
pub(crate) fn messages(frames: impl IntoIterator<Item = Vec<u8>>) -> Vec<Vec<u8>> {
    let mut frames: VecDeque<_> = frames.into_iter().collect();
    let mut messages = Vec::new();
    while !frames.is_empty() {
        let Fit { count, size } = fit(frames.iter().map(Vec::len));
        if count == 1 {
            messages.extend(frames.pop_front());
            continue;
        }
        let mut message = Vec::with_capacity(size);
        write_array(frames.range(..count).map(Vec::as_slice), &mut message);
        frames.drain(..count);
        messages.push(message);
    }
    messages
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(lengths: &[usize]) -> Vec<Vec<u8>> {
        lengths.iter().map(|length| vec![b'1'; *length]).collect()
    }

    #[test]
    fn a_message_is_as_large_as_it_may_be_and_no_larger() {
        let half = MAX_BATCH / 2;
        // Two brackets and a comma.
        for (lengths, sizes) in [
            (vec![], vec![]),
            (vec![5], vec![5]),
            (vec![5, 6], vec![14]),
            (vec![half - 1, half - 2], vec![MAX_BATCH]),
            (vec![half - 1, half - 1], vec![half - 1, half - 1]),
            (vec![half, half - 4, 1], vec![MAX_BATCH - 1, 1]),
            (vec![1, MAX_BATCH, 1, 1], vec![1, MAX_BATCH, 5]),
            (vec![2 * MAX_BATCH, 2 * MAX_BATCH], vec![2 * MAX_BATCH, 2 * MAX_BATCH]),
        ] {
            let messages = messages(frames(&lengths));
            assert_eq!(messages.iter().map(Vec::len).collect::<Vec<_>>(), sizes, "{lengths:?}");
        }
    }

    #[test]
    fn what_was_put_together_is_as_it_was() {
        let texts: Vec<_> = (0..5_000).map(|n| format!(r#"{{"n":{n}}}"#).into_bytes()).collect();
        let messages = messages(texts);
        assert_eq!(messages.len(), 4);
        let read = messages.iter().flat_map(|message| {
            let frames: Vec<serde_json::Value> =
                serde_json::from_slice(message).expect("a message is an array");
            frames
        });
        assert!(read.map(|frame| frame["n"].as_u64()).eq((0..5_000).map(Some)));
    }
}
