//! How it ends: by itself, by signals, with the container, with glassbox, or later than that.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::Running;
use crate::support::{Ran, Sandbox};

/// A script in a container, once it has said its first line.
fn begun(sandbox: &Sandbox, script: &str) -> Child {
    let mut command = sandbox.command(&["exec", "one", "sh", "-c", script]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut said).unwrap();
    assert_eq!(said, "begun\n");
    child
}

fn send(child: &Child, signal: Signal) {
    kill(Pid::from_raw(child.id() as i32), signal).unwrap();
}

fn end(child: Child) -> Ran {
    child.wait_with_output().unwrap().into()
}

#[test]
#[ignore = "root"]
fn signals_are_passed_on() {
    let sandbox = Sandbox::root();
    let container = Running::new(&sandbox, &[]);
    let script = "trap 'exit 9' TERM; echo begun; while true; do sleep 0.02; done";
    let child = begun(&sandbox, script);
    send(&child, Signal::SIGTERM);
    assert_eq!(end(child).status, 9);
    let child = begun(&sandbox, "echo begun; exec sleep 1000");
    send(&child, Signal::SIGINT);
    assert_eq!(end(child).status, 130);
    assert_eq!(container.processes(), ["sleep 1000"]);
}

#[test]
#[ignore = "root"]
fn a_command_ends_with_the_container() {
    let sandbox = Sandbox::root();
    let container = Running::new(&sandbox, &[]);
    let child = begun(&sandbox, "echo begun; exec sleep 2000");
    assert_eq!(container.kill(), 137);
    let ran = end(child).expect(137);
    assert!(ran.err.contains("container one ended"), "{}", ran.err);
    let host = sandbox.settled_host();
    assert!(host.receipts.is_empty() && host.cgroups.is_empty() && host.processes.is_empty(), "{host:?}");
}

#[test]
#[ignore = "root"]
fn a_command_that_is_killed_alone_says_so_only_by_its_status() {
    let sandbox = Sandbox::root();
    let container = Running::new(&sandbox, &[]);
    let ran = container.sh(&[], "kill -KILL $$").expect(137);
    assert_eq!(ran.err, "");
    assert_eq!(container.processes(), ["sleep 1000"]);
}

#[test]
#[ignore = "root"]
fn a_command_dies_with_its_killed_glassbox() {
    let sandbox = Sandbox::root();
    let container = Running::new(&sandbox, &[]);
    let before = sandbox.host();
    let mut child = begun(&sandbox, "echo begun; exec sleep 2000");
    send(&child, Signal::SIGKILL);
    child.wait().unwrap();
    container.wait_for(&["sleep 1000"]);
    sandbox.wait_for_host(&before, "a killed exec");
}

#[test]
#[ignore = "root"]
fn a_detached_command_lives_on() {
    let sandbox = Sandbox::root();
    let container = Running::new(&sandbox, &[]);
    let before = sandbox.host();
    let ran = container.sh(&["-d"], "echo lost; echo here > /tmp/here; exec sleep 3000").expect(0);
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("", ""));
    container.wait_for(&["sleep 1000", "sleep 3000"]);
    assert_eq!(container.exec(&[], &["cat", "/tmp/here"]).expect(0).out, "here\n");
    assert_eq!(sandbox.host(), before, "no receipt stays");
    // It cannot be started: that is said, though nobody waits.
    let ran = container.exec(&["-d"], &["no-such-program"]).expect(127);
    assert!(ran.err.contains("executable file not found"), "{}", ran.err);
    assert_eq!(container.kill(), 137);
    let deadline = Instant::now() + Duration::from_secs(20);
    while !sandbox.host().processes.is_empty() {
        assert!(Instant::now() < deadline, "a process stays: {:?}", sandbox.host().processes);
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
#[ignore = "root"]
fn many_at_once() {
    let sandbox = Sandbox::root();
    let container = Running::new(&sandbox, &[]);
    std::thread::scope(|s| {
        for n in 0..8 {
            let container = &container;
            s.spawn(move || {
                let ran = container.sh(&[], &format!("echo {n}; exit {n}"));
                assert_eq!((ran.status, ran.out), (n, format!("{n}\n")), "{}", ran.err);
            });
        }
    });
    assert_eq!(container.processes(), ["sleep 1000"]);
    assert_eq!(sandbox.host().receipts.len(), 1, "that of the container");
}
