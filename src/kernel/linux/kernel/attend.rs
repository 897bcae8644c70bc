//! What init wants of the runtime beside its reports: that it takes over descriptors, and
//! answers the questions of its filter.

use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, poll};

use super::LinuxKernel;
use crate::kernel::linux::life::Watcher;
use crate::kernel::linux::terminal;
use crate::kernel::{Failure, OnLife, StepFailure};
use crate::plan::Op;

impl LinuxKernel {
    /// Takes the descriptors that init has handed over: the terminal's master, if it
    /// has a terminal, and then the listener of its filter.
    pub(super) fn take_over(&mut self) -> Result<(), StepFailure> {
        while let Some(child) = &mut self.child
            && let Some(fd) = child.channel.take_passed()
        {
            let pid = child.pid;
            let terminal = self.position(|op| matches!(op, Op::OpenTerminal));
            if let Some(step) = terminal.filter(|_| self.state.terminal.is_none()) {
                self.ahead_of(step, |rec| {
                    terminal::copy_size(rec, &fd);
                    Ok(())
                })?;
                self.state.terminal = Some(fd);
            } else if let Some(step) = self.position(|op| matches!(op, Op::LoadSeccomp { .. })) {
                let (watched, watch, unattended) =
                    (std::mem::take(&mut self.watched), self.watch, self.unattended);
                let watcher =
                    self.ahead_of(step, |rec| Watcher::new(fd, pid, watched, watch, unattended, rec))?;
                self.watcher = Some(watcher);
            }
        }
        Ok(())
    }

    /// Once the listener is there init soon waits for an answer. While it has other
    /// things to do, what takes long is made ready.
    pub(super) fn prepare_to_watch(&mut self) -> Result<(), StepFailure> {
        if !self.ahead || self.watcher.is_some() || !self.watched.is_wanted() {
            return Ok(());
        }
        Ok(self.watched.prepare()?)
    }

    /// Once its filter asks, init cannot go on without an answer: it gets one, at
    /// least until it says something. Where it runs ahead, what it said may be much,
    /// and it waits for nothing meanwhile.
    pub(super) fn attend(&mut self, life: OnLife<'_>) -> Result<(), StepFailure> {
        // What came with messages that are still to be read.
        self.take_over()?;
        if self.child.as_ref().is_some_and(|c| !c.channel.has_message()) {
            life.idle();
            self.prepare_to_watch()?;
        }
        let (Some(watcher), Some(child)) = (&mut self.watcher, &self.child) else { return Ok(()) };
        loop {
            watcher.serve(&mut |_| {})?;
            if child.channel.has_message() {
                return Ok(());
            }
            let mut fds = vec![PollFd::from_borrowed_fd(child.channel.fd().as_fd(), PollFlags::IN)];
            watcher.fds(&mut fds);
            match poll(&mut fds, None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(Failure::new("hear from init", Some(e.into())).into()),
            }
            if !fds[0].revents().is_empty() {
                return Ok(());
            }
        }
    }
}
