//! The limit: an event loop that does nothing but one `send()` of a ready frame for each reader.

use std::collections::HashMap;
use std::io::{Read, Write};

use anyhow::{Context as _, Result};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

/// One connection, in the channel that its path has named.
struct Client {
    socket: TcpStream,
    channel: Option<String>,
    rest: Vec<u8>,
    /// Its socket was full, or it has gone; nothing is kept for it.
    lost: bool,
}

#[derive(Default)]
struct Clients {
    all: Vec<Client>,
    channels: HashMap<String, Vec<usize>>,
}

/// Serves until it is killed, after it has printed its port.
pub(crate) fn serve() -> Result<()> {
    let mut poll = Poll::new()?;
    let mut listener = TcpListener::bind(([127, 0, 0, 1], 0).into()).context("cannot listen")?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    println!("{}", listener.local_addr()?.port());
    let mut events = Events::with_capacity(4_096);
    let mut clients = Clients::default();
    let mut buffer = vec![0; 256 << 10];
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            if event.token() != LISTENER {
                clients.read(event.token().0, &mut buffer)?;
                continue;
            }
            while let Ok((mut socket, _)) = listener.accept() {
                socket.set_nodelay(true)?;
                let token = Token(clients.all.len());
                poll.registry().register(&mut socket, token, Interest::READABLE)?;
                let client = Client { socket, channel: None, rest: Vec::new(), lost: false };
                clients.all.push(client);
            }
        }
    }
}

impl Clients {
    fn read(&mut self, index: usize, buffer: &mut [u8]) -> Result<()> {
        while let Ok(count @ 1..) = self.all[index].socket.read(buffer) {
            self.take(index, &buffer[..count])?;
        }
        Ok(())
    }

    fn take(&mut self, index: usize, bytes: &[u8]) -> Result<()> {
        let client = &mut self.all[index];
        let mut input = std::mem::take(&mut client.rest);
        input.extend_from_slice(bytes);
        let Some(channel) = client.channel.clone() else {
            if !input.ends_with(b"\r\n\r\n") {
                client.rest = input;
                return Ok(());
            }
            let head = String::from_utf8_lossy(&input);
            let path = head.split(' ').nth(1).context("no request")?.to_owned();
            client.socket.write_all(ANSWER)?;
            client.channel = Some(path.clone());
            self.channels.entry(path).or_default().push(index);
            return Ok(());
        };
        let mut input = &input[..];
        while let Some((frame, behind)) = ready(input) {
            input = behind;
            if frame[0] != TEXT {
                continue;
            }
            for reader in &self.channels[&channel] {
                self.all[*reader].send(&frame);
            }
        }
        self.all[index].rest = input.to_vec();
        Ok(())
    }
}

impl Client {
    fn send(&mut self, frame: &[u8]) {
        self.lost = self.lost || !self.socket.write(frame).is_ok_and(|count| count == frame.len());
    }
}

/// A client's frame as others get it, without its mask, which is zeros.
fn ready(bytes: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let (head, length) = match *bytes.get(1)? & 0x7f {
        126 => (4, usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?]))),
        127 => (10, u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?) as usize),
        length => (2, usize::from(length)),
    };
    let (frame, behind) = bytes.split_at_checked(head + 4 + length)?;
    let mut ready = [&frame[..head], &frame[head + 4..]].concat();
    ready[1] &= 0x7f;
    Some((ready, behind))
}

/// The first byte of a whole text frame.
const TEXT: u8 = 0x81;
const LISTENER: Token = Token(usize::MAX);
/// Every client of these measurements sends the same key.
const ANSWER: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
