//! The server over real sockets, as its clients and its enemies see it.

mod accounts;
mod continuity;
mod durability;
mod endings;
mod handshake;
mod hostile;
mod identity;
mod joining;
mod key_sets;
mod messages;
mod program;
mod refusals;
mod slow;
mod support;
mod tls;
