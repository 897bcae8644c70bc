use super::*;
use crate::trace::record::read;
use crate::trace::{Body, Kind, Value};

const RUN: &[u8] = include_bytes!("../../tests/recordings/model-run.jsonl");
const NONE: &[u8] = include_bytes!("../../tests/recordings/model-no-network.jsonl");
const FAILED: &[u8] = include_bytes!("../../tests/recordings/model-rollback.jsonl");

fn events(bytes: &[u8]) -> Vec<Event> {
    read(bytes).collect::<Result<_, _>>().unwrap()
}

fn ids(difference: &Difference, removed: bool) -> Vec<&str> {
    let steps = difference.steps.iter().filter_map(|s| match s {
        StepDifference::Removed(told) if removed => Some(told),
        StepDifference::Added(told) if !removed => Some(told),
        _ => None,
    });
    steps.map(|told| told.step.id.0.as_str()).collect()
}

#[test]
fn a_recording_does_not_differ_from_itself_nor_from_its_redaction() {
    for bytes in [RUN, NONE, FAILED] {
        let events = events(bytes);
        let steps = Story::of(&events).steps().count();
        for other in [events.clone(), redact(&events).unwrap()] {
            let difference = diff(&events, &other).unwrap();
            assert!(difference.is_empty(), "{difference:?}");
            assert_eq!(difference.steps, [StepDifference::Alike(steps)]);
        }
    }
}

#[test]
fn a_network_more() {
    let difference = diff(&events(NONE), &events(RUN)).unwrap();
    assert_eq!(ids(&difference, true), Vec::<&str>::new());
    let added = ids(&difference, false);
    for id in ["network.create-bridge", "network.create-veth", "network.add-address"] {
        assert!(added.contains(&id), "{id} is not among {added:?}");
    }
    assert!(added.iter().all(|id| id.contains("network") || id.starts_with("exit.")), "{added:?}");
    let backwards = diff(&events(RUN), &events(NONE)).unwrap();
    assert_eq!(ids(&backwards, true), added);
}

#[test]
fn times_never_count_and_values_only_by_their_kind() {
    let one = events(RUN);
    let mut other = one.clone();
    for event in &mut other {
        event.at *= 3;
        match &mut event.body {
            Body::Call { call, .. } => {
                call.micros += 5;
                for (_, value) in &mut call.args {
                    renumber(value);
                }
                renumber(&mut call.result);
            }
            Body::Done { micros, filled, .. } => {
                *micros += 7;
                filled.values_mut().for_each(renumber);
            }
            Body::Observed { facts, .. } => facts.iter_mut().for_each(|f| renumber(&mut f.value)),
            _ => {}
        }
    }
    assert_ne!(one, other);
    let difference = diff(&one, &other).unwrap();
    assert!(difference.is_empty(), "{difference:#?}");
}

/// Another value of the same kind.
fn renumber(value: &mut Value) {
    if let Value::Volatile { kind: Kind::Inode | Kind::Fd | Kind::Mount | Kind::Index, value } = value {
        value.push('7');
    }
}

#[test]
fn one_fact_one_call_one_status() {
    let one = events(RUN);
    let mut other = one.clone();
    let call = other.iter_mut().find_map(|e| match &mut e.body {
        Body::Call { call, .. } if call.name == "sethostname" => Some(call),
        _ => None,
    });
    call.unwrap().args[0].1 = "elsewhere".into();
    let Some(Event { body: Body::End { status }, .. }) = other.last_mut() else { unreachable!() };
    *status = 3;
    let difference = diff(&one, &other).unwrap();
    assert_eq!(difference.status, Some((Some(0), Some(3))));
    let changed: Vec<_> = difference
        .steps
        .iter()
        .filter_map(|s| match s {
            StepDifference::Changed(changed) => Some(changed),
            _ => None,
        })
        .collect();
    assert_eq!(changed.len(), 1);
    assert_eq!(changed[0].step.id.0, "security.set-hostname");
    assert!(matches!(changed[0].calls[..], [Part::Removed(_), Part::Added(_)]));
    assert!(changed[0].op.is_empty() && changed[0].after.is_empty() && changed[0].outcome.is_none());
}
