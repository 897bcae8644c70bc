use super::*;
use crate::kernel::{Failure, KernelName, Watch};
use crate::plan::{Actor, Op, Phase, Plan, Step};
use crate::trace::Value;

fn step(id: &str) -> StepId {
    StepId(id.into())
}

fn bodies() -> Vec<Body> {
    let op = Op::MakeDir { path: "/x".into(), mode: 0o755 };
    let plan = Plan {
        version: PLAN_VERSION,
        container: "c".into(),
        steps: vec![Step { id: step("union.a"), phase: Phase::Union, actor: Actor::Runtime, op: op.clone() }],
    };
    vec![
        Body::Begin {
            version: TRACE_VERSION,
            program: "0.1.0".into(),
            kernel: KernelName::Model,
            release: Value::from("model"),
            command: vec!["run".into()],
            watch: Watch::After,
            plan,
            names: vec![],
        },
        Body::About { step: step("union.a"), phase: Phase::Union, actor: Actor::Runtime, op: op.clone() },
        Body::Failed { step: step("union.a"), failure: Failure::new("make directory /x", None) },
        Body::Undoing { step: step("union.a"), op },
        Body::Undone { step: step("union.a"), failure: None, kept: false },
        Body::End { status: 125 },
    ]
}

fn lines(bodies: Vec<Body>) -> Vec<String> {
    let mut writer = RecordingWriter::new(Vec::new());
    for (seq, body) in bodies.into_iter().enumerate() {
        writer.event(&Event { seq: seq as u64, at: 0, body }).unwrap();
    }
    String::from_utf8(writer.into_inner()).unwrap().lines().map(String::from).collect()
}

fn problem(text: &str) -> String {
    let items: Vec<_> = read(text.as_bytes()).collect();
    assert!(items.iter().rev().skip(1).all(Result::is_ok), "only the last item may be an error");
    items.last().unwrap().as_ref().unwrap_err().to_string()
}

#[test]
fn what_is_written_is_read_back() {
    let text = lines(bodies()).join("\n") + "\n";
    let back: Vec<Body> = read(text.as_bytes()).map(|e| e.unwrap().body).collect();
    assert_eq!(back, bodies());
}

/// Counts writes; each has to be whole lines.
#[derive(Default)]
struct Writes(Vec<usize>);

impl std::io::Write for Writes {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        assert!(bytes.ends_with(b"\n"));
        self.0.push(bytes.iter().filter(|b| **b == b'\n').count());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn what_is_put_off_is_written_when_there_is_time_and_trouble_at_once() {
    let about = |op| Body::About { step: step("a"), phase: Phase::Image, actor: Actor::Runtime, op };
    let quick = || about(Op::ReadHostKernel);
    let unpacks = |op: &Op| matches!(op, Op::UnpackLayer { .. });
    let long = about(crate::narrate::samples::all().into_iter().find(unpacks).unwrap());
    let done = || Body::Done { step: step("a"), micros: 0, unchanged: false, filled: Default::default() };
    let failed = Body::Failed { step: step("a"), failure: Failure::new("x", None) };
    let mut late = RecordingWriter::new(Writes::default()).put_off();
    let mut plain = RecordingWriter::new(Writes::default());
    let events =
        [quick(), done(), long, done(), quick(), done(), quick(), failed, quick(), Body::End { status: 1 }];
    for (n, body) in events.into_iter().enumerate() {
        let event = Event { seq: 0, at: 0, body };
        plain.event(&event).unwrap();
        late.take(event).unwrap();
        if n == 4 {
            late.idle().unwrap();
            late.idle().unwrap();
        }
    }
    assert_eq!(late.into_inner().0, [3, 2, 3, 2]);
    assert_eq!(plain.into_inner().0, [1; 10]);
}

#[test]
fn every_sample_op_survives() {
    for op in crate::narrate::samples::all() {
        let body = Body::About { step: step("union.a"), phase: Phase::Union, actor: Actor::Init, op };
        let event = Event { seq: 1, at: 7, body };
        let json = serde_json::to_string(&event).unwrap();
        assert_eq!(serde_json::from_str::<Event>(&json).unwrap(), event, "{json}");
    }
}

#[test]
fn damage_is_named_with_its_line() {
    let good = lines(bodies());
    let all = good.join("\n") + "\n";
    let without = |n: usize| {
        let mut l = good.clone();
        l.remove(n);
        l.join("\n") + "\n"
    };
    let swapped = |from: &str, to: &str| all.replacen(from, to, 1);
    let cases = [
        (String::new(), "it is empty"),
        ("\n\n".into(), "it is empty"),
        (all[..all.len() - 9].into(), "line 6: it is cut off"),
        (without(5), "line 5: the recording stops without"),
        (without(0), "line 1: the first event is \"about\""),
        (without(1), "line 2: event number 2 where 1 is due"),
        ("hello\n".into(), "line 1: not JSON"),
        ("[1]\n".into(), "line 1: not a glassbox event"),
        ("{}\n".into(), "line 1: not a glassbox event"),
        ("\u{7f}ELF\0\u{1}\n".into(), "line 1: not JSON"),
        (swapped("\"version\":1", "\"version\":2"), "line 1: trace version 2 is newer than 1"),
        (swapped("\"plan\":{\"version\":1", "\"plan\":{\"version\":9"), "line 1: plan version 9 is newer"),
        (swapped("\"event\":\"failed\"", "\"event\":\"fell\""), "line 3: not a glassbox event"),
        (
            swapped("\"event\":\"undoing\",\"step\":\"union.a\"", "\"event\":\"undoing\",\"step\":\"q\""),
            "line 4: step q is not in the plan",
        ),
        (all.clone() + &good[5].replace(":5,", ":6,"), "line 7: an event after \"end\""),
    ];
    for (text, want) in cases {
        let got = problem(&text);
        assert!(got.starts_with(want), "wanted {want:?}, got {got:?}");
    }
}

#[test]
fn bytes_that_are_not_text_are_an_error() {
    let items: Vec<_> = read(&b"\xff\xfe\n"[..]).collect();
    assert!(matches!(items[..], [Err(RecordingError::NotJson { line: 1, .. })]));
}

#[test]
fn an_endless_line_ends() {
    let endless = std::io::BufReader::new(std::io::repeat(b'x'));
    let items: Vec<_> = read(endless).collect();
    assert!(matches!(items[..], [Err(RecordingError::TooLong { line: 1 })]));
}

#[test]
fn a_call_outside_its_step_is_refused() {
    let mut bodies = bodies();
    bodies
        .insert(1, Body::Observed { step: step("union.a"), when: crate::trace::When::After, facts: vec![] });
    let got = problem(&(lines(bodies).join("\n") + "\n"));
    assert_eq!(got, "line 2: a call or observation of step union.a, which is not under way");
}

#[test]
fn cutting_anywhere_never_panics() {
    let all = lines(bodies()).join("\n") + "\n";
    for end in 0..all.len() {
        let items: Vec<_> = read(&all.as_bytes()[..end]).collect();
        // Only the final newline may be missing without loss.
        assert_eq!(items.last().unwrap().is_ok(), end == all.len() - 1, "cut at {end}");
    }
}
