//! What the kernel said before and after the step, as a diff.

use super::View;
use crate::narrate::{Label, Line, Span};
use crate::render::layout::wrap;
use crate::render::lines as said;
use crate::render::picture::State;

/// A line of the diff; its sign stands alone in the first columns.
fn folded(line: &[Span], width: usize) -> Vec<Line> {
    let Some((sign, rest)) = line.split_first() else { return Vec::new() };
    let first = Span::new(sign.label, format!("{:2}", sign.text));
    let parts = wrap(rest, width.saturating_sub(2)).into_iter().enumerate();
    let fold = |(n, part): (usize, Line)| {
        let mut whole = vec![if n == 0 { first.clone() } else { Span::new(Label::Plain, "  ") }];
        whole.extend(part);
        whole
    };
    parts.map(fold).collect()
}

/// The lines; those of the undo follow those of the step.
pub fn lines(view: &View<'_>, width: usize) -> Vec<Line> {
    let Some(step) = view.step else { return Vec::new() };
    let mut facts = said::diff(&step.before, &step.after);
    if let Some(undo) = step.undo.as_ref().filter(|u| !u.before.is_empty() || !u.after.is_empty()) {
        facts.push(view.dim("stepper_undo_evidence"));
        facts.extend(said::diff(&undo.before, &undo.after));
    }
    if facts.is_empty() {
        let message = match step.state {
            State::Ahead | State::About | State::Undoing => "stepper_evidence_ahead",
            _ => "stepper_evidence_none",
        };
        return wrap(&view.dim(message), width);
    }
    facts.iter().flat_map(|line| folded(line, width)).collect()
}
