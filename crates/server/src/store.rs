//! What outlives the process.

mod data_dir;
mod sqlite;
mod triggers;
mod users;

pub(crate) use data_dir::random_text;
pub use data_dir::{DataDir, DataDirError};
pub use sqlite::{Realtime, Store, StoreError};
pub use triggers::{TriggerRow, TriggerSettings};
pub(crate) use users::NewUser;
pub use users::User;
