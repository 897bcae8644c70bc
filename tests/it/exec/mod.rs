//! `exec`: a further command in a container that runs.

mod ends;
mod faults;
mod life;
mod options;
mod standing;
mod told;

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Ran, Sandbox};

/// A container named `one` whose command runs.
struct Running<'s> {
    sandbox: &'s Sandbox,
    run: Option<Child>,
}

impl<'s> Running<'s> {
    /// Runs `box` without a network, with these options more.
    fn new(sandbox: &'s Sandbox, options: &[&str]) -> Running<'s> {
        Running::with(sandbox, options, &["sleep", "1000"])
    }

    fn with(sandbox: &'s Sandbox, options: &[&str], command: &[&str]) -> Running<'s> {
        let args = [&["run", "--name", "one", "--network", "none"], options, &["box"], command].concat();
        let mut run = sandbox.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(60);
        while !sandbox.glassbox(&["ps"]).expect(0).out.contains(" one") {
            assert_eq!(run.try_wait().unwrap(), None, "the container ended: {options:?}");
            assert!(Instant::now() < deadline, "the container does not run: {options:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
        Running { sandbox, run: Some(run) }
    }

    /// Runs a command in it.
    fn exec(&self, options: &[&str], command: &[&str]) -> Ran {
        self.sandbox.glassbox(&[&["exec"], options, &["one"], command].concat())
    }

    /// Runs a script in it.
    fn sh(&self, options: &[&str], script: &str) -> Ran {
        self.exec(options, &["sh", "-c", script])
    }

    /// Its processes but for the one that looks, as it sees them itself: their commands, sorted.
    fn processes(&self) -> Vec<String> {
        let out = self.exec(&[], &["ps"]).expect(0).out;
        let command = |line: &str| line.split_whitespace().skip(2).collect::<Vec<_>>().join(" ");
        let mut all: Vec<String> = out.lines().skip(1).map(command).filter(|c| c != "ps").collect();
        all.sort();
        all
    }

    /// Waits until these are its processes.
    #[track_caller]
    fn wait_for(&self, wanted: &[&str]) {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let now = self.processes();
            if now == wanted {
                return;
            }
            assert!(Instant::now() < deadline, "wanted {wanted:?}, there are {now:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Kills it, and gives the status of its run.
    fn kill(mut self) -> i32 {
        self.sandbox.glassbox(&["rm", "-f", "one"]).expect(0);
        let run = self.run.take().unwrap().wait_with_output().unwrap();
        Ran::from(run).status
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if let Some(mut run) = self.run.take() {
            let _ = self.sandbox.command(&["rm", "-f", "one"]).output();
            let _ = run.wait();
        }
    }
}
