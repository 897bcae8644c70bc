//! Processes: what the kernel knows of each, fork and exit, signals, exec and
//! the scheduler that runs their programs.

mod exec;
mod join;
mod life;
mod sched;
mod signal;
mod spawn;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::rc::Rc;

pub(crate) use exec::{Image, MARKER};
pub(crate) use sched::{Machine, Program, Shared, Standstill, Stop};
pub(crate) use signal::{Signal, name as signal_name};

use super::ns::{NsId, NsSet};
use super::vfs::{Loc, OpenId};
use super::world::World;
use super::{Cred, Res};
use crate::kernel::Errno;
use crate::plan::op::Rlimit;
use crate::userland::Exit;

/// A process's number in the first pid namespace.
pub(crate) type Gpid = i32;

/// Bytes of memory that every process uses.
pub(crate) const BASE_RSS: u64 = 512 * 1024;

/// Descriptors that a process may have.
const MAX_FDS: usize = 1024;

/// One descriptor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FdEntry {
    pub open: OpenId,
    pub cloexec: bool,
}

/// A process.
#[derive(Debug)]
pub(crate) struct Proc {
    pub pid: Gpid,
    pub ppid: Gpid,
    /// Its number in its own pid namespace and in each outer one.
    pub pids: Vec<(NsId, i32)>,
    pub pgid: Gpid,
    pub cred: Rc<Cred>,
    pub root: Loc,
    pub cwd: Loc,
    pub umask: u32,
    pub fds: BTreeMap<i32, FdEntry>,
    pub ns: NsSet,
    /// Another pid namespace than its own, which setns(2) has chosen for its children.
    pub pid_of_children: Option<NsId>,
    pub cgroup: u32,
    /// It has ended and waits to be waited for.
    pub exit: Option<Exit>,
    /// Bit n-1: signal n is ignored.
    pub ignored: u64,
    /// Signals that it catches.
    pub caught: u64,
    /// Caught signals that it has not been told of.
    pub pending: u64,
    /// A caught signal came while it may be waiting.
    pub interrupted: bool,
    /// A signal that ends it when it is next looked at.
    pub fatal: Option<Signal>,
    pub stopped: bool,
    pub argv: Vec<String>,
    pub env: Vec<String>,
    pub comm: String,
    pub exe: String,
    pub rss: u64,
    /// When it began, microseconds.
    pub start: u64,
    pub limits: Vec<Rlimit>,
    /// When its sleep or time limit ends.
    pub wake: Option<u64>,
}

/// What a call needs to know of its caller.
#[derive(Clone, Debug)]
pub(crate) struct Ctx {
    pub pid: Gpid,
    pub cred: Rc<Cred>,
    pub root: Loc,
    pub cwd: Loc,
    pub umask: u32,
    pub ns: NsSet,
    pub cgroup: u32,
}

impl World {
    pub(crate) fn ctx(&self, pid: Gpid) -> Res<Ctx> {
        let p = self.procs.get(&pid).ok_or(Errno::ESRCH)?;
        Ok(Ctx {
            pid,
            cred: p.cred.clone(),
            root: p.root,
            cwd: p.cwd,
            umask: p.umask,
            ns: p.ns,
            cgroup: p.cgroup,
        })
    }

    pub(crate) fn process(&self, pid: Gpid) -> Res<&Proc> {
        self.procs.get(&pid).ok_or(Errno::ESRCH)
    }

    pub(crate) fn process_mut(&mut self, pid: Gpid) -> Res<&mut Proc> {
        self.procs.get_mut(&pid).ok_or(Errno::ESRCH)
    }

    /// The number of a process in a pid namespace, if it is seen there.
    pub(crate) fn pid_in(&self, pid: Gpid, ns: NsId) -> Option<i32> {
        self.procs.get(&pid)?.pids.iter().find(|(n, _)| *n == ns).map(|(_, p)| *p)
    }

    /// A capability in the first user namespace: for what no container may do.
    pub(crate) fn capable_first(&self, ctx: &Ctx, cap: super::cred::Cap) -> bool {
        self.granted(cap, self.ns.capable(&ctx.cred, self.host_ns.user, cap))
    }

    /// A capability over one of the caller's namespaces.
    pub(crate) fn capable_over(&self, ctx: &Ctx, ns: NsId, cap: super::cred::Cap) -> bool {
        let owner = self.ns.owner(ns).unwrap_or(self.host_ns.user);
        self.granted(cap, self.ns.capable(&ctx.cred, owner, cap))
    }

    /// Changes a process's credentials.
    pub(crate) fn set_cred(&mut self, pid: Gpid, f: impl FnOnce(&mut Cred)) -> Res<()> {
        f(Rc::make_mut(&mut self.process_mut(pid)?.cred));
        Ok(())
    }

    pub(crate) fn chdir(&mut self, pid: Gpid, path: &str) -> Res<()> {
        let ctx = self.ctx(pid)?;
        let loc = self.resolve(&ctx, path, true)?;
        self.may_search(&ctx, &self.attr(loc.node)?)?;
        self.set_cwd(pid, loc)
    }

    pub(crate) fn set_cwd(&mut self, pid: Gpid, loc: Loc) -> Res<()> {
        self.hold(loc.node);
        let old = std::mem::replace(&mut self.process_mut(pid)?.cwd, loc);
        self.release(old.node);
        Ok(())
    }

    pub(crate) fn set_root(&mut self, pid: Gpid, loc: Loc) -> Res<()> {
        self.hold(loc.node);
        let old = std::mem::replace(&mut self.process_mut(pid)?.root, loc);
        self.release(old.node);
        Ok(())
    }

    /// The lowest free descriptor is given to an open file.
    pub(crate) fn add_fd(&mut self, pid: Gpid, open: OpenId) -> Res<i32> {
        let p = self.process_mut(pid)?;
        let limit = p.limits.iter().find(|l| l.kind == "RLIMIT_NOFILE").map_or(MAX_FDS as u64, |l| l.soft);
        let fd = (0..).find(|fd| !p.fds.contains_key(fd)).unwrap_or(i32::MAX);
        if fd as u64 >= limit {
            self.drop_open(open);
            return Err(Errno::EMFILE);
        }
        p.fds.insert(fd, FdEntry { open, cloexec: false });
        Ok(fd)
    }

    pub(crate) fn fd(&self, pid: Gpid, fd: i32) -> Res<OpenId> {
        self.process(pid)?.fds.get(&fd).map(|f| f.open).ok_or(Errno::EBADF)
    }

    pub(crate) fn close(&mut self, pid: Gpid, fd: i32) -> Res<()> {
        let entry = self.process_mut(pid)?.fds.remove(&fd).ok_or(Errno::EBADF)?;
        self.drop_open(entry.open);
        Ok(())
    }

    pub(crate) fn dup2(&mut self, pid: Gpid, from: i32, to: i32) -> Res<()> {
        let open = self.fd(pid, from)?;
        if !(0..MAX_FDS as i32 * 1024).contains(&to) {
            return Err(Errno::EBADF);
        }
        if from == to {
            return Ok(());
        }
        self.open_file_mut(open)?.refs += 1;
        let old = self.process_mut(pid)?.fds.insert(to, FdEntry { open, cloexec: false });
        if let Some(old) = old {
            self.drop_open(old.open);
        }
        Ok(())
    }
}
