//! What the hub asks of the engine, and what the engine tells the hub.

use std::sync::Arc;

use protocol::{Action, ChannelName, ErrorCode, PresenceAction, RequestId, Resume, ResumeRefusal};

use crate::ledger::Publishing;
use crate::publication::{Draft, Publication, Receipt};
use crate::session::{Member, SessionId, SessionKey};

/// What the hub asks of the engine. Commands for one channel take effect in the order given.
#[derive(Debug)]
pub enum EngineCommand {
    /// Make `member` a member; again while it is one only asks for the answer. Answered by
    /// [`EngineEvent::Joined`].
    Join {
        /// Whose join.
        session: SessionKey,
        /// As whom.
        member: Arc<Member>,
        /// Where.
        channel: ChannelName,
        /// How many publications the answer shall have at most; `None` for no history at all.
        history: Option<u32>,
        /// Whether the answer shall have the roster, which also means that updates are to follow.
        presence: bool,
        /// Where the member has read before; the answer shall have what it has missed.
        resume: Option<Resume>,
        /// Whether the member wants what comes together as one message; the answer says so again.
        batch: bool,
        /// Whether the other members shall hear of a new member, and of its leaving.
        announce: bool,
    },
    /// Undo a join. Answered by [`EngineEvent::Left`] if a session waits for it.
    Leave {
        /// Whose leaving it is, unless the session has ended.
        session: Option<SessionKey>,
        /// Its public id.
        member: SessionId,
        /// Where.
        channel: ChannelName,
    },
    /// Give `draft` the next place in its channel and to all who may see it.
    Publish {
        /// Who hears of it when it is refused and, with [`EngineEvent::Acked`], of its place if it is
        /// named. What has the name of an earlier one in the channel's window is told that one's
        /// place and publishes nothing.
        session: SessionKey,
        /// Where.
        channel: ChannelName,
        /// What, and to whom.
        publishing: Publishing,
    },
    /// Give `draft` to one member.
    SendPrivately {
        /// Who hears of it when there is no such member.
        session: SessionKey,
        /// Where both are members.
        channel: ChannelName,
        /// To whom.
        recipient: SessionId,
        /// Whether the recipient must have an identity.
        authenticated_only: bool,
        /// What.
        draft: Draft,
        /// What its sender calls it, with the same effect as for [`Publish`](Self::Publish).
        request: Option<RequestId>,
        /// How many messages a minute the channel takes from clients; 0 for any number.
        messages_per_minute: u32,
    },
    /// Read the kept publications. Answered by [`EngineEvent::History`].
    ReadHistory {
        /// For whom.
        session: SessionKey,
        /// With or without identity.
        authenticated: bool,
        /// Where.
        channel: ChannelName,
        /// How many at most.
        limit: u32,
        /// Only those with a smaller number as the reader counts; `None` for the newest.
        before: Option<u64>,
        /// Whether the answer shall say if there are older ones.
        is_page: bool,
    },
}

/// What the engine tells the hub of a thread.
///
/// Events of one channel come in the channel's order: a [`Joined`] at position *n* comes after
/// publication *n* and before *n + 1*, so that history and live meet without a gap or a double.
#[derive(Debug)]
pub enum EngineEvent {
    /// A join was carried out.
    Joined(Box<Joined>),
    /// A leave was carried out: the session has got all that was published before.
    Left {
        /// Whose.
        session: SessionKey,
        /// Where.
        channel: ChannelName,
    },
    /// A channel with members on this thread has a new publication.
    Published {
        /// Which channel.
        channel: ChannelName,
        /// The publication.
        publication: Arc<Publication>,
    },
    /// A member came to or left a channel with members on this thread.
    PresenceChanged {
        /// Which channel.
        channel: ChannelName,
        /// Came or left.
        action: PresenceAction,
        /// Who.
        member: Arc<Member>,
    },
    /// A private message for a session on this thread.
    Private {
        /// Which session.
        session: SessionKey,
        /// The whole frame.
        frame: Vec<u8>,
    },
    /// The answer to [`EngineCommand::ReadHistory`].
    History {
        /// Who asked.
        session: SessionKey,
        /// Of which channel.
        channel: ChannelName,
        /// What it may see, oldest first.
        publications: Vec<Arc<Publication>>,
        /// Whether there are older ones, if that was asked.
        more: Option<bool>,
    },
    /// A message that carried a name has its place, and who is to see it will.
    Acked {
        /// Whose.
        session: SessionKey,
        /// Where.
        channel: ChannelName,
        /// What its sender calls it.
        request: RequestId,
        /// Its place.
        receipt: Receipt,
    },
    /// A command was not carried out.
    Refused {
        /// Whose.
        session: SessionKey,
        /// Where.
        channel: ChannelName,
        /// What was asked.
        action: Action,
        /// Why not.
        refusal: Refusal,
        /// What its sender calls the message, if it has said so.
        request: Option<RequestId>,
    },
}

impl EngineCommand {
    /// Whether the answer may be as long as a channel's history.
    pub const fn has_long_answer(&self) -> bool {
        match self {
            Self::Join { history, resume, .. } => history.is_some() || resume.is_some(),
            Self::ReadHistory { .. } => true,
            Self::Leave { .. } | Self::Publish { .. } | Self::SendPrivately { .. } => false,
        }
    }

    /// The session that waits for one [`EngineEvent`] that [answers](EngineEvent::answers) this.
    pub const fn awaits_answer(&self) -> Option<SessionKey> {
        match self {
            Self::Join { session, .. } | Self::ReadHistory { session, .. } => Some(*session),
            Self::Leave { session, .. } => *session,
            Self::Publish { .. } | Self::SendPrivately { .. } => None,
        }
    }
}

impl EngineEvent {
    /// The session whose command this answers, if it is one that
    /// [awaits an answer](EngineCommand::awaits_answer).
    pub const fn answers(&self) -> Option<SessionKey> {
        match self {
            Self::Joined(joined) => Some(joined.session),
            Self::Left { session, .. } | Self::History { session, .. } => Some(*session),
            // What is sent is refused, but not awaited.
            Self::Refused { action: Action::Message, .. } => None,
            Self::Refused { session, .. } => Some(*session),
            Self::Acked { .. }
            | Self::Published { .. }
            | Self::PresenceChanged { .. }
            | Self::Private { .. } => None,
        }
    }
}

impl Refusal {
    /// Too many came: one more may in `retry_after` milliseconds.
    pub const fn rate_limited(retry_after: u32) -> Self {
        Self { code: ErrorCode::RateLimited, retry_after: Some(retry_after) }
    }
}

impl From<ErrorCode> for Refusal {
    fn from(code: ErrorCode) -> Self {
        Self { code, retry_after: None }
    }
}

/// The answer to [`EngineCommand::Join`].
#[derive(Debug)]
pub struct Joined {
    /// Whose join.
    pub session: SessionKey,
    /// Where.
    pub channel: ChannelName,
    /// The channel's position as the member counts it.
    pub position: Position,
    /// What it has missed, oldest first, or why that cannot be told, if asked for. Where it can, the
    /// history is left out.
    pub resumed: Option<Result<Vec<Arc<Publication>>, ResumeRefusal>>,
    /// What it may see of the history, oldest first, if asked for.
    pub history: Option<Vec<Arc<Publication>>>,
    /// The roster, with the member itself, if asked for.
    pub presence: Option<Vec<Arc<Member>>>,
    /// Whether it wants what comes together as one message.
    pub batch: bool,
}

/// Why a command was not carried out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Refusal {
    /// Why.
    pub code: ErrorCode,
    /// After how many milliseconds the same would be allowed, where that is known.
    pub retry_after: Option<u32>,
}

/// How far a channel has come.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Position {
    /// Names the life of the numbering, and whose numbering it is.
    pub epoch: Arc<str>,
    /// The number of the newest publication, 0 before the first.
    pub seq: u64,
}
