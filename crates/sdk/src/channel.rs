//! One channel name on the connection, and the channel objects that share it.

use std::collections::VecDeque;
use std::rc::Rc;

use protocol::JoinRequest;

use crate::continuity::Reader;
use crate::{Delivery, Event, Gap, Joined, Roster};

/// One channel object of the application while it is in use.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ChannelId(pub(crate) u32);

/// What an application asks of a channel.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ChannelOptions {
    /// Get the kept publications with each join.
    pub history: bool,
    /// Get who is here, and every change.
    pub presence: bool,
    /// Keep what is sent without a connection until there is one.
    pub queue_offline_actions: bool,
    /// After how many milliseconds without use to leave; `u64::MAX` for never.
    pub idle_timeout: u64,
}

/// What an application wants to hear, and whom to call.
#[derive(Clone, Debug)]
pub struct Listener<L> {
    /// The only action to hear of; `None` for all.
    pub action: Option<String>,
    /// Called with what is no error.
    pub on_action: Option<L>,
    /// Called with the channel's errors, whatever `action` is.
    pub on_error: Option<L>,
}

#[derive(Debug)]
pub(crate) struct Channel<P, L> {
    pub(crate) name: Rc<str>,
    pub(crate) roster: Roster<P>,
    pub(crate) reader: Reader,
    handles: Vec<Handle<L>>,
    /// What the server was asked for on this connection.
    asked: Option<JoinRequest>,
    /// The server has said yes to it on this connection.
    pub(crate) joined: bool,
    /// The server had too much to do for the join, which is to be sent again.
    pub(crate) put_off: bool,
    /// A channel object wants the history and has not got it.
    pub(crate) owed: bool,
    /// What the most patient of its channel objects allows.
    idle_timeout: u64,
    /// When it will have been idle for as long.
    pub(crate) idle_at: u64,
    /// It has, so it is not joined until somebody uses it.
    pub(crate) idle: bool,
}

#[derive(Debug)]
struct Handle<L> {
    id: ChannelId,
    options: ChannelOptions,
    listeners: Vec<Listener<L>>,
}

impl<P: Clone, L: Clone> Channel<P, L> {
    pub(crate) fn new(name: Rc<str>) -> Self {
        Self {
            name,
            roster: Roster::default(),
            reader: Reader::default(),
            handles: Vec::new(),
            asked: None,
            joined: false,
            put_off: false,
            owed: false,
            idle_timeout: 0,
            idle_at: 0,
            idle: false,
        }
    }

    /// Adds a channel object.
    pub(crate) fn open(&mut self, id: ChannelId, options: ChannelOptions, now: u64) {
        self.owed |= options.history;
        self.idle_timeout = self.idle_timeout.max(options.idle_timeout);
        self.handle_use(now);
        self.handles.push(Handle { id, options, listeners: Vec::new() });
    }

    /// Somebody uses it; whether it was idle until now.
    pub(crate) fn handle_use(&mut self, now: u64) -> bool {
        self.idle_at = now.saturating_add(self.idle_timeout);
        std::mem::take(&mut self.idle)
    }

    /// Takes a channel object out; whether it was the last one.
    pub(crate) fn close(&mut self, id: ChannelId) -> bool {
        self.handles.retain(|handle| handle.id != id);
        self.handles.is_empty()
    }

    pub(crate) fn has(&self, id: ChannelId) -> bool {
        self.handles.iter().any(|handle| handle.id == id)
    }

    /// Any of the channel objects.
    pub(crate) fn first(&self) -> Option<ChannelId> {
        self.handles.first().map(|handle| handle.id)
    }

    pub(crate) fn queues(&self, id: ChannelId) -> bool {
        let handle = self.handles.iter().find(|handle| handle.id == id);
        handle.is_some_and(|handle| handle.options.queue_offline_actions)
    }

    pub(crate) fn listen(&mut self, id: ChannelId, listener: Listener<L>) {
        if let Some(handle) = self.handles.iter_mut().find(|handle| handle.id == id) {
            handle.listeners.push(listener);
        }
    }

    /// Removes what `listen` added; whether that function is still to be called for anything else.
    pub(crate) fn unlisten(&mut self, id: ChannelId, gone: &Listener<L>) -> bool
    where
        L: PartialEq,
    {
        let Some(handle) = self.handles.iter_mut().find(|handle| handle.id == id) else {
            return false;
        };
        handle.listeners.retain(|listener| {
            listener.action != gone.action || listener.on_action != gone.on_action
        });
        handle.listeners.iter().any(|listener| listener.on_action == gone.on_action)
    }

    /// The join to send, unless the server knows already all that the channel objects want.
    pub(crate) fn join(&mut self) -> Option<JoinRequest> {
        let wanted = JoinRequest {
            history: self.handles.iter().any(|handle| handle.options.history),
            presence: self.handles.iter().any(|handle| handle.options.presence),
            resume: None,
            batch: true,
        };
        let known = self.asked.as_ref().is_some_and(|asked| {
            (asked.history || !wanted.history) && (asked.presence || !wanted.presence)
        });
        if known || self.idle {
            return None;
        }
        // Who has the history already need not read it again.
        let history = wanted.history && !self.asked.as_ref().is_some_and(|asked| asked.history);
        let resume = if self.asked.is_none() { self.reader.position() } else { None };
        self.asked = Some(wanted.clone());
        Some(JoinRequest { history, resume, ..wanted })
    }

    /// The join that asks for all behind what was read: it is answered like any other.
    pub(crate) fn rejoin(&self) -> JoinRequest {
        let presence = self.asked.as_ref().is_some_and(|asked| asked.presence);
        JoinRequest { history: false, presence, resume: self.reader.position(), batch: true }
    }

    /// Takes the answer to a join: what was missed for good, and whether the history is still owed.
    pub(crate) fn handle_joined(&mut self, joined: &Joined) -> (Option<Gap>, bool) {
        self.joined = true;
        let owed = std::mem::take(&mut self.owed);
        (self.reader.handle_joined(joined), owed && joined.resumed && joined.keeps)
    }

    /// Forgets what was asked for: the server does not do it, so that the next object asks again.
    pub(crate) fn handle_refused(&mut self) {
        self.handle_disconnect();
    }

    /// Forgets what held for a connection that is gone.
    pub(crate) fn handle_disconnect(&mut self) {
        self.asked = None;
        self.joined = false;
        self.put_off = false;
        self.roster.clear();
    }

    /// Queues an event for each listener that wants it.
    pub(crate) fn deliver(
        &self,
        action: &str,
        event: &Event<P>,
        deliveries: &mut VecDeque<Delivery<P, L>>,
    ) {
        for handle in &self.handles {
            for listener in &handle.listeners {
                push(handle.id, listener.taker(action), event, deliveries);
            }
        }
    }

    /// Queues an error for each listener that takes errors; whether there is any. `only` limits it
    /// to one channel object.
    pub(crate) fn deliver_error(
        &self,
        only: Option<ChannelId>,
        event: &Event<P>,
        deliveries: &mut VecDeque<Delivery<P, L>>,
    ) -> bool {
        let before = deliveries.len();
        for handle in &self.handles {
            if only.is_none_or(|id| id == handle.id) {
                for listener in &handle.listeners {
                    push(handle.id, listener.error_taker(), event, deliveries);
                }
            }
        }
        deliveries.len() > before
    }
}

impl<L> Listener<L> {
    /// Whom to call with an action that is no error.
    pub(crate) fn taker(&self, action: &str) -> Option<&L> {
        let wanted = self.action.as_deref().is_none_or(|wanted| wanted == action);
        self.on_action.as_ref().filter(|_| wanted)
    }

    /// Whom to call with an error: `on_error`, or who asked for errors by name. Never both.
    fn error_taker(&self) -> Option<&L> {
        let by_name =
            || self.on_action.as_ref().filter(|_| self.action.as_deref() == Some("error"));
        self.on_error.as_ref().or_else(by_name)
    }
}

pub(crate) fn push<P: Clone, L: Clone>(
    channel: ChannelId,
    taker: Option<&L>,
    event: &Event<P>,
    deliveries: &mut VecDeque<Delivery<P, L>>,
) {
    if let Some(listener) = taker {
        deliveries.push_back(Delivery {
            listener: listener.clone(),
            event: event.clone(),
            channel,
        });
    }
}
