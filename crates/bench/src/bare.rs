//! The limit: an event loop that does nothing but one `send()` of a ready frame for each reader.

use std::io::{self, ErrorKind, Read, Write};

use anyhow::{Context as _, Result};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

/// Serves until it is killed.
pub(crate) fn serve(port: u16) -> Result<()> {
    let mut poll = Poll::new()?;
    let address = ([127, 0, 0, 1], port).into();
    let mut listener = TcpListener::bind(address).context("cannot listen")?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut events = Events::with_capacity(4_096);
    let mut clients: Vec<TcpStream> = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            if event.token() == LISTENER {
                while let Ok((mut stream, _)) = listener.accept() {
                    stream.set_nodelay(true)?;
                    let token = Token(clients.len());
                    poll.registry().register(&mut stream, token, Interest::READABLE)?;
                    clients.push(stream);
                }
                continue;
            }
            let index = event.token().0;
            match clients[index].read(&mut buffer) {
                Ok(count @ 1..) if buffer.starts_with(b"GET ") && count > 4 => {
                    buffer[0] = 0;
                    clients[index].write_all(ANSWER)?;
                }
                Ok(count @ 1..) => broadcast(&mut clients, &buffer[..count])?,
                // Who has gone stays in the list; the loop lives as long as one measurement.
                _ => {}
            }
        }
    }
}

/// Sends each of the client's frames on as it is, without its mask of zeros.
fn broadcast(clients: &mut [TcpStream], mut frames: &[u8]) -> Result<()> {
    while frames.len() > 8 {
        let length = usize::from(u16::from_be_bytes([frames[2], frames[3]]));
        let (frame, rest) = frames.split_at_checked(8 + length).context("half a frame came")?;
        let ready = [&[0x81, 126, frame[2], frame[3]], &frame[8..]].concat();
        for client in &mut *clients {
            match client.write(&ready) {
                Ok(count) if count == ready.len() => {}
                Ok(_) => return Err(io::Error::other("a socket is full").into()),
                Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
                Err(error) => return Err(error.into()),
            }
        }
        frames = rest;
    }
    Ok(())
}

const LISTENER: Token = Token(usize::MAX);
/// Every client of these measurements sends the same key.
const ANSWER: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
