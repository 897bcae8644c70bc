//! Recordings of one command are the same but for what carries its kind.

use std::path::Path;

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

#[test]
#[ignore = "root"]
fn two_runs_of_one_command_differ_only_in_what_carries_a_kind() {
    let sandbox = Sandbox::root();
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
    let sandboxes = [Sandbox::root(), Sandbox::root()];
    let [first, second] = sandboxes.each_ref().map(|sandbox| {
        sandbox.glassbox(&["--deterministic", "run", "--rm", "box", "true"]).expect(0);
        recorded(sandbox, &sandbox.path("trace.jsonl"), &["--deterministic"], &["--rm"])
    });
    same(&first, &second);
}
