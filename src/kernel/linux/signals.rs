//! Signals while a plan is carried out: they are held back, so that a Ctrl-C
//! between two steps undoes what was done instead of leaving it, and passed on
//! to the container's command once that runs.

use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};

/// Signals that ask this process to stop.
const STOPPING: [Signal; 4] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT];

/// Puts the signal mask back when dropped.
pub struct Held(SigSet);

/// Holds back the signals that would end this process.
pub fn hold() -> Held {
    let mut old = SigSet::empty();
    // Fails only on arguments that cannot occur here.
    let _ = sigprocmask(SigmaskHow::SIG_BLOCK, Some(&SigSet::from_iter(STOPPING)), Some(&mut old));
    Held(old)
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&self.0), None);
    }
}

/// A stopping signal that waits to be delivered.
pub fn pending() -> Option<u8> {
    let mut set = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigpending fills the set, or fails, and then it is not read.
    if unsafe { libc::sigpending(set.as_mut_ptr()) } != 0 {
        return None;
    }
    STOPPING
        .into_iter()
        // SAFETY: the set was filled above; sigismember only reads it.
        .find(|s| unsafe { libc::sigismember(set.as_ptr(), *s as i32) } == 1)
        .map(|s| s as u8)
}
