//! The modelled kernel from the command line: without privileges, and with what
//! one command leaves for the next.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::{Ran, Sandbox};

/// A command of glassbox on the model; never as root.
fn command(sandbox: &Sandbox, args: &[&str]) -> Command {
    let mut command = sandbox.command(&[&["--model"], args].concat());
    if nix::unistd::geteuid().is_root() {
        command.uid(65534).gid(65534);
    }
    command
}

fn model(sandbox: &Sandbox, args: &[&str]) -> Ran {
    command(sandbox, args).output().unwrap().into()
}

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::plain();
    fs::set_permissions(sandbox.path("."), fs::Permissions::from_mode(0o777)).unwrap();
    sandbox
}

#[test]
fn what_a_run_leaves_is_there_for_later_commands() {
    let sandbox = sandbox();
    let ran = model(
        &sandbox,
        &["run", "--name", "first", "box", "sh", "-c", "echo hi >> /etc/motd; rm /etc/shells; exit 4"],
    );
    assert_eq!((ran.status, ran.err.as_str()), (4, ""), "{}", ran.out);
    let listed = model(&sandbox, &["ps", "-a"]).expect(0).out;
    assert!(listed.contains("Exited (4)") && listed.contains("first"), "{listed}");
    assert_eq!(model(&sandbox, &["diff", "first"]).expect(0).out, "C /etc\nC /etc/motd\nD /etc/shells\n");
    let shown: Value = serde_json::from_str(&model(&sandbox, &["inspect", "first"]).expect(0).out).unwrap();
    assert_eq!((&shown[0]["State"]["Status"], &shown[0]["State"]["ExitCode"]), (&"exited".into(), &4.into()));
    let upper = shown[0]["GraphDriver"]["Data"]["UpperDir"].as_str().unwrap();
    assert!(upper.starts_with("/var/lib/glassbox/containers/"), "a path of the modelled disk: {upper}");
    // A second container has a writable layer of its own.
    let ran = model(&sandbox, &["run", "--rm", "box", "cat", "/etc/motd"]).expect(0);
    assert_eq!(ran.out, "box: links layer\n");
    let taken = model(&sandbox, &["run", "--name", "first", "box", "true"]);
    assert!(taken.status == 125 && taken.err.contains("is taken"), "{}", taken.err);
    assert_eq!(model(&sandbox, &["rm", "first"]).expect(0).out, "first\n");
    assert_eq!(model(&sandbox, &["ps", "-aq"]).expect(0).out, "");
    assert!(model(&sandbox, &["images"]).expect(0).out.contains("box"));
}

#[test]
fn closed_standard_descriptors_are_not_taken_by_other_files() {
    let sandbox = sandbox();
    let trace = sandbox.path("trace.jsonl");
    let mut command = Command::new("sh");
    let script = r#"exec "$@" <&- >&- 2>&-"#;
    command.args(["-c", script, "sh", env!("CARGO_BIN_EXE_glassbox"), "--root"]).arg(sandbox.store());
    command.args(["--model", "run", "--trace-file"]).arg(&trace);
    // Its output goes nowhere, and above all not into the trace.
    let status = command.args(["box", "sh", "-c", "echo lost; exit 3"]).status().unwrap();
    assert_eq!(status.code(), Some(3));
    let told = model(&sandbox, &["replay", trace.to_str().unwrap()]).expect(0).out;
    assert!(told.contains("exit"), "{told}");
}

/// What the cgroup of a container counted by its end.
fn counted(sandbox: &Sandbox, script: &str) -> (u64, String) {
    let run = ["run", "--rm", "--memory", "64m", "--trace-file", "-", "box", "sh", "-c", script];
    let out = model(sandbox, &run).out;
    let facts = out.lines().flat_map(|line| {
        let event: Value = serde_json::from_str(line).unwrap();
        event["facts"].as_array().cloned().unwrap_or_default()
    });
    let facts: Vec<Value> = facts.collect();
    let of = |key: &str| {
        let fact = facts.iter().find(|fact| fact["key"] == key);
        let value = &fact.unwrap_or_else(|| panic!("no {key} in {facts:#?}"))["value"];
        value.as_str().or(value["value"].as_str()).map(str::to_owned).unwrap()
    };
    (of("memory.peak").parse().unwrap(), of("memory.events oom_kill"))
}

#[test]
fn what_a_container_used_at_most_is_counted() {
    let sandbox = sandbox();
    let (little, none) = counted(&sandbox, "true");
    let (much, _) = counted(&sandbox, "head -c 20000000 /dev/zero > /dev/shm/file; rm /dev/shm/file");
    let (_, killed) = counted(&sandbox, "head -c 100000000 /dev/zero > /dev/shm/file");
    assert!(little > 0 && much > little + 20_000_000 && much < 64 << 20, "{little} {much}");
    assert_eq!((none.as_str(), killed.as_str()), ("0", "1"));
}

#[test]
fn layers_are_unpacked_once() {
    let sandbox = sandbox();
    let steps = || -> Vec<String> {
        let out = model(&sandbox, &["run", "--rm", "--trace-file", "-", "box", "true"]).expect(0).out;
        let events = out.lines().map(|l| serde_json::from_str::<Value>(l).unwrap());
        events.filter_map(|e| Some(e["about"]["step"].as_str().or(e["step"].as_str())?.to_owned())).collect()
    };
    let (first, second) = (steps(), steps());
    assert!(first.iter().any(|s| s == "image.unpack-layer-1"), "{first:?}");
    assert!(second.iter().any(|s| s == "image.use-layer-1"), "{second:?}");
    assert!(!second.iter().any(|s| s.contains("unpack")), "{second:?}");
}

#[test]
fn the_story_begins_with_whose_it_is() {
    let sandbox = sandbox();
    let ran = model(&sandbox, &["--lang", "en", "run", "--trace", "--rm", "box", "true"]).expect(0);
    assert!(ran.err.starts_with("This is the modelled kernel"), "{}", ran.err);
}

#[test]
fn failures_roll_back_and_leave_no_container() {
    let sandbox = sandbox();
    let ran = model(&sandbox, &["run", "--fail", "pivot.pivot-root=EACCES", "box", "true"]);
    assert!(ran.status == 125 && ran.err.contains("pivot.pivot-root"), "{}", ran.err);
    assert_eq!(model(&sandbox, &["ps", "-aq"]).expect(0).out, "");
    // A killed run takes its machine along; the next command forgets its container.
    let ran = model(&sandbox, &["run", "--name", "gone", "--kill-at", "exec.exec", "box", "true"]);
    assert_eq!(ran.status, 137);
    assert_eq!(model(&sandbox, &["ps", "-aq"]).expect(0).out, "");
    assert_eq!(fs::read_dir(sandbox.store().join("model/containers")).unwrap().count(), 0);
    model(&sandbox, &["run", "--name", "gone", "box", "true"]).expect(0);
}

#[test]
fn what_the_model_does_not_have_is_said() {
    let sandbox = sandbox();
    for (args, words) in [
        (&["run", "debian", "true"][..], "the modelled registry has one image, demo"),
        (&["run", "--pull", "never", "debian", "true"], "no such image in this store"),
        (&["load", "-i", "/dev/null"], "a path is one of the modelled disk"),
        (&["save", "-o", "/nowhere/x.tar", "box"], "the modelled disk, which has /root and /tmp"),
        (&["run", "-v", "/nowhere:/x", "box", "true"], "the path must exist on the modelled disk"),
        (&["inspect", "nothing"], "no such container or image"),
    ] {
        let ran = model(&sandbox, args);
        assert!(ran.status != 0 && ran.err.contains(words), "{args:?}: {} {}", ran.status, ran.err);
    }
}

#[test]
fn volumes_are_directories_of_the_modelled_host() {
    let sandbox = sandbox();
    model(&sandbox, &["run", "--rm", "-v", "/tmp:/data", "box", "sh", "-c", "echo kept > /data/f"]).expect(0);
    let ran = model(&sandbox, &["run", "--rm", "-v", "/tmp:/x:ro", "box", "sh", "-c", "cat /x/f; rm /x/f"]);
    assert!(ran.out == "kept\n" && ran.err.contains("Read-only"), "{} {}", ran.out, ran.err);
}

#[test]
fn a_running_container_is_seen_and_can_be_killed() {
    use std::io::{BufRead, BufReader, Write};

    let sandbox = sandbox();
    let mut child = command(&sandbox, &["run", "-i", "--name", "cat", "box", "cat"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.as_mut().unwrap().write_all(b"hello\n").unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "hello\n", "output comes while the container runs");
    let listed = model(&sandbox, &["ps"]).expect(0).out;
    assert!(listed.contains("Up ") && listed.contains("cat"), "{listed}");
    // What another command keeps meanwhile is not lost, nor is what this one keeps.
    model(&sandbox, &["run", "--name", "beside", "box", "touch", "/f"]).expect(0);
    assert_eq!(model(&sandbox, &["rm", "cat"]).status, 1, "it runs");
    model(&sandbox, &["rm", "-f", "cat"]).expect(0);
    assert!(!child.wait().unwrap().success());
    assert_eq!(model(&sandbox, &["diff", "beside"]).expect(0).out, "A /f\n");
}

#[test]
fn a_reader_that_goes_away_ends_the_writer() {
    let sandbox = sandbox();
    let mut child = command(&sandbox, &["run", "--rm", "box", "yes"]).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    // SIGPIPE does not end process 1: it sees EPIPE.
    assert_eq!(child.wait().unwrap().code(), Some(1));
}

#[test]
fn a_lesson_can_be_done_on_the_model() {
    let sandbox = sandbox();
    let check = ["learn", "check", "copy-on-write", "copy-up"];
    assert_eq!(model(&sandbox, &check).status, 1);
    model(&sandbox, &["run", "--name", "cow1", "box", "sh", "-c", "echo moo >> /etc/motd"]).expect(0);
    let ran = model(&sandbox, &check);
    assert_eq!(ran.status, 0, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("/var/lib/glassbox/containers/"), "{}", ran.out);
    model(&sandbox, &["learn", "reset", "copy-on-write"]).expect(0);
    assert_eq!(model(&sandbox, &["ps", "-aq"]).expect(0).out, "");
}

#[test]
fn a_disk_that_an_earlier_build_kept_still_runs() {
    let sandbox = sandbox();
    model(&sandbox, &["run", "--name", "kept", "box", "sh", "-c", "echo hi > /x"]).expect(0);
    let disk =
        walk(sandbox.store().parent().unwrap()).into_iter().find(|p| p.ends_with("world.json")).unwrap();
    let text = fs::read_to_string(&disk).unwrap();
    let now = "the programs of the modelled kernel";
    assert!(text.contains(now), "{text}");
    fs::write(&disk, text.replace(now, "userland binary")).unwrap();
    let ran = model(&sandbox, &["run", "--rm", "box", "echo", "new"]).expect(0);
    assert_eq!(ran.out, "new\n");
    assert_eq!(model(&sandbox, &["diff", "kept"]).expect(0).out, "A /x\n");
}

fn walk(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(dir).unwrap().flatten().map(|e| e.path());
    entries.flat_map(|p| if p.is_dir() { walk(&p) } else { vec![p] }).collect()
}
