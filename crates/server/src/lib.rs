//! The realtime server: sockets, clocks and storage around the hub's decisions.
#![warn(clippy::unwrap_used)]

mod api;
mod door;
mod engine;
mod fanout;
mod files;
mod http;
mod ids;
mod inbox;
mod journal;
mod log;
mod metrics;
mod node;
mod origin;
mod pages;
mod panics;
pub mod peer;
mod places;
mod rate_limit;
mod shard;
mod shutdown;
pub mod tls;
mod transport;
mod trigger;

pub mod auth;
pub mod config;
pub mod event;
pub mod outbound;
pub mod store;

pub use api::{AccountOptions, Accounts, AccountsError, Admin, SignUpPolicy};
pub use door::{Door, Guest, Visitor};
pub use engine::{Census, Engine, MemoryEngine, PushAnswer, PushedEvent, ShardId};
pub use fanout::{RingError, check_ring};
pub use files::raise_open_files;
pub use http::{Front, Listener, ServeError, TokenExpiry, serve};
pub use inbox::{Event, Inbox};
pub use metrics::Metrics;
pub use node::{Node, NodeError, NodeOptions};
pub use origin::AllowedOrigins;
pub use panics::log_panics;
pub use places::Place;
pub use shutdown::{Phase, Shutdown, Stop};
pub use trigger::Caller;
