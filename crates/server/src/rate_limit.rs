//! How often each address may try something.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use hub::{Buckets, Rate};

/// Lets every address do something so many times a minute, with as many at once.
///
/// It remembers at most [`MAX_ADDRESSES`] of those that were here in the last minute. While there are
/// more, those it has no place for share one allowance.
#[derive(Debug)]
pub(crate) struct RateLimit {
    rate: Rate,
    addresses: Buckets<IpAddr>,
    start: Instant,
}

impl RateLimit {
    /// `a_minute` times a minute; 0 is as often as anybody likes.
    pub(crate) fn new(a_minute: u32, now: Instant) -> Self {
        let addresses = Buckets::new(MAX_ADDRESSES);
        Self { rate: Rate::per_minute(a_minute), addresses, start: now }
    }

    /// Counts one try; how long to wait if it is one too many.
    pub(crate) fn take(&mut self, address: IpAddr, now: Instant) -> Result<(), Duration> {
        let now = now.saturating_duration_since(self.start).as_millis() as u64;
        let taken = self.addresses.take(address, self.rate, now);
        taken.map_err(|wait| Duration::from_millis(wait.into()))
    }
}

/// The most addresses that are remembered; some 6 MiB.
pub(crate) const MAX_ADDRESSES: usize = 65_536;

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn address(number: usize) -> IpAddr {
        Ipv4Addr::from_bits(u32::try_from(number).expect("it fits")).into()
    }

    /// How many tries of many at this time are allowed.
    fn allowed(limit: &mut RateLimit, who: usize, now: Instant) -> usize {
        (0..100).filter(|_| limit.take(address(who), now).is_ok()).count()
    }

    #[test]
    fn so_many_are_allowed_at_once_and_then_one_after_the_other() {
        let start = Instant::now();
        let mut limit = RateLimit::new(10, start);
        assert_eq!(allowed(&mut limit, 1, start), 10);
        assert_eq!(limit.take(address(1), start), Err(Duration::from_secs(6)));
        let later = start + Duration::from_secs(4);
        let wait = limit.take(address(1), later).expect_err("not yet");
        assert_eq!(wait.as_millis(), 2_000);
        assert_eq!(allowed(&mut limit, 1, later + wait + Duration::from_millis(1)), 1);
        assert_eq!(allowed(&mut limit, 1, start + Duration::from_secs(600)), 10);
    }

    #[test]
    fn one_address_does_not_use_up_what_is_anothers() {
        let now = Instant::now();
        let mut limit = RateLimit::new(3, now);
        assert_eq!(allowed(&mut limit, 1, now), 3);
        assert_eq!(allowed(&mut limit, 2, now), 3);
    }

    #[test]
    fn refused_tries_cost_nothing() {
        let start = Instant::now();
        let mut limit = RateLimit::new(1, start);
        for second in 0..120 {
            // Who keeps on trying gets one a minute all the same.
            let now = start + Duration::from_secs(second);
            assert_eq!(allowed(&mut limit, 1, now), usize::from(second % 60 == 0), "{second}");
        }
    }

    #[test]
    fn no_limit_is_none() {
        let now = Instant::now();
        let mut limit = RateLimit::new(0, now);
        assert_eq!(allowed(&mut limit, 1, now), 100);
        assert!(limit.addresses.is_empty());
    }

    #[test]
    fn a_clock_that_goes_back_gives_nothing_away() {
        let now = Instant::now() + Duration::from_secs(100);
        let mut limit = RateLimit::new(5, now);
        assert_eq!(allowed(&mut limit, 1, now), 5);
        assert_eq!(allowed(&mut limit, 1, now - Duration::from_secs(60)), 0);
        assert_eq!(allowed(&mut limit, 1, now), 0);
    }

    #[test]
    fn whoever_finds_the_table_full_shares_one_allowance_until_others_are_forgotten() {
        let start = Instant::now();
        let mut limit = RateLimit::new(2, start);
        for who in 0..MAX_ADDRESSES {
            assert!(limit.take(address(who), start).is_ok());
        }
        assert!(limit.take(address(MAX_ADDRESSES), start).is_ok());
        assert!(limit.take(address(MAX_ADDRESSES + 1), start).is_ok());
        assert!(limit.take(address(MAX_ADDRESSES + 2), start).is_err());
        assert_eq!(limit.addresses.len(), MAX_ADDRESSES);
        // Who is known has what is left to it.
        assert_eq!(allowed(&mut limit, 7, start), 1);
        let later = start + Duration::from_secs(60);
        assert_eq!(allowed(&mut limit, MAX_ADDRESSES + 2, later), 2);
        assert_eq!(limit.addresses.len(), 1);
    }
}
