//! Channels that are left when nobody has used them for long, and joined again at the next use.

use protocol::CloseCode;

use super::{Client, State};
use crate::ChannelId;

impl<P: Clone, L: Clone> Client<P, L> {
    /// Uses a channel object once more: a channel that was left because it was idle is joined again.
    /// False if the channel object is not in use.
    pub fn use_channel(&mut self, id: ChannelId, now: u64) -> bool {
        let Some(channel) = self.channels.iter_mut().find(|channel| channel.has(id)) else {
            return false;
        };
        if channel.handle_use(now) {
            let name = channel.name.clone();
            self.start(&name, false, now);
        }
        true
    }

    /// Leaves the channels that nobody has used for as long as they were given.
    pub(super) fn leave_idle(&mut self, now: u64) {
        if matches!(self.state, State::Idle | State::Closed { .. }) {
            return;
        }
        let waits = !self.queue.is_empty();
        for index in 0..self.channels.len() {
            let channel = &mut self.channels[index];
            if now < channel.idle_at {
                continue;
            }
            if waits || self.waiters.iter().any(|waiter| waiter.is_for_join(&channel.name)) {
                channel.handle_use(now);
                continue;
            }
            channel.handle_disconnect();
            channel.idle = true;
            channel.idle_at = u64::MAX;
            let name = channel.name.clone();
            self.leave(name);
            if !self.is_active() {
                self.tell_disconnected(CloseCode::Normal.number(), IDLE, None);
            }
        }
    }
}

/// The reason of an end that comes because all channels are idle.
const IDLE: &str = "idle";
