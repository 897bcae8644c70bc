//! What ends a run from outside while its command lives: a killed runtime,
//! signals, repairs at the same time, and many runs at once.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::{Ran, Sandbox};

/// A run whose command has said its first line.
struct Begun {
    child: Child,
    out: BufReader<std::process::ChildStdout>,
}

impl Begun {
    fn new(sandbox: &Sandbox, options: &[&str], script: &str) -> Begun {
        let args = [&["run"], options, &["box", "sh", "-c", script]].concat();
        let mut command = sandbox.command(&args);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut said = String::new();
        out.read_line(&mut said).unwrap();
        if said.is_empty() {
            let ran: Ran = child.wait_with_output().unwrap().into();
            panic!("the command said nothing: {}", ran.err);
        }
        Begun { child, out }
    }

    fn send(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
    }

    fn end(mut self) -> Ran {
        let mut out = String::new();
        self.out.read_to_string(&mut out).unwrap();
        let mut ran: Ran = self.child.wait_with_output().unwrap().into();
        ran.out = out;
        ran
    }

    /// Kills the runtime alone and reaps it. What lives on may hold the output open.
    fn kill(mut self) {
        self.send(Signal::SIGKILL);
        self.child.wait().unwrap();
    }
}

fn ps(sandbox: &Sandbox) -> String {
    sandbox.glassbox(&["ps", "-a"]).expect(0).out
}

const LONG: &str = "echo mine > /mine; echo begun; exec sleep 1000";

#[test]
#[ignore = "root"]
fn a_command_dies_with_its_killed_runtime_and_keeps_what_it_wrote() {
    let sandbox = Sandbox::root();
    sandbox.glassbox(&["run", "--rm", "box", "true"]).expect(0);
    let mut before = sandbox.settled_host();
    for (n, options) in [
        &["--name", "c0"][..],
        &["--name", "c1", "--network", "none", "-u", "1000:1000", "--workdir", "/tmp"],
        &["--name", "c2", "--network", "none"],
        &["--name", "c3", "--network", "none", "--rm"],
    ]
    .into_iter()
    .enumerate()
    {
        let script = if n == 1 { "echo mine > /tmp/mine; echo begun; exec sleep 1000" } else { LONG };
        let begun = Begun::new(&sandbox, options, script);
        // With the third the kill comes as soon as it can.
        if n < 2 {
            running_pid(&sandbox);
        }
        begun.kill();
        let list = ps(&sandbox);
        let stays = !options.contains(&"--rm");
        assert_eq!(list.contains("Exited (137)") && list.contains(&format!("c{n}")), stays, "{list}");
        if stays {
            let wrote = sandbox.glassbox(&["diff", &format!("c{n}")]).expect(0).out;
            assert!(wrote.contains("mine"), "{wrote}");
            sandbox.glassbox(&["rm", &format!("c{n}")]).expect(0);
        }
        before.leases.clear();
        sandbox.wait_for_host(&before, &format!("{options:?}"));
    }
}

/// A script that leaves init's pid to a process which a killed runtime does not
/// take along: it has changed its user, and forked twice.
const SURVIVOR: &str = "echo mine > /mine; (sh -c 'sleep 1000 & sleep 1000' &); echo begun; exec survivor";

#[test]
#[ignore = "root"]
fn a_command_that_outlives_its_runtime_is_found_and_killed() {
    let sandbox = Sandbox::root();
    // setpriv of the host, on the host's libraries: a program that changes its user.
    let before = sandbox.settled_host();
    let survivor = SURVIVOR.replace("survivor", "/bin/setpriv --reuid 1000 --clear-groups sleep 1000");
    let options = ["-v", "/usr:/usr:ro", "-v", "/lib:/lib:ro", "-v", "/lib64:/lib64:ro", "--network", "none"];
    let script =
        survivor.replace("/bin/setpriv", "/usr/bin/setpriv").replace("groups sleep", "groups /usr/bin/sleep");
    let begun = Begun::new(&sandbox, &options, &script);
    let pid = running_pid(&sandbox);
    wait_until("the command has changed its user", || {
        std::fs::read_to_string(format!("/proc/{pid}/status")).is_ok_and(|s| s.contains("Uid:\t1000"))
    });
    begun.kill();
    assert!(alive(pid), "this command outlives its runtime, or the test shows nothing");
    sandbox.glassbox(&["system", "repair"]).expect(0);
    assert!(!alive(pid));
    let list = ps(&sandbox);
    assert!(list.contains("Exited (137)"), "{list}");
    let id = sandbox.glassbox(&["ps", "-aq"]).expect(0).out;
    sandbox.glassbox(&["rm", id.trim()]).expect(0);
    sandbox.wait_for_host(&before, "a survivor");
}

/// Init's pid of the one container that runs.
fn running_pid(sandbox: &Sandbox) -> i32 {
    let mut id = String::new();
    wait_until("the container is up", || {
        id = sandbox.glassbox(&["ps", "-q"]).expect(0).out;
        !id.is_empty()
    });
    let text = sandbox.glassbox(&["inspect", id.trim()]).expect(0).out;
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    json[0]["State"]["Pid"].as_i64().expect("a pid") as i32
}

fn alive(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|s| !s.contains(") Z "))
}

#[track_caller]
fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < deadline, "it does not happen that {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
#[ignore = "root"]
fn signals_reach_the_command() {
    let sandbox = Sandbox::root();
    let script = "trap 'echo got; exit 7' TERM; echo begun; while true; do sleep 0.02; done";
    let begun = Begun::new(&sandbox, &["--rm", "--network", "none"], script);
    begun.send(Signal::SIGTERM);
    let ran = begun.end().expect(7);
    assert_eq!(ran.out, "got\n");
}

/// The trace says when a step is about to be done; then the signal comes.
#[test]
#[ignore = "root"]
fn a_signal_while_setting_up_undoes_everything() {
    let sandbox = Sandbox::root();
    sandbox.glassbox(&["run", "--rm", "box", "true"]).expect(0);
    let before = sandbox.settled_host();
    for (signal, times) in [(Signal::SIGINT, 1), (Signal::SIGTERM, 1), (Signal::SIGINT, 5)] {
        let args = ["run", "--trace-file", "-", "box", "true"];
        // In a small pipe the run cannot get far ahead of its reader.
        let (out, theirs) = std::io::pipe().unwrap();
        nix::fcntl::fcntl(&theirs, nix::fcntl::FcntlArg::F_SETPIPE_SZ(4096)).unwrap();
        let child = sandbox.command(&args).stdout(theirs).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::with_capacity(1024, out).lines();
        let at = lines.find(|l| l.as_ref().unwrap().contains("union.make-upper"));
        assert!(at.is_some());
        for _ in 0..times {
            kill(Pid::from_raw(child.id() as i32), signal).unwrap();
            // A second one comes during the undo.
            lines.find(|l| l.as_ref().is_ok_and(|l| l.contains("undoing")));
        }
        lines.for_each(drop);
        let ran: Ran = child.wait_with_output().unwrap().into();
        assert_eq!(ran.status, 128 + signal as i32, "{}", ran.err);
        assert!(ran.err.contains("interrupted"), "{}", ran.err);
        assert_eq!(sandbox.host().containers, before.containers);
        assert_eq!(sandbox.host().receipts, before.receipts);
        sandbox.wait_for_host(&before, "a signal");
    }
}

#[test]
#[ignore = "root"]
fn repairs_at_the_same_time_share_the_work_and_leave_the_living_alone() {
    let sandbox = Sandbox::root();
    sandbox.glassbox(&["run", "--rm", "box", "true"]).expect(0);
    // Its own link is gone, so that the next one can only be the living one's.
    sandbox.settled_host();
    let script = "echo mine > /mine; echo begun; trap 'exit 5' TERM; while true; do sleep 0.02; done";
    let living = Begun::new(&sandbox, &["--name", "living"], script);
    running_pid(&sandbox);
    let before = sandbox.host();
    assert!(!before.cgroups.is_empty() && !before.processes.is_empty(), "{before:#?}");
    for _ in 0..4 {
        for step in ["network.create-veth", "exec.exec", "exit.undo-allocate-address"] {
            sandbox.glassbox(&["run", "--rm", "--kill-at", step, "box", "true"]).expect(137);
        }
        std::thread::scope(|s| {
            for _ in 0..4 {
                s.spawn(|| sandbox.glassbox(&["system", "repair"]).expect(0));
            }
        });
        sandbox.wait_for_host(&before, "repairs at once");
    }
    let up = sandbox.glassbox(&["ps"]).expect(0).out;
    assert!(up.contains("living") && up.contains("Up "), "{up}");
    living.send(Signal::SIGTERM);
    living.end().expect(5);
}

#[test]
#[ignore = "root"]
fn twenty_runs_at_once_share_a_network() {
    const RUNS: usize = 20;
    let sandbox = Sandbox::root();
    sandbox.glassbox(&["run", "--rm", "box", "true"]).expect(0);
    let before = sandbox.settled_host();
    let (go, over) = (std::sync::Barrier::new(RUNS), AtomicBool::new(false));
    // Each waits until all have an address: then none of them may share.
    let all = sandbox.path("all");
    std::fs::create_dir(&all).unwrap();
    let volume = format!("{}:/all", all.display());
    let script = format!(
        "ip addr show eth0 | grep 'inet '; echo > /all/$HOSTNAME; n=0; \
         while [ $(ls /all | wc -l) -lt {RUNS} ] && [ $n -lt 1000 ]; do sleep 0.05; n=$((n+1)); done; \
         [ $n -lt 1000 ]"
    );
    let addresses = std::thread::scope(|s| {
        for args in [&["ps", "-a"][..], &["system", "repair"]] {
            let (sandbox, over) = (&sandbox, &over);
            s.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    let ran = sandbox.glassbox(args).expect(0);
                    assert_eq!(ran.err, "", "{args:?}");
                }
            });
        }
        let runs: Vec<_> = (0..RUNS)
            .map(|n| {
                let (sandbox, volume, script, go) = (&sandbox, &volume, &script, &go);
                s.spawn(move || {
                    let host = format!("HOSTNAME=c{n}");
                    go.wait();
                    sandbox.glassbox(&["run", "--rm", "-e", &host, "-v", volume, "box", "sh", "-c", script])
                })
            })
            .collect();
        let ran: Vec<Ran> = runs.into_iter().map(|r| r.join().unwrap()).collect();
        over.store(true, Ordering::Relaxed);
        ran.into_iter().map(|r| r.expect(0).out).collect::<BTreeSet<_>>()
    });
    assert_eq!(addresses.len(), RUNS, "{addresses:?}");
    assert!(addresses.iter().all(|a| a.contains("inet ")), "{addresses:?}");
    sandbox.wait_for_host(&before, "twenty runs");
}
