//! The life of a container as it is told: files copied up, hidden and made,
//! processes, refused calls; held against what is on disk.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use glassbox::kernel::Errno;
use glassbox::trace::{Body, FileChange, FileType, LayerSummary, Life, Refusal};

use crate::support::{Ran, Sandbox, with_input};
use crate::truth::read_recording;

/// Runs a command in a container that stays, and gives what was told of its life.
fn lived(sandbox: &Sandbox, options: &[&str], command: &[&str]) -> (Ran, Vec<Life>) {
    let trace = sandbox.path("life.jsonl");
    let run = ["run", "--network", "none", "--trace-file", trace.to_str().unwrap()];
    // With the file alone there are no tracepoints.
    let level: &[&str] = if options.iter().any(|o| o.starts_with("--trace=")) { &[] } else { &["--trace"] };
    let ran = sandbox.glassbox(&[&run[..], level, options, &["box"], command].concat());
    (ran, lives(&trace))
}

fn lives(trace: &Path) -> Vec<Life> {
    let life = |e: glassbox::trace::Event| match e.body {
        Body::Life { life } => Some(life),
        _ => None,
    };
    read_recording(trace).into_iter().filter_map(life).collect()
}

fn change(life: &Life) -> Option<(&'static str, &FileChange)> {
    match life {
        Life::CopyUp(c) | Life::Whiteout(c) | Life::Opaque(c) | Life::Redirect(c) | Life::Created(c) => {
            Some((life.name(), c))
        }
        _ => None,
    }
}

#[track_caller]
fn of<'a>(lives: &'a [Life], kind: &str, path: &str) -> &'a FileChange {
    let found = lives.iter().filter_map(change).find(|(name, c)| *name == kind && c.path == path);
    found.unwrap_or_else(|| panic!("no {kind} of {path} in {lives:#?}")).1
}

#[track_caller]
fn summary(lives: &[Life]) -> &LayerSummary {
    let sum = lives.iter().find_map(|l| match l {
        Life::LayerSummary(sum) => Some(sum),
        _ => None,
    });
    sum.unwrap_or_else(|| panic!("no summary in {lives:#?}"))
}

fn program(c: &FileChange) -> &str {
    &c.process.as_ref().unwrap().program
}

#[test]
#[ignore = "root"]
fn files_of_layers_are_told_as_they_are_changed() {
    let sandbox = Sandbox::root();
    let script = "echo more >> /etc/motd; rm /etc/passwd; mkdir /new; mv /etc/group /etc/g2; \
                  ln -s x /link; rm /etc/shells; echo other > /etc/shells";
    for (options, caller) in
        [(&[][..], 1), (&["--privileged"], 2), (&["--security-opt", "seccomp=unconfined"], 3)]
    {
        let (ran, lives) = lived(&sandbox, options, &["sh", "-c", script]);
        ran.expect(0);
        let copied = of(&lives, "copy_up", "/etc/motd");
        assert_eq!((copied.call.as_deref(), program(copied)), (Some("openat"), "sh"), "{caller}");
        assert_eq!(copied.process.as_ref().unwrap().inside, Some(1.into()));
        assert_eq!(copied.bytes, Some(17));
        let layer = copied.layer.as_ref().unwrap();
        assert!(layer.digest.text().starts_with("sha256:"), "{layer:?}");
        assert!(layer.made_by.starts_with("RUN link-programs"), "{layer:?}");
        assert_eq!(copied.hidden.len(), 1, "the base layer has a motd, too");
        assert_eq!(of(&lives, "copy_up", "/etc").what, FileType::Directory);
        let hidden = of(&lives, "whiteout", "/etc/passwd");
        assert_eq!((hidden.call.as_deref(), program(hidden)), (Some("unlink"), "rm"));
        assert_eq!(hidden.layer.as_ref().unwrap().made_by, "COPY base/ /");
        assert_eq!(of(&lives, "created", "/new").what, FileType::Directory);
        assert_eq!(of(&lives, "created", "/link").what, FileType::Symlink);
        assert_eq!(of(&lives, "created", "/etc/g2").call.as_deref(), Some("rename"));
        assert_eq!(of(&lives, "whiteout", "/etc/group").call.as_deref(), Some("rename"));
        let anew = of(&lives, "created", "/etc/shells");
        assert!(anew.layer.is_some(), "what the layer has there is hidden");
        let sum = summary(&lives);
        let counts = (sum.created, sum.copied, sum.directories, sum.whiteouts, sum.unseen);
        assert_eq!(counts, (4, 1, 1, 2, 0), "{sum:?}");
    }
}

/// What stands in a writable layer, by what can be seen from outside.
fn on_disk(upper: &Path) -> BTreeMap<String, &'static str> {
    let mut all = BTreeMap::new();
    let mut dirs = vec![upper.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).unwrap().flatten() {
            let (path, meta) = (entry.path(), entry.path().symlink_metadata().unwrap());
            let whiteout = meta.file_type().is_char_device() && meta.rdev() == 0;
            let shown = format!("/{}", path.strip_prefix(upper).unwrap().display());
            if meta.is_dir() {
                dirs.push(path);
            }
            all.insert(shown, if whiteout { "whiteout" } else { "present" });
        }
    }
    all
}

/// A small generator, so that a failure can be had again from its seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides as u64) as usize
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.roll(of.len())]
    }
}

pub fn random_script(seed: u64) -> String {
    const PATHS: [&str; 12] = [
        "/etc/motd",
        "/etc/passwd",
        "/etc/group",
        "/etc/new",
        "/tmp/a",
        "/tmp/d",
        "/tmp/d/x",
        "/bin/cat2",
        "/usr",
        "/usr/x",
        "/root/r",
        "/d/e",
    ];
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut script = String::new();
    for _ in 0..40 {
        let (a, b) = (dice.pick(&PATHS), dice.pick(&PATHS));
        script += &match dice.roll(11) {
            0 => format!("echo x > {a}\n"),
            1 => format!("echo x >> {a}\n"),
            2 => format!("rm {a}\n"),
            3 => format!("rm -r {a}\n"),
            4 => format!("mkdir {a}\n"),
            5 => format!("rmdir {a}\n"),
            6 => format!("mv {a} {b}\n"),
            7 => format!("ln {a} {b}\n"),
            8 => format!("ln -s {b} {a}\n"),
            9 => format!("chmod 640 {a}\n"),
            _ => format!("cp {a} {b}\n"),
        };
    }
    // Most of it fails, which is part of it.
    format!("({script}) 2> /dev/null\ntrue\n")
}

/// Nothing missed, nothing invented: what was told last of each path is what stands
/// on the disk, and what stands there was told.
#[test]
#[ignore = "root"]
fn the_story_of_random_file_operations_is_the_layer_on_disk() {
    let sandbox = Sandbox::root();
    for seed in 1..=12 {
        let script = random_script(seed);
        let (ran, lives) = lived(&sandbox, &["--trace=full"], &["sh", "-c", &script]);
        assert_eq!(ran.status, 0, "seed {seed}: {}", ran.err);
        let id = newest(&sandbox);
        let disk = on_disk(&sandbox.store().join("containers").join(&id).join("upper"));
        let mut told = BTreeMap::new();
        for (kind, change) in lives.iter().filter_map(change) {
            told.insert(change.path.clone(), if kind == "whiteout" { kind } else { "present" });
        }
        let sum = summary(&lives);
        assert_eq!(sum.unseen, 0, "seed {seed}: {sum:?}\n{script}");
        for (path, stands) in &disk {
            assert_eq!(told.get(path), Some(stands), "seed {seed}: {path}\n{script}\n{lives:#?}");
        }
        let counted = sum.created + sum.copied + sum.directories + sum.whiteouts + sum.opaque;
        assert_eq!(counted, disk.len() as u64, "seed {seed}: {sum:?}");
        let gone = told.keys().filter(|p| !disk.contains_key(*p)).count() as u64;
        assert!(sum.gone >= gone, "seed {seed}: {gone} {sum:?}");
        sandbox.glassbox(&["rm", &id]).expect(0);
    }
}

fn newest(sandbox: &Sandbox) -> String {
    let ran = sandbox.glassbox(&["ps", "-aq", "--no-trunc"]).expect(0);
    ran.out.lines().next().unwrap().trim().to_owned()
}

#[test]
#[ignore = "root"]
fn processes_are_told_with_both_numbers() {
    let sandbox = Sandbox::root();
    let script = "cat /etc/motd; (sleep 0.2 & exit 4); cat /nosuch; sleep 0.5";
    let (ran, lives) = lived(&sandbox, &["--rm"], &["sh", "-c", script]);
    ran.expect(0);
    let executed: Vec<_> = lives
        .iter()
        .filter_map(|l| match l {
            Life::Executed { process, argv } => Some((process.program.as_str(), argv.join(" "))),
            _ => None,
        })
        .collect();
    assert!(executed.contains(&("cat", "cat /etc/motd".to_owned())), "{executed:?}");
    for life in &lives {
        if let Life::Forked { child, .. } = life {
            assert!(child.inside.is_some() && child.inside.as_ref() != Some(&child.pid), "{child:?}");
        }
    }
    let adopted = lives.iter().find_map(|l| match l {
        Life::Adopted { process, parent, .. } => Some((process, parent)),
        _ => None,
    });
    assert_eq!(adopted.unwrap().1.inside, Some(1.into()));
    let ended =
        |wanted: u8| lives.iter().any(|l| matches!(l, Life::Ended { code: Some(c), .. } if *c == wanted));
    assert!(ended(0) && ended(1) && ended(4), "{lives:#?}");
}

#[test]
#[ignore = "root"]
fn a_refused_call_says_which_capability_is_wanting() {
    let sandbox = Sandbox::root();
    let (ran, lives) = lived(&sandbox, &["--rm"], &["sh", "-c", "mount -t tmpfs x /mnt; hostname other"]);
    assert!(ran.err.contains("not permitted"), "the errno is the profile's: {}", ran.err);
    for (wanted, who) in [("mount", "mount"), ("sethostname", "hostname")] {
        let refused = lives.iter().find_map(|l| match l {
            Life::Refused { process, call, errno, by } if call == wanted => Some((process, errno, by)),
            _ => None,
        });
        let (process, errno, by) = refused.unwrap_or_else(|| panic!("{wanted}: {lives:#?}"));
        assert_eq!((process.program.as_str(), *errno), (who, Errno::EPERM));
        let Refusal::Seccomp { unless, arguments: false } = by else { panic!("{by:?}") };
        assert_eq!(unless, &["CAP_SYS_ADMIN"]);
    }
}

/// Whether this kernel has the tracepoint, Linux 6.14.
pub fn tells_capabilities() -> bool {
    let there = Path::new("/sys/kernel/tracing/events/capability/cap_capable").exists();
    if !there {
        #[expect(clippy::print_stderr, reason = "a test that skips says so")]
        {
            eprintln!("skipped: this kernel does not tell of capabilities");
        }
    }
    there
}

#[test]
#[ignore = "root"]
fn a_call_that_wants_a_capability_names_it() {
    if !tells_capabilities() {
        return;
    }
    let sandbox = Sandbox::root();
    let script = "chown 5 /etc/motd; echo x > /etc/motd; cat /etc/motd";
    let (ran, lives) = lived(&sandbox, &["--rm", "--cap-drop", "CHOWN"], &["sh", "-c", script]);
    ran.expect(0);
    let refused: Vec<_> = lives.iter().filter(|l| l.name() == "refused").collect();
    let [Life::Refused { process, call, errno, by: Refusal::Capability { name } }] = &refused[..] else {
        panic!("{refused:#?}")
    };
    assert_eq!((process.program.as_str(), call.as_str(), *errno), ("chown", "chown", Errno::EPERM));
    assert_eq!(name, "CAP_CHOWN");
}

#[test]
#[ignore = "root"]
fn a_signal_that_the_first_process_ignores_is_told() {
    let sandbox = Sandbox::root();
    let (ran, lives) = lived(&sandbox, &["--rm"], &["sh", "-c", "sh -c 'kill -TERM 1'; true"]);
    ran.expect(0);
    let ignored = lives.iter().find_map(|l| match l {
        Life::SignalIgnored { process, signal, sender } => Some((process, signal.as_str(), sender)),
        _ => None,
    });
    let (process, signal, sender) = ignored.unwrap_or_else(|| panic!("{lives:#?}"));
    assert_eq!((process.inside.clone(), signal), (Some(1.into()), "SIGTERM"));
    assert_ne!(sender.as_ref().unwrap().inside, Some(1.into()));
}

#[test]
#[ignore = "root"]
fn a_child_that_nobody_waits_for_is_a_zombie() {
    let sandbox = Sandbox::root();
    // The shell becomes sleep, which does not know that it has a child.
    let (ran, lives) = lived(&sandbox, &["--rm"], &["sh", "-c", "cat /etc/motd & exec sleep 1"]);
    ran.expect(0);
    let zombie = lives.iter().find_map(|l| match l {
        Life::Zombie { process, parent } => Some((process, parent)),
        _ => None,
    });
    let (process, parent) = zombie.unwrap_or_else(|| panic!("{lives:#?}"));
    assert_eq!((process.program.as_str(), parent.program.as_str()), ("cat", "sleep"));
}

#[test]
#[ignore = "root"]
fn a_process_killed_for_want_of_memory_is_told() {
    let sandbox = Sandbox::root();
    let (ran, lives) = lived(&sandbox, &["--rm", "-m", "24m"], &["sh", "-c", "eat 200; true"]);
    ran.expect(0);
    let oom = lives.iter().find_map(|l| match l {
        Life::OomKilled { process, limit, kills, .. } => Some((process.clone(), *limit, *kills)),
        _ => None,
    });
    let (process, limit, kills) = oom.unwrap_or_else(|| panic!("{lives:#?}"));
    assert_eq!((process.unwrap().program.as_str(), limit, kills), ("eat", Some(24 << 20), 1));
}

#[test]
#[ignore = "root"]
fn many_files_are_counted_and_each_told_in_full() {
    let sandbox = Sandbox::root();
    let script = "i=0; while [ $i -lt 40 ]; do : > /tmp/$i; i=$((i+1)); done";
    let (_, few) = lived(&sandbox, &["--rm"], &["sh", "-c", script]);
    let made = |l: &[Life]| l.iter().filter(|l| l.name() == "created").count();
    assert_eq!(made(&few), 3);
    let more = Life::More { what: "created".into(), program: "sh".into(), count: 37 };
    assert!(few.contains(&more), "{few:#?}");
    assert_eq!((summary(&few).created, summary(&few).unseen), (40, 0));
    let (_, all) = lived(&sandbox, &["--rm", "--trace=full"], &["sh", "-c", script]);
    assert_eq!(made(&all), 40);
}

#[test]
#[ignore = "root"]
fn a_held_process_waits_until_it_is_let_go() {
    let sandbox = Sandbox::root();
    for kernel in [&[][..], &["--model"]] {
        held_and_let_go(&sandbox, kernel);
    }
}

fn held_and_let_go(sandbox: &Sandbox, kernel: &[&str]) {
    let trace = sandbox.path("life.jsonl");
    let _ = fs::remove_file(&trace);
    let options = ["run", "--rm", "--network", "none", "--trace-file", trace.to_str().unwrap(), "--step"];
    let command = ["box", "sh", "-c", "rm /etc/passwd; echo x >> /etc/motd; echo x > /new"];
    let mut command = sandbox.command(&[kernel, &options, &command].concat());
    // The layers are looked at before the first call, and again before the second.
    let ran = with_input(&mut command, "b copy-up\nc\ni layers\nw\nn\ni layers\nn\n").expect(0);
    let words = ran.err.split_whitespace().collect::<Vec<_>>().join(" ");
    let parts = |text: &str, at: &str| {
        let parts = text.split_once(at).unwrap_or_else(|| panic!("{at}: {text}"));
        (parts.0.to_owned(), parts.1.to_owned())
    };
    let (before, first) = parts(&words, " is held before unlink on /etc/passwd");
    let (first, called) = parts(&first, "called unlink");
    let (called, second) = parts(&called, " is held before openat on /etc/motd");
    let whiteout = "/etc/passwd D";
    assert!(first.contains("stat(2)") && !first.contains(whiteout), "{first}");
    let asks =
        if kernel.is_empty() { "the filter asks glassbox" } else { "the modelled kernel asks glassbox" };
    assert!(first.contains(asks), "{first}");
    assert!(!before.contains("was removed") && called.contains("was removed"), "{}", ran.err);
    assert!(second.contains(whiteout), "{second}");
    let lives = lives(&trace);
    let held: Vec<_> = lives.iter().filter(|l| l.name() == "held").collect();
    let [Life::Held(one), Life::Held(_)] = &held[..] else { panic!("{held:#?}") };
    assert_eq!((one.path.as_str(), one.call.as_deref()), ("/etc/passwd", Some("unlink")));
    assert!(one.stands.is_none() && one.bytes.is_some() && one.layer.is_some(), "{one:#?}");
    let process = one.process.as_ref().unwrap();
    assert!(process.program == "rm" && process.inside.is_some(), "{process:?}");
}

#[test]
#[ignore = "root"]
fn whoever_quits_while_a_process_is_held_takes_the_run_back() {
    let sandbox = Sandbox::root();
    sandbox.glassbox(&["run", "--rm", "--network", "none", "box", "true"]).expect(0);
    let host = sandbox.settled_host();
    let trace = sandbox.path("life.jsonl");
    for kernel in [&[][..], &["--model"]] {
        for keep in [&["--rm"][..], &["--name", "kept"]] {
            let _ = fs::remove_file(&trace);
            let options = ["run", "--network", "none", "--trace-file", trace.to_str().unwrap(), "--step"];
            let command = ["box", "sh", "-c", "echo x > /new; rm /etc/passwd"];
            let mut command = sandbox.command(&[kernel, &options, keep, &command].concat());
            let ran = with_input(&mut command, "b copy-up\nc\nq\n").expect(130);
            assert!(!ran.err.contains("was removed. A whiteout"), "{}", ran.err);
            let told = lives(&trace);
            let names: Vec<_> = told.iter().map(Life::name).collect();
            assert_eq!(names.iter().filter(|n| **n == "held").count(), 1, "{names:?}");
            assert!(!names.contains(&"whiteout"), "{names:?}");
            sandbox.glassbox(&["trace", "check", trace.to_str().unwrap()]).expect(0);
            // What the command wrote before stays, if it is not to be removed.
            let glassbox = |args: &[&str]| sandbox.glassbox(&[kernel, args].concat());
            if keep.contains(&"kept") {
                assert!(glassbox(&["ps", "-a"]).expect(0).out.contains("Exited (137)"));
                assert_eq!(glassbox(&["diff", "kept"]).expect(0).out, "A /new\n");
                glassbox(&["rm", "kept"]).expect(0);
            }
            assert_eq!(glassbox(&["ps", "-aq"]).expect(0).out, "");
            sandbox.wait_for_host(&host, "the run was quit");
        }
    }
}

#[test]
#[ignore = "root"]
fn a_container_dies_with_the_one_who_listens() {
    let sandbox = Sandbox::root();
    sandbox.glassbox(&["run", "--rm", "--network", "none", "box", "true"]).expect(0);
    let before = sandbox.settled_host();
    for held in [false, true] {
        let trace = sandbox.path("life.jsonl");
        let _ = fs::remove_file(&trace);
        let mut args = vec!["run", "--network", "none", "--trace-file", trace.to_str().unwrap()];
        if held {
            args.push("--step");
        }
        args.extend(["box", "sh", "-c", "while :; do echo x > /etc/motd; rm /etc/motd; done"]);
        let mut command = sandbox.command(&args);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        if held {
            use std::io::Write;
            child.stdin.as_mut().unwrap().write_all(b"b copy-up\nc\n").unwrap();
        }
        let wanted = if held { "\"life\":\"held\"" } else { "\"life\":\"copy_up\"" };
        let deadline = Instant::now() + Duration::from_secs(30);
        while !fs::read_to_string(&trace).unwrap_or_default().contains(wanted) {
            assert!(Instant::now() < deadline, "{wanted} is not told");
            std::thread::sleep(Duration::from_millis(5));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        for id in sandbox.glassbox(&["ps", "-aq"]).expect(0).out.lines() {
            sandbox.glassbox(&["rm", "-f", id]).expect(0);
        }
        sandbox.wait_for_host(&before, "the listener was killed");
    }
}
