//! Signals that a shell's trap waits for.

use std::sync::atomic::{AtomicU64, Ordering};

use nix::errno::Errno::EINVAL;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction, signal};

use crate::userland::SysResult;

/// A bit for each signal that was caught and not yet told.
static CAUGHT: AtomicU64 = AtomicU64::new(0);

extern "C" fn note(number: i32) {
    CAUGHT.fetch_or(1 << number, Ordering::Relaxed);
}

fn set(number: i32, handler: SigHandler) -> SysResult<()> {
    let which = Signal::try_from(number).map_err(|_| EINVAL)?;
    // No SA_RESTART: a blocked call must end, so that the shell can run its trap.
    let action = SigAction::new(handler, SaFlags::empty(), SigSet::empty());
    // SAFETY: the handler only sets a bit of an atomic, which is async-signal-safe.
    unsafe { sigaction(which, &action) }?;
    Ok(())
}

pub fn default_pipe() {
    // SAFETY: the default action, no handler. SIGPIPE is a signal that can be set.
    let _ = unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) };
}

pub fn ignore(number: i32, ignore: bool) -> SysResult<()> {
    set(number, if ignore { SigHandler::SigIgn } else { SigHandler::SigDfl })
}

pub fn catch(number: i32) -> SysResult<()> {
    set(number, SigHandler::Handler(note))
}

pub fn take() -> Vec<i32> {
    let bits = CAUGHT.swap(0, Ordering::Relaxed);
    (1..64).filter(|n| bits & 1 << n != 0).collect()
}
