//! What goes over a connection: frames, and the numbers in them by which every delivery is checked.

use anyhow::{Context as _, Result, bail};

/// Where a message comes from and which of its sender's it is, from 1 on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Number {
    pub(crate) publisher: usize,
    pub(crate) count: u64,
}

/// What a frame of a server is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Frame<'a> {
    /// Of this many bytes, all told.
    Publication(Number, usize),
    Ack,
    /// To a join or a leave.
    Answer(&'a [u8]),
    Presence(&'a [u8]),
    Ping,
    Other,
}

/// A frame as it came: what kind, and what is in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Raw<'a> {
    opcode: u8,
    pub(crate) content: &'a [u8],
}

/// The first frame, if it is whole, and what comes behind it.
pub(crate) fn split(bytes: &[u8]) -> Option<(Raw<'_>, &[u8])> {
    let (head, length) = match *bytes.get(1)? {
        126 => (4, usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?]))),
        127 => (10, u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?) as usize),
        length => (2, usize::from(length)),
    };
    let (content, behind) = bytes.get(head..)?.split_at_checked(length)?;
    Some((Raw { opcode: bytes[0] & 0x0f, content }, behind))
}

impl<'a> Raw<'a> {
    /// What it is; `place` remembers where in a publication its number stands.
    pub(crate) fn read(self, place: &mut Option<usize>) -> Result<Frame<'a>> {
        let content = self.content;
        match self.opcode {
            TEXT | BINARY => {}
            PING => return Ok(Frame::Ping),
            CLOSE => {
                let code = content.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code));
                let why = String::from_utf8_lossy(content.get(2..).unwrap_or_default());
                bail!("the server closes a connection with {code} {why}");
            }
            _ => return Ok(Frame::Other),
        }
        let Some(action) = content.strip_prefix(ACTION) else {
            let number = number(content, 2).context("a message without a number came")?;
            return Ok(Frame::Publication(number, content.len()));
        };
        match action {
            [b'm', ..] => {
                let found = match *place {
                    Some(place) if content[..place].ends_with(b"\"#") => place,
                    _ => find(content).context("a message without a number came")?,
                };
                *place = Some(found);
                let number = number(content, found).context("a message's number is cut off")?;
                Ok(Frame::Publication(number, content.len()))
            }
            [b'a', ..] => Ok(Frame::Ack),
            [b'j' | b'l', ..] => Ok(Frame::Answer(content)),
            [b'p', b'r', ..] => Ok(Frame::Presence(content)),
            [b'e', b'r', ..] => bail!("the server says {}", String::from_utf8_lossy(content)),
            _ => Ok(Frame::Other),
        }
    }
}

fn find(content: &[u8]) -> Option<usize> {
    let marks = content.windows(2).enumerate().filter(|(_, window)| *window == b"\"#");
    marks.map(|(place, _)| place + 2).find(|place| number(content, *place).is_some())
}

fn number(content: &[u8], place: usize) -> Option<Number> {
    let digits = content.get(place..place + PUBLISHER + COUNT)?;
    let (publisher, count) = digits.split_at(PUBLISHER);
    let decimal = |digits: &[u8]| {
        digits.iter().try_fold(0, |number, digit| {
            digit.is_ascii_digit().then(|| number * 10 + u64::from(digit - b'0'))
        })
    };
    Some(Number { publisher: decimal(publisher)? as usize, count: decimal(count)? })
}

/// A client's text frame, with a mask of zeros.
pub(crate) fn frame(text: &str) -> Vec<u8> {
    let mut bytes = vec![0x80 | TEXT];
    match u16::try_from(text.len()) {
        Ok(length @ 0..126) => bytes.push(0x80 | length as u8),
        Ok(length) => {
            bytes.push(0x80 | 126);
            bytes.extend_from_slice(&length.to_be_bytes());
        }
        Err(_) => {
            bytes.push(0x80 | 127);
            bytes.extend_from_slice(&(text.len() as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

/// A payload of so many bytes as JSON, with its number.
pub(crate) fn payload(number: Number, bytes: usize) -> String {
    let Number { publisher, count } = number;
    let rest = bytes.saturating_sub(PUBLISHER + COUNT + 3);
    format!("\"#{publisher:0PUBLISHER$}{count:0COUNT$}{:x<rest$}\"", "")
}

/// The empty pong, masked with zeros.
pub(crate) const PONG: &[u8] = &[0x8a, 0x80, 0, 0, 0, 0];
/// What is measured unless it is said otherwise.
pub(crate) const PAYLOAD: usize = 128;

const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const ACTION: &[u8] = br#"{"action":""#;
const PUBLISHER: usize = 3;
const COUNT: usize = 9;

#[cfg(test)]
mod tests {
    use super::*;

    const SEVENTH: Number = Number { publisher: 3, count: 7 };

    /// As a server sends it.
    fn unmasked(text: &str) -> Vec<u8> {
        let mut bytes = frame(text);
        let head = bytes.len() - text.len();
        bytes.drain(head - 4..head);
        bytes[1] &= 0x7f;
        bytes
    }

    #[test]
    fn a_payload_has_the_bytes_that_were_asked_for() {
        for bytes in [16, 128, 65_536] {
            assert_eq!(payload(SEVENTH, bytes).len(), bytes);
        }
    }

    #[test]
    fn a_number_is_found_in_a_plain_message_and_in_an_envelope() {
        let payload = payload(SEVENTH, 128);
        let envelope =
            format!(r##"{{"action":"message","client":{{"name":"#no"}},"payload":{payload}}}"##);
        for text in [&payload, &envelope] {
            let bytes = unmasked(text);
            let (raw, behind) = split(&bytes).expect("it is whole");
            assert!(behind.is_empty());
            let mut place = None;
            for _ in 0..2 {
                let read = raw.read(&mut place).expect("it has a number");
                assert_eq!(read, Frame::Publication(SEVENTH, text.len()));
            }
        }
    }

    #[test]
    fn a_frame_is_taken_when_it_is_whole() {
        for length in [3, 126, 70_000] {
            let bytes = unmasked(&"x".repeat(length));
            for end in 0..bytes.len().min(20) {
                assert!(split(&bytes[..end]).is_none());
            }
            let (raw, _) = split(&bytes).expect("it is whole");
            assert_eq!(raw.content.len(), length);
        }
    }

    #[test]
    fn an_error_and_a_close_are_told_in_the_servers_words() {
        let error = unmasked(r#"{"action":"error","payload":{"code":"rate_limited"}}"#);
        let close = [0x88, 4, 0x03, 0xf5, b'n', b'o'];
        for (bytes, told) in [(&error[..], "rate_limited"), (&close[..], "1013 no")] {
            let (raw, _) = split(bytes).expect("it is whole");
            let error = raw.read(&mut None).expect_err("it is none to go on after");
            assert!(error.to_string().contains(told), "{error}");
        }
    }
}
