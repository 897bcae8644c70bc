//! Signals that a shell's trap waits for.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use nix::errno::Errno::EINVAL;
use nix::sys::signal::{
    SaFlags, SigAction, SigHandler, SigSet, SigmaskHow, Signal, sigaction, signal, sigprocmask,
};

use crate::kernel::Errno;
use crate::userland::SysResult;

/// A bit for each signal that was caught and not yet told.
static CAUGHT: AtomicU64 = AtomicU64::new(0);

/// A signal came since a wait last ended for one.
static FRESH: AtomicBool = AtomicBool::new(false);
/// Some signal is being caught: waiting must look out for it.
static CATCHING: AtomicBool = AtomicBool::new(false);

extern "C" fn note(number: i32) {
    CAUGHT.fetch_or(1 << number, Ordering::Relaxed);
    FRESH.store(true, Ordering::Relaxed);
}

/// Only there so that a child's end interrupts sigsuspend(2).
extern "C" fn child_ended(_: i32) {}

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
    if number != Signal::SIGCHLD as i32 {
        let action = SigAction::new(SigHandler::Handler(child_ended), SaFlags::SA_RESTART, SigSet::empty());
        // SAFETY: the handler does nothing.
        unsafe { sigaction(Signal::SIGCHLD, &action) }?;
    }
    CATCHING.store(true, Ordering::Relaxed);
    set(number, SigHandler::Handler(note))
}

pub fn take() -> Vec<i32> {
    FRESH.store(false, Ordering::Relaxed);
    let bits = CAUGHT.swap(0, Ordering::Relaxed);
    (1..64).filter(|n| bits & 1 << n != 0).collect()
}

/// Whether a wait must go through [`until`].
pub fn catching() -> bool {
    CATCHING.load(Ordering::Relaxed)
}

/// Tries `ready` until it gives something, or a caught signal comes (EINTR).
/// Signals are blocked between the look and the sleep, so none is missed.
pub fn until<T>(mut ready: impl FnMut() -> SysResult<Option<T>>) -> SysResult<T> {
    let mut before = SigSet::empty();
    sigprocmask(SigmaskHow::SIG_BLOCK, Some(&SigSet::all()), Some(&mut before))?;
    let result = loop {
        if FRESH.swap(false, Ordering::Relaxed) {
            break Err(Errno::EINTR);
        }
        match ready() {
            Ok(Some(value)) => break Ok(value),
            Ok(None) => {}
            Err(e) => break Err(e),
        }
        // It always ends with EINTR; the loop finds out why.
        // SAFETY: the set is a valid local value.
        unsafe { libc::sigsuspend(before.as_ref()) };
    };
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&before), None)?;
    result
}
