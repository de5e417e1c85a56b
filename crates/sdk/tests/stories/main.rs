//! Stories over the whole client: an application, a browser and a server played by hand, with a
//! clock that only moves when told.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod channels;
mod connection;
mod errors;
mod heartbeat;
mod idle;
mod presence;
mod queue;
mod receipts;
mod resume;
mod waiting;
mod world;
