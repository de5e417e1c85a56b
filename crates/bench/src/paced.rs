//! Messages at fixed times, whether or not those before have come: when does each reach its readers?
//!
//! A delivery's time counts from when its message was due, so that one that had to wait to be sent, or
//! was sent late, does not look quick.

mod run;

use anyhow::Result;

use crate::paced::run::{Figures, run};
use crate::scenario::{Column, Effort, Outcome, PEERS, Scenario};
use crate::subject::Subject;
use crate::wire::PAYLOAD;

/// What goes to one channel.
#[derive(Clone, Copy)]
pub(crate) struct Stream {
    pub(crate) readers: usize,
    pub(crate) publishers: usize,
    /// Messages of all publishers.
    pub(crate) per_second: u64,
    pub(crate) payload: usize,
    /// How many of the readers stop reading when the measurement begins.
    pub(crate) stalled: usize,
    /// How many read no more than a frame every 100 ms from then on.
    pub(crate) slow: usize,
}

pub(crate) const LATENCY: Scenario = Scenario {
    name: "latency",
    about: "50 messages a second to 1,000 subscribers",
    roles: PEERS,
    columns: COLUMNS,
    run: |subject, effort| one(subject, effort, Stream { readers: 1_000, per_second: 50, ..BASE }),
};

pub(crate) const OVERLOAD: Scenario = Scenario {
    name: "overload",
    about: "300 messages a second from 10 publishers to 1,000 subscribers",
    roles: PEERS,
    columns: COLUMNS,
    run: |subject, effort| {
        one(subject, effort, Stream { readers: 1_000, publishers: 10, per_second: 300, ..BASE })
    },
};

pub(crate) const NEIGHBOUR: Scenario = Scenario {
    name: "neighbour",
    about: "20 messages a second to 10 clients, beside 5 a second to 10,000 in another channel",
    roles: PEERS,
    columns: COLUMNS,
    run: |subject, effort| {
        let small = Stream { readers: 10, per_second: 20, ..BASE };
        let large = Stream { readers: effort.many(10_000), per_second: 5, ..BASE };
        Ok(outcome(&run(&subject.start()?, &[small, large], effort.seconds)?))
    },
};

pub(crate) const STALLED: Scenario = Scenario {
    name: "stalled",
    about: "500 messages of 8 KiB a second to 60 readers, 10 of which stop reading",
    roles: PEERS,
    columns: COLUMNS,
    run: |subject, effort| {
        let stream = Stream { readers: 60, per_second: 500, payload: 8 << 10, stalled: 10, ..BASE };
        one(subject, effort, stream)
    },
};

pub(crate) const SLOW: Scenario = Scenario {
    name: "slow",
    about: "50 messages a second to 2,000 subscribers, one of which reads a frame every 100 ms",
    roles: PEERS,
    columns: COLUMNS,
    run: |subject, effort| {
        one(subject, effort, Stream { readers: 2_000, per_second: 50, slow: 1, ..BASE })
    },
};

fn one(subject: &Subject, effort: &Effort, stream: Stream) -> Result<Outcome> {
    let stream = Stream { readers: effort.many(stream.readers), ..stream };
    let server = subject.start()?;
    Ok(outcome(&run(&server, &[stream], effort.seconds)?))
}

fn outcome(figures: &Figures) -> Outcome {
    let named = vec![
        ("p50", figures.p50),
        ("p99", figures.p99),
        ("rate", figures.rate),
        ("missing", figures.missing),
        ("cpu", figures.cpu),
        ("growth", figures.growth / 1e6),
    ];
    Outcome { figures: named, share: figures.share }
}

const BASE: Stream =
    Stream { readers: 0, publishers: 1, per_second: 0, payload: PAYLOAD, stalled: 0, slow: 0 };
const COLUMNS: &[Column] = &[
    Column { key: "p50", title: "p50 ms", digits: 2 },
    Column { key: "p99", title: "p99 ms", digits: 2 },
    Column { key: "rate", title: "deliveries/s", digits: 0 },
    Column { key: "missing", title: "not delivered", digits: 0 },
    Column { key: "cpu", title: "server CPU µs per delivery", digits: 2 },
    Column { key: "growth", title: "memory's growth, MB", digits: 1 },
];
