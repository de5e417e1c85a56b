//! RFC 6455 frames: bytes to frames and back, without IO.

use std::str;

use protocol::CloseCode;

/// The most a frame's header takes in either direction.
const MAX_HEADER: usize = 14;

/// Puts a client's bytes together to frames. Owns memory only while a frame or a fragmented message
/// is incomplete.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    /// Bytes of a frame that has not come whole.
    partial: Vec<u8>,
    /// The fragments so far of a message that has not come whole.
    message: Vec<u8>,
    in_message: bool,
}

/// One whole frame, or one whole message put together from its fragments.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Frame<'a> {
    Text(&'a str),
    Ping(&'a [u8]),
    Pong,
    /// With the peer's code, if it gave one.
    Close(Option<u16>),
}

/// A header, and where its frame lies in the bytes it was read from.
struct Header {
    fin: bool,
    opcode: u8,
    mask: [u8; 4],
    start: usize,
    end: usize,
}

const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

impl Decoder {
    /// Reads frames from `bytes`, which follow those of earlier calls, and gives each to `on_frame`
    /// until that returns false; what is then left is kept for the next call.
    ///
    /// An error is the code to close with: the peer broke the protocol, or sent a message of more
    /// than `limit` bytes.
    pub(crate) fn decode(
        &mut self,
        bytes: &mut [u8],
        limit: usize,
        mut on_frame: impl FnMut(Frame<'_>) -> bool,
    ) -> Result<(), CloseCode> {
        if self.partial.is_empty() {
            let used = self.decode_slice(bytes, limit, &mut on_frame)?;
            self.partial.extend_from_slice(&bytes[used..]);
            return Ok(());
        }
        let mut partial = std::mem::take(&mut self.partial);
        partial.extend_from_slice(bytes);
        let used = self.decode_slice(&mut partial, limit, &mut on_frame)?;
        if used < partial.len() {
            partial.drain(..used);
            self.partial = partial;
        }
        Ok(())
    }

    /// Whether a frame or a message has begun to come, or bytes wait.
    pub(crate) fn is_in_the_middle(&self) -> bool {
        self.has_rest() || self.in_message
    }

    /// Whether bytes wait that may hold whole frames, because `on_frame` returned false.
    pub(crate) fn has_rest(&self) -> bool {
        !self.partial.is_empty()
    }

    fn decode_slice(
        &mut self,
        bytes: &mut [u8],
        limit: usize,
        on_frame: &mut impl FnMut(Frame<'_>) -> bool,
    ) -> Result<usize, CloseCode> {
        let mut used = 0;
        while let Some(header) = Header::read(&bytes[used..], limit)? {
            let frame = &mut bytes[used..][header.start..header.end];
            used += header.end;
            unmask(frame, header.mask);
            let go_on = match header.opcode {
                TEXT if header.fin && !self.in_message => on_frame(Frame::Text(utf8(frame)?)),
                TEXT | CONTINUATION => match self.join_fragment(&header, frame, limit)? {
                    Some(message) => on_frame(Frame::Text(utf8(&message)?)),
                    None => true,
                },
                PING => on_frame(Frame::Ping(frame)),
                PONG => on_frame(Frame::Pong),
                CLOSE => on_frame(Frame::Close(close_code(frame)?)),
                BINARY => return Err(CloseCode::Unsupported),
                _ => return Err(CloseCode::ProtocolError),
            };
            if !go_on {
                break;
            }
        }
        Ok(used)
    }

    fn join_fragment(
        &mut self,
        header: &Header,
        part: &[u8],
        limit: usize,
    ) -> Result<Option<Vec<u8>>, CloseCode> {
        if (header.opcode == TEXT) == self.in_message {
            return Err(CloseCode::ProtocolError);
        }
        if self.message.len() + part.len() > limit {
            return Err(CloseCode::TooBig);
        }
        self.message.extend_from_slice(part);
        self.in_message = !header.fin;
        Ok(header.fin.then(|| std::mem::take(&mut self.message)))
    }
}

impl Header {
    /// The header at the beginning of `bytes`, once its frame has come whole.
    fn read(bytes: &[u8], limit: usize) -> Result<Option<Self>, CloseCode> {
        let [first, second, ..] = *bytes else { return Ok(None) };
        let (fin, reserved, opcode) = (first & 0x80 != 0, first & 0x70, first & 0x0F);
        let control = opcode >= 8;
        let masked = second & 0x80 != 0;
        let length = second & 0x7F;
        if reserved != 0 || !masked || (control && (!fin || length > 125)) {
            return Err(CloseCode::ProtocolError);
        }
        let (length, mask_at) = match length {
            126 => match bytes.get(2..4) {
                Some(&[a, b]) => (u64::from(u16::from_be_bytes([a, b])), 4),
                _ => return Ok(None),
            },
            127 => match bytes.get(2..10) {
                Some(length) => {
                    (length.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)), 10)
                }
                None => return Ok(None),
            },
            length => (u64::from(length), 2),
        };
        if length > limit as u64 {
            return Err(CloseCode::TooBig);
        }
        let start = mask_at + 4;
        let end = start + length as usize;
        if bytes.len() < end {
            return Ok(None);
        }
        let mask = [bytes[mask_at], bytes[mask_at + 1], bytes[mask_at + 2], bytes[mask_at + 3]];
        Ok(Some(Self { fin, opcode, mask, start, end }))
    }
}

/// Appends a text frame as servers send it: whole, not masked.
pub(crate) fn write_text(out: &mut Vec<u8>, text: &[u8]) {
    begin_text(out, text.len());
    out.extend_from_slice(text);
}

/// Appends the header of a text frame: as many bytes must follow.
pub(crate) fn begin_text(out: &mut Vec<u8>, length: usize) {
    out.reserve(MAX_HEADER + length);
    write_header(out, TEXT, length);
}

/// Appends a ping without content.
pub(crate) fn write_ping(out: &mut Vec<u8>) {
    write_header(out, PING, 0);
}

/// Appends the answer to a ping.
pub(crate) fn write_pong(out: &mut Vec<u8>, content: &[u8]) {
    write_header(out, PONG, content.len());
    out.extend_from_slice(content);
}

/// Appends a close frame.
pub(crate) fn write_close(out: &mut Vec<u8>, code: u16, reason: &str) {
    write_header(out, CLOSE, 2 + reason.len());
    out.extend_from_slice(&code.to_be_bytes());
    out.extend_from_slice(reason.as_bytes());
}

/// The length, header included, of the frame at the beginning of `bytes`, as this module wrote it.
pub(crate) fn server_frame_len(bytes: &[u8]) -> usize {
    match bytes[1] {
        126 => 4 + usize::from(u16::from_be_bytes([bytes[2], bytes[3]])),
        127 => 10 + bytes[2..10].iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)),
        length => 2 + usize::from(length),
    }
}

/// The length of the header alone.
pub(crate) const fn server_header_len(bytes: &[u8]) -> usize {
    match bytes[1] {
        126 => 4,
        127 => 10,
        _ => 2,
    }
}

fn write_header(out: &mut Vec<u8>, opcode: u8, length: usize) {
    out.push(0x80 | opcode);
    if length < 126 {
        out.push(length as u8);
    } else if let Ok(length) = u16::try_from(length) {
        out.push(126);
        out.extend_from_slice(&length.to_be_bytes());
    } else {
        out.push(127);
        out.extend_from_slice(&(length as u64).to_be_bytes());
    }
}

fn unmask(bytes: &mut [u8], mask: [u8; 4]) {
    let wide = u32::from_ne_bytes(mask);
    let mut words = bytes.chunks_exact_mut(4);
    for word in &mut words {
        let plain = u32::from_ne_bytes([word[0], word[1], word[2], word[3]]) ^ wide;
        word.copy_from_slice(&plain.to_ne_bytes());
    }
    for (byte, mask) in words.into_remainder().iter_mut().zip(mask) {
        *byte ^= mask;
    }
}

fn utf8(bytes: &[u8]) -> Result<&str, CloseCode> {
    str::from_utf8(bytes).map_err(|_| CloseCode::InvalidText)
}

/// The code in a close frame; one that RFC 6455 forbids on the wire breaks the protocol.
fn close_code(content: &[u8]) -> Result<Option<u16>, CloseCode> {
    match *content {
        [] => Ok(None),
        [_] => Err(CloseCode::ProtocolError),
        [a, b, ref reason @ ..] => {
            utf8(reason)?;
            match u16::from_be_bytes([a, b]) {
                code @ (1000..=1003 | 1007..=1014 | 3000..=4999) => Ok(Some(code)),
                _ => Err(CloseCode::ProtocolError),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(first: u8, content: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        write_header(&mut bytes, 0, content.len());
        bytes[0] = first;
        bytes[1] |= 0x80;
        let mask = [1, 2, 3, 4];
        bytes.extend_from_slice(&mask);
        bytes.extend(content.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        bytes
    }

    fn decode(decoder: &mut Decoder, bytes: &[u8]) -> Result<Vec<String>, CloseCode> {
        let mut frames = Vec::new();
        let mut bytes = bytes.to_vec();
        decoder.decode(&mut bytes, 1_000, |frame| {
            frames.push(match frame {
                Frame::Text(text) => text.to_owned(),
                other => format!("{other:?}"),
            });
            true
        })?;
        Ok(frames)
    }

    fn check(bytes: &[u8], expected: Result<&[&str], CloseCode>) {
        let expected =
            expected.map(|frames| frames.iter().map(|&frame| frame.to_owned()).collect());
        assert_eq!(decode(&mut Decoder::default(), bytes), expected);
        let mut one_by_one = Decoder::default();
        let result: Result<Vec<_>, _> =
            bytes.iter().map(|byte| decode(&mut one_by_one, &[*byte])).collect();
        assert_eq!(result.map(|frames| frames.concat()), expected, "byte by byte");
        assert!(expected.is_err() || !one_by_one.has_rest());
    }

    #[test]
    fn frames_come_out_however_the_bytes_arrive() {
        check(
            &[masked(0x81, b"one"), masked(0x81, "zw\u{f6}lf".as_bytes())].concat(),
            Ok(&["one", "zwölf"]),
        );
        check(&masked(0x81, &[b'x'; 300]), Ok(&[&"x".repeat(300)]));
        check(&masked(0x81, b""), Ok(&[""]));
    }

    #[test]
    fn fragments_are_one_message_and_control_frames_may_come_between() {
        let bytes =
            [masked(0x01, b"a"), masked(0x89, b"!"), masked(0x00, b"b"), masked(0x80, b"c")]
                .concat();
        check(&bytes, Ok(&["Ping([33])", "abc"]));
    }

    #[test]
    fn what_breaks_the_protocol_is_refused_with_its_code() {
        check(&[0x81, 0x01, b'x'], Err(CloseCode::ProtocolError));
        check(&masked(0xC1, b"x"), Err(CloseCode::ProtocolError));
        check(&masked(0x83, b"x"), Err(CloseCode::ProtocolError));
        check(&masked(0x80, b"continues nothing"), Err(CloseCode::ProtocolError));
        check(&[masked(0x01, b"a"), masked(0x81, b"b")].concat(), Err(CloseCode::ProtocolError));
        check(&masked(0x09, b"fragmented ping"), Err(CloseCode::ProtocolError));
        check(&masked(0x88, &[3]), Err(CloseCode::ProtocolError));
        check(&masked(0x88, &1005_u16.to_be_bytes()), Err(CloseCode::ProtocolError));
        check(&masked(0x82, b"binary"), Err(CloseCode::Unsupported));
        check(&masked(0x81, &[0xFF]), Err(CloseCode::InvalidText));
        check(&masked(0x81, &[b'x'; 1_001]), Err(CloseCode::TooBig));
        check(
            &[masked(0x01, &[b'x'; 600]), masked(0x80, &[b'x'; 600])].concat(),
            Err(CloseCode::TooBig),
        );
    }

    #[test]
    fn a_frame_that_announces_too_much_is_refused_before_it_comes() {
        let header = [0x81, 0xFF, 0x7F, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(decode(&mut Decoder::default(), &header), Err(CloseCode::TooBig));
    }

    #[test]
    fn a_reader_that_stops_goes_on_where_it_stopped() {
        let mut bytes = [masked(0x81, b"one"), masked(0x81, b"two")].concat();
        let mut decoder = Decoder::default();
        let mut seen = 0;
        decoder
            .decode(&mut bytes, 1_000, |_| {
                seen += 1;
                false
            })
            .expect("both frames are right");
        assert_eq!((seen, decoder.has_rest()), (1, true));
        assert_eq!(decode(&mut decoder, &[]), Ok(vec!["two".to_owned()]));
    }

    #[test]
    fn the_length_of_a_written_frame_can_be_read_back() {
        for length in [0, 125, 126, 65_535, 65_536] {
            let mut out = Vec::new();
            write_text(&mut out, &vec![b'x'; length]);
            assert_eq!(server_frame_len(&out), out.len());
        }
    }
}
