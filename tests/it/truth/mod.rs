//! What is told was done, and what was done is told: the built program runs
//! under `strace -f`, and every call of its recording that changes something is
//! held against what strace saw of the runtime and of init, in order, with
//! arguments and results; and the other way round.

mod agree;
mod compare;
mod kinds;
mod netlink;
mod strace;
mod told;

use std::fs;
use std::io::BufReader;
use std::path::Path;

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
    let (text, trace) = (sandbox.path("strace"), sandbox.path("trace.jsonl"));
    let ran: Ran = sandbox
        .inside("strace")
        // -y: what a descriptor stands for. -v: structures whole.
        .args(["-f", "-y", "-v", "-s", "1000000", "-e"])
        .arg(format!("trace=!{}", READS.join(",")))
        .arg("-o")
        .arg(&text)
        .arg(GLASSBOX)
        .arg("--root")
        .arg(sandbox.store())
        .arg("--run-root")
        .arg(sandbox.path("run"))
        .args(["run", "--trace-file"])
        .arg(&trace)
        .args(args)
        .output()
        .expect("this test needs strace: install the package of that name")
        .into();
    ran.expect(status);
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
    let calls = told::changes(&watched.events).len();
    assert!(calls > 50, "only {calls} changing calls are told");
    let differences = watched.differences();
    assert!(
        differences.is_empty(),
        "{} differences for {args:?}:\n{}",
        differences.len(),
        differences.join("\n")
    );
    watched
}

#[test]
#[ignore = "root"]
fn without_a_network() {
    agrees(&prepared(), &["--rm", "--network", "none", "box", "true"], 0);
}
