//! The process that becomes the command, as the runtime holds it: made, spoken to,
//! killed or let go of.

use super::{Child, LinuxKernel, no_init};
use crate::kernel::linux::cx::Cx;
use crate::kernel::linux::init::{self, Init};
use crate::kernel::linux::protocol::{Answer, Channel};
use crate::kernel::linux::recorder::{Recorder, zero};
use crate::kernel::linux::supervise::{self, Ended};
use crate::kernel::linux::{clone, inside};
use crate::kernel::{Errno, Failure, Slots};
use crate::plan::op::{Ns, Slot};
use crate::trace::{Call, Kind, Value};

impl Child {
    /// Reaps it in a thread, as soon as it ends: the kernel ends a pid namespace only when the
    /// parents of all that were in it have asked for them.
    fn reap_early(&mut self) -> Result<(), Failure> {
        let what = |e: std::io::Error| Failure::new("wait for the new process in a thread", Some(e.into()));
        let pidfd = self.pidfd.try_clone().map_err(what)?;
        let reap = move || supervise::reap(&mut Recorder::off(), &pidfd);
        self.reaper = Some(std::thread::Builder::new().spawn(reap).map_err(what)?);
        Ok(())
    }

    /// Waits for its end, and reaps it.
    pub fn reap(&mut self, rec: &mut Recorder) -> Result<Ended, Errno> {
        match self.reaper.take() {
            None => supervise::reap(rec, &self.pidfd),
            Some(reaper) => supervise::reaped(rec, &self.pidfd, || reaper.join().unwrap_or(Err(Errno::EIO))),
        }
    }
}

impl LinuxKernel {
    pub(super) fn clone_init(
        &mut self,
        namespaces: &[Ns],
        cgroup: Option<&str>,
        slots: &mut Slots,
    ) -> Result<(), Failure> {
        let pair = self.channel()?;
        let mut cx = Cx { rec: &mut self.rec, slots };
        let side = clone::clone(namespaces, cgroup, &mut cx, &self.state)?;
        self.go_on_as(side, pair, namespaces.contains(&Ns::User));
        // Init has its own descriptor of it; the mount goes with the last.
        self.state.detached = None;
        Ok(())
    }

    /// Makes the process that joins a container, and takes the choice of the pid
    /// namespace back.
    pub(super) fn spawn_inside(&mut self, cgroup: Option<&str>, slots: &mut Slots) -> Result<(), Failure> {
        let pair = self.channel()?;
        let own = inside::choose_pid_namespace(&mut self.rec, &self.state)?;
        let side = clone::spawn(cgroup, &mut Cx { rec: &mut self.rec, slots });
        let side = match side {
            Ok(side) => side,
            Err(failure) => {
                inside::choose_own(&mut self.rec, &own)?;
                return Err(failure);
            }
        };
        self.go_on_as(side, pair, false);
        let done = inside::choose_own(&mut self.rec, &own);
        if self.reaps_early
            && let Some(child) = &mut self.child
        {
            child.reap_early()?;
        }
        if let Some(child) = &self.child {
            self.state.process = Some(child.pid);
            slots.insert(Slot::ProcessPid, Value::volatile(Kind::Pid, child.pid));
            let born = inside::born(child.pid).unwrap_or_default();
            slots.insert(Slot::ProcessBorn, Value::volatile(Kind::Time, born));
        }
        done
    }

    pub(super) fn channel(&mut self) -> Result<(Channel, Channel), Failure> {
        self.rec
            .call(
                "socketpair",
                || {
                    vec![
                        ("domain", Value::from("AF_UNIX")),
                        ("type", Value::from("SOCK_STREAM|SOCK_CLOEXEC")),
                        ("protocol", Value::Int(0)),
                    ]
                },
                zero,
                Channel::pair,
            )
            .map_err(|e| Failure::new("make a channel to the new process", Some(e)))
    }

    /// The new process never comes back from here; the runtime holds it from now on.
    pub(super) fn go_on_as(
        &mut self,
        side: clone::Side,
        (ours, theirs): (Channel, Channel),
        user_namespace: bool,
    ) {
        match side {
            clone::Side::Init => {
                drop(ours);
                init::main(Init {
                    channel: theirs,
                    ops: std::mem::take(&mut self.steps).into_iter().map(|s| s.op).collect(),
                    state: std::mem::take(&mut self.state),
                    watch: self.watch,
                    user_namespace,
                })
            }
            clone::Side::Runtime { pid, pidfd } => {
                drop(theirs);
                self.child = Some(Child { pid, pidfd, channel: ours, reaper: None });
            }
        }
    }

    /// What is said of the process that becomes the command.
    pub(super) fn who(&self) -> &'static str {
        if self.state.joins { "the process" } else { "the init process" }
    }

    /// The calls by which init made itself ready. Where nobody watches it does not
    /// speak of them.
    pub(super) fn init_is_ready(&mut self) -> Result<Vec<Call>, Failure> {
        let Some(child) = self.child.as_mut().filter(|_| self.rec.is_on()) else { return Ok(Vec::new()) };
        match child.channel.receive::<Answer>() {
            Ok(Some(Answer::Done(applied))) => Ok(applied.calls),
            Ok(_) => Err(self.init_died(None)),
            Err(e) => Err(self.init_died(Some(e))),
        }
    }

    pub(super) fn init_died(&mut self, errno: Option<Errno>) -> Failure {
        let Some(mut child) = self.child.take() else { return no_init() };
        let who = self.who();
        match child.reap(&mut Recorder::off()) {
            Ok(Ended::Signal(n)) => {
                let name = init::signal_name(n);
                let failure = Failure::new(format!("go on: {who} was killed by {name}"), None);
                match n {
                    libc::SIGKILL if self.state.joins => failure.status(137).hint(
                        "the container ended meanwhile, or has too little memory: see `glassbox ps -a`",
                    ),
                    libc::SIGKILL => failure.hint("the memory limit may be too low for it: see `dmesg`"),
                    _ => failure,
                }
            }
            Ok(Ended::Code(code)) => {
                Failure::new(format!("go on: {who} exited with {code} before its command"), errno)
            }
            Err(e) => Failure::new(format!("go on: {who} is gone"), Some(e)),
        }
    }

    /// Kills init, or the process that joins, and waits until it is gone: with init its
    /// namespaces.
    pub(super) fn kill_init(&mut self) -> Result<(), Failure> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        let mut watcher = self.watcher.take().filter(|_| self.state.joins);
        let who = self.who();
        match supervise::signal(&mut self.rec, &child.pidfd, libc::SIGKILL) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(e) => return Err(Failure::new(format!("kill {who}, {}", child.pid), Some(e))),
        }
        if let Some(watcher) = &mut watcher {
            watcher.kill_others(&mut self.rec);
        }
        let reaped = child.reap(&mut self.rec);
        // Only now: a held call that is answered before its process is dead is carried out.
        drop(watcher);
        reaped.map(drop).map_err(|e| Failure::new(format!("wait for {who}, {}", child.pid), Some(e)))
    }

    /// Lets go of the command, which lives on.
    pub(super) fn let_run(&mut self) -> Result<(), Failure> {
        self.child.take().map(drop).ok_or_else(no_init)
    }
}
