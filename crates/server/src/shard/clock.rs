//! What time it is for a shard: now, its next tick, and how far its node's stop has come.

use std::mem;
use std::time::{Duration, Instant, SystemTime};

use hub::Now;

pub(super) struct Clock {
    start: Instant,
    pub(super) now: Now,
    ticked: u32,
}

/// How the node's stop is spread.
#[derive(Clone, Copy)]
pub(super) struct Drain {
    since: Instant,
    window: Duration,
    is_over: bool,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self { start: Instant::now(), now: Now::default(), ticked: 0 }
    }

    pub(super) fn advance(&mut self) {
        let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let passed = self.start.elapsed();
        self.now = Now {
            seconds: passed.as_secs() as u32,
            millis: passed.as_millis() as u64,
            unix_ms: unix.as_millis() as u64,
        };
    }

    pub(super) fn until_tick(&self) -> Duration {
        let next = self.start + Duration::from_secs(u64::from(self.ticked) + 1);
        next.saturating_duration_since(Instant::now())
    }

    pub(super) fn is_tick_due(&mut self) -> bool {
        mem::replace(&mut self.ticked, self.now.seconds) != self.now.seconds
    }
}

impl Drain {
    pub(super) fn over(window: Duration) -> Self {
        Self { since: Instant::now(), window, is_over: false }
    }

    /// How much of the window has passed, from 0 to 1; `None` once the end has been told.
    pub(super) fn step(&mut self) -> Option<f64> {
        if self.is_over {
            return None;
        }
        let passed = self.since.elapsed().as_secs_f64() / self.window.as_secs_f64();
        // Nothing of nothing has passed at once.
        let passed = if passed.is_finite() { passed.min(1.0) } else { 1.0 };
        self.is_over = passed >= 1.0;
        Some(passed)
    }

    /// How long the shard may sleep.
    pub(super) fn until_step(&self) -> Duration {
        if self.is_over { Duration::MAX } else { DRAIN_STEP }
    }
}

/// The shortest time between two steps of a stop that is spread.
const DRAIN_STEP: Duration = Duration::from_millis(20);
