//! The engine of a single node: everything in memory, a lock around each part of the channels.

mod part;

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::io;
use std::mem;
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use hub::{
    Draft, EngineCommand, EngineEvent, Joined, Past, Publishing, Receipt, Refusal, Remembered,
    SessionId, SessionKey,
};
use protocol::{Action, ChannelName, ErrorCode, PresenceAction, RequestId, Resume};

use self::part::{Channel, Part, Seat, new_epoch};
use super::{Census, Engine, PushAnswer, PushedEvent, ShardId};
use crate::inbox::{Event, Inbox};
use crate::journal::{Journal, Recovered, Source};

/// Channels in the memory of this process. With a journal, what they keep outlives it.
#[derive(Debug)]
pub struct MemoryEngine {
    inboxes: Vec<Arc<Inbox>>,
    parts: Vec<Mutex<Part>>,
    journal: OnceLock<Journal>,
    /// Bytes of all histories and windows together.
    kept_bytes: AtomicUsize,
    most_kept: usize,
    evictions: AtomicU64,
    hasher: RandomState,
}

/// The fields of a join that its answer is made of.
struct JoinAnswer {
    session: SessionKey,
    history: Option<u32>,
    resume: Option<Resume>,
    presence: bool,
    batch: bool,
    authenticated: bool,
}

/// What the sender of a message is to be told.
struct Answer {
    receipt: Receipt,
    /// Whether the message is to outlive the process.
    is_kept: bool,
}

impl MemoryEngine {
    /// What all histories and windows together may take unless somebody says otherwise, in bytes.
    pub const MAX_KEPT_BYTES: usize = 1 << 30;

    /// An engine for the shards behind `inboxes`, by [`ShardId`].
    pub fn new(inboxes: Vec<Arc<Inbox>>) -> Self {
        Self::with_most(inboxes, Self::MAX_KEPT_BYTES)
    }

    /// One that keeps at most `most_kept` bytes of histories and windows.
    pub fn with_most(inboxes: Vec<Arc<Inbox>>, most_kept: usize) -> Self {
        let parts = (0..PARTS).map(|_| Mutex::default()).collect();
        Self {
            inboxes,
            parts,
            journal: OnceLock::new(),
            kept_bytes: AtomicUsize::new(0),
            most_kept,
            evictions: AtomicU64::new(0),
            hasher: RandomState::new(),
        }
    }

    /// The same, with what channels keep in the directory `journal`, where it is found again by the
    /// next process: all that was acknowledged, and most likely the rest.
    pub fn open(
        inboxes: Vec<Arc<Inbox>>,
        journal: &Path,
        most_kept: usize,
    ) -> io::Result<Arc<Self>> {
        let mut recovered = Recovered::read(journal, new_epoch)?;
        let engine = Arc::new(Self::with_most(inboxes, most_kept));
        let mut channels: Vec<_> = mem::take(&mut recovered.channels).into_iter().collect();
        // Where it is too much, now or later, the oldest go.
        channels.sort_unstable_by_key(|(_, ledger)| ledger.ts());
        let mut total: usize = channels.iter().map(|(_, ledger)| ledger.bytes()).sum();
        for (name, ledger) in channels {
            if total > most_kept {
                total -= ledger.bytes();
                continue;
            }
            engine.kept_bytes.fetch_add(ledger.bytes(), Ordering::Relaxed);
            engine.part(&name).adopt(&name, ledger);
        }
        let source: Weak<Self> = Arc::downgrade(&engine);
        let (journal, beginning) = Journal::start(recovered, source)?;
        engine.journal.get_or_init(|| journal);
        beginning.begin()?;
        Ok(engine)
    }

    fn part(&self, channel: &ChannelName) -> MutexGuard<'_, Part> {
        let part = self.hasher.hash_one(channel) as usize % PARTS;
        lock(&self.parts[part])
    }

    fn send(&self, shard: ShardId, event: EngineEvent) {
        self.inboxes[shard.0].push(Event::Engine(event));
    }

    /// Tells the sender of a message what became of it, as far as it wants to know: where it is kept,
    /// when it is safe.
    fn answer(
        &self,
        shard: ShardId,
        session: SessionKey,
        (channel, request): (ChannelName, Option<RequestId>),
        result: Result<Option<Answer>, Refusal>,
    ) {
        let inbox = Arc::clone(&self.inboxes[shard.0]);
        match (result, request) {
            (Ok(Some(Answer { receipt, is_kept })), Some(request)) => {
                let event = EngineEvent::Acked { session, channel, request, receipt };
                self.when_safe(is_kept, move || inbox.push(Event::Engine(event)));
            }
            (Err(refusal), request) => {
                let action = Action::Message;
                let refused = EngineEvent::Refused { session, channel, action, refusal, request };
                self.send(shard, refused);
            }
            (Ok(_), _) => {}
        }
    }

    /// Does something when all that was published so far is as safe as it gets.
    fn when_safe(&self, is_kept: bool, then: impl FnOnce() + Send + 'static) {
        match self.journal.get() {
            Some(journal) if is_kept => journal.when_safe(Box::new(then)),
            _ => then(),
        }
    }

    fn send_to_all(&self, channel: &Channel, event: impl Fn() -> EngineEvent) {
        for (shard, _) in &channel.shards {
            self.send(*shard, event());
        }
    }

    fn join(&self, name: ChannelName, seat: Seat, answer: &JoinAnswer) {
        let mut part = self.part(&name);
        let channel = part.enter(&name);
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
        let JoinAnswer { session, batch, .. } = *answer;
        let joined = Joined { session, channel: name, position, resumed, history, presence, batch };
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
            let freed = part.retire(name, self.journal.get());
            self.kept_bytes.fetch_sub(freed, Ordering::Relaxed);
        }
    }

    /// Does something to a channel that may make it take more memory, or less.
    fn change<T>(&self, name: &ChannelName, change: impl FnOnce(&mut Channel) -> T) -> Option<T> {
        self.change_in(&mut self.part(name), name, change)
    }

    fn change_in<T>(
        &self,
        part: &mut Part,
        name: &ChannelName,
        change: impl FnOnce(&mut Channel) -> T,
    ) -> Option<T> {
        let channel = part.channels.get_mut(name)?;
        let before = channel.ledger.bytes();
        let result = change(channel);
        let after = channel.ledger.bytes();
        self.kept_bytes.fetch_add(after, Ordering::Relaxed);
        let total = self.kept_bytes.fetch_sub(before, Ordering::Relaxed) - before;
        if total > self.most_kept {
            self.evictions.fetch_add(1, Ordering::Relaxed);
            let freed = part.make_room(name, total - self.most_kept, self.journal.get());
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
    ) -> Result<Option<Answer>, Refusal> {
        let Publishing { draft, request, authenticated, history, .. } = &publishing;
        let (history, authenticated, since) = (*history, *authenticated, draft.ts);
        // What the journal has of the channel it must also be told to forget.
        let journal = self.journal.get().filter(|_| history > 0 || channel.is_journaled());
        journal.map_or(Ok(()), Journal::has_room)?;
        if let Some(receipt) = channel.ledger.receipt(request.as_ref(), since) {
            return Ok(Some(Answer { receipt, is_kept: history > 0 }));
        }
        channel.ledger.admit(publishing.messages_per_minute, since)?;
        if !channel.shards.iter().all(|(shard, _)| self.inboxes[shard.0].has_room()) {
            return Err(ErrorCode::Overloaded.into());
        }
        let request = request.clone();
        let publication = channel.ledger.publish(publishing);
        let receipt = publication.receipt(authenticated);
        let remembered = request.map(|request| Remembered { request, receipt, since });
        if let Some(journal) = self.journal.get() {
            channel.keep(journal, name, &publication, remembered.as_ref(), history);
        }
        self.send_to_all(channel, || EngineEvent::Published {
            channel: name.clone(),
            publication: Arc::clone(&publication),
        });
        Ok(remembered.map(|_| Answer { receipt, is_kept: history > 0 }))
    }

    /// Sends to one member, unless the message is known from before.
    fn send_privately(
        &self,
        channel: &mut Channel,
        (recipient, authenticated_only): (SessionId, bool),
        (draft, messages_per_minute): (Draft, u32),
        request: Option<RequestId>,
    ) -> Result<Option<Answer>, Refusal> {
        let unkept = |receipt| Answer { receipt, is_kept: false };
        if let Some(known) = channel.ledger.receipt(request.as_ref(), draft.ts) {
            return Ok(Some(unkept(known)));
        }
        channel.ledger.admit(messages_per_minute, draft.ts)?;
        let seat = channel.ledger.roster.get(recipient);
        let seat = seat.filter(|seat| seat.member.authenticated || !authenticated_only);
        let Seat { shard, session, .. } = *seat.ok_or(ErrorCode::RecipientNotFound)?;
        if !self.inboxes[shard.0].has_room() {
            return Err(ErrorCode::Overloaded.into());
        }
        let receipt = channel.ledger.note_private(&draft, request);
        self.send(shard, EngineEvent::Private { session, frame: draft.into_private_frame() });
        Ok(receipt.map(unkept))
    }
}

impl MemoryEngine {
    fn push_to_all(&self, event: PushedEvent) -> Result<usize, ErrorCode> {
        let PushedEvent { channel: name, draft, request, history, .. } = event;
        // One lock for all of it: who leaves meanwhile must not take the channel away.
        let mut part = self.part(&name);
        if history > 0 {
            part.channel(&name);
        }
        let publishing = Publishing {
            draft,
            request,
            authenticated: true,
            authenticated_only: false,
            history,
            // What the backend pushes is not limited.
            messages_per_minute: 0,
        };
        let published = self.change_in(&mut part, &name, |channel| {
            // Nobody gets it a second time.
            let (request, now) = (publishing.request.as_ref(), publishing.draft.ts);
            if channel.ledger.receipt(request, now).is_some() {
                return Ok(0);
            }
            let published = self.publish(&name, channel, publishing);
            published.map(|_| channel.ledger.roster.len()).map_err(|refusal| refusal.code)
        });
        if part.channels.get(&name).is_some_and(|channel| channel.ledger.roster.is_empty()) {
            let freed = part.retire(&name, self.journal.get());
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
                batch,
                announce,
            } => {
                let authenticated = member.authenticated;
                let seat = Seat { shard, session, member, announced: announce };
                self.join(
                    channel,
                    seat,
                    &JoinAnswer { session, history, resume, presence, batch, authenticated },
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
                let result = result.unwrap_or(Err(ErrorCode::NotJoined.into()));
                self.answer(shard, session, (channel, name), result);
            }
            EngineCommand::SendPrivately {
                session,
                channel,
                recipient,
                authenticated_only,
                draft,
                request,
                messages_per_minute,
            } => {
                let name = request.clone();
                let recipient = (recipient, authenticated_only);
                let draft = (draft, messages_per_minute);
                let send =
                    |place: &mut Channel| self.send_privately(place, recipient, draft, request);
                let result =
                    self.change(&channel, send).unwrap_or(Err(ErrorCode::RecipientNotFound.into()));
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
        match event.target.dbo_id {
            0 => {
                let is_kept = event.history > 0;
                let result = self.push_to_all(event);
                self.when_safe(is_kept && result.is_ok(), move || answer(result));
            }
            _ => answer(self.push_to_some(event)),
        }
    }

    fn census(&self) -> Census {
        let mut census = Census {
            kept_bytes: self.kept_bytes.load(Ordering::Relaxed),
            evictions: self.evictions.load(Ordering::Relaxed),
            ..Census::default()
        };
        for part in &self.parts {
            lock(part).count(&mut census);
        }
        census
    }

    fn close(&self) {
        if let Some(journal) = self.journal.get() {
            journal.close();
        }
    }
}

impl Source for MemoryEngine {
    fn channels(&self) -> Vec<ChannelName> {
        let mut names = Vec::new();
        for part in &self.parts {
            names.extend(lock(part).channels.keys().cloned());
        }
        names
    }

    fn append_channel(&self, name: &ChannelName) {
        let part = self.part(name);
        if let (Some(journal), Some(channel)) = (self.journal.get(), part.channels.get(name)) {
            channel.append_to(journal, name);
        }
    }
}

fn lock(part: &Mutex<Part>) -> MutexGuard<'_, Part> {
    // A panic under the lock leaves at worst one event undelivered; every map is whole.
    part.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How many locks the channels share.
const PARTS: usize = 64;
/// How many channels with neither members nor history keep their numbers.
const MAX_BARE_CHANNELS: usize = 4_096;
/// How many channels without members keep their history.
const MAX_IDLE_CHANNELS: usize = 16_384;
