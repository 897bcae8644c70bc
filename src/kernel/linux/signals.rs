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

/// Takes a stopping signal that was held back. Taken, it does not end this
/// process when the mask is put back: the undo is then already on its way.
pub fn take() -> Option<u8> {
    let mut pending = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigpending fills the set, or fails, and then it is not read;
    // sigismember only reads it.
    let waits = unsafe {
        libc::sigpending(pending.as_mut_ptr()) == 0
            && STOPPING.into_iter().any(|s| libc::sigismember(pending.as_ptr(), s as i32) == 1)
    };
    if !waits {
        return None;
    }
    let set = SigSet::from_iter(STOPPING);
    let now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: both live through the call; no siginfo is asked for.
    let signal = unsafe { libc::sigtimedwait(set.as_ref(), std::ptr::null_mut(), &raw const now) };
    u8::try_from(signal).ok()
}

/// Takes what the keyboard sent, Ctrl-C and Ctrl-\\: it was meant for the program
/// that had the terminal meanwhile.
pub fn forget_keyboard() {
    let set = SigSet::from_iter([Signal::SIGINT, Signal::SIGQUIT]);
    let now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: both live through the call; no siginfo is asked for.
    while unsafe { libc::sigtimedwait(set.as_ref(), std::ptr::null_mut(), &raw const now) } > 0 {}
}

/// Takes all of them: the work that they ask to stop is over.
pub fn take_all() {
    while take().is_some() {}
}
