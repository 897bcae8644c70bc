//! The listener of a filter of system calls, seccomp_unotify(2): who asked for
//! which call, and the answer.

use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};

use crate::kernel::Errno;

// linux/seccomp.h: _IOWR('!', 0..4), and the flag of an answer.
const RECV: libc::Ioctl = ioctl(3, 0, size_of::<libc::seccomp_notif>());
const SEND: libc::Ioctl = ioctl(3, 1, size_of::<libc::seccomp_notif_resp>());
const ID_VALID: libc::Ioctl = ioctl(1, 2, size_of::<u64>());
const SET_FLAGS: libc::Ioctl = ioctl(1, 4, size_of::<u64>());
const SYNC_WAKE_UP: u64 = 1;
const CONTINUE: u32 = 1;

const fn ioctl(direction: u32, number: u32, size: usize) -> libc::Ioctl {
    (direction << 30 | (size as u32) << 16 | (b'!' as u32) << 8 | number) as libc::Ioctl
}

/// A call that waits for an answer.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// Names the question.
    pub id: u64,
    /// The thread, as the host sees it; 0 when it is in no pid namespace of ours.
    pub tid: i32,
    /// The call's number and architecture, and its arguments.
    pub arch: u32,
    pub number: u32,
    pub args: [u64; 6],
}

/// The runtime's end of the filter.
#[derive(Debug)]
pub struct Listener {
    fd: OwnedFd,
}

impl Listener {
    /// Takes the descriptor that init got when it loaded the filter.
    pub fn new(fd: OwnedFd) -> Self {
        let listener = Listener { fd };
        // Without it each question costs one more switch of CPUs.
        listener.wake(SYNC_WAKE_UP);
        listener
    }

    /// Linux 6.6, and before that as always.
    fn wake(&self, how: u64) {
        // SAFETY: a number is passed by value.
        unsafe { libc::ioctl(self.fd.as_raw_fd(), SET_FLAGS, how) };
    }

    /// For poll(2).
    pub fn fd(&self) -> &OwnedFd {
        &self.fd
    }

    /// The next question. `None` when its process was killed meanwhile.
    pub fn receive(&self) -> Result<Option<Asked>, Errno> {
        // SAFETY: plain numbers, and the kernel wants zeros.
        let mut asked: libc::seccomp_notif = unsafe { MaybeUninit::zeroed().assume_init() };
        // SAFETY: asked has the size that the request's number says.
        let r = unsafe { libc::ioctl(self.fd.as_raw_fd(), RECV, &raw mut asked) };
        match nix::errno::Errno::result(r) {
            Ok(_) => Ok(Some(Asked {
                id: asked.id,
                tid: asked.pid as i32,
                arch: asked.data.arch,
                number: asked.data.nr as u32,
                args: asked.data.args,
            })),
            Err(nix::errno::Errno::ENOENT | nix::errno::Errno::EINTR | nix::errno::Errno::EAGAIN) => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    /// Whether the process still waits: its pid has not been given to another one.
    pub fn waits(&self, asked: &Asked) -> bool {
        // SAFETY: the id lives through the call.
        unsafe { libc::ioctl(self.fd.as_raw_fd(), ID_VALID, &raw const asked.id) == 0 }
    }

    /// Lets the kernel carry the call out.
    pub fn go_on(&self, asked: &Asked) {
        self.answer(asked, 0, CONTINUE);
    }

    /// The same, where this process goes on to work: the other one would otherwise be
    /// woken on this CPU, and wait for it.
    pub fn go_on_beside(&self, asked: &Asked) {
        self.wake(0);
        self.go_on(asked);
        self.wake(SYNC_WAKE_UP);
    }

    /// Has the call fail.
    pub fn refuse(&self, asked: &Asked, errno: Errno) {
        self.answer(asked, -errno.0, 0);
    }

    /// A process that was killed meanwhile wants no answer.
    fn answer(&self, asked: &Asked, error: i32, flags: u32) {
        let mut answer = libc::seccomp_notif_resp { id: asked.id, val: 0, error, flags };
        // SAFETY: answer has the size that the request's number says.
        unsafe { libc::ioctl(self.fd.as_raw_fd(), SEND, &raw mut answer) };
    }
}
