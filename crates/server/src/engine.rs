//! Order, storage and fan-out behind a node's hubs.

mod memory;

pub use memory::MemoryEngine;

use hub::{Draft, EngineCommand};
use protocol::{ChannelName, ErrorCode, Permissions, RequestId, RowId};

/// Which of a node's shards.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ShardId(pub usize);

/// An event that the backend pushes.
#[derive(Debug)]
pub struct PushedEvent {
    /// Where.
    pub channel: ChannelName,
    /// What.
    pub draft: Draft,
    /// The table it is for, or 0, and the record, or none.
    pub target: Permissions,
    /// What the backend calls it, so that pushing it again is no second event.
    pub request: Option<RequestId>,
    /// How many publications the channel keeps.
    pub history: u32,
}

/// What an engine keeps, in numbers.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Census {
    /// Channels with members or a history.
    pub channels: usize,
    /// Channels with a history and no members.
    pub idle_channels: usize,
    /// Bytes of all histories and remembered ids together.
    pub kept_bytes: usize,
    /// How often something kept had to go because those bytes have a limit.
    pub evictions: u64,
    /// How often an idle channel had to go because their number has a limit.
    pub forgotten: u64,
}

/// Hears how many connections got an event.
pub type PushAnswer = Box<dyn FnOnce(Result<usize, ErrorCode>) + Send>;

impl PushedEvent {
    /// Whether it is for somebody of this identity.
    pub fn is_for(&self, permissions: &Permissions) -> bool {
        let Permissions { dbo_id, row_id } = &self.target;
        *dbo_id == 0
            || (*dbo_id == permissions.dbo_id
                && (*row_id == RowId::NONE || *row_id == permissions.row_id))
    }
}

/// Orders, stores and fans out publications, and knows who is in which channel.
///
/// What every engine guarantees:
///
/// * **Order.** Commands of one shard for one channel take effect in the order given. All shards
///   with members in a channel get its events in one and the same order.
/// * **Atomic joins.** A join's answer at position *n* reaches its shard after publication *n* and
///   before *n + 1*: replay and live meet without a gap or a double.
/// * **Numbers.** Within one epoch the numbers that everyone sees, and those that authenticated
///   members see, each count up by one. When numbers are lost, the epoch changes.
/// * **Presence.** A join that makes a new member is announced before its answer, a second join of
///   the same member is not. A leave is announced once.
/// * **History.** What is published with a history size is in the history before anybody gets it.
/// * **Safety.** An ack, and the answer to a push, come when what they are about is as safe as the
///   engine makes it; who is there gets it before.
/// * **Refusals.** A command that cannot be carried out is answered by
///   [`EngineEvent::Refused`](hub::EngineEvent::Refused), never dropped.
pub trait Engine: Send + Sync + std::fmt::Debug {
    /// Takes a command from a shard; answers and consequences come through the shards' inboxes.
    fn submit(&self, shard: ShardId, command: EngineCommand);

    /// Gives an event to the members of a channel that it is for, and calls `answer` with the number
    /// of their connections to this node. What is for everybody takes a place in the channel; events
    /// take theirs in the order in which they were pushed, without waiting for answers.
    fn push(&self, event: PushedEvent, answer: PushAnswer);

    /// Returns when all that was published is as safe as it gets. Nothing may follow.
    fn close(&self);

    /// What is kept now. May take a while: it is for metrics.
    fn census(&self) -> Census;
}
