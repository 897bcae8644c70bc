//! Every step of every plan fails once, and the runtime is killed before every
//! step once; afterwards the host is as it was.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Host, Sandbox};

/// The plans that are tried: what differs is which steps they hold.
const RUNS: &[&[&str]] = &[
    &["--network", "none"],
    &["-p", "18080:80", "-m", "64m", "--cpus", "0.5", "--pids-limit", "50"],
    &["--rm", "--network", "host", "--read-only", "--security-opt", "no-new-privileges", "-u", "1000:1000"],
];

const COMMAND: &[&str] = &["box", "sh", "-c", "echo kept > /kept"];

fn steps(sandbox: &Sandbox, options: &[&str]) -> Vec<(String, String)> {
    let args = [&["--deterministic", "plan", "run", "--format", "json"], options, COMMAND].concat();
    let plan: Value = serde_json::from_str(&sandbox.glassbox(&args).expect(0).out).unwrap();
    let text = |v: &Value| v.as_str().unwrap().to_owned();
    plan["steps"].as_array().unwrap().iter().map(|s| (text(&s["id"]), text(&s["phase"]))).collect()
}

/// A sandbox in which one ordinary container has ended and stays, and the image is unpacked.
fn with_one_container() -> (Sandbox, Host) {
    let sandbox = Sandbox::root();
    sandbox.glassbox(&["run", "--name", "before", "box", "sh", "-c", "echo mine > /mine"]).expect(0);
    let before = settled(&sandbox);
    (sandbox, before)
}

/// The host once the kernel has taken apart the namespaces of what ended.
fn settled(sandbox: &Sandbox) -> Host {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let host = sandbox.host();
        if !host.links.iter().any(|l| l.starts_with("gbx")) {
            return host;
        }
        assert!(Instant::now() < deadline, "a link stays: {:?}", host.links);
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn finished_container_is_whole(sandbox: &Sandbox) {
    assert_eq!(sandbox.glassbox(&["diff", "before"]).expect(0).out, "A /mine\n");
    let images = sandbox.glassbox(&["images", "-q"]).expect(0).out;
    assert_eq!(images.lines().count(), 1, "{images}");
}

fn every_step(options: &[&str], how: &str) {
    let (sandbox, before) = with_one_container();
    for (step, phase) in steps(&sandbox, options) {
        let after_the_command = ["life", "exit"].contains(&phase.as_str()) && step != "life.supervise";
        let args = [&["--deterministic", "run", how, &step], options, COMMAND].concat();
        let ran = sandbox.glassbox(&args);
        if how == "--kill-at" {
            assert_eq!(ran.status, 137, "{step}: {}", ran.err);
            // Any next command undoes it.
            sandbox.glassbox(&["ps"]).expect(0);
        } else if phase == "exit" {
            // The command's own status stands; what is left is said, and repaired.
            assert_eq!(ran.status, 0, "{step}: {}", ran.err);
            assert!(ran.err.contains(&step), "{step}: {}", ran.err);
            sandbox.glassbox(&["ps"]).expect(0);
        } else {
            assert_eq!(ran.status, 125, "{step}: {}", ran.err);
            assert!(ran.err.contains("EIO") && ran.err.contains(&step), "{step}: {}", ran.err);
        }
        // A container whose command has run stays, with what it wrote.
        let all = sandbox.glassbox(&["ps", "-aq", "--no-trunc"]).expect(0).out;
        let kept: Vec<&str> = all.lines().filter(|id| !before.containers.contains(*id)).collect();
        let expect_kept =
            after_the_command && !options.contains(&"--rm") && (phase == "exit" || how == "--kill-at");
        assert_eq!(kept.len(), usize::from(expect_kept), "{step}: {all}");
        for id in &kept {
            assert_eq!(sandbox.glassbox(&["diff", id]).expect(0).out, "A /kept\n", "{step}");
            sandbox.glassbox(&["rm", id]).expect(0);
        }
        sandbox.wait_for_host(&before, &step);
        finished_container_is_whole(&sandbox);
    }
}

#[test]
#[ignore = "root"]
fn a_failure_at_every_step_leaves_the_host_as_it_was() {
    for options in RUNS {
        every_step(options, "--fail");
    }
}

#[test]
#[ignore = "root"]
fn a_kill_at_every_step_is_undone_by_the_next_command() {
    for options in RUNS {
        every_step(options, "--kill-at");
    }
}
