//! Many connections in one thread, which reads what comes in small slices.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use anyhow::{Context as _, Result};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token, Waker};

use crate::reader::{Opening, Reader};
use crate::subject::Running;
use crate::wire::Frame;

/// All connections of one run.
pub(crate) struct Crowd {
    pub(crate) readers: Vec<Reader>,
    /// Whether who has nothing to say first says that it lives. The kernel acknowledges for one that has
    /// never answered anything in another way: the reader's processor pays for it, and not the server's.
    pub(crate) greets: bool,
    poll: Poll,
    /// Who is looked at first, and between any two slices of the others.
    first: Poll,
    /// Second handles of the sockets in `first`.
    doubles: Vec<TcpStream>,
    events: Events,
    ready: VecDeque<usize>,
    unsent: Vec<usize>,
    buffer: Vec<u8>,
}

impl Crowd {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            readers: Vec::new(),
            greets: false,
            poll: Poll::new()?,
            first: Poll::new()?,
            doubles: Vec::new(),
            events: Events::with_capacity(4_096),
            ready: VecDeque::new(),
            unsent: Vec::new(),
            buffer: vec![0; 256 << 10],
        })
    }

    /// Connects so many to a channel, or where there is nothing to say first, to nothing but the server.
    pub(crate) fn connect(
        &mut self,
        (server, channel): (&Running, usize),
        count: usize,
        join: Option<&str>,
    ) -> Result<Range<usize>> {
        let begin = self.readers.len();
        while self.readers.len() < begin + count {
            let batch = BATCH.min(begin + count - self.readers.len());
            let batch = (0..batch).map(|_| Opening::start(server, channel));
            let mut batch = batch.collect::<Result<Vec<_>>>()?;
            for opening in &mut batch {
                opening.finish()?;
                match join {
                    Some(join) => opening.send(join)?,
                    None if self.greets => opening.greet()?,
                    None => {}
                }
            }
            for mut opening in batch {
                if join.is_some() {
                    opening.answer(|_| {})?;
                }
                self.add(opening)?;
            }
            // Who is here already hears of who comes.
            while self.turn(Duration::ZERO, |_, _| {})? {}
        }
        Ok(begin..self.readers.len())
    }

    /// Waits until everybody has all that the server had for them.
    pub(crate) fn settle(&mut self) -> Result<()> {
        while self.turn(QUIET, |_, _| {})? {}
        Ok(())
    }

    /// Takes a connection in, without an answer to its join.
    pub(crate) fn add(&mut self, opening: Opening) -> Result<()> {
        let mut reader = opening.done()?;
        let token = Token(self.readers.len());
        self.poll.registry().register(&mut reader.link.socket, token, Interest::READABLE)?;
        // What TLS has deciphered already, no event tells of.
        if reader.link.is_tls() {
            self.ready.push_back(token.0);
        }
        self.readers.push(reader);
        Ok(())
    }

    /// These are read before all others from now on, so that their times are not those of a long queue.
    pub(crate) fn put_first(&mut self, readers: Range<usize>) -> Result<()> {
        for index in readers {
            let mut double = duplicate(&self.readers[index].link.socket)?;
            self.first.registry().register(&mut double, Token(index), Interest::READABLE)?;
            self.doubles.push(double);
        }
        Ok(())
    }

    /// Ends a [`Self::turn`] that waits.
    pub(crate) fn waker(&self) -> Result<Waker> {
        Ok(Waker::new(self.poll.registry(), WAKER)?)
    }

    pub(crate) fn send(&mut self, index: usize, text: &str) -> Result<()> {
        if !self.readers[index].send(text)? {
            self.unsent.push(index);
        }
        Ok(())
    }

    /// Reads a slice of what has come, and says whether there was anything; waits where there is nothing.
    pub(crate) fn turn(
        &mut self,
        patience: Duration,
        mut on: impl FnMut(usize, Frame<'_>),
    ) -> Result<bool> {
        self.flush()?;
        if self.ready.is_empty() {
            let patience = if self.unsent.is_empty() { patience } else { patience.min(TICK) };
            self.poll.poll(&mut self.events, Some(patience))?;
            self.ready.extend(self.events.iter().map(|event| event.token().0));
        }
        if !self.doubles.is_empty() {
            self.first.poll(&mut self.events, Some(Duration::ZERO))?;
            for event in &self.events {
                let index = event.token().0;
                self.readers[index].read(&mut self.buffer, |frame| on(index, frame))?;
            }
        }
        let mut some = false;
        for _ in 0..SLICE {
            let Some(index) = self.ready.pop_front() else { break };
            some = true;
            if index == WAKER.0 || self.readers[index].stalled {
                continue;
            }
            self.readers[index]
                .read(&mut self.buffer, |frame| on(index, frame))
                .with_context(|| format!("connection {index}"))?;
        }
        Ok(some)
    }

    /// Goes on with what sockets have not taken.
    fn flush(&mut self) -> Result<()> {
        let mut index = 0;
        while index < self.unsent.len() {
            if self.readers[self.unsent[index]].flush()? {
                self.unsent.swap_remove(index);
            } else {
                index += 1;
            }
        }
        Ok(())
    }
}

#[cfg(unix)]
fn duplicate(socket: &TcpStream) -> Result<TcpStream> {
    use std::os::fd::AsFd as _;
    let double = socket.as_fd().try_clone_to_owned()?;
    Ok(TcpStream::from_std(double.into()))
}

#[cfg(not(unix))]
fn duplicate(_: &TcpStream) -> Result<TcpStream> {
    anyhow::bail!("the benchmark needs Linux")
}

/// How many connections are opened at once.
const BATCH: usize = 64;
/// How many are read before somebody else has a turn.
const SLICE: usize = 32;
/// After so long without a frame none is under way.
const QUIET: Duration = Duration::from_millis(300);
const TICK: Duration = Duration::from_millis(1);
const WAKER: Token = Token(usize::MAX);
