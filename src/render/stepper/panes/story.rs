//! The story of one step: what is about to be done or was done, why, what
//! happened in the container meanwhile, and the same by hand.

use super::View;
use crate::kernel::Failure;
use crate::narrate::{Known, Label, Line, Span};
use crate::render::layout::{Row, layout};
use crate::render::picture::{State, StepView};
use crate::render::{lines as said, step as view_step};
use crate::trace::Life;

/// The lines.
pub fn lines(view: &View<'_>, width: usize) -> Vec<Line> {
    let Some(step) = view.step else { return layout(&[Row::Flush(view.dim("stepper_no_step"))], width) };
    let narrator = view.narrator;
    let known = Known { slots: &view.picture.slots };
    let noted = |margin: &str, line: Line| Row::Noted { margin: narrator.word(margin), line };
    let title = narrator.title(&step.step.op, known);
    let mut rows = vec![
        Row::Flush(title.into_iter().map(|s| Span { label: Label::Title, ..s }).collect()),
        Row::Flush(view_step::orientation(&step.step, narrator)),
    ];
    match view.life() {
        Some(now) => rows.extend(moment(view, now, &step.life)),
        None => {
            rows.extend(outcome(view, step));
            rows.extend(step.life.iter().map(|life| noted("label_life", narrator.life(life))));
            rows.extend(view_step::why_rows(&step.step, &view.picture.slots, narrator));
        }
    }
    layout(&rows, width)
}

/// While the container lives: what is looked at first, and then what led to it, the
/// latest first.
fn moment(view: &View<'_>, now: &Life, all: &[Life]) -> Vec<Row> {
    let narrator = view.narrator;
    let noted =
        |margin: &str, life: &Life| Row::Noted { margin: narrator.word(margin), line: narrator.life(life) };
    let held = view.held().and(view.picture.kernel);
    let mut rows = vec![noted(if held.is_some() { "label_held" } else { "label_life" }, now)];
    rows.extend(held.map(|kernel| view_step::why_held_row(kernel, narrator)));
    let earlier = all.split_last().map_or(&[][..], |(_, earlier)| earlier);
    rows.extend(earlier.iter().rev().map(|life| noted("label_earlier", life)));
    rows
}

/// What can be said of it at this moment, and no more.
fn outcome(view: &View<'_>, step: &StepView) -> Vec<Row> {
    let narrator = view.narrator;
    let known = Known { slots: &view.picture.slots };
    let op = &step.step.op;
    let noted = |margin: &str, line: Line| Row::Noted { margin: narrator.word(margin), line };
    match step.state {
        State::Ahead | State::About => vec![noted("label_about", narrator.about(op, known))],
        State::Done => {
            let mut did = narrator.did(op, known, step.unchanged);
            if step.micros > 0 {
                did.push(Span::new(Label::Dim, format!(" ({})", said::time(step.micros, narrator))));
            }
            vec![noted("label_done", did)]
        }
        State::Failed => failure(view, "story_failed_step", "label_failed", step, step.failure.as_ref()),
        State::Undoing => vec![noted("label_undoing", narrator.undoing(op, known))],
        State::Undone => {
            let mut rows = failure(view, "story_failed_step", "label_failed", step, step.failure.as_ref());
            rows.push(noted("label_undoing", narrator.undone(op, known)));
            rows
        }
        State::NotUndone => {
            let why = step.undo.as_ref().and_then(|u| u.failure.as_ref());
            failure(view, "story_not_undone", "label_undoing", step, why)
        }
    }
}

fn failure(
    view: &View<'_>,
    message: &str,
    margin: &str,
    step: &StepView,
    failure: Option<&Failure>,
) -> Vec<Row> {
    let Some(failure) = failure else { return Vec::new() };
    let args = [("what", failure.to_string().into()), ("step", step.step.id.0.clone().into())];
    let line = view.narrator.say(message, &args).into_iter().map(|s| Span { label: Label::Bad, ..s });
    let mut rows = vec![Row::Noted { margin: view.narrator.word(margin), line: line.collect() }];
    if let Some(hint) = &failure.hint {
        let line = vec![Span::new(Label::Plain, hint)];
        rows.push(Row::Noted { margin: view.narrator.word("label_hint"), line });
    }
    rows
}
