//! The two traces of the same run: the same steps, and in each step the same
//! changing calls.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::BufReader;

use glassbox::plan::Phase;
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
            Body::About { step, phase, .. } => {
                // Versions 1 and 2 of cgroups are laid out differently.
                if phase == Phase::Cgroup || step.0.contains("cgroup") {
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

/// Calls that one kernel needs and the other has no use for, with the reason.
const ALLOWED: &[(&str, &str)] = &[];

fn allowed(name: &str) -> bool {
    ALLOWED.iter().any(|(call, _)| *call == name)
}

#[test]
#[ignore = "root"]
fn traces_have_the_same_steps_and_changing_calls() {
    let sandbox = Sandbox::root();
    // The layers are unpacked, bridge and rules made: the second runs are alike.
    for model in [false, true] {
        glassbox(&sandbox, model, &["run", "--name", "first", "box", "true"]).expect(0);
    }
    let mut told = String::new();
    for options in [
        &["--network", "none"][..],
        &["-p", "8080:80", "-m", "64m", "--read-only", "-u", "box", "-w", "/tmp"],
        &["--network", "none", "--userns", "100000:65536", "--security-opt", "no-new-privileges"],
        &["--network", "host", "-v", "/tmp:/mnt:ro"],
        &["--network", "none", "--privileged", "-t"],
    ] {
        let real = steps(&sandbox, false, options, "true");
        let model = steps(&sandbox, true, options, "true");
        if real.0 != model.0 {
            told.push_str(&format!("{options:?}\n  real {:?}\n  model {:?}\n", real.0, model.0));
        }
        for (step, calls) in &real.1 {
            let others = model.1.get(step).cloned().unwrap_or_default();
            let differ: Vec<&String> =
                calls.symmetric_difference(&others).filter(|name| !allowed(name)).collect();
            if !differ.is_empty() {
                told.push_str(&format!("{options:?} {step}\n  real  {calls:?}\n  model {others:?}\n"));
            }
        }
    }
    assert!(told.is_empty(), "{told}");
}
