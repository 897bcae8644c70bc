//! What runtime and init say to each other, over a socket pair that execve
//! closes. The runtime lets init go up to a step; init answers once, or, while
//! it is watched, once for each step, or fails at a step. Before execve init says what it is about to do, and silence
//! after that, the end of the stream, means that execve worked.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::kernel::{Applied, Errno, Slots, StepFailure};

/// Runtime to init: carry out your steps up to, not including, this one.
#[derive(Debug, Serialize, Deserialize)]
pub struct Go {
    /// Index among init's steps.
    pub upto: usize,
    /// Values filled in so far.
    pub slots: Slots,
}

/// Init to runtime.
#[derive(Debug, Serialize, Deserialize)]
pub enum Answer {
    /// The steps asked for are done, or the next of them; what was seen of it.
    Done(Applied),
    /// The step with this index among init's failed. Init is gone.
    Failed(usize, Box<StepFailure>),
    /// The terminal's master comes with this message; more follows.
    Terminal,
    /// The next call is execve.
    AboutToExec(Applied),
}

/// One end of the socket pair.
#[derive(Debug)]
pub struct Channel {
    fd: OwnedFd,
    passed: Option<OwnedFd>,
}

/// Larger than any answer: the evidence of one step.
const LIMIT: usize = 64 << 20;

impl Channel {
    /// Both ends: the runtime's and init's.
    pub fn pair() -> Result<(Channel, Channel), Errno> {
        let (a, b) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        Ok((Channel { fd: a, passed: None }, Channel { fd: b, passed: None }))
    }

    /// Sends one message, with a descriptor if given.
    pub fn send<T: Serialize>(&self, message: &T, fd: Option<BorrowedFd<'_>>) -> Result<(), Errno> {
        let mut frame = vec![0; 4];
        serde_json::to_writer(&mut frame, message).map_err(|_| Errno::EIO)?;
        let length = u32::try_from(frame.len() - 4).map_err(|_| Errno::EFBIG)?;
        frame[..4].copy_from_slice(&length.to_ne_bytes());
        let mut rest = &frame[..];
        let mut fd = fd;
        while !rest.is_empty() {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            let fds = fd.map(|f| [f]);
            if let Some(fds) = &fds {
                control.push(SendAncillaryMessage::ScmRights(fds));
            }
            match sendmsg(&self.fd, &[IoSlice::new(rest)], &mut control, SendFlags::NOSIGNAL) {
                Ok(n) => {
                    rest = &rest[n..];
                    fd = None;
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(e.into()),
            }
        }
        Ok(())
    }

    /// Waits for one message; `None` when the other side closed.
    pub fn receive<T: DeserializeOwned>(&mut self) -> Result<Option<T>, Errno> {
        let mut length = [0; 4];
        if !self.fill(&mut length)? {
            return Ok(None);
        }
        let length = u32::from_ne_bytes(length) as usize;
        if length > LIMIT {
            return Err(Errno::EFBIG);
        }
        let mut body = vec![0; length];
        if !self.fill(&mut body)? {
            return Ok(None);
        }
        serde_json::from_slice(&body).map(Some).map_err(|_| Errno::EIO)
    }

    /// A descriptor that came with the last messages.
    pub fn take_passed(&mut self) -> Option<OwnedFd> {
        self.passed.take()
    }

    fn fill(&mut self, mut buffer: &mut [u8]) -> Result<bool, Errno> {
        while !buffer.is_empty() {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut control = RecvAncillaryBuffer::new(&mut space);
            let mut parts = [IoSliceMut::new(buffer)];
            let got = match recvmsg(&self.fd, &mut parts, &mut control, RecvFlags::CMSG_CLOEXEC) {
                Ok(got) => got.bytes,
                Err(rustix::io::Errno::INTR) => continue,
                Err(rustix::io::Errno::CONNRESET) => 0,
                Err(e) => return Err(e.into()),
            };
            for message in control.drain() {
                if let RecvAncillaryMessage::ScmRights(fds) = message {
                    self.passed = fds.into_iter().next().or(self.passed.take());
                }
            }
            if got == 0 {
                return Ok(false);
            }
            buffer = &mut buffer[got..];
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn messages_and_descriptors_arrive() {
        let (mut a, b) = Channel::pair().unwrap();
        let file = tempfile::tempfile().unwrap();
        b.send(&Answer::Terminal, Some(file.as_fd())).unwrap();
        b.send(&Answer::Done(Applied { micros: 7, ..Applied::default() }), None).unwrap();
        drop(b);
        assert!(matches!(a.receive().unwrap(), Some(Answer::Terminal)));
        assert!(a.take_passed().is_some());
        assert!(matches!(a.receive().unwrap(), Some(Answer::Done(Applied { micros: 7, .. }))));
        assert!(a.receive::<Answer>().unwrap().is_none());
    }
}
