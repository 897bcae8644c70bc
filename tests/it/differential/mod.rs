//! The same command on both kernels: what it prints, how it ends, what it leaves
//! in the writable layer, and the steps and calls of its trace.

mod confined;
mod exec;
mod files;
mod life;
mod scenarios;
mod traces;
mod tree;

use std::time::{Duration, Instant};

use crate::support::{Ran, Sandbox};
use crate::userland_scripts::SCRIPTS;
use confined::CONFINED;
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

fn glassbox_with_input(sandbox: &Sandbox, model: bool, args: &[&str], input: &str) -> Ran {
    let kernel: &[&str] = if model { &["--model"] } else { &[] };
    sandbox.glassbox_with_input(&[&NETWORK, kernel, args].concat(), input)
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
    if !model {
        no_link_left(sandbox);
    }
    let out = redact(&ran.out, model);
    Seen { status: ran.status, out, err: sorted(&redact(&ran.err, model)), diff, tree }
}

/// Every container has the same id here, so its link has the same name; the kernel
/// takes a network namespace away some time after its last process.
fn no_link_left(sandbox: &Sandbox) {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let links = sandbox.inside("ip").args(["-o", "link"]).output().unwrap();
        if !String::from_utf8_lossy(&links.stdout).contains(" gbx") {
            return;
        }
        assert!(Instant::now() < deadline, "a container's link stays");
        std::thread::yield_now();
    }
}

/// Names by kind what cannot be the same: where the store is, interface numbers,
/// clocks, what the host's own kernel and disk are like, and cgroup mounts, which
/// depend on the host's version.
fn redact(text: &str, model: bool) -> String {
    let whole = |line: &&str| {
        // Libraries of a program that is not linked statically; a file that not every kernel has.
        let host =
            ["lib", "lib64"].contains(line) || line.starts_with("/lib") || line.contains("/proc/kcore");
        !host && !line.contains("cgroup") && !line.ends_with(" lib") && !line.ends_with(" lib64")
    };
    let mut all = String::new();
    for line in text.lines().filter(whole) {
        all.push_str(&redact_line(line, model));
        all.push('\n');
    }
    if !text.ends_with('\n') {
        all.pop();
    }
    all
}

fn redact_line(line: &str, model: bool) -> String {
    if line.starts_with("round-trip ") {
        return "round-trip <time>".to_owned();
    }
    let mut line =
        line.replace("the path must exist on the modelled disk", "the path must exist on the host");
    if let Some((mount, layers)) = line.split_once(",lowerdir") {
        line = format!("{mount},<layers>{}", if layers.ends_with(')') { ")" } else { "" });
    }
    let store = if model { "/var/lib/glassbox" } else { "/store" };
    if let Some((_, rest)) = line.split_once(&format!("{store}/containers/")) {
        line = format!("<store>/containers/{rest}");
    }
    let mut words: Vec<String> = Vec::new();
    // Months begin the times of ls and date: a day, and a clock or a year, follow.
    let mut time = 0;
    for word in line.split(' ') {
        let word = match word {
            w if MONTHS.contains(&w) => {
                time = 2;
                "<time>".to_owned()
            }
            "" if time > 0 => continue,
            w if time > 0 && w.bytes().all(|b| b.is_ascii_digit() || b == b':') => {
                time -= 1;
                continue;
            }
            "lib" | "lib64" => continue,
            w if w.starts_with("eth0@if") => "eth0@<peer>:".to_owned(),
            w if w.starts_with("time=") => "time=<time>".to_owned(),
            w if w.starts_with("/dev/vd") => "<disk>".to_owned(),
            w => w.to_owned(),
        };
        words.push(word);
    }
    // The options of the host's own disk.
    if words.iter().any(|w| w == "ext4") && words.first().is_some_and(|w| w == "<disk>") {
        words.pop();
    }
    words.join(" ")
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Standard error in an order of its own: directories are read in any order.
fn sorted(text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines.join("\n")
}

#[test]
#[ignore = "root"]
fn scenarios_are_the_same_on_both_kernels() {
    let sandbox = Sandbox::root();
    let only = std::env::var("GLASSBOX_SCENARIO").unwrap_or_default();
    let mut differences = Vec::new();
    let all = SCENARIOS.iter().chain(CONFINED);
    assert!(all.clone().count() >= 150, "the table shall not shrink");
    for scenario in all.filter(|s| s.script.contains(&only)) {
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
