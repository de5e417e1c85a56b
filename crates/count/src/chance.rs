//! The operating system's randomness, without the randomness: hash tables are seeded by it, and with
//! every seed other names would fall into the same place.
#![allow(unsafe_code, reason = "the C library's function that this one stands for has pointers")]

use std::slice;

/// Takes the place of the C library's, which the standard library would call.
///
/// # Safety
///
/// `buffer` must be `length` bytes that may be written.
#[unsafe(no_mangle)]
unsafe extern "C" fn getrandom(buffer: *mut u8, length: usize, _flags: u32) -> isize {
    // SAFETY: the caller says so.
    unsafe { slice::from_raw_parts_mut(buffer, length) }.fill(7);
    length as isize
}
