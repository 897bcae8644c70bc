//! The two traces of the same run: the same steps, and in each step the same
//! changing calls.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::BufReader;

use glassbox::plan::{Op, Phase};
use glassbox::trace::{Body, record};

use super::glassbox;
use crate::support::Sandbox;

type Calls = BTreeMap<String, BTreeSet<String>>;

/// Steps in order, and the names of the calls that changed something in each.
fn steps(sandbox: &Sandbox, model: bool, options: &[&str], script: &str) -> (Vec<String>, Calls) {
    let path = sandbox.path(if model { "model.jsonl" } else { "real.jsonl" });
    let file = ["run", "--rm", "--trace-file", path.to_str().unwrap()];
    let ran = glassbox(sandbox, model, &[&file, options, &["box", "sh", "-c", script]].concat());
    assert_eq!(ran.status, 0, "{}", ran.err);
    let (mut order, mut calls, mut cgroup) = (Vec::new(), Calls::new(), BTreeSet::new());
    for event in record::read(BufReader::new(File::open(&path).unwrap())) {
        match event.unwrap().body {
            Body::About { step, phase, op, .. } => {
                // Versions 1 and 2 of cgroups are laid out differently.
                let undone = matches!(&op, Op::Undo { of, .. } if matches!(**of, Op::CreateCgroup { .. }));
                if phase == Phase::Cgroup || undone || step.0.contains("cgroup") {
                    cgroup.insert(step.0);
                } else {
                    calls.insert(step.0.clone(), BTreeSet::new());
                    order.push(step.0);
                }
            }
            Body::Call { step, call }
                if call.changes && call.errno.is_none() && !cgroup.contains(&step.0) =>
            {
                calls.get_mut(&step.0).expect("a call comes after its step").insert(call.name);
            }
            _ => {}
        }
    }
    (order, calls)
}

/// Calls that only one kernel makes, in which steps (`None` is all), and why.
#[rustfmt::skip]
const ALLOWED: &[(&str, Option<&[&str]>, &str)] = &[
    ("socketpair", Some(&["namespaces.clone"]), "init is told its steps over a socket; the model's init is no program"),
    ("prctl", Some(FIRST), "init dies with its runtime"),
    ("rt_sigaction", Some(FIRST), "the runtime's own handlers are not the container's"),
    ("rt_sigprocmask", None, "the runtime holds signals back while it works"),
    ("umask", None, "the user's umask must not show in the container; the model's is 022"),
    ("setresuid", Some(FIRST), "the model's init is root of its user namespace once the maps are written"),
    ("setresgid", Some(FIRST), "the same for the group"),
    ("setgroups", Some(FIRST), "the same for the groups"),
    ("setfsgid", Some(&["union.mount-overlay"]), "overlayfs acts for who makes it; the model's union acts for nobody"),
    ("setfsuid", Some(&["union.mount-overlay"]), "the same for the user"),
    ("capset", Some(&["union.mount-overlay"]), "setfsuid(2) takes capabilities away"),
    ("setns", Some(&["security.load-seccomp"]), "who forks is told in the host's first network namespace only; the test has its own"),
    ("setsid", Some(&["exec.exec"]), "the model has no sessions"),
    ("dup3", Some(&["exec.exec"]), "descriptors of the runtime become the container's standard streams"),
    ("close_range", Some(&["exec.exec"]), "the runtime's own descriptors are closed"),
    ("bind", Some(PUBLISH), "a socket holds the port, lest another program take it; the model runs no other"),
    ("listen", Some(PUBLISH), "the same socket"),
    ("mkdirat", Some(NETWORK), "marks say who made a network, for the repair; the model's lives as long as the command"),
    ("openat", Some(NETWORK), "the same marks"),
    ("write", Some(NETWORK), "the same marks; and a host may forward already"),
    ("renameat", Some(NETWORK), "the same marks"),
    ("unlinkat", Some(&["life.supervise"]), "the same marks, no longer needed once the command runs"),
    ("mount", Some(&["security.mask-proc-kcore"]), "not every host's kernel has the file"),
];

/// Where init begins.
const FIRST: &[&str] = &["namespaces.clone", "network.set-lo-up", "mounts.make-private"];
const PUBLISH: &[&str] = &["network.publish-8080-tcp"];
/// What makes the network before the container comes to it.
const NETWORK: &[&str] =
    &["network.create-bridge", "network.enable-forwarding", "network.create-nat", "network.allocate-address"];

fn allowed(step: &str, name: &str) -> bool {
    ALLOWED.iter().any(|(call, steps, _)| *call == name && steps.is_none_or(|s| s.contains(&step)))
}

#[test]
#[ignore = "root"]
fn traces_have_the_same_steps_and_changing_calls() {
    let sandbox = Sandbox::root();
    // The modelled host is a new one for each command, so only the first real run with
    // a bridge finds as little there.
    let mut told = String::new();
    for options in [
        &["--network", "none"][..],
        &["-p", "8080:80", "-m", "64m", "--read-only", "-u", "box", "-w", "/tmp"],
        &["--network", "none", "--userns", "100000:65536", "--security-opt", "no-new-privileges"],
        &["--network", "host", "-v", "/tmp:/mnt:ro"],
        &["--network", "none", "--cap-add", "SYS_ADMIN", "--cap-drop", "NET_RAW"],
    ] {
        let real = steps(&sandbox, false, options, "true");
        let model = steps(&sandbox, true, options, "true");
        if real.0 != model.0 {
            told.push_str(&format!("{options:?}\n  real {:?}\n  model {:?}\n", real.0, model.0));
        }
        for (step, calls) in &real.1 {
            let others = model.1.get(step).cloned().unwrap_or_default();
            let differ: Vec<&String> =
                calls.symmetric_difference(&others).filter(|name| !allowed(step, name)).collect();
            if !differ.is_empty() {
                told.push_str(&format!("{options:?} {step}\n  real  {calls:?}\n  model {others:?}\n"));
            }
        }
    }
    assert!(told.is_empty(), "{told}");
}
