//! One channel's order: its numbers, history, roster and window, however an engine keeps them safe.

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
    seq_for_everyone: u64,
    seq_for_authenticated: u64,
    /// The time of the newest publication: clocks of several threads never make time go back.
    ts: u64,
    history: History,
    window: Window,
    /// What clients may still send.
    messages: Bucket,
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
            // Who changes its identity changes its count, and must not resume the other one.
            epoch_for_authenticated: format!("{epoch}.").into(),
            epoch_for_everyone: epoch,
            seq_for_everyone: 0,
            seq_for_authenticated: 0,
            ts: 0,
            history: History::default(),
            window: Window::default(),
            messages: Bucket::default(),
        }
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
        self.seq_for_authenticated += 1;
        let seq_for_everyone = (!authenticated_only).then(|| {
            self.seq_for_everyone += 1;
            self.seq_for_everyone
        });
        self.ts = self.ts.max(now);
        let publication =
            Publication::new(draft, self.ts, seq_for_everyone, self.seq_for_authenticated);
        let publication = Arc::new(publication);
        if history > 0 {
            self.history.push(Arc::clone(&publication), history as usize);
        }
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
        let (epoch, seq) = match authenticated {
            true => (&self.epoch_for_authenticated, self.seq_for_authenticated),
            false => (&self.epoch_for_everyone, self.seq_for_everyone),
        };
        Position { epoch: Arc::clone(epoch), seq }
    }

    /// What a reader that was at `resume` has missed, now that the channel is at `position`.
    fn missed(
        &self,
        resume: &Resume,
        authenticated: bool,
        position: &Position,
    ) -> Result<Vec<Arc<Publication>>, ResumeRefusal> {
        if *resume.epoch != *position.epoch {
            return Err(ResumeRefusal::EpochChanged);
        }
        let missed = position.seq.checked_sub(resume.seq).ok_or(ResumeRefusal::PositionUnknown)?;
        self.history.newest(authenticated, missed).ok_or(ResumeRefusal::HistoryTooShort)
    }
}
