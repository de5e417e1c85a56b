//! The server's decisions: who is connected, who may do what, who gets what.
//!
//! Input goes in by `Hub::handle_*`, what to do next comes out of [`Hub::poll_output`]; nothing
//! here does IO, asks the time or draws random numbers, so every rule is tested without a socket.
#![warn(clippy::unwrap_used)]

pub mod batch;
mod channel;
mod encode;
mod engine;
mod history;
mod hub;
mod ledger;
mod limit;
mod line;
mod output;
mod permission;
mod presence;
mod publication;
mod rate_limit;
mod session;
mod settings;
mod tally;
mod trigger;
mod window;

pub use channel::{AudienceClass, ChannelKey, Reading};
pub use engine::{EngineCommand, EngineEvent, Joined, Position, Refusal};
pub use hub::{Hub, Limits, Now};
pub use ledger::{Ledger, LedgerState, Numbers, Past, PastEpoch, Publishing, Remembered};
pub use limit::Limit;
pub use output::Output;
pub use permission::{Audience, Operation, permit};
pub use presence::{PresenceChange, Roster};
pub use publication::{Draft, Publication, PublicationId, Receipt};
pub use rate_limit::{Bucket, Buckets, Rate};
pub use session::{Identity, Member, SessionId, SessionKey};
pub use settings::{ChannelSettings, HistorySize, Settings, SettingsError};
pub use tally::Tally;
pub use trigger::{CallError, CallId, Secret, Trigger, TriggerAction, TriggerActions};
