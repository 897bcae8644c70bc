//! The processes of the container, from the connector's events and /proc.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use super::super::evidence::text_of;
use super::super::init::signal_name;
use super::connector::Did;
use crate::trace::{Kind, Life, Process, Value};

/// For so long a parent may leave an ended process unasked before it is told.
const PATIENCE: Duration = Duration::from_millis(200);

#[derive(Clone, Debug, Default)]
struct Known {
    inside: Option<i32>,
    program: String,
    parent: i32,
    /// What it was seen to ask execve(2) for.
    about: Option<(String, Vec<String>)>,
    ended: bool,
}

/// Those that were seen, by their number on the host.
#[derive(Debug)]
pub struct Processes {
    init: i32,
    /// Its execve is still to come from the connector.
    beginning: bool,
    /// Which of the numbers in `NSpid` is the container's, proc(5).
    level: usize,
    all: BTreeMap<i32, Known>,
    threads: HashMap<i32, i32>,
    /// Ended, and to be looked at again then.
    unasked: Vec<(i32, Instant)>,
}

impl Processes {
    /// Begins with the process whose life is told, with those that it makes: the container's
    /// first, or one that joined it.
    pub fn new(init: i32) -> Self {
        let numbers = namespaced(init);
        let level = numbers.len().saturating_sub(1);
        let known = Known { inside: numbers.last().copied(), ..Known::default() };
        Processes {
            init,
            beginning: true,
            level,
            all: BTreeMap::from([(init, known)]),
            threads: HashMap::new(),
            unasked: Vec::new(),
        }
    }

    /// The process that a thread belongs to, if it is one of the container's.
    pub fn of_thread(&mut self, tid: i32) -> Option<i32> {
        if self.all.contains_key(&tid) {
            return Some(tid);
        }
        if let Some(pid) = self.threads.get(&tid) {
            return Some(*pid);
        }
        let pid = status(tid, "Tgid").and_then(|v| v.parse().ok())?;
        if !self.all.contains_key(&pid) {
            return None;
        }
        self.threads.insert(tid, pid);
        Some(pid)
    }

    /// Whether this thread's process was seen already.
    pub fn knows(&self, tid: i32) -> bool {
        self.all.contains_key(&tid) || self.threads.contains_key(&tid)
    }

    /// A thread whose process asks something of the filter is the container's, also
    /// when its birth was not told.
    pub fn asking(&mut self, tid: i32) -> i32 {
        if let Some(pid) = self.of_thread(tid) {
            return pid;
        }
        let pid = status(tid, "Tgid").and_then(|v| v.parse().ok()).unwrap_or(tid);
        let known = Known { program: comm(pid), ..Known::default() };
        self.all.entry(pid).or_insert(known);
        self.number(pid);
        pid
    }

    /// Its number inside is read while it is there.
    fn number(&mut self, pid: i32) {
        let level = self.level;
        if let Some(known) = self.all.get_mut(&pid)
            && known.inside.is_none()
        {
            known.inside = namespaced(pid).get(level).copied();
        }
    }

    /// As it is told.
    pub fn process(&mut self, pid: i32) -> Process {
        self.number(pid);
        let known = self.all.get(&pid).cloned().unwrap_or_default();
        let inside = known.inside.map(|n| match n {
            1 => Value::Int(1),
            n => Value::volatile(Kind::Pid, n),
        });
        Process { pid: Value::volatile(Kind::Pid, pid), inside, program: known.program }
    }

    /// It waits to have execve(2) carried out.
    pub fn about_to_execute(&mut self, pid: i32, path: String, argv: Vec<String>) {
        if let Some(known) = self.all.get_mut(&pid) {
            known.about = Some((path, argv));
        }
    }

    /// Whether it has asked for a program and was not heard to run it.
    pub fn is_about_to_execute(&self, pid: i32) -> bool {
        self.all.get(&pid).is_some_and(|known| known.about.is_some())
    }

    /// Those that were not heard to end, but for the first.
    pub fn others(&self) -> Vec<i32> {
        let lives = |(pid, known): (&i32, &Known)| (*pid != self.init && !known.ended).then_some(*pid);
        self.all.iter().filter_map(lives).collect()
    }

    /// Whether a process has the number inside by which it was known: it is no later one.
    pub fn is_still(&self, pid: i32) -> bool {
        let inside = self.all.get(&pid).and_then(|known| known.inside);
        inside.is_some() && namespaced(pid).get(self.level).copied() == inside
    }

    /// The first of those that are watched.
    pub fn first(&mut self) -> Process {
        self.process(self.init)
    }

    /// The program of the container's command, which is told as started.
    pub fn started(&mut self) {
        let init = self.init;
        self.executed(init);
    }

    fn executed(&mut self, pid: i32) -> Option<Vec<String>> {
        let known = self.all.get_mut(&pid)?;
        let (path, argv) = known.about.take().unwrap_or_default();
        let base = path.rsplit('/').next().unwrap_or_default();
        // The kernel's own name of a program has at most 15 bytes.
        let end = (0..=base.len().min(15)).rev().find(|n| base.is_char_boundary(*n)).unwrap_or(0);
        known.program = if end > 0 { base[..end].to_owned() } else { comm(pid) };
        Some(argv)
    }

    /// Turns the connector's word into events.
    pub fn did(&mut self, did: Did, tell: &mut dyn FnMut(Life)) {
        match did {
            Did::Fork { parent, child } => {
                if !self.all.contains_key(&parent) {
                    return;
                }
                let program = self.all[&parent].program.clone();
                // It may have asked before its birth was told, and be gone by now.
                let inside = self.all.get(&child).filter(|known| !known.ended).and_then(|known| known.inside);
                self.all.insert(child, Known { inside, program, parent, ..Known::default() });
                let (parent, child) = (self.process(parent), self.process(child));
                tell(Life::Forked { parent, child });
            }
            Did::Exec { pid } if pid == self.init && std::mem::take(&mut self.beginning) => {}
            Did::Exec { pid } => {
                let Some(argv) = self.executed(pid) else { return };
                let process = self.process(pid);
                tell(Life::Executed { process, argv });
            }
            Did::Exit { pid, status } => self.exited(pid, status, tell),
        }
    }

    fn exited(&mut self, pid: i32, status: i32, tell: &mut dyn FnMut(Life)) {
        if pid == self.init || !self.all.contains_key(&pid) {
            return;
        }
        let process = self.process(pid);
        let (code, signal) = match status & 0x7f {
            0 => (Some((status >> 8) as u8), None),
            n => (None, Some(signal_name(n))),
        };
        tell(Life::Ended { process: process.clone(), code, signal });
        if let Some(known) = self.all.get_mut(&pid) {
            known.ended = true;
        }
        self.unasked.push((pid, Instant::now() + PATIENCE));
        let children: Vec<i32> =
            self.all.iter().filter(|(_, k)| k.parent == pid && !k.ended).map(|(p, _)| *p).collect();
        for child in children {
            let Some(now) = parent(child).filter(|p| *p != pid) else { continue };
            if let Some(known) = self.all.get_mut(&child) {
                known.parent = now;
            }
            if self.all.contains_key(&now) {
                let (orphan, parent) = (self.process(child), self.process(now));
                tell(Life::Adopted { process: orphan, former: process.clone(), parent });
            }
        }
    }

    /// When to look at ended processes again.
    pub fn due(&self) -> Option<Instant> {
        self.unasked.iter().map(|(_, at)| *at).min()
    }

    /// Tells of those whose parent still has not asked.
    pub fn look(&mut self, tell: &mut dyn FnMut(Life)) {
        let now = Instant::now();
        let due: Vec<i32> = self.unasked.iter().filter(|(_, at)| *at <= now).map(|(pid, _)| *pid).collect();
        self.unasked.retain(|(_, at)| *at > now);
        for pid in due {
            let zombie = status(pid, "State").is_some_and(|s| s.starts_with('Z'));
            match parent(pid).filter(|p| zombie && self.all.contains_key(p)) {
                Some(parent) => {
                    let (process, parent) = (self.process(pid), self.process(parent));
                    tell(Life::Zombie { process, parent });
                }
                None => drop(self.all.remove(&pid)),
            }
        }
    }
}

/// One line of /proc/PID/status.
pub fn status(pid: i32, key: &str) -> Option<String> {
    let text = text_of(&format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix(':'))?;
    Some(line.trim().to_owned())
}

/// Its parent's number on the host.
pub fn parent(pid: i32) -> Option<i32> {
    status(pid, "PPid")?.parse().ok()
}

fn namespaced(pid: i32) -> Vec<i32> {
    let text = status(pid, "NSpid").unwrap_or_default();
    text.split_whitespace().filter_map(|n| n.parse().ok()).collect()
}

fn comm(pid: i32) -> String {
    text_of(&format!("/proc/{pid}/comm")).map(|c| c.trim_end().to_owned()).unwrap_or_default()
}
