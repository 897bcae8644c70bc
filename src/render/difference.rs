//! What differs between two recordings, as rows: the lines of the first begin
//! with `-`, those of the second with `+`.

use super::layout::Row;
use super::{lines, step};
use crate::kernel::Slots;
use crate::narrate::{Known, Label, Line, Narrator, Span};
use crate::trace::diff::{Changed, Difference, Field, Part, StepDifference};
use crate::trace::story::{Outcome, Told};

/// The rows of a difference. `names` are those of the two recordings.
pub fn rows(difference: &Difference, names: [&str; 2], narrator: &Narrator) -> Vec<Row> {
    if difference.is_empty() {
        return vec![Row::Flush(narrator.say("differ_nothing", &[]))];
    }
    let mut rows = vec![
        Row::Flush(marked(true, vec![Span::new(Label::Plain, names[0])])),
        Row::Flush(marked(false, vec![Span::new(Label::Plain, names[1])])),
    ];
    if !difference.begin.is_empty() {
        rows.push(Row::Blank);
        rows.extend(difference.begin.iter().flat_map(field));
    }
    for step in &difference.steps {
        match step {
            StepDifference::Alike(count) => {
                rows.push(Row::Blank);
                let line = narrator.say("differ_alike", &[("count", (*count).into())]);
                rows.push(Row::Flush(dimmed(line)));
            }
            StepDifference::Removed(told) => rows.extend(whole(told, true, narrator)),
            StepDifference::Added(told) => rows.extend(whole(told, false, narrator)),
            StepDifference::Changed(changed) => rows.extend(differing(changed, narrator)),
            StepDifference::Life(part) => rows.push(part_row(part, &|l| narrator.life(&l.life))),
        }
    }
    if let Some((first, second)) = difference.status {
        let said = |status: Option<u8>| match status {
            Some(status) => narrator.say("story_end_action", &[("status", status.to_string().into())]),
            None => narrator.say("differ_no_end", &[]),
        };
        rows.push(Row::Blank);
        rows.extend([Row::Flush(marked(true, said(first))), Row::Flush(marked(false, said(second)))]);
    }
    rows
}

/// A step that only one recording has: its title is enough.
fn whole(told: &Told, gone: bool, narrator: &Narrator) -> Vec<Row> {
    let known = Known { slots: &told.slots };
    let left = match told.undoing {
        true => narrator.undoing(&told.step.op, known),
        false => narrator.title(&told.step.op, known),
    };
    let mut rows =
        vec![Row::Title { left: marked(gone, left), right: step::orientation(&told.step, narrator) }];
    if let Some(failure) = told.failure() {
        let line = vec![Span::new(Label::Bad, failure.to_string())];
        rows.push(Row::Noted { margin: narrator.word("label_failed"), line });
    }
    rows
}

fn differing(changed: &Changed, narrator: &Narrator) -> Vec<Row> {
    let slots = Slots::new();
    let known = Known { slots: &slots };
    let mut left = vec![Span::new(Label::Dim, "~ ")];
    left.extend(match changed.undoing {
        true => narrator.undoing(&changed.step.op, known),
        false => narrator.title(&changed.step.op, known),
    });
    let mut rows = vec![Row::Blank, Row::Title { left, right: step::orientation(&changed.step, narrator) }];
    let groups = [
        ("differ_op", changed.op.iter().flat_map(field).collect::<Vec<_>>()),
        ("label_before", changed.before.iter().map(|p| part_row(p, &|f| lines::fact(f, true))).collect()),
        (
            "label_call",
            changed.calls.iter().map(|p| part_row(p, &|c| lines::call(c, true, narrator))).collect(),
        ),
        ("label_after", changed.after.iter().map(|p| part_row(p, &|f| lines::fact(f, true))).collect()),
        ("label_life", changed.life.iter().map(|p| part_row(p, &|l| narrator.life(&l.life))).collect()),
        ("label_done", outcomes(changed, narrator)),
    ];
    for (margin, group) in groups {
        let mut margin = narrator.word(margin);
        rows.extend(group.into_iter().map(|row| match row {
            Row::Flush(line) => Row::Noted { margin: std::mem::take(&mut margin), line },
            row => row,
        }));
    }
    rows
}

fn outcomes(changed: &Changed, narrator: &Narrator) -> Vec<Row> {
    let Some((first, second)) = &changed.outcome else { return vec![] };
    let said = |outcome: &Option<Outcome>, gone| {
        Row::Flush(marked(gone, outcome_line(outcome.as_ref(), changed, narrator)))
    };
    vec![said(first, true), said(second, false)]
}

fn outcome_line(outcome: Option<&Outcome>, changed: &Changed, narrator: &Narrator) -> Line {
    let op = &changed.step.op;
    let slots = Slots::new();
    let bad = |failure: &crate::kernel::Failure| vec![Span::new(Label::Bad, failure.to_string())];
    match outcome {
        None => narrator.say("differ_no_end", &[]),
        Some(Outcome::Done { unchanged, filled, .. }) => {
            let mut line = narrator.did(op, Known { slots: filled }, *unchanged);
            for value in filled.values() {
                line.push(Span::new(Label::Plain, " "));
                line.push(Span::new(Label::Value, value.text()));
            }
            line
        }
        Some(Outcome::Failed(failure) | Outcome::NotUndone(failure)) => bad(failure),
        Some(Outcome::Undone) => narrator.undone(op, Known { slots: &slots }),
        Some(Outcome::Kept) => narrator.kept(op, Known { slots: &slots }),
    }
}

fn field(field: &Field) -> Vec<Row> {
    let line = |value: &Option<String>, gone| {
        let value = value.as_ref()?;
        let words = vec![Span::new(Label::Key, format!("{}: ", field.name)), Span::new(Label::Value, value)];
        Some(Row::Flush(marked(gone, words)))
    };
    [line(&field.first, true), line(&field.second, false)].into_iter().flatten().collect()
}

fn part_row<T>(part: &Part<T>, line: &dyn Fn(&T) -> Line) -> Row {
    Row::Flush(match part {
        Part::Removed(what) => marked(true, line(what)),
        Part::Added(what) => marked(false, line(what)),
    })
}

/// With its sign. The line has its colour only where nothing else has one.
fn marked(gone: bool, line: Line) -> Line {
    let (sign, label) = if gone { ("- ", Label::Removed) } else { ("+ ", Label::Added) };
    let mut out = vec![Span::new(label, sign)];
    out.extend(line.into_iter().map(|span| match span.label {
        Label::Plain | Label::Value | Label::Key => Span { label, ..span },
        _ => span,
    }));
    out
}

fn dimmed(line: Line) -> Line {
    line.into_iter().map(|s| Span { label: Label::Dim, ..s }).collect()
}
