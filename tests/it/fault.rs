//! Every step of every plan fails once, and the runtime is killed before every
//! step once; afterwards the host is as it was, and nothing that had ended is lost.

use serde_json::Value;

use crate::support::{Host, Ran, Sandbox};

/// The plans that are tried: what differs is which steps they hold.
const RUNS: &[&[&str]] = &[
    &["--network", "none"],
    &["-p", "18080:80", "-m", "64m", "--cpus", "0.5", "--pids-limit", "50"],
    &["--rm", "--network", "host", "--read-only", "--security-opt", "no-new-privileges", "-u", "1000:1000"],
    &["--network", "none", "-v", "VOLUME:/data", "-w", "/new/place"],
    &["--network", "none", "--userns", "100000:65536"],
];

const COMMAND: &[&str] = &["box", "sh", "-c", "echo kept > /kept; true"];

/// A step of a plan: its id and its phase.
type Steps = Vec<(String, String)>;

fn steps(sandbox: &Sandbox, options: &[&str]) -> Steps {
    let args = [&["--deterministic", "plan", "run", "--format", "json"], options, COMMAND].concat();
    let plan: Value = serde_json::from_str(&sandbox.glassbox(&args).expect(0).out).unwrap();
    let text = |v: &Value| v.as_str().unwrap().to_owned();
    plan["steps"].as_array().unwrap().iter().map(|s| (text(&s["id"]), text(&s["phase"]))).collect()
}

/// A sandbox in which one ordinary container has ended and stays, and the image is unpacked.
fn with_one_container() -> (Sandbox, Host) {
    let sandbox = Sandbox::root();
    std::fs::create_dir(sandbox.path("volume")).unwrap();
    std::fs::write(sandbox.path("volume/mine"), "mine").unwrap();
    sandbox.glassbox(&["run", "--name", "before", "box", "sh", "-c", "echo mine > /mine"]).expect(0);
    let before = sandbox.settled_host();
    (sandbox, before)
}

fn finished_container_is_whole(sandbox: &Sandbox) {
    assert_eq!(sandbox.glassbox(&["diff", "before"]).expect(0).out, "A /mine\n");
    let images = sandbox.glassbox(&["images", "-q"]).expect(0).out;
    assert_eq!(images.lines().count(), 1, "{images}");
    assert_eq!(std::fs::read_to_string(sandbox.path("volume/mine")).unwrap(), "mine");
}

/// What one fault must come to.
struct Fault<'a> {
    how: &'a str,
    step: &'a str,
    /// The command was started.
    started: bool,
    /// The command had ended by itself.
    ended: bool,
    removed: bool,
    /// The command may write: the layers belong to the root of its user namespace.
    writes: bool,
}

impl Fault<'_> {
    fn check(&self, sandbox: &Sandbox, ran: &Ran, before: &Host) {
        let (step, err) = (self.step, &ran.err);
        if self.how == "--kill-at" {
            assert_eq!(ran.status, 137, "{step}: {err}");
        } else if self.ended {
            // The command's own status stands; what is left is said.
            assert_eq!(ran.status, 0, "{step}: {err}");
            assert!(err.contains(step) && err.contains("system repair"), "{step}: {err}");
        } else {
            assert_eq!(ran.status, 125, "{step}: {err}");
            assert!(err.contains("EIO") && err.contains(step), "{step}: {err}");
        }
        // Any next command undoes it.
        sandbox.glassbox(&["ps"]).expect(0);
        let all = sandbox.glassbox(&["ps", "-aq", "--no-trunc"]).expect(0).out;
        let kept: Vec<&str> = all.lines().filter(|id| !before.containers.contains(*id)).collect();
        assert_eq!(kept.len(), usize::from(self.started && !self.removed), "{} {step}: {all}", self.how);
        for id in kept {
            let list = sandbox.glassbox(&["ps", "-a"]).expect(0).out;
            let status = if self.ended { "Exited (0)" } else { "Exited (137)" };
            assert!(list.lines().any(|l| l.contains(&id[..12]) && l.contains(status)), "{step}: {list}");
            let wrote = sandbox.glassbox(&["diff", id]).expect(0).out;
            assert!(wrote.contains("A /kept\n") || !self.ended || !self.writes, "{step}: {wrote}");
            sandbox.glassbox(&["rm", id]).expect(0);
        }
        sandbox.wait_for_host(before, &format!("{} {step}", self.how));
    }
}

fn every_step(options: &[&str], how: &str) {
    let (sandbox, before) = with_one_container();
    let volume = format!("{}:/data", sandbox.path("volume").display());
    let options: Vec<&str> =
        options.iter().map(|o| if o.starts_with("VOLUME") { volume.as_str() } else { o }).collect();
    let mut started = false;
    let mut ended = false;
    let mapped = glassbox::kernel::linux::host::facts().unwrap().mapped_layers;
    for (step, phase) in steps(&sandbox, &options) {
        started |= phase == "life";
        ended |= step == "life.read-changes";
        let ran = sandbox
            .glassbox(&[&["--deterministic", "run", how, &step], options.as_slice(), COMMAND].concat());
        let fault = Fault {
            how,
            step: &step,
            started,
            ended,
            removed: options.contains(&"--rm"),
            writes: !options.contains(&"--userns") || mapped,
        };
        fault.check(&sandbox, &ran, &before);
    }
    assert!(ended, "the plan has a step for the changes");
    finished_container_is_whole(&sandbox);
}

fn every_plan(how: &'static str) {
    std::thread::scope(|s| {
        for options in RUNS {
            s.spawn(move || every_step(options, how));
        }
    });
}

/// The steps of the very first run on a host that concern its network, and some
/// that come after it.
fn first_run_steps(sandbox: &Sandbox, options: &[&str]) -> Vec<String> {
    let wanted = ["image.read-image", "union.make-upper", "namespaces.clone", "exec.exec", "life.supervise"];
    let all = steps(sandbox, options).into_iter();
    all.filter(|(id, phase)| phase == "network" || wanted.contains(&id.as_str())).map(|s| s.0).collect()
}

fn first_run(how: &str, step: &str) {
    let sandbox = Sandbox::root();
    sandbox.inside("sh").args(["-c", "echo 0 > /proc/sys/net/ipv4/ip_forward"]).status().unwrap();
    let before = sandbox.settled_host();
    sandbox.glassbox(&[&["run", how, step, "-p", "18081:80"], COMMAND].concat());
    for id in sandbox.glassbox(&["ps", "-aq"]).expect(0).out.lines() {
        sandbox.glassbox(&["rm", id]).expect(0);
    }
    sandbox.wait_for_host(&before, &format!("the first run, {how} {step}"));
}

#[test]
#[ignore = "root"]
fn the_first_run_takes_its_network_back() {
    let steps = first_run_steps(&Sandbox::root(), &["-p", "18081:80"]);
    assert!(steps.len() > 15, "{steps:?}");
    std::thread::scope(|s| {
        for how in ["--fail", "--kill-at"] {
            let steps = &steps;
            s.spawn(move || steps.iter().for_each(|step| first_run(how, step)));
        }
    });
}

#[test]
#[ignore = "root"]
fn a_network_that_lived_stays_when_a_later_run_fails() {
    let sandbox = Sandbox::root();
    let before = sandbox.settled_host();
    let run = ["--deterministic", "run", "--rm"];
    sandbox.glassbox(&[&run[..], &["box", "true"]].concat()).expect(0);
    let network = sandbox.settled_host();
    assert_ne!(before.network, network.network);
    // The same id again, as a deterministic run has it.
    for how in ["--fail", "--kill-at"] {
        sandbox.glassbox(&[&run[..], &[how, "network.create-veth", "box", "true"]].concat());
        sandbox.glassbox(&["ps"]).expect(0);
        sandbox.wait_for_host(&network, how);
    }
}

#[test]
#[ignore = "root"]
fn a_failure_at_every_step_leaves_the_host_as_it_was() {
    every_plan("--fail");
}

#[test]
#[ignore = "root"]
fn a_kill_at_every_step_is_undone_by_the_next_command() {
    every_plan("--kill-at");
}
