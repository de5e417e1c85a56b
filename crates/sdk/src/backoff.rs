//! How long to wait before the next attempt, from the number of failed ones.

/// Full jitter: any time up to a bound that doubles with each failure, so that the clients of a
/// restarted server come back spread out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The shortest wait, in milliseconds.
    pub const FLOOR: u64 = 100;
    /// The bound of the first wait, in milliseconds.
    pub const FIRST: u64 = 1_000;
    /// The bound that no wait exceeds, in milliseconds.
    pub const CAP: u64 = 60_000;
    /// How long a connection must have been open for its end to count as a first failure. A server
    /// that accepts and closes at once is not hammered.
    pub const STABLE: u64 = 5_000;

    /// Counts a failure and gives the wait in milliseconds. `random` is in `[0, 1)`.
    pub fn next_delay(&mut self, random: f64) -> u64 {
        // 2^6 seconds is beyond the cap already.
        let bound = (Self::FIRST << self.failures.min(6)).min(Self::CAP);
        self.failures = self.failures.saturating_add(1);
        ((bound as f64 * random) as u64).clamp(Self::FLOOR, bound)
    }

    /// Forgets the failures.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_doubles_up_to_a_minute() {
        let mut backoff = Backoff::default();
        let bounds: Vec<u64> = (0..9).map(|_| backoff.next_delay(1.0)).collect();
        assert_eq!(bounds, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]);
        backoff.reset();
        assert_eq!(backoff.next_delay(1.0), 1_000);
    }

    #[test]
    fn the_wait_is_anywhere_below_the_bound_but_never_nothing() {
        let mut backoff = Backoff::default();
        assert_eq!(backoff.next_delay(0.0), Backoff::FLOOR);
        assert_eq!(backoff.next_delay(0.5), 1_000);
        assert_eq!(backoff.next_delay(0.25), 1_000);
    }

    #[test]
    fn years_of_failures_do_not_overflow() {
        let mut backoff = Backoff { failures: u32::MAX };
        assert_eq!(backoff.next_delay(1.0), Backoff::CAP);
        assert_eq!(backoff.next_delay(1.0), Backoff::CAP);
    }
}
