//! Whether the other end of an open connection still answers.

/// Pings after silence, where the server said it answers pings. All times are milliseconds.
///
/// Where the interval is 25 s, the server is asked after 15 s and has 10 s to answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heartbeat {
    /// How much silence is normal.
    quiet: u64,
    /// How long an answer may take.
    patience: u64,
    heard: u64,
    asked: Option<Asked>,
}

/// What to do about the silence.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Verdict {
    /// Nothing yet.
    Wait,
    /// Ask whether anybody is there.
    Ping,
    /// Nobody is.
    Dead,
}

#[derive(Clone, Copy, Debug)]
struct Asked {
    /// When the answer is overdue.
    until: u64,
    /// Not for the first time since the last frame.
    again: bool,
}

impl Heartbeat {
    /// How late a timer must be for the page to count as having slept.
    const SLEPT: u64 = 5_000;
    /// How long an answer may take after the page slept or the network changed, and always at least.
    const PATIENCE: u64 = 5_000;

    /// Starts watching at `now`; `interval` is after how much silence the server pings by itself.
    pub(crate) fn new(interval: u64, now: u64) -> Self {
        let quiet = interval * 3 / 5;
        let patience = (interval - quiet).max(Self::PATIENCE);
        Self { quiet, patience, heard: now, asked: None }
    }

    /// Something came: the line is alive.
    pub(crate) fn handle_frame(&mut self, now: u64) {
        self.heard = now;
        self.asked = None;
    }

    /// The network or the page came back: whether to ping at once.
    pub(crate) fn handle_wake(&mut self, now: u64) -> Verdict {
        if self.asked.is_some() {
            return Verdict::Wait;
        }
        self.ask(now, Self::PATIENCE)
    }

    /// Judges the silence.
    pub(crate) fn handle_timeout(&mut self, now: u64) -> Verdict {
        let due = self.poll_timeout();
        if now < due {
            return Verdict::Wait;
        }
        // After a sleep the answer may lie unread beside us, so an overdue one proves nothing. Where
        // every timer is as late, as in a hidden tab, the second one does.
        let slept = now - due > Self::SLEPT;
        match self.asked {
            Some(asked) if asked.again || !slept => Verdict::Dead,
            None if !slept => self.ask(now, self.patience),
            _ => self.ask(now, Self::PATIENCE),
        }
    }

    /// When to judge next.
    pub(crate) fn poll_timeout(&self) -> u64 {
        self.asked.map_or(self.heard + self.quiet, |asked| asked.until)
    }

    fn ask(&mut self, now: u64, patience: u64) -> Verdict {
        self.asked = Some(Asked { until: now + patience, again: self.asked.is_some() });
        Verdict::Ping
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_answered_with_a_ping_and_then_with_an_end() {
        let mut heartbeat = Heartbeat::new(25_000, 0);
        assert_eq!(heartbeat.handle_timeout(14_999), Verdict::Wait);
        assert_eq!(heartbeat.handle_timeout(15_000), Verdict::Ping);
        assert_eq!(heartbeat.poll_timeout(), 25_000);
        assert_eq!(heartbeat.handle_timeout(25_000), Verdict::Dead);
    }

    #[test]
    fn an_answer_has_five_seconds_even_where_the_interval_is_short() {
        let mut heartbeat = Heartbeat::new(1_000, 0);
        assert_eq!(heartbeat.handle_timeout(600), Verdict::Ping);
        assert_eq!(heartbeat.handle_timeout(5_599), Verdict::Wait);
        assert_eq!(heartbeat.handle_timeout(5_600), Verdict::Dead);
    }

    #[test]
    fn any_frame_counts_as_an_answer() {
        let mut heartbeat = Heartbeat::new(25_000, 0);
        assert_eq!(heartbeat.handle_timeout(15_000), Verdict::Ping);
        heartbeat.handle_frame(16_000);
        assert_eq!(heartbeat.handle_timeout(25_000), Verdict::Wait);
        assert_eq!(heartbeat.poll_timeout(), 31_000);
    }

    #[test]
    fn a_page_that_slept_asks_again_before_it_gives_up() {
        let mut heartbeat = Heartbeat::new(25_000, 0);
        assert_eq!(heartbeat.handle_timeout(15_000), Verdict::Ping);
        assert_eq!(heartbeat.handle_timeout(3_600_000), Verdict::Ping);
        assert_eq!(heartbeat.handle_timeout(3_605_000), Verdict::Dead);
    }

    #[test]
    fn timers_that_are_always_late_do_not_keep_a_dead_line() {
        let mut heartbeat = Heartbeat::new(25_000, 0);
        assert_eq!(heartbeat.handle_timeout(60_000), Verdict::Ping);
        assert_eq!(heartbeat.handle_timeout(120_000), Verdict::Ping);
        assert_eq!(heartbeat.handle_timeout(180_000), Verdict::Dead);
        let mut heartbeat = Heartbeat::new(25_000, 0);
        for minute in 1..100 {
            assert_eq!(heartbeat.handle_timeout(minute * 60_000), Verdict::Ping);
            heartbeat.handle_frame(minute * 60_000 + 50);
        }
    }

    #[test]
    fn a_wake_asks_at_once_but_only_once() {
        let mut heartbeat = Heartbeat::new(25_000, 0);
        assert_eq!(heartbeat.handle_wake(10_000), Verdict::Ping);
        assert_eq!(heartbeat.handle_wake(10_001), Verdict::Wait);
        assert_eq!(heartbeat.poll_timeout(), 15_000);
    }
}
