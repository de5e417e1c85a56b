//! The server over real sockets, as its clients and its enemies see it.

mod continuity;
mod docs;
mod draining;
mod endings;
mod events;
mod handshake;
mod hostile;
mod identity;
mod joining;
mod logs;
mod messages;
mod operator;
mod options;
mod origins;
mod program;
mod refusals;
mod slow;
mod support;
mod tls;
