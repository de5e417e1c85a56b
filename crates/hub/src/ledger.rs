//! One channel's order: its numbers, history, roster and window, however an engine keeps them safe.

use std::mem;
use std::sync::Arc;

use protocol::{RequestId, Resume, ResumeRefusal};

use crate::engine::{Position, Refusal};
use crate::history::History;
use crate::presence::Roster;
use crate::publication::{Draft, Publication, Receipt};
use crate::rate_limit::{Bucket, Rate};
use crate::window::Window;

/// A channel of an engine that keeps it in memory. `S` is what the engine knows of a member.
#[derive(Debug)]
pub struct Ledger<S> {
    /// Who is in the channel.
    pub roster: Roster<S>,
    epoch_for_everyone: Arc<str>,
    epoch_for_authenticated: Arc<str>,
    numbers: Numbers,
    /// Epochs whose numbers go on in this one, oldest first.
    past_epochs: Vec<PastEpoch>,
    /// The time of the newest publication: clocks of several threads never make time go back.
    ts: u64,
    history: History,
    window: Window,
    /// What clients may still send.
    messages: Bucket,
}

/// How far a channel's two counts have come: what everyone may see, and what authenticated members
/// may see.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Numbers {
    /// The first count.
    pub for_everyone: u64,
    /// The second one, which every publication is in.
    pub for_authenticated: u64,
}

/// An epoch that ended with its process. Who has read no further than its end has missed nothing of
/// it and may go on in the next; beyond it may be numbers that were seen and then lost in a crash.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PastEpoch {
    /// The epoch, as everyone knows it.
    pub epoch: Arc<str>,
    /// The last numbers that outlived it.
    pub end: Numbers,
}

/// All that outlives a process of a ledger.
#[derive(Debug)]
pub struct LedgerState {
    /// The epoch, as everyone knows it.
    pub epoch: Arc<str>,
    /// Those before it, oldest first.
    pub past_epochs: Vec<PastEpoch>,
    /// The newest publication's numbers.
    pub numbers: Numbers,
    /// Its time, in milliseconds since 1970.
    pub ts: u64,
    /// The publications that are kept, oldest first.
    pub history: Vec<Arc<Publication>>,
    /// The named messages that are remembered, oldest first.
    pub remembered: Vec<Remembered>,
}

/// What became of a message that its sender named.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Remembered {
    /// Its name.
    pub request: RequestId,
    /// What its sender was told.
    pub receipt: Receipt,
    /// Since when it is remembered, in milliseconds since 1970.
    pub since: u64,
}

/// A message on its way into a channel.
#[derive(Debug)]
pub struct Publishing {
    /// What.
    pub draft: Draft,
    /// What its sender calls it.
    pub request: Option<RequestId>,
    /// Whether the sender has an identity, which decides how it counts.
    pub authenticated: bool,
    /// Whether only authenticated members may see it.
    pub authenticated_only: bool,
    /// How many publications the channel keeps.
    pub history: u32,
    /// How many messages a minute the channel takes from clients; 0 for any number.
    pub messages_per_minute: u32,
}

/// What a joining member may see of the past.
#[derive(Debug)]
pub struct Past {
    /// Where the channel is.
    pub position: Position,
    /// What it has missed, or why that cannot be told, if asked for.
    pub resumed: Option<Result<Vec<Arc<Publication>>, ResumeRefusal>>,
    /// The newest publications, if asked for and not told already by `resumed`.
    pub history: Option<Vec<Arc<Publication>>>,
}

impl<S> Ledger<S> {
    /// A channel without members. `epoch` must never have named this channel's numbers before.
    pub fn new(epoch: Arc<str>) -> Self {
        Self {
            roster: Roster::default(),
            epoch_for_authenticated: epoch_for_authenticated(&epoch),
            epoch_for_everyone: epoch,
            numbers: Numbers::default(),
            past_epochs: Vec::new(),
            ts: 0,
            history: History::default(),
            window: Window::default(),
            messages: Bucket::default(),
        }
    }

    /// The channel as it was, without members.
    pub fn restore(state: LedgerState) -> Self {
        let mut history = History::default();
        for publication in state.history {
            history.push(publication, usize::MAX);
        }
        let mut window = Window::default();
        for Remembered { request, receipt, since } in state.remembered {
            window.insert(request, receipt, since);
        }
        Self {
            numbers: state.numbers,
            past_epochs: state.past_epochs,
            ts: state.ts,
            history,
            window,
            ..Self::new(state.epoch)
        }
    }

    /// What [`restore`](Self::restore) needs.
    pub fn state(&self) -> LedgerState {
        LedgerState {
            epoch: Arc::clone(&self.epoch_for_everyone),
            past_epochs: self.past_epochs.clone(),
            numbers: self.numbers,
            ts: self.ts,
            history: self.history.iter().cloned().collect(),
            remembered: self.window.iter().collect(),
        }
    }

    /// Repeats what [`publish`](Self::publish) did in an earlier process; whether it could, which
    /// fails when something between is missing.
    pub fn replay(
        &mut self,
        publication: Arc<Publication>,
        remembered: Option<Remembered>,
        history: u32,
    ) -> bool {
        let numbers = self.numbers.next(!publication.is_visible(false));
        let follows = publication.seq(true) == Some(numbers.for_authenticated)
            && publication.seq(false).is_none_or(|seq| seq == numbers.for_everyone);
        if follows {
            self.numbers = numbers;
            self.ts = publication.ts();
            self.history.push(publication, history as usize);
            if let Some(Remembered { request, receipt, since }) = remembered {
                self.window.insert(request, receipt, since);
            }
        }
        follows
    }

    /// Lets the numbers go on under a new name, after a stop that may have lost some.
    pub fn begin_epoch(&mut self, epoch: Arc<str>) {
        let ended = mem::replace(&mut self.epoch_for_everyone, epoch);
        self.epoch_for_authenticated = epoch_for_authenticated(&self.epoch_for_everyone);
        if self.past_epochs.len() == MAX_PAST_EPOCHS {
            self.past_epochs.remove(0);
        }
        self.past_epochs.push(PastEpoch { epoch: ended, end: self.numbers });
    }

    /// The time of the newest publication, in milliseconds since 1970.
    pub const fn ts(&self) -> u64 {
        self.ts
    }

    /// Lets nobody go on from an earlier epoch.
    pub fn forget_past_epochs(&mut self) {
        self.past_epochs.clear();
    }

    /// What became of a message that its sender calls `request`, if that is remembered at `now`.
    pub fn receipt(&mut self, request: Option<&RequestId>, now: u64) -> Option<Receipt> {
        self.window.get(request?, now)
    }

    /// Counts a client's message that came at `now`, in milliseconds; refused where it is one more
    /// than `messages_per_minute` allow. To be called with one that has no [`receipt`](Self::receipt).
    pub fn admit(&mut self, messages_per_minute: u32, now: u64) -> Result<(), Refusal> {
        let rate = Rate::per_minute(messages_per_minute);
        self.messages.take(rate, now).map_err(Refusal::rate_limited)
    }

    /// Gives a message its place. To be called with one that has no [`receipt`](Self::receipt) yet.
    pub fn publish(&mut self, publishing: Publishing) -> Arc<Publication> {
        let Publishing { draft, request, authenticated, authenticated_only, history, .. } =
            publishing;
        let now = draft.ts;
        self.numbers = self.numbers.next(authenticated_only);
        self.ts = self.ts.max(now);
        let Numbers { for_everyone, for_authenticated } = self.numbers;
        let for_everyone = (!authenticated_only).then_some(for_everyone);
        let publication = Publication::new(draft, self.ts, for_everyone, for_authenticated);
        let publication = Arc::new(publication);
        self.history.push(Arc::clone(&publication), history as usize);
        if let Some(request) = request {
            self.window.insert(request, publication.receipt(authenticated), now);
        }
        publication
    }

    /// Remembers a message to one member under the name its sender gave it; its receipt.
    pub fn note_private(&mut self, draft: &Draft, request: Option<RequestId>) -> Option<Receipt> {
        let receipt = draft.private_receipt();
        self.window.insert(request?, receipt, draft.ts);
        Some(receipt)
    }

    /// What a member with or without identity may see of the past when it joins: all since `resume`
    /// or, where that is not asked or not to be had, the newest `history` publications.
    pub fn past(&self, authenticated: bool, resume: Option<&Resume>, history: Option<u32>) -> Past {
        let position = self.position(authenticated);
        let resumed = resume.map(|resume| self.missed(resume, authenticated, &position));
        let history = history.filter(|_| !matches!(resumed, Some(Ok(_))));
        let newest = |size| self.history.page(authenticated, u64::MAX, size as usize).0;
        Past { position, resumed, history: history.map(newest) }
    }

    /// At most `limit` publications that a reader may see, oldest first, with numbers below
    /// `before`; and whether there are older ones.
    pub fn page(
        &self,
        authenticated: bool,
        before: Option<u64>,
        limit: u32,
    ) -> (Vec<Arc<Publication>>, bool) {
        self.history.page(authenticated, before.unwrap_or(u64::MAX), limit as usize)
    }

    /// Drops the oldest publication that is kept; whether there was one.
    pub fn drop_oldest(&mut self) -> bool {
        self.history.drop_oldest()
    }

    /// Whether it would be missed if nobody were in it: it keeps publications.
    pub fn has_history(&self) -> bool {
        !self.history.is_empty()
    }

    /// What history and window take in memory, about, in bytes.
    pub fn bytes(&self) -> usize {
        self.history.bytes() + self.window.bytes()
    }

    fn position(&self, authenticated: bool) -> Position {
        let epoch = match authenticated {
            true => &self.epoch_for_authenticated,
            false => &self.epoch_for_everyone,
        };
        Position { epoch: Arc::clone(epoch), seq: self.numbers.of(authenticated) }
    }

    /// What a reader that was at `resume` has missed, now that the channel is at `position`.
    fn missed(
        &self,
        resume: &Resume,
        authenticated: bool,
        position: &Position,
    ) -> Result<Vec<Arc<Publication>>, ResumeRefusal> {
        if *resume.epoch != *position.epoch {
            let end = self.end_of(&resume.epoch, authenticated);
            if end.is_none_or(|end| resume.seq > end) {
                return Err(ResumeRefusal::EpochChanged);
            }
        }
        let missed = position.seq.checked_sub(resume.seq).ok_or(ResumeRefusal::PositionUnknown)?;
        self.history.newest(authenticated, missed).ok_or(ResumeRefusal::HistoryTooShort)
    }

    /// The last number of a past epoch, if it is one that a reader with or without identity knows.
    fn end_of(&self, epoch: &str, authenticated: bool) -> Option<u64> {
        let epoch = match authenticated {
            true => epoch.strip_suffix(FOR_AUTHENTICATED)?,
            false => epoch,
        };
        let past = self.past_epochs.iter().find(|past| *past.epoch == *epoch)?;
        Some(past.end.of(authenticated))
    }
}

impl Numbers {
    /// As a reader with or without identity counts.
    const fn of(self, authenticated: bool) -> u64 {
        if authenticated { self.for_authenticated } else { self.for_everyone }
    }

    /// The numbers of the next publication.
    const fn next(self, authenticated_only: bool) -> Self {
        Self {
            for_everyone: self.for_everyone + !authenticated_only as u64,
            for_authenticated: self.for_authenticated + 1,
        }
    }
}

/// Who changes its identity changes its count, and must not resume the other one.
fn epoch_for_authenticated(epoch: &str) -> Arc<str> {
    format!("{epoch}{FOR_AUTHENTICATED}").into()
}

/// What the epoch of authenticated readers has behind that of everyone.
const FOR_AUTHENTICATED: &str = ".";
/// How many epochs back a reader may resume from; one more comes with each start of the server.
const MAX_PAST_EPOCHS: usize = 16;
