//! The life of a command that joined a container: its files, its processes, what it is refused;
//! beside others that change the same layer; and what becomes of those that outlive it.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use glassbox::trace::{Body, FileChange, FileType, Life, Refusal};

use super::Running;
use crate::support::{Sandbox, with_input};
use crate::truth::read_recording;

fn lives(trace: &Path) -> Vec<Life> {
    let life = |e: glassbox::trace::Event| match e.body {
        Body::Life { life } => Some(life),
        _ => None,
    };
    read_recording(trace).into_iter().filter_map(life).collect()
}

/// What a watched script in the container is told to have done.
fn lived(container: &Running<'_>, options: &[&str], script: &str, status: i32) -> Vec<Life> {
    let trace = container.sandbox.path("exec.jsonl");
    let _ = fs::remove_file(&trace);
    let file = trace.to_str().unwrap();
    container.sh(&[&["--trace-file", file], options].concat(), script).expect(status);
    container.sandbox.glassbox(&["trace", "check", file]).expect(0);
    lives(&trace)
}

fn changes<'a>(lives: &'a [Life], path: &str) -> Vec<(&'static str, &'a FileChange)> {
    let change = |life: &'a Life| match life {
        Life::CopyUp(c) | Life::Whiteout(c) | Life::Opaque(c) | Life::Redirect(c) | Life::Created(c) => {
            Some((life.name(), &**c))
        }
        _ => None,
    };
    lives.iter().filter_map(change).filter(|(_, c)| c.path == path).collect()
}

#[track_caller]
fn once<'a>(lives: &'a [Life], kind: &str, path: &str) -> &'a FileChange {
    match changes(lives, path)[..] {
        [(name, change)] if name == kind => change,
        _ => panic!("{kind} of {path} is not told once in {lives:#?}"),
    }
}

fn until(what: &str, so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !so() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
#[ignore = "root"]
fn what_a_command_does_to_files_is_told() {
    let sandbox = Sandbox::root();
    let userns = ["--userns", "100000:65536"];
    for (run, options) in [
        (&[][..], &[][..]),
        (&[], &["--trace"]),
        (&[], &["--privileged"]),
        (&userns, &["--trace=full", "-t"]),
    ] {
        let container = Running::new(&sandbox, run);
        container.sh(&[], "echo old > /old").expect(0);
        let script = "echo more >> /etc/motd; rm /etc/passwd; mkdir /new; echo more >> /old";
        let lives = lived(&container, options, script, 0);
        let copied = once(&lives, "copy_up", "/etc/motd");
        let process = copied.process.as_ref().unwrap();
        assert_eq!((copied.call.as_deref(), process.program.as_str()), (Some("openat"), "sh"));
        assert!(process.inside.is_some() && process.inside != Some(1.into()), "{process:?}");
        let layer = copied.layer.as_ref().unwrap();
        assert!(layer.made_by.starts_with("RUN link-programs"), "{layer:?}");
        let hidden = once(&lives, "whiteout", "/etc/passwd");
        let process = hidden.process.as_ref().unwrap();
        assert_eq!((hidden.call.as_deref(), process.program.as_str()), (Some("unlink"), "rm"));
        assert_eq!(once(&lives, "created", "/new").what, FileType::Directory);
        assert_eq!(changes(&lives, "/old"), [], "it stood in the writable layer before");
        let ran = |l: &Life| matches!(l, Life::Executed { argv, .. } if argv[..] == ["rm", "/etc/passwd"]);
        assert!(lives.iter().any(ran), "{lives:#?}");
        // Others may change the layer as long as the container lives: it is not counted.
        assert!(!lives.iter().any(|l| matches!(l, Life::LayerSummary(_))), "{lives:#?}");
        // Once more it is all in the writable layer.
        assert_eq!(changes(&lived(&container, options, "echo x >> /etc/motd", 0), "/etc/motd"), []);
        container.kill();
    }
}

/// Two watchers at once, of the same layer: each tells what its own did, and the one that counts
/// the layer in the end misses nothing.
#[test]
#[ignore = "root"]
fn two_watchers_lose_nothing_to_each_other() {
    let sandbox = Sandbox::root();
    let trace = sandbox.path("run.jsonl");
    let script = "until [ -e /go ]; do sleep 0.02; done; rm /both; echo mine > /mine; exec sleep 1000";
    let container = Running::with(
        &sandbox,
        &["--trace=full", "--trace-file", trace.to_str().unwrap()],
        &["sh", "-c", script],
    );
    let script = "echo x > /both; rm /etc/group; echo x > /theirs; : > /go; \
                  until [ -e /mine ]; do sleep 0.02; done; echo more >> /etc/motd; echo again > /both";
    let exec = lived(&container, &["--trace=full"], script, 0);
    container.kill();
    let run = lives(&trace);
    assert_eq!(changes(&exec, "/mine"), [], "that is the work of another");
    let mine = once(&run, "created", "/mine");
    assert_eq!(mine.process.as_ref().unwrap().inside, Some(1.into()));
    for (kind, path) in [("created", "/theirs"), ("whiteout", "/etc/group"), ("copy_up", "/etc/motd")] {
        assert!(once(&exec, kind, path).process.is_some());
        assert_eq!(once(&run, kind, path).process, None, "the run did not start that process");
    }
    // Made, removed by the other, and made again.
    assert_eq!(changes(&exec, "/both").len(), 2, "{exec:#?}");
    let sum = run.iter().find_map(|l| match l {
        Life::LayerSummary(sum) => Some(sum),
        _ => None,
    });
    assert_eq!(sum.unwrap().unseen, 0, "{sum:?}");
}

#[test]
#[ignore = "root"]
fn a_refused_call_of_a_command_is_told() {
    let sandbox = Sandbox::root();
    let container = Running::new(&sandbox, &[]);
    let lives = lived(&container, &["--trace"], "mount -t tmpfs x /mnt; true", 0);
    let refused = lives.iter().find_map(|l| match l {
        Life::Refused { process, call, by, .. } if call == "mount" => Some((&process.program, by)),
        _ => None,
    });
    let Some((program, Refusal::Seccomp { unless, .. })) = refused else { panic!("{lives:#?}") };
    assert_eq!((program.as_str(), &unless[..]), ("mount", &["CAP_SYS_ADMIN".to_owned()][..]));
}

#[test]
#[ignore = "root"]
fn a_command_is_held_before_it_changes_a_layer() {
    let sandbox = Sandbox::root();
    let container = Running::new(&sandbox, &[]);
    let script = "(sleep 2000 > /dev/null 2>&1 & cat /etc/passwd > /there); rm /etc/passwd";
    let step = |input: &str, status: i32| {
        let args = ["exec", "--step=line", "one", "sh", "-c", script];
        with_input(&mut sandbox.command(&args), input).expect(status)
    };
    let before = sandbox.host();
    let ran = step("b copy-up\nc\ni layers\nq\n", 130);
    let words = ran.err.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("is held before unlink on /etc/passwd"), "{}", ran.err);
    assert!(words.contains("/there A"), "the layers are those of the container: {}", ran.err);
    assert!(!words.contains("was removed"), "{}", ran.err);
    // Nothing is left, also not what the command had made before.
    until("a process stays", || !container.exec(&[], &["ps"]).expect(0).out.contains("sleep 2000"));
    sandbox.wait_for_host(&before, "the exec was quit");
    container.sh(&[], "test -e /etc/passwd").expect(0);
    let script_ends = "b copy-up\nc\nn\nc\n";
    let ran = step(script_ends, 0);
    let words = ran.err.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("/etc/passwd was removed"), "{}", ran.err);
    container.sh(&[], "test -e /etc/passwd").expect(1);
}

/// What a watched command leaves behind has its filter, and must not notice that nobody watches.
#[test]
#[ignore = "root"]
fn what_outlives_a_watched_command_works_on() {
    let sandbox = Sandbox::root();
    let container = Running::new(&sandbox, &[]);
    let before = sandbox.host();
    let late = "(until [ -e /go ]; do sleep 0.02; done; cat /etc/motd > /late; mount -t tmpfs x /mnt 2> /no; \
                mkdir /made) > /dev/null 2>&1 < /dev/null &";
    let done = || container.sh(&[], "test -d /made").status == 0;
    let good = |how: &str| {
        container.sh(&[], ": > /go").expect(0);
        until(how, done);
        let text = |path: &str| container.exec(&[], &["cat", path]).expect(0).out;
        assert_eq!(text("/late"), text("/etc/motd"), "{how}");
        // What the profile refuses it refuses still.
        assert!(text("/no").contains("not permitted"), "{how}: {}", text("/no"));
        sandbox.wait_for_host(&before, how);
        container.sh(&[], "rm -r /go /late /no /made").expect(0);
    };
    lived(&container, &["--trace"], late, 0);
    good("the command ended");

    let begun = |args: &[&str]| -> Child {
        let mut command = sandbox.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        if let Some(input) = child.stdin.as_mut().filter(|_| args.contains(&"--step=line")) {
            input.write_all(b"c\n").unwrap();
        }
        let mut said = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut said).unwrap();
        assert_eq!(said, "begun\n");
        child
    };
    let script = format!("{late} echo begun; exec sleep 2000");
    for how in ["--trace", "--step=line"] {
        let mut child = begun(&["exec", how, "one", "sh", "-c", &script]);
        child.kill().unwrap();
        child.wait().unwrap();
        good(how);
    }
}

/// The kernel ends a container only when all its processes were asked for by their parents: one
/// that waits at a step is not to be waited for.
#[test]
#[ignore = "root"]
fn a_container_ends_while_an_exec_waits_at_a_step() {
    let sandbox = Sandbox::root();
    let container = Running::new(&sandbox, &[]);
    let mut command = sandbox.command(&["exec", "--step=line", "one", "true"]);
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut waiting = piped.spawn().unwrap();
    let mut input = waiting.stdin.take().unwrap();
    let mut said = BufReader::new(waiting.stderr.take().unwrap());
    input.write_all(b"b security.set-user\nc\n").unwrap();
    let mut line = String::new();
    while !line.contains("security.set-user") || line.contains("(glassbox)") {
        line.clear();
        assert!(said.read_line(&mut line).unwrap() > 0, "it never comes to that step");
    }
    assert_eq!(container.kill(), 137, "its run has ended");
    assert_eq!(waiting.try_wait().unwrap(), None, "the exec waits at its step");
    input.write_all(b"c\n").unwrap();
    drop(input);
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut said, &mut rest).unwrap();
    assert_eq!(waiting.wait().unwrap().code(), Some(137), "{rest}");
    assert!(rest.contains("the container ended meanwhile"), "{rest}");
    let host = sandbox.settled_host();
    assert!(host.receipts.is_empty() && host.cgroups.is_empty() && host.processes.is_empty(), "{host:?}");
}
