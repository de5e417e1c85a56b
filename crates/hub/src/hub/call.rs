//! Triggers: what is asked before something happens, and what follows from the answers.
//!
//! A request is asked about by one trigger after the other, by id. Meanwhile the session's next
//! requests for that channel stand in line behind it, and all others go on. What has not got the
//! better of every trigger does not happen.

use std::sync::Arc;

use protocol::{Action, ChannelName, ClientMessage, ErrorCode, ErrorPayload};

use super::request::Sending;
use super::{Hub, Limits, Now};
use crate::encode;
use crate::limit::Limit;
use crate::line::{Asking, Request, Waiting};
use crate::output::Output;
use crate::session::SessionKey;
use crate::tally::Room;
use crate::trigger::{CallError, CallId, Trigger, TriggerAction, Verdict};

impl Hub {
    /// A trigger has answered, or has failed to.
    ///
    /// What it was asked before the settings changed still counts; who is asked next, and what is
    /// allowed in the end, follows from the settings as they are now.
    pub fn handle_called(&mut self, call: CallId, answer: Result<Vec<u8>, CallError>, now: Now) {
        let Some(session) = self.session(call.session) else { return };
        let Some((channel, asking)) = session.lines.answered(call.number) else { return };
        let verdict = answer.and_then(|answer| Verdict::parse(&answer));
        self.heed(call.session, (&channel, asking), verdict, now);
        let Some(session) = self.session(call.session) else { return };
        if session.lines.settle(&channel) {
            self.outputs.push_back(Output::Resume(call.session));
        }
    }

    /// Handles the session's next request that had to wait for a trigger and no longer has to; whether
    /// there was one. Such a request came before all that the session sends from now on.
    pub fn handle_waiting(&mut self, key: SessionKey, now: Now) -> bool {
        let Some(session) = self.session(key) else { return false };
        if session.lines.is_empty() {
            return false;
        }
        let Some((channel, Waiting { text, room })) = session.lines.next() else { return false };
        // Should it wait again, for a trigger of its own, it need not fear for its place.
        self.room = Some(room);
        match ClientMessage::decode(&text) {
            Ok(message) => self.handle_message(key, message, now),
            Err(error) => self.handle_decode_error(key, &error),
        }
        self.room = None;
        if let Some(session) = self.session(key) {
            session.lines.settle(&channel);
        }
        true
    }

    /// Handles a message of a session with something in line, unless the message is to stand in line
    /// too.
    pub(super) fn handle_in_line(
        &mut self,
        key: SessionKey,
        (message, text): (ClientMessage<'_>, &str),
        now: Now,
    ) {
        let (channel, action, request) = match &message {
            ClientMessage::Ping => return self.handle_message(key, message, now),
            ClientMessage::Join { channel, .. } => (channel, Action::Join, None),
            ClientMessage::Leave { channel } => (channel, Action::Leave, None),
            ClientMessage::History { channel, .. } => (channel, Action::History, None),
            ClientMessage::Message { channel, id, .. } => (channel, Action::Message, id.as_ref()),
        };
        if self.session(key).is_none_or(|session| !session.lines.holds(channel)) {
            return self.handle_message(key, message, now);
        }
        match self.room_in_line(key, text.len()) {
            Ok(room) => {
                let waiting = Waiting { text: text.into(), room };
                if let Some(session) = self.session(key) {
                    session.lines.wait(channel, waiting);
                }
            }
            Err(code) => self.refuse(key, (Some(channel), request), Some(action), code),
        }
    }

    /// Asks the first trigger about a request, which stays in line until all have answered.
    pub(super) fn start_asking(
        &mut self,
        key: SessionKey,
        channel: &ChannelName,
        request: Request,
    ) -> Result<(), ErrorCode> {
        let room = self.room_in_line(key, request.size())?;
        let asking = Asking { number: 0, asked: Vec::new(), request, room };
        let trigger = self.next_trigger(channel, &asking).ok_or(ErrorCode::ChannelNotFound)?;
        self.ask(key, (channel, asking), trigger);
        Ok(())
    }

    pub(super) fn has_triggers(&self, channel_id: u64, action: TriggerAction) -> bool {
        self.settings.triggers(channel_id, action).next().is_some()
    }

    /// The channel's first trigger that was not asked yet. Not what comes behind the last that was:
    /// the settings may have changed.
    fn next_trigger(&self, channel: &ChannelName, asking: &Asking) -> Option<Arc<Trigger>> {
        let row = self.settings.channel(channel)?;
        let mut triggers = self.settings.triggers(row.id, asking.request.action());
        triggers.find(|trigger| !asking.asked.contains(&trigger.id)).cloned()
    }

    fn ask(
        &mut self,
        key: SessionKey,
        (channel, mut asking): (&ChannelName, Asking),
        trigger: Arc<Trigger>,
    ) {
        let number = self.calls;
        let Some(session) = self.session(key) else { return };
        let input = asking.request.input(channel, &session.member);
        asking.number = number;
        asking.asked.push(trigger.id);
        session.lines.ask(channel, asking);
        self.calls += 1;
        let call = CallId { session: key, number };
        self.outputs.push_back(Output::Call { call, trigger, input });
    }

    fn heed(
        &mut self,
        key: SessionKey,
        (channel, mut asking): (&ChannelName, Asking),
        verdict: Result<Verdict, CallError>,
        now: Now,
    ) {
        let refused = match asking.request.action() {
            TriggerAction::Join => ErrorCode::JoinRefused,
            TriggerAction::Message => ErrorCode::MessageRefused,
        };
        let limit = verdict.as_ref().err().and_then(CallError::limit);
        self.outputs.extend(limit.map(Output::LimitReached));
        let reason = match verdict {
            Ok(Verdict::Keep) => None,
            Ok(Verdict::Replace(payload)) => {
                asking.request.replace(payload);
                asking.room.resize(asking.request.size());
                None
            }
            Ok(Verdict::Refuse) => Some((refused, None)),
            Err(CallError::Overloaded) => Some((ErrorCode::Overloaded, None)),
            Err(CallError::TimedOut | CallError::TooLarge) => {
                Some((ErrorCode::TriggerFailed, None))
            }
            Err(CallError::Failed(said)) => {
                Some((ErrorCode::TriggerFailed, said.as_deref().and_then(CallError::words)))
            }
        };
        if let Some((code, words)) = reason {
            let words = words.as_deref().unwrap_or(code.message());
            return self.refuse_request(key, (channel, &asking.request), code, words);
        }
        match self.next_trigger(channel, &asking) {
            Some(trigger) => self.ask(key, (channel, asking), trigger),
            None => self.let_happen(key, channel, &asking.request, now),
        }
    }

    /// Every trigger has allowed it. Whether the channel does is a question for now: its settings, or
    /// the session's memberships, may have changed meanwhile.
    fn let_happen(&mut self, key: SessionKey, channel: &ChannelName, request: &Request, now: Now) {
        let result = match request {
            Request::Join(join) => self.enter_channel(key, channel, join.clone()),
            Request::Message { recipients, payload, id } => {
                let sending = Sending { recipients, payload, request: id.as_ref(), now };
                self.permit_sending(key, channel, recipients)
                    .and_then(|permitted| self.publish(key, channel, &sending, &permitted))
            }
        };
        if let Err(code) = result {
            self.refuse_request(key, (channel, request), code, code.message());
        }
    }

    fn refuse_request(
        &mut self,
        session: SessionKey,
        (channel, request): (&ChannelName, &Request),
        code: ErrorCode,
        message: &str,
    ) {
        let (action, id) = match request {
            Request::Join(_) => (Action::Join, None),
            Request::Message { id, .. } => (Action::Message, id.as_ref()),
        };
        let (action, retry_after) = (Some(action.name()), None);
        let payload = ErrorPayload { message, code, action, retry_after };
        let frame = encode::error(Some(channel), id, payload);
        self.outputs.push_back(Output::Refuse { session, code, frame });
    }

    /// Room for one more request of the session; refused where too many wait, its own or all of them.
    fn room_in_line(&mut self, key: SessionKey, size: usize) -> Result<Room, ErrorCode> {
        // What has waited keeps its place, whatever triggers have made of others meanwhile.
        if let Some(room) = self.room.take() {
            return Ok(room);
        }
        let Limits { waiting_per_session, waiting_bytes, waiting_in_all, .. } = self.limits;
        let (count, bytes) = self.session(key).map_or((0, 0), |session| session.lines.load());
        if count >= waiting_per_session || bytes + size > waiting_bytes {
            return Err(self.limited(Limit::WaitingRequests, ErrorCode::Overloaded));
        }
        let room = self.tally.room(size, waiting_in_all);
        room.ok_or_else(|| self.limited(Limit::WaitingInAll, ErrorCode::Overloaded))
    }
}
