//! What clients ask for: checked here, carried out by the engine.

use std::sync::Arc;

use protocol::{
    Action, ChannelName, ClientMessage, ErrorCode, HistoryRequest, JoinRequest, RawPayload,
    Recipients, RequestId,
};
use rand::RngExt;

use super::{Hub, Limits, Now};
use crate::encode;
use crate::engine::{EngineCommand, Refusal};
use crate::ledger::Publishing;
use crate::limit::Limit;
use crate::line::Request;
use crate::output::Output;
use crate::permission::{Audience, Operation, permit};
use crate::publication::{Draft, PublicationId};
use crate::session::{Member, SessionId, SessionKey};
use crate::settings::ChannelSettings;
use crate::trigger::TriggerAction;

/// A message that a client wants to send.
pub(super) struct Sending<'a> {
    pub(super) recipients: &'a Recipients,
    pub(super) payload: &'a RawPayload,
    pub(super) request: Option<&'a RequestId>,
    pub(super) now: Now,
}

/// What allows it.
pub(super) struct Permitted {
    settings: Arc<ChannelSettings>,
    sender: Arc<Member>,
    audience: Audience,
}

impl Hub {
    pub(super) fn handle_message(&mut self, key: SessionKey, message: ClientMessage<'_>, now: Now) {
        let (channel, action, request, result) = match message {
            ClientMessage::Ping => {
                return self
                    .outputs
                    .push_back(Output::Reply { session: key, frame: encode::pong() });
            }
            ClientMessage::Join { channel, request } => {
                let result = self.admit(key, Action::Join, now);
                let result = result.and_then(|()| self.admit_to(key, &channel, now));
                let result = result.and_then(|()| Ok(self.join(key, &channel, request)?));
                (channel, Action::Join, None, result)
            }
            ClientMessage::Leave { channel } => {
                self.leave(key, &channel);
                return;
            }
            ClientMessage::Message { channel, recipients, payload, id } => {
                let request = id.as_ref();
                let sending = Sending { recipients: &recipients, payload, request, now };
                let result = self.admit(key, Action::Message, now);
                let result = result.and_then(|()| Ok(self.send(key, &channel, &sending)?));
                (channel, Action::Message, id, result)
            }
            ClientMessage::History { channel, page } => {
                let result = self.read_history(key, &channel, page).map_err(Refusal::from);
                (channel, Action::History, None, result)
            }
        };
        if let Err(refusal) = result {
            self.refuse(key, (Some(&channel), request.as_ref()), Some(action), refusal);
        }
    }

    /// Triggers are asked about who comes, not about who is here already and joins once more.
    fn join(
        &mut self,
        key: SessionKey,
        name: &ChannelName,
        request: JoinRequest,
    ) -> Result<(), ErrorCode> {
        let row = self.settings.channel(name).ok_or(ErrorCode::ChannelNotFound)?.id;
        if self.has_triggers(row, TriggerAction::Join) && self.membership_of(key, name).is_err() {
            return self.start_asking(key, name, Request::Join(request));
        }
        self.enter_channel(key, name, request)
    }

    pub(super) fn enter_channel(
        &mut self,
        key: SessionKey,
        name: &ChannelName,
        request: JoinRequest,
    ) -> Result<(), ErrorCode> {
        let settings = self.settings.channel(name).cloned().ok_or(ErrorCode::ChannelNotFound)?;
        let authenticated = self.session(key).is_some_and(|session| session.member.authenticated);
        permit(&settings, authenticated, Operation::Join)?;
        let limit = self.limits.channels_per_session;
        let channel = self.names.get(name).copied();
        let Some(session) = self.session(key) else { return Ok(()) };
        let member = Arc::clone(&session.member);

        if !channel.is_some_and(|channel| session.is_in(channel)) {
            if session.memberships().len() >= limit {
                let code = ErrorCode::TooManyChannels;
                return Err(self.limited(Limit::ChannelsPerConnection, code));
            }
            let channel = self.enter(name, Arc::clone(&settings));
            if let Some(session) = self.session(key) {
                session.join(channel);
                session.join_by = None;
            }
        }
        let kept = settings.history.get();
        self.outputs.push_back(Output::Engine(EngineCommand::Join {
            session: key,
            member,
            channel: name.clone(),
            history: (request.history && kept > 0).then_some(kept),
            presence: request.presence && settings.presence,
            resume: request.resume,
            batch: request.batch,
            announce: settings.presence,
        }));
        Ok(())
    }

    /// The session stays a reader until the engine has answered, so that it gets what it sent
    /// before. Leaving where one never was is answered like leaving: the state asked for holds.
    pub(super) fn leave(&mut self, key: SessionKey, name: &ChannelName) {
        let channel = self.names.get(name).copied();
        let Some(session) = self.session(key) else { return };
        let member = Arc::clone(&session.member);
        let was_in = channel.is_some_and(|channel| session.leave(channel));
        self.outputs.push_back(match was_in {
            true => Output::Engine(EngineCommand::Leave {
                session: Some(key),
                member: member.id,
                channel: name.clone(),
            }),
            false => Output::Reply { session: key, frame: encode::leave_ack(name, &member) },
        });
    }

    fn send(
        &mut self,
        key: SessionKey,
        name: &ChannelName,
        sending: &Sending<'_>,
    ) -> Result<(), ErrorCode> {
        let permitted = self.permit_sending(key, name, sending.recipients)?;
        if self.has_triggers(permitted.settings.id, TriggerAction::Message) {
            let request = Request::Message {
                recipients: permitted.shown(sending.recipients).clone(),
                payload: sending.payload.to_owned(),
                id: sending.request.cloned(),
            };
            return self.start_asking(key, name, request);
        }
        self.publish(key, name, sending, &permitted)
    }

    pub(super) fn permit_sending(
        &mut self,
        key: SessionKey,
        name: &ChannelName,
        recipients: &Recipients,
    ) -> Result<Permitted, ErrorCode> {
        let (settings, sender) = self.membership_of(key, name)?;
        let audience = permit(&settings, sender.authenticated, Operation::Send(recipients))?;
        Ok(Permitted { settings, sender, audience })
    }

    pub(super) fn publish(
        &mut self,
        key: SessionKey,
        name: &ChannelName,
        sending: &Sending<'_>,
        permitted: &Permitted,
    ) -> Result<(), ErrorCode> {
        let Sending { recipients, payload, request, now } = *sending;
        let Permitted { settings, sender, audience } = permitted;
        let id = PublicationId::from_random(self.ids.random());
        let shown = permitted.shown(recipients);
        let draft = Draft::new(id, now.unix_ms, encode::message_head(name, shown, sender, payload));
        let (session, channel, request) = (key, name.clone(), request.cloned());
        let messages_per_minute = settings.messages_per_minute;
        let command = match (*audience, recipients) {
            (Audience::Session { authenticated_only }, Recipients::Session(recipient)) => {
                let recipient = SessionId::parse(recipient).ok_or(ErrorCode::RecipientNotFound)?;
                EngineCommand::SendPrivately {
                    session,
                    channel,
                    recipient,
                    authenticated_only,
                    draft,
                    request,
                    messages_per_minute,
                }
            }
            _ => EngineCommand::Publish {
                session,
                channel,
                publishing: Publishing {
                    draft,
                    request,
                    authenticated: sender.authenticated,
                    authenticated_only: *audience == Audience::Authenticated,
                    history: settings.history.get(),
                    messages_per_minute,
                },
            },
        };
        self.outputs.push_back(Output::Engine(command));
        Ok(())
    }

    fn read_history(
        &mut self,
        key: SessionKey,
        name: &ChannelName,
        page: Option<HistoryRequest>,
    ) -> Result<(), ErrorCode> {
        let (settings, reader) = self.membership_of(key, name)?;
        permit(&settings, reader.authenticated, Operation::ReadHistory)?;
        let kept = settings.history.get();
        self.outputs.push_back(Output::Engine(EngineCommand::ReadHistory {
            session: key,
            authenticated: reader.authenticated,
            channel: name.clone(),
            limit: page.and_then(|page| page.limit).map_or(kept, |limit| limit.min(kept)),
            before: page.and_then(|page| page.before),
            is_page: page.is_some(),
        }));
        Ok(())
    }

    /// Counts what a session asks for; refused where that is more than it may.
    fn admit(&mut self, key: SessionKey, action: Action, now: Now) -> Result<(), Refusal> {
        let Limits { messages, joins, .. } = self.limits;
        let Some(session) = self.session(key) else { return Ok(()) };
        let (bucket, rate, limit) = match action {
            Action::Join => (&mut session.joins, joins, Limit::JoinsPerSecond),
            _ => (&mut session.messages, messages, Limit::MessagesPerSecond),
        };
        let taken = bucket.take(rate, now.millis);
        taken.map_err(|wait| self.limited(limit, Refusal::rate_limited(wait)))
    }

    /// Counts who comes to a channel; refused where more come than may. Who is there already is not
    /// counted again, and who may not come by its settings not at all: nobody keeps others out with
    /// that. Whom a trigger refuses has been counted, since asking is what costs.
    fn admit_to(&mut self, key: SessionKey, name: &ChannelName, now: Now) -> Result<(), Refusal> {
        let rate = self.limits.channel_joins;
        if rate.is_unlimited() {
            return Ok(());
        }
        let channel = self.names.get(name).copied();
        let Some(session) = self.session(key) else { return Ok(()) };
        let authenticated = session.member.authenticated;
        let is_there = channel.is_some_and(|channel| session.is_in(channel));
        let row = self.settings.channel(name).filter(|_| !is_there);
        if row.is_none_or(|row| permit(row, authenticated, Operation::Join).is_err()) {
            return Ok(());
        }
        let taken = self.tally.arrive(name, rate, now.millis);
        taken.map_err(|wait| self.limited(Limit::JoinsPerChannel, Refusal::rate_limited(wait)))
    }

    /// The settings of a channel that the session is in, and the session as its member.
    fn membership_of(
        &mut self,
        key: SessionKey,
        name: &ChannelName,
    ) -> Result<(Arc<ChannelSettings>, Arc<Member>), ErrorCode> {
        let channel = *self.names.get(name).ok_or(ErrorCode::NotJoined)?;
        let session = self.session(key).ok_or(ErrorCode::NotJoined)?;
        if !session.is_in(channel) {
            return Err(ErrorCode::NotJoined);
        }
        let member = Arc::clone(&session.member);
        Ok((Arc::clone(&self.channels[channel.0 as usize].settings), member))
    }
}

impl Permitted {
    /// Whom the message is for, as its readers see it.
    const fn shown<'a>(&self, recipients: &'a Recipients) -> &'a Recipients {
        match self.audience {
            Audience::Authenticated => &Recipients::Authenticated,
            _ => recipients,
        }
    }
}
