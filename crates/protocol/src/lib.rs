//! The wire between the browser SDK and the server: plain data that both sides compile.
//!
//! `PROTOCOL.md` is the prose of this crate, with an example of every frame.
#![warn(clippy::unwrap_used)]

mod channel_name;
mod client_info;
mod close_code;
mod error_code;
mod event;
mod history;
#[cfg(feature = "json")]
mod json;
mod lenient;
mod message;
mod object;
mod presence;

pub use channel_name::{ChannelName, ChannelNameError};
pub use client_info::{ClientInfo, Permissions, RowId};
pub use close_code::CloseCode;
pub use error_code::{ErrorCode, ErrorPayload};
pub use event::EventPayload;
pub use history::{HistoryPayload, HistoryRequest};
#[cfg(feature = "json")]
pub use json::{ClientMessage, DecodeError, RawPayload, Recipients, RequestId};
pub use message::{
    AckPayload, Action, ClientFrame, ClientOptions, JoinAck, JoinRequest, Resume, ResumeRefusal,
    ServerFrame, ServerOptions,
};
pub use presence::{PresenceAction, PresenceFull, PresenceUpdate};
