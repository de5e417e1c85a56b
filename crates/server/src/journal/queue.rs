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
    /// It has written a moment ago: what nobody waits for comes together meanwhile.
    Rests,
    /// There was nothing to do.
    Sleeps,
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

    /// Waits until there is something to do. Until `rested` that is only what is urgent; from then on it
    /// is anything, and from `deadline` on nothing is waited for.
    pub(super) fn wait(&self, rested: Instant, deadline: Option<Instant>) -> MutexGuard<'_, Queue> {
        let rested = deadline.map_or(rested, |deadline| deadline.min(rested));
        let mut queue = self.queue();
        while !queue.is_urgent() {
            let now = Instant::now();
            let is_over = deadline.is_some_and(|deadline| deadline <= now);
            let until = if now < rested {
                queue.pace = Pace::Rests;
                Some(rested)
            } else if queue.is_empty() && !is_over {
                queue.pace = Pace::Sleeps;
                deadline
            } else {
                break;
            };
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

    /// Whether somebody waits, or so much does that it should not become more.
    fn is_urgent(&self) -> bool {
        self.closed || !self.waiters.is_empty() || self.records.len() >= MAX_RESTING_BYTES
    }

    fn wakes(&self) -> bool {
        match self.pace {
            Pace::Works => false,
            Pace::Rests => self.is_urgent(),
            Pace::Sleeps => !self.is_empty(),
        }
    }
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue").field("bytes", &self.records.len()).finish_non_exhaustive()
    }
}

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
        assert!(!shared.wait(now, None).is_empty());
        assert!(!shared.wait(now + hour, Some(now)).is_empty());
        shared.fill(|queue| queue.waiters.push(Box::new(|| {})));
        assert!(!shared.wait(now + hour, None).is_empty());
    }

    #[test]
    fn a_thread_that_rests_is_woken_by_who_waits() {
        let (shared, now) = (Shared::default(), Instant::now());
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                let queue = shared.wait(now + Duration::from_secs(3_600), None);
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
}
