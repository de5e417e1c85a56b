//! What a connection takes of the server's memory, when it is idle and when it is in a channel.

use anyhow::Result;

use crate::crowd::Crowd;
use crate::place::Clock;
use crate::scenario::{Column, Effort, Outcome, Scenario};
use crate::speech::{self, Wants};
use crate::subject::{Role, Subject};

pub(crate) const MEMORY: Scenario = Scenario {
    name: "memory",
    about: "8,000 idle connections, then 4,000 more in channels of 100 with everybody watching presence",
    roles: &[Role::Ours, Role::Bun, Role::Ws],
    columns: &[
        Column { key: "idle", title: "KB per idle connection", digits: 2 },
        Column { key: "joined", title: "KB per joined connection", digits: 2 },
    ],
    run: measure,
};

/// Of the peers every connection is in a channel: theirs know no others.
fn measure(subject: &Subject, effort: &Effort) -> Result<Outcome> {
    let server = subject.start()?;
    let mut crowd = Crowd::new()?;
    let clock = Clock::start();
    // What is there once, buffers and threads, is not a connection's.
    crowd.connect((&server, 0), WARM_UP, None)?;
    let idle = effort.many(8_000);
    let before = server.used()?.memory;
    crowd.connect((&server, 0), idle, None)?;
    let between = server.used()?.memory;
    let mut figures = vec![("idle", (between - before) / idle as f64 / 1e3)];
    if subject.role.is_xano() {
        let channels = effort.many(4_000).div_ceil(EACH);
        for channel in 0..channels {
            let wants = Wants { presence: true, history: true };
            let join = speech::join(&server, channel, wants);
            crowd.connect((&server, channel), EACH, join.as_deref())?;
        }
        let after = server.used()?.memory;
        figures.push(("joined", (after - between) / (channels * EACH) as f64 / 1e3));
    }
    Ok(Outcome { figures, share: clock.share() })
}

const WARM_UP: usize = 20;
/// How many are in a channel.
const EACH: usize = 100;
