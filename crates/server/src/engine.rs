//! Order, storage and fan-out behind a node's hubs.

mod memory;

pub use memory::MemoryEngine;

use hub::EngineCommand;

/// Which of a node's shards.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ShardId(pub usize);

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
/// * **Refusals.** A command that cannot be carried out is answered by
///   [`EngineEvent::Refused`](hub::EngineEvent::Refused), never dropped.
pub trait Engine: Send + Sync {
    /// Takes a command from a shard; answers and consequences come through the shards' inboxes.
    fn submit(&self, shard: ShardId, command: EngineCommand);
}
