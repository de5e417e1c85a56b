//! How many files the system lets the process have open: every connection is one.

/// Raises the limit as far as the process may by itself; what it is then, where that is known.
#[cfg(unix)]
pub fn raise_open_files() -> Option<usize> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, ..limit };
    let current = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(error) => {
            tracing::warn!(%error, "the limit of open files could not be raised");
            limit.current
        }
    };
    // No limit is more than anybody needs.
    usize::try_from(current?).ok()
}

/// Raises the limit as far as the process may by itself; what it is then, where that is known.
#[cfg(not(unix))]
pub const fn raise_open_files() -> Option<usize> {
    None
}
