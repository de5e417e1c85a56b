//! What the hubs of one node count together, whichever thread a connection lives on.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use protocol::ChannelName;

use crate::rate_limit::{Buckets, Rate};

/// The counts of one node. Every hub of it has the same one; nothing here is touched by a message
/// that no trigger is asked about.
#[derive(Debug)]
pub struct Tally {
    /// Who comes to which channel.
    arrivals: Mutex<Buckets<ChannelName>>,
    /// What waits for triggers, in bytes.
    waiting: AtomicUsize,
}

/// The room that a request takes while it waits; free again when it is dropped.
#[derive(Debug)]
pub(crate) struct Room {
    tally: Arc<Tally>,
    size: usize,
}

impl Default for Tally {
    fn default() -> Self {
        Self { arrivals: Mutex::new(Buckets::new(MAX_CHANNELS)), waiting: AtomicUsize::new(0) }
    }
}

impl Tally {
    /// How many bytes of requests wait for triggers, and what it takes to keep them.
    pub fn waiting_bytes(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Counts one more who comes to a channel; how long to wait, in milliseconds, if it is one too
    /// many. `now` is in milliseconds of clocks that are about the same.
    pub(crate) fn arrive(&self, channel: &ChannelName, rate: Rate, now: u64) -> Result<(), u32> {
        // A panic leaves nothing half done under this lock.
        let mut arrivals = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        arrivals.take(channel.clone(), rate, now)
    }

    /// Room for a request of this size; `None` if with it more than `most` would wait.
    pub(crate) fn room(self: &Arc<Self>, size: usize, most: usize) -> Option<Room> {
        let size = size.saturating_add(REQUEST_COST);
        let taken = |waiting: usize| waiting.checked_add(size).filter(|all| *all <= most);
        self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, taken).ok()?;
        Some(Room { tally: Arc::clone(self), size })
    }
}

impl Room {
    /// What the room is for has this size now. It has what it needs, be there as much or not.
    pub(crate) fn resize(&mut self, size: usize) {
        let size = size.saturating_add(REQUEST_COST);
        self.tally.waiting.fetch_add(size, Ordering::Relaxed);
        self.tally.waiting.fetch_sub(self.size, Ordering::Relaxed);
        self.size = size;
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.tally.waiting.fetch_sub(self.size, Ordering::Relaxed);
    }
}

/// The most channels whose arrivals are remembered, 85 MiB where all names are as long as they may be:
/// more than a node can let somebody come to in the time it takes to forget them. Those beyond it would
/// share one allowance.
const MAX_CHANNELS: usize = 1 << 18;
/// What a request takes beyond its own bytes.
const REQUEST_COST: usize = 128;

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn channel(name: &str) -> ChannelName {
        ChannelName::parse(name).expect("the name is legal")
    }

    #[test]
    fn however_many_threads_count_no_more_come_to_a_channel_than_may() {
        let (tally, rate) = (Tally::default(), Rate::per_second(10, 50));
        let came = |now: u64| {
            thread::scope(|scope| {
                let come = |skew: u64| {
                    let (tally, room) = (&tally, channel("room"));
                    // The threads' clocks were not started at the same time.
                    move || {
                        (0..500).filter(|_| tally.arrive(&room, rate, now + skew).is_ok()).count()
                    }
                };
                let threads: Vec<_> = (0..4).map(|skew| scope.spawn(come(skew * 20))).collect();
                threads.into_iter().map(|one| one.join().expect("it ends")).sum::<usize>()
            })
        };
        assert_eq!(came(10_000), 50);
        assert_eq!(came(11_000), 10);
        assert_eq!(came(60_000), 50);
        assert!(tally.arrive(&channel("other"), rate, 60_000).is_ok());
    }

    #[test]
    fn room_is_free_again_when_nothing_is_in_it() {
        let tally = Arc::new(Tally::default());
        let first = tally.room(72, 400).expect("there is room");
        let mut second = tally.room(0, 400).expect("there is room");
        assert!(tally.room(0, 400).is_none());
        assert_eq!(tally.waiting_bytes(), 328);
        second.resize(1_000);
        assert_eq!(tally.waiting_bytes(), 1_328);
        drop(second);
        let again = tally.room(72, 400).expect("there is room again");
        drop((first, again));
        assert_eq!(tally.waiting_bytes(), 0);
    }
}
