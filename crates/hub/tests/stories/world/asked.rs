//! The triggers of the world: they answer when the test says so.

use std::sync::Arc;

use hub::{CallError, CallId, ChannelSettings, Settings, Trigger};
use serde_json::Value;

use super::{HASH, World};

/// A trigger that waits for the test's answer.
pub(crate) struct Asked {
    pub(crate) call: CallId,
    pub(crate) trigger: u64,
    pub(crate) input: Value,
}

impl World {
    pub(crate) fn change_triggers(
        &mut self,
        channels: Vec<ChannelSettings>,
        triggers: Vec<Trigger>,
    ) {
        let settings = Settings::new(HASH.to_owned(), channels).with_triggers(triggers);
        self.hub.handle_settings(Arc::new(settings));
        self.settle();
    }

    /// The oldest call of a trigger that was not answered yet.
    pub(crate) fn asked(&mut self) -> Asked {
        self.calls.pop_front().expect("a trigger is asked")
    }

    /// Another of those calls: so many turns on.
    pub(crate) fn asked_after(&mut self, turns: usize) -> Asked {
        self.calls.rotate_left(turns % self.calls.len());
        self.asked()
    }

    pub(crate) fn is_asked_nothing(&self) -> bool {
        self.calls.is_empty()
    }

    pub(crate) fn say(&mut self, call: CallId, answer: Result<&str, CallError>) {
        let answer = answer.map(|text| text.as_bytes().to_vec());
        self.hub.handle_called(call, answer, self.now);
        self.settle();
    }

    /// Answers the oldest call; which trigger it was.
    pub(crate) fn answer_next(&mut self, answer: &str) -> u64 {
        let Asked { call, trigger, .. } = self.asked();
        self.say(call, Ok(answer));
        trigger
    }
}
