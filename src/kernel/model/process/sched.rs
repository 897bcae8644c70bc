//! The scheduler: programs are futures, polled in turn by process number. A
//! call that would block leaves its future pending; when every future is, time
//! jumps to the next one that sleeps.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::Gpid;
use crate::kernel::model::kernel::{Console, Stream};
use crate::kernel::model::sys::ModelSys;
use crate::kernel::model::world::World;
use crate::kernel::{Failure, OnLife};
use crate::trace::Life;
use crate::userland::{Exit, Invocation};

/// A running program.
pub(crate) type Task = Pin<Box<dyn Future<Output = u8>>>;
/// What makes a program of an invocation; the userland, or a test's own.
pub(crate) type Program = Rc<dyn Fn(ModelSys, Invocation) -> Task>;

/// What all processes' handles share. The world is borrowed only within one
/// call, never across an await.
pub(crate) struct Shared {
    pub world: RefCell<World>,
    /// Programs of processes that were made, or that changed by exec, since the
    /// scheduler last looked.
    pub started: RefCell<Vec<(Gpid, Task)>>,
    pub program: Program,
}

/// Every process waits and nothing will ever wake one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standstill {
    /// Number and name of each process that waits.
    pub waiting: Vec<(Gpid, String)>,
}

/// Why the machine no longer runs.
#[derive(Debug, PartialEq)]
pub(crate) enum Stop {
    /// The process that was waited for has ended.
    Ended(Exit),
    /// A process is held before its call. It makes it when the machine runs again.
    Held(Box<Life>),
    /// Whoever listens does not let the container live on.
    Quit(Failure),
}

/// The processes of the machine and what they run.
pub(crate) struct Machine {
    pub shared: Rc<Shared>,
    tasks: BTreeMap<Gpid, Task>,
    /// Who still has a turn in this round, the next one last.
    round: Vec<Gpid>,
    /// What the world had done when the round began.
    before: u64,
}

impl Machine {
    pub fn new(world: World, program: Program) -> Machine {
        let shared = Shared { world: RefCell::new(world), started: RefCell::new(Vec::new()), program };
        Machine { shared: Rc::new(shared), tasks: BTreeMap::new(), round: Vec::new(), before: 0 }
    }

    /// Runs until this process has ended, or one is held.
    pub fn run(&mut self, init: Gpid, console: &mut Console, hear: OnLife<'_>) -> Result<Stop, Standstill> {
        loop {
            if self.round.is_empty() {
                self.before = self.shared.world.borrow().progress;
                self.take_started();
                self.round.extend(self.tasks.keys().rev());
            }
            while let Some(pid) = self.round.last() {
                self.step(*pid);
                self.shared.world.borrow_mut().tell_life(hear);
                self.flush(console);
                if let Err(failure) = hear.goes_on() {
                    return Ok(Stop::Quit(failure));
                }
                let question = self.shared.world.borrow_mut().take_question();
                match question {
                    // Its turn is not over: whether it is held changes nothing for the others.
                    Some(held) if hear.wants(&held) => return Ok(Stop::Held(Box::new(held))),
                    Some(_) => {}
                    None => drop(self.round.pop()),
                }
            }
            if let Some(exit) = self.ended(init) {
                return Ok(Stop::Ended(exit));
            }
            let moved = self.shared.world.borrow().progress != self.before;
            if !moved && self.shared.started.borrow().is_empty() {
                self.idle(console)?;
            }
        }
    }

    /// The exit of a process; no longer known is ended too.
    fn ended(&mut self, pid: Gpid) -> Option<Exit> {
        let world = self.shared.world.borrow();
        match world.procs.get(&pid) {
            Some(p) => p.exit,
            None => Some(Exit::Signal(9)),
        }
    }

    fn take_started(&mut self) {
        let started = std::mem::take(&mut *self.shared.started.borrow_mut());
        self.tasks.extend(started);
    }

    fn step(&mut self, pid: Gpid) {
        let Some(mut task) = self.tasks.remove(&pid) else { return };
        if self.settle(pid) {
            return;
        }
        if self.shared.world.borrow().procs.get(&pid).is_some_and(|p| p.stopped) {
            self.tasks.insert(pid, task);
            return;
        }
        let polled = task.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        if let Poll::Ready(code) = polled {
            drop(task);
            let dying = self.settle(pid);
            if !dying {
                self.shared.world.borrow_mut().exit(pid, Exit::Code(code));
            }
            return;
        }
        if self.settle(pid) {
            return;
        }
        self.take_started();
        // After exec the new program is there already and the old one is let go.
        self.tasks.entry(pid).or_insert(task);
    }

    /// Ends a process that a signal has hit. `true` when it is no more.
    fn settle(&mut self, pid: Gpid) -> bool {
        let mut world = self.shared.world.borrow_mut();
        match world.procs.get(&pid) {
            None => true,
            Some(p) if p.exit.is_some() => true,
            Some(p) => match p.fatal {
                Some(signal) => {
                    world.exit(pid, Exit::Signal(signal.0));
                    true
                }
                None => false,
            },
        }
    }

    fn flush(&mut self, console: &mut Console) {
        let out = std::mem::take(&mut self.shared.world.borrow_mut().out);
        for (stream, bytes) in out {
            if !(console.output)(stream, &bytes) {
                self.shared.world.borrow_mut().out_closed[stream as usize] = true;
            }
        }
    }

    /// All wait: for input, for time, or for ever.
    fn idle(&mut self, console: &mut Console) -> Result<(), Standstill> {
        let mut world = self.shared.world.borrow_mut();
        if std::mem::take(&mut world.wants_input) && !world.input_ended {
            drop(world);
            let bytes = (console.input)();
            let mut world = self.shared.world.borrow_mut();
            match bytes {
                Some(bytes) => world.type_in(&bytes),
                None => world.input_ended = true,
            }
            world.progress += 1;
            return Ok(());
        }
        let now = world.micros;
        let next =
            world.procs.values().filter(|p| p.exit.is_none() && !p.stopped).filter_map(|p| p.wake).min();
        if let Some(at) = next {
            world.micros = at.max(now);
            world.progress += 1;
            world.note_zombies();
            return Ok(());
        }
        let waiting = self
            .tasks
            .keys()
            .filter_map(|pid| world.procs.get(pid))
            .map(|p| (p.pid, p.comm.clone()))
            .collect();
        Err(Standstill { waiting })
    }

    /// Forgets the programs of processes that are no more.
    pub fn sweep(&mut self) {
        self.take_started();
        let world = self.shared.world.borrow();
        let dead: Vec<Gpid> = self
            .tasks
            .keys()
            .filter(|pid| world.procs.get(pid).is_none_or(|p| p.exit.is_some()))
            .copied()
            .collect();
        drop(world);
        for pid in dead {
            self.tasks.remove(&pid);
        }
        self.round.clear();
    }
}

impl std::fmt::Debug for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Machine").field("tasks", &self.tasks.len()).finish_non_exhaustive()
    }
}

impl World {
    /// The console has to take what there is before more is written.
    pub(crate) fn out_full(&self) -> bool {
        self.out.len() >= 64
    }

    /// Bytes from the console's keyboard.
    pub(crate) fn type_in(&mut self, bytes: &[u8]) {
        if !self.console_tty {
            self.input.extend(bytes);
            return;
        }
        for &b in bytes {
            match b {
                // ^C and ^\ reach every process of the terminal but process 1.
                3 | 28 => {
                    self.tty_line.clear();
                    self.write_tty(if b == 3 { b"^C\n" } else { b"^\\\n" });
                    let signal = super::Signal(if b == 3 { 2 } else { 3 });
                    let all: Vec<Gpid> =
                        self.procs.values().filter(|p| p.ns.pid != self.host_ns.pid).map(|p| p.pid).collect();
                    for pid in all {
                        self.send(pid, signal, None);
                    }
                }
                // ^D ends the input, or hands over a line without its end.
                4 if self.tty_line.is_empty() => self.input_ended = true,
                4 => self.input.extend(std::mem::take(&mut self.tty_line)),
                8 | 127 => {
                    if self.tty_line.pop().is_some() {
                        self.out.push((Stream::Stdout, b"\x08 \x08".to_vec()));
                    }
                }
                _ => {
                    let b = if b == b'\r' { b'\n' } else { b };
                    self.tty_line.push(b);
                    self.write_tty(&[b]);
                    if b == b'\n' {
                        self.input.extend(std::mem::take(&mut self.tty_line));
                    }
                }
            }
        }
    }

    /// A terminal ends its lines with a return too (`onlcr`).
    pub(crate) fn write_tty(&mut self, bytes: &[u8]) {
        let mut text = Vec::with_capacity(bytes.len() + 8);
        for &b in bytes {
            if b == b'\n' {
                text.push(b'\r');
            }
            text.push(b);
        }
        self.out.push((Stream::Stdout, text));
    }

    pub(crate) fn input_ready(&mut self) -> bool {
        let ready = !self.input.is_empty() || self.input_ended;
        self.wants_input |= !ready;
        ready
    }

    pub(crate) fn read_host(&mut self, max: usize) -> crate::kernel::model::vfs::ReadOutcome {
        use crate::kernel::model::vfs::ReadOutcome;
        if max > 0 && !self.input_ready() {
            return ReadOutcome::Block;
        }
        let count = max.min(self.input.len());
        ReadOutcome::Data(self.input.drain(..count).collect())
    }

    /// One line at most, as a terminal in canonical mode gives it.
    pub(crate) fn read_tty(&mut self, max: usize) -> crate::kernel::model::vfs::ReadOutcome {
        let line = self.input.iter().position(|b| *b == b'\n').map_or(max, |at| max.min(at + 1));
        self.read_host(line)
    }
}
