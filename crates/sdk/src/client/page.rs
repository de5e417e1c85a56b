//! What the page hears of its network, and of its own rest.

use super::{Client, RECONNECT, State};
use crate::heartbeat::Verdict;
use crate::{Backoff, Outgoing, Output};

impl<P: Clone, L: Clone> Client<P, L> {
    /// The network or the page came back: what waits need not wait longer, and an attempt from before
    /// may hang in a network that is gone.
    pub fn handle_wake(&mut self, now: u64) {
        match self.state {
            State::Waiting { .. } => self.connect(now),
            State::Connecting { until } if now + Self::CONNECT_DEADLINE > until + FRESH => {
                self.hang_up(RECONNECT);
                self.connect(now);
            }
            _ => self.handle_offline(now),
        }
    }

    /// The network may be gone: whether the line is still there shows sooner than by its silence.
    pub fn handle_offline(&mut self, now: u64) {
        let State::Open(line) = &mut self.state else { return };
        let verdict = line.heartbeat.as_mut().map(|heartbeat| heartbeat.handle_wake(now));
        if verdict == Some(Verdict::Ping) {
            self.outputs.push_back(Output::Send(Outgoing::Ping));
        }
    }

    /// The page will not run for a while: it gives back the connection that it could not read, which
    /// the browser would keep open for it, and takes another one when it runs again.
    pub fn handle_freeze(&mut self, now: u64) {
        if matches!(self.state, State::Idle | State::Closed { .. }) {
            return;
        }
        self.give_back();
        self.state = State::Waiting { until: now + Backoff::FIRST };
    }
}

/// How old an attempt may be that is not made again when the network comes back, in milliseconds.
const FRESH: u64 = 1_000;
