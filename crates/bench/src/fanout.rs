//! As fast as it goes: how many deliveries a second, and what they cost the server.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::crowd::Crowd;
use crate::place::{Clock, Share};
use crate::scenario::{Column, Effort, Outcome, PEERS, Scenario};
use crate::speech::{self, Wants};
use crate::subject::{Role, Running, Subject, Used};
use crate::wire::{Frame, Number, PAYLOAD};

/// Who gets how much.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    pub(crate) channels: usize,
    /// Of each channel.
    pub(crate) subscribers: usize,
    /// How many messages of a channel are sent before the first of them has reached everybody.
    pub(crate) under_way: u64,
    /// Whether the publisher waits for acks too, where the server gives any.
    pub(crate) acked: bool,
    pub(crate) payload: usize,
}

/// What was seen while all of it ran.
pub(crate) struct Figures {
    pub(crate) deliveries: f64,
    pub(crate) seconds: f64,
    pub(crate) share: Share,
    /// The server at the beginning and at the end.
    pub(crate) used: [Used; 2],
}

/// How far one channel is.
#[derive(Clone, Default)]
struct Progress {
    sent: u64,
    delivered: u64,
    acks: u64,
}

pub(crate) const ONE: Scenario = Scenario {
    name: "fanout",
    about: "1,000 subscribers, one message under way",
    roles: PEERS,
    columns: COLUMNS,
    run: |subject, effort| measure(subject, effort, BASE),
};

pub(crate) const SIXTEEN: Scenario = Scenario {
    name: "fanout-16",
    about: "1,000 subscribers, 16 messages under way",
    roles: PEERS,
    columns: COLUMNS,
    run: |subject, effort| measure(subject, effort, Load { under_way: 16, ..BASE }),
};

pub(crate) const FIVE_THOUSAND: Scenario = Scenario {
    name: "fanout-5000",
    about: "5,000 subscribers, one message under way",
    roles: PEERS,
    columns: COLUMNS,
    run: |subject, effort| measure(subject, effort, Load { subscribers: 5_000, ..BASE }),
};

pub(crate) const CHANNELS: Scenario = Scenario {
    name: "channels",
    about: "1,000 channels of 10 subscribers, one message under way in each",
    roles: PEERS,
    columns: COLUMNS,
    run: |subject, effort| {
        measure(subject, effort, Load { channels: 1_000, subscribers: 10, ..BASE })
    },
};

pub(crate) const HUGE: Scenario = Scenario {
    name: "huge",
    about: "3 channels of 5,000 subscribers, one message under way in each",
    roles: PEERS,
    columns: COLUMNS,
    run: |subject, effort| {
        let subscribers = 5_000.min(effort.clients / 3);
        measure(subject, effort, Load { channels: 3, subscribers, ..BASE })
    },
};

pub(crate) const DURABLE: Scenario = Scenario {
    name: "durable",
    about: "1,000 subscribers, 16 messages under way, each acked: on the disk, or in memory",
    roles: &[Role::Ours, Role::Memory],
    columns: COLUMNS,
    run: |subject, effort| measure(subject, effort, Load { under_way: 16, acked: true, ..BASE }),
};

pub(crate) const CORES: Scenario = Scenario {
    name: "cores",
    about: "8 channels of 250 subscribers, 16 messages under way in each: one thread, or two",
    roles: &[Role::Ours, Role::TwoThreads],
    columns: &[
        RATE,
        CPU,
        Column { key: "balance", title: "second thread's share of the first", digits: 2 },
    ],
    run: |subject, effort| {
        measure(subject, effort, Load { channels: 8, subscribers: 250, under_way: 16, ..BASE })
    },
};

pub(crate) const TLS: Scenario = Scenario {
    name: "tls",
    about: "1,000 subscribers, one message under way: plain, or through TLS",
    roles: &[Role::Ours, Role::Tls],
    columns: COLUMNS,
    run: |subject, effort| measure(subject, effort, BASE),
};

fn measure(subject: &Subject, effort: &Effort, load: Load) -> Result<Outcome> {
    let load = Load {
        channels: effort.many(load.channels),
        subscribers: effort.many(load.subscribers),
        ..load
    };
    let server = subject.start()?;
    let Figures { deliveries, seconds, share, used: [before, after] } =
        run(&server, &load, effort.seconds)?;
    let spent = after.seconds() - before.seconds();
    let figures = vec![
        ("rate", deliveries / seconds),
        ("cpu", spent / deliveries * 1e6),
        ("balance", after.balance(&before)),
    ];
    Ok(Outcome { figures, share })
}

/// Connects everybody, and keeps so much under way for so long.
pub(crate) fn run(server: &Running, load: &Load, seconds: f64) -> Result<Figures> {
    let mut crowd = Crowd::new()?;
    for channel in 0..load.channels {
        let join = speech::join(server, channel, Wants::default());
        crowd.greets = true;
        crowd.connect((server, channel), load.subscribers, join.as_deref())?;
    }
    drive(server, &mut crowd, load, seconds)
}

/// The same with those who are connected already, as many to each channel.
pub(crate) fn drive(
    server: &Running,
    crowd: &mut Crowd,
    load: &Load,
    seconds: f64,
) -> Result<Figures> {
    let mut channels = vec![Progress::default(); load.channels];
    let mut free: Vec<usize> = (0..load.channels).collect();
    let acked = load.acked && server.role.is_xano();
    let (mut clock, mut before, mut at_start) = (Clock::start(), server.used()?, 0);
    let (mut deliveries, mut warm, span) = (0_u64, false, Duration::from_secs_f64(seconds));
    let mut start = Instant::now();
    let mut size = None;
    while !warm || start.elapsed() < span {
        for channel in free.drain(..) {
            let progress = &mut channels[channel];
            while progress.may_send(load, acked) {
                progress.sent += 1;
                let number = Number { publisher: 0, count: progress.sent };
                let speak = if acked { speech::acked } else { speech::message };
                let text = speak(server, channel, number, load.payload);
                crowd.send(channel * load.subscribers, &text)?;
            }
        }
        let some = crowd.turn(SILENCE, |index, frame| {
            let channel = index / load.subscribers;
            let progress = &mut channels[channel];
            match frame {
                Frame::Publication(_, bytes) => {
                    size.get_or_insert(bytes);
                    deliveries += 1;
                    progress.delivered += 1;
                    if progress.delivered.is_multiple_of(load.subscribers as u64) {
                        free.push(channel);
                    }
                }
                Frame::Ack => {
                    progress.acks += 1;
                    free.push(channel);
                }
                _ => {}
            }
        })?;
        if !some {
            let sent: u64 = channels.iter().map(|progress| progress.sent).sum();
            bail!("nothing came for {SILENCE:?}: {sent} sent, {deliveries} delivered");
        }
        if !warm && start.elapsed() > WARM_UP.min(span) {
            warm = true;
            (clock, before, at_start) = (Clock::start(), server.used()?, deliveries);
            start = Instant::now();
        }
    }
    if let Some(size) = size {
        speech::check_size(size, load.payload)?;
    }
    Ok(Figures {
        deliveries: (deliveries - at_start) as f64,
        seconds: clock.seconds(),
        share: clock.share(),
        used: [before, server.used()?],
    })
}

impl Progress {
    fn may_send(&self, load: &Load, acked: bool) -> bool {
        let whole = self.delivered / load.subscribers as u64;
        let whole = if acked { whole.min(self.acks) } else { whole };
        self.sent < whole + load.under_way
    }
}

pub(crate) const BASE: Load =
    Load { channels: 1, subscribers: 1_000, under_way: 1, acked: false, payload: PAYLOAD };
pub(crate) const RATE: Column = Column { key: "rate", title: "deliveries/s", digits: 0 };
pub(crate) const CPU: Column =
    Column { key: "cpu", title: "server CPU µs per delivery", digits: 2 };
const COLUMNS: &[Column] = &[RATE, CPU];
/// What happens before is not counted.
const WARM_UP: Duration = Duration::from_millis(500);
const SILENCE: Duration = Duration::from_secs(10);
