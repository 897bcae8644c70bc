//! The story of a real run, in both languages, and its replay.
//!
//! What differs from run to run is redacted before it is told. What differs from
//! host to host is left out, and it is only this: the steps of cgroups (v1 or
//! v2, and which hierarchies), what init sees below /sys/fs/cgroup, masked and
//! read-only paths apart from two that every kernel has, and the host's name
//! servers. The full level keeps the phases whose evidence does not speak of the
//! host's own mounts and capabilities.

use glassbox::narrate::Lang;
use glassbox::plan::op::{MountRole, Ns};
use glassbox::plan::{Op, Phase, StepId};
use glassbox::render::console::{Console, Level, Options};
use glassbox::trace::{Body, Event, EventSink, Value, redact};

use crate::support::Sandbox;
use crate::truth::read_recording;

const COMMAND: &[&str] =
    &["box", "sh", "-c", "echo hello > /etc/motd; rm /etc/passwd; mkdir /new; cat /etc/motd; hostname"];

/// A sandbox with the image unpacked, no network yet, and no forwarding.
fn prepared() -> Sandbox {
    let sandbox = Sandbox::root();
    sandbox.glassbox(&["run", "--rm", "--network", "none", "box", "true"]).expect(0);
    let off = "echo 0 > /proc/sys/net/ipv4/ip_forward";
    assert!(sandbox.inside("sh").args(["-c", off]).status().unwrap().success());
    sandbox
}

/// The redacted recording of the fixed command: its first run on the default
/// bridge.
fn recorded(options: &[&str], status: i32) -> Vec<Event> {
    let sandbox = prepared();
    let trace = sandbox.path("trace.jsonl");
    let args = [&["run", "--trace-file", trace.to_str().unwrap()], options, COMMAND].concat();
    sandbox.glassbox(&args).expect(status);
    redact::redact(&read_recording(&trace)).unwrap()
}

fn of_this_host(op: &Op) -> bool {
    match op {
        Op::CreateCgroup { .. }
        | Op::SetLimit { .. }
        | Op::AllowDevices { .. }
        | Op::JoinCgroup { .. }
        | Op::UnshareCgroup => true,
        Op::Mount { role, target, .. } | Op::Bind { role, target, .. } => {
            *role == MountRole::Cgroup || target.contains("/sys/fs/cgroup")
        }
        Op::MaskPath { path } | Op::ReadonlyPath { path } => {
            !matches!(path.as_str(), "/proc/interrupts" | "/proc/sys")
        }
        Op::MakeDir { path, .. } | Op::MakeSymlink { path, .. } => path.contains("/sys/fs/cgroup"),
        Op::WriteFile { path, .. } => path.ends_with("/resolv.conf"),
        Op::Undo { of, .. } => of_this_host(of),
        _ => false,
    }
}

/// The recording without what is this host's.
fn portable(events: Vec<Event>, keep: &dyn Fn(Phase) -> bool) -> Vec<Event> {
    let mut events = events;
    let mut gone: Vec<StepId> = Vec::new();
    for event in &mut events {
        match &mut event.body {
            Body::Begin { plan, .. } => {
                let out = |s: &glassbox::plan::Step| of_this_host(&s.op) || !keep(s.phase);
                gone = plan.steps.iter().filter(|s| out(s)).map(|s| s.id.clone()).collect();
                plan.steps.retain(|s| !gone.contains(&s.id));
            }
            Body::Observed { facts, .. } => {
                facts.retain(|f| !f.key.contains("/sys/fs/cgroup") && !f.key.ends_with("ns cgroup"));
            }
            // On v1 init takes its cgroup namespace in a step of its own.
            Body::About { op: Op::Clone { namespaces, cgroup }, .. } => {
                namespaces.retain(|ns| *ns != Ns::Cgroup);
                *cgroup = None;
            }
            Body::Call { call, .. } if call.name == "clone3" => {
                call.args.retain(|(name, _)| name != "cgroup");
                for (_, value) in &mut call.args {
                    if let Value::Text(words) = value {
                        let kept = |w: &&str| !matches!(*w, "CLONE_NEWCGROUP" | "CLONE_INTO_CGROUP");
                        *words = words.split('|').filter(kept).collect::<Vec<_>>().join("|");
                    }
                }
            }
            _ => {}
        }
    }
    events.retain(|e| match &e.body {
        Body::About { step, .. }
        | Body::Call { step, .. }
        | Body::Observed { step, .. }
        | Body::Done { step, .. }
        | Body::Failed { step, .. }
        | Body::Undoing { step, .. }
        | Body::Undone { step, .. } => !gone.contains(step),
        _ => true,
    });
    events
}

fn story(events: &[Event], level: Level, lang: Lang) -> String {
    let mut console = Console::new(Vec::new(), Options { level, lang, ..Options::default() });
    for event in events {
        console.event(event).unwrap();
    }
    String::from_utf8(console.into_inner()).unwrap()
}

#[test]
#[ignore = "root"]
fn the_story_of_a_run() {
    let events = recorded(&["-p", "18096:80"], 0);
    let whole = portable(events.clone(), &|_| true);
    let some = portable(events, &|phase| {
        [Phase::Union, Phase::Namespaces, Phase::Network, Phase::Exec, Phase::Life, Phase::Exit]
            .contains(&phase)
    });
    for (lang, name) in [(Lang::En, "en"), (Lang::ZhCn, "zh-CN")] {
        insta::assert_snapshot!(format!("story_{name}"), story(&whole, Level::Story, lang));
        insta::assert_snapshot!(format!("full_{name}"), story(&some, Level::Full, lang));
    }
}

#[test]
#[ignore = "root"]
fn the_story_of_a_rollback() {
    let events = portable(recorded(&["--fail", "mounts.mount-proc"], 125), &|_| true);
    // What was done before is in the other story.
    let from = events.iter().position(|e| matches!(e.body, Body::Failed { .. })).unwrap();
    let events: Vec<Event> =
        events.into_iter().enumerate().filter(|(n, _)| *n == 0 || *n + 1 >= from).map(|(_, e)| e).collect();
    for (lang, name) in [(Lang::En, "en"), (Lang::ZhCn, "zh-CN")] {
        insta::assert_snapshot!(format!("rollback_{name}"), story(&events, Level::Story, lang));
    }
}

#[test]
#[ignore = "root"]
fn replay_is_the_story_as_it_was_live() {
    let sandbox = prepared();
    let trace = sandbox.path("trace.jsonl");
    let file = trace.to_str().unwrap();
    for lang in ["en", "zh-CN"] {
        for level in ["story", "syscalls", "full"] {
            let level = format!("--trace={level}");
            let args = [&["--lang", lang, "run", &level, "--rm", "--trace-file", file], COMMAND].concat();
            let live = sandbox.glassbox(&args).expect(0);
            let again = sandbox.glassbox(&["--lang", lang, "replay", &level, file]).expect(0);
            assert!(live.err.len() > 5000, "{}", live.err);
            let differs = live.err.lines().zip(again.out.lines()).find(|(a, b)| a != b);
            assert_eq!(differs, None, "{lang} {level}");
            assert_eq!(live.err, again.out);
        }
    }
}
