//! Recordings of one command are the same but for what carries its kind.

use std::path::Path;

use glassbox::trace::{Event, redact};

use crate::support::{Ran, Sandbox};
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

/// A run that pulls its image first is one recording of several plans, in every
/// format, redacted or not.
#[test]
fn the_pull_of_a_run_is_in_its_recording() {
    let sandbox = Sandbox::plain();
    let run = |n: &str, file: &str, more: &[&str]| {
        let file = sandbox.path(file);
        let mut command = sandbox.inside(crate::support::GLASSBOX);
        command.arg("--root").arg(sandbox.path(n)).arg("--run-root").arg(sandbox.path("run"));
        command.args(["--model", "--deterministic", "run", "--rm", "--trace-file"]).arg(&file);
        // The image has nothing to run: the run begins, and is taken back.
        let ran = Ran::from(command.args(more).args(["demo", "hello"]).output().unwrap()).expect(127);
        assert!(ran.err.contains("Downloaded newer image for demo:latest"), "{}", ran.err);
        file
    };
    let plain = run("a", "a.jsonl", &[]);
    let plain = plain.to_str().unwrap();
    let checked = sandbox.glassbox(&["trace", "check", plain]).expect(0).out;
    assert!(checked.contains("is a whole recording"), "{checked}");
    let text = std::fs::read_to_string(plain).unwrap();
    let count = |event: &str| text.matches(&format!("\"event\":\"{event}\"")).count();
    assert_eq!((count("begin"), count("planned"), count("end")), (1, 2, 1));
    assert!(text.contains("image.take-layer-3") && text.contains("exec.exec"));
    let told = sandbox.glassbox(&["--lang", "en", "replay", plain]).expect(0).out;
    assert!(told.contains("What was read tells what is left to do"), "{told}");
    let redacted = run("b", "b.jsonl", &["--redact"]);
    sandbox.glassbox(&["trace", "check", redacted.to_str().unwrap()]).expect(0);
    let redacted = std::fs::read_to_string(redacted).unwrap();
    assert!(redacted.contains("<digest-1>") && redacted.contains("image.take-layer-3"), "{redacted}");
    assert!(!redacted.contains("sha256:1"), "{redacted}");
    for format in ["html", "cast", "chrome.json", "mmd", "md", "svg"] {
        let live = std::fs::read(run(format, &format!("x.{format}"), &[])).unwrap();
        assert!(live.len() > 500, "{format}");
        if format != "svg" {
            let live = String::from_utf8_lossy(&live);
            assert!(live.contains("take-layer-3") || live.contains("Take in layer 3"), "{format}: {live}");
        }
    }
    // The pull that fails is recorded too.
    let file = sandbox.path("none.jsonl");
    let file = file.to_str().unwrap();
    sandbox.glassbox(&["--model", "run", "--trace-file", file, "nowhere/none", "x"]).expect(125);
    let checked = sandbox.glassbox(&["trace", "check", file]).expect(0).out;
    assert!(checked.contains("one step failed"), "{checked}");
    // And the run that does not come after it.
    let file = sandbox.path("badly.jsonl");
    let file = file.to_str().unwrap();
    let badly = ["--model", "run", "--trace-file", file, "--user", "nobody-of-that-name", "demo", "x"];
    sandbox.glassbox(&badly).expect(125);
    sandbox.glassbox(&["trace", "check", file]).expect(0);
}
