//! An exec that is watched: the story in both languages, evidence, recordings, steps.

use glassbox::narrate::Lang;
use glassbox::plan::op::Slot;
use glassbox::plan::{Op, StepId};
use glassbox::render::console::{Console, Level, Options};
use glassbox::trace::{Body, Event, EventSink, Fact, Life, When, redact};

use super::Running;
use crate::support::{Sandbox, with_input};
use crate::truth::{exec_agrees, read_recording};

fn recorded(options: &[&str], command: &[&str], status: i32) -> Vec<Event> {
    let sandbox = Sandbox::root();
    let container = Running::new(&sandbox, &[]);
    let trace = sandbox.path("trace.jsonl");
    let file = trace.to_str().unwrap();
    container.exec(&[&["--trace-file", file], options].concat(), command).expect(status);
    sandbox.glassbox(&["trace", "check", file]).expect(0);
    read_recording(&trace)
}

fn evidence<'a>(events: &'a [Event], of: &str, at: When) -> Vec<&'a Fact> {
    let facts = events.iter().filter_map(|e| match &e.body {
        Body::Observed { step, when, facts } if step.0 == of && *when == at => Some(facts),
        _ => None,
    });
    facts.flatten().collect()
}

fn calls(events: &[Event], of: &str) -> Vec<String> {
    let named = events.iter().filter_map(|e| match &e.body {
        Body::Call { step, call } if step.0 == of => Some(call.name.clone()),
        _ => None,
    });
    named.collect()
}

#[test]
#[ignore = "root"]
fn the_evidence_is_read_from_the_kernel() {
    let events = recorded(&["--trace=full"], &["sh", "-c", "exit 4"], 4);
    let after = |step: &str| evidence(&events, step, When::After);
    // Each namespace beside that of the first process.
    let joined = after("namespaces.join-namespaces");
    let of = |prefix: &str| -> Vec<String> {
        let own = joined.iter().filter(|f| f.key.starts_with(prefix));
        own.map(|f| f.value.text()).collect()
    };
    assert_eq!(of("ns "), of("init's ns "));
    assert!(of("ns ").len() >= 6, "{joined:?}");
    // Before it was joined it was another one.
    let before = evidence(&events, "namespaces.join-namespaces", When::Before);
    let mnt = |facts: &[&Fact], key: &str| facts.iter().find(|f| f.key == key).map(|f| f.value.text());
    assert_ne!(mnt(&before, "ns mnt"), mnt(&before, "init's ns mnt"));
    assert_eq!(calls(&events, "namespaces.join-namespaces"), ["setns"]);
    let made = calls(&events, "namespaces.spawn-inside");
    let order: Vec<&str> =
        made.iter().map(String::as_str).filter(|c| ["setns", "clone3"].contains(c)).collect();
    assert_eq!(order, ["setns", "clone3", "setns"]);

    let pid = events.iter().find_map(|e| match &e.body {
        Body::Done { filled, .. } => {
            filled.iter().find(|(s, _)| **s == Slot::ProcessPid).map(|(_, v)| v.text())
        }
        _ => None,
    });
    let pid = pid.unwrap();
    for (step, key) in [
        ("namespaces.spawn-inside", "pid inside"),
        ("security.drop-bounding", "CapBnd"),
        ("security.set-user", "Uid"),
        ("security.set-capabilities", "CapEff"),
        ("security.load-seccomp", "Seccomp"),
        ("exec.exec", "CapEff"),
        ("life.supervise", "process"),
    ] {
        let facts = after(step);
        let found = facts.iter().find(|f| f.key == key).unwrap_or_else(|| panic!("{step}: {facts:?}"));
        // Read from outside: what the container shows inside is its own.
        let source = found.source.text();
        assert!(source == format!("/proc/{pid}/status") || source == format!("/proc/{pid}"), "{source}");
    }
    let lives: Vec<&Life> = events
        .iter()
        .filter_map(|e| match &e.body {
            Body::Life { life } => Some(life),
            _ => None,
        })
        .collect();
    assert!(matches!(lives[..], [Life::Started { .. }, Life::Exited { code: Some(4), .. }]), "{lives:?}");
}

#[test]
#[ignore = "root"]
fn what_is_told_is_what_strace_sees() {
    for run in [&[][..], &["--userns", "100000:65536"]] {
        let sandbox = Sandbox::root();
        let _container = Running::new(&sandbox, run);
        exec_agrees(&sandbox, &["-u", "1000:1000", "-w", "/tmp", "one", "sh", "-c", "exit 3"], 3);
        exec_agrees(&sandbox, &["-d", "one", "true"], 0);
    }
}

fn story(events: &[Event], lang: Lang) -> String {
    let mut console = Console::new(Vec::new(), Options { level: Level::Story, lang, ..Options::default() });
    for event in events {
        console.event(event).unwrap();
    }
    String::from_utf8(console.into_inner()).unwrap()
}

/// Without what is this host's: its cgroups, and how many filters glassbox itself is under.
fn portable(mut events: Vec<Event>) -> Vec<Event> {
    let gone = StepId("namespaces.join-cgroup".to_owned());
    for event in &mut events {
        match &mut event.body {
            Body::Begin { plan, .. } => {
                plan.steps.retain(|s| s.id != gone);
                for step in &mut plan.steps {
                    if let Op::SpawnInside { cgroup } = &mut step.op {
                        *cgroup = None;
                    }
                }
            }
            Body::About { op: Op::SpawnInside { cgroup }, .. } => *cgroup = None,
            Body::Call { call, .. } if call.name == "clone3" => {
                call.args.retain(|(name, _)| name == "exit_signal");
            }
            Body::Observed { facts, .. } => {
                facts.retain(|f| f.key != "cgroup" && f.key != "Seccomp_filters");
            }
            _ => {}
        }
    }
    events.retain(|e| match &e.body {
        Body::About { step, .. }
        | Body::Call { step, .. }
        | Body::Observed { step, .. }
        | Body::Done { step, .. } => *step != gone,
        _ => true,
    });
    events
}

#[test]
#[ignore = "root"]
fn the_story_of_an_exec() {
    let events = recorded(&["-u", "1000:1000", "-e", "A=1"], &["sh", "-c", "exit 3"], 3);
    let events = portable(redact::redact(&events).unwrap());
    for (lang, name) in [(Lang::En, "en"), (Lang::ZhCn, "zh-CN")] {
        insta::assert_snapshot!(format!("exec_{name}"), story(&events, lang));
    }
}

#[test]
#[ignore = "root"]
fn replay_is_the_story_as_it_was_live() {
    let sandbox = Sandbox::root();
    let container = Running::new(&sandbox, &[]);
    let trace = sandbox.path("trace.jsonl");
    let file = trace.to_str().unwrap();
    for (lang, level) in [("en", "story"), ("zh-CN", "full")] {
        let level = format!("--trace={level}");
        let args = ["--lang", lang, "exec", &level, "--trace-file", file, "one", "sh", "-c", "echo out"];
        let live = sandbox.glassbox(&args).expect(0);
        assert_eq!(live.out, "out\n");
        let again = sandbox.glassbox(&["--lang", lang, "replay", &level, file]).expect(0);
        assert_eq!(live.err, again.out, "{lang}");
    }
    // By kind, and the same for each run of it.
    let redacted = |name: &str| {
        let file = sandbox.path(name);
        let file = file.to_str().unwrap();
        container.exec(&["--trace-file", file, "--redact"], &["true"]).expect(0);
        std::fs::read_to_string(file).unwrap()
    };
    let text = redacted("redacted.jsonl");
    let id = sandbox.glassbox(&["ps", "-q", "--no-trunc"]).expect(0).out;
    assert!(!text.contains(id.trim()) && text.contains("<pid-1>"), "{text}");
    assert!(!text.contains(&*sandbox.store().to_string_lossy()), "{text}");
}

#[test]
#[ignore = "root"]
fn step_by_step() {
    let sandbox = Sandbox::root();
    let container = Running::new(&sandbox, &[]);
    let step = |input: &str, status: i32| {
        let mut command = sandbox.command(&["exec", "--step=line", "one", "echo", "done"]);
        with_input(&mut command, input).expect(status)
    };
    let ran = step("w\nn\nb exec.exec\nc\ni namespaces\nc\n", 0);
    assert_eq!(ran.out, "done\n");
    assert!(ran.err.contains("nsenter") || ran.err.contains("pidfd"), "{}", ran.err);
    assert!(ran.err.contains("step 2 of") && ran.err.contains("exec.exec"), "{}", ran.err);
    // Whoever quits leaves nothing.
    let ran = step("n\nn\nn\nq\n", 130);
    assert!(ran.err.contains("you chose to quit"), "{}", ran.err);
    assert_eq!((ran.out.as_str(), container.processes()), ("", vec!["sleep 1000".to_owned()]));
}

#[test]
#[ignore = "root"]
fn a_plan_can_be_read_before() {
    let sandbox = Sandbox::root();
    let container = Running::new(&sandbox, &[]);
    for (lang, says) in [("en", "Join the container's namespaces"), ("zh-CN", "加入容器的命名空间")]
    {
        let ran = sandbox.glassbox(&["--lang", lang, "plan", "exec", "-t", "one", "sh"]).expect(0);
        assert!(ran.out.contains(says) && ran.out.contains("security.open-terminal"), "{}", ran.out);
    }
    assert_eq!(container.processes(), ["sleep 1000"]);
}
