//! One subscriber: reads frames, and sees that every publication comes once and in order.

use std::io::{self, Read, Write};
use std::net::TcpStream as BlockingStream;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use mio::net::TcpStream;

/// A connection that counts what it gets.
pub(crate) struct Reader {
    pub(crate) stream: TcpStream,
    /// Bytes of a frame that has not come whole.
    rest: Vec<u8>,
    /// Where in a frame the number is; the same in all frames of one publisher.
    place: Option<usize>,
    next: u64,
}

/// What one turn has brought.
#[derive(Clone, Copy, Default)]
pub(crate) struct Count {
    pub(crate) publications: u64,
    pub(crate) others: u64,
}

impl Reader {
    /// Connects and, if there is something to say first, says it and reads the answer.
    pub(crate) fn connect(port: u16, path: &str, first: Option<&str>) -> Result<Self> {
        let mut stream = BlockingStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(head.as_bytes())?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).context("the handshake is not answered")?;
            head.push(byte[0]);
        }
        if !head.starts_with(b"HTTP/1.1 101") {
            bail!("the handshake is refused: {}", String::from_utf8_lossy(&head));
        }
        let mut reader = Self {
            stream: TcpStream::from_std(stream.try_clone()?),
            rest: Vec::new(),
            place: None,
            next: 1,
        };
        if let Some(first) = first {
            stream.write_all(&frame(first))?;
            let mut buffer = [0; 4_096];
            let mut others = 0;
            while others == 0 {
                let count = stream.read(&mut buffer).context("the join is not answered")?;
                others = reader.take(&buffer[..count])?.others;
            }
        }
        stream.set_nonblocking(true)?;
        Ok(reader)
    }

    /// Reads what has come.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<Count> {
        let mut total = Count::default();
        loop {
            match self.stream.read(buffer) {
                Ok(0) => bail!("the server closed a connection"),
                Ok(count) => {
                    let Count { publications, others } = self.take(&buffer[..count])?;
                    total.publications += publications;
                    total.others += others;
                    if count < buffer.len() {
                        return Ok(total);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(total),
                Err(error) => return Err(error).context("a connection broke"),
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) -> Result<Count> {
        let mut rest = std::mem::take(&mut self.rest);
        let mut input = bytes;
        if !rest.is_empty() {
            rest.extend_from_slice(bytes);
            input = &rest;
        }
        let mut count = Count::default();
        while let Some((content, behind)) = split(input) {
            match self.number(content) {
                None => count.others += 1,
                Some(number) if number == self.next => {
                    self.next += 1;
                    count.publications += 1;
                }
                Some(number) => bail!("publication {number} came in place of {}", self.next),
            }
            input = behind;
        }
        self.rest = input.to_vec();
        Ok(count)
    }

    /// The number that a publication carries in its payload, behind a `#`.
    fn number(&mut self, content: &[u8]) -> Option<u64> {
        let place = match self.place {
            Some(place) => place,
            None => content.windows(3).position(|window| window == b"\"#0")? + 2,
        };
        if content.get(place - 1) != Some(&b'#') {
            return None;
        }
        self.place = Some(place);
        let digits = content.get(place..place + DIGITS)?;
        Some(digits.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
    }
}

/// The content of the first frame, if it is whole, and what comes behind it.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (head, length) = match *bytes.get(1)? {
        126 => (4, usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?]))),
        127 => (10, u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?) as usize),
        length => (2, usize::from(length)),
    };
    bytes.get(head..)?.split_at_checked(length)
}

/// A client's text frame, with a mask of zeros.
pub(crate) fn frame(text: &str) -> Vec<u8> {
    let mut bytes = vec![0x81];
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

/// A payload of 128 characters as JSON, with its number.
pub(crate) fn payload(number: u64) -> String {
    format!("\"#{number:0DIGITS$}{:x<1$}\"", "", 127 - DIGITS)
}

const DIGITS: usize = 12;
