//! The same command on both kernels: what it prints, how it ends, what it leaves
//! in the writable layer, and the steps and calls of its trace.

mod scenarios;
mod traces;
mod tree;

use crate::support::{Ran, Sandbox};
use crate::userland_scripts::SCRIPTS;
use scenarios::{SCENARIOS, Scenario};

/// The same network on both: a real one of that name stands only in the sandbox's
/// own network namespace.
const NETWORK: [&str; 5] = ["--deterministic", "--bridge", "glass0", "--subnet", "10.189.0.0/16"];

/// What one kernel made of a scenario.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    status: i32,
    out: String,
    err: String,
    diff: String,
    tree: Vec<String>,
}

fn glassbox(sandbox: &Sandbox, model: bool, args: &[&str]) -> Ran {
    let kernel: &[&str] = if model { &["--model"] } else { &[] };
    sandbox.glassbox(&[&NETWORK, kernel, args].concat())
}

fn see(sandbox: &Sandbox, model: bool, scenario: &Scenario) -> Seen {
    let Scenario { options, script } = scenario;
    let ran = glassbox(
        sandbox,
        model,
        &[&["run", "--name", "one"], *options, &["box", "sh", "-c", script]].concat(),
    );
    let (diff, tree) = match glassbox(sandbox, model, &["ps", "-aq", "--no-trunc"]).expect(0).out.trim() {
        // A command that never ran leaves no container.
        "" => (String::new(), Vec::new()),
        id => {
            let diff = glassbox(sandbox, model, &["diff", "one"]).expect(0).out;
            let tree = match model {
                true => tree::model(&sandbox.store().join("model/world.json"), id),
                false => tree::real(&sandbox.store().join("containers").join(id).join("upper")),
            };
            glassbox(sandbox, model, &["rm", "one"]).expect(0);
            (diff, tree)
        }
    };
    let out = redact(&ran.out, model);
    Seen { status: ran.status, out, err: redact(&ran.err, model), diff, tree }
}

/// Names by kind what cannot be the same: where the store is, interface numbers,
/// clocks, and cgroup mounts, which depend on the host's version.
fn redact(text: &str, model: bool) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.retain(|l| !l.contains("cgroup"));
    for line in &mut lines {
        *line = line
            .split(' ')
            .map(|word| match word {
                w if w.starts_with("eth0@if") => "eth0@ifN:".to_owned(),
                w if w.starts_with("time=") => "time=T".to_owned(),
                w if w.contains("lowerdir") => "(<overlay>)".to_owned(),
                w => w.to_owned(),
            })
            .collect::<Vec<_>>()
            .join(" ");
        if line.starts_with("round-trip ") {
            *line = "round-trip T".to_owned();
        }
        if model {
            *line =
                line.replace("the path must exist on the modelled disk", "the path must exist on the host");
        }
    }
    let mut all = lines.join("\n");
    if text.ends_with('\n') && !all.is_empty() {
        all.push('\n');
    }
    all
}

#[test]
#[ignore = "root"]
fn scenarios_are_the_same_on_both_kernels() {
    let sandbox = Sandbox::root();
    let only = std::env::var("GLASSBOX_SCENARIO").unwrap_or_default();
    let mut differences = Vec::new();
    for scenario in SCENARIOS.iter().filter(|s| s.script.contains(&only)) {
        let (real, model) = (see(&sandbox, false, scenario), see(&sandbox, true, scenario));
        if real != model {
            differences.push(format!("{scenario:?}\n{}", tell(&real, &model)));
        }
    }
    assert!(differences.is_empty(), "{} differ:\n{}", differences.len(), differences.join("\n\n"));
}

fn tell(real: &Seen, model: &Seen) -> String {
    let mut told = String::new();
    if real.status != model.status {
        told.push_str(&format!("  status: real {}, model {}\n", real.status, model.status));
    }
    let tree = |seen: &Seen| seen.tree.join("\n");
    for (what, real, model) in [
        ("stdout", real.out.clone(), model.out.clone()),
        ("stderr", real.err.clone(), model.err.clone()),
        ("diff", real.diff.clone(), model.diff.clone()),
        ("tree", tree(real), tree(model)),
    ] {
        if real != model {
            let (a, b): (Vec<&str>, Vec<&str>) = (real.lines().collect(), model.lines().collect());
            let only = |of: &[&str], not: &[&str], sign: char| -> String {
                of.iter().filter(|l| !not.contains(l)).map(|l| format!("    {sign} {l}\n")).collect()
            };
            told.push_str(&format!("  {what}, real - model +\n{}{}", only(&a, &b, '-'), only(&b, &a, '+')));
        }
    }
    told
}

/// The scripts whose answers are those of busybox, without a real kernel.
#[test]
fn scripts_give_their_known_answers_on_the_model() {
    let sandbox = Sandbox::plain();
    let mut wrong = Vec::new();
    for (script, out, status) in SCRIPTS {
        let ran = glassbox(&sandbox, true, &["run", "--rm", "-w", "/tmp", "box", "sh", "-c", script]);
        if (ran.out.as_str(), ran.status) != (*out, *status) {
            wrong.push(format!("{script}\n  {status} {out:?}\n  {} {:?} {}", ran.status, ran.out, ran.err));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), SCRIPTS.len(), wrong.join("\n"));
}
