//! What waits for the journal's thread, and what the thread is woken for.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use protocol::ErrorCode;

/// Somebody who is told when all that was appended before is on the disk. Is dropped instead when
/// the server stops and it never got there.
pub(crate) type Waiter = Box<dyn FnOnce() + Send>;

/// What the shards and the journal's thread share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    queue: Mutex<Queue>,
    filled: Condvar,
    /// The disk has refused something, and not taken everything since.
    failed: AtomicBool,
}

#[derive(Default)]
pub(super) struct Queue {
    pub(super) records: Vec<u8>,
    pub(super) waiters: Vec<Waiter>,
    pub(super) closed: bool,
    pace: Pace,
}

/// What the thread does, and so what it has to be woken for. To wake it costs a system call, and where
/// no processor is to spare, two changes of threads, which for each message is more than to deliver it
/// to a reader.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Pace {
    /// It works, and looks at the queue before it waits.
    #[default]
    Works,
    /// It has synced a moment ago, for several: what the next sync is for comes together meanwhile.
    Gathers,
    /// It has written a moment ago: what nobody waits for comes together meanwhile.
    Rests,
    /// There was nothing to do.
    Sleeps,
}

/// Until when the thread leaves alone what is queued.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rest {
    /// Even if somebody waits for it.
    gathered: Instant,
    /// If nobody does.
    rested: Instant,
}

impl Rest {
    /// None at all.
    pub(super) fn until(now: Instant) -> Self {
        Self { gathered: now, rested: now }
    }

    /// What follows work that began at `begun` for `served` who waited, behind whom `more` wait at `now`.
    /// A sync costs the same for one and for many, so many share one. Who waits alone, message after
    /// message, would only wait longer.
    pub(super) fn after((begun, now): (Instant, Instant), served: usize, more: bool) -> Self {
        let is_shared = served > 1 || (served == 1 && more);
        let gathered = if is_shared { begun + GATHERING } else { begun };
        Self { gathered, rested: now + REST }
    }
}

impl Shared {
    /// Whether something that is to be kept can be taken now, and if not, what its sender is told.
    pub(super) fn has_room(&self) -> Result<(), ErrorCode> {
        if self.failed.load(Ordering::Relaxed) {
            return Err(ErrorCode::StorageFailed);
        }
        let queue = self.queue();
        let full = queue.records.len() >= MAX_QUEUED_BYTES || queue.waiters.len() >= MAX_WAITERS;
        if full { Err(ErrorCode::Overloaded) } else { Ok(()) }
    }

    /// Whether the disk has refused something is said here.
    pub(super) fn set_failed(&self, failed: bool) {
        self.failed.store(failed, Ordering::Relaxed);
    }

    pub(super) fn queue(&self) -> MutexGuard<'_, Queue> {
        // A panic while a record is written leaves at worst half of one, which is cut later.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the queue, and wakes the thread if what is queued now is a reason.
    pub(super) fn fill(&self, change: impl FnOnce(&mut Queue)) {
        let mut queue = self.queue();
        change(&mut queue);
        let wakes = queue.wakes();
        if wakes {
            queue.pace = Pace::Works;
        }
        drop(queue);
        if wakes {
            self.filled.notify_one();
        }
    }

    /// Lets the thread write what is left, and end.
    pub(super) fn close(&self) {
        self.queue().closed = true;
        self.filled.notify_one();
    }

    /// Waits until there is something to do: what is not urgent while `rest` lasts is nothing. From
    /// `deadline` on nothing is waited for.
    pub(super) fn wait(&self, rest: Rest, deadline: Option<Instant>) -> MutexGuard<'_, Queue> {
        let mut queue = self.queue();
        loop {
            let now = Instant::now();
            let Some((pace, until)) = queue.idles(now, rest, deadline) else { break };
            queue.pace = pace;
            queue = match until.map(|until| until - now) {
                None => self.filled.wait(queue).unwrap_or_else(PoisonError::into_inner),
                Some(left) => {
                    let waited = self.filled.wait_timeout(queue, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        queue.pace = Pace::Works;
        queue
    }

    /// Whether somebody waits.
    pub(super) fn is_awaited(&self) -> bool {
        !self.queue().waiters.is_empty()
    }

    /// Waits a moment before the next try, unless there is none but this.
    pub(super) fn pause(&self) {
        let deadline = Instant::now() + RETRY_PAUSE;
        let mut queue = self.queue();
        while !queue.closed && Instant::now() < deadline {
            let waited = self.filled.wait_timeout(queue, RETRY_PAUSE);
            queue = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty() && self.waiters.is_empty()
    }

    /// How the thread spends its time from `now` on, and until when, if there is nothing to do for it.
    fn idles(
        &self,
        now: Instant,
        rest: Rest,
        deadline: Option<Instant>,
    ) -> Option<(Pace, Option<Instant>)> {
        let Rest { gathered, rested } = rest;
        if self.is_full() || deadline.is_some_and(|deadline| deadline <= now) {
            None
        } else if now < gathered {
            Some((Pace::Gathers, Some(gathered)))
        } else if !self.waiters.is_empty() {
            None
        } else if now < rested {
            Some((Pace::Rests, Some(deadline.map_or(rested, |deadline| deadline.min(rested)))))
        } else {
            self.records.is_empty().then_some((Pace::Sleeps, deadline))
        }
    }

    /// Whether so much waits that it should not become more.
    fn is_full(&self) -> bool {
        self.closed || self.records.len() >= MAX_RESTING_BYTES
    }

    fn wakes(&self) -> bool {
        match self.pace {
            Pace::Works => false,
            Pace::Gathers => self.is_full(),
            Pace::Rests => self.is_full() || !self.waiters.is_empty(),
            Pace::Sleeps => !self.is_empty(),
        }
    }
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue").field("bytes", &self.records.len()).finish_non_exhaustive()
    }
}

/// How long after the beginning of a sync the next one begins, if it is for more than one who waits: an
/// ack comes that much later at most.
const GATHERING: Duration = Duration::from_millis(2);
/// How long the thread rests after it has written: what a crash of the process may cost, of what nobody
/// waits for.
pub(super) const REST: Duration = Duration::from_millis(5);
/// What may come together meanwhile, in bytes.
const MAX_RESTING_BYTES: usize = 256 << 10;
/// What may wait for the disk before more is refused, in bytes.
const MAX_QUEUED_BYTES: usize = 16 << 20;
/// How many may wait for the disk before more is refused.
const MAX_WAITERS: usize = 65_536;
/// How often it is tried to write again after a failure.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    /// What the thread is woken for while it does what `pace` says.
    fn wakes(pace: Pace, fill: impl FnOnce(&mut Queue)) -> bool {
        let mut queue = Queue { pace, ..Queue::default() };
        fill(&mut queue);
        queue.wakes()
    }

    #[test]
    fn who_waits_for_the_disk_wakes_a_thread_that_rests_and_who_does_not_lets_it_rest() {
        let record = |queue: &mut Queue| queue.records.push(0);
        let waiter = |queue: &mut Queue| queue.waiters.push(Box::new(|| {}));
        let much = |queue: &mut Queue| queue.records.resize(MAX_RESTING_BYTES, 0);
        assert!(!wakes(Pace::Rests, record));
        assert!(wakes(Pace::Rests, waiter) && wakes(Pace::Rests, much));
        assert!(wakes(Pace::Sleeps, record) && wakes(Pace::Sleeps, waiter));
        assert!(!wakes(Pace::Works, record) && !wakes(Pace::Works, waiter), "it will look itself");
    }

    #[test]
    fn what_nobody_waits_for_is_written_when_the_rest_is_over_and_what_somebody_waits_for_at_once()
    {
        let (shared, hour) = (Shared::default(), Duration::from_secs(3_600));
        shared.fill(|queue| queue.records.push(0));
        // These end although nobody wakes anybody: a rest that is over, one that a deadline ends, and
        // one in which somebody waits.
        let now = Instant::now();
        let long = Rest { gathered: now, rested: now + hour };
        assert!(!shared.wait(Rest::until(now), None).is_empty());
        assert!(!shared.wait(long, Some(now)).is_empty());
        shared.fill(|queue| queue.waiters.push(Box::new(|| {})));
        assert!(!shared.wait(long, None).is_empty());
    }

    #[test]
    fn a_thread_that_rests_is_woken_by_who_waits() {
        let (shared, now) = (Shared::default(), Instant::now());
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                let rested = now + Duration::from_secs(3_600);
                let queue = shared.wait(Rest { gathered: now, rested }, None);
                (queue.records.len(), queue.waiters.len())
            });
            while shared.queue().pace != Pace::Rests {
                std::thread::yield_now();
            }
            shared.fill(|queue| queue.records.push(0));
            assert!(shared.queue().pace == Pace::Rests, "for this alone it rests on");
            shared.fill(|queue| queue.waiters.push(Box::new(|| {})));
            assert_eq!(thread.join().expect("the thread does not panic"), (1, 1));
        });
    }

    #[test]
    fn where_several_wait_they_share_a_sync_and_who_waits_alone_has_one_at_once() {
        let (begun, now) = (Instant::now(), Instant::now());
        let mut queue = Queue::default();
        queue.waiters.push(Box::new(|| {}));
        let gathers = |queue: &Queue, served, more| {
            let idles = queue.idles(now, Rest::after((begun, now), served, more), None);
            idles == Some((Pace::Gathers, Some(begun + GATHERING)))
        };
        assert!(gathers(&queue, 2, false) && gathers(&queue, 1, true));
        assert!(!gathers(&queue, 1, false), "it may be the answer to its last ack");
        assert!(!gathers(&queue, 0, true), "it came while something else was written");
        let late = Rest::after((begun, now), 2, true);
        assert!(queue.idles(begun + GATHERING, late, None).is_none(), "and not for longer");
        assert!(!wakes(Pace::Gathers, |queue| queue.waiters.push(Box::new(|| {}))));
        assert!(wakes(Pace::Gathers, |queue| queue.records.resize(MAX_RESTING_BYTES, 0)));
        queue.closed = true;
        assert!(!gathers(&queue, 2, true), "the last one waits for nobody");
    }
}
