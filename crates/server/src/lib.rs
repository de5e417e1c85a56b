//! The realtime server: sockets, clocks and storage around the hub's decisions.
#![warn(clippy::unwrap_used)]

mod api;
mod engine;
mod fanout;
mod http;
mod inbox;
mod log;
mod node;
mod pages;
mod shard;
pub mod tls;
mod transport;
mod trigger;

pub mod auth;
pub mod config;
pub mod outbound;
pub mod store;

pub use api::Admin;
pub use engine::{Engine, MemoryEngine, PushAnswer, PushedEvent, ShardId};
pub use http::{Front, Listener, ServeError, serve};
pub use inbox::{Event, Inbox};
pub use node::{Node, NodeError, NodeOptions};
pub use trigger::Caller;
