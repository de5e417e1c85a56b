//! The server's own files that do no IO, compiled here too: so what is counted needs no build of the
//! server, and the server no door for it.
#![allow(dead_code, reason = "the rest of them is the server's")]

#[path = "../../server/src/transport/frame.rs"]
pub(crate) mod frame;

#[path = "../../server/src/log.rs"]
pub(crate) mod log;

#[path = "../../server/src/journal/record.rs"]
pub(crate) mod record;
