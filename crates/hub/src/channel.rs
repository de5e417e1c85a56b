//! A channel as one thread sees it: its settings, and how many of the thread's sessions are in it.

use std::sync::Arc;

use protocol::ChannelName;

use crate::settings::ChannelSettings;

/// A channel's place on its thread; free again when the thread's last member has left.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ChannelKey(pub u32);

/// Which of a channel's frames a member gets. Members of one class get the very same bytes in the
/// very same order, so they share one log.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct AudienceClass {
    /// Gets what only authenticated members may see, and counts it in its `seq`.
    pub authenticated: bool,
    /// Gets presence updates.
    pub presence: bool,
}

/// How a member gets a channel's frames.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Reading {
    /// Which of them.
    pub class: AudienceClass,
    /// What comes together as one message.
    pub batch: bool,
}

/// What the hub keeps for a channel that has members on this thread.
#[derive(Debug)]
pub(crate) struct Channel {
    pub(crate) name: ChannelName,
    pub(crate) settings: Arc<ChannelSettings>,
    pub(crate) members: usize,
}

impl AudienceClass {
    /// How many classes there are.
    pub const COUNT: usize = 4;

    /// All of them, by [`index`](Self::index).
    pub const ALL: [Self; Self::COUNT] = [
        Self { authenticated: false, presence: false },
        Self { authenticated: false, presence: true },
        Self { authenticated: true, presence: false },
        Self { authenticated: true, presence: true },
    ];

    /// A number below [`COUNT`](Self::COUNT).
    pub const fn index(self) -> usize {
        (self.authenticated as usize) << 1 | self.presence as usize
    }
}
