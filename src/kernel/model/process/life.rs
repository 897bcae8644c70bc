//! How a process ends, and who waits for it.

use super::{Gpid, Signal};
use crate::kernel::Errno;
use crate::kernel::model::Res;
use crate::kernel::model::ns::{KINDS, NsId};
use crate::kernel::model::world::World;
use crate::userland::Exit;

impl World {
    /// Ends a process. Its children go to process 1 of its pid namespace; when it
    /// is that process, everything in the namespace ends with it.
    pub(crate) fn exit(&mut self, pid: Gpid, exit: Exit) {
        if !self.end(pid, exit) {
            return;
        }
        let Some((ns, 1)) = self.procs.get(&pid).and_then(|p| p.pids.first().copied()) else { return };
        // Inner namespaces' processes have a number here too.
        for (_, other) in self.ns.pids(ns) {
            if other != pid {
                self.end(other, Exit::Signal(Signal::KILL.0));
                self.reap(other);
            }
        }
        self.drop_dead_namespaces();
    }

    /// Frees what a process held. `false` when it had ended before.
    fn end(&mut self, pid: Gpid, exit: Exit) -> bool {
        let Some(p) = self.procs.get_mut(&pid) else { return false };
        if p.exit.is_some() {
            return false;
        }
        p.exit = Some(exit);
        p.fatal = None;
        p.wake = None;
        p.rss = 0;
        self.note_end(pid, exit);
        let Some(p) = self.procs.get_mut(&pid) else { return false };
        let fds = std::mem::take(&mut p.fds);
        let (root, cwd, ppid, own_ns) = (p.root, p.cwd, p.ppid, p.pids.first().map(|n| n.0));
        for entry in fds.into_values() {
            self.drop_open(entry.open);
        }
        self.release(root.node);
        self.release(cwd.node);
        let reaper = own_ns.and_then(|ns| self.ns.find_pid(ns, 1)).filter(|r| *r != pid);
        let children: Vec<Gpid> = self.procs.values().filter(|c| c.ppid == pid).map(|c| c.pid).collect();
        for child in children {
            if let Some(c) = self.procs.get_mut(&child) {
                c.ppid = reaper.unwrap_or(1);
            }
            self.note_adoption(child, pid, reaper.unwrap_or(1));
            self.reap_if_unwanted(child);
        }
        self.progress += 1;
        self.send(ppid, Signal::CHLD, None);
        self.reap_if_unwanted(pid);
        true
    }

    /// Nobody waits for a child of the host's init or of one that ignores SIGCHLD.
    fn reap_if_unwanted(&mut self, pid: Gpid) {
        let Some(p) = self.procs.get(&pid) else { return };
        let unwanted = p.ppid <= 1
            || self
                .procs
                .get(&p.ppid)
                .is_none_or(|q| q.exit.is_some() || q.ignored & Signal::CHLD.bit() != 0);
        if p.exit.is_some() && unwanted && !p.pids.iter().any(|(_, n)| *n == 1) {
            self.reap(pid);
        }
    }

    /// Forgets an ended process.
    pub(crate) fn reap(&mut self, pid: Gpid) {
        if self.procs.get(&pid).is_some_and(|p| p.exit.is_some())
            && let Some(p) = self.procs.remove(&pid)
        {
            self.ns.forget_pid(&p.pids);
        }
    }

    /// One ended child, if there is one; ECHILD when there is nothing to wait for.
    pub(crate) fn try_wait(&mut self, pid: Gpid, which: Option<i32>) -> Res<Option<(i32, Exit)>> {
        let ns = self.process(pid)?.ns.pid;
        let wanted = match which {
            Some(n) => Some(self.ns.find_pid(ns, n).ok_or(Errno::ECHILD)?),
            None => None,
        };
        let mut any = false;
        let mut ended = None;
        for p in self.procs.values().filter(|p| p.ppid == pid && wanted.is_none_or(|w| w == p.pid)) {
            any = true;
            if let Some(exit) = p.exit {
                ended = Some((p.pid, exit));
                break;
            }
        }
        match ended {
            Some((child, exit)) => {
                let number = self.pid_in(child, ns).unwrap_or(0);
                self.reap(child);
                Ok(Some((number, exit)))
            }
            None if any => Ok(None),
            None => Err(Errno::ECHILD),
        }
    }

    /// Namespaces without a living process go, with their mounts and links.
    pub(crate) fn drop_dead_namespaces(&mut self) {
        let mut used: Vec<NsId> = KINDS.iter().map(|k| self.host_ns.get(*k)).collect();
        for p in self.procs.values().filter(|p| p.exit.is_none()) {
            used.extend(KINDS.iter().map(|k| p.ns.get(*k)));
            used.extend(p.pids.iter().map(|(ns, _)| *ns));
        }
        let owners: Vec<NsId> = used.iter().filter_map(|n| self.ns.owner(*n)).collect();
        used.extend(owners);
        // A user namespace lives as long as one below it.
        let mut outer: Vec<NsId> = Vec::new();
        for ns in &used {
            outer.extend(std::iter::successors(self.ns.parent(*ns), |n| self.ns.parent(*n)));
        }
        used.extend(outer);
        for id in self.ns.ids() {
            if !used.contains(&id) {
                self.mounts.remove_ns(id);
                self.net.remove_namespace(id);
                // The number of a zombie process 1 is still asked for.
                let zombie = self.procs.values().any(|p| p.pids.iter().any(|(ns, _)| *ns == id));
                if !zombie {
                    self.ns.remove(id);
                }
            }
        }
        self.collect();
    }
}
