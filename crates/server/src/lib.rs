//! The realtime server: sockets, clocks and storage around the hub's decisions.
#![warn(clippy::unwrap_used)]

mod api;
mod engine;
mod fanout;
mod http;
mod inbox;
mod journal;
mod log;
mod node;
mod pages;
mod shard;
pub mod tls;
mod transport;

pub mod auth;
pub mod config;
pub mod store;

pub use api::Admin;
pub use engine::{Engine, MemoryEngine, PushAnswer, PushedEvent, ShardId};
pub use http::{Front, Listener, ServeError, serve};
pub use inbox::{Event, Inbox};
pub use node::{Node, NodeError, NodeOptions};
