//! One connection: reads frames, and sees that every publication comes once and in order.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream as BlockingStream;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use mio::net::TcpStream;
use rustls::{ClientConfig, ClientConnection};

use crate::subject::Running;
use crate::wire::{Frame, Number, PONG, frame, split};

/// A connection that checks what it gets.
pub(crate) struct Reader {
    pub(crate) link: Link<TcpStream>,
    pub(crate) order: Order,
    /// It has stopped reading.
    pub(crate) stalled: bool,
    /// What could not be sent at once.
    unsent: Vec<u8>,
}

/// A connection on its way to be one that waits for nobody.
pub(crate) struct Opening {
    link: Link<BlockingStream>,
    order: Order,
}

/// Bytes in, out of a socket, through TLS or not.
pub(crate) struct Link<S> {
    pub(crate) socket: S,
    tls: Option<Box<ClientConnection>>,
}

/// What has come on one connection, in its order.
#[derive(Default)]
pub(crate) struct Order {
    /// Bytes of a frame that has not come whole.
    rest: Vec<u8>,
    /// Where in a publication its number is.
    place: Option<usize>,
    /// Of each publisher, how many have come.
    seen: Vec<u64>,
    pub(crate) bytes: u64,
}

impl Opening {
    /// Connects and asks for a WebSocket, without waiting for the answer.
    pub(crate) fn start(server: &Running, channel: usize) -> Result<Self> {
        let socket = BlockingStream::connect(("127.0.0.1", server.port)).context(
            "cannot connect; a process may have too few files open (`ulimit -n`), or the ports are used up",
        )?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        let tls = server.tls.as_ref().map(client).transpose()?;
        let mut link = Link { socket, tls };
        let head = format!(
            "GET {} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            server.path(channel)
        );
        link.write_all(head.as_bytes())?;
        Ok(Self { link, order: Order::default() })
    }

    /// Reads the answer to what [`Self::start`] has asked.
    pub(crate) fn finish(&mut self) -> Result<()> {
        let mut head = Vec::new();
        let mut buffer = [0; 1_024];
        loop {
            let count = self.link.read(&mut buffer).context("the handshake is not answered")?;
            if count == 0 {
                bail!("the server closed a connection in the handshake");
            }
            head.extend_from_slice(&buffer[..count]);
            if let Some(end) = head.windows(4).position(|window| window == b"\r\n\r\n") {
                if !head.starts_with(b"HTTP/1.1 101") {
                    bail!("the handshake is refused: {}", String::from_utf8_lossy(&head));
                }
                return self.order.take(&head[end + 4..], |_| {});
            }
        }
    }

    pub(crate) fn send(&mut self, text: &str) -> Result<()> {
        Ok(self.link.write_all(&frame(text))?)
    }

    /// Says nothing, so that it has been said: servers take a pong that they have not asked for.
    pub(crate) fn greet(&mut self) -> Result<()> {
        Ok(self.link.write_all(PONG)?)
    }

    /// Waits for the answer to a join; what else comes is checked, and goes to `on`.
    pub(crate) fn answer(&mut self, mut on: impl FnMut(Frame<'_>)) -> Result<String> {
        let mut answer = None;
        let mut buffer = vec![0; 16 << 10];
        loop {
            let count = self.link.read(&mut buffer).context("the join is not answered")?;
            if count == 0 {
                bail!("the server closed a connection that wanted to join");
            }
            self.order.take(&buffer[..count], |frame| match frame {
                Frame::Answer(text) => answer = Some(String::from_utf8_lossy(text).into_owned()),
                other => on(other),
            })?;
            if let Some(answer) = answer {
                return Ok(answer);
            }
        }
    }

    pub(crate) fn done(self) -> Result<Reader> {
        let Link { socket, tls } = self.link;
        socket.set_nonblocking(true)?;
        let link = Link { socket: TcpStream::from_std(socket), tls };
        Ok(Reader { link, order: self.order, stalled: false, unsent: Vec::new() })
    }
}

fn client(config: &Arc<ClientConfig>) -> Result<Box<ClientConnection>> {
    let name = "localhost".try_into().context("localhost is no name")?;
    Ok(Box::new(ClientConnection::new(Arc::clone(config), name)?))
}

impl Reader {
    /// Reads what has come.
    pub(crate) fn read(&mut self, buffer: &mut [u8], mut on: impl FnMut(Frame<'_>)) -> Result<()> {
        let whole = self.link.tls.is_none();
        while let Some(count) = self.read_once(buffer, &mut on)? {
            if whole && count < buffer.len() {
                break;
            }
        }
        Ok(())
    }

    /// Reads once; nothing when there is nothing.
    pub(crate) fn read_once(
        &mut self,
        buffer: &mut [u8],
        mut on: impl FnMut(Frame<'_>),
    ) -> Result<Option<usize>> {
        let count = match self.link.read(buffer) {
            Ok(0) => bail!("the server closed a connection"),
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error).context("a connection broke"),
        };
        let mut pings = 0;
        self.order.take(&buffer[..count], |frame| match frame {
            Frame::Ping => pings += 1,
            other => on(other),
        })?;
        for _ in 0..pings {
            self.send_bytes(PONG)?;
        }
        Ok(Some(count))
    }

    /// Sends a text, as much of it as the socket takes; says whether that was all.
    pub(crate) fn send(&mut self, text: &str) -> Result<bool> {
        self.send_bytes(&frame(text))
    }

    fn send_bytes(&mut self, bytes: &[u8]) -> Result<bool> {
        self.unsent.extend_from_slice(bytes);
        self.flush()
    }

    /// Goes on with what [`Self::send`] has left.
    pub(crate) fn flush(&mut self) -> Result<bool> {
        let mut sent = 0;
        while sent < self.unsent.len() {
            match self.link.write(&self.unsent[sent..]) {
                Ok(count) => sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error).context("a connection broke"),
            }
        }
        self.unsent.drain(..sent);
        Ok(self.unsent.is_empty())
    }
}

impl Order {
    /// Reads frames, and fails when a publication is not the one after the last.
    pub(crate) fn take(&mut self, bytes: &[u8], mut on: impl FnMut(Frame<'_>)) -> Result<()> {
        self.bytes += bytes.len() as u64;
        let mut rest = std::mem::take(&mut self.rest);
        let mut input = bytes;
        if !rest.is_empty() {
            rest.extend_from_slice(bytes);
            input = &rest;
        }
        while let Some((raw, behind)) = split(input) {
            let frame = raw.read(&mut self.place)?;
            if let Frame::Publication(number, _) = frame {
                self.see(number)?;
            }
            on(frame);
            input = behind;
        }
        self.rest = input.to_vec();
        Ok(())
    }

    fn see(&mut self, Number { publisher, count }: Number) -> Result<()> {
        if self.seen.len() <= publisher {
            self.seen.resize(publisher + 1, 0);
        }
        let seen = &mut self.seen[publisher];
        match count.checked_sub(*seen) {
            Some(1) => *seen = count,
            Some(0) | None => bail!("message {count} of publisher {publisher} came twice"),
            Some(_) => bail!(
                "message {count} of publisher {publisher} came where {} was due: lost, or out of order",
                *seen + 1
            ),
        }
        Ok(())
    }
}

impl<S> Link<S> {
    pub(crate) fn is_tls(&self) -> bool {
        self.tls.is_some()
    }
}

impl<S: Read + Write> Read for Link<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.socket.read(buffer),
            Some(tls) => rustls::Stream::new(&mut **tls, &mut self.socket).read(buffer),
        }
    }
}

impl<S: Read + Write> Write for Link<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.socket.write(bytes),
            Some(tls) => rustls::Stream::new(&mut **tls, &mut self.socket).write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const PATIENCE: Duration = Duration::from_secs(20);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::payload;

    fn came(numbers: &[u64]) -> Result<u64> {
        let mut order = Order::default();
        let mut publications = 0;
        for count in numbers {
            let text = payload(Number { publisher: 1, count: *count }, 64);
            let head = [0x81, text.len() as u8];
            // In halves, as sockets do.
            order.take(&head, |_| publications += 1)?;
            order.take(text.as_bytes(), |_| publications += 1)?;
        }
        Ok(publications)
    }

    #[test]
    fn messages_that_come_once_and_in_order_are_counted() {
        assert_eq!(came(&[1, 2, 3]).expect("all is well"), 3);
    }

    #[test]
    fn a_message_that_is_lost_or_comes_twice_ends_the_run() {
        for (numbers, told) in [(&[1, 3][..], "lost"), (&[1, 2, 2], "twice"), (&[2], "lost")] {
            let error = came(numbers).expect_err("it is not in order");
            assert!(error.to_string().contains(told), "{error}");
        }
    }
}
