//! A socket that is read and written without waiting, with or without TLS.

use std::io::{self, IoSlice, Read, Write};

use mio::event::Source;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use rustls::ServerConnection;

/// A socket on its way to its shard.
#[derive(Debug)]
pub enum AcceptedStream {
    /// Plain TCP.
    Plain(std::net::TcpStream),
    /// Plain TCP that the shard's poll looks at already.
    Watched(TcpStream),
    /// TLS over TCP, with the TLS handshake done.
    Tls(std::net::TcpStream, Box<ServerConnection>),
}

/// A socket of a shard.
#[derive(Debug)]
pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(TcpStream, Box<ServerConnection>),
}

impl Stream {
    /// Takes over a socket, which must be in non-blocking mode.
    pub(crate) fn new(stream: AcceptedStream) -> Self {
        match stream {
            AcceptedStream::Plain(tcp) => Self::Plain(TcpStream::from_std(tcp)),
            AcceptedStream::Watched(tcp) => Self::Plain(tcp),
            AcceptedStream::Tls(tcp, tls) => Self::Tls(TcpStream::from_std(tcp), tls),
        }
    }

    /// Has `registry` say when there is something to read. A socket that it knows already gets this token.
    pub(crate) fn watch(
        accepted: AcceptedStream,
        registry: &Registry,
        token: Token,
    ) -> io::Result<Self> {
        let is_known = matches!(accepted, AcceptedStream::Watched(_));
        let mut stream = Self::new(accepted);
        match is_known {
            true => stream.tcp().reregister(registry, token, Interest::READABLE)?,
            false => stream.tcp().register(registry, token, Interest::READABLE)?,
        }
        Ok(stream)
    }

    /// Has it say too when there is room again. Few sockets are ever full, and one that is not would say so
    /// at once: a turn of the loop for nothing.
    pub(crate) fn watch_room(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        self.tcp().reregister(registry, token, Interest::READABLE | Interest::WRITABLE)
    }

    pub(crate) fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        self.tcp().deregister(registry)
    }

    /// Whether more may have been taken from the socket than was read: then no event will tell of it, and a
    /// read that does not fill its buffer proves nothing.
    pub(crate) const fn reads_ahead(&self) -> bool {
        matches!(self, Self::Tls(..))
    }

    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.read(buffer),
            Self::Tls(tcp, tls) => {
                for _ in 0..EMPTY_RECORDS {
                    match tls.reader().read(buffer) {
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                        result => return result,
                    }
                    if tls.read_tls(tcp)? == 0 {
                        return Ok(0);
                    }
                    tls.process_new_packets().map_err(io::Error::other)?;
                    write_records(tcp, tls)?;
                }
                // The caller tries again, after it has looked at others.
                Err(io::ErrorKind::Interrupted.into())
            }
        }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.write(bytes),
            Self::Tls(tcp, tls) => {
                if !write_records(tcp, tls)? {
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                let count = tls.writer().write(bytes)?;
                write_records(tcp, tls)?;
                Ok(count)
            }
        }
    }

    pub(crate) fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.write_vectored(slices),
            Self::Tls(..) => match slices.iter().find(|slice| !slice.is_empty()) {
                Some(slice) => self.write(slice),
                None => Ok(0),
            },
        }
    }

    /// Whether written bytes have not reached the socket, because it is full.
    pub(crate) fn holds_back(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(_, tls) => tls.wants_write(),
        }
    }

    /// The socket has room again: writes what TLS still holds; whether that was all.
    pub(crate) fn resume_writing(&mut self) -> io::Result<bool> {
        match self {
            Self::Plain(_) => Ok(true),
            Self::Tls(tcp, tls) => write_records(tcp, tls),
        }
    }

    /// Says that nothing more will be written.
    pub(crate) fn shutdown(&mut self) {
        if let Self::Tls(tcp, tls) = self {
            tls.send_close_notify();
            // The peer may be gone already; it is being let go either way.
            write_records(tcp, tls).ok();
        }
        self.tcp().shutdown(std::net::Shutdown::Write).ok();
    }

    const fn tcp(&mut self) -> &mut TcpStream {
        match self {
            Self::Plain(tcp) | Self::Tls(tcp, _) => tcp,
        }
    }
}

/// Writes TLS records until none wait or the socket is full; whether none wait.
fn write_records(tcp: &mut TcpStream, tls: &mut ServerConnection) -> io::Result<bool> {
    while tls.wants_write() {
        match tls.write_tls(tcp) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

/// How often a peer is read that sends TLS records without content, before others have their turn.
const EMPTY_RECORDS: usize = 16;
