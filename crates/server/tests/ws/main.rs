//! The server over real sockets, as its clients and its enemies see it.

mod continuity;
mod endings;
mod handshake;
mod hostile;
mod identity;
mod joining;
mod limits;
mod messages;
mod metrics;
mod program;
mod refusals;
mod slow;
mod support;
mod tls;
