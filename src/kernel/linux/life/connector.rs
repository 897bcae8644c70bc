//! Processes as the kernel's process connector tells of them (linux/cn_proc.h):
//! each fork, execve and exit, with the exit code, after it happened.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use crate::kernel::Errno;

const NETLINK_CONNECTOR: i32 = 11;
/// CN_IDX_PROC, CN_VAL_PROC.
const PROC: [u32; 2] = [1, 1];
const LISTEN: u32 = 1;
/// Bytes before struct proc_event: nlmsghdr and cn_msg.
const HEAD: usize = 16 + 20;
/// Room for the events of a burst.
static ROOM: i32 = 16 << 20;

const FORK: u32 = 0x1;
const EXEC: u32 = 0x2;
const EXIT: u32 = 0x8000_0000;

/// What a process did. Threads are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Did {
    Fork {
        parent: i32,
        child: i32,
    },
    Exec {
        pid: i32,
    },
    /// `status` as wait(2) gives it.
    Exit {
        pid: i32,
        status: i32,
    },
}

/// The socket that hears of them.
#[derive(Debug)]
pub struct Connector {
    fd: OwnedFd,
}

impl Connector {
    /// Asks to be told. The connector is there only in the first network and pid
    /// namespaces: ENODATA or ECONNREFUSED elsewhere.
    pub fn new() -> Result<Self, Errno> {
        // SAFETY: three numbers.
        let fd = unsafe {
            libc::socket(
                libc::AF_NETLINK,
                libc::SOCK_DGRAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK,
                NETLINK_CONNECTOR,
            )
        };
        let fd = nix::errno::Errno::result(fd)?;
        // SAFETY: the kernel made this descriptor for us just now.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        // SAFETY: an int is passed with its size; that it is refused does no harm.
        unsafe {
            libc::setsockopt(
                fd.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_RCVBUFFORCE,
                (&raw const ROOM).cast(),
                4,
            )
        };
        // SAFETY: plain numbers, for which zero means the kernel or nothing.
        let mut address: libc::sockaddr_nl = unsafe { std::mem::zeroed() };
        address.nl_family = libc::AF_NETLINK as u16;
        address.nl_groups = PROC[0];
        let size = size_of::<libc::sockaddr_nl>() as u32;
        // SAFETY: address lives through the call and has the size given.
        let bound = unsafe { libc::bind(fd.as_raw_fd(), (&raw const address).cast(), size) };
        nix::errno::Errno::result(bound)?;
        let mut message = Vec::with_capacity(HEAD + 4);
        let length = (HEAD + 4) as u32;
        message.extend(length.to_ne_bytes());
        message.extend((libc::NLMSG_DONE as u16).to_ne_bytes());
        message.extend([0; 10]);
        message.extend(PROC.iter().flat_map(|n| n.to_ne_bytes()));
        message.extend([0; 8]);
        message.extend(4u16.to_ne_bytes());
        message.extend([0; 2]);
        message.extend(LISTEN.to_ne_bytes());
        let part = libc::iovec { iov_base: message.as_mut_ptr().cast(), iov_len: message.len() };
        // SAFETY: plain data, for which zero means absent.
        let mut whole: libc::msghdr = unsafe { std::mem::zeroed() };
        whole.msg_iov = (&raw const part).cast_mut();
        whole.msg_iovlen = 1;
        // SAFETY: message and part live through the call.
        let sent = unsafe { libc::sendmsg(fd.as_raw_fd(), &raw const whole, 0) };
        nix::errno::Errno::result(sent)?;
        Ok(Connector { fd })
    }

    /// For poll(2).
    pub fn fd(&self) -> &OwnedFd {
        &self.fd
    }

    /// What has happened since, on the whole host, with the time of CLOCK_MONOTONIC in
    /// nanoseconds; the flag says that some of it was lost.
    pub fn read(&self) -> (Vec<(u64, Did)>, bool) {
        let (mut all, mut lost) = (Vec::new(), false);
        let mut buffer = [0u8; 4096];
        loop {
            match rustix::io::read(&self.fd, &mut buffer[..]) {
                Ok(n) => all.extend(parse(&buffer[..n])),
                Err(rustix::io::Errno::NOBUFS) => lost = true,
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return (all, lost),
            }
        }
    }
}

fn parse(message: &[u8]) -> Option<(u64, Did)> {
    let number = |at: usize| -> Option<u32> {
        Some(u32::from_ne_bytes(message.get(HEAD + at..HEAD + at + 4)?.try_into().ok()?))
    };
    // After what, cpu and the time.
    let field = |n: usize| number(16 + 4 * n).map(|v| v as i32);
    let time = message.get(HEAD + 8..HEAD + 16)?.try_into().ok()?;
    let did = match number(0)? {
        FORK => {
            let (parent, thread, child) = (field(1)?, field(2)?, field(3)?);
            (thread == child).then_some(Did::Fork { parent, child })?
        }
        EXEC => Did::Exec { pid: field(1)? },
        EXIT => {
            let (thread, pid, status) = (field(0)?, field(1)?, field(2)?);
            (thread == pid).then_some(Did::Exit { pid, status })?
        }
        _ => return None,
    };
    Some((u64::from_ne_bytes(time), did))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(what: u32, fields: &[u32]) -> Vec<u8> {
        let mut bytes = vec![0; HEAD];
        bytes.extend(what.to_ne_bytes());
        bytes.extend([0; 4]);
        bytes.extend(7u64.to_ne_bytes());
        bytes.extend(fields.iter().flat_map(|f| f.to_ne_bytes()));
        bytes
    }

    #[test]
    fn events_of_processes_and_not_of_threads() {
        assert_eq!(parse(&event(FORK, &[5, 4, 9, 9])), Some((7, Did::Fork { parent: 4, child: 9 })));
        assert_eq!(parse(&event(FORK, &[5, 4, 10, 9])), None, "a thread");
        assert_eq!(parse(&event(EXEC, &[9, 9])), Some((7, Did::Exec { pid: 9 })));
        assert_eq!(parse(&event(EXIT, &[9, 9, 3 << 8, 17])), Some((7, Did::Exit { pid: 9, status: 768 })));
        assert_eq!(parse(&event(EXIT, &[10, 9, 0, 0])), None);
        assert_eq!(parse(&event(0, &[0])), None);
        assert_eq!(parse(&event(FORK, &[5])), None, "cut off");
        assert_eq!(parse(&[]), None);
    }
}
