//! The plan: every step with a sign for how far it is. The signs say without
//! colour what colour says too.

use super::View;
use crate::narrate::{Label, Line, Span};
use crate::render::layout::char_width;
use crate::render::picture::{State, StepView};

/// The sign of a state.
fn sign(view: &StepView) -> (&'static str, Label) {
    match view.state {
        State::Ahead => ("·", Label::Dim),
        State::About => (">", Label::Title),
        State::Done if view.unchanged => ("=", Label::Dim),
        State::Done => ("✓", Label::Good),
        State::Failed => ("✗", Label::Bad),
        State::Undoing => ("<", Label::Title),
        State::Undone => ("↶", Label::Removed),
        State::NotUndone => ("!", Label::Bad),
    }
}

/// The lines, each with the index of its step if it has one.
pub fn lines(view: &View<'_>, width: usize) -> Vec<(Line, Option<usize>)> {
    let mut out = Vec::new();
    let mut phase = None;
    for (at, step) in view.picture.progress.steps.iter().enumerate() {
        if phase != Some((step.plan, step.step.phase)) {
            phase = Some((step.plan, step.step.phase));
            out.push((vec![Span::new(Label::Heading, step.step.phase.name())], None));
        }
        let here = if view.selected == Some(at) { "▸" } else { " " };
        let stops = view.session.breaks.at_step(&step.step.id, &step.step.op);
        let (sign, label) = sign(step);
        let id = &step.step.id.0;
        let name = id.split_once('.').map_or(id.as_str(), |(_, name)| name);
        let line = vec![
            Span::new(Label::Title, here),
            Span::new(Label::Bad, if stops { "●" } else { " " }),
            Span::new(label, sign),
            Span::new(Label::Plain, " "),
            Span::new(
                if step.state == State::Ahead { Label::Dim } else { label },
                cut(name, width.saturating_sub(4)),
            ),
        ];
        out.push((line, Some(at)));
    }
    out
}

/// A text that does not fit ends in `…`.
pub fn cut(text: &str, width: usize) -> String {
    let all: usize = text.chars().map(char_width).sum();
    if all <= width {
        return text.to_owned();
    }
    let mut used = 1;
    let mut out = String::new();
    for c in text.chars() {
        used += char_width(c);
        if used > width {
            break;
        }
        out.push(c);
    }
    out.push('…');
    out
}
