//! Processes of glassbox's own, in no container: they go on when glassbox is gone.

use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

use super::clone::{self, Side};
use super::recorder::Recorder;
use crate::kernel::Failure;

/// Makes one, for what the failure then names. Returns twice, as fork does; the child may
/// only make system calls, since another thread may have held a lock.
///
/// # Errors
/// When there can be no further process.
pub fn make(what: &str, rec: &mut Recorder) -> Result<Side, Failure> {
    clone::make(&[], None, rec).map_err(|mut failure| {
        what.clone_into(&mut failure.what);
        failure
    })
}

/// In the child: keeps these descriptors alone, as 0, 1, … Whoever waits for the end of
/// glassbox's output, or of its half of a channel, does not wait for this process, and a
/// terminal's signals are not for it. `false` when that cannot be done.
///
/// The values that hold the other descriptors must not be looked at any more.
pub fn keep_only(fds: &[BorrowedFd<'_>]) -> bool {
    let first = fds.len() as RawFd;
    // SAFETY: numbers, and a constant string.
    unsafe {
        libc::setsid();
        libc::chdir(c"/".as_ptr());
        let moved = fds
            .iter()
            .zip(0..)
            .all(|(fd, at)| fd.as_raw_fd() >= first && libc::dup2(fd.as_raw_fd(), at) == at);
        if libc::syscall(libc::SYS_close_range, first as u32, u32::MAX, 0u32) != 0 {
            for fd in first..1024 {
                libc::close(fd);
            }
        }
        moved
    }
}
