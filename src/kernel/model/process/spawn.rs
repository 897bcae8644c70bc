//! How a process comes to be: clone(2) with or without new namespaces.

use std::rc::Rc;

use super::{BASE_RSS, Gpid, Proc};
use crate::kernel::Errno;
use crate::kernel::model::cred::Cap;
use crate::kernel::model::ns::Held;
use crate::kernel::model::vfs::Loc;
use crate::kernel::model::world::World;
use crate::kernel::model::{Cred, Res};
use crate::plan::op::Ns;

/// Processes of the whole machine, as `threads-max` limits them.
const MAX_PROCESSES: usize = 16384;

impl World {
    /// A process of the host without a parent.
    pub(crate) fn add_first_process(&mut self, at: Loc, comm: &str) -> Gpid {
        let pid = self.next_pid;
        self.next_pid += 1;
        let pids = self.ns.number(self.host_ns.pid, pid);
        let process = Proc {
            pid,
            ppid: 0,
            pids,
            pgid: pid,
            cred: Rc::new(Cred::root(self.host_ns.user)),
            root: at,
            cwd: at,
            umask: 0o022,
            fds: Default::default(),
            ns: self.host_ns,
            pid_of_children: None,
            cgroup: 0,
            exit: None,
            ignored: 0,
            caught: 0,
            pending: 0,
            interrupted: false,
            fatal: None,
            stopped: false,
            argv: vec![comm.to_owned()],
            env: Vec::new(),
            comm: comm.to_owned(),
            exe: String::new(),
            rss: BASE_RSS,
            start: self.micros,
            limits: Vec::new(),
            wake: None,
        };
        self.procs.insert(pid, process);
        pid
    }

    /// A child with a copy of everything, apart from the namespaces in `new`.
    pub(crate) fn spawn(&mut self, parent: Gpid, new: &[Ns], cgroup: Option<u32>) -> Res<Gpid> {
        let ctx = self.ctx(parent)?;
        let cgroup = cgroup.unwrap_or(ctx.cgroup);
        if self.process(parent)?.fatal.is_some() {
            return Err(Errno::EINTR);
        }
        let user_first = new.contains(&Ns::User);
        if new.iter().any(|n| *n != Ns::User) && !user_first && !ctx.cred.has(Cap::SYS_ADMIN) {
            return Err(Errno::EPERM);
        }
        if !new.is_empty() && ctx.cred.seccomp.is_some_and(|caps| caps & Cap::SYS_ADMIN.bit() == 0) {
            return Err(Errno::EPERM);
        }
        if self.procs.len() >= MAX_PROCESSES {
            return Err(Errno::EAGAIN);
        }
        self.may_fork(cgroup)?;
        self.charge_in(cgroup, BASE_RSS)?;

        let mut set = ctx.ns;
        set.pid = self.process(parent)?.pid_of_children.unwrap_or(set.pid);
        let mut cred = ctx.cred.clone();
        if user_first {
            let held =
                Held::User { parent: Some(set.user), owner: ctx.cred.euid, uid: Vec::new(), gid: Vec::new() };
            set.user = self.ns.add(set.user, held);
            let mut inside = Cred::root(set.user);
            (inside.uid, inside.euid, inside.gid, inside.egid) =
                (ctx.cred.uid, ctx.cred.euid, ctx.cred.gid, ctx.cred.egid);
            inside.groups = ctx.cred.groups.clone();
            inside.no_new_privs = ctx.cred.no_new_privs;
            inside.seccomp = ctx.cred.seccomp;
            cred = Rc::new(inside);
        }
        let (mut root, mut cwd) = (ctx.root, ctx.cwd);
        for kind in new.iter().filter(|k| **k != Ns::User) {
            let held = match kind {
                Ns::Pid => Held::Pid { parent: Some(set.pid), next: 1, pids: Default::default() },
                Ns::Uts => Held::Uts { hostname: self.ns.hostname(ctx.ns.uts).to_owned() },
                Ns::Cgroup => Held::Cgroup { root: cgroup },
                _ => Held::Plain,
            };
            let id = self.ns.add(set.user, held);
            if *kind == Ns::Mnt {
                let map = self.mounts.copy_ns(ctx.ns.mnt, id);
                for loc in [&mut root, &mut cwd] {
                    loc.mount = map.get(&loc.mount).copied().unwrap_or(loc.mount);
                }
            }
            if *kind == Ns::Net {
                self.net.add_namespace(id);
            }
            set.set(*kind, id);
        }
        let pid = self.next_pid;
        self.next_pid = if pid >= 4_194_303 { 300 } else { pid + 1 };
        let pids = self.ns.number(set.pid, pid);
        self.hold(root.node);
        self.hold(cwd.node);
        let p = self.process(parent)?;
        let child = Proc {
            pid,
            ppid: parent,
            pids,
            pgid: if new.contains(&Ns::Pid) { pid } else { p.pgid },
            cred,
            root,
            cwd,
            umask: p.umask,
            fds: p.fds.clone(),
            ns: set,
            pid_of_children: None,
            cgroup,
            exit: None,
            ignored: p.ignored,
            caught: p.caught,
            pending: 0,
            interrupted: false,
            fatal: None,
            stopped: false,
            argv: p.argv.clone(),
            env: p.env.clone(),
            comm: p.comm.clone(),
            exe: p.exe.clone(),
            rss: BASE_RSS,
            start: self.micros,
            limits: p.limits.clone(),
            wake: None,
        };
        for fd in child.fds.values() {
            if let Some(Some(file)) = self.opens.get_mut(fd.open) {
                file.refs += 1;
            }
        }
        self.procs.insert(pid, child);
        self.used(cgroup, 0);
        self.note_fork(parent, pid);
        Ok(pid)
    }

    /// Memory for a process that is not there yet: nobody to kill, so ENOMEM.
    fn charge_in(&self, cgroup: u32, bytes: u64) -> Res<()> {
        let over = self
            .cgroups
            .chain(cgroup)
            .any(|at| self.cgroups.memory_limit(at).is_some_and(|max| self.memory_of(at) + bytes > max));
        if over { Err(Errno::ENOMEM) } else { Ok(()) }
    }
}
