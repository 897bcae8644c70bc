//! Whole runs, and what is told of their lives.

use crate::play::{self, Request};
use crate::trace::{Body, LayerSummary, Life, Process, Value};

fn lives(script: &str, json: &str) -> Vec<Life> {
    let mut request = Request::from_json(json).unwrap();
    request.command = ["sh", "-c", script].map(str::to_owned).to_vec();
    let events = play::run(&request).unwrap().events;
    let life = |body| if let Body::Life { life } = body { Some(life) } else { None };
    events.into_iter().filter_map(|e| life(e.body)).collect()
}

fn who(process: &Process) -> String {
    format!("{}/{}", process.program, process.inside.as_ref().map_or("?".to_owned(), Value::text))
}

/// One line for each event, without the numbers of the host.
fn lines(lives: &[Life]) -> Vec<String> {
    lives
        .iter()
        .filter_map(|life| {
            let rest = match life {
                Life::CopyUp(c) | Life::Whiteout(c) | Life::Opaque(c) | Life::Created(c) => {
                    // The first digits of a layer's digest.
                    let layer = c.layer.as_ref().map_or(String::new(), |l| l.digest.text()[7..11].to_owned());
                    let stands = c.stands.as_ref().map_or(String::new(), |s| format!(" now {}", s.text()));
                    let bytes = c.bytes.map_or(String::new(), |b| format!(" {b}"));
                    format!(
                        "{} {:?}{bytes}{stands} by {} of {} layer {layer:?} hidden {}",
                        c.path,
                        c.what,
                        c.call.as_deref().unwrap_or("?"),
                        c.process.as_ref().map_or(String::new(), who),
                        c.hidden.len()
                    )
                }
                Life::Forked { parent, child } => format!("{} {}", who(parent), who(child)),
                Life::Executed { process, argv } => format!("{} {argv:?}", who(process)),
                Life::Ended { process, code, signal } => format!("{} {code:?} {signal:?}", who(process)),
                Life::Adopted { process, former, parent } => {
                    format!("{} from {} to {}", who(process), who(former), who(parent))
                }
                Life::Zombie { process, parent } => format!("{} of {}", who(process), who(parent)),
                Life::SignalIgnored { signal, sender, .. } => {
                    format!("{signal} from {}", sender.as_ref().map_or(String::new(), who))
                }
                Life::OomKilled { process, limit, kills, .. } => {
                    format!("{} {limit:?} {kills}", process.as_ref().map_or(String::new(), who))
                }
                Life::Refused { process, call, errno, by } => {
                    format!("{} {call} {errno:?} {by:?}", who(process))
                }
                Life::More { what, program, count } => format!("{count} {what} by {program}"),
                _ => return None,
            };
            Some(format!("{} {rest}", life.name()))
        })
        .collect()
}

fn summary(lives: &[Life]) -> LayerSummary {
    let found = lives.iter().find_map(|l| if let Life::LayerSummary(s) = l { Some(s.clone()) } else { None });
    found.expect("the layer is counted in the end")
}

const NONE: &str = r#"{"network": "none", "rm": true}"#;

#[test]
fn the_writable_layer_is_told_as_it_fills() {
    let script = "echo hi >> /etc/motd; read a < /etc/motd; echo more >> /etc/motd; mkdir /new; : > /new/f; \
                  cd /; exec 3> /etc/box-build; unset a";
    let lives = lives(script, NONE);
    insta::assert_snapshot!(lines(&lives).join("\n"));
    let sum = summary(&lives);
    assert_eq!((sum.copied, sum.directories, sum.created, sum.unseen, sum.gone), (1, 1, 3, 0, 0), "{sum:?}");
}

#[test]
fn removing_and_renaming_are_told() {
    let script =
        "rm /etc/shells; rm -r /var; mkdir /var; mkdir /d; touch /d/f; mv /d /e; rm -r /e; mv /etc/motd /m";
    let lives = lives(script, NONE);
    let files: Vec<String> = lines(&lives)
        .into_iter()
        .filter(|l| ["copy_up", "whiteout", "opaque", "created"].iter().any(|k| l.starts_with(k)))
        .collect();
    insta::assert_snapshot!(files.join("\n"));
    let sum = summary(&lives);
    assert_eq!(sum.unseen, 0, "{sum:?}");
}

#[test]
fn processes_are_told() {
    let script = "(sleep 0.1 & exit 0); sleep 0.5; kill -TERM 1; sh -c 'kill -9 $$'; mount -t tmpfs t /mnt; hostname x; sleep 3";
    insta::assert_snapshot!(lines(&lives(script, NONE)).join("\n"));
}

#[test]
fn what_memory_is_wanted_for_is_told() {
    let lives = lives("eat 64 > /dev/null; exit 0", r#"{"network": "none", "rm": true, "memory": 16777216}"#);
    let killed: Vec<String> =
        lines(&lives).into_iter().filter(|l| l.starts_with("oom") || l.contains("SIGKILL")).collect();
    assert_eq!(killed, ["ended eat/2 None Some(\"SIGKILL\")", "oom_killed eat/2 Some(16777216) 1"]);
}

#[test]
fn nothing_is_noted_when_nobody_listens() {
    let lives = lives("rm /etc/motd; ls", r#"{"watch": "off", "network": "none"}"#);
    let names: Vec<&str> = lives.iter().map(Life::name).collect();
    assert_eq!(names, ["started", "exited"]);
}
