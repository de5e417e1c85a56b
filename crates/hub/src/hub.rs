//! The registry of one thread's sessions and channels, and every decision about them.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use protocol::{
    Action, ChannelName, ClientMessage, CloseCode, DecodeError, ErrorCode, JoinRequest, RawPayload,
    Recipients,
};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use slab::Slab;

use crate::channel::{AudienceClass, Channel, ChannelKey};
use crate::encode;
use crate::engine::{EngineCommand, EngineEvent, Joined};
use crate::output::Output;
use crate::permission::{Audience, Operation, permit};
use crate::publication::{Draft, PublicationId};
use crate::session::{Identity, Member, Session, SessionId, SessionKey};
use crate::settings::Settings;

/// One thread's share of the node's decisions.
///
/// After every `handle_*` call the caller must drain [`poll_output`](Self::poll_output).
#[derive(Debug)]
pub struct Hub {
    settings: Arc<Settings>,
    limits: Limits,
    /// By [`SessionKey::index`].
    sessions: Vec<Option<Session>>,
    channels: Slab<Channel>,
    names: HashMap<ChannelName, ChannelKey>,
    ids: SmallRng,
    outputs: VecDeque<Output>,
}

/// How far a session may go.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Channels one session may be in; one more join is refused with `too_many_channels`.
    pub channels_per_session: usize,
    /// Malformed frames in a row that end a session, with close code 1008.
    pub malformed_frames: u8,
    /// Seconds of silence after which the server pings, and pings again.
    pub ping_after: u32,
    /// Seconds of silence after which a session counts as dead and is closed with 4408.
    pub dead_after: u32,
}

/// The time, as the caller's clocks have it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Now {
    /// Seconds on a clock that only goes forward.
    pub seconds: u32,
    /// Milliseconds since 1970.
    pub unix_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { channels_per_session: 1_000, malformed_frames: 3, ping_after: 25, dead_after: 60 }
    }
}

impl Hub {
    /// A hub without sessions. `seed` must be random: publication ids come from it.
    pub fn new(settings: Arc<Settings>, limits: Limits, seed: u64) -> Self {
        Self {
            settings,
            limits,
            sessions: Vec::new(),
            channels: Slab::new(),
            names: HashMap::new(),
            ids: SmallRng::seed_from_u64(seed),
            outputs: VecDeque::new(),
        }
    }

    /// What to do next; `None` when all is done.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// How many sessions there are.
    pub fn session_count(&self) -> usize {
        self.sessions.iter().flatten().count()
    }

    /// A connection was accepted at `key`, asking for `connection_hash`. `token_refused` says that
    /// it brought a token that names nobody; the session is told, and goes on as `identity`.
    pub fn handle_open(
        &mut self,
        key: SessionKey,
        (id, identity): (SessionId, &Identity),
        connection_hash: &str,
        token_refused: Option<ErrorCode>,
        now: Now,
    ) {
        let place = key.index as usize;
        if self.sessions.len() <= place {
            self.sessions.resize_with(place + 1, || None);
        }
        self.sessions[place] =
            Some(Session::new(key.generation, Member::new(id, identity), now.seconds));
        if self.settings.connection_hash.as_deref() != Some(connection_hash) {
            self.reply_error(key, None, ErrorCode::UnknownHash, None);
            return self.close(key, CloseCode::UnknownHash);
        }
        if let Some(code) = token_refused {
            self.reply_error(key, None, code, None);
        }
    }

    /// Something came from the session, be it a pong: it lives.
    pub fn handle_sign_of_life(&mut self, key: SessionKey, now: Now) {
        if let Some(session) = self.session(key) {
            session.last_seen = now.seconds;
            session.pings_unanswered = 0;
        }
    }

    /// A text frame came from the session.
    pub fn handle_text(&mut self, key: SessionKey, text: &str, now: Now) {
        self.handle_sign_of_life(key, now);
        let Some(session) = self.session(key) else { return };
        match ClientMessage::decode(text) {
            Ok(message) => {
                session.malformed_in_a_row = 0;
                self.handle_message(key, message, now);
            }
            Err(error) => self.handle_decode_error(key, &error),
        }
    }

    /// The connection has ended, whoever ended it.
    pub fn handle_close(&mut self, key: SessionKey) {
        if self.session(key).is_none() {
            return;
        }
        let Some(session) = self.sessions[key.index as usize].take() else { return };
        for &channel in session.memberships() {
            let Some(channel) = self.exit(key, channel) else { continue };
            let member = session.member.id;
            self.outputs.push_back(Output::Engine(EngineCommand::Leave {
                session: None,
                member,
                channel,
            }));
        }
    }

    /// The engine answered, or tells something new.
    pub fn handle_engine(&mut self, event: EngineEvent) {
        match event {
            EngineEvent::Joined(joined) => self.handle_joined(&joined),
            EngineEvent::Left { session, channel } => self.handle_left(session, &channel),
            EngineEvent::Published { channel, publication } => {
                if let Some(&channel) = self.names.get(&channel) {
                    self.outputs.push_back(Output::Publish { channel, publication });
                }
            }
            EngineEvent::PresenceChanged { channel, action, member } => {
                if let Some(&key) = self.names.get(&channel) {
                    self.outputs.push_back(Output::announce(key, &channel, action, &member));
                }
            }
            EngineEvent::Private { session, frame } => {
                if self.session(session).is_some() {
                    self.outputs.push_back(Output::Push { session, frame });
                }
            }
            EngineEvent::History { session, channel, publications } => {
                if let Some(Session { member, .. }) = self.session(session) {
                    let frame = encode::history(&channel, member.authenticated, &publications);
                    self.outputs.push_back(Output::Reply { session, frame });
                }
            }
            EngineEvent::Refused { session, channel, action, code } => {
                self.reply_error(session, Some(&channel), code, Some(action));
            }
        }
    }

    /// Pings the silent and ends the dead. To be called about once a second.
    pub fn handle_tick(&mut self, now: Now) {
        let Limits { ping_after, dead_after, .. } = self.limits;
        let mut dead = Vec::new();
        for (index, session) in (0..).zip(&mut self.sessions) {
            let Some(session) = session else { continue };
            let key = SessionKey { index, generation: session.generation };
            let silence = now.seconds.saturating_sub(session.last_seen);
            if silence >= dead_after {
                dead.push(key);
            } else if silence >= ping_after * (u32::from(session.pings_unanswered) + 1) {
                session.pings_unanswered += 1;
                self.outputs.push_back(Output::Ping(key));
            }
        }
        for key in dead {
            self.close(key, CloseCode::Idle);
        }
    }

    /// Ends every session: the node is about to stop.
    pub fn handle_drain(&mut self) {
        let keys: Vec<_> = (0..)
            .zip(&self.sessions)
            .filter_map(|(index, session)| {
                session.as_ref().map(|session| SessionKey { index, generation: session.generation })
            })
            .collect();
        for key in keys {
            self.close(key, CloseCode::Draining);
        }
    }

    fn handle_message(&mut self, key: SessionKey, message: ClientMessage<'_>, now: Now) {
        let (channel, action, result) = match message {
            ClientMessage::Ping => {
                return self
                    .outputs
                    .push_back(Output::Reply { session: key, frame: encode::pong() });
            }
            ClientMessage::Join { channel, request } => {
                let result = self.join(key, &channel, request);
                (channel, Action::Join, result)
            }
            ClientMessage::Leave { channel } => {
                let result = self.leave(key, &channel);
                (channel, Action::Leave, result)
            }
            ClientMessage::Message { channel, recipients, payload } => {
                let result = self.send(key, &channel, (&recipients, payload), now);
                (channel, Action::Message, result)
            }
            ClientMessage::History { channel } => {
                let result = self.read_history(key, &channel);
                (channel, Action::History, result)
            }
        };
        if let Err(code) = result {
            self.reply_error(key, Some(&channel), code, Some(action));
        }
    }

    fn join(
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
                return Err(ErrorCode::TooManyChannels);
            }
            let channel = self.enter(name, Arc::clone(&settings));
            if let Some(session) = self.session(key) {
                session.join(channel);
            }
        }
        let kept = settings.history.get();
        self.outputs.push_back(Output::Engine(EngineCommand::Join {
            session: key,
            member,
            channel: name.clone(),
            history: (request.history && kept > 0).then_some(kept),
            presence: request.presence && settings.presence,
            announce: settings.presence,
        }));
        Ok(())
    }

    /// The session stays a reader until the engine has answered, so that it gets what it sent
    /// before. Leaving where one never was is answered like leaving: the state asked for holds.
    fn leave(&mut self, key: SessionKey, name: &ChannelName) -> Result<(), ErrorCode> {
        let channel = self.names.get(name).copied();
        let Some(session) = self.session(key) else { return Ok(()) };
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
        Ok(())
    }

    fn send(
        &mut self,
        key: SessionKey,
        name: &ChannelName,
        (recipients, payload): (&Recipients, &RawPayload),
        now: Now,
    ) -> Result<(), ErrorCode> {
        let (settings, sender) = self.membership_of(key, name)?;
        let audience = permit(&settings, sender.authenticated, Operation::Send(recipients))?;
        let id = PublicationId::from_random(self.ids.random());
        let shown = match audience {
            Audience::Authenticated => &Recipients::Authenticated,
            _ => recipients,
        };
        let draft = Draft {
            id,
            ts: now.unix_ms,
            head: encode::message_head(name, shown, &sender, payload),
        };
        let channel = name.clone();
        let command = match (audience, recipients) {
            (Audience::Session { authenticated_only }, Recipients::Session(recipient)) => {
                let recipient = SessionId::parse(recipient).ok_or(ErrorCode::RecipientNotFound)?;
                EngineCommand::SendPrivately {
                    session: key,
                    channel,
                    recipient,
                    authenticated_only,
                    draft,
                }
            }
            _ => EngineCommand::Publish {
                session: key,
                channel,
                draft,
                authenticated_only: audience == Audience::Authenticated,
                history: settings.history.get(),
            },
        };
        self.outputs.push_back(Output::Engine(command));
        Ok(())
    }

    fn read_history(&mut self, key: SessionKey, name: &ChannelName) -> Result<(), ErrorCode> {
        let (settings, reader) = self.membership_of(key, name)?;
        permit(&settings, reader.authenticated, Operation::ReadHistory)?;
        self.outputs.push_back(Output::Engine(EngineCommand::ReadHistory {
            session: key,
            authenticated: reader.authenticated,
            channel: name.clone(),
            limit: settings.history.get(),
        }));
        Ok(())
    }

    fn handle_joined(&mut self, joined: &Joined) {
        let Some(&channel) = self.names.get(&joined.channel) else { return };
        let settings = Arc::clone(&self.channels[channel.0 as usize].settings);
        let ping_interval = self.limits.ping_after * 1_000;
        let session = joined.session;
        let Some(Session { member, .. }) = self.session(session) else { return };
        let member = Arc::clone(member);
        let mut reply = |frame| self.outputs.push_back(Output::Reply { session, frame });
        reply(encode::join_ack(&member, joined, &settings, ping_interval));
        if let Some(publications) = &joined.history {
            reply(encode::history(&joined.channel, member.authenticated, publications));
        }
        if let Some(members) = &joined.presence {
            reply(encode::presence_full(&joined.channel, members));
        }
        let class = AudienceClass {
            authenticated: member.authenticated,
            presence: joined.presence.is_some(),
        };
        self.outputs.push_back(Output::Attach { session, channel, class });
    }

    fn handle_left(&mut self, session: SessionKey, name: &ChannelName) {
        let Some(&channel) = self.names.get(name) else { return };
        self.exit(session, channel);
        let Some(Session { member, .. }) = self.session(session) else { return };
        let frame = encode::leave_ack(name, member);
        self.outputs.push_back(Output::Reply { session, frame });
    }

    fn handle_decode_error(&mut self, key: SessionKey, error: &DecodeError) {
        let frame = encode::error(
            error.channel.as_deref(),
            error.code,
            &error.message,
            error.action.as_deref(),
        );
        self.outputs.push_back(Output::Reply { session: key, frame });
        if error.code != ErrorCode::MalformedFrame {
            return;
        }
        let limit = self.limits.malformed_frames;
        let Some(session) = self.session(key) else { return };
        session.malformed_in_a_row += 1;
        if session.malformed_in_a_row >= limit {
            self.close(key, CloseCode::PolicyViolation);
        }
    }

    /// The settings of a channel that the session is in, and the session as its member.
    fn membership_of(
        &mut self,
        key: SessionKey,
        name: &ChannelName,
    ) -> Result<(Arc<crate::ChannelSettings>, Arc<Member>), ErrorCode> {
        let channel = *self.names.get(name).ok_or(ErrorCode::NotJoined)?;
        let session = self.session(key).ok_or(ErrorCode::NotJoined)?;
        if !session.is_in(channel) {
            return Err(ErrorCode::NotJoined);
        }
        let member = Arc::clone(&session.member);
        Ok((Arc::clone(&self.channels[channel.0 as usize].settings), member))
    }

    /// Counts one more member in the thread's share of a channel.
    fn enter(&mut self, name: &ChannelName, settings: Arc<crate::ChannelSettings>) -> ChannelKey {
        if let Some(&key) = self.names.get(name) {
            self.channels[key.0 as usize].members += 1;
            return key;
        }
        let place = self.channels.insert(Channel { name: name.clone(), settings, members: 1 });
        let key = ChannelKey(place as u32);
        self.names.insert(name.clone(), key);
        key
    }

    /// Undoes [`enter`](Self::enter) and ends the session's reading; the channel's name.
    fn exit(&mut self, session: SessionKey, key: ChannelKey) -> Option<ChannelName> {
        let channel = self.channels.get_mut(key.0 as usize)?;
        let name = channel.name.clone();
        channel.members -= 1;
        if channel.members == 0 {
            self.channels.remove(key.0 as usize);
            self.names.remove(&name);
        }
        self.outputs.push_back(Output::Detach { session, channel: key });
        Some(name)
    }

    fn close(&mut self, key: SessionKey, code: CloseCode) {
        if self.session(key).is_some() {
            self.outputs.push_back(Output::Close { session: key, code });
            self.handle_close(key);
        }
    }

    fn reply_error(
        &mut self,
        session: SessionKey,
        channel: Option<&str>,
        code: ErrorCode,
        action: Option<Action>,
    ) {
        if self.session(session).is_some() {
            let frame = encode::error(channel, code, code.message(), action.map(Action::name));
            self.outputs.push_back(Output::Reply { session, frame });
        }
    }

    fn session(&mut self, key: SessionKey) -> Option<&mut Session> {
        let session = self.sessions.get_mut(key.index as usize)?.as_mut()?;
        (session.generation == key.generation).then_some(session)
    }
}
