//! Random recordings, each as two runs of one command: all that differs are the
//! volatile values.

use proptest::prelude::*;

use super::*;
use crate::plan::StepId;
use crate::trace::{Call, Life, Process, When};

/// Where a value stands.
#[derive(Clone, Copy, Debug)]
enum Place {
    Fact,
    Argument,
    Result,
    /// In a text between words; of a kind that is looked for there.
    Text,
    /// In a path of the process, `/proc/PID/ns`.
    Proc,
    Life,
}

#[derive(Clone, Debug)]
struct Mention {
    kind: Kind,
    which: usize,
    place: Place,
}

const KINDS: [Kind; 14] = [
    Kind::Pid,
    Kind::Container,
    Kind::Image,
    Kind::Digest,
    Kind::Inode,
    Kind::Namespace,
    Kind::Address,
    Kind::Mac,
    Kind::Link,
    Kind::Path,
    Kind::Port,
    Kind::Fd,
    Kind::Time,
    Kind::Release,
];

/// The value of this kind with this number in this run. Its shape is the same in
/// each run, as it is in reality.
fn value(kind: Kind, which: usize, run: u64) -> String {
    let n = run * 7 + which as u64;
    let hex = |seed: u64| format!("{:016x}", seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1 << 63).repeat(4);
    match kind {
        Kind::Container => hex(n * 3),
        Kind::Image => format!("sha256:{}", hex(n * 3 + 1)),
        Kind::Digest => format!("sha256:{}", hex(n * 3 + 2)),
        Kind::Namespace => (4_026_531_000 + n).to_string(),
        Kind::Address => format!("10.{}.{}.{}", 100 + run, 100 + which, 2 + which),
        Kind::Mac => format!("02:42:{:02x}:{:02x}:00:02", run, 16 + which),
        Kind::Link => format!("veth{n:06x}"),
        Kind::Path => format!("/tmp/store-{n}"),
        Kind::Release => format!("6.{run}.{which}"),
        _ => (10_000 + n).to_string(),
    }
}

fn event(seq: usize, mention: &Mention, run: u64) -> Event {
    let Mention { kind, which, place } = mention;
    let text = value(*kind, *which, run);
    let tagged = Value::volatile(*kind, &text);
    let step = StepId("a.b".into());
    let fact = |value: Value| Body::Observed {
        step: step.clone(),
        when: When::After,
        facts: vec![Fact { source: "stat(2)".into(), key: "it".into(), value }],
    };
    let call = |arg: Value, result: Value| Body::Call {
        step: step.clone(),
        call: Call {
            name: "openat".into(),
            args: vec![("a".into(), arg)],
            result,
            errno: None,
            micros: run,
            changes: true,
        },
    };
    let body = match place {
        Place::Fact => fact(tagged),
        Place::Argument => call(tagged, Value::Int(0)),
        Place::Result => call("x".into(), tagged),
        // Declared first: an untagged number could mean anything.
        Place::Text if inside_texts(*kind, &text) => fact(format!("is {text} so, {text}").into()),
        Place::Proc if *kind == Kind::Pid => fact(format!("/proc/{text}/ns").into()),
        Place::Life => {
            let process = Process { pid: tagged, inside: None, program: "sh".into() };
            Body::Life { life: Life::Zombie { process: process.clone(), parent: process } }
        }
        Place::Text | Place::Proc => fact(tagged),
    };
    Event { seq: seq as u64, at: run * 1000 + seq as u64, body }
}

fn mention() -> impl Strategy<Value = Mention> {
    let place = prop_oneof![
        Just(Place::Fact),
        Just(Place::Argument),
        Just(Place::Result),
        Just(Place::Text),
        Just(Place::Proc),
        Just(Place::Life),
    ];
    (proptest::sample::select(&KINDS[..]), 0..5usize, place).prop_map(|(kind, which, place)| Mention {
        kind,
        which,
        place,
    })
}

/// The recording of one run: every value is declared somewhere.
fn recording(mentions: &[Mention], run: u64) -> Vec<Event> {
    let declared = mentions.iter().map(|m| Mention { place: Place::Fact, ..m.clone() });
    mentions.iter().cloned().chain(declared).enumerate().map(|(seq, m)| event(seq, &m, run)).collect()
}

proptest! {
    #[test]
    fn two_runs_redact_to_the_same_and_twice_is_once(
        mentions in proptest::collection::vec(mention(), 0..40),
        runs in (1..100u64, 100..120u64),
    ) {
        let text = |events: &[Event]| serde_json::to_string(events).unwrap();
        let first = redact(&recording(&mentions, runs.0)).unwrap();
        let second = redact(&recording(&mentions, runs.1)).unwrap();
        prop_assert_eq!(text(&first), text(&second));
        prop_assert_eq!(text(&redact(&first).unwrap()), text(&first));
        let difference = crate::trace::diff::diff(&recording(&mentions, runs.0), &second).unwrap();
        prop_assert!(difference.is_empty());
    }

    /// What a name stands for is told apart: two values have two names, one has one.
    #[test]
    fn names_are_as_many_as_values(mentions in proptest::collection::vec(mention(), 0..40)) {
        let events = recording(&mentions, 1);
        let mut names = std::collections::BTreeMap::new();
        for (before, after) in events.iter().zip(redact(&events).unwrap()) {
            let (Body::Observed { facts: old, .. }, Body::Observed { facts: new, .. }) = (&before.body, &after.body)
            else { continue };
            if let (Value::Volatile { kind, value }, Value::Volatile { value: name, .. }) = (&old[0].value, &new[0].value) {
                prop_assert_ne!(value, name);
                let known = names.entry((*kind, value.clone())).or_insert_with(|| name.clone());
                prop_assert_eq!(&*known, name);
            }
        }
        let different: std::collections::BTreeSet<_> = names.iter().map(|((kind, _), name)| (*kind, name.clone())).collect();
        prop_assert_eq!(different.len(), names.len());
    }
}
