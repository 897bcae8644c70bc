//! What `run --step` shows between steps: pure functions from the plan, a step
//! and evidence to lines. The loop that reads commands is the caller's.

use fluent_bundle::FluentValue;

use super::layout::{Row, layout, table};
use super::lines;
use crate::kernel::{KernelName, Slots, Subject};
use crate::narrate::{Known, Label, Line, Narrator, Span, lesson, man};
use crate::plan::{Op, Plan, Step};
use crate::trace::{Fact, Value};

/// Before a step: what is about to happen, and what can be typed.
pub fn before(plan: &Plan, step: &Step, slots: &Slots, narrator: &Narrator, width: usize) -> Vec<Line> {
    let known = Known { slots };
    let number = plan.steps.iter().position(|s| s.id == step.id).map_or(0, |at| at + 1);
    let place = [("number", FluentValue::from(number)), ("total", FluentValue::from(plan.steps.len()))];
    let mut rows = vec![Row::Blank];
    rows.push(Row::Title { left: narrator.say("prompt_about", &place), right: orientation(step, narrator) });
    rows.push(Row::Noted { margin: narrator.word("label_about"), line: narrator.about(&step.op, known) });
    rows.push(Row::Flush(commands(narrator)));
    layout(&rows, width)
}

/// The step's id and who does it.
pub(super) fn orientation(step: &Step, narrator: &Narrator) -> Line {
    vec![Span::new(
        Label::Dim,
        format!("{} · {}", step.id, crate::narrate::plain(&narrator.actor(step.actor))),
    )]
}

/// The line that lists the commands: n c b d i w ! q.
pub fn commands(narrator: &Narrator) -> Line {
    let commands = [
        ("n", "prompt_next"),
        ("c", "prompt_continue"),
        ("b", "prompt_break"),
        ("d", "prompt_delete"),
        ("i", "prompt_inspect"),
        ("w", "prompt_why"),
        ("!", "prompt_shell"),
        ("q", "prompt_quit"),
    ];
    let mut line: Line = Vec::new();
    for (key, message) in commands {
        if !line.is_empty() {
            line.push(Span::new(Label::Plain, "  "));
        }
        line.push(Span::new(Label::Code, key));
        line.push(Span::new(Label::Plain, " "));
        line.push(Span::new(Label::Dim, narrator.word(message)));
    }
    line
}

/// What was typed is no command.
pub fn unknown(input: &str, narrator: &Narrator, width: usize) -> Vec<Line> {
    let line = narrator.say("prompt_unknown", &[("input", input.to_owned().into())]);
    layout(&[Row::Flush(line), Row::Flush(commands(narrator))], width)
}

/// While a process is held: what can be typed.
pub fn held(narrator: &Narrator, width: usize) -> Vec<Line> {
    layout(&[Row::Flush(narrator.say("prompt_held", &[])), Row::Flush(commands(narrator))], width)
}

/// `why` while a process is held.
pub fn why_held(kernel: KernelName, narrator: &Narrator, width: usize) -> Vec<Line> {
    layout(&[why_held_row(kernel, narrator)], width)
}

pub(super) fn why_held_row(kernel: KernelName, narrator: &Narrator) -> Row {
    let kernel = match kernel {
        KernelName::Linux => "linux",
        KernelName::Model => "model",
    };
    let line = narrator.say("held_why", &[("kernel", kernel.into())]);
    Row::Noted { margin: narrator.word("label_why"), line }
}

/// `why`: what the step is good for, how to do it by hand, where to read on.
pub fn why(step: &Step, slots: &Slots, narrator: &Narrator, width: usize) -> Vec<Line> {
    layout(&why_rows(step, slots, narrator), width)
}

pub(super) fn why_rows(step: &Step, slots: &Slots, narrator: &Narrator) -> Vec<Row> {
    let known = Known { slots };
    let mut rows =
        vec![Row::Noted { margin: narrator.word("label_why"), line: narrator.why(&step.op, known) }];
    rows.extend(isolated(&step.op, narrator));
    let hand = narrator.by_hand(&step.op, known);
    let mut margin = narrator.word("label_hand");
    for text in hand.commands {
        rows.push(Row::Command { margin: std::mem::take(&mut margin), text });
    }
    if let Some(line) = hand.note {
        rows.push(Row::Noted { margin, line });
    }
    let pages = vec![Span::new(Label::Plain, man(&step.op).join(", "))];
    rows.push(Row::Noted { margin: narrator.word("label_man"), line: pages });
    if let Some(lesson) = lesson(&step.op) {
        let line = vec![Span::new(Label::Code, format!("glassbox learn show {lesson}"))];
        rows.push(Row::Noted { margin: narrator.word("label_lesson"), line });
    }
    rows
}

/// What each new namespace isolates.
pub(super) fn isolated(op: &Op, narrator: &Narrator) -> Option<Row> {
    let Op::Clone { namespaces, .. } = op else { return None };
    let mut line: Line = Vec::new();
    for ns in namespaces {
        if !line.is_empty() {
            line.push(Span::new(Label::Plain, " · "));
        }
        line.push(Span::new(Label::Value, ns.name()));
        line.push(Span::new(Label::Plain, ": "));
        line.extend(narrator.isolates(*ns));
    }
    (!line.is_empty()).then(|| Row::Noted { margin: narrator.word("label_isolated"), line })
}

/// `inspect`: a table of evidence, by where it was read.
pub fn inspect(subject: Subject, facts: &[Fact], narrator: &Narrator, width: usize) -> Vec<Line> {
    let title = narrator.subject(subject).into_iter().map(|s| Span { label: Label::Heading, ..s }).collect();
    let mut out = layout(&[Row::Heading(title)], width);
    if facts.is_empty() {
        out.extend(layout(&[Row::Flush(narrator.say("prompt_empty", &[]))], width));
    }
    let mut sources: Vec<&Value> = Vec::new();
    for fact in facts {
        if !sources.contains(&&fact.source) {
            sources.push(&fact.source);
        }
    }
    for source in sources {
        let line = vec![
            Span::new(Label::Dim, format!("{} ", narrator.word("table_source"))),
            Span::new(Label::Value, source.text()),
        ];
        out.extend(layout(&[Row::Flush(line)], width));
        let rows: Vec<Vec<Line>> = facts
            .iter()
            .filter(|f| &f.source == source)
            .map(|f| {
                vec![
                    vec![Span::new(Label::Key, format!("  {}", f.key))],
                    vec![Span::new(Label::Value, f.value.text())],
                ]
            })
            .collect();
        out.extend(table(&rows, width));
    }
    out
}

/// The difference between two inspections.
pub fn changed(before: &[Fact], after: &[Fact], width: usize) -> Vec<Line> {
    let rows: Vec<Row> = lines::diff(before, after).into_iter().map(Row::Flush).collect();
    layout(&rows, width)
}
