//! Who answers when glassbox is gone.
//!
//! What a command leaves behind in a container that lives on has the command's filter, and
//! asks for ever: a question that nobody can hear fails with ENOSYS, also that of exit_group(2).
//! So a small process waits beside glassbox, however that ends, and answers from then on,
//! until nobody is left who could ask. Where the first process of a pid namespace is watched
//! there is no need for it: all die with that one.

use std::os::fd::{AsFd, FromRawFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};

use super::notify::Listener;
use crate::kernel::linux::clone::Side;
use crate::kernel::linux::helper;
use crate::kernel::linux::recorder::Recorder;
use crate::kernel::linux::seccomp::asking;
use crate::kernel::linux::seccomp::names::Names;
use crate::kernel::{Errno, Failure};

/// The process that waits. It takes over when this is dropped.
#[derive(Debug)]
pub struct Guard {
    /// Nobody else has this end of the pipe.
    _alive: OwnedFd,
}

impl Guard {
    /// Makes it.
    ///
    /// # Errors
    /// When there can be no further process.
    pub fn set(listener: &mut Listener, names: &mut Names, rec: &mut Recorder) -> Result<Guard, Failure> {
        let what = |e: Errno| Failure::new("let another process answer when glassbox is gone", Some(e));
        listener.share().map_err(what)?;
        let (end, alive) =
            rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(|e| what(e.into()))?;
        match helper::make("make a process that answers when glassbox is gone", rec)? {
            Side::Runtime { .. } => Ok(Guard { _alive: alive }),
            Side::Init => {
                stay(listener, &end, names);
                // SAFETY: ends the process at once: buffers and exit handlers are glassbox's.
                unsafe { libc::_exit(0) }
            }
        }
    }
}

/// In a process that is a copy of glassbox: nothing here may wait for a lock.
fn stay(listener: &Listener, end: &OwnedFd, names: &mut Names) {
    if !helper::keep_only(&[listener.fd().as_fd(), end.as_fd()]) {
        return;
    }
    // SAFETY: the two that were just made, which this function owns.
    let (own, end) = unsafe { (OwnedFd::from_raw_fd(0), OwnedFd::from_raw_fd(1)) };
    let listener = listener.through(own);
    if wait(&listener, &end) {
        listener.go_on_pending();
        answer(&listener, names);
    }
}

/// Waits for the end of glassbox; `false` when nobody is left who could ask.
fn wait(listener: &Listener, end: &OwnedFd) -> bool {
    loop {
        let mut fds = [
            PollFd::from_borrowed_fd(listener.fd().as_fd(), PollFlags::empty()),
            PollFd::from_borrowed_fd(end.as_fd(), PollFlags::IN),
        ];
        match poll(&mut fds, None) {
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return false,
            Ok(_) if !fds[0].revents().is_empty() => return false,
            Ok(_) if !fds[1].revents().is_empty() => return true,
            Ok(_) => {}
        }
    }
}

/// As the watcher answers whom nobody holds: what the profile refuses stays refused.
fn answer(listener: &Listener, names: &mut Names) {
    loop {
        let mut fds = [PollFd::from_borrowed_fd(listener.fd().as_fd(), PollFlags::IN)];
        match poll(&mut fds, None) {
            Err(rustix::io::Errno::INTR) => continue,
            Ok(1..) if fds[0].revents().contains(PollFlags::IN) => {}
            _ => return,
        }
        match listener.receive() {
            Ok(Some(asked)) => match names.get(asked.arch, asked.number).and_then(asking::told) {
                Some(_) => listener.go_on(&asked),
                None => listener.refuse(&asked, Errno::EPERM),
            },
            Ok(None) => {}
            Err(_) => return,
        }
    }
}
