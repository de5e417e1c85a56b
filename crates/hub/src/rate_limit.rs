//! How often something may happen: a token bucket, with the time as argument.

use std::collections::HashMap;
use std::hash::Hash;

/// So many in so long, and how many of them may come at once. The default is no limit.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Rate {
    /// The time that earns one more, in nanoseconds; 0 for no limit.
    interval: u64,
    /// The time that earns all that may come at once, in nanoseconds.
    burst: u64,
}

/// What somebody has left of a [`Rate`].
///
/// It is one number: the time at which the bucket will be full again. That is in the past for who
/// has been quiet, so a new one is full.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bucket {
    full_at: u64,
}

/// A bucket for each of many, of a bounded number.
///
/// While there are more, those it has no place for share one bucket.
#[derive(Debug)]
pub struct Buckets<K> {
    most: usize,
    buckets: HashMap<K, Bucket>,
    /// For whom there is no place.
    others: Bucket,
    /// In milliseconds, when those were last looked for whose bucket is full.
    swept: Option<u64>,
    /// How many there are when they are looked for next: twice as many as were left.
    sweep_at: usize,
}

impl Rate {
    /// `count` a second, and `burst` at once; 0 a second is no limit.
    pub fn per_second(count: u32, burst: u32) -> Self {
        Self::new(count, NANOSECONDS, burst)
    }

    /// `count` a minute, all of which may come at once; 0 is no limit.
    pub fn per_minute(count: u32) -> Self {
        Self::new(count, 60 * NANOSECONDS, count)
    }

    /// Whether it is no limit.
    pub const fn is_unlimited(self) -> bool {
        self.interval == 0
    }

    fn new(count: u32, period: u64, burst: u32) -> Self {
        let interval = period.checked_div(u64::from(count)).unwrap_or_default();
        Self { interval, burst: interval * u64::from(burst.max(1)) }
    }
}

impl Bucket {
    /// Takes one; or says how long to wait for it, in milliseconds. `now` is in milliseconds, of
    /// clocks that may differ by a second, which gives nobody more; and that may be set back further:
    /// that costs nobody more than a burst.
    pub fn take(&mut self, rate: Rate, now: u64) -> Result<(), u32> {
        if rate.is_unlimited() {
            return Ok(());
        }
        let now = now.saturating_mul(NANOSECONDS / 1_000);
        let empty = now.saturating_add(rate.burst);
        // A clock that was set back, or a rate that was lowered, must not lock anybody out. But where
        // several threads take, the next may read the same clock a little later than this one did.
        if self.full_at > empty.saturating_add(SKEW) {
            self.full_at = empty;
        }
        self.full_at = self.full_at.max(now);
        let taken = self.full_at.saturating_add(rate.interval);
        let wait = taken.saturating_sub(empty);
        if wait > 0 {
            let wait = wait.div_ceil(NANOSECONDS / 1_000);
            return Err(u32::try_from(wait).unwrap_or(u32::MAX));
        }
        self.full_at = taken;
        Ok(())
    }

    /// Whether it has all that may come at once, as a new one has; `now` is in milliseconds.
    pub const fn is_full(&self, now: u64) -> bool {
        self.full_at <= now.saturating_mul(NANOSECONDS / 1_000)
    }
}

impl<K: Eq + Hash> Buckets<K> {
    /// Remembers `most` of them.
    pub fn new(most: usize) -> Self {
        let sweep_at = FEW.min(most);
        Self { most, buckets: HashMap::new(), others: Bucket::default(), swept: None, sweep_at }
    }

    /// How many are remembered.
    pub fn len(&self) -> usize {
        self.buckets.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }

    /// Takes one out of the bucket of `key`; as [`Bucket::take`].
    pub fn take(&mut self, key: K, rate: Rate, now: u64) -> Result<(), u32> {
        if rate.is_unlimited() {
            return Ok(());
        }
        if self.buckets.len() >= self.sweep_at && !self.buckets.contains_key(&key) {
            self.sweep(now);
        }
        let bucket = match self.buckets.len() < self.most {
            true => self.buckets.entry(key).or_default(),
            false => self.buckets.get_mut(&key).unwrap_or(&mut self.others),
        };
        bucket.take(rate, now)
    }

    /// Forgets whose bucket is full. Not more than once a second, for it looks at everybody.
    fn sweep(&mut self, now: u64) {
        if self.swept.is_none_or(|swept| now.saturating_sub(swept) >= SWEEP_PAUSE) {
            self.swept = Some(now);
            self.buckets.retain(|_, bucket| !bucket.is_full(now));
            self.sweep_at = (2 * self.buckets.len()).max(FEW).min(self.most);
            self.buckets.shrink_to(self.sweep_at);
        }
    }
}

/// So many are not worth a look.
const FEW: usize = 1_024;
/// In milliseconds.
const SWEEP_PAUSE: u64 = 1_000;
/// How far the clocks of those who take from one bucket may be apart, in nanoseconds.
const SKEW: u64 = NANOSECONDS;
/// In a second.
const NANOSECONDS: u64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of `tries` pass at one moment.
    fn pass(bucket: &mut Bucket, rate: Rate, now: u64, tries: usize) -> usize {
        (0..tries).filter(|_| bucket.take(rate, now).is_ok()).count()
    }

    #[test]
    fn a_burst_passes_at_once_and_then_so_many_a_second() {
        let rate = Rate::per_second(10, 50);
        let mut bucket = Bucket::default();
        assert_eq!(pass(&mut bucket, rate, 1_000, 100), 50);
        assert_eq!(pass(&mut bucket, rate, 1_099, 100), 0);
        assert_eq!(pass(&mut bucket, rate, 1_100, 100), 1);
        assert_eq!(pass(&mut bucket, rate, 2_100, 100), 10);
        assert_eq!(pass(&mut bucket, rate, 1_000_000, 100), 50, "no more than a burst is saved");
    }

    #[test]
    fn who_takes_by_clocks_that_differ_gets_no_more_than_by_one() {
        let rate = Rate::per_minute(60);
        let mut bucket = Bucket::default();
        let mut passed = 0;
        for now in 10_000..20_000 {
            // One thread is half a second behind the other.
            for now in [now, now - 500] {
                passed += pass(&mut bucket, rate, now, 1);
            }
        }
        assert_eq!(passed, 60 + 9, "a minute's worth at once, and one in each second behind it");
    }

    #[test]
    fn whoever_finds_no_place_shares_one_bucket_until_others_are_forgotten() {
        let rate = Rate::per_second(1, 2);
        let mut buckets = Buckets::new(3);
        for key in 0..3 {
            assert_eq!(buckets.take(key, rate, 5_000), Ok(()));
        }
        let passed = (3..9).filter(|key| buckets.take(*key, rate, 5_000).is_ok()).count();
        assert_eq!((passed, buckets.len()), (2, 3));
        assert_eq!(buckets.take(0, rate, 5_000), Ok(()), "who is known has what is left to it");
        // Of the three, one is not full again after a second; the others are forgotten.
        assert_eq!(buckets.take(9, rate, 6_000), Ok(()));
        assert_eq!(buckets.len(), 2);
        assert_eq!(buckets.take(7, Rate::default(), 6_000), Ok(()));
        assert_eq!(buckets.len(), 2, "without a limit nobody is remembered");
    }

    #[test]
    fn who_was_here_once_is_forgotten_long_before_there_is_no_place() {
        let rate = Rate::per_second(1, 2);
        let mut buckets = Buckets::new(1 << 18);
        for key in 0..100_000 {
            // A hundred come in each second, and are forgotten after another.
            assert_eq!(buckets.take(key, rate, key * 10), Ok(()));
            assert!(buckets.len() <= FEW && buckets.buckets.capacity() < 8 * FEW, "{key}");
        }
        // Who comes more than once a second is remembered all the time.
        let taken = (0..10).map(|second| 1_000_000 + second * 100).map(|now| {
            (0..FEW as u64)
                .for_each(|key| assert!(buckets.take(now * 10_000 + key, rate, now).is_ok()));
            buckets.take(7, rate, now).is_ok()
        });
        assert_eq!(taken.filter(|taken| *taken).count(), 2);
    }

    #[test]
    fn who_waits_as_long_as_it_is_told_passes() {
        for (rate, start) in [
            (Rate::per_second(3, 1), 0),
            (Rate::per_second(1_000_000, 1), 5),
            (Rate::per_minute(7), 1_795_300_509_671),
            (Rate::per_minute(1), 1),
        ] {
            let (mut bucket, mut now) = (Bucket::default(), start);
            for _ in 0..100 {
                if let Err(wait) = bucket.take(rate, now) {
                    assert!(wait > 0 && bucket.take(rate, now + u64::from(wait) - 1).is_err());
                    now += u64::from(wait);
                    assert_eq!(bucket.take(rate, now), Ok(()), "{rate:?} at {now}");
                }
            }
        }
    }

    #[test]
    fn a_minutes_messages_may_come_at_once() {
        let rate = Rate::per_minute(60);
        let mut bucket = Bucket::default();
        assert_eq!(pass(&mut bucket, rate, 0, 100), 60);
        assert_eq!(bucket.take(rate, 0), Err(1_000));
        assert_eq!(pass(&mut bucket, rate, 30_000, 100), 30);
    }

    #[test]
    fn nothing_is_no_limit() {
        let mut bucket = Bucket::default();
        for rate in [Rate::default(), Rate::per_second(0, 5), Rate::per_minute(0)] {
            assert_eq!(pass(&mut bucket, rate, 0, 1_000), 1_000);
        }
    }

    #[test]
    fn a_clock_that_goes_back_and_a_rate_that_falls_lock_nobody_out() {
        let mut bucket = Bucket::default();
        assert_eq!(pass(&mut bucket, Rate::per_second(1, 10), 1_000_000_000, 20), 10);
        assert!(bucket.take(Rate::per_second(1, 10), 1_000).is_err_and(|wait| wait <= 1_000));
        assert!(bucket.take(Rate::per_second(2, 1), 1_000).is_err_and(|wait| wait <= 500));
        assert_eq!(bucket.take(Rate::per_second(2, 1), 1_500), Ok(()));
    }

    #[test]
    fn the_end_of_time_is_no_panic() {
        let mut bucket = Bucket::default();
        assert!(pass(&mut bucket, Rate::per_minute(u32::MAX), u64::MAX, 3) <= 3);
        assert!(pass(&mut bucket, Rate::per_second(1, u32::MAX), 0, 3) <= 3);
    }
}
