//! One publisher, many subscribers: how many deliveries a second, and what they cost the server.

use std::fmt;
use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use mio::{Events, Interest, Poll, Token};

use crate::reader::{Count, Reader, frame, payload};
use crate::subject::{Kind, Running};

/// Who gets how much.
pub(crate) struct Load {
    pub(crate) subscribers: usize,
    /// How many publications are sent before the first of them has reached everybody.
    pub(crate) under_way: u64,
    /// Whether the publisher waits for acks too, where the server gives any.
    pub(crate) acked: bool,
}

/// What one run has shown.
pub(crate) struct Figures {
    /// Deliveries a second.
    pub(crate) rate: f64,
    /// Processor seconds of the server for a million deliveries.
    pub(crate) cpu_per_million: f64,
}

pub(crate) fn run(server: &Running, load: &Load, seconds: u64) -> Result<Figures> {
    let mut poll = Poll::new()?;
    let join = (server.kind == Kind::Xano).then_some(JOIN);
    let mut readers = Vec::new();
    for index in 0..load.subscribers {
        let mut reader = Reader::connect(server.port, &server.path, join)?;
        poll.registry().register(&mut reader.stream, Token(index), Interest::READABLE)?;
        readers.push(reader);
    }
    let acked = load.acked && server.kind == Kind::Xano;
    let mut events = Events::with_capacity(4_096);
    let mut buffer = vec![0; 256 << 10];
    let (mut sent, mut count) = (0, Count::default());
    let (mut start, mut at_start, mut cpu) = (Instant::now(), 0, server.cpu_seconds()?);
    let mut warm = false;
    let span = Duration::from_secs(seconds);
    while !warm || start.elapsed() < span {
        let mut whole = count.publications / load.subscribers as u64;
        if acked {
            whole = whole.min(count.others);
        }
        while sent < whole + load.under_way {
            sent += 1;
            readers[0].stream.write_all(&publish(server.kind, acked, sent))?;
        }
        poll.poll(&mut events, Some(Duration::from_secs(5)))?;
        if events.is_empty() {
            bail!("nothing came for 5 s: {sent} sent, {} delivered", count.publications);
        }
        for event in &events {
            let Count { publications, others } = readers[event.token().0].read(&mut buffer)?;
            count.publications += publications;
            count.others += others;
        }
        if !warm && start.elapsed() > WARM_UP {
            warm = true;
            (start, at_start, cpu) = (Instant::now(), count.publications, server.cpu_seconds()?);
        }
    }
    let deliveries = (count.publications - at_start) as f64;
    Ok(Figures {
        rate: deliveries / start.elapsed().as_secs_f64(),
        cpu_per_million: (server.cpu_seconds()? - cpu) / deliveries * 1e6,
    })
}

fn publish(kind: Kind, acked: bool, number: u64) -> Vec<u8> {
    let payload = payload(number);
    let id = if acked { format!(r#","id":"bench-{number}""#) } else { String::new() };
    match kind {
        Kind::Bun | Kind::Bare => frame(&payload),
        Kind::Xano => frame(&format!(
            r#"{{"action":"message","options":{{"channel":"marvel-chat-room"{id}}},"payload":{payload}}}"#
        )),
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { subscribers, under_way, acked } = self;
        let acked = if *acked { ", acked" } else { "" };
        write!(f, "{subscribers} subscribers, {under_way} under way{acked}")
    }
}

const JOIN: &str = r#"{"action":"join","options":{"channel":"marvel-chat-room"},"payload":{"history":false,"presence":false}}"#;
/// What happens before is not counted.
const WARM_UP: Duration = Duration::from_millis(500);
