//! Closing without waiting: the kernel takes tens of milliseconds to be sure that
//! nobody uses a watch or a tracepoint any more, and close(2) waits for it.
//!
//! A descriptor that is on its way through a socket (unix(7), SCM_RIGHTS) which is
//! itself on that way can reach nobody. The kernel collects such descriptors, since
//! Linux 6.10 in a worker of its own; older kernels do it in close(2), as before.

use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, sendmsg,
    socketpair,
};

/// SCM_MAX_FD is 253, and one of them is the socket itself.
const AT_ONCE: usize = 252;

/// Closes these.
pub fn let_go(mut fds: Vec<OwnedFd>) {
    while !fds.is_empty() {
        let rest = fds.split_off(fds.len().min(AT_ONCE));
        // Where it cannot be done they are closed all the same, and waited for.
        let _ = hand_over(std::mem::replace(&mut fds, rest));
    }
}

fn hand_over(fds: Vec<OwnedFd>) -> rustix::io::Result<()> {
    let (from, to) = socketpair(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    let mut all: Vec<BorrowedFd<'_>> = vec![to.as_fd()];
    all.extend(fds.iter().map(AsFd::as_fd));
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(AT_ONCE + 1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(&all));
    sendmsg(&from, &[IoSlice::new(b".")], &mut control, SendFlags::empty())?;
    // Before the sockets, whose close starts the collection: the last to close waits.
    drop(fds);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn what_is_let_go_is_closed() {
        let (mut read, write) = std::io::pipe().unwrap();
        let mut fds = vec![OwnedFd::from(write)];
        fds.extend((0..300).map(|_| OwnedFd::from(std::fs::File::open("/dev/null").unwrap())));
        let start = Instant::now();
        let_go(fds);
        // The other end of a pipe hears of its close.
        assert_eq!(read.read(&mut [0]).unwrap(), 0);
        assert!(start.elapsed() < Duration::from_secs(30));
    }
}
