//! The server over real sockets, as its clients and its enemies see it.

mod accounts;
mod batches;
mod content;
mod continuity;
mod docs;
mod doors;
mod draining;
mod durability;
mod endings;
mod events;
mod fuzz;
mod garbage;
mod handshake;
mod hostile;
mod identity;
mod joining;
mod key_sets;
mod limits;
mod logs;
mod messages;
mod metrics;
mod operator;
mod options;
mod origins;
mod program;
mod refusals;
#[cfg(all(target_os = "linux", any(target_arch = "aarch64", target_arch = "x86_64")))]
mod ring;
mod signing_keys;
mod slow;
mod support;
mod tls;
mod triggers;
