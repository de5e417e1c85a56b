//! The server over real sockets, as its clients and its enemies see it.

mod continuity;
mod draining;
mod endings;
mod handshake;
mod hostile;
mod identity;
mod joining;
mod logs;
mod messages;
mod options;
mod origins;
mod operator;
mod program;
mod refusals;
mod slow;
mod support;
mod tls;
