//! Recordings in other formats: written live as by a replay, whole or not at
//! all, and read by the programs that they are for. Those are a browser (the
//! Debian package chromium) and what `.ci/run` installs with npm.

mod browser;
mod player;
mod readers;

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{Sandbox, with_input};

const FORMATS: [&str; 7] = ["jsonl", "html", "cast", "chrome.json", "mmd", "md", "svg"];

fn recordings() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings")
}

fn kept(name: &str) -> PathBuf {
    recordings().join(name)
}

/// A kept recording in a format.
fn replayed(sandbox: &Sandbox, name: &str, format: &str) -> String {
    sandbox.glassbox(&["replay", "--to", format, kept(name).to_str().unwrap()]).expect(0).out
}

/// Recordings of this version stay readable: told, checked, and in every format.
#[test]
fn every_recording_kept_is_read() {
    let sandbox = Sandbox::plain();
    let files = fs::read_dir(recordings()).unwrap().map(|f| f.unwrap().path());
    let mut count = 0;
    for file in files.filter(|f| f.extension().is_some_and(|e| e == "jsonl")) {
        count += 1;
        let name = file.to_str().unwrap();
        sandbox.glassbox(&["trace", "check", name]).expect(0);
        assert!(sandbox.glassbox(&["replay", name]).expect(0).out.len() > 2000, "{name}");
        for format in FORMATS {
            let text = sandbox.glassbox(&["replay", "--to", format, name]).expect(0).out;
            assert!(text.len() > 500, "{name} as {format}");
        }
        let once = sandbox.glassbox(&["replay", "--redact", "--to", "jsonl", name]).expect(0).out;
        let again = ["replay", "--redact", "--to", "jsonl", "-"];
        let twice = with_input(&mut sandbox.command(&again), &once).expect(0).out;
        assert!(once == twice, "{name}: a recording redacted twice differs");
        let same = sandbox.glassbox(&["trace", "diff", name, name]).expect(0);
        assert_eq!(same.out, "The two recordings tell the same.\n");
    }
    assert!(count >= 9, "{count}");
}

/// What was held is told by a replay, and in every format that tells it all.
#[test]
fn a_process_held_is_told_in_every_format() {
    let sandbox = Sandbox::plain();
    let file = sandbox.path("held.jsonl");
    let file = file.to_str().unwrap();
    let run = ["--model", "run", "--rm", "--trace-file", file, "--step", "box", "rm", "/etc/passwd"];
    let live = sandbox.glassbox_with_input(&run, "b copy-up\nc\nn\n").expect(0);
    sandbox.glassbox(&["trace", "check", file]).expect(0);
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    for told in [live.err, sandbox.glassbox(&["replay", file]).expect(0).out] {
        assert!(words(&told).contains("is held before unlink on /etc/passwd."), "{told}");
    }
    let said = sandbox.glassbox(&["--lang", "zh-CN", "replay", file]).expect(0).out;
    assert!(words(&said).replace(' ', "").contains("停在对/etc/passwd的unlink之前"), "{said}");
    for format in FORMATS {
        let text = sandbox.glassbox(&["replay", "--to", format, file]).expect(0).out;
        let told = match format {
            "svg" => text.len() > 500,
            "jsonl" | "chrome.json" => text.contains("held"),
            "md" => text.contains("is held before `unlink` on `/etc/passwd`"),
            // With marks between the words, or folded.
            _ => text.contains("held before") && text.contains("/etc/passwd"),
        };
        assert!(told, "{format}: {text}");
    }
    sandbox.glassbox(&["trace", "diff", file, file]).expect(0);
}

#[test]
fn a_damaged_line_is_named() {
    let sandbox = Sandbox::plain();
    let text = fs::read_to_string(kept("model-run.jsonl")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let file = sandbox.path("damaged.jsonl");
    let name = file.to_str().unwrap();
    let mut cut = lines.clone();
    cut[41] = &lines[41][..30];
    let mut gone = lines.clone();
    gone.remove(41);
    let open = format!("{}\n{{\"seq\":1,\"at\":9999999,\"event\":\"end\",\"status\":0}}", lines[0]);
    for (text, words) in [
        (cut.join("\n"), "line 42: not JSON"),
        (gone.join("\n"), "line 42: event number 42 where 41 is due"),
        (lines[..80].join("\n"), "line 80: the recording stops without an \"end\" event"),
        (open, "line 2: the recording ends, and step image.read-image of the plan never began"),
    ] {
        fs::write(&file, text + "\n").unwrap();
        let checked = sandbox.glassbox(&["trace", "check", name]).expect(1);
        assert!(checked.err.contains(words), "{}", checked.err);
        assert_eq!(checked.out, "");
    }
    let none = sandbox.glassbox(&["trace", "check", "/no/such/file"]).expect(1);
    assert!(none.err.contains("/no/such/file: no such file or directory"), "{}", none.err);
}

#[test]
fn a_difference_has_the_status_of_diff() {
    let sandbox = Sandbox::plain();
    let [none, bridge] = ["model-no-network.jsonl", "model-run.jsonl"].map(kept);
    let [none, bridge] = [none.to_str().unwrap(), bridge.to_str().unwrap()];
    let ran = sandbox.glassbox(&["trace", "diff", none, bridge]).expect(1);
    assert!(ran.out.contains("+ Lay a cable into the container"), "{}", ran.out);
    let ran = sandbox.glassbox(&["--lang", "zh-CN", "trace", "diff", bridge, none]).expect(1);
    assert!(ran.out.lines().any(|l| l.starts_with("- ") && l.contains("network.create-veth")), "{}", ran.out);
    for (a, b) in [(none, "/dev/null"), ("/no/such/file", bridge), ("-", "-")] {
        let ran = sandbox.glassbox(&["trace", "diff", a, b]).expect(2);
        assert!(
            ran.err.starts_with("glassbox: ") && ran.err.contains("hint") | ran.err.contains("no such"),
            "{}",
            ran.err
        );
    }
}

#[test]
fn the_schema_is_printed() {
    let schema = Sandbox::plain().glassbox(&["trace", "schema"]).expect(0).out;
    let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
    assert_eq!(schema["title"], "An event of a glassbox recording");
}

/// What is written live is what a replay of the recording writes.
#[test]
fn live_and_replay_are_one() {
    let sandbox = Sandbox::plain();
    let run = |file: &str| {
        let file = sandbox.path(file);
        let args = [
            "--model",
            "--deterministic",
            "run",
            "--rm",
            "--trace-file",
            file.to_str().unwrap(),
            "box",
            "hostname",
        ];
        sandbox.glassbox(&args).expect(0);
        fs::read_to_string(file).unwrap()
    };
    run("first.jsonl");
    let recorded = run("trace.jsonl");
    for format in FORMATS {
        let live = run(&format!("trace.{format}"));
        let again = ["replay", "--to", format, "-"];
        // The name of the trace file is in the command line.
        let input = recorded.replace("trace.jsonl", &format!("trace.{format}"));
        let replayed = with_input(&mut sandbox.command(&again), &input).expect(0).out;
        assert!(live == replayed, "{format} differs");
    }
    let mut left: Vec<String> = fs::read_dir(sandbox.path("."))
        .unwrap()
        .map(|f| f.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with('.'))
        .collect();
    left.sort();
    assert_eq!(left, Vec::<String>::new());
}

#[test]
fn the_format_can_be_named_and_goes_to_standard_output() {
    let sandbox = Sandbox::plain();
    let args = ["--model", "run", "--rm", "--trace-file", "-", "--trace-format", "mmd", "box", "true"];
    let out = sandbox.glassbox(&args).expect(0).out;
    assert!(out.starts_with("sequenceDiagram\n"), "{out}");
    for args in [
        &["--model", "run", "--trace-format", "svg", "box", "true"][..],
        &["--model", "run", "--redact", "box", "true"],
        &["replay", "--at", "x", "y"],
        &["replay", "--to", "md", "--at", "7", "y"],
        &["replay", "--to", "gif", "y"],
    ] {
        sandbox.glassbox(args).expect(125);
    }
    let at = ["replay", "--to", "svg", "--at", "union.mount-overlay"];
    let file = kept("model-run.jsonl");
    let early = sandbox.glassbox(&[&at[..], &[file.to_str().unwrap()]].concat()).expect(0).out;
    assert!(early.contains("writable layer") && !early.contains("veth"));
    let at = ["replay", "--to", "svg", "--at", "union.nothing"];
    let none = sandbox.glassbox(&[&at[..], &[file.to_str().unwrap()]].concat()).expect(1);
    assert!(none.err.contains("no step \"union.nothing\""), "{}", none.err);
}

/// What cannot be written is found out before anything is done.
#[test]
fn a_place_that_cannot_be_written_is_refused_first() {
    let sandbox = Sandbox::plain();
    for path in ["/no/such/dir/x.html", "/proc/x.svg", "/"] {
        let args = ["--model", "run", "--trace-file", path, "--trace-format", "html", "box", "true"];
        let ran = sandbox.glassbox(&args).expect(125);
        assert!(ran.err.contains(&format!("failed to create the trace file {path}: ")), "{}", ran.err);
    }
}

/// The file that is there stays until a whole one takes its place, with the
/// permissions of any new file; a device is written to.
#[test]
fn a_file_is_whole_or_what_it_was() {
    use std::os::unix::fs::PermissionsExt;
    let sandbox = Sandbox::plain();
    let file = sandbox.path("run.html");
    let name = file.to_str().unwrap();
    fs::write(&file, "before").unwrap();
    let killed = ["--model", "run", "--rm", "--kill-at", "exec.exec", "--trace-file", name, "box", "true"];
    let ran = sandbox.glassbox(&killed);
    assert_ne!(ran.status, 0, "{}", ran.err);
    assert_eq!(fs::read_to_string(&file).unwrap(), "before");
    sandbox.glassbox(&["--model", "run", "--rm", "--trace-file", name, "box", "true"]).expect(0);
    assert!(fs::read_to_string(&file).unwrap().ends_with("</html>\n"));
    fs::write(sandbox.path("plain"), "").unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&file), mode(&sandbox.path("plain")));
    let link = sandbox.path("link.svg");
    std::os::unix::fs::symlink(sandbox.path("target.svg"), &link).unwrap();
    fs::write(sandbox.path("target.svg"), "").unwrap();
    sandbox
        .glassbox(&["--model", "run", "--rm", "--trace-file", link.to_str().unwrap(), "box", "true"])
        .expect(0);
    assert!(link.is_symlink() && fs::metadata(&link).unwrap().len() > 1000);
    let null = ["--model", "run", "--rm", "--trace-file", "/dev/null", "--trace-format", "md", "box", "true"];
    sandbox.glassbox(&null).expect(0);
    let full = ["--model", "run", "--rm", "--trace-file", "/dev/full", "--trace-format", "md", "box", "true"];
    let ran = sandbox.glassbox(&full);
    assert!(ran.err.contains("write the trace: no space left on device"), "{} {}", ran.status, ran.err);
}

/// Two runs of one command redact to the same bytes, and so does what is
/// redacted already.
#[test]
fn redacted_recordings_of_one_command_are_the_same_on_the_model() {
    same_redacted(&Sandbox::plain(), &["--model"]);
}

#[test]
#[ignore = "root"]
fn redacted_recordings_of_one_command_are_the_same() {
    same_redacted(&Sandbox::root(), &[]);
}

fn same_redacted(sandbox: &Sandbox, global: &[&str]) {
    let script = "echo hello > /etc/motd; rm /etc/passwd; mkdir /new; cat /etc/motd; hostname; exit 3";
    sandbox.glassbox(&[global, &["run", "--rm", "box", "true"]].concat()).expect(0);
    let run = |name: &str| {
        let file = sandbox.path(name);
        let args = ["run", "--rm", "-p", "18098:80", "--redact", "--trace-file", file.to_str().unwrap()];
        sandbox.glassbox(&[global, &args, &["box", "sh", "-c", script]].concat()).expect(3);
        fs::read_to_string(file).unwrap()
    };
    let [first, second] = [run("first.jsonl"), run("second.jsonl")];
    let differ = first.lines().zip(second.lines()).find(|(a, b)| a != b);
    assert_eq!(differ, None);
    assert_eq!(first.len(), second.len());
    let file = sandbox.path("first.jsonl");
    let again = sandbox.glassbox(&["replay", "--to", "jsonl", "--redact", file.to_str().unwrap()]).expect(0);
    assert!(again.out == first);
    let other = sandbox.path("second.jsonl");
    sandbox.glassbox(&["trace", "diff", file.to_str().unwrap(), other.to_str().unwrap()]).expect(0);
    sandbox.glassbox(&["trace", "check", file.to_str().unwrap()]).expect(0);
}
