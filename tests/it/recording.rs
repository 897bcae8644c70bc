//! Recordings of one command are the same but for what carries its kind.

use std::fs;
use std::path::{Path, PathBuf};

use glassbox::trace::{Event, redact};

use crate::support::Sandbox;
use crate::truth::read_recording;

const SCRIPT: &str = "echo hello > /etc/motd; cat /etc/motd; ps; hostname; ip addr";

/// The redacted recording of a run, one line of JSON per event.
fn recorded(sandbox: &Sandbox, trace: &Path, global: &[&str], options: &[&str]) -> Vec<String> {
    let file = trace.to_str().unwrap();
    let args = [global, &["run", "--trace-file", file], options, &["box", "sh", "-c", SCRIPT]].concat();
    sandbox.glassbox(&args).expect(0);
    lines(&redact::redact(&read_recording(trace)).unwrap())
}

fn lines(events: &[Event]) -> Vec<String> {
    events.iter().map(|e| serde_json::to_string(e).unwrap()).collect()
}

/// Says where the first lines differ: a difference of whole files helps nobody.
#[track_caller]
fn same(first: &[String], second: &[String]) {
    let differ: Vec<String> = first
        .iter()
        .zip(second)
        .filter(|(a, b)| a != b)
        .take(8)
        .map(|(a, b)| {
            let at = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count().saturating_sub(120);
            let cut = |s: &str| s.get(at..).unwrap_or(s).chars().take(300).collect::<String>();
            format!("{}\nfirst:  {}\nsecond: {}", a.get(..90).unwrap_or(a), cut(a), cut(b))
        })
        .collect();
    assert!(differ.is_empty(), "the first lines that differ:\n{}", differ.join("\n"));
    assert_eq!(first.len(), second.len());
}

/// While this lives, the containers' common parent exists in every hierarchy:
/// whether a run has to make it depends on what else runs on the host.
struct Neighbour(Vec<PathBuf>);

impl Neighbour {
    fn new() -> Neighbour {
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let points = mounts.lines().filter(|l| l.contains(" - cgroup")).filter_map(|l| l.split(' ').nth(4));
        let own = format!("glassbox/test-{}-{:?}", std::process::id(), std::thread::current().id());
        let mut made = Vec::new();
        for dir in points.map(|p| Path::new(p).join(&own)) {
            // Another container's end may take the parent away in between.
            if (0..100).any(|_| fs::create_dir_all(&dir).is_ok()) {
                made.push(dir);
            }
        }
        Neighbour(made)
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        for dir in &self.0 {
            let _ = fs::remove_dir(dir);
            if let Some(parent) = dir.parent() {
                let _ = fs::remove_dir(parent);
            }
        }
    }
}

#[test]
#[ignore = "root"]
fn two_runs_of_one_command_differ_only_in_what_carries_a_kind() {
    let (sandbox, _neighbour) = (Sandbox::root(), Neighbour::new());
    // The first run makes the image's layers and the network.
    sandbox.glassbox(&["run", "--rm", "box", "true"]).expect(0);
    // One name, as the command line stands in the recording.
    let trace = sandbox.path("trace.jsonl");
    for options in [&["--rm", "-p", "18097:80", "-m", "64m"][..], &["--name", "same"]] {
        let first = recorded(&sandbox, &trace, &[], options);
        if options.contains(&"same") {
            sandbox.glassbox(&["rm", "same"]).expect(0);
        }
        let second = recorded(&sandbox, &trace, &[], options);
        same(&first, &second);
        assert!(first.len() > 300, "{}", first.len());
    }
}

#[test]
#[ignore = "root"]
fn deterministic_runs_in_two_stores_are_the_same() {
    let _neighbour = Neighbour::new();
    let sandboxes = [Sandbox::root(), Sandbox::root()];
    let [first, second] = sandboxes.each_ref().map(|sandbox| {
        sandbox.glassbox(&["--deterministic", "run", "--rm", "box", "true"]).expect(0);
        recorded(sandbox, &sandbox.path("trace.jsonl"), &["--deterministic"], &["--rm"])
    });
    same(&first, &second);
}
