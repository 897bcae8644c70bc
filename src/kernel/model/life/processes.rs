//! What processes do: fork, execute, end, and what the kernel does to them.

use super::Notes;
use crate::kernel::Errno;
use crate::kernel::model::cgroup::CgId;
use crate::kernel::model::cred::{Cap, cap_names};
use crate::kernel::model::process::{Ctx, Gpid, Signal, signal_name};
use crate::kernel::model::world::World;
use crate::trace::{Kind, Life, Process, Refusal, Value};
use crate::userland::Exit;

/// For so long a parent may leave an ended process unasked before it is told, microseconds.
const PATIENCE: u64 = 200_000;
/// Arguments of a program that are told.
const ARGUMENTS: usize = 32;

impl World {
    pub(super) fn notes_on(&mut self, pid: Gpid) -> Option<&mut Notes> {
        let inside = self.procs.get(&pid).is_some_and(|p| p.ns.pid != self.host_ns.pid);
        self.notes.as_deref_mut().filter(|_| inside)
    }

    /// A process as it is told.
    pub(super) fn told_process(&self, pid: Gpid) -> Process {
        let p = self.procs.get(&pid);
        let inside = p.and_then(|p| p.pids.first()).map(|(_, n)| match n {
            1 => Value::Int(1),
            n => Value::volatile(Kind::Pid, n),
        });
        let program = p.map_or_else(String::new, |p| p.comm.clone());
        Process { pid: Value::volatile(Kind::Pid, pid), inside, program }
    }

    pub(crate) fn note_fork(&mut self, parent: Gpid, child: Gpid) {
        if self.notes_on(parent).is_none() {
            return;
        }
        let life = Life::Forked { parent: self.told_process(parent), child: self.told_process(child) };
        self.note(life);
    }

    pub(crate) fn note_exec(&mut self, pid: Gpid, argv: &[String]) {
        if self.notes_on(pid).is_none() {
            return;
        }
        let argv = argv.iter().take(ARGUMENTS).cloned().collect();
        let life = Life::Executed { process: self.told_process(pid), argv };
        self.note(life);
    }

    /// Before its children get another parent.
    pub(crate) fn note_end(&mut self, pid: Gpid, exit: Exit) {
        let now = self.micros;
        let Some(notes) = self.notes_on(pid) else { return };
        let starved = notes.starved.iter().position(|(p, _)| *p == pid);
        let starved = starved.map(|at| notes.starved.remove(at).1);
        if notes.init == pid {
            let summary = self.layer_summary();
            if let Some(notes) = &mut self.notes {
                notes.summary = summary;
            }
        } else {
            notes.unasked.push((pid, now + PATIENCE));
            let (code, signal) = match exit {
                Exit::Code(code) => (Some(code), None),
                Exit::Signal(n) => (None, Some(signal_name(n))),
            };
            let life = Life::Ended { process: self.told_process(pid), code, signal };
            self.note(life);
        }
        if let Some(group) = starved {
            let life = Life::OomKilled {
                process: Some(self.told_process(pid)),
                limit: self.cgroups.memory_limit(group),
                source: Value::volatile(
                    Kind::Path,
                    format!("/sys/fs/cgroup{}/memory.events", self.cgroups.path(group, 0)),
                ),
                kills: self.cgroups.oom_kills(group),
            };
            self.note(life);
        }
    }

    pub(crate) fn note_adoption(&mut self, child: Gpid, former: Gpid, parent: Gpid) {
        let ended = self.procs.get(&child).is_none_or(|p| p.exit.is_some());
        if ended || self.notes_on(child).is_none() || self.notes_on(parent).is_none() {
            return;
        }
        let process = self.told_process(child);
        let life =
            Life::Adopted { process, former: self.told_process(former), parent: self.told_process(parent) };
        self.note(life);
    }

    /// Ended processes whose parents had time to ask, and did not.
    pub(crate) fn note_zombies(&mut self) {
        let now = self.micros;
        let Some(notes) = &mut self.notes else { return };
        let due: Vec<Gpid> = notes.unasked.iter().filter(|(_, at)| *at <= now).map(|(pid, _)| *pid).collect();
        notes.unasked.retain(|(_, at)| *at > now);
        for pid in due {
            let Some(parent) = self.procs.get(&pid).filter(|p| p.exit.is_some()).map(|p| p.ppid) else {
                continue;
            };
            let life = Life::Zombie { process: self.told_process(pid), parent: self.told_process(parent) };
            self.note(life);
        }
    }

    /// Process 1 has no handler for it.
    pub(crate) fn note_ignored(&mut self, target: Gpid, signal: Signal, from: Option<&Ctx>) {
        if self.notes_on(target).is_none() {
            return;
        }
        let sender = from.map(|ctx| self.told_process(ctx.pid));
        let life =
            Life::SignalIgnored { process: self.told_process(target), signal: signal_name(signal.0), sender };
        self.note(life);
    }

    /// The kernel is about to kill it for want of memory.
    pub(crate) fn note_starved(&mut self, pid: Gpid, group: CgId) {
        if let Some(notes) = self.notes_on(pid) {
            notes.starved.push((pid, group));
        }
    }

    /// The filter refuses a call that it lets through with this capability.
    pub(crate) fn note_filtered(&mut self, pid: Gpid, call: &str, unless: Cap) {
        if self.notes_on(pid).is_none() {
            return;
        }
        let by = Refusal::Seccomp { unless: cap_names(unless.bit()), arguments: false };
        let process = self.told_process(pid);
        self.note(Life::Refused { process, call: call.to_owned(), errno: Errno::EPERM, by });
    }

    /// A check of a capability, with its answer.
    pub(crate) fn granted(&self, cap: Cap, has: bool) -> bool {
        if !has {
            self.wanted.set(Some(cap));
        }
        has
    }

    /// A call failed, perhaps for want of the capability that it asked for last.
    pub(crate) fn note_wanted(&mut self, pid: Gpid, call: &str, errno: Errno) {
        let Some(cap) = self.wanted.take() else { return };
        // Permission to reach a file is refused with EACCES: another error of the same
        // call has another reason.
        let reaches = matches!(cap, Cap::DAC_OVERRIDE | Cap::DAC_READ_SEARCH);
        let for_it = errno == Errno::EACCES || (errno == Errno::EPERM && !reaches);
        if !for_it || self.notes_on(pid).is_none() {
            return;
        }
        let by = Refusal::Capability { name: cap_names(cap.bit()).concat() };
        let process = self.told_process(pid);
        self.note(Life::Refused { process, call: call.to_owned(), errno, by });
    }

    fn note(&mut self, life: Life) {
        if let Some(notes) = &mut self.notes {
            notes.told.push(life);
        }
    }
}
