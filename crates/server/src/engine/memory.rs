//! The engine of a single node: everything in memory, a lock around each part of the channels.

use std::collections::hash_map::RandomState;
use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use data_encoding::BASE64URL_NOPAD;
use hub::{
    Draft, EngineCommand, EngineEvent, History, Joined, Member, Position, Publication, Roster,
    SessionId, SessionKey,
};
use protocol::{Action, ChannelName, ErrorCode, PresenceAction};

use super::{Engine, ShardId};
use crate::inbox::{Event, Inbox};

/// Channels in the memory of this process. Everything is gone when it ends.
#[derive(Debug)]
pub struct MemoryEngine {
    inboxes: Vec<Arc<Inbox>>,
    parts: Vec<Mutex<Part>>,
    /// Bytes of all histories together.
    history_bytes: AtomicUsize,
    hasher: RandomState,
}

/// The channels whose names fall to one lock.
#[derive(Debug, Default)]
struct Part {
    channels: HashMap<ChannelName, Channel>,
    /// Channels that nobody is in and that still have a history, longest idle first.
    idle: VecDeque<(ChannelName, u64)>,
    idle_count: u64,
}

#[derive(Debug)]
struct Channel {
    epoch: Arc<str>,
    seq_for_everyone: u64,
    seq_for_authenticated: u64,
    /// The time of the newest publication: clocks of several threads never make time go back.
    ts: u64,
    history: History,
    roster: Roster<Seat>,
    /// How many members each shard has here.
    shards: Vec<(ShardId, usize)>,
    /// Which of the entries in [`Part::idle`] is this channel's.
    idle: u64,
}

/// Where a member is to be found.
#[derive(Debug)]
struct Seat {
    shard: ShardId,
    session: SessionKey,
    member: Arc<Member>,
    announced: bool,
}

/// The fields of a join that its answer is made of.
struct JoinAnswer {
    session: SessionKey,
    history: Option<u32>,
    presence: bool,
    authenticated: bool,
}

impl MemoryEngine {
    /// An engine for the shards behind `inboxes`, by [`ShardId`].
    pub fn new(inboxes: Vec<Arc<Inbox>>) -> Self {
        let parts = (0..PARTS).map(|_| Mutex::default()).collect();
        Self { inboxes, parts, history_bytes: AtomicUsize::new(0), hasher: RandomState::new() }
    }

    fn part(&self, channel: &ChannelName) -> MutexGuard<'_, Part> {
        let part = self.hasher.hash_one(channel) as usize % PARTS;
        // A panic under the lock leaves at worst one event undelivered; every map is whole.
        self.parts[part].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, shard: ShardId, event: EngineEvent) {
        self.inboxes[shard.0].push(Event::Engine(event));
    }

    fn send_to_all(&self, channel: &Channel, event: impl Fn() -> EngineEvent) {
        for (shard, _) in &channel.shards {
            self.send(*shard, event());
        }
    }

    fn join(&self, name: ChannelName, seat: Seat, answer: &JoinAnswer) {
        let mut part = self.part(&name);
        let channel = part.channels.entry(name.clone()).or_insert_with(Channel::new);
        let (shard, member, announce) = (seat.shard, Arc::clone(&seat.member), seat.announced);
        if channel.roster.insert(member.id, seat) {
            if announce {
                self.send_to_all(channel, || EngineEvent::PresenceChanged {
                    channel: name.clone(),
                    action: PresenceAction::Join,
                    member: Arc::clone(&member),
                });
            }
            match channel.shards.iter_mut().find(|(id, _)| *id == shard) {
                Some((_, members)) => *members += 1,
                None => channel.shards.push((shard, 1)),
            }
        }
        let joined = channel.answer(name, answer);
        self.send(shard, EngineEvent::Joined(Box::new(joined)));
    }

    /// `answer` goes out first: who has left is not told of its own leaving.
    fn leave(&self, name: &ChannelName, member: SessionId, answer: impl FnOnce()) {
        let mut part = self.part(name);
        answer();
        let Some(channel) = part.channels.get_mut(name) else { return };
        let Some(seat) = channel.roster.remove(member) else { return };
        if let Some(at) = channel.shards.iter().position(|(id, _)| *id == seat.shard) {
            channel.shards[at].1 -= 1;
            if channel.shards[at].1 == 0 {
                channel.shards.remove(at);
            }
        }
        if seat.announced {
            self.send_to_all(channel, || EngineEvent::PresenceChanged {
                channel: name.clone(),
                action: PresenceAction::Leave,
                member: Arc::clone(&seat.member),
            });
        }
        if channel.roster.is_empty() {
            let freed = part.retire(name);
            self.history_bytes.fetch_sub(freed, Ordering::Relaxed);
        }
    }

    fn publish(
        &self,
        name: &ChannelName,
        draft: Draft,
        authenticated_only: bool,
        history: u32,
    ) -> Result<(), ErrorCode> {
        let mut part = self.part(name);
        let Some(channel) = part.channels.get_mut(name) else { return Err(ErrorCode::NotJoined) };
        if !channel.shards.iter().all(|(shard, _)| self.inboxes[shard.0].has_room()) {
            return Err(ErrorCode::Overloaded);
        }
        let publication = Arc::new(channel.number(draft, authenticated_only));
        if history > 0 {
            let before = channel.history.bytes();
            channel.history.push(Arc::clone(&publication), history as usize);
            self.history_bytes.fetch_add(channel.history.bytes(), Ordering::Relaxed);
            self.history_bytes.fetch_sub(before, Ordering::Relaxed);
        }
        self.send_to_all(channel, || EngineEvent::Published {
            channel: name.clone(),
            publication: Arc::clone(&publication),
        });
        if self.history_bytes.load(Ordering::Relaxed) > MAX_HISTORY_BYTES {
            let freed = part.make_room(name, publication.size());
            self.history_bytes.fetch_sub(freed, Ordering::Relaxed);
        }
        Ok(())
    }

    fn send_privately(
        &self,
        name: &ChannelName,
        recipient: SessionId,
        authenticated_only: bool,
        draft: Draft,
    ) -> Result<(), ErrorCode> {
        let part = self.part(name);
        let seat = part.channels.get(name).and_then(|channel| channel.roster.get(recipient));
        let seat = seat.filter(|seat| seat.member.authenticated || !authenticated_only);
        let Seat { shard, session, .. } = seat.ok_or(ErrorCode::RecipientNotFound)?;
        if !self.inboxes[shard.0].has_room() {
            return Err(ErrorCode::Overloaded);
        }
        self.send(
            *shard,
            EngineEvent::Private { session: *session, frame: draft.into_private_frame() },
        );
        Ok(())
    }
}

impl Engine for MemoryEngine {
    fn submit(&self, shard: ShardId, command: EngineCommand) {
        let refuse = |session, channel, code| {
            self.send(
                shard,
                EngineEvent::Refused { session, channel, action: Action::Message, code },
            );
        };
        match command {
            EngineCommand::Join { session, member, channel, history, presence, announce } => {
                let authenticated = member.authenticated;
                let seat = Seat { shard, session, member, announced: announce };
                self.join(channel, seat, &JoinAnswer { session, history, presence, authenticated });
            }
            EngineCommand::Leave { session, member, channel } => {
                self.leave(&channel, member, || {
                    if let Some(session) = session {
                        self.send(shard, EngineEvent::Left { session, channel: channel.clone() });
                    }
                });
            }
            EngineCommand::Publish { session, channel, draft, authenticated_only, history } => {
                if let Err(code) = self.publish(&channel, draft, authenticated_only, history) {
                    refuse(session, channel, code);
                }
            }
            EngineCommand::SendPrivately {
                session,
                channel,
                recipient,
                authenticated_only,
                draft,
            } => {
                if let Err(code) =
                    self.send_privately(&channel, recipient, authenticated_only, draft)
                {
                    refuse(session, channel, code);
                }
            }
            EngineCommand::ReadHistory { session, authenticated, channel, limit } => {
                let part = self.part(&channel);
                let visible =
                    |channel: &Channel| channel.history.visible(authenticated, limit as usize);
                let publications = part.channels.get(&channel).map(visible).unwrap_or_default();
                self.send(shard, EngineEvent::History { session, channel, publications });
            }
        }
    }
}

impl Part {
    /// Nobody is in the channel any more: it goes at once if it keeps nothing, and else when too
    /// many others have been idle for less long. Returns the bytes of history that went.
    fn retire(&mut self, name: &ChannelName) -> usize {
        let Some(channel) = self.channels.get_mut(name) else { return 0 };
        if channel.history.is_empty() {
            self.channels.remove(name);
            return 0;
        }
        self.idle_count += 1;
        channel.idle = self.idle_count;
        self.idle.push_back((name.clone(), self.idle_count));
        if self.idle.len() > MAX_IDLE_CHANNELS / PARTS { self.forget_idle() } else { 0 }
    }

    /// Frees `bytes` of history: channels that are idle go first, then the oldest of `name`.
    /// Returns what went, which may be less, or more.
    fn make_room(&mut self, name: &ChannelName, bytes: usize) -> usize {
        let mut freed = 0;
        while freed < bytes && !self.idle.is_empty() {
            freed += self.forget_idle();
        }
        if let Some(Channel { history, .. }) = self.channels.get_mut(name) {
            let before = history.bytes();
            while freed + before - history.bytes() < bytes && history.drop_oldest() {}
            freed += before - history.bytes();
        }
        freed
    }

    /// Forgets the channel that has been idle longest, unless it is in use again; the bytes of its
    /// history.
    fn forget_idle(&mut self) -> usize {
        let Some((name, idle)) = self.idle.pop_front() else { return 0 };
        let still = |channel: &Channel| channel.idle == idle && channel.roster.is_empty();
        if !self.channels.get(&name).is_some_and(still) {
            return 0;
        }
        self.channels.remove(&name).map_or(0, |channel| channel.history.bytes())
    }
}

impl Channel {
    fn new() -> Self {
        let mut epoch = [0; 9];
        getrandom::fill(&mut epoch).expect("the operating system gives random bytes");
        Self {
            epoch: BASE64URL_NOPAD.encode(&epoch).into(),
            seq_for_everyone: 0,
            seq_for_authenticated: 0,
            ts: 0,
            history: History::default(),
            roster: Roster::default(),
            shards: Vec::new(),
            idle: 0,
        }
    }

    fn number(&mut self, draft: Draft, authenticated_only: bool) -> Publication {
        self.seq_for_authenticated += 1;
        let seq_for_everyone = (!authenticated_only).then(|| {
            self.seq_for_everyone += 1;
            self.seq_for_everyone
        });
        self.ts = self.ts.max(draft.ts);
        Publication::new(draft, self.ts, seq_for_everyone, self.seq_for_authenticated)
    }

    fn answer(&self, name: ChannelName, join: &JoinAnswer) -> Joined {
        let seq =
            if join.authenticated { self.seq_for_authenticated } else { self.seq_for_everyone };
        Joined {
            session: join.session,
            channel: name,
            position: Position { epoch: Arc::clone(&self.epoch), seq },
            history: join
                .history
                .map(|size| self.history.visible(join.authenticated, size as usize)),
            presence: join
                .presence
                .then(|| self.roster.iter().map(|seat| Arc::clone(&seat.member)).collect()),
        }
    }
}

/// How many locks the channels share.
const PARTS: usize = 64;
/// What all histories together may take, in bytes.
const MAX_HISTORY_BYTES: usize = 1 << 30;
/// How many channels without members keep their history.
const MAX_IDLE_CHANNELS: usize = 16_384;
