//! The browser SDK: everything that decides, compiled to WebAssembly.
//!
//! [`Client`] holds the connection, the channels, the offline queue and who is present. It does no
//! IO and never asks the time: the caller feeds it what happened (`handle_*`, with the time in
//! milliseconds of a monotonic clock) and carries out what comes back (`poll_output`,
//! `poll_delivery`, `poll_timeout`). [`web`] is that caller in a browser; `js/` is the facade that
//! gives applications the classes they know.
#![warn(clippy::unwrap_used)]

mod backoff;
mod channel;
mod client;
mod continuity;
mod event_stream;
mod frame;
mod heartbeat;
mod line;
mod output;
mod presence;
mod queue;
mod request;
pub mod web;

pub use backoff::Backoff;
pub use channel::{ChannelId, ChannelOptions, Listener};
pub use client::{Client, Moment};
pub use continuity::{Continuity, Gap};
pub use event_stream::{EventParser, EventTooLarge, StreamedEvent};
pub use frame::{Frame, Joined, News, PingInterval, Refused};
pub use output::{ConnectionId, Delivery, Event, Outgoing, Output};
pub use presence::{Member, Roster};
pub use request::{Refusal, Request};
