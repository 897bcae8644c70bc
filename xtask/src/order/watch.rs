//! Which functions a program enters: a breakpoint at each of them, taken away
//! at the first hit, ptrace(2). Children are followed until they execute
//! another program.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use nix::errno::Errno;
use nix::sys::ptrace::{self, Event, Options};
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::entries::Entries;

const BREAKPOINT: u8 = 0xcc;

/// Runs a command and gives the addresses of the functions that it and its
/// children entered, each once, first come first.
pub fn entered(mut command: Command, program: &Entries) -> Result<Vec<u64>> {
    ensure!(cfg!(target_arch = "x86_64"), "breakpoints are known for x86_64 only");
    // SAFETY: ptrace(2) is one system call, and allocates nothing.
    unsafe { command.pre_exec(|| ptrace::traceme().map_err(Into::into)) };
    let child = command.spawn().context("failed to start glassbox")?;
    let first = Pid::from_raw(i32::try_from(child.id())?);

    let mut traced =
        Traced { program, base: 0, memory: HashMap::new(), seen: HashSet::new(), order: Vec::new() };
    let mut status = None;
    loop {
        match waitpid(None, Some(WaitPidFlag::__WALL)) {
            Ok(WaitStatus::Exited(pid, code)) if pid == first => status = Some(code),
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == first => {
                bail!("glassbox was killed by {signal}")
            }
            Ok(stopped) => traced.stopped(first, stopped)?,
            Err(Errno::ECHILD) => break,
            Err(e) => return Err(e).context("failed to wait for glassbox"),
        }
    }
    ensure!(status == Some(0), "glassbox ended with {status:?}");
    Ok(traced.order)
}

struct Traced<'a> {
    program: &'a Entries,
    /// Where the program is loaded.
    base: u64,
    /// `/proc/PID/mem` of each process.
    memory: HashMap<Pid, File>,
    seen: HashSet<u64>,
    order: Vec<u64>,
}

impl Traced<'_> {
    fn stopped(&mut self, first: Pid, status: WaitStatus) -> Result<()> {
        match status {
            WaitStatus::Stopped(pid, Signal::SIGTRAP) if self.base == 0 && pid == first => {
                self.loaded(pid)?;
                ptrace::cont(pid, None)?;
            }
            WaitStatus::Stopped(pid, Signal::SIGTRAP) => {
                self.hit(pid)?;
                ptrace::cont(pid, None)?;
            }
            // A new process begins with it.
            WaitStatus::Stopped(pid, Signal::SIGSTOP) => ptrace::cont(pid, None)?,
            WaitStatus::Stopped(pid, signal) => ptrace::cont(pid, signal)?,
            WaitStatus::PtraceEvent(pid, _, event) if event == Event::PTRACE_EVENT_EXEC as i32 => {
                self.memory.remove(&pid);
                ptrace::detach(pid, None)?;
            }
            WaitStatus::PtraceEvent(pid, ..) => ptrace::cont(pid, None)?,
            _ => {}
        }
        Ok(())
    }

    /// The program is in memory, and nothing of it has run.
    fn loaded(&mut self, pid: Pid) -> Result<()> {
        ptrace::setoptions(
            pid,
            Options::PTRACE_O_TRACEFORK
                | Options::PTRACE_O_TRACEVFORK
                | Options::PTRACE_O_TRACECLONE
                | Options::PTRACE_O_TRACEEXEC
                | Options::PTRACE_O_EXITKILL,
        )?;
        let maps = fs::read_to_string(format!("/proc/{pid}/maps"))?;
        let start = maps.split('-').next().context("the program has no memory")?;
        self.base = u64::from_str_radix(start, 16)?;
        let memory = self.memory_of(pid)?;
        for address in self.program.addresses() {
            memory.write_all_at(&[BREAKPOINT], self.base + address)?;
        }
        self.memory.insert(pid, memory);
        Ok(())
    }

    fn memory_of(&self, pid: Pid) -> Result<File> {
        let path = format!("/proc/{pid}/mem");
        OpenOptions::new().write(true).open(&path).with_context(|| format!("failed to open {path}"))
    }

    /// A breakpoint of ours was hit: the function goes on as it was written.
    fn hit(&mut self, pid: Pid) -> Result<()> {
        let mut registers = ptrace::getregs(pid)?;
        let Some(address) = (registers.rip - 1).checked_sub(self.base) else { bail!("a foreign breakpoint") };
        let original = self.program.at(address).code[0];
        if !self.memory.contains_key(&pid) {
            let memory = self.memory_of(pid)?;
            self.memory.insert(pid, memory);
        }
        self.memory[&pid].write_all_at(&[original], registers.rip - 1)?;
        registers.rip -= 1;
        ptrace::setregs(pid, registers)?;
        if self.seen.insert(address) {
            self.order.push(address);
        }
        Ok(())
    }
}
