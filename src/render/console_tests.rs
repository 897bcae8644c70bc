use super::*;
use crate::kernel::{Errno, Watch};
use crate::narrate::samples;
use crate::plan::op::{MountRole, OverlayStyle, Slot};
use crate::plan::{PLAN_VERSION, Plan};
use crate::render::{layout::text_width, plan_table, step as stepper};
use crate::trace::Fact;
use crate::trace::record::{RecordingWriter, read};
use crate::trace::{Kind, Life, TRACE_VERSION};

const STORE: &str = "/var/lib/glassbox";
const ID: &str = "4f1c9be2d07a4f1c9be2d07a4f1c9be2d07a4f1c9be2d07a4f1c9be2d07a1234";

fn step(id: &str, actor: Actor, op: Op) -> Step {
    let phase = id.split('.').next().unwrap();
    let phase = Phase::ALL.into_iter().find(|p| p.name() == phase).unwrap();
    Step { id: StepId(id.into()), phase, actor, op }
}

fn plan() -> Plan {
    let dir = format!("{STORE}/containers/{ID}");
    let node = |name: &str, minor| {
        let op = Op::MakeNode {
            path: format!("{dir}/rootfs/dev/{name}"),
            kind: 'c',
            major: 1,
            minor,
            mode: 0o666,
        };
        step(&format!("mounts.dev-{name}"), Actor::Init, op)
    };
    let mask = |path: &str, id: &str| step(id, Actor::Init, Op::MaskPath { path: path.into() });
    let steps = vec![
        step("rootfs.host-kernel", Actor::Runtime, Op::ReadHostKernel),
        step(
            "union.mount-overlay",
            Actor::Runtime,
            Op::MountOverlay {
                lower: ["c", "b", "a"].map(|l| format!("{STORE}/layers/{l}")).to_vec(),
                upper: format!("{dir}/upper"),
                work: format!("{dir}/work"),
                style: OverlayStyle::Options,
                target: format!("{dir}/rootfs"),
            },
        ),
        step(
            "namespaces.clone",
            Actor::Runtime,
            Op::Clone { namespaces: vec![crate::plan::op::Ns::Mnt, crate::plan::op::Ns::Pid], cgroup: None },
        ),
        step(
            "network.bridge",
            Actor::Runtime,
            Op::CreateBridge { name: "glass0".into(), address: [10, 88, 0, 1].into(), prefix: 16 },
        ),
        node("null", 3),
        node("zero", 5),
        node("full", 7),
        step(
            "mounts.proc",
            Actor::Init,
            Op::Mount {
                role: MountRole::Proc,
                fstype: "proc".into(),
                source: "proc".into(),
                target: format!("{dir}/rootfs/proc"),
                options: ["nosuid", "noexec", "nodev"].map(String::from).to_vec(),
            },
        ),
        mask("/proc/kcore", "security.mask-kcore"),
        mask("/proc/keys", "security.mask-keys"),
        mask("/proc/acpi", "security.mask-acpi"),
        step(
            "exec.exec",
            Actor::Init,
            Op::Exec {
                argv: vec!["sh".into(), "-c".into(), "echo hello > /etc/motd".into()],
                env: vec!["PATH=/bin".into()],
                cwd: "/".into(),
            },
        ),
        step(
            "life.supervise",
            Actor::Runtime,
            Op::Supervise { tty: false, interactive: false, joined: false },
        ),
    ];
    Plan { version: PLAN_VERSION, container: ID.into(), steps }
}

fn call(name: &str, args: Vec<(&str, Value)>, result: Value, changes: bool) -> Call {
    let args = args.into_iter().map(|(n, v)| (n.to_owned(), v)).collect();
    Call { name: name.into(), args, result, errno: None, micros: 12, changes }
}

fn fact(source: &str, key: &str, value: impl Into<Value>) -> Fact {
    Fact { source: source.into(), key: key.into(), value: value.into() }
}

/// What a kernel saw in each step.
#[expect(clippy::type_complexity, reason = "a row of a table of tests")]
fn seen(step: &Step) -> (Vec<Fact>, Vec<Call>, Vec<Fact>, Vec<(Slot, Value)>, bool) {
    let zero = Value::Int(0);
    match &step.op {
        Op::ReadHostKernel => (
            vec![],
            vec![call("uname", vec![], zero, false)],
            vec![fact("uname(2)", "release", Value::volatile(Kind::Release, "6.18.5"))],
            vec![],
            false,
        ),
        Op::MountOverlay { lower, upper, work, target, .. } => {
            let data = format!("lowerdir={},upperdir={upper},workdir={work}", lower.join(":"));
            let args = vec![
                ("source", "overlay".into()),
                ("target", target.as_str().into()),
                ("filesystemtype", "overlay".into()),
                ("mountflags", zero.clone()),
                ("data", data.into()),
            ];
            let before =
                vec![fact("/proc/self/mountinfo", "mounts", 31), fact("stat(2)", "upper entries", 0)];
            let after = vec![
                fact("/proc/self/mountinfo", "mounts", 32),
                fact("stat(2)", "upper entries", 0),
                fact("/proc/self/mountinfo", "mount", format!("{target} overlay rw")),
            ];
            (before, vec![call("mount", args, zero, true)], after, vec![], false)
        }
        Op::Clone { .. } => {
            let pid = Value::volatile(Kind::Pid, 4242);
            let args = vec![("flags", "CLONE_NEWNS|CLONE_NEWPID".into()), ("exit_signal", "SIGCHLD".into())];
            let ns = |name: &str, inode| {
                fact("/proc/4242/ns", name, Value::volatile(Kind::Namespace, format!("{name}:[{inode}]")))
            };
            let after = vec![ns("mnt", 4026532177u32), ns("pid", 4026532178)];
            (vec![], vec![call("clone3", args, pid.clone(), true)], after, vec![(Slot::InitPid, pid)], false)
        }
        Op::CreateBridge { name, .. } => {
            let after = vec![fact("netlink RTM_GETLINK", name, "bridge up 10.88.0.1/16")];
            let args = vec![("request", "RTM_GETLINK {name: glass0}".into())];
            (after.clone(), vec![call("sendto", args, Value::Int(48), false)], after, vec![], true)
        }
        Op::MakeNode { path, minor, .. } => {
            let args = vec![
                ("pathname", path.as_str().into()),
                ("mode", "S_IFCHR|0666".into()),
                ("dev", format!("1:{minor}").into()),
            ];
            (vec![], vec![call("mknod", args, zero, true)], vec![], vec![], false)
        }
        Op::Mount { source, target, fstype, .. } => {
            let args = vec![
                ("source", source.as_str().into()),
                ("target", target.as_str().into()),
                ("filesystemtype", fstype.as_str().into()),
                ("mountflags", "MS_NOSUID|MS_NODEV|MS_NOEXEC".into()),
                ("data", "NULL".into()),
            ];
            let after = vec![fact("/proc/self/mountinfo", "mount", format!("{target} proc rw,nosuid"))];
            (vec![], vec![call("mount", args, zero, true)], after, vec![], false)
        }
        Op::MaskPath { path } if path == "/proc/acpi" => {
            let mut open = call("open", vec![("pathname", path.as_str().into())], Value::Int(-1), false);
            open.errno = Some(Errno::ENOENT);
            (vec![], vec![open], vec![], vec![], true)
        }
        Op::MaskPath { path } => {
            let args = vec![("source", "/dev/null".into()), ("target", path.as_str().into())];
            (vec![], vec![call("mount", args, zero, true)], vec![], vec![], false)
        }
        Op::Exec { argv, .. } => {
            let args = vec![("pathname", "/bin/sh".into()), ("argv", format!("{argv:?}").into())];
            let after = vec![fact("/proc/4242/comm", "comm", "sh")];
            (vec![], vec![call("execve", args, zero, true)], after, vec![], false)
        }
        Op::Supervise { .. } => (vec![], vec![], vec![], vec![(Slot::ExitStatus, Value::Int(0))], false),
        other => panic!("{other:?} is not in the plan"),
    }
}

struct Tape {
    events: Vec<Event>,
}

impl Tape {
    fn begin(kernel: KernelName) -> Tape {
        let mut tape = Tape { events: vec![] };
        tape.push(Body::Begin {
            version: TRACE_VERSION,
            program: "0.1.0".into(),
            kernel,
            release: Value::volatile(Kind::Release, "6.18.5"),
            command: ["run", "--rm", "box", "sh", "-c", "echo hello > /etc/motd"].map(String::from).to_vec(),
            watch: Watch::BeforeAndAfter,
            plan: plan(),
            names: vec![Value::volatile(Kind::Path, STORE), Value::volatile(Kind::Container, ID)],
        });
        tape
    }

    fn push(&mut self, body: Body) {
        let seq = self.events.len() as u64;
        self.events.push(Event { seq, at: seq * 10, body });
    }

    fn start(&mut self, step: &Step) {
        let Step { id, phase, actor, op } = step.clone();
        self.push(Body::About { step: id.clone(), phase, actor, op });
        let (before, calls, ..) = seen(step);
        if !before.is_empty() {
            self.push(Body::Observed { step: id.clone(), when: When::Before, facts: before });
        }
        for call in calls {
            self.push(Body::Call { step: id.clone(), call });
        }
    }

    fn run(&mut self, step: &Step) {
        self.start(step);
        let (.., after, filled, unchanged) = seen(step);
        if matches!(step.op, Op::Supervise { .. }) {
            let pid = Value::volatile(Kind::Pid, 4242);
            self.push(Body::Life { life: Life::Started { pid: pid.clone() } });
            self.push(Body::Life { life: Life::Exited { pid, code: Some(0), signal: None } });
        }
        if !after.is_empty() {
            self.push(Body::Observed { step: step.id.clone(), when: When::After, facts: after });
        }
        let filled = filled.into_iter().collect();
        self.push(Body::Done { step: step.id.clone(), micros: 1234, unchanged, filled });
    }

    fn good(kernel: KernelName) -> Vec<Event> {
        let mut tape = Tape::begin(kernel);
        plan().steps.iter().for_each(|s| tape.run(s));
        tape.push(Body::End { status: 0 });
        tape.events
    }

    /// The second device node cannot be made; everything is taken back, except
    /// for the bridge.
    fn bad() -> Vec<Event> {
        let mut tape = Tape::begin(KernelName::Linux);
        let plan = plan();
        plan.steps[..5].iter().for_each(|s| tape.run(s));
        let failing = &plan.steps[5];
        tape.start(failing);
        let Some(Body::Call { call, .. }) = tape.events.last_mut().map(|e| &mut e.body) else {
            panic!("a call was the last event")
        };
        call.result = Value::Int(-1);
        call.errno = Some(Errno::EPERM);
        let failure = Failure::new("make device node /dev/zero", Some(Errno::EPERM))
            .hint("run as root, or see the run on the modelled kernel with --model");
        tape.push(Body::Failed { step: failing.id.clone(), failure });
        for step in plan.steps[..6].iter().rev() {
            let id = step.id.clone();
            tape.push(Body::Undoing { step: id.clone(), op: step.op.clone() });
            if let Op::MountOverlay { target, .. } = &step.op {
                let args = vec![("target", target.as_str().into()), ("flags", "MNT_DETACH".into())];
                tape.push(Body::Call { step: id.clone(), call: call_of_umount(args) });
            }
            let failure = matches!(step.op, Op::CreateBridge { .. })
                .then(|| Failure::new("remove link glass0", Some(Errno::EBUSY)));
            tape.push(Body::Undone { step: id, failure, kept: false });
        }
        tape.push(Body::End { status: 125 });
        tape.events
    }
}

fn call_of_umount(args: Vec<(&str, Value)>) -> Call {
    call("umount2", args, Value::Int(0), true)
}

fn options(level: Level, lang: Lang) -> Options {
    Options { level, lang, ..Options::default() }
}

fn told(events: &[Event], options: Options) -> String {
    let mut out = Vec::new();
    let mut console = Console::new(&mut out, options);
    events.iter().for_each(|e| console.event(e).unwrap());
    String::from_utf8(out).unwrap()
}

#[test]
fn story() {
    insta::assert_snapshot!(
        "story_en",
        told(&Tape::good(KernelName::Linux), options(Level::Story, Lang::En))
    );
    insta::assert_snapshot!(
        "story_zh",
        told(&Tape::good(KernelName::Model), options(Level::Story, Lang::ZhCn))
    );
}

#[test]
fn syscalls() {
    let events = Tape::good(KernelName::Linux);
    insta::assert_snapshot!("syscalls_en", told(&events, options(Level::Syscalls, Lang::En)));
    insta::assert_snapshot!("syscalls_zh", told(&events, options(Level::Syscalls, Lang::ZhCn)));
}

#[test]
fn full() {
    let events = Tape::good(KernelName::Linux);
    insta::assert_snapshot!("full_en", told(&events, options(Level::Full, Lang::En)));
    insta::assert_snapshot!("full_zh", told(&events, options(Level::Full, Lang::ZhCn)));
}

#[test]
fn failure_and_rollback() {
    insta::assert_snapshot!("rollback_en", told(&Tape::bad(), options(Level::Story, Lang::En)));
    insta::assert_snapshot!("rollback_zh", told(&Tape::bad(), options(Level::Full, Lang::ZhCn)));
}

#[test]
fn redacted() {
    let events = crate::trace::redact::redact(&Tape::good(KernelName::Linux)).unwrap();
    let text = told(&events, options(Level::Full, Lang::En));
    for volatile in [STORE, ID, "4242", "6.18.5", "402653"] {
        assert!(!text.contains(volatile), "{volatile} in {text}");
    }
    insta::assert_snapshot!("redacted_en", text);
}

#[test]
fn a_replay_is_byte_identical() {
    for events in [Tape::good(KernelName::Linux), Tape::good(KernelName::Model), Tape::bad()] {
        let mut writer = RecordingWriter::new(Vec::new());
        events.iter().for_each(|e| writer.event(e).unwrap());
        let back: Vec<Event> = read(&writer.into_inner()[..]).collect::<Result<_, _>>().unwrap();
        for level in [Level::Story, Level::Syscalls, Level::Full] {
            for lang in [Lang::En, Lang::ZhCn] {
                let options = Options { colour: true, ..options(level, lang) };
                assert_eq!(told(&events, options), told(&back, options));
            }
        }
    }
}

#[test]
fn lines_fit_the_screen() {
    for events in [Tape::good(KernelName::Linux), Tape::bad()] {
        for level in [Level::Story, Level::Syscalls, Level::Full] {
            for lang in [Lang::En, Lang::ZhCn] {
                for width in [40, 80, 132] {
                    for line in told(&events, Options { width, ..options(level, lang) }).lines() {
                        // Only a word of a command stays whole, so that it can be copied.
                        let word = line
                            .trim()
                            .trim_end_matches(" \\")
                            .trim_start_matches("by hand ")
                            .trim_start_matches("手动做  ");
                        let whole = level == Level::Full && !word.contains(' ');
                        assert!(text_width(line) <= width || whole, "{width}: {line}");
                    }
                }
            }
        }
    }
}

/// Cuts the story before each `Done` and `Undone` and looks for the sentence
/// that only these events may bring.
#[test]
fn nothing_is_told_as_done_before_it_is() {
    let mut events = Tape::begin(KernelName::Linux).events;
    let mut checked = 0;
    for op in samples::all() {
        let id = StepId("union.a".into());
        events.truncate(1);
        let about =
            Body::About { step: id.clone(), phase: Phase::Union, actor: Actor::Runtime, op: op.clone() };
        events.push(Event { seq: 1, at: 0, body: about });
        for lang in [Lang::En, Lang::ZhCn] {
            for level in [Level::Story, Level::Syscalls, Level::Full] {
                let wide = Options { width: 2000, ..options(level, lang) };
                let narrator = Narrator::new(lang);
                let slots = Slots::new();
                let did = plain(&narrator.did(&op, Known { slots: &slots }, false));
                let early = told(&events, wide);
                assert!(!early.contains(&did), "{}: {early}", op.name());
                let done = Body::Done { step: id.clone(), micros: 0, unchanged: false, filled: Slots::new() };
                let mut all = events.clone();
                all.push(Event { seq: 2, at: 0, body: done });
                all.push(Event { seq: 3, at: 0, body: Body::End { status: 0 } });
                assert!(told(&all, wide).contains(&did), "{}: {did}", op.name());
                checked += 1;
            }
        }
    }
    assert_eq!(checked, samples::all().len() * 6);
}

#[test]
fn a_raw_terminal_gets_carriage_returns() {
    let raw = Options { raw: true, ..options(Level::Story, Lang::En) };
    let text = told(&Tape::good(KernelName::Linux), raw);
    assert_eq!(text.matches('\n').count(), text.matches("\r\n").count());
}

#[test]
fn colour_adds_nothing_but_colour() {
    let events = Tape::bad();
    let plain = options(Level::Full, Lang::En);
    let mut coloured = told(&events, Options { colour: true, ..plain });
    while let Some(start) = coloured.find('\x1b') {
        let end = start + coloured[start..].find('m').unwrap();
        coloured.replace_range(start..=end, "");
    }
    assert_eq!(coloured, told(&events, plain));
}

#[test]
fn plan_and_stepper() {
    let plan = plan();
    let mut text = String::new();
    for lang in [Lang::En, Lang::ZhCn] {
        let narrator = Narrator::new(lang);
        let slots = Slots::new();
        let mut add = |lines: Vec<Line>| text.push_str(&(Paint::default().text(&lines) + "\n"));
        add(plan_table::lines(&plan, &narrator, 80));
        add(stepper::before(&plan, &plan.steps[1], &slots, &narrator, 80));
        add(stepper::why(&plan.steps[1], &slots, &narrator, 80));
        add(stepper::unknown("x", &narrator, 80));
        let facts = [seen(&plan.steps[1]).2, seen(&plan.steps[2]).2].concat();
        add(stepper::inspect(crate::kernel::Subject::Mounts, &facts, &narrator, 80));
        add(stepper::inspect(crate::kernel::Subject::Network, &[], &narrator, 80));
        add(stepper::changed(&seen(&plan.steps[1]).0, &seen(&plan.steps[1]).2, 80));
    }
    insta::assert_snapshot!(text);
    let json = plan_table::json(&plan).unwrap();
    assert_eq!(serde_json::from_str::<Plan>(&json).unwrap(), plan);
}
