//! While the command lives: wait for it, pass signals on, carry the terminal.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno as Io;
use rustix::process::{WaitId, WaitIdOptions};

use super::calls::fail;
use super::init::signal_name;
use super::kernel::{Child, LinuxKernel};
use super::life::Watcher;
use super::recorder::{Recorder, zero};
use super::terminal::{Raw, copy_size};
use crate::kernel::{Errno, Failure, OnLife, Slots};
use crate::trace::{Kind, Life, Value};

/// Passed on as Docker's `--sig-proxy` does: what a user or a service manager
/// sends, not what a fault of the runtime itself would raise. SIGWINCH sets the
/// terminal's size instead.
const FORWARDED: [Signal; 14] = [
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGALRM,
    Signal::SIGTERM,
    Signal::SIGCONT,
    Signal::SIGTSTP,
    Signal::SIGVTALRM,
    Signal::SIGPROF,
    Signal::SIGWINCH,
    Signal::SIGIO,
    Signal::SIGPWR,
];

/// How the command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It exited with this code.
    Code(u8),
    /// This signal killed it.
    Signal(i32),
}

impl Ended {
    /// The exit status of `run`: the code, or 128 and the signal's number.
    pub fn status(self) -> u8 {
        match self {
            Ended::Code(code) => code,
            Ended::Signal(n) => 128u8.wrapping_add(n as u8),
        }
    }
}

fn forwarded() -> SigSet {
    FORWARDED.into_iter().collect()
}

/// Holds signals back from when the command is about to start, so that none of
/// them is lost or ends the runtime: [`run`] reads them.
pub fn hold_signals(rec: &mut Recorder) -> Result<(), Failure> {
    rec.call(
        "rt_sigprocmask",
        || {
            let names: Vec<&str> = FORWARDED.iter().map(|s| s.as_str()).collect();
            vec![("how", Value::from("SIG_BLOCK")), ("set", Value::Text(format!("[{}]", names.join(" "))))]
        },
        zero,
        || sigprocmask(SigmaskHow::SIG_BLOCK, Some(&forwarded()), None),
    )
    .map_err(fail(|| "hold signals back".to_owned()))
}

/// Waits for the end of the process, and reaps it.
pub fn reap(rec: &mut Recorder, pidfd: &OwnedFd) -> Result<Ended, Errno> {
    reaped(rec, pidfd, || {
        loop {
            match rustix::process::waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED) {
                Ok(Some(ended)) => {
                    return Ok(match (ended.exit_status(), ended.terminating_signal()) {
                        (Some(code), _) => Ended::Code(code as u8),
                        (None, Some(signal)) => Ended::Signal(signal),
                        (None, None) => Ended::Code(255),
                    });
                }
                Ok(None) | Err(Io::INTR) => {}
                Err(e) => return Err(e.into()),
            }
        }
    })
}

/// Records waitid(2) for a process that is reaped by `wait`.
pub fn reaped(
    rec: &mut Recorder,
    pidfd: &OwnedFd,
    wait: impl FnOnce() -> Result<Ended, Errno>,
) -> Result<Ended, Errno> {
    rec.call(
        "waitid",
        || {
            vec![
                ("idtype", Value::from("P_PIDFD")),
                ("id", super::calls::fd_value(pidfd)),
                ("options", Value::from("WEXITED")),
            ]
        },
        zero,
        wait,
    )
}

/// pidfd_send_signal(2).
pub fn signal(rec: &mut Recorder, pidfd: &OwnedFd, signal: i32) -> Result<(), Errno> {
    rec.call(
        "pidfd_send_signal",
        || vec![("pidfd", super::calls::fd_value(pidfd)), ("sig", Value::Text(signal_name(signal)))],
        zero,
        || {
            use std::os::fd::AsRawFd;
            let none = std::ptr::null::<libc::siginfo_t>();
            // SAFETY: plain numbers, and no siginfo.
            let r =
                unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal, none, 0u32) };
            nix::errno::Errno::result(r).map(drop)
        },
    )
}

/// Stays with the command until it ends.
pub fn run(
    kernel: &mut LinuxKernel,
    child: &mut Child,
    interactive: bool,
    mut watcher: Option<&mut Watcher>,
    slots: &Slots,
    life: OnLife<'_>,
) -> Result<Ended, Failure> {
    let pid = child.pid;
    let signals = SignalFd::with_flags(&forwarded(), SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
        .map_err(|e| Failure::new("wait for signals", Some(e.into())))?;
    let terminal = kernel.state.terminal.take();
    let raw = match (&terminal, interactive) {
        (Some(_), true) => Raw::enter(),
        _ => None,
    };
    let mut pump = match &terminal {
        Some(master) => Some(Pump::new(master, interactive)?),
        None => None,
    };
    loop {
        life.goes_on()?;
        let mut fds = vec![
            PollFd::from_borrowed_fd(child.pidfd.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(signals.as_fd(), PollFlags::IN),
        ];
        if let Some(pump) = &pump {
            pump.watch(&mut fds);
        }
        let mut patience = None;
        if let Some(watcher) = &watcher {
            watcher.fds(&mut fds);
            patience = watcher.patience().and_then(|p| rustix::event::Timespec::try_from(p).ok());
        }
        life.idle();
        match poll(&mut fds, patience.as_ref()) {
            Ok(_) | Err(Io::INTR) => {}
            Err(e) => return Err(Failure::new("wait for the command", Some(e.into()))),
        }
        let (ended, signalled) = (!fds[0].revents().is_empty(), !fds[1].revents().is_empty());
        if let Some(pump) = &mut pump {
            pump.carry();
        }
        if let Some(watcher) = &mut watcher {
            while let Some((held, asked)) = watcher.serve(life)? {
                life.held(&held, kernel, slots)?;
                watcher.go_on(&asked);
            }
        }
        while let Some(info) = signalled.then(|| signals.read_signal().ok().flatten()).flatten() {
            let number = info.ssi_signo as i32;
            match &terminal {
                Some(master) if number == libc::SIGWINCH => copy_size(&mut kernel.rec, master),
                _ if number == libc::SIGWINCH => {}
                _ => {
                    // It may have ended just now.
                    if signal(&mut kernel.rec, &child.pidfd, number).is_ok() {
                        life.tell(Life::Signalled { signal: signal_name(number) });
                    }
                }
            }
        }
        if ended {
            break;
        }
    }
    if let Some(pump) = &mut pump {
        pump.carry();
    }
    drop(raw);
    let ended = child.reap(&mut kernel.rec).map_err(fail(|| "wait for the command".to_owned()))?;
    let (code, killed) = match ended {
        Ended::Code(code) => (Some(code), None),
        Ended::Signal(n) => (None, Some(signal_name(n))),
    };
    life.tell(Life::Exited { pid: Value::volatile(Kind::Pid, pid), code, signal: killed });
    if let Some(watcher) = watcher {
        watcher.finish(ended == Ended::Signal(libc::SIGKILL), life);
    }
    Ok(ended)
}

/// Carries bytes between the user's terminal and the container's.
struct Pump<'a> {
    master: &'a OwnedFd,
    input: Option<BorrowedFd<'static>>,
    /// Read from the user, not yet taken by the container.
    pending: Vec<u8>,
    open: bool,
}

impl<'a> Pump<'a> {
    fn new(master: &'a OwnedFd, interactive: bool) -> Result<Self, Failure> {
        // Else a command that reads nothing would block its output too.
        rustix::io::ioctl_fionbio(master, true)
            .map_err(|e| Failure::new("set up the terminal", Some(e.into())))?;
        let input = interactive.then(rustix::stdio::stdin);
        Ok(Pump { master, input, pending: Vec::new(), open: true })
    }

    fn watch<'f>(&'f self, fds: &mut Vec<PollFd<'f>>) {
        if !self.open {
            return;
        }
        let mut wanted = PollFlags::IN;
        if self.pending.is_empty() {
            if let Some(input) = self.input {
                fds.push(PollFd::from_borrowed_fd(input, PollFlags::IN));
            }
        } else {
            wanted |= PollFlags::OUT;
        }
        fds.push(PollFd::from_borrowed_fd(self.master.as_fd(), wanted));
    }

    fn carry(&mut self) {
        self.take_input();
        self.give_input();
        self.give_output();
    }

    fn take_input(&mut self) {
        let Some(input) = self.input.filter(|_| self.pending.is_empty()) else { return };
        let mut ready = [PollFd::from_borrowed_fd(input, PollFlags::IN)];
        let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
        if !matches!(poll(&mut ready, Some(&now)), Ok(1..)) {
            return;
        }
        let mut buffer = [0; 4096];
        match rustix::io::read(input, &mut buffer) {
            Ok(0) => {
                // What a user would type at the end of input.
                self.pending.push(4);
                self.input = None;
            }
            Ok(n) => self.pending.extend_from_slice(&buffer[..n]),
            Err(Io::INTR | Io::AGAIN) => {}
            Err(_) => self.input = None,
        }
    }

    fn give_input(&mut self) {
        while !self.pending.is_empty() {
            match rustix::io::write(self.master, &self.pending) {
                Ok(n) => drop(self.pending.drain(..n)),
                Err(Io::INTR) => {}
                Err(_) => return,
            }
        }
    }

    fn give_output(&mut self) {
        let mut buffer = [0; 16384];
        loop {
            match rustix::io::read(self.master, &mut buffer) {
                Ok(n) if n > 0 => {
                    let mut rest = &buffer[..n];
                    while !rest.is_empty() {
                        match rustix::io::write(rustix::stdio::stdout(), rest) {
                            Ok(n) => rest = &rest[n..],
                            Err(Io::INTR) => {}
                            Err(_) => return,
                        }
                    }
                }
                Err(Io::INTR) => {}
                Err(Io::AGAIN) => return,
                // EIO: nobody in the container has the terminal open any more.
                Ok(_) | Err(_) => {
                    self.open = false;
                    return;
                }
            }
        }
    }
}
