//! One run at fixed times.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use mio::Waker;

use crate::crowd::Crowd;
use crate::paced::Stream;
use crate::place::{Clock, Share};
use crate::speech::{self, Wants};
use crate::stats::percentile;
use crate::subject::{Running, Used};
use crate::wire::{Frame, Number};

/// What was seen: times in ms of the first stream, the rest of all of them.
pub(crate) struct Figures {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    /// Deliveries a second, until the last has come.
    pub(crate) rate: f64,
    /// Deliveries that did not come.
    pub(crate) missing: f64,
    /// Processor time of the server, in µs for a delivery.
    pub(crate) cpu: f64,
    /// By how many bytes the server's memory grew, at most.
    pub(crate) growth: f64,
    pub(crate) share: Share,
}

/// A stream under way.
struct Lane {
    stream: Stream,
    readers: Range<usize>,
    /// How many messages have been sent, and how many are to be.
    sent: u64,
    all: u64,
    /// The first that is measured.
    first: u64,
    /// In µs, of what was measured.
    times: Vec<u32>,
    /// Bytes of its frames.
    frame: usize,
}

pub(crate) fn run(server: &Running, streams: &[Stream], seconds: f64) -> Result<Figures> {
    let mut crowd = Crowd::new()?;
    let mut lanes = Vec::new();
    for (channel, stream) in streams.iter().enumerate() {
        let join = speech::join(server, channel, Wants::default());
        crowd.greets = true;
        let readers = crowd.connect((server, channel), stream.readers, join.as_deref())?;
        lanes.push(Lane::new(*stream, readers, seconds));
    }
    if lanes.len() > 1 {
        crowd.put_first(lanes[0].readers.clone())?;
    }
    // It is over for the alarm when this is.
    let (start, warm_up) = (Instant::now(), warm_up(seconds));
    let _alarm = Alarm::set(crowd.waker()?, &lanes, start);
    let mut measured: Option<(Clock, Used)> = None;
    let (mut last, mut next_look, mut largest) = (start, start, 0.0_f64);
    loop {
        let now = start.elapsed();
        for (channel, lane) in lanes.iter_mut().enumerate() {
            lane.send(&mut crowd, (server, channel), now)?;
        }
        if measured.is_none() && now >= warm_up {
            lanes.iter().for_each(|lane| lane.stall(&mut crowd));
            measured = Some((Clock::start(), server.used()?));
        }
        crowd.turn(TICK, |index, frame| {
            if let Frame::Publication(number, bytes) = frame {
                last = Instant::now();
                let lane = lanes.iter_mut().find(|lane| lane.readers.contains(&index));
                if let Some(lane) = lane {
                    lane.receive(number, bytes, last - start);
                }
            }
        })?;
        if next_look.elapsed() >= LOOK {
            next_look = Instant::now();
            lanes.iter().try_for_each(|lane| lane.sip(&mut crowd))?;
            largest = largest.max(server.used()?.memory);
        }
        let is_over = lanes.iter().all(Lane::is_over);
        let is_sent = lanes.iter().all(|lane| lane.sent == lane.all);
        let is_too_late = now > lanes[0].due(lanes[0].all) + PATIENCE;
        if is_over || (is_sent && (last.elapsed() > SILENCE || is_too_late)) {
            break;
        }
    }
    let (clock, before) = measured.unwrap_or((Clock::start(), server.used()?));
    let after = server.used()?;
    let deliveries: usize = lanes.iter().map(|lane| lane.times.len()).sum();
    let expected: u64 = lanes.iter().map(Lane::expected).sum();
    let span = (last - start).saturating_sub(warm_up).as_secs_f64();
    let share = clock.share();
    let mut milliseconds =
        |part| percentile(&mut lanes[0].times, part).map_or(f64::NAN, |time| f64::from(time) / 1e3);
    Ok(Figures {
        p50: milliseconds(0.5),
        p99: milliseconds(0.99),
        rate: deliveries as f64 / span,
        missing: expected as f64 - deliveries as f64,
        cpu: (after.seconds() - before.seconds()) / deliveries as f64 * 1e6,
        growth: (largest.max(after.memory) - before.memory).max(0.0),
        share,
    })
}

impl Lane {
    fn new(stream: Stream, readers: Range<usize>, seconds: f64) -> Self {
        let messages = |seconds: f64| (seconds * stream.per_second as f64).ceil() as u64;
        let first = messages(warm_up(seconds).as_secs_f64());
        let all = first + messages(seconds).max(1);
        Self { stream, readers, sent: 0, all, first, times: Vec::new(), frame: 0 }
    }

    /// When a message is due.
    fn due(&self, message: u64) -> Duration {
        Duration::from_nanos(message * 1_000_000_000 / self.stream.per_second)
    }

    /// Sends what is due, by one publisher after the other.
    fn send(
        &mut self,
        crowd: &mut Crowd,
        (server, channel): (&Running, usize),
        now: Duration,
    ) -> Result<()> {
        while self.sent < self.all && self.due(self.sent) <= now {
            let publishers = self.stream.publishers as u64;
            let publisher = (self.sent % publishers) as usize;
            let number = Number { publisher, count: self.sent / publishers + 1 };
            let text = speech::message(server, channel, number, self.stream.payload);
            crowd.send(self.readers.start + publisher, &text)?;
            self.sent += 1;
        }
        Ok(())
    }

    fn receive(&mut self, number: Number, bytes: usize, now: Duration) {
        self.frame = bytes;
        let message = (number.count - 1) * self.stream.publishers as u64 + number.publisher as u64;
        if message >= self.first {
            let time = now.saturating_sub(self.due(message)).as_micros();
            self.times.push(u32::try_from(time).unwrap_or(u32::MAX));
        }
    }

    /// The last of the readers stop reading.
    fn stall(&self, crowd: &mut Crowd) {
        for index in self.readers.clone().rev().take(self.stream.stalled + self.stream.slow) {
            crowd.readers[index].stalled = true;
        }
    }

    /// Those who are slow read one frame's bytes.
    fn sip(&self, crowd: &mut Crowd) -> Result<()> {
        let mut buffer = vec![0; self.frame + 8];
        for index in self.readers.clone().rev().take(self.stream.slow) {
            if crowd.readers[index].stalled {
                crowd.readers[index].read_once(&mut buffer, |_| {})?;
            }
        }
        Ok(())
    }

    /// How many deliveries are measured.
    fn expected(&self) -> u64 {
        let readers = self.stream.readers - self.stream.stalled - self.stream.slow;
        (self.all - self.first) * readers as u64
    }

    fn is_over(&self) -> bool {
        self.times.len() as u64 >= self.expected()
    }
}

/// Wakes the load when a message is due, more exactly than a poll's timeout in whole milliseconds.
struct Alarm(Arc<Bell>);

/// Outlives the thread that rings it: what ends with its last ring may not be heard.
struct Bell {
    waker: Waker,
    is_over: AtomicBool,
}

impl Alarm {
    fn set(waker: Waker, lanes: &[Lane], start: Instant) -> Self {
        let mut due: Vec<Duration> =
            lanes.iter().flat_map(|lane| (0..lane.all).map(|message| lane.due(message))).collect();
        due.sort_unstable();
        let bell = Arc::new(Bell { waker, is_over: AtomicBool::new(false) });
        let rung = Arc::clone(&bell);
        thread::spawn(move || {
            for due in due {
                thread::sleep(due.saturating_sub(start.elapsed()));
                // Without the alarm a message is at most a tick late.
                if rung.is_over.load(Ordering::Relaxed) || rung.waker.wake().is_err() {
                    break;
                }
            }
        });
        Self(bell)
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        self.0.is_over.store(true, Ordering::Relaxed);
    }
}

/// What is sent before is not counted.
fn warm_up(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds.min(1.0))
}

/// How often the server's memory is looked at, and slow readers read.
const LOOK: Duration = Duration::from_millis(100);
const SILENCE: Duration = Duration::from_secs(5);
/// What comes later than this has not been delivered.
const PATIENCE: Duration = Duration::from_secs(30);
const TICK: Duration = Duration::from_millis(20);
