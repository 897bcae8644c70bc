//! Signals, signal(7). Each is ignored, has its default action, or is caught:
//! then it interrupts what blocks and the program asks which ones came.

use super::Gpid;
use crate::kernel::Errno;
use crate::kernel::model::Res;
use crate::kernel::model::cred::Cap;
use crate::kernel::model::process::Ctx;
use crate::kernel::model::world::World;

/// A signal's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Signal(pub i32);

#[allow(dead_code)]
impl Signal {
    pub const HUP: Signal = Signal(1);
    pub const INT: Signal = Signal(2);
    pub const KILL: Signal = Signal(9);
    pub const PIPE: Signal = Signal(13);
    pub const TERM: Signal = Signal(15);
    pub const CHLD: Signal = Signal(17);
    pub const CONT: Signal = Signal(18);
    pub const STOP: Signal = Signal(19);

    pub fn bit(self) -> u64 {
        1 << (self.0 - 1).clamp(0, 63)
    }

    fn ignored_by_default(self) -> bool {
        // SIGCHLD, SIGURG, SIGWINCH; SIGCONT has done its work before.
        matches!(self.0, 17 | 18 | 23 | 28)
    }

    fn stops(self) -> bool {
        matches!(self.0, 19..=22)
    }
}

const NAMES: [&str; 31] = [
    "SIGHUP",
    "SIGINT",
    "SIGQUIT",
    "SIGILL",
    "SIGTRAP",
    "SIGABRT",
    "SIGBUS",
    "SIGFPE",
    "SIGKILL",
    "SIGUSR1",
    "SIGSEGV",
    "SIGUSR2",
    "SIGPIPE",
    "SIGALRM",
    "SIGTERM",
    "SIGSTKFLT",
    "SIGCHLD",
    "SIGCONT",
    "SIGSTOP",
    "SIGTSTP",
    "SIGTTIN",
    "SIGTTOU",
    "SIGURG",
    "SIGXCPU",
    "SIGXFSZ",
    "SIGVTALRM",
    "SIGPROF",
    "SIGWINCH",
    "SIGIO",
    "SIGPWR",
    "SIGSYS",
];

/// `SIGKILL`, or the number.
pub(crate) fn name(signal: i32) -> String {
    match usize::try_from(signal - 1).ok().and_then(|i| NAMES.get(i)) {
        Some(name) => (*name).to_owned(),
        None => signal.to_string(),
    }
}

impl World {
    /// kill(2), as a process asks for it.
    pub(crate) fn kill(&mut self, ctx: &Ctx, pid: i32, signal: i32) -> Res<()> {
        if !(0..=64).contains(&signal) {
            return Err(Errno::EINVAL);
        }
        let targets: Vec<Gpid> = match pid {
            1.. => vec![self.ns.find_pid(ctx.ns.pid, pid).ok_or(Errno::ESRCH)?],
            -1 => self
                .ns
                .pids(ctx.ns.pid)
                .into_iter()
                .filter(|(p, g)| *p != 1 && *g != ctx.pid)
                .map(|(_, g)| g)
                .collect(),
            _ => {
                let group = match pid {
                    0 => self.process(ctx.pid)?.pgid,
                    _ => {
                        let leader = pid.checked_neg().ok_or(Errno::ESRCH)?;
                        self.ns.find_pid(ctx.ns.pid, leader).ok_or(Errno::ESRCH)?
                    }
                };
                self.procs.values().filter(|p| p.pgid == group).map(|p| p.pid).collect()
            }
        };
        if targets.is_empty() {
            return Err(Errno::ESRCH);
        }
        let mut result = Err(Errno::EPERM);
        for target in targets {
            if self.may_signal(ctx, target) {
                result = Ok(());
                if signal > 0 {
                    self.send(target, Signal(signal), Some(ctx));
                }
            }
        }
        result
    }

    fn may_signal(&self, ctx: &Ctx, target: Gpid) -> bool {
        let Some(p) = self.procs.get(&target) else { return false };
        let same = ctx.cred.euid == p.cred.uid || ctx.cred.uid == p.cred.uid;
        same || self.granted(Cap::KILL, self.ns.capable(&ctx.cred, p.cred.user_ns, Cap::KILL))
    }

    /// Delivers a signal; `from` is none for the kernel and for the host.
    pub(crate) fn send(&mut self, target: Gpid, signal: Signal, from: Option<&Ctx>) {
        let Some(p) = self.procs.get_mut(&target) else { return };
        if p.exit.is_some() {
            return;
        }
        if let Some((ns, 1)) = p.pids.first() {
            // Process 1 takes no signal that it has no handler for; only its
            // ancestors can force SIGKILL and SIGSTOP on it.
            let inside = from.is_some_and(|c| c.ns.pid == *ns);
            let caught = p.caught & signal.bit() != 0;
            if !caught && (inside || !matches!(signal, Signal::KILL | Signal::STOP | Signal::CONT)) {
                if !signal.ignored_by_default() {
                    self.note_ignored(target, signal, from);
                }
                return;
            }
        }
        if signal == Signal::CONT {
            p.stopped = false;
        }
        if p.caught & signal.bit() != 0 && !matches!(signal, Signal::KILL | Signal::STOP) {
            p.pending |= signal.bit();
            p.interrupted = true;
            self.progress += 1;
            return;
        }
        let forced = matches!(signal, Signal::KILL | Signal::STOP);
        if !forced && (p.ignored & signal.bit() != 0 || signal.ignored_by_default()) {
            return;
        }
        if signal.stops() {
            p.stopped = true;
        } else if p.fatal.is_none() || signal == Signal::KILL {
            p.fatal = Some(signal);
            if signal == Signal::KILL {
                p.stopped = false;
            }
        }
        self.progress += 1;
    }

    /// The kernel's own kill: no permission, no immunity.
    pub(crate) fn kill_now(&mut self, target: Gpid, signal: Signal) {
        if let Some(p) = self.procs.get_mut(&target)
            && p.exit.is_none()
        {
            p.fatal = Some(signal);
            p.stopped = false;
            self.progress += 1;
        }
    }
}
