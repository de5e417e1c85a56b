//! Writes to many sockets in one system call, through io_uring.
//!
//! Nothing is ever in flight: the sends wait for nothing, so the kernel has done with them when the
//! call returns, and [`Ring::send`] returns only when it has. So no bytes have to outlive a borrow,
//! and no cursor is ever undecided.
#![allow(unsafe_code, reason = "the kernel is given addresses; `submit` says why they stay right")]

use std::os::fd::{AsRawFd as _, RawFd};
use std::{fmt, io};

use io_uring::{IoUring, opcode, types};

use super::sending::Sending;
use crate::transport::Stream;

/// A thread's queue to the kernel.
pub(crate) struct Ring {
    /// None once the kernel has refused it.
    ring: Option<IoUring>,
}

impl Ring {
    /// Asks the kernel for a ring, and whether it may be used.
    pub(super) fn open() -> io::Result<Self> {
        // One that is refused does not hold up those behind it.
        let mut ring = IoUring::builder().setup_submit_all().build(ENTRIES as u32)?;
        // SAFETY: this is given no address.
        let pushed = unsafe { ring.submission().push(&opcode::Nop::new().build()) };
        pushed.map_err(io::Error::other)?;
        ring.submit_and_wait(1)?;
        ring.completion().for_each(drop);
        Ok(Self { ring: Some(ring) })
    }

    /// Tries all once. Those that the kernel was not given stay as they are: sockets with TLS, and
    /// all when it refuses the ring.
    pub(super) fn send(&mut self, sendings: &mut [Sending<'_>]) {
        for sendings in sendings.chunks_mut(ENTRIES) {
            if let Some(ring) = &mut self.ring
                && let Err(error) = submit(ring, sendings)
            {
                tracing::error!(
                    %error,
                    "the kernel refuses io_uring now, so readers are written to one by one"
                );
                self.ring = None;
            }
        }
    }
}

impl fmt::Debug for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ring").field("is_refused", &self.ring.is_none()).finish()
    }
}

/// Gives at most [`ENTRIES`] to the kernel and notes what became of them. After an error the ring must
/// not be used again.
fn submit(ring: &mut IoUring, sendings: &mut [Sending<'_>]) -> io::Result<()> {
    let mut missing = 0;
    let mut queue = ring.submission();
    for (at, sending) in sendings.iter().enumerate() {
        let Some(socket) = socket(sending.stream) else { continue };
        // What is more is sent as the rest of a write that was taken in part.
        let length = u32::try_from(sending.bytes.len()).unwrap_or(u32::MAX);
        let entry = opcode::Send::new(types::Fd(socket), sending.bytes.as_ptr(), length)
            .flags(libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL)
            .build()
            .user_data(at as u64);
        // SAFETY: the socket and the bytes are borrowed for longer than this function runs, and it
        // ends only when the kernel has completed all that it has taken from the queue; until then
        // nothing here panics. What it has not taken ends with the ring.
        missing += usize::from(unsafe { queue.push(&entry) }.is_ok());
    }
    drop(queue);
    while missing > 0 {
        let entered = ring.submit_and_wait(missing);
        for completion in ring.completion() {
            missing = missing.saturating_sub(1);
            if let Some(sending) = sendings.get_mut(completion.user_data() as usize) {
                let result = completion.result();
                sending.result = usize::try_from(result)
                    .map_err(|_| io::Error::from_raw_os_error(result.wrapping_neg()));
            }
        }
        match entered {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                if missing > ring.submission().len() {
                    // It may yet read what will have become of those bytes by then.
                    tracing::error!(%error, "io_uring does not say what became of its sends");
                    std::process::abort();
                }
                return Err(error);
            }
            _ => {}
        }
    }
    Ok(())
}

fn socket(stream: &Stream) -> Option<RawFd> {
    match stream {
        Stream::Plain(tcp) => Some(tcp.as_raw_fd()),
        Stream::Tls(..) => None,
    }
}

/// How many go out in one system call: all that are in hand after a turn. The kernel wants a power of two.
const ENTRIES: usize = 128;
