//! The registry of one thread's sessions and channels, and every decision about them.

mod answer;
mod call;
mod request;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use protocol::{
    Action, ChannelName, ClientMessage, CloseCode, DecodeError, ErrorCode, ErrorPayload, RequestId,
};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use rand::seq::SliceRandom;
use slab::Slab;

use crate::channel::{Channel, ChannelKey};
use crate::encode;
use crate::engine::{EngineCommand, Refusal};
use crate::limit::Limit;
use crate::output::Output;
use crate::permission::{Operation, permit};
use crate::rate_limit::Rate;
use crate::session::{Identity, Member, Session, SessionId, SessionKey};
use crate::settings::{ChannelSettings, Settings};
use crate::tally::{Room, Tally};

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
    drain: Option<Drain>,
    outputs: VecDeque<Output>,
    /// What the node's hubs count together.
    tally: Arc<Tally>,
    /// The room of a request that has waited, until it is known whether it waits again.
    room: Option<Room>,
    /// How many calls there were: the next one's number.
    calls: u64,
}

/// The sessions there were when the node was told to stop, in random order.
#[derive(Debug)]
struct Drain {
    total: usize,
    left: Vec<SessionKey>,
}

/// How far a session may go.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Channels one session may be in; one more join is refused with `too_many_channels`.
    pub channels_per_session: usize,
    /// Messages of one session; one more is refused with `rate_limited`.
    pub messages: Rate,
    /// Joins of one session; one more is refused with `rate_limited`.
    pub joins: Rate,
    /// Sessions of all the node's hubs that come to one channel; one more is refused with
    /// `rate_limited`.
    pub channel_joins: Rate,
    /// Seconds until a session must have joined a channel, or is closed with 4408; 0 for any time.
    pub join_timeout: u32,
    /// Requests of one session that wait for triggers; one more is refused with `overloaded`.
    pub waiting_per_session: usize,
    /// Their bytes, with the same consequence.
    pub waiting_bytes: usize,
    /// The bytes of all requests that wait for triggers, in all the node's hubs; with the same
    /// consequence.
    pub waiting_in_all: usize,
    /// Malformed frames in a row that end a session, with close code 1008.
    pub malformed_frames: u8,
    /// Seconds of silence after which the server pings, and pings again.
    pub ping_after: u32,
    /// Seconds of silence after which a session counts as dead and is closed with 1013.
    pub dead_after: u32,
}

/// The time, as the caller's clocks have it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Now {
    /// Seconds on a clock that only goes forward.
    pub seconds: u32,
    /// The same in milliseconds.
    pub millis: u64,
    /// Milliseconds since 1970.
    pub unix_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            channels_per_session: 1_000,
            messages: Rate::default(),
            joins: Rate::default(),
            channel_joins: Rate::default(),
            join_timeout: 0,
            waiting_per_session: 256,
            waiting_bytes: 4 << 20,
            waiting_in_all: 256 << 20,
            malformed_frames: 3,
            ping_after: 25,
            dead_after: 60,
        }
    }
}

impl Hub {
    /// A hub without sessions, which counts with the others that have the same `tally`. `seed` must
    /// be random: publication ids come from it.
    pub fn new(settings: Arc<Settings>, limits: Limits, tally: Arc<Tally>, seed: u64) -> Self {
        Self {
            settings,
            limits,
            sessions: Vec::new(),
            channels: Slab::new(),
            names: HashMap::new(),
            ids: SmallRng::seed_from_u64(seed),
            drain: None,
            outputs: VecDeque::new(),
            tally,
            room: None,
            calls: 0,
        }
    }

    /// What to do next; `None` when all is done.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// How many memberships there are.
    pub fn members(&self) -> usize {
        self.channels.iter().map(|(_, channel)| channel.members).sum()
    }

    /// The name of a channel that has members here.
    pub fn channel_name(&self, key: ChannelKey) -> Option<&ChannelName> {
        self.channels.get(key.0 as usize).map(|channel| &channel.name)
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
        let mut session = Session::new(key.generation, Member::new(id, identity), now.seconds);
        let patience = self.limits.join_timeout;
        session.join_by = (patience > 0).then(|| now.seconds.saturating_add(patience));
        self.sessions[place] = Some(session);
        if self.settings.connection_hash.as_deref() != Some(connection_hash) {
            self.refuse(key, (None, None), None, ErrorCode::UnknownHash);
            return self.close(key, CloseCode::UnknownHash);
        }
        if let Some(code) = token_refused {
            self.refuse(key, (None, None), None, code);
        }
    }

    /// The session's identity ends at this time, in milliseconds since 1970, and the session with it.
    pub fn handle_expiry(&mut self, key: SessionKey, unix_ms: u64) {
        if let Some(session) = self.session(key) {
            session.ends = unix_ms;
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
                match session.lines.is_empty() {
                    true => self.handle_message(key, message, now),
                    false => self.handle_in_line(key, (message, text), now),
                }
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

    /// Pings the silent, and ends the dead, those whose identity has ended, and those who join nothing. To
    /// be called about once a second.
    pub fn handle_tick(&mut self, now: Now) {
        let Limits { ping_after, dead_after, .. } = self.limits;
        let (mut ending, mut expired) = (Vec::new(), Vec::new());
        for (index, session) in (0..).zip(&mut self.sessions) {
            let Some(session) = session else { continue };
            let key = SessionKey { index, generation: session.generation };
            let silence = now.seconds.saturating_sub(session.last_seen);
            if session.ends <= now.unix_ms {
                expired.push(key);
            } else if silence >= dead_after {
                ending.push((key, Limit::IdleTime, CloseCode::Idle));
            } else if session.join_by.is_some_and(|second| now.seconds >= second) {
                ending.push((key, Limit::JoinTime, CloseCode::JoinTimeout));
            } else if silence >= ping_after * (u32::from(session.pings_unanswered) + 1) {
                session.pings_unanswered += 1;
                self.outputs.push_back(Output::Ping(key));
            }
        }
        for (key, limit, code) in ending {
            self.outputs.push_back(Output::LimitReached(limit));
            self.close(key, code);
        }
        for key in expired {
            self.refuse(key, (None, None), None, ErrorCode::InvalidToken);
            self.close(key, CloseCode::TokenExpired);
        }
    }

    /// The node is about to stop, and `passed` of the time that it takes for that has passed (from 0
    /// to 1): ends as large a share of the sessions, in random order, so that their clients do not
    /// come back all at once. At 1 none is left, neither of those that have come since.
    pub fn handle_drain(&mut self, passed: f64) {
        let mut drain = self.drain.take().unwrap_or_else(|| {
            let mut left = self.keys();
            left.shuffle(&mut self.ids);
            Drain { total: left.len(), left }
        });
        if passed >= 1.0 {
            drain.left = self.keys();
        }
        // The first goes at once, and the others at even distances.
        let gone = (passed.max(0.0) * drain.total as f64) as usize + 1;
        let keep = if passed < 1.0 { drain.total.saturating_sub(gone) } else { 0 };
        for key in drain.left.drain(keep.min(drain.left.len())..) {
            self.close(key, CloseCode::Draining);
        }
        self.drain = Some(drain);
    }

    /// The administrator has changed the settings. What is new holds for all that comes from now on;
    /// who is in a channel that it may no longer join is told so, and leaves it. Where the connection
    /// hash is another one now, or realtime is off, every session ends.
    pub fn handle_settings(&mut self, settings: Arc<Settings>) {
        let before = std::mem::replace(&mut self.settings, settings);
        if before.connection_hash != self.settings.connection_hash {
            for key in self.keys() {
                self.refuse(key, (None, None), None, ErrorCode::UnknownHash);
                self.close(key, CloseCode::UnknownHash);
            }
            return;
        }
        for (_, channel) in &mut self.channels {
            // Members of a channel that is gone are about to leave; until then its old row will do.
            if let Some(settings) = self.settings.channel(&channel.name) {
                channel.settings = Arc::clone(settings);
            }
        }
        for key in self.keys() {
            self.leave_refused_channels(key);
        }
    }

    fn leave_refused_channels(&mut self, key: SessionKey) {
        let Some(session) = self.session(key) else { return };
        let authenticated = session.member.authenticated;
        for channel in session.memberships().to_vec() {
            let name = self.channels[channel.0 as usize].name.clone();
            let allowed = match self.settings.channel(&name) {
                Some(settings) => permit(settings, authenticated, Operation::Join).map(drop),
                None => Err(ErrorCode::ChannelNotFound),
            };
            if let Err(code) = allowed {
                self.refuse(key, (Some(&name), None), Some(Action::Join), code);
                self.leave(key, &name);
            }
        }
    }

    fn handle_decode_error(&mut self, key: SessionKey, error: &DecodeError) {
        let DecodeError { code, message, action, channel, request } = error;
        let (action, retry_after) = (action.as_deref(), None);
        let payload = ErrorPayload { code: *code, message, action, retry_after };
        let frame = encode::error(channel.as_deref(), request.as_ref(), payload);
        self.outputs.push_back(Output::Refuse { session: key, code: *code, frame });
        let limit = self.limits.malformed_frames;
        let Some(session) = self.session(key) else { return };
        if error.code != ErrorCode::MalformedFrame {
            // It was a frame, only not one that can be served: the row ends.
            session.malformed_in_a_row = 0;
            return;
        }
        session.malformed_in_a_row += 1;
        if session.malformed_in_a_row >= limit {
            self.outputs.push_back(Output::LimitReached(Limit::MalformedFrames));
            self.close(key, CloseCode::PolicyViolation);
        }
    }

    /// Counts one more member in the thread's share of a channel.
    fn enter(&mut self, name: &ChannelName, settings: Arc<ChannelSettings>) -> ChannelKey {
        if let Some(&key) = self.names.get(name) {
            self.channels[key.0 as usize].members += 1;
            return key;
        }
        let channel = Channel { name: name.clone(), settings, members: 1 };
        let place = self.channels.insert(channel);
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

    /// Tells a session why something was not done; `request` is what it calls that.
    fn refuse(
        &mut self,
        session: SessionKey,
        (channel, request): (Option<&str>, Option<&RequestId>),
        action: Option<Action>,
        refusal: impl Into<Refusal>,
    ) {
        let Refusal { code, retry_after } = refusal.into();
        if self.session(session).is_some() {
            let (message, action) = (code.message(), action.map(Action::name));
            let payload = ErrorPayload { message, code, action, retry_after };
            let frame = encode::error(channel, request, payload);
            self.outputs.push_back(Output::Refuse { session, code, frame });
        }
    }

    /// Says that a limit was reached, and gives back what follows from it.
    fn limited<T>(&mut self, limit: Limit, consequence: T) -> T {
        self.outputs.push_back(Output::LimitReached(limit));
        consequence
    }

    fn keys(&self) -> Vec<SessionKey> {
        let key = |(index, session): (u32, &Option<Session>)| {
            session.as_ref().map(|session| SessionKey { index, generation: session.generation })
        };
        (0..).zip(&self.sessions).filter_map(key).collect()
    }

    fn session(&mut self, key: SessionKey) -> Option<&mut Session> {
        let session = self.sessions.get_mut(key.index as usize)?.as_mut()?;
        (session.generation == key.generation).then_some(session)
    }
}
