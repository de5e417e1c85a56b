//! Many come and go at once, and others watch.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::crowd::Crowd;
use crate::place::Clock;
use crate::scenario::{Column, Effort, Outcome, Scenario};
use crate::speech::{self, Wants};
use crate::subject::{Role, Subject};
use crate::wire::Frame;

pub(crate) const PRESENCE: Scenario = Scenario {
    name: "presence",
    about: "5,000 join at once a channel in which 1,000 watch presence, and leave at once",
    roles: &[Role::Ours],
    columns: &[
        Column { key: "joins", title: "s until all joins are told", digits: 2 },
        Column { key: "leaves", title: "s until all leaves are told", digits: 2 },
        Column { key: "server", title: "server CPU s", digits: 2 },
        Column { key: "cpu", title: "server CPU µs per frame told", digits: 2 },
        Column { key: "frames", title: "frames told", digits: 0 },
        Column { key: "bytes", title: "MB sent", digits: 0 },
    ],
    run: measure,
};

/// What one watcher was told.
#[derive(Clone, Default)]
struct Told {
    frames: usize,
    /// Of all it was told, in order.
    digest: DefaultHasher,
}

fn measure(subject: &Subject, effort: &Effort) -> Result<Outcome> {
    let server = subject.start()?;
    let mut crowd = Crowd::new()?;
    let watch = speech::join(&server, 0, Wants { presence: true, history: false });
    let watchers = effort.many(1_000);
    crowd.connect((&server, 0), watchers, watch.as_deref())?;
    let others = crowd.connect((&server, 0), effort.many(5_000), None)?;
    crowd.settle()?;
    let join = speech::join(&server, 0, Wants::default()).context("it knows of joins")?;
    let mut told = vec![Told::default(); watchers];
    let bytes = |crowd: &Crowd| crowd.readers.iter().map(|reader| reader.order.bytes).sum::<u64>();
    let (before, bytes_before, clock) = (server.used()?, bytes(&crowd), Clock::start());
    let mut times = Vec::new();
    for text in [join, speech::leave(0)] {
        let start = Instant::now();
        let wanted = told[0].frames + others.len();
        let mut answers = 0;
        let mut next = others.clone();
        loop {
            // They come together, but what they cause is read meanwhile.
            for index in next.by_ref().take(AT_ONCE) {
                crowd.send(index, &text)?;
            }
            let some = crowd.turn(
                if next.is_empty() { SILENCE } else { Duration::ZERO },
                |index, frame| match (told.get_mut(index), frame) {
                    (Some(told), Frame::Presence(content)) => told.hear(content),
                    (None, Frame::Answer(_)) => answers += 1,
                    _ => {}
                },
            )?;
            let is_told = || told.iter().all(|told| told.frames == wanted);
            if answers == others.len() && is_told() {
                break;
            }
            if !some && next.is_empty() {
                let least = told.iter().map(|told| told.frames).min().unwrap_or_default();
                bail!(
                    "a watcher was told {least} of {wanted}, and nothing more came for {SILENCE:?}"
                );
            }
        }
        times.push(start.elapsed().as_secs_f64());
    }
    let first = told[0].digest.finish();
    if let Some(other) = told.iter().position(|told| told.digest.finish() != first) {
        bail!("watcher {other} was told something else than the first, or in another order");
    }
    let frames: usize = told.iter().map(|told| told.frames).sum();
    let spent = server.used()?.seconds() - before.seconds();
    let figures = vec![
        ("joins", times[0]),
        ("leaves", times[1]),
        ("server", spent),
        ("cpu", spent / frames as f64 * 1e6),
        ("frames", frames as f64),
        ("bytes", (bytes(&crowd) - bytes_before) as f64 / 1e6),
    ];
    Ok(Outcome { figures, share: clock.share() })
}

impl Told {
    fn hear(&mut self, content: &[u8]) {
        self.frames += 1;
        content.hash(&mut self.digest);
    }
}

const AT_ONCE: usize = 100;
const SILENCE: Duration = Duration::from_secs(10);
