//! What outlives the process.

mod access_tokens;
mod data_dir;
mod signing_keys;
mod sqlite;
mod triggers;
mod users;

pub use access_tokens::{Access, AccessToken, AccessTokenError, NewAccessToken};
pub(crate) use data_dir::random_text;
pub use data_dir::{DataDir, DataDirError};
pub use signing_keys::{SigningKeyError, SigningKeyRow};
pub use sqlite::{Realtime, Store, StoreError};
pub use triggers::{TriggerRow, TriggerSettings};
pub(crate) use users::NewUser;
pub use users::User;
