//! The engine of a single node: everything in memory, a lock around each part of the channels.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use data_encoding::BASE64URL_NOPAD;
use hub::{
    Draft, EngineCommand, EngineEvent, Joined, Ledger, Member, Past, Publishing, Receipt,
    SessionId, SessionKey,
};
use protocol::{Action, ChannelName, ErrorCode, PresenceAction, RequestId, Resume};

use super::{Engine, PushAnswer, PushedEvent, ShardId};
use crate::inbox::{Event, Inbox};

/// Channels in the memory of this process. Everything is gone when it ends.
#[derive(Debug)]
pub struct MemoryEngine {
    inboxes: Vec<Arc<Inbox>>,
    parts: Vec<Mutex<Part>>,
    /// Bytes of all histories and windows together.
    kept_bytes: AtomicUsize,
    hasher: RandomState,
}

/// The channels whose names fall to one lock.
#[derive(Debug, Default)]
struct Part {
    channels: HashMap<ChannelName, Channel>,
    /// Channels that nobody is in and that still have a history, longest idle first.
    idle: BTreeMap<u64, ChannelName>,
    idle_count: u64,
}

#[derive(Debug)]
struct Channel {
    ledger: Ledger<Seat>,
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
    resume: Option<Resume>,
    presence: bool,
    authenticated: bool,
}

impl MemoryEngine {
    /// An engine for the shards behind `inboxes`, by [`ShardId`].
    pub fn new(inboxes: Vec<Arc<Inbox>>) -> Self {
        let parts = (0..PARTS).map(|_| Mutex::default()).collect();
        Self { inboxes, parts, kept_bytes: AtomicUsize::new(0), hasher: RandomState::new() }
    }

    fn part(&self, channel: &ChannelName) -> MutexGuard<'_, Part> {
        let part = self.hasher.hash_one(channel) as usize % PARTS;
        // A panic under the lock leaves at worst one event undelivered; every map is whole.
        self.parts[part].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, shard: ShardId, event: EngineEvent) {
        self.inboxes[shard.0].push(Event::Engine(event));
    }

    /// Tells the sender of a message what became of it, as far as it wants to know.
    fn answer(
        &self,
        shard: ShardId,
        session: SessionKey,
        (channel, request): (ChannelName, Option<RequestId>),
        result: Result<Option<Receipt>, ErrorCode>,
    ) {
        match (result, request) {
            (Ok(Some(receipt)), Some(request)) => {
                self.send(shard, EngineEvent::Acked { session, channel, request, receipt });
            }
            (Err(code), request) => {
                let action = Action::Message;
                self.send(shard, EngineEvent::Refused { session, channel, action, code, request });
            }
            (Ok(_), _) => {}
        }
    }

    fn send_to_all(&self, channel: &Channel, event: impl Fn() -> EngineEvent) {
        for (shard, _) in &channel.shards {
            self.send(*shard, event());
        }
    }

    fn join(&self, name: ChannelName, seat: Seat, answer: &JoinAnswer) {
        let mut part = self.part(&name);
        let Part { channels, idle, .. } = &mut *part;
        let channel = channels.entry(name.clone()).or_insert_with(Channel::new);
        idle.remove(&channel.idle);
        let (shard, member, announce) = (seat.shard, Arc::clone(&seat.member), seat.announced);
        if channel.ledger.roster.insert(member.id, seat) {
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
        let Past { position, resumed, history } =
            channel.ledger.past(answer.authenticated, answer.resume.as_ref(), answer.history);
        let roster = channel.ledger.roster.iter().map(|seat| Arc::clone(&seat.member));
        let presence = answer.presence.then(|| roster.collect());
        let joined =
            Joined { session: answer.session, channel: name, position, resumed, history, presence };
        self.send(shard, EngineEvent::Joined(Box::new(joined)));
    }

    /// `answer` goes out first: who has left is not told of its own leaving.
    fn leave(&self, name: &ChannelName, member: SessionId, answer: impl FnOnce()) {
        let mut part = self.part(name);
        answer();
        let Some(channel) = part.channels.get_mut(name) else { return };
        let Some(seat) = channel.ledger.roster.remove(member) else { return };
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
        if channel.ledger.roster.is_empty() {
            let freed = part.retire(name);
            self.kept_bytes.fetch_sub(freed, Ordering::Relaxed);
        }
    }

    /// Does something to a channel that may make it take more memory, or less.
    fn change<T>(&self, name: &ChannelName, change: impl FnOnce(&mut Channel) -> T) -> Option<T> {
        let mut part = self.part(name);
        let channel = part.channels.get_mut(name)?;
        let before = channel.ledger.bytes();
        let result = change(channel);
        let after = channel.ledger.bytes();
        self.kept_bytes.fetch_add(after, Ordering::Relaxed);
        let total = self.kept_bytes.fetch_sub(before, Ordering::Relaxed) - before;
        if total > MAX_KEPT_BYTES {
            let freed = part.make_room(name, total - MAX_KEPT_BYTES);
            self.kept_bytes.fetch_sub(freed, Ordering::Relaxed);
        }
        Some(result)
    }

    /// Publishes, unless the message is known from before; its place, for who named it.
    fn publish(
        &self,
        name: &ChannelName,
        channel: &mut Channel,
        publishing: Publishing,
    ) -> Result<Option<Receipt>, ErrorCode> {
        let Publishing { draft, request, authenticated, .. } = &publishing;
        let (is_named, authenticated) = (request.is_some(), *authenticated);
        if let Some(known) = channel.ledger.receipt(request.as_ref(), draft.ts) {
            return Ok(Some(known));
        }
        if !channel.shards.iter().all(|(shard, _)| self.inboxes[shard.0].has_room()) {
            return Err(ErrorCode::Overloaded);
        }
        let publication = channel.ledger.publish(publishing);
        self.send_to_all(channel, || EngineEvent::Published {
            channel: name.clone(),
            publication: Arc::clone(&publication),
        });
        Ok(is_named.then(|| publication.receipt(authenticated)))
    }

    /// Sends to one member, unless the message is known from before.
    fn send_privately(
        &self,
        channel: &mut Channel,
        (recipient, authenticated_only): (SessionId, bool),
        draft: Draft,
        request: Option<RequestId>,
    ) -> Result<Option<Receipt>, ErrorCode> {
        if let Some(known) = channel.ledger.receipt(request.as_ref(), draft.ts) {
            return Ok(Some(known));
        }
        let seat = channel.ledger.roster.get(recipient);
        let seat = seat.filter(|seat| seat.member.authenticated || !authenticated_only);
        let Seat { shard, session, .. } = *seat.ok_or(ErrorCode::RecipientNotFound)?;
        if !self.inboxes[shard.0].has_room() {
            return Err(ErrorCode::Overloaded);
        }
        let receipt = channel.ledger.note_private(&draft, request);
        self.send(shard, EngineEvent::Private { session, frame: draft.into_private_frame() });
        Ok(receipt)
    }
}

impl MemoryEngine {
    fn push_to_all(&self, event: PushedEvent) -> Result<usize, ErrorCode> {
        let PushedEvent { channel: name, draft, request, history, .. } = event;
        if history > 0 {
            self.part(&name).channel(&name);
        }
        let publishing =
            Publishing { draft, request, authenticated: true, authenticated_only: false, history };
        let published = self.change(&name, |channel| {
            // Nobody gets it a second time.
            let (request, now) = (publishing.request.as_ref(), publishing.draft.ts);
            if channel.ledger.receipt(request, now).is_some() {
                return Ok(0);
            }
            self.publish(&name, channel, publishing).map(|_| channel.ledger.roster.len())
        });
        let mut part = self.part(&name);
        if part.channels.get(&name).is_some_and(|channel| channel.ledger.roster.is_empty()) {
            let freed = part.retire(&name);
            self.kept_bytes.fetch_sub(freed, Ordering::Relaxed);
        }
        published.unwrap_or(Ok(0))
    }

    fn push_to_some(&self, event: PushedEvent) -> Result<usize, ErrorCode> {
        self.change(&event.channel.clone(), |channel| {
            if channel.ledger.receipt(event.request.as_ref(), event.draft.ts).is_some() {
                return Ok(0);
            }
            let seats =
                channel.ledger.roster.iter().filter(|seat| event.is_for(&seat.member.permissions));
            let seats: Vec<_> = seats.map(|seat| (seat.shard, seat.session)).collect();
            if !seats.iter().all(|(shard, _)| self.inboxes[shard.0].has_room()) {
                return Err(ErrorCode::Overloaded);
            }
            channel.ledger.note_private(&event.draft, event.request);
            let frame = event.draft.into_private_frame();
            for (shard, session) in &seats {
                self.send(*shard, EngineEvent::Private { session: *session, frame: frame.clone() });
            }
            Ok(seats.len())
        })
        .unwrap_or(Ok(0))
    }
}

impl Engine for MemoryEngine {
    fn submit(&self, shard: ShardId, command: EngineCommand) {
        match command {
            EngineCommand::Join {
                session,
                member,
                channel,
                history,
                presence,
                resume,
                announce,
            } => {
                let authenticated = member.authenticated;
                let seat = Seat { shard, session, member, announced: announce };
                self.join(
                    channel,
                    seat,
                    &JoinAnswer { session, history, resume, presence, authenticated },
                );
            }
            EngineCommand::Leave { session, member, channel } => {
                self.leave(&channel, member, || {
                    if let Some(session) = session {
                        self.send(shard, EngineEvent::Left { session, channel: channel.clone() });
                    }
                });
            }
            EngineCommand::Publish { session, channel, publishing } => {
                let name = publishing.request.clone();
                let result =
                    self.change(&channel, |place| self.publish(&channel, place, publishing));
                let result = result.unwrap_or(Err(ErrorCode::NotJoined));
                self.answer(shard, session, (channel, name), result);
            }
            EngineCommand::SendPrivately {
                session,
                channel,
                recipient,
                authenticated_only,
                draft,
                request,
            } => {
                let name = request.clone();
                let recipient = (recipient, authenticated_only);
                let send =
                    |place: &mut Channel| self.send_privately(place, recipient, draft, request);
                let result =
                    self.change(&channel, send).unwrap_or(Err(ErrorCode::RecipientNotFound));
                self.answer(shard, session, (channel, name), result);
            }
            EngineCommand::ReadHistory {
                session,
                authenticated,
                channel,
                limit,
                before,
                is_page,
            } => {
                let part = self.part(&channel);
                let page = |channel: &Channel| channel.ledger.page(authenticated, before, limit);
                let (publications, more) =
                    part.channels.get(&channel).map(page).unwrap_or_default();
                let more = is_page.then_some(more);
                self.send(shard, EngineEvent::History { session, channel, publications, more });
            }
        }
    }

    fn push(&self, event: PushedEvent, answer: PushAnswer) {
        answer(match event.target.dbo_id {
            0 => self.push_to_all(event),
            _ => self.push_to_some(event),
        });
    }
}

impl Part {
    /// The channel, made for the occasion if nobody has been there.
    fn channel(&mut self, name: &ChannelName) -> &mut Channel {
        self.channels.entry(name.clone()).or_insert_with(Channel::new)
    }

    /// Nobody is in the channel any more: it goes at once if it keeps nothing, and else when too
    /// many others have been idle for less long. Returns the bytes that went.
    fn retire(&mut self, name: &ChannelName) -> usize {
        let Some(channel) = self.channels.get_mut(name) else { return 0 };
        if !channel.ledger.has_history() {
            return self.channels.remove(name).map_or(0, |channel| channel.ledger.bytes());
        }
        self.idle.remove(&channel.idle);
        self.idle_count += 1;
        channel.idle = self.idle_count;
        self.idle.insert(self.idle_count, name.clone());
        if self.idle.len() > MAX_IDLE_CHANNELS / PARTS { self.forget_idle() } else { 0 }
    }

    /// Frees `bytes` of history: channels that are idle go first, then the oldest of `name`.
    /// Returns what went, which may be less, or more.
    fn make_room(&mut self, name: &ChannelName, bytes: usize) -> usize {
        let mut freed = 0;
        while freed < bytes && !self.idle.is_empty() {
            freed += self.forget_idle();
        }
        if let Some(Channel { ledger, .. }) = self.channels.get_mut(name) {
            let before = ledger.bytes();
            while freed + before - ledger.bytes() < bytes && ledger.drop_oldest() {}
            freed += before - ledger.bytes();
        }
        freed
    }

    /// Forgets the channel that has been idle longest; the bytes it kept.
    fn forget_idle(&mut self) -> usize {
        let longest = self.idle.pop_first().and_then(|(_, name)| self.channels.remove(&name));
        longest.map_or(0, |channel| channel.ledger.bytes())
    }
}

impl Channel {
    fn new() -> Self {
        let mut epoch = [0; 9];
        getrandom::fill(&mut epoch).expect("the operating system gives random bytes");
        let ledger = Ledger::new(BASE64URL_NOPAD.encode(&epoch).into());
        Self { ledger, shards: Vec::new(), idle: 0 }
    }
}

/// How many locks the channels share.
const PARTS: usize = 64;
/// What all histories and windows together may take, in bytes.
const MAX_KEPT_BYTES: usize = 1 << 30;
/// How many channels without members keep their history.
const MAX_IDLE_CHANNELS: usize = 16_384;
