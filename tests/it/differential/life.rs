//! What is told of a container's life: the same on both kernels, in the same order for
//! each process, but for the numbers that the host gives.

use std::collections::BTreeMap;
use std::fs;

use glassbox::trace::{Body, Life, Process, Refusal, Value};

use super::glassbox_with_input;
use crate::life::{random_script, tells_capabilities};
use crate::support::Sandbox;
use crate::truth::read_recording;

/// What became of a path, and the call that did it, where it is known.
type File = (String, Option<String>);

/// Files and processes come from two sources on a real kernel, each in its own order.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    files: Vec<File>,
    /// Of each process by its number inside: those of a pipeline live side by side, and
    /// neither has to be first.
    processes: BTreeMap<String, Vec<String>>,
    summary: String,
}

fn who(process: &Process) -> String {
    format!("{}/{}", process.program, process.inside.as_ref().map_or("?".to_owned(), Value::text))
}

/// Whoever steps lets each process go on that is held.
const STEP: &[&str] = &["--step=line"];

fn told(sandbox: &Sandbox, model: bool, options: &[&str], script: &str) -> Told {
    let trace = sandbox.path("life.jsonl");
    let _ = fs::remove_file(&trace);
    let file = trace.to_str().unwrap();
    let run = ["run", "--rm", "--network", "none", "--trace=full", "--trace-file", file];
    let input = "b copy-up\nc\n".to_owned() + &"n\n".repeat(300);
    let command = ["box", "sh", "-c", script];
    glassbox_with_input(sandbox, model, &[&run[..], options, &command].concat(), &input);
    let mut told = Told { files: Vec::new(), processes: BTreeMap::new(), summary: String::new() };
    for event in read_recording(&trace) {
        let Body::Life { life } = event.body else { continue };
        let (of, rest) = match &life {
            Life::Held(c)
            | Life::CopyUp(c)
            | Life::Whiteout(c)
            | Life::Opaque(c)
            | Life::Redirect(c)
            | Life::Created(c) => {
                let layer = c.layer.as_ref().map_or("", |l| &l.made_by);
                let who = c.process.as_ref().map(who);
                let (what, hidden) = (c.what, c.hidden.len());
                // What stands there by the time of the look depends on how soon it comes.
                let line = format!(
                    "{} {} {what:?} {:?} by {who:?} of {layer:?} hiding {hidden}",
                    life.name(),
                    c.path,
                    c.bytes,
                );
                if let Life::Whiteout(_) = life {
                    // Between the copy and its way to another name a real kernel can be looked at.
                    let copy = format!("copy_up {} ", c.path);
                    told.files.retain(|(line, call)| !line.starts_with(&copy) || *call != c.call);
                }
                told.files.push((line, c.call.clone()));
                continue;
            }
            Life::LayerSummary(sum) => {
                told.summary = format!("{sum:?}");
                continue;
            }
            Life::Forked { parent, child } => (Some(parent), format!("{} {}", who(parent), who(child))),
            Life::Executed { process, argv } => (Some(process), format!("{} {argv:?}", who(process))),
            Life::Ended { process, code, signal } => {
                (Some(process), format!("{} {code:?} {signal:?}", who(process)))
            }
            Life::Adopted { process, former, parent } => {
                (Some(process), format!("{} from {} to {}", who(process), who(former), who(parent)))
            }
            Life::Zombie { process, parent } => {
                (Some(process), format!("{} of {}", who(process), who(parent)))
            }
            Life::SignalIgnored { process, signal, sender } => {
                (Some(process), format!("{} {signal} from {:?}", who(process), sender.as_ref().map(who)))
            }
            Life::OomKilled { process, limit, kills, .. } => {
                (process.as_ref(), format!("{:?} {limit:?} {kills}", process.as_ref().map(who)))
            }
            Life::Refused { by: Refusal::Capability { .. }, .. } if !tells_capabilities() => continue,
            Life::Refused { process, call, errno, by } => {
                (Some(process), format!("{} {call} {errno:?} {by:?}", who(process)))
            }
            _ => continue,
        };
        let number = of.and_then(|p| p.inside.as_ref()).map_or("?".to_owned(), Value::text);
        told.processes.entry(number).or_default().push(format!("{} {rest}", life.name()));
    }
    told
}

#[track_caller]
fn alike(sandbox: &Sandbox, options: &[&str], script: &str) -> Told {
    let [real, model] = [false, true].map(|model| told(sandbox, model, options, script));
    assert!(!real.summary.is_empty(), "{script}");
    // A real filter does not ask about calls that can only make something.
    let same_file = |a: &File, b: &File| a.0 == b.0 && (a.1.is_none() || a.1 == b.1);
    compare("files", &real.files, &model.files, same_file, script);
    assert_eq!(real.processes, model.processes, "{script}");
    assert_eq!(real.summary, model.summary, "{script}");
    model
}

#[track_caller]
fn compare<T: std::fmt::Debug>(
    what: &str,
    real: &[T],
    model: &[T],
    same: impl Fn(&T, &T) -> bool,
    script: &str,
) {
    for at in 0..real.len().max(model.len()) {
        let (a, b) = (real.get(at), model.get(at));
        let alike = a.zip(b).is_some_and(|(a, b)| same(a, b));
        assert!(alike, "{what}, entry {at}:\n linux {a:?}\n model {b:?}\n{script}");
    }
}

#[test]
#[ignore = "root"]
fn files_and_processes_are_told_alike() {
    let sandbox = Sandbox::root();
    for script in [
        "echo more >> /etc/motd; rm /etc/passwd; mkdir /new; mv /etc/group /etc/g2; ln -s x /link; rm /etc/shells",
        "rm -r /var; mkdir /var; mkdir /d; touch /d/f; mv /d /e; rm -r /e; mv /etc/motd /m; chmod 600 /etc/hostname",
        "cat /etc/motd; cat /nosuch; sh -c 'exit 3'; sh -c 'kill -9 $$'; echo a | cat",
        "mount -t tmpfs x /mnt; hostname other; true",
        "cp /etc/motd /etc/copy; ln /etc/motd /etc/second; echo x > /etc/second; rm /etc/motd",
        "mkdir -p /a/b/c; cd /a/b; touch ../f ./g; rm -r ../b; echo $? > /a/status",
    ] {
        alike(&sandbox, &[], script);
    }
}

#[test]
#[ignore = "root"]
fn what_a_capability_is_wanting_for_is_told_alike() {
    if !tells_capabilities() {
        return;
    }
    let sandbox = Sandbox::root();
    let user = ["--user", "1000"];
    let all = ["--security-opt", "seccomp=unconfined"];
    let cases: &[(&[&str], &str, &[&str])] = &[
        (&["--cap-drop", "CHOWN"], "chown 5 /etc/motd; chown 0 /etc/motd", &["chown EPERM CAP_CHOWN"]),
        (
            &user,
            "chmod 777 /etc/motd; echo x > /etc/motd; rm /etc/motd",
            &["chmod EPERM CAP_FOWNER", "openat EACCES CAP_DAC_OVERRIDE", "unlink EACCES CAP_DAC_OVERRIDE"],
        ),
        (
            &["--cap-drop", "ALL"],
            "mknod /null c 1 3; touch -d @0 /etc/motd; kill -0 1",
            &["mknodat EPERM CAP_MKNOD"],
        ),
        (
            &all,
            "mount -t tmpfs x /mnt; umount /proc; hostname other",
            &["mount EPERM CAP_SYS_ADMIN", "umount2 EPERM CAP_SYS_ADMIN", "sethostname EPERM CAP_SYS_ADMIN"],
        ),
        (&["--cap-drop", "NET_RAW"], "ping -c 1 -W 1 127.0.0.1", &["socket EPERM CAP_NET_RAW"]),
        (&["--user", "1000", "--cap-drop", "ALL"], "kill 1; ls /root; cat /etc/shadow; cat /etc/motd", &[]),
    ];
    for (options, script, refused) in cases {
        let told = alike(&sandbox, options, script);
        let lines: Vec<&String> = told.processes.values().flatten().collect();
        for wanted in *refused {
            let parts: Vec<&str> = wanted.split(' ').collect();
            let names = |line: &str| {
                line.contains(&format!(" {} ", parts[0]))
                    && line.contains(parts[1])
                    && line.contains(parts[2])
            };
            assert!(lines.iter().any(|l| names(l)), "{script}: no {wanted} in {lines:#?}");
        }
    }
}

#[test]
#[ignore = "root"]
fn random_file_operations_are_told_alike() {
    let sandbox = Sandbox::root();
    for seed in 101..=130 {
        alike(&sandbox, &[], &random_script(seed));
    }
}

/// What was held, as path and call; and the rest, which is told as if nothing had been.
fn held(told: &mut Told) -> Vec<(String, String)> {
    let held = told.files.extract_if(.., |(line, _)| line.starts_with("held ")).map(|(line, call)| {
        let path = line.split(' ').nth(1).unwrap().to_owned();
        (path, call.unwrap())
    });
    held.collect()
}

#[test]
#[ignore = "root"]
fn processes_are_held_before_the_same_calls() {
    let sandbox = Sandbox::root();
    let user = [STEP, &["--user", "1000"]].concat();
    for (options, script, expected) in [
        (
            STEP,
            "echo more >> /etc/motd; echo more >> /etc/motd; rm /etc/passwd; mv /etc/group /etc/g2; rm /etc/g2",
            &[("/etc/motd", "openat"), ("/etc/passwd", "unlink"), ("/etc/group", "rename")][..],
        ),
        // What only makes something is not held, nor what only reads, nor what is no union.
        (
            STEP,
            "cat /etc/motd; mkdir -p /etc/new; ln -s x /etc/motd; mknod /etc/motd p; ln /etc/group /etc/motd; \
             echo x > /dev/null; chmod 600 /etc/hostname; cd /proc; echo x > nosuch; touch /new; rm /new; true",
            &[("/etc/group", "linkat")],
        ),
        // A link at the end of a path is followed where the call follows it.
        (
            STEP,
            "ln -s etc/motd /l; chmod 600 /l; ln -s ../etc/passwd /tmp/l; chown -h 1:1 /tmp/l; rm /tmp/l; \
             ln -s /etc/shells /s; touch /s; cp /etc/shells /etc/group; chown 1:1 /etc/passwd",
            &[
                ("/etc/motd", "chmod"),
                ("/etc/shells", "utimensat"),
                ("/etc/group", "openat"),
                ("/etc/passwd", "chown"),
            ],
        ),
        // Directories, and a call that fails.
        (
            STEP,
            "chmod 700 /root; rmdir /usr; mv /home /h; sh -c 'cd /; echo x > ./h/../etc/motd'; rmdir /mnt; mkdir /mnt",
            &[
                ("/root", "chmod"),
                ("/usr", "rmdir"),
                ("/home", "rename"),
                // /home itself was copied up for that.
                ("/home/box", "rmdir"),
                ("/etc/motd", "openat"),
                ("/mnt", "rmdir"),
            ],
        ),
        // Whoever may not change it is held, too: the call is not made yet.
        (
            &user[..],
            "echo x >> /etc/motd; rm /etc/passwd; chmod 600 /etc/group; touch /root/x; true",
            &[("/etc/motd", "openat"), ("/etc/passwd", "unlink"), ("/etc/group", "chmod")],
        ),
        (
            STEP,
            "(echo a >> /etc/motd) & wait; echo b >> /etc/motd; sh -c 'rm /etc/motd'",
            &[("/etc/motd", "openat")],
        ),
    ] {
        let mut stepped = alike(&sandbox, options, script);
        let held = held(&mut stepped);
        let held: Vec<_> = held.iter().map(|(path, call)| (path.as_str(), call.as_str())).collect();
        assert_eq!(held, expected, "{script}");
        // To be held changes nothing of what a process does, or of who has the next turn.
        let rest: Vec<&str> = options.iter().copied().filter(|o| !STEP.contains(o)).collect();
        assert_eq!(told(&sandbox, true, &rest, script), stepped, "{script}");
    }
}

#[test]
#[ignore = "root"]
fn random_file_operations_are_held_alike() {
    let sandbox = Sandbox::root();
    let mut count = 0;
    for seed in 201..=210 {
        count += held(&mut alike(&sandbox, STEP, &random_script(seed))).len();
    }
    assert!(count > 20, "{count}");
}

/// The path is told to have become this, by this call.
#[track_caller]
fn became(told: &Told, what: &str, call: &str) {
    let so = |(line, by): &&File| line.starts_with(what) && by.as_deref() == Some(call);
    assert_eq!(told.files.iter().filter(so).count(), 1, "{what} by {call}: {:#?}", told.files);
}

#[test]
#[ignore = "root"]
fn a_directory_made_anew_over_a_layers_is_opaque() {
    let sandbox = Sandbox::root();
    let told =
        alike(&sandbox, &[], "rm -r /var; mkdir /var; mkdir /var/log; [ \"$(ls /var)\" = log ]; mkdir /new");
    became(&told, "whiteout /var Directory", "rmdir");
    became(&told, "opaque /var Directory", "mkdir");
    // Where no layer has one any more, nothing has to be hidden.
    became(&told, "created /var/log Directory", "mkdir");
    became(&told, "created /new Directory", "mkdir");
    assert!(told.summary.contains("opaque: 1,"), "{}", told.summary);
    // And away again.
    let told = alike(&sandbox, &[], "rmdir /mnt; mkdir /mnt; rmdir /mnt");
    assert_eq!(told.files.iter().filter(|(line, _)| line.starts_with("whiteout /mnt ")).count(), 2);
    assert!(
        told.summary.contains("opaque: 0,") && told.summary.contains("whiteouts: 1,"),
        "{}",
        told.summary
    );
}

/// The unions are mounted with `redirect_dir=off`: rename(2) of a layer's directory is
/// EXDEV, and `mv` copies.
#[test]
#[ignore = "root"]
fn a_directory_of_a_layer_is_not_renamed() {
    let sandbox = Sandbox::root();
    let mut told = alike(&sandbox, STEP, "mv /home /h; [ -d /h/box ] && [ ! -e /home ] && mv /h /h2");
    assert!(held(&mut told).contains(&("/home".to_owned(), "rename".to_owned())));
    became(&told, "created /h Directory", "mkdir");
    became(&told, "created /h/box Directory", "mkdir");
    became(&told, "whiteout /home Directory", "rmdir");
    // What only the writable layer has is renamed.
    became(&told, "created /h2 Directory", "rename");
    assert!(told.summary.contains("redirects: 0,"), "{}", told.summary);
}
