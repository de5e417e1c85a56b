//! Many come back at once, and each gets what it has missed.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::crowd::Crowd;
use crate::place::Clock;
use crate::reader::Opening;
use crate::scenario::{Column, Effort, Outcome, Scenario};
use crate::speech::{self, Wants};
use crate::subject::{Role, Running, Subject};
use crate::wire::{Frame, Number, PAYLOAD};

pub(crate) const RESUME: Scenario = Scenario {
    name: "resume",
    about: "5,000 come back at once, and each gets the 20 messages that it has missed and 20 that come meanwhile",
    roles: &[Role::Ours],
    columns: &[
        Column { key: "seconds", title: "s until all have caught up", digits: 2 },
        Column { key: "cpu", title: "server CPU µs per reconnect", digits: 1 },
        Column { key: "rate", title: "reconnects/s", digits: 0 },
    ],
    run: measure,
};

fn measure(subject: &Subject, effort: &Effort) -> Result<Outcome> {
    let server = subject.start()?;
    let mut crowd = Crowd::new()?;
    let mut publisher = Opening::start(&server, 0)?;
    publisher.finish()?;
    publisher.send(&speech::join(&server, 0, Wants::default()).context("it knows of joins")?)?;
    let answer: Value = serde_json::from_str(&publisher.answer(|_| {})?)?;
    let epoch = answer["payload"]["epoch"].as_str().context("a join's answer has an epoch")?;
    crowd.add(publisher)?;
    for count in 1..=MISSED {
        publish(&server, &mut crowd, count)?;
    }
    let mut echoes = 0;
    while echoes < MISSED {
        wait(&mut crowd, |_, frame| echoes += u64::from(is_publication(frame)))?;
    }
    let clients = effort.many(5_000).min(effort.clients - 1);
    let join = speech::resume(0, epoch, 0);
    let (before, clock) = (server.used()?, Clock::start());
    let (mut publications, mut sent) = (0, MISSED);
    let mut come = 0;
    while come < clients {
        let batch = BATCH.min(clients - come);
        let openings = (0..batch).map(|_| Opening::start(&server, 0));
        let mut openings = openings.collect::<Result<Vec<_>>>()?;
        for opening in &mut openings {
            opening.finish()?;
            opening.send(&join)?;
        }
        for mut opening in openings {
            let answer =
                opening.answer(|frame| publications += u64::from(is_publication(frame)))?;
            if !answer.contains(r#""resumed":true"#) {
                bail!("a client could not resume: {answer}");
            }
            crowd.add(opening)?;
        }
        come += batch;
        while sent < MISSED + come as u64 * MEANWHILE / clients as u64 {
            sent += 1;
            publish(&server, &mut crowd, sent)?;
        }
        let count = |index, frame: Frame<'_>| {
            publications += u64::from(index > 0 && is_publication(frame));
        };
        crowd.turn(Duration::ZERO, count)?;
    }
    // The readers see to it that each comes once and in order, from the first.
    while publications < clients as u64 * (MISSED + MEANWHILE) {
        wait(&mut crowd, |index, frame| {
            publications += u64::from(index > 0 && is_publication(frame));
        })?;
    }
    let seconds = clock.seconds();
    let spent = server.used()?.seconds() - before.seconds();
    let figures = vec![
        ("seconds", seconds),
        ("cpu", spent / clients as f64 * 1e6),
        ("rate", clients as f64 / seconds),
    ];
    Ok(Outcome { figures, share: clock.share() })
}

fn publish(server: &Running, crowd: &mut Crowd, count: u64) -> Result<()> {
    let number = Number { publisher: 0, count };
    crowd.send(0, &speech::message(server, 0, number, PAYLOAD))
}

fn wait(crowd: &mut Crowd, on: impl FnMut(usize, Frame<'_>)) -> Result<()> {
    if !crowd.turn(SILENCE, on)? {
        bail!("not all has come, and nothing more for {SILENCE:?}");
    }
    Ok(())
}

fn is_publication(frame: Frame<'_>) -> bool {
    matches!(frame, Frame::Publication(..))
}

const MISSED: u64 = 20;
const MEANWHILE: u64 = 20;
const BATCH: usize = 64;
const SILENCE: Duration = Duration::from_secs(10);
