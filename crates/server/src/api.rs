//! HTTP for programs: what they ask is checked here and done elsewhere.

mod body;
mod channels;
mod error;
mod events;
mod meta;
mod settings;
mod tokens;
mod xanoscript;

pub(crate) use error::ApiError;
pub use meta::Admin;
pub(crate) use meta::router;
