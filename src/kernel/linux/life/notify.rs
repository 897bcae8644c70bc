//! The listener of a filter of system calls, seccomp_unotify(2): who asked for
//! which call, and the answer.

use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};

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
    /// The question that was taken and not answered, 0 for none, where another process
    /// sees it.
    pending: Option<&'static AtomicU64>,
}

impl Listener {
    /// Takes the descriptor that init got when it loaded the filter.
    pub fn new(fd: OwnedFd) -> Self {
        let listener = Listener { fd, pending: None };
        // Without it each question costs one more switch of CPUs.
        listener.wake(SYNC_WAKE_UP);
        listener
    }

    /// Linux 6.6, and before that as always.
    fn wake(&self, how: u64) {
        // SAFETY: a number is passed by value.
        unsafe { libc::ioctl(self.fd.as_raw_fd(), SET_FLAGS, how) };
    }

    /// Keeps the question that waits for its answer in memory that a process made from now
    /// on shares. A few bytes for as long as this process lives.
    pub fn share(&mut self) -> Result<(), Errno> {
        let (size, protection) = (size_of::<AtomicU64>(), libc::PROT_READ | libc::PROT_WRITE);
        let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
        // SAFETY: a new mapping at a place of the kernel's choice.
        let at = unsafe { libc::mmap(std::ptr::null_mut(), size, protection, flags, -1, 0) };
        if at == libc::MAP_FAILED {
            return Err(nix::errno::Errno::last().into());
        }
        // SAFETY: the mapping is zeroed, aligned to a page, large enough, and never unmapped.
        self.pending = Some(unsafe { &*at.cast::<AtomicU64>() });
        Ok(())
    }

    /// The same listener through another descriptor.
    pub fn through(&self, fd: OwnedFd) -> Listener {
        Listener { fd, pending: self.pending }
    }

    /// Lets the call go on that another process took and never answered.
    pub fn go_on_pending(&self) {
        let id = self.pending.map_or(0, |pending| pending.swap(0, Ordering::AcqRel));
        if id != 0 {
            self.send(id, 0, CONTINUE);
        }
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
            Ok(_) => {
                if let Some(pending) = self.pending {
                    pending.store(asked.id, Ordering::Release);
                }
                Ok(Some(Asked {
                    id: asked.id,
                    tid: asked.pid as i32,
                    arch: asked.data.arch,
                    number: asked.data.nr as u32,
                    args: asked.data.args,
                }))
            }
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

    fn answer(&self, asked: &Asked, error: i32, flags: u32) {
        self.send(asked.id, error, flags);
        if let Some(pending) = self.pending {
            pending.store(0, Ordering::Release);
        }
    }

    /// A process that was killed meanwhile wants no answer.
    fn send(&self, id: u64, error: i32, flags: u32) {
        let mut answer = libc::seccomp_notif_resp { id, val: 0, error, flags };
        // SAFETY: answer has the size that the request's number says.
        unsafe { libc::ioctl(self.fd.as_raw_fd(), SEND, &raw mut answer) };
    }
}
