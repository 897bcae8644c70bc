use super::*;
use crate::kernel::{Failure, KernelName, Watch};
use crate::plan::{Actor, Op, PLAN_VERSION, Phase, Plan, Step};
use crate::trace::record::RecordingWriter;
use crate::trace::{EventSink, TRACE_VERSION, Value};

fn id(name: &str) -> StepId {
    StepId(name.to_owned())
}

fn begin(steps: &[&str]) -> Body {
    let step = |name: &&str| Step {
        id: id(name),
        phase: Phase::Union,
        actor: Actor::Runtime,
        op: Op::ReadHostKernel,
    };
    let plan = Plan { version: PLAN_VERSION, container: "c".into(), steps: steps.iter().map(step).collect() };
    Body::Begin {
        version: TRACE_VERSION,
        program: "0.1.0".into(),
        kernel: KernelName::Model,
        release: Value::from("model"),
        command: vec![],
        watch: Watch::After,
        plan,
        names: vec![],
    }
}

fn about(name: &str) -> Body {
    Body::About { step: id(name), phase: Phase::Union, actor: Actor::Runtime, op: Op::ReadHostKernel }
}

fn done(name: &str) -> Body {
    Body::Done { step: id(name), micros: 1, unchanged: false, filled: Default::default() }
}

fn failed(name: &str) -> Body {
    Body::Failed { step: id(name), failure: Failure::new("x", None) }
}

fn undoing(name: &str) -> Body {
    Body::Undoing { step: id(name), op: Op::ReadHostKernel }
}

fn undone(name: &str) -> Body {
    Body::Undone { step: id(name), failure: None, kept: false }
}

const END: Body = Body::End { status: 0 };

fn problems(bodies: Vec<(u64, Body)>) -> (Counts, Vec<String>) {
    let mut writer = RecordingWriter::new(Vec::new());
    for (seq, (at, body)) in bodies.into_iter().enumerate() {
        writer.event(&Event { seq: seq as u64, at, body }).unwrap();
    }
    let (counts, problems) = check(&writer.into_inner()[..]);
    (counts, problems.iter().map(ToString::to_string).collect())
}

fn at_once(bodies: Vec<Body>) -> (Counts, Vec<String>) {
    problems(bodies.into_iter().map(|b| (0, b)).collect())
}

#[test]
fn whole_recordings() {
    let (counts, problems) =
        at_once(vec![begin(&["a", "b"]), about("a"), done("a"), about("b"), done("b"), END]);
    assert_eq!(problems, Vec::<String>::new());
    assert_eq!(counts, Counts { events: 6, steps: 2, ..Counts::default() });
    // What comes after a failure is not begun.
    let (counts, problems) =
        at_once(vec![begin(&["a", "b"]), about("a"), failed("a"), undoing("a"), undone("a"), END]);
    assert_eq!(problems, Vec::<String>::new());
    assert_eq!((counts.failed, counts.undone), (1, 1));
}

#[test]
fn what_is_missing_is_named_with_its_line() {
    let open = "line 3: the recording ends while step a is under way";
    assert_eq!(at_once(vec![begin(&["a"]), about("a"), END]).1, [open]);
    let open = "line 5: the recording ends while step a is under way";
    assert_eq!(at_once(vec![begin(&["a"]), about("a"), failed("a"), undoing("a"), END]).1, [open]);
    let missing = "line 4: the recording ends, and step b of the plan never began";
    assert_eq!(at_once(vec![begin(&["a", "b"]), about("a"), done("a"), END]).1, [missing]);
    let back = "line 3: event 2 is 4 µs before the one before it";
    let bodies = vec![(0, begin(&["a"])), (9, about("a")), (5, done("a")), (9, END)];
    assert_eq!(problems(bodies).1, [back]);
    let cut = at_once(vec![begin(&["a"]), about("a"), done("a")]).1;
    assert!(cut[0].starts_with("line 3: the recording stops without an \"end\" event"), "{cut:?}");
}
