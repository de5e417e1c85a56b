//! The realtime server: sockets, clocks and storage around the hub's decisions.
#![warn(clippy::unwrap_used)]

mod api;
mod engine;
mod fanout;
mod files;
mod http;
mod inbox;
mod log;
mod metrics;
mod node;
mod pages;
pub mod peer;
mod places;
mod shard;
pub mod tls;
mod transport;

pub mod auth;
pub mod config;
pub mod store;

pub use api::Admin;
pub use engine::{Census, Engine, MemoryEngine, PushAnswer, PushedEvent, ShardId};
pub use files::raise_open_files;
pub use http::{Front, Listener, ServeError, serve};
pub use inbox::{Event, Inbox};
pub use metrics::Metrics;
pub use node::{Node, NodeError, NodeOptions};
pub use places::Place;
