//! Where there is no io_uring.

use std::io;

use super::sending::Sending;

/// What this system does not have.
#[derive(Debug)]
pub(crate) enum Ring {}

impl Ring {
    pub(super) fn open() -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn send(&mut self, _: &mut [Sending<'_>]) {
        match *self {}
    }
}
