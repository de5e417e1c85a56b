//! HTTP for programs: what they ask is checked here and done elsewhere.

mod auth;
mod body;
mod channels;
mod error;
mod events;
mod keys;
mod meta;
mod settings;
mod tokens;
mod triggers;
mod xanoscript;

pub(crate) use auth::router as auth_router;
pub use auth::{AccountOptions, Accounts, AccountsError, SignUpPolicy};
pub(crate) use error::ApiError;
pub use meta::Admin;
pub(crate) use meta::router;
