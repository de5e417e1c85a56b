//! The curves.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::crowd::Crowd;
use crate::fanout::{self, BASE, Load};
use crate::growth::{Curve, Watched};
use crate::scenario::Effort;
use crate::speech::{self, Wants};
use crate::stats::Growth;
use crate::subject::{Running, Subject};
use crate::wire::{Frame, Number, PAYLOAD, payload};

pub(crate) const CURVES: &[Curve] = &[
    Curve {
        name: "subscribers",
        about: "of one channel, one message under way",
        sizes: &[10, 100, 1_000, 5_000, 10_000, 20_000],
        columns: &[DELIVERY, Watched { title: "KB each", digits: 2, growth: None }],
        run: subscribers,
    },
    Curve {
        name: "channels",
        about: "of two members, each connection in as many as 500; a message under way in 64 of them",
        sizes: &[1, 10, 100, 1_000, 10_000, 100_000],
        columns: &[DELIVERY, Watched { title: "KB each", digits: 2, growth: None }],
        run: channels,
    },
    Curve {
        name: "payload",
        about: "bytes, to 100 subscribers, one message under way",
        sizes: &[16, 128, 1_024, 4_096, 16_384, 65_536],
        columns: &[
            Watched {
                title: "server CPU µs per delivery",
                digits: 2,
                growth: Some(Growth::Linear),
            },
            Watched { title: "memory's growth, MB", digits: 1, growth: None },
        ],
        run: payloads,
    },
    Curve {
        name: "history",
        about: "messages that a channel keeps, 1,000 subscribers, 16 under way",
        sizes: &[0, 25, 100, 250, 1_000],
        columns: &[
            DELIVERY,
            Watched { title: "memory's growth, MB", digits: 1, growth: None },
            Watched {
                title: "server CPU µs that a join costs more with it",
                digits: 1,
                growth: None,
            },
        ],
        run: history,
    },
    Curve {
        name: "presence",
        about: "members who all watch, while one joins and leaves",
        sizes: &[10, 100, 1_000, 5_000],
        columns: &[
            Watched {
                title: "server CPU µs per join and leave",
                digits: 1,
                growth: Some(Growth::Linear),
            },
            Watched { title: "the same per frame told", digits: 2, growth: Some(Growth::Flat) },
            Watched { title: "KB per member", digits: 2, growth: None },
        ],
        run: presence,
    },
];

fn subscribers(subject: &Subject, effort: &Effort, size: usize) -> Result<Vec<f64>> {
    let server = subject.start()?;
    let mut crowd = Crowd::new()?;
    let before = server.used()?.memory;
    let join = speech::join(&server, 0, Wants::default());
    crowd.connect((&server, 0), size, join.as_deref())?;
    let each = (server.used()?.memory - before) / size as f64 / 1e3;
    let load = Load { subscribers: size, ..BASE };
    Ok(vec![per_delivery(&fanout::drive(&server, &mut crowd, &load, effort.seconds)?), each])
}

fn channels(subject: &Subject, effort: &Effort, size: usize) -> Result<Vec<f64>> {
    let server = subject.start()?;
    let mut crowd = Crowd::new()?;
    crowd.connect((&server, 0), 2 * size.div_ceil(EACH), None)?;
    let before = server.used()?.memory;
    // Two connections next to each other are in the same channels.
    let members = |channel: usize| [0, 1].map(|member| channel / EACH * 2 + member);
    let mut answers = 0;
    for channel in 0..size {
        let join = speech::join(&server, channel, Wants::default()).context("it knows of joins")?;
        for member in members(channel) {
            crowd.send(member, &join)?;
        }
        while answers + 2 * UNDER_WAY < 2 * (channel + 1) {
            wait(&mut crowd, |_, frame| answers += is_answer(frame))?;
        }
    }
    while answers < 2 * size {
        wait(&mut crowd, |_, frame| answers += is_answer(frame))?;
    }
    let each = (server.used()?.memory - before) / size as f64 / 1e3;
    let (mut sent, mut delivered) = (0, 0);
    let mut start = Instant::now();
    let (mut at_start, mut used) = (None, server.used()?);
    while at_start.is_none() || start.elapsed().as_secs_f64() < effort.seconds {
        while sent < delivered / 2 + UNDER_WAY {
            let channel = sent % size;
            let [publisher, _] = members(channel);
            // What comes in one channel has an order, and not what comes in two.
            let number = Number { publisher: channel % EACH, count: (sent / size + 1) as u64 };
            crowd.send(publisher, &speech::message(&server, channel, number, PAYLOAD))?;
            sent += 1;
        }
        wait(&mut crowd, |_, frame| {
            delivered += usize::from(matches!(frame, Frame::Publication(..)));
        })?;
        if at_start.is_none() && start.elapsed() > Duration::from_millis(200) {
            (at_start, used, start) = (Some(delivered), server.used()?, Instant::now());
        }
    }
    let spent = server.used()?.seconds() - used.seconds();
    Ok(vec![spent / (delivered - at_start.unwrap_or_default()) as f64 * 1e6, each])
}

fn payloads(subject: &Subject, effort: &Effort, size: usize) -> Result<Vec<f64>> {
    let server = subject.start()?;
    let load = Load { subscribers: 100, payload: size, ..BASE };
    let figures = fanout::run(&server, &load, effort.seconds)?;
    let [before, after] = &figures.used;
    Ok(vec![per_delivery(&figures), (after.memory - before.memory) / 1e6])
}

fn history(subject: &Subject, effort: &Effort, size: usize) -> Result<Vec<f64>> {
    let server = subject.start()?;
    // A longer pattern than the one that is declared for everybody, so this one decides.
    server.declare("bench/0/*", size)?;
    let mut crowd = Crowd::new()?;
    let join = speech::join_as(CHANNEL, Wants::default());
    crowd.connect((&server, 0), effort.many(1_000), Some(&join))?;
    let before = server.used()?;
    let mut cost = Fill { server: &server, crowd: &mut crowd, sent: 0 };
    cost.fill(size as u64)?;
    let between = server.used()?;
    let deliveries = cost.fill(MESSAGES)?;
    let after = server.used()?;
    drop(crowd);
    let wants = Wants { history: true, presence: false };
    let mut readers = Crowd::new()?;
    let (connected, joined) = (server.used()?, effort.many(500));
    readers.connect((&server, 0), joined, Some(&join))?;
    let plain = server.used()?.seconds() - connected.seconds();
    let connected = server.used()?;
    readers.connect((&server, 0), joined, Some(&speech::join_as(CHANNEL, wants)))?;
    let asking = server.used()?.seconds() - connected.seconds();
    Ok(vec![
        (after.seconds() - between.seconds()) / deliveries * 1e6,
        (between.memory - before.memory) / 1e6,
        (asking - plain).max(0.0) / joined as f64 * 1e6,
    ])
}

/// Sends messages to the channel whose history is looked at.
struct Fill<'a> {
    server: &'a Running,
    crowd: &'a mut Crowd,
    sent: u64,
}

impl Fill<'_> {
    /// Sends so many and waits until all have come; says how many deliveries that were.
    fn fill(&mut self, messages: u64) -> Result<f64> {
        debug_assert!(self.server.role.is_xano());
        let readers = self.crowd.readers.len() as u64;
        let (end, begin, mut delivered) = (self.sent + messages, self.sent, 0);
        while delivered < messages * readers {
            while self.sent < end && self.sent < begin + delivered / readers + 16 {
                self.sent += 1;
                let payload = payload(Number { publisher: 0, count: self.sent }, PAYLOAD);
                self.crowd.send(0, &speech::envelope(CHANNEL, "", &payload))?;
            }
            wait(self.crowd, |_, frame| {
                delivered += u64::from(matches!(frame, Frame::Publication(..)));
            })?;
        }
        Ok(delivered as f64)
    }
}

fn presence(subject: &Subject, _: &Effort, size: usize) -> Result<Vec<f64>> {
    let server = subject.start()?;
    let mut crowd = Crowd::new()?;
    let watch = speech::join(&server, 0, Wants { presence: true, history: false });
    let before = server.used()?.memory;
    crowd.connect((&server, 0), size, watch.as_deref())?;
    crowd.settle()?;
    let each = (server.used()?.memory - before) / size as f64 / 1e3;
    let guest = crowd.connect((&server, 0), 1, None)?.start;
    let join = speech::join(&server, 0, Wants::default()).context("it knows of joins")?;
    let texts = [join, speech::leave(0)];
    let times = (TOLD / size).clamp(10, 1_000);
    let used = server.used()?;
    for text in texts.iter().cycle().take(2 * times) {
        crowd.send(guest, text)?;
        let (mut told, mut answered) = (0, false);
        while told < size || !answered {
            wait(&mut crowd, |index, frame| match frame {
                Frame::Presence(_) => told += 1,
                Frame::Answer(_) if index == guest => answered = true,
                _ => {}
            })?;
        }
    }
    let spent = (server.used()?.seconds() - used.seconds()) * 1e6 / times as f64;
    Ok(vec![spent, spent / (2 * size) as f64, each])
}

fn per_delivery(figures: &fanout::Figures) -> f64 {
    let [before, after] = &figures.used;
    (after.seconds() - before.seconds()) / figures.deliveries * 1e6
}

fn wait(crowd: &mut Crowd, on: impl FnMut(usize, Frame<'_>)) -> Result<()> {
    if !crowd.turn(SILENCE, on)? {
        bail!("nothing came for {SILENCE:?}");
    }
    Ok(())
}

fn is_answer(frame: Frame<'_>) -> usize {
    usize::from(matches!(frame, Frame::Answer(_)))
}

const DELIVERY: Watched =
    Watched { title: "server CPU µs per delivery", digits: 2, growth: Some(Growth::Flat) };
const CHANNEL: &str = "bench/0/kept";
/// How many channels a connection is in.
const EACH: usize = 500;
const UNDER_WAY: usize = 64;
/// How many are sent to a channel that keeps some of them.
const MESSAGES: u64 = 3_000;
/// About how many frames are told of somebody who comes and goes.
const TOLD: usize = 20_000;
const SILENCE: Duration = Duration::from_secs(10);
