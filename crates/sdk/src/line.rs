//! The connection as the client sees it.

use crate::heartbeat::Heartbeat;

#[derive(Debug)]
pub(crate) enum State {
    /// No channel is in use.
    Idle,
    /// Coming back by itself would be no use.
    Closed { code: u16 },
    /// The application is asked for a token.
    Asking { until: u64 },
    /// A socket is on its way.
    Connecting { until: u64 },
    /// The line is there.
    Open(Line),
    /// The next attempt has a time.
    Waiting { until: u64 },
}

#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) since: u64,
    pub(crate) heartbeat: Option<Heartbeat>,
    /// The end has begun: what is sent now would be lost.
    pub(crate) closing: bool,
    /// The developer knows already that the server sends what is no frame.
    pub(crate) warned: bool,
}

impl Line {
    pub(crate) fn new(now: u64) -> Self {
        Self { since: now, heartbeat: None, closing: false, warned: false }
    }
}
