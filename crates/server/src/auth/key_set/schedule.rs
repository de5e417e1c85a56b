//! When a key set is fetched, with the time as an argument.

use std::time::{Duration, Instant};

/// What has been fetched, and what is to be fetched next.
#[derive(Debug)]
pub(super) struct Schedule {
    next: Instant,
    /// Set while a fetch is under way or about to begin.
    fetching: bool,
    /// When a token last brought about a fetch.
    wished: Option<Instant>,
    failures: u32,
    /// Until when the keys are good that were fetched last.
    keys_until: Option<Instant>,
}

impl Schedule {
    /// A first fetch is due at once.
    pub(super) const fn new(now: Instant) -> Self {
        Self { next: now, fetching: true, wished: None, failures: 0, keys_until: None }
    }

    /// When the next fetch is due.
    pub(super) const fn next(&self) -> Instant {
        self.next
    }

    pub(super) const fn begin(&mut self) {
        self.fetching = true;
    }

    /// The keys came, to be used for `max_age` as their issuer says.
    pub(super) fn succeeded(&mut self, now: Instant, max_age: Option<Duration>) {
        let interval = max_age.map_or(INTERVAL, |age| age.clamp(MIN_INTERVAL, MAX_INTERVAL));
        self.fetching = false;
        self.failures = 0;
        self.next = now + interval;
        self.keys_until = Some(self.next + MAX_OVERDUE);
    }

    /// They did not come. Whether those there are have become too old to be used.
    pub(super) fn failed(&mut self, now: Instant) -> bool {
        self.fetching = false;
        let pause = MIN_PAUSE.saturating_mul(1 << self.failures.min(16)).min(MAX_PAUSE);
        self.failures = self.failures.saturating_add(1);
        self.next = now + pause;
        self.keys_until.take_if(|until| *until <= now).is_some()
    }

    /// A token names a key that is unknown: whether it is worth waiting for a fetch, one that is under
    /// way or one that is due now. Tokens bring about no more than one in half a minute.
    pub(super) fn wish(&mut self, now: Instant) -> bool {
        let rested = |wished| now.saturating_duration_since(wished) >= WISH_PAUSE;
        if !self.fetching && self.wished.is_none_or(rested) {
            self.next = now;
            self.wished = Some(now);
            self.fetching = true;
        }
        self.fetching
    }
}

/// How long keys are used before they are fetched again, where their issuer does not say.
const INTERVAL: Duration = Duration::from_secs(600);
const MIN_INTERVAL: Duration = Duration::from_secs(60);
const MAX_INTERVAL: Duration = Duration::from_secs(86_400);
/// How long keys are used beyond that while they cannot be fetched.
const MAX_OVERDUE: Duration = Duration::from_secs(86_400);
/// How long to wait after a fetch that failed; twice as long after each further one.
const MIN_PAUSE: Duration = Duration::from_secs(1);
const MAX_PAUSE: Duration = Duration::from_secs(300);
/// The least time between two fetches that tokens bring about.
const WISH_PAUSE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn keys_are_fetched_again_when_their_issuer_says_within_reason() {
        let now = Instant::now();
        for (max_age, seconds) in
            [(None, 600), (Some(0), 60), (Some(300), 300), (Some(1_000_000), 86_400)]
        {
            let mut schedule = Schedule::new(now);
            assert_eq!(schedule.next(), now);
            schedule.begin();
            schedule.succeeded(now + SECOND, max_age.map(Duration::from_secs));
            assert_eq!(schedule.next(), now + SECOND * (1 + seconds), "{max_age:?}");
        }
    }

    #[test]
    fn a_fetch_that_fails_is_tried_again_ever_more_slowly_until_one_succeeds() {
        let now = Instant::now();
        let mut schedule = Schedule::new(now);
        let mut pause = || {
            schedule.begin();
            assert!(!schedule.failed(now), "there are no keys that could grow old");
            (schedule.next() - now).as_secs()
        };
        let pauses: Vec<_> = (0..11).map(|_| pause()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        for _ in 0..100 {
            pause();
        }
        schedule.succeeded(now, None);
        schedule.failed(now);
        assert_eq!(schedule.next(), now + SECOND);
    }

    #[test]
    fn keys_that_cannot_be_fetched_are_good_for_another_day() {
        let start = Instant::now();
        let mut schedule = Schedule::new(start);
        schedule.succeeded(start, None);
        let end = start + INTERVAL + MAX_OVERDUE;
        assert!(!schedule.failed(start + INTERVAL));
        assert!(!schedule.failed(end - SECOND));
        assert!(schedule.failed(end));
        assert!(!schedule.failed(end + SECOND), "they are gone once");
        schedule.succeeded(end, None);
        assert!(!schedule.failed(end + SECOND));
    }

    #[test]
    fn unknown_keys_are_asked_for_once_in_half_a_minute_however_many_tokens_name_them() {
        let start = Instant::now();
        let mut schedule = Schedule::new(start);
        assert!(schedule.wish(start), "the first fetch is worth waiting for");
        schedule.begin();
        assert!(schedule.wish(start + SECOND), "so is one under way");
        schedule.succeeded(start + SECOND, None);
        let mut begun = Vec::new();
        for second in 2..100 {
            let now = start + SECOND * second;
            if schedule.wish(now) {
                assert_eq!(schedule.next(), now);
                schedule.begin();
                begun.push(second);
                match second % 2 {
                    0 => schedule.succeeded(now, None),
                    _ => drop(schedule.failed(now)),
                }
            }
        }
        assert_eq!(begun, [2, 32, 62, 92]);
    }
}
