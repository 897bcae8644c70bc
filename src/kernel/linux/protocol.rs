//! What runtime and init say to each other, over a socket pair that execve
//! closes. The runtime lets init go up to a step; init answers once, or, while
//! it is watched, once for each step, or fails at a step. Before execve init says what it is about to do, and silence
//! after that, the end of the stream, means that execve worked.

use std::collections::VecDeque;
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::kernel::{Applied, Errno, Slots, StepFailure};
use crate::trace::Said;

/// Runtime to init: carry out your steps up to, not including, this one.
#[derive(Debug, Serialize, Deserialize)]
pub struct Go {
    /// Index among init's steps.
    pub upto: usize,
    /// Values filled in so far.
    pub slots: Slots,
}

/// What init says. What was seen of a step is read as `A`.
#[derive(Debug, Serialize, Deserialize)]
pub enum Message<A> {
    /// The steps asked for are done, or the next of them; what was seen of it.
    Done(A),
    /// The step with this index among init's failed. Init is gone.
    Failed(usize, Box<StepFailure>),
    /// The terminal's master comes with this message; more follows.
    Terminal,
    /// The listener of the filter comes with this message; more follows.
    Listener,
    /// The next call is execve.
    AboutToExec(A),
}

/// Init to runtime.
pub type Answer = Message<Applied>;

/// [`Applied`] with what was seen left as the JSON that it came in.
#[derive(Debug, Deserialize)]
pub struct Unread {
    #[serde(default)]
    before: Option<Box<RawValue>>,
    #[serde(default)]
    calls: Vec<Box<RawValue>>,
    #[serde(default)]
    after: Option<Box<RawValue>>,
    #[serde(default)]
    micros: u64,
    #[serde(default)]
    unchanged: bool,
}

impl From<Unread> for Applied {
    fn from(unread: Unread) -> Self {
        let Unread { before, calls, after, micros, unchanged } = unread;
        let said = Some(Box::new(Said { before, calls, after }));
        Applied { micros, unchanged, said, ..Applied::default() }
    }
}

impl From<Message<Unread>> for Answer {
    fn from(answer: Message<Unread>) -> Self {
        match answer {
            Message::Done(unread) => Answer::Done(unread.into()),
            Message::AboutToExec(unread) => Answer::AboutToExec(unread.into()),
            Message::Failed(at, failed) => Answer::Failed(at, failed),
            Message::Terminal => Answer::Terminal,
            Message::Listener => Answer::Listener,
        }
    }
}

/// One end of the socket pair.
#[derive(Debug)]
pub struct Channel {
    fd: OwnedFd,
    passed: VecDeque<OwnedFd>,
    /// Read and not yet taken apart: one call may bring many messages.
    read: Vec<u8>,
    /// Said and not yet sent, since when.
    queued: Vec<u8>,
    since: Option<Instant>,
}

/// Larger than any answer: the evidence of one step.
const LIMIT: usize = 64 << 20;

/// How long a queued message waits at most for the next one to be said.
const PATIENCE: Duration = Duration::from_micros(200);

/// Bytes asked for beyond what is needed: one read takes many messages.
const ROOM: usize = 16 << 10;

impl Channel {
    /// Both ends: the runtime's and init's.
    pub fn pair() -> Result<(Channel, Channel), Errno> {
        let (a, b) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        Ok((Channel::of(a), Channel::of(b)))
    }

    fn of(fd: OwnedFd) -> Channel {
        Channel { fd, passed: VecDeque::new(), read: Vec::new(), queued: Vec::new(), since: None }
    }

    /// Says a message that can wait for company: each one that is sent wakes the
    /// other side, which costs more than the message. It goes out with the next
    /// that is sent, or when the oldest has waited for [`PATIENCE`].
    pub fn queue<T: Serialize>(&mut self, message: &T) -> Result<(), Errno> {
        self.append(message)?;
        let since = *self.since.get_or_insert_with(Instant::now);
        if since.elapsed() < PATIENCE { Ok(()) } else { self.flush(None) }
    }

    /// Sends one message, with a descriptor if given, and what was queued before it.
    pub fn send<T: Serialize>(&mut self, message: &T, fd: Option<BorrowedFd<'_>>) -> Result<(), Errno> {
        self.append(message)?;
        self.flush(fd)
    }

    fn append<T: Serialize>(&mut self, message: &T) -> Result<(), Errno> {
        let start = self.queued.len();
        self.queued.extend([0; 4]);
        serde_json::to_writer(&mut self.queued, message).map_err(|_| Errno::EIO)?;
        let length = u32::try_from(self.queued.len() - start - 4).map_err(|_| Errno::EFBIG)?;
        self.queued[start..start + 4].copy_from_slice(&length.to_ne_bytes());
        Ok(())
    }

    fn flush(&mut self, mut fd: Option<BorrowedFd<'_>>) -> Result<(), Errno> {
        let mut rest = &self.queued[..];
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
        self.queued.clear();
        self.since = None;
        Ok(())
    }

    /// Waits for one message; `None` when the other side closed.
    pub fn receive<T: DeserializeOwned>(&mut self) -> Result<Option<T>, Errno> {
        if !self.have(4)? {
            return Ok(None);
        }
        let length = u32::from_ne_bytes([self.read[0], self.read[1], self.read[2], self.read[3]]) as usize;
        if length > LIMIT {
            return Err(Errno::EFBIG);
        }
        if !self.have(4 + length)? {
            return Ok(None);
        }
        let message = serde_json::from_slice(&self.read[4..4 + length]).map_err(|_| Errno::EIO);
        self.read.drain(..4 + length);
        message.map(Some)
    }

    /// The first descriptor that came with the last messages.
    pub fn take_passed(&mut self) -> Option<OwnedFd> {
        self.passed.pop_front()
    }

    /// For poll(2).
    pub fn fd(&self) -> &OwnedFd {
        &self.fd
    }

    /// Whether a whole message has been read already.
    pub fn has_message(&self) -> bool {
        let length = self.read.first_chunk().map(|l| u32::from_ne_bytes(*l) as usize);
        length.is_some_and(|length| self.read.len() >= 4 + length)
    }

    /// Reads until there are so many bytes; `false` when the other side closed before.
    fn have(&mut self, bytes: usize) -> Result<bool, Errno> {
        while self.read.len() < bytes {
            if self.read_more(bytes - self.read.len() + ROOM)? == 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// One read of at most so many bytes, and of the descriptors with them.
    fn read_more(&mut self, most: usize) -> Result<usize, Errno> {
        let start = self.read.len();
        self.read.resize(start + most, 0);
        let got = loop {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut control = RecvAncillaryBuffer::new(&mut space);
            let mut parts = [IoSliceMut::new(&mut self.read[start..])];
            let got = recvmsg(&self.fd, &mut parts, &mut control, RecvFlags::CMSG_CLOEXEC);
            for message in control.drain() {
                if let RecvAncillaryMessage::ScmRights(fds) = message {
                    self.passed.extend(fds);
                }
            }
            match got {
                Ok(got) => break Ok(got.bytes),
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::CONNRESET) => break Ok(0),
                Err(e) => break Err(e.into()),
            }
        };
        self.read.truncate(start + *got.as_ref().unwrap_or(&0));
        got
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn messages_and_descriptors_arrive() {
        let (mut a, mut b) = Channel::pair().unwrap();
        let file = tempfile::tempfile().unwrap();
        b.send(&Answer::Terminal, Some(file.as_fd())).unwrap();
        b.queue(&Answer::Terminal).unwrap();
        b.send(&Answer::Done(Applied { micros: 7, ..Applied::default() }), None).unwrap();
        drop(b);
        assert!(matches!(a.receive().unwrap(), Some(Answer::Terminal)));
        assert!(a.take_passed().is_some());
        assert!(matches!(a.receive().unwrap(), Some(Answer::Terminal)));
        assert!(matches!(a.receive().unwrap(), Some(Answer::Done(Applied { micros: 7, .. }))));
        assert!(a.receive::<Answer>().unwrap().is_none());
    }
}
