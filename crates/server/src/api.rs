//! HTTP for programs: what they ask is checked here and done elsewhere.

mod error;
mod meta;
mod triggers;

pub(crate) use error::ApiError;
pub use meta::Admin;
pub(crate) use meta::router;
