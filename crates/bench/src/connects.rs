//! What it costs the server that somebody comes.

use anyhow::Result;

use crate::crowd::Crowd;
use crate::place::Clock;
use crate::scenario::{Column, Effort, Outcome, Scenario};
use crate::speech::{self, Wants};
use crate::subject::{Role, Subject};

pub(crate) const CONNECTS: Scenario = Scenario {
    name: "connects",
    about: "5,000 connects, here each with the join of a channel of 100",
    roles: &[Role::Ours, Role::Bun, Role::Ws],
    columns: &[
        Column { key: "cpu", title: "server CPU µs per connection", digits: 1 },
        Column { key: "rate", title: "connections/s", digits: 0 },
    ],
    run: measure,
};

fn measure(subject: &Subject, effort: &Effort) -> Result<Outcome> {
    let server = subject.start()?;
    let mut crowd = Crowd::new()?;
    let channels = effort.many(5_000).div_ceil(EACH);
    let mut come = |channel: usize| {
        let join = speech::join(&server, channel, Wants::default());
        crowd.connect((&server, channel), EACH, join.as_deref())
    };
    come(channels)?;
    let (before, clock) = (server.used()?, Clock::start());
    for channel in 0..channels {
        come(channel)?;
    }
    let seconds = clock.seconds();
    let count = (channels * EACH) as f64;
    let spent = server.used()?.seconds() - before.seconds();
    let figures = vec![("cpu", spent / count * 1e6), ("rate", count / seconds)];
    Ok(Outcome { figures, share: clock.share() })
}

/// How many are in a channel.
const EACH: usize = 100;
