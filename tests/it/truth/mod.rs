//! What is told was done, and what was done is told: the built program runs
//! under `strace -f`, and every call of its recording that changes something is
//! held against what strace saw of the runtime and of init, in order, with
//! arguments and results; and the other way round.

mod agree;
mod compare;
mod images;
mod kinds;
mod netlink;
mod strace;
mod told;

use std::fs;
use std::io::BufReader;
use std::path::Path;
use std::process::{Command, Stdio};

use glassbox::trace::Event;
use glassbox::trace::record;

use crate::support::{GLASSBOX, Ran, Sandbox};
use compare::{Except, differences};
use kinds::READS;
use strace::Seen;

struct Watched {
    events: Vec<Event>,
    seen: Vec<Seen>,
    store: String,
    run: String,
    trace_file: String,
}

impl Watched {
    fn differences(&self) -> Vec<String> {
        let except = Except { trace_file: &self.trace_file, store: &self.store, run: &self.run };
        differences(&self.events, &self.seen, &except)
    }
}

pub fn read_recording(path: &Path) -> Vec<Event> {
    let file = BufReader::new(fs::File::open(path).unwrap());
    record::read(file).collect::<Result<_, _>>().unwrap()
}

/// Runs `glassbox run ARGS` under strace.
fn watched(sandbox: &Sandbox, args: &[&str], status: i32) -> Watched {
    under_strace(strace(sandbox, "run", args), status);
    read_back(sandbox)
}

fn under_strace(mut strace: Command, status: i32) {
    let ran: Ran = strace.output().expect("this test needs strace: install the package of that name").into();
    ran.expect(status);
}

/// `glassbox COMMAND ARGS` under strace, recording.
fn strace(sandbox: &Sandbox, command: &str, args: &[&str]) -> Command {
    let mut strace = sandbox.inside("strace");
    strace
        // -y: what a descriptor stands for. -v: structures whole.
        .args(["-f", "-y", "-v", "-s", "1000000", "-e"])
        .arg(format!("trace=!{}", READS.join(",")))
        .arg("-o")
        .arg(sandbox.path("strace"))
        .arg(GLASSBOX)
        .arg("--root")
        .arg(sandbox.store())
        .arg("--run-root")
        .arg(sandbox.path("run"))
        .args([command, "--trace-file"])
        .arg(sandbox.path("trace.jsonl"))
        .args(args);
    strace
}

fn read_back(sandbox: &Sandbox) -> Watched {
    let (text, trace) = (sandbox.path("strace"), sandbox.path("trace.jsonl"));
    let text = String::from_utf8_lossy(&fs::read(text).unwrap()).into_owned();
    let path = |p: &Path| p.to_str().unwrap().to_owned();
    Watched {
        events: read_recording(&trace),
        seen: strace::parse(&text),
        store: path(&sandbox.store()),
        run: path(&sandbox.path("run")),
        trace_file: path(&trace),
    }
}

/// A sandbox whose image is unpacked.
fn prepared() -> Sandbox {
    let sandbox = Sandbox::root();
    sandbox.glassbox(&["run", "--rm", "--network", "none", "box", "true"]).expect(0);
    sandbox
}

#[track_caller]
fn agrees(sandbox: &Sandbox, args: &[&str], status: i32) -> Watched {
    let watched = watched(sandbox, args, status);
    holds(&watched, args);
    watched
}

#[track_caller]
fn holds(watched: &Watched, args: &[&str]) {
    let calls = told::changes(&watched.events).len();
    assert!(calls > 50, "only {calls} changing calls are told");
    let differences = watched.differences();
    assert!(
        differences.is_empty(),
        "{} differences for {args:?}:\n{}",
        differences.len(),
        differences.join("\n")
    );
}

#[test]
#[ignore = "root"]
fn without_a_network() {
    let watched = agrees(&prepared(), &["--rm", "--network", "none", "box", "true"], 0);
    the_comparison_notices(&watched);
}

/// The check of the check: a recording without one of its calls, and an output
/// of strace without one of its lines, must not pass.
fn the_comparison_notices(watched: &Watched) {
    use glassbox::trace::Body;
    let except = Except { trace_file: &watched.trace_file, store: &watched.store, run: &watched.run };
    let told = told::changes(&watched.events);
    // One of the runtime's calls, one of init's, one near the end.
    for told in [&told[0], &told[told.len() / 2], &told[told.len() - 1]] {
        let mut events = watched.events.clone();
        let at = events.iter().position(
            |e| matches!(&e.body, Body::Call { step, call } if *step == told.step && *call == told.call),
        );
        events.remove(at.unwrap());
        let found = differences(&events, &watched.seen, &except);
        assert!(found.iter().any(|d| d.starts_with("done, not told: ")), "{}: {found:?}", told.line());

        let same = |s: &Seen| agree::agree(told, s).is_ok();
        let mut seen = watched.seen.clone();
        // Calls that are alike are all dropped, so that none stands in for another.
        seen.retain(|s| !same(s));
        assert!(seen.len() < watched.seen.len());
        let found = differences(&watched.events, &seen, &except);
        assert!(found.iter().any(|d| d.starts_with("told, not done: ")), "{}: {found:?}", told.line());
    }
    // Another result and another argument are differences, too.
    let at = |events: &[Event]| {
        events.iter().position(|e| matches!(&e.body, Body::Call { call, .. } if call.changes)).unwrap()
    };
    for change in [
        (|call| call.result = 77.into()) as fn(&mut glassbox::trace::Call),
        |call| call.args[1].1 = "/elsewhere".into(),
        |call| call.errno = Some(glassbox::kernel::Errno::EPERM),
    ] {
        let mut events = watched.events.clone();
        let n = at(&events);
        let Body::Call { call, .. } = &mut events[n].body else { unreachable!() };
        change(call);
        assert!(!differences(&events, &watched.seen, &except).is_empty());
    }
    // And a call that nobody has thought about.
    let mut seen = watched.seen.clone();
    let mut unknown = seen[1].clone();
    unknown.name = "some_new_call".to_owned();
    seen.insert(2, unknown);
    assert!(!differences(&watched.events, &seen, &except).is_empty());
}

#[test]
#[ignore = "root"]
fn on_the_default_bridge_with_limits_and_a_port() {
    let args = [
        "--rm",
        "-p",
        "18099:80",
        "-m",
        "64m",
        "--cpus",
        "0.5",
        "--pids-limit",
        "50",
        "box",
        "sh",
        "-c",
        "ip addr",
    ];
    let sandbox = prepared();
    // The first run makes the network, the second finds it.
    agrees(&sandbox, &args, 0);
    agrees(&sandbox, &args, 0);
}

#[test]
#[ignore = "root"]
fn as_a_user_on_a_read_only_root() {
    let args =
        ["--rm", "--network", "none", "--read-only", "-u", "1000", "--security-opt", "no-new-privileges"];
    agrees(&prepared(), &[&args[..], &["box", "sh", "-c", "id; exit 3"]].concat(), 3);
}

#[test]
#[ignore = "root"]
fn with_volumes_and_capabilities() {
    let sandbox = prepared();
    let volume = sandbox.path("volume");
    fs::create_dir(&volume).unwrap();
    let bind = format!("{}:/deep/er/data:ro", volume.display());
    let args =
        ["--network", "none", "-v", &bind, "-v", "/etc/hostname:/etc/outside", "--cap-add", "NET_ADMIN"];
    let args =
        [&args[..], &["-w", "/some/where", "-h", "other", "box", "sh", "-c", "echo x > /kept"]].concat();
    agrees(&sandbox, &args, 0);
}

#[test]
#[ignore = "root"]
fn with_all_privileges_on_the_hosts_network() {
    agrees(&prepared(), &["--rm", "--network", "host", "box", "true"], 0);
    agrees(&prepared(), &["--rm", "--network", "host", "--privileged", "box", "true"], 0);
}

#[test]
#[ignore = "root"]
fn in_a_user_namespace() {
    let args = ["--rm", "--network", "none", "--userns", "100000:65536", "box", "id"];
    agrees(&prepared(), &args, 0);
}

#[test]
#[ignore = "root"]
fn on_a_terminal() {
    let sandbox = prepared();
    let args = ["--rm", "-t", "-i", "--network", "none", "-u", "1000", "box", "sh", "-c", "tty; exit 4"];
    let pty = nix::pty::openpty(None, None).unwrap();
    let side = || Stdio::from(pty.slave.try_clone().unwrap());
    let mut child =
        strace(&sandbox, "run", &args).stdin(side()).stdout(side()).stderr(Stdio::null()).spawn().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(4));
    let watched = read_back(&sandbox);
    holds(&watched, &args);
    let told = told::changes(&watched.events);
    assert!(told.iter().any(|t| t.arg("op").as_deref() == Some("TIOCSCTTY")), "there was no terminal");
}

#[test]
#[ignore = "root"]
fn when_the_command_is_missing() {
    agrees(&prepared(), &["--rm", "--network", "none", "box", "nosuch"], 127);
}

#[test]
#[ignore = "root"]
fn with_a_layer_to_unpack() {
    let sandbox = prepared();
    let layers = sandbox.store().join("layers");
    let layer = fs::read_dir(&layers).unwrap().next().unwrap().unwrap().path();
    fs::remove_dir_all(layer).unwrap();
    let watched = agrees(&sandbox, &["--rm", "--network", "none", "box", "true"], 0);
    use glassbox::trace::Body;
    let facts = watched.events.iter().find_map(|e| match &e.body {
        Body::Observed { step, facts, .. } if step.0.starts_with("image.unpack-layer") => Some(facts),
        _ => None,
    });
    let entries = facts.unwrap().iter().find(|f| f.key == "entries").unwrap();
    assert!(matches!(entries.value, glassbox::trace::Value::Int(1..)), "{entries:?}");
}

#[test]
#[ignore = "root"]
fn through_a_rollback() {
    let sandbox = prepared();
    let bridge = ["-p", "18098:80", "-m", "64m", "box", "true"];
    for (step, options) in [("mounts.mount-proc", &bridge[..]), ("exec.exec", &bridge[..])] {
        let watched = agrees(&sandbox, &[&["--fail", step], options].concat(), 125);
        let undone = watched.events.iter().filter(|e| matches!(e.body, glassbox::trace::Body::Undone { .. }));
        assert!(undone.count() > 5, "there is no rollback");
    }
}

/// `exec ARGS` tells what strace sees.
#[track_caller]
pub fn exec_agrees(sandbox: &Sandbox, args: &[&str], status: i32) {
    under_strace(strace(sandbox, "exec", args), status);
    holds(&read_back(sandbox), args);
}
