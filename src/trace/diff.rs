//! Two recordings step by step. Values that differ from run to run are alike
//! when they are of one kind; times never count, and neither does how closely
//! a run was watched.

use std::fmt::Debug;

use similar::{Algorithm, DiffOp, capture_diff_slices};

use super::redact::{redact, unnumbered};
use super::story::{Begin, Item, Lived, Outcome, Story, Told};
use super::{Call, Event, Fact};
use crate::kernel::Watch;
use crate::plan::{Op, Step};

/// What differs between two recordings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Difference {
    /// What the commands were, and on which kernel.
    pub begin: Vec<Field>,
    /// Steps that differ, in order. A number of alike steps between them is
    /// [`StepDifference::Alike`].
    pub steps: Vec<StepDifference>,
    /// The exit statuses, when they differ. `None` has no end.
    pub status: Option<(Option<u8>, Option<u8>)>,
}

/// One place in the sequence of steps.
#[derive(Clone, Debug, PartialEq)]
pub enum StepDifference {
    /// So many steps are alike.
    Alike(usize),
    /// Only the first recording has it.
    Removed(Box<Told>),
    /// Only the second has it.
    Added(Box<Told>),
    /// Both have it, and it differs.
    Changed(Box<Changed>),
    /// What happened in the container between two steps.
    Life(Part<Lived>),
}

/// A step that both recordings have.
#[derive(Clone, Debug, PartialEq)]
pub struct Changed {
    /// The step, as the second recording has it.
    pub step: Step,
    /// It is taken back.
    pub undoing: bool,
    /// Fields of the operation.
    pub op: Vec<Field>,
    /// Evidence before.
    pub before: Vec<Part<Fact>>,
    /// System calls.
    pub calls: Vec<Part<Call>>,
    /// Evidence after.
    pub after: Vec<Part<Fact>>,
    /// What happened in the container meanwhile.
    pub life: Vec<Part<Lived>>,
    /// How it ended.
    pub outcome: Option<(Option<Outcome>, Option<Outcome>)>,
}

/// A part of one recording that the other does not have.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Part<T> {
    Removed(T),
    Added(T),
}

/// A field whose values differ. A value that is absent is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Field {
    pub name: String,
    pub first: Option<String>,
    pub second: Option<String>,
}

impl Difference {
    /// Nothing differs.
    pub fn is_empty(&self) -> bool {
        let alike = |s: &StepDifference| matches!(s, StepDifference::Alike(_));
        self.begin.is_empty() && self.status.is_none() && self.steps.iter().all(alike)
    }
}

/// Compares two recordings.
pub fn diff(first: &[Event], second: &[Event]) -> serde_json::Result<Difference> {
    let [a, b] = [redact(first)?, redact(second)?];
    let watched = watched_before(&a) && watched_before(&b);
    let [a, b] = [Story::of(&a), Story::of(&b)];
    let status = (a.status != b.status).then_some((a.status, b.status));
    let begin = begin(a.begin.as_ref(), b.begin.as_ref());
    Ok(Difference { begin, steps: items(&a, &b, watched), status })
}

/// Whether the state before each step was read at all.
fn watched_before(events: &[Event]) -> bool {
    let before = |e: &Event| matches!(&e.body, super::Body::Begin { watch: Watch::BeforeAndAfter, .. });
    events.first().is_some_and(before)
}

fn begin(a: Option<&Begin>, b: Option<&Begin>) -> Vec<Field> {
    let fields = |begin: Option<&Begin>| {
        let Some(b) = begin else { return vec![] };
        let kernel = serde_json::to_value(b.kernel).map(|k| k.as_str().unwrap_or_default().to_owned());
        vec![
            ("command".to_owned(), b.wanted().join(" ")),
            ("kernel".to_owned(), kernel.unwrap_or_default()),
            ("release".to_owned(), b.release.text()),
        ]
    };
    differing(&fields(a), &fields(b))
}

fn items(a: &Story, b: &Story, watched: bool) -> Vec<StepDifference> {
    let keys = |story: &Story| story.items.iter().map(key).collect::<Vec<_>>();
    let mut out = Vec::new();
    for op in capture_diff_slices(Algorithm::Patience, &keys(a), &keys(b)) {
        let (gone, new) = (op.old_range(), op.new_range());
        if let DiffOp::Equal { .. } = op {
            for (x, y) in a.items[gone].iter().zip(&b.items[new]) {
                both(x, y, watched, &mut out);
            }
            continue;
        }
        out.extend(a.items[gone].iter().filter_map(|i| one(i, StepDifference::Removed, Part::Removed)));
        out.extend(b.items[new].iter().filter_map(|i| one(i, StepDifference::Added, Part::Added)));
    }
    out
}

fn one(
    item: &Item,
    step: fn(Box<Told>) -> StepDifference,
    part: fn(Lived) -> Part<Lived>,
) -> Option<StepDifference> {
    match item {
        // Its steps differ; that they were planned says nothing more.
        Item::Planned(_) => None,
        Item::Step(told) => Some(step(told.clone())),
        Item::Life(lived) => Some(StepDifference::Life(part(lived.clone()))),
    }
}

fn both(x: &Item, y: &Item, watched: bool, out: &mut Vec<StepDifference>) {
    if let (Item::Step(x), Item::Step(y)) = (x, y)
        && let Some(changed) = changed(x, y, watched)
    {
        out.push(StepDifference::Changed(Box::new(changed)));
        return;
    }
    if let Item::Step(_) = x {
        match out.last_mut() {
            Some(StepDifference::Alike(count)) => *count += 1,
            _ => out.push(StepDifference::Alike(1)),
        }
    }
}

/// What makes two items the same place in two recordings.
fn key(item: &Item) -> String {
    match item {
        Item::Planned(_) => "planned".to_owned(),
        Item::Step(told) => format!("{} {}", told.undoing, unnumbered(&told.step.id.0)),
        Item::Life(lived) => alike(&lived.life),
    }
}

fn changed(a: &Told, b: &Told, watched: bool) -> Option<Changed> {
    let changed = Changed {
        step: b.step.clone(),
        undoing: b.undoing,
        op: differing(&fields(&a.step.op), &fields(&b.step.op)),
        before: if watched { parts(&a.before, &b.before, alike) } else { vec![] },
        calls: parts(&a.calls, &b.calls, alike),
        after: parts(&a.after, &b.after, alike),
        life: parts(&a.life, &b.life, |l| alike(&l.life)),
        outcome: (alike(&a.outcome) != alike(&b.outcome)).then(|| (a.outcome.clone(), b.outcome.clone())),
    };
    let same = changed.op.is_empty()
        && changed.before.is_empty()
        && changed.calls.is_empty()
        && changed.after.is_empty()
        && changed.life.is_empty()
        && changed.outcome.is_none();
    (!same).then_some(changed)
}

fn parts<T: Clone>(a: &[T], b: &[T], alike: impl Fn(&T) -> String) -> Vec<Part<T>> {
    let keys = |all: &[T]| all.iter().map(&alike).collect::<Vec<_>>();
    let mut out = Vec::new();
    for op in capture_diff_slices(Algorithm::Myers, &keys(a), &keys(b)) {
        if let DiffOp::Equal { .. } = op {
            continue;
        }
        out.extend(a[op.old_range()].iter().cloned().map(Part::Removed));
        out.extend(b[op.new_range()].iter().cloned().map(Part::Added));
    }
    out
}

/// The same text for what does not differ. Redaction has set the times to 0.
fn alike<T: Debug>(what: &T) -> String {
    unnumbered(&format!("{what:?}"))
}

/// The fields of an operation, nested ones as `a.b`.
fn fields(op: &Op) -> Vec<(String, String)> {
    fn walk(name: &str, value: &serde_json::Value, out: &mut Vec<(String, String)>) {
        match value {
            serde_json::Value::Object(fields) => {
                for (field, value) in fields {
                    let name = if name.is_empty() { field.clone() } else { format!("{name}.{field}") };
                    walk(&name, value, out);
                }
            }
            serde_json::Value::String(text) => out.push((name.to_owned(), text.clone())),
            serde_json::Value::Null => {}
            other => out.push((name.to_owned(), other.to_string())),
        }
    }
    let mut out = Vec::new();
    walk("", &serde_json::to_value(op).unwrap_or_default(), &mut out);
    out
}

fn differing(a: &[(String, String)], b: &[(String, String)]) -> Vec<Field> {
    let of = |all: &[(String, String)], name: &str| {
        all.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone())
    };
    let new = b.iter().filter(|(name, _)| of(a, name).is_none());
    a.iter()
        .chain(new)
        .map(|(name, _)| Field { name: name.clone(), first: of(a, name), second: of(b, name) })
        .filter(|f| f.first.as_deref().map(unnumbered) != f.second.as_deref().map(unnumbered))
        .collect()
}

#[cfg(test)]
#[path = "diff_tests.rs"]
mod tests;
