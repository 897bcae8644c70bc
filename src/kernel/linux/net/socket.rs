//! A netlink socket, kept open for all requests of one actor. Each request is
//! one `sendto` (as strace shows send(2) too) and is recorded as one call; what
//! the kernel acknowledges is that call's result. The answers have been queued
//! by the kernel when `sendto` returns, so nothing here ever waits.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink};

use super::wire::{self, Message, Writer};
use crate::kernel::linux::recorder::{Args, Recorder};
use crate::kernel::{Errno, Failure};
use crate::trace::{Kind, Value};

pub const NLM_F_REQUEST: u16 = 1;
pub const NLM_F_ACK: u16 = 4;
pub const NLM_F_DUMP: u16 = 0x300;
pub const NLM_F_DUMP_INTR: u16 = 0x10;
pub const NLM_F_EXCL: u16 = 0x200;
pub const NLM_F_CREATE: u16 = 0x400;
pub const NLM_F_APPEND: u16 = 0x800;
const NLM_F_CAPPED: u16 = 0x100;
const NLM_F_ACK_TLVS: u16 = 0x200;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLMSGERR_ATTR_MSG: u16 = 1;
const NETLINK_CAP_ACK: i32 = 10;
const NETLINK_EXT_ACK: i32 = 11;

/// `ERESTART`: the rule set changed between reading it and this batch.
pub const ERESTART: Errno = Errno(85);

/// What a refused request says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The acknowledged error.
    pub errno: Errno,
    /// The kernel's own words (extended acknowledgement), where it has some.
    pub words: Option<String>,
}

impl Refused {
    /// As a step's failure: `what` reads after 'failed to'.
    pub fn at(self, what: impl std::fmt::Display) -> Failure {
        let what = match &self.words {
            Some(words) => format!("{what} (the kernel says: {})", words.trim_end_matches('.')),
            None => what.to_string(),
        };
        let failure = Failure::new(what, Some(self.errno));
        match self.errno {
            Errno::EPERM => failure.hint("run as root, or with CAP_NET_ADMIN in this network namespace"),
            Errno::EOPNOTSUPP => failure.hint("the kernel lacks a network feature: check for the modules bridge, veth, nf_tables, nft_nat, nft_masq, nft_ct, nft_fib_ipv4"),
            _ => failure,
        }
    }
}

impl From<Errno> for Refused {
    fn from(errno: Errno) -> Self {
        Refused { errno, words: None }
    }
}

impl From<Refused> for Errno {
    fn from(refused: Refused) -> Self {
        refused.errno
    }
}

/// Which part of the kernel a socket speaks with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Links, addresses, routes: rtnetlink(7).
    Route,
    /// nftables.
    Netfilter,
}

/// What one request is, for the record.
pub struct About<'a> {
    /// Such as `RTM_NEWLINK`.
    pub request: &'static str,
    /// Its arguments, decoded.
    pub args: &'a dyn Fn() -> Args,
}

/// One message of an answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// What follows the header.
    pub body: Vec<u8>,
}

/// An open netlink socket.
#[derive(Debug)]
pub struct Netlink {
    fd: OwnedFd,
    family: Family,
    seq: u32,
    buffer: Vec<u8>,
}

impl Netlink {
    /// Opens one in the calling thread's network namespace.
    pub fn open(family: Family, rec: &mut Recorder) -> Result<Self, Errno> {
        let (protocol, name) = match family {
            Family::Route => (None, "NETLINK_ROUTE"),
            Family::Netfilter => (Some(netlink::NETFILTER), "NETLINK_NETFILTER"),
        };
        let fd = rec.read(
            "socket",
            || {
                vec![
                    ("domain", "AF_NETLINK".into()),
                    ("type", "SOCK_RAW|SOCK_CLOEXEC".into()),
                    ("protocol", name.into()),
                ]
            },
            |fd: &OwnedFd| Value::volatile(Kind::Fd, fd.as_raw_fd()),
            || {
                rustix::net::socket_with(
                    AddressFamily::NETLINK,
                    SocketType::RAW,
                    SocketFlags::CLOEXEC,
                    protocol,
                )
            },
        )?;
        for option in [NETLINK_CAP_ACK, NETLINK_EXT_ACK] {
            let on: i32 = 1;
            // SAFETY: the descriptor is open, and `on` is an int that outlives
            // the call, as these options want. A kernel without the option
            // gives shorter texts; nothing else depends on it.
            unsafe {
                libc::setsockopt(
                    fd.as_raw_fd(),
                    libc::SOL_NETLINK,
                    option,
                    (&raw const on).cast(),
                    size_of::<i32>() as u32,
                )
            };
        }
        Ok(Netlink { fd, family, seq: 0, buffer: vec![0; 32 * 1024] })
    }

    /// The number that the next message gets.
    pub fn next_seq(&mut self) -> u32 {
        self.seq += 1;
        self.seq
    }

    /// Makes a request that changes something; ends with its acknowledgement.
    pub fn change(
        &mut self,
        rec: &mut Recorder,
        about: About<'_>,
        kind: u16,
        flags: u16,
        body: impl FnOnce(&mut Writer),
    ) -> Result<(), Refused> {
        let seq = self.next_seq();
        let mut w = Writer::default();
        w.message(kind, flags | NLM_F_REQUEST | NLM_F_ACK, seq, body);
        self.batch(rec, about, &w.bytes, seq, seq)
    }

    /// Sends messages numbered `first` to `last`, of which the last wants an
    /// acknowledgement. The first error counts.
    pub fn batch(
        &mut self,
        rec: &mut Recorder,
        about: About<'_>,
        bytes: &[u8],
        first: u32,
        last: u32,
    ) -> Result<(), Refused> {
        self.exchange(rec, true, about, bytes, |netlink| {
            loop {
                let length = netlink.receive()?;
                for m in wire::messages(&netlink.buffer[..length])
                    .filter(|m| m.kind == NLMSG_ERROR && m.seq >= first)
                {
                    match refusal(&m) {
                        Some(refused) => return Err(refused),
                        None if m.seq >= last => return Ok(()),
                        None => {}
                    }
                }
            }
        })
    }

    /// Asks for one object; an error is the answer too.
    pub fn get(
        &mut self,
        rec: &mut Recorder,
        about: About<'_>,
        kind: u16,
        body: impl FnOnce(&mut Writer),
    ) -> Result<Answer, Refused> {
        let seq = self.next_seq();
        let mut w = Writer::default();
        w.message(kind, NLM_F_REQUEST, seq, body);
        self.exchange(rec, false, about, &w.bytes, |netlink| {
            loop {
                let length = netlink.receive()?;
                if let Some(m) = wire::messages(&netlink.buffer[..length]).find(|m| m.seq == seq) {
                    if m.kind == NLMSG_ERROR {
                        return Err(refusal(&m).unwrap_or(Errno::ENOENT.into()));
                    }
                    return Ok(Answer { body: m.body.to_vec() });
                }
            }
        })
    }

    /// Asks for all objects of a kind. Repeated when they changed meanwhile.
    pub fn dump(
        &mut self,
        rec: &mut Recorder,
        about: About<'_>,
        kind: u16,
        body: impl Fn(&mut Writer),
    ) -> Result<Vec<Answer>, Refused> {
        for _ in 0..8 {
            let seq = self.next_seq();
            let mut w = Writer::default();
            w.message(kind, NLM_F_REQUEST | NLM_F_DUMP, seq, &body);
            let about = About { ..about };
            let (answers, torn) =
                self.exchange(rec, false, about, &w.bytes, |netlink| netlink.collect(seq))?;
            if !torn {
                return Ok(answers);
            }
        }
        Err(Errno::EAGAIN.into())
    }

    fn collect(&mut self, seq: u32) -> Result<(Vec<Answer>, bool), Refused> {
        let (mut answers, mut torn) = (Vec::new(), false);
        loop {
            let length = self.receive()?;
            for m in wire::messages(&self.buffer[..length]).filter(|m| m.seq == seq) {
                torn |= m.flags & NLM_F_DUMP_INTR != 0;
                match m.kind {
                    NLMSG_DONE => return Ok((answers, torn)),
                    NLMSG_ERROR => return refusal(&m).map_or(Ok((Vec::new(), torn)), Err),
                    _ => answers.push(Answer { body: m.body.to_vec() }),
                }
            }
        }
    }

    fn exchange<T>(
        &mut self,
        rec: &mut Recorder,
        changes: bool,
        about: About<'_>,
        bytes: &[u8],
        answer: impl FnOnce(&mut Self) -> Result<T, Refused>,
    ) -> Result<T, Refused> {
        let (fd, family) = (self.fd.as_raw_fd(), self.family);
        let args = || {
            let socket = match family {
                Family::Route => "NETLINK_ROUTE",
                Family::Netfilter => "NETLINK_NETFILTER",
            };
            let mut args: Args = vec![
                ("fd", Value::volatile(Kind::Fd, fd)),
                ("socket", socket.into()),
                ("request", about.request.into()),
            ];
            args.extend((about.args)());
            args
        };
        let mut refused = None;
        let make = || {
            let made = rustix::net::send(self.fd.as_fd(), bytes, SendFlags::empty())
                .map_err(|e| Refused::from(Errno::from(e)))
                .and_then(|_| answer(self));
            made.map_err(|r| {
                let errno = r.errno;
                refused = Some(r);
                errno
            })
        };
        let result = |_: &T| Value::Int(bytes.len() as i64);
        let made = if changes {
            rec.call("sendto", args, result, make)
        } else {
            rec.read("sendto", args, result, make)
        };
        made.map_err(|errno| refused.unwrap_or(errno.into()))
    }

    fn receive(&mut self) -> Result<usize, Errno> {
        let (_, length) =
            rustix::net::recv(self.fd.as_fd(), &mut self.buffer[..], RecvFlags::DONTWAIT | RecvFlags::TRUNC)?;
        if length > self.buffer.len() {
            return Err(Errno::EOVERFLOW);
        }
        Ok(length)
    }
}

/// The error in an `NLMSG_ERROR` message; `None` is an acknowledgement.
fn refusal(m: &Message<'_>) -> Option<Refused> {
    let code = wire::u32_at(m.body, 0)? as i32;
    if code == 0 {
        return None;
    }
    let words = (m.flags & NLM_F_ACK_TLVS != 0).then(|| {
        // The request's header is repeated, and its body too unless capped.
        let echoed = if m.flags & NLM_F_CAPPED != 0 { 16 } else { wire::u32_at(m.body, 4)? as usize };
        wire::find(m.body.get(4 + echoed.next_multiple_of(4)..)?, NLMSGERR_ATTR_MSG).map(wire::text)
    });
    Some(Refused { errno: Errno(-code), words: words.flatten() })
}
