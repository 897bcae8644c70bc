//! The processes of the container, by their pids inside and outside.

use serde::Serialize;

use super::fact;
use crate::kernel::Slots;
use crate::plan::Op;
use crate::plan::op::{Ns, Slot};
use crate::trace::{self, Fact, Life, Value};

/// In the order in which they appeared; init is the first.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Processes {
    /// Those that ended are among them.
    pub all: Vec<Process>,
}

/// A process.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Process {
    /// Its pid on the host.
    pub outside: Value,
    /// Its pid in the container's pid namespace.
    pub inside: Option<Value>,
    /// The pid of its parent on the host; none for init, whose parent is glassbox.
    pub parent: Option<Value>,
    /// What it runs.
    pub program: String,
    /// How it is.
    pub state: ProcessState,
}

/// How a process is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProcessState {
    /// It is still glassbox, preparing itself for the container's command.
    Preparing,
    /// It runs.
    Running,
    /// It has ended, and its parent did not ask yet how.
    Zombie,
    /// It exited with this code.
    Exited(u8),
    /// This signal killed it.
    Killed(String),
    /// It ended; how, nobody said.
    Ended,
}

impl Process {
    fn told(process: &trace::Process, parent: Option<&Value>, state: ProcessState) -> Process {
        Process {
            outside: process.pid.clone(),
            inside: process.inside.clone(),
            parent: parent.cloned(),
            program: process.program.clone(),
            state,
        }
    }
}

impl ProcessState {
    /// It has ended, and nothing of it is left.
    pub fn over(&self) -> bool {
        matches!(self, ProcessState::Exited(_) | ProcessState::Killed(_) | ProcessState::Ended)
    }
}

impl Processes {
    pub(super) fn done(&mut self, op: &Op, facts: &[Fact], slots: &Slots) {
        match op {
            Op::Clone { namespaces, .. } => {
                let Some(pid) = slots.get(&Slot::InitPid) else { return };
                // The first process of a pid namespace is number 1, pid_namespaces(7).
                let inside = if namespaces.contains(&Ns::Pid) { Value::Int(1) } else { pid.clone() };
                self.all = vec![Process {
                    outside: pid.clone(),
                    inside: Some(inside),
                    parent: None,
                    program: "glassbox".to_owned(),
                    state: ProcessState::Preparing,
                }];
            }
            // Its number inside is the kernel's to say.
            Op::SpawnInside { .. } => {
                let Some(pid) = slots.get(&Slot::ProcessPid) else { return };
                self.all = vec![Process {
                    outside: pid.clone(),
                    inside: fact(facts, "pid inside").cloned(),
                    parent: None,
                    program: "glassbox".to_owned(),
                    state: ProcessState::Preparing,
                }];
            }
            Op::Exec { argv, .. } => {
                let named = fact(facts, "Name").map(Value::text);
                if let Some(init) = self.all.first_mut() {
                    init.program = argv.first().cloned().or(named).unwrap_or_default();
                    // It may have ended before anything could be read of it.
                    if init.state == ProcessState::Preparing {
                        init.state = ProcessState::Running;
                    }
                }
            }
            // With init all others of its pid namespace are killed.
            Op::Supervise { .. } => self.killed(),
            _ => {}
        }
    }

    pub(super) fn killed(&mut self) {
        for process in self.all.iter_mut().filter(|p| !p.state.over()) {
            process.state = ProcessState::Ended;
        }
    }

    pub(super) fn life(&mut self, life: &Life) {
        match life {
            Life::Started { pid } => self.change(pid, |p| p.state = ProcessState::Running),
            Life::Exited { pid, code, signal } => {
                let state = match (code, signal) {
                    (Some(code), _) => ProcessState::Exited(*code),
                    (None, Some(signal)) => ProcessState::Killed(signal.clone()),
                    (None, None) => ProcessState::Ended,
                };
                self.change(pid, |p| p.state = state);
            }
            Life::Forked { parent, child } => {
                let child = Process::told(child, Some(&parent.pid), ProcessState::Running);
                // A number may come again: the process that had it is over.
                self.all.retain(|p| p.outside != child.outside || !p.state.over());
                self.meet(child);
            }
            Life::Executed { process, argv } => {
                self.meet(Process::told(process, None, ProcessState::Running));
                let program = argv.first().unwrap_or(&process.program).clone();
                self.change(&process.pid, |p| p.program = program);
            }
            Life::Ended { process, code, signal } => {
                let state = match (code, signal) {
                    (Some(code), _) => ProcessState::Exited(*code),
                    (None, Some(signal)) => ProcessState::Killed(signal.clone()),
                    (None, None) => ProcessState::Ended,
                };
                self.meet(Process::told(process, None, ProcessState::Running));
                self.change(&process.pid, |p| p.state = state);
            }
            Life::Adopted { process, parent, .. } => {
                self.meet(Process::told(process, Some(&parent.pid), ProcessState::Running));
                self.change(&process.pid, |p| p.parent = Some(parent.pid.clone()));
            }
            Life::Zombie { process, parent } => {
                self.meet(Process::told(process, Some(&parent.pid), ProcessState::Zombie));
                self.change(&process.pid, |p| p.state = ProcessState::Zombie);
            }
            _ => {}
        }
    }

    /// A process that was not heard of before.
    fn meet(&mut self, process: Process) {
        if !self.all.iter().any(|p| p.outside == process.outside) {
            self.all.push(process);
        }
    }

    fn change(&mut self, outside: &Value, change: impl FnOnce(&mut Process)) {
        if let Some(process) = self.all.iter_mut().rfind(|p| p.outside == *outside) {
            change(process);
        }
    }

    /// The container's first process.
    pub fn init(&self) -> Option<&Process> {
        self.all.first()
    }

    /// The children of a process that have not ended.
    pub fn children<'a>(&'a self, of: &'a Process) -> impl Iterator<Item = &'a Process> {
        self.all.iter().filter(|p| p.parent.as_ref() == Some(&of.outside) && !p.state.over())
    }
}
