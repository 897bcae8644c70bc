//! What is told of a container's life: the same on both kernels, in the same order for
//! each process, but for the numbers that the host gives.

use std::collections::BTreeMap;
use std::fs;

use glassbox::trace::{Body, Life, Process, Value};

use super::glassbox;
use crate::life::random_script;
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

fn told(sandbox: &Sandbox, model: bool, script: &str) -> Told {
    let trace = sandbox.path("life.jsonl");
    let _ = fs::remove_file(&trace);
    let file = trace.to_str().unwrap();
    let options = ["run", "--rm", "--network", "none", "--trace=full", "--trace-file", file];
    glassbox(sandbox, model, &[&options[..], &["box", "sh", "-c", script]].concat());
    let mut told = Told { files: Vec::new(), processes: BTreeMap::new(), summary: String::new() };
    for event in read_recording(&trace) {
        let Body::Life { life } = event.body else { continue };
        let (of, rest) = match &life {
            Life::CopyUp(c) | Life::Whiteout(c) | Life::Opaque(c) | Life::Redirect(c) | Life::Created(c) => {
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
fn alike(sandbox: &Sandbox, script: &str) {
    let [real, model] = [false, true].map(|model| told(sandbox, model, script));
    assert!(!real.summary.is_empty(), "{script}");
    // A real filter does not ask about calls that can only make something.
    let same_file = |a: &File, b: &File| a.0 == b.0 && (a.1.is_none() || a.1 == b.1);
    compare("files", &real.files, &model.files, same_file, script);
    assert_eq!(real.processes, model.processes, "{script}");
    assert_eq!(real.summary, model.summary, "{script}");
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
        alike(&sandbox, script);
    }
}

#[test]
#[ignore = "root"]
fn random_file_operations_are_told_alike() {
    let sandbox = Sandbox::root();
    for seed in 101..=130 {
        alike(&sandbox, &random_script(seed));
    }
}
