//! The system calls of the step, in order, with their results.

use super::View;
use crate::narrate::{Label, Line, Span};
use crate::render::layout::wrap;
use crate::render::lines as said;
use crate::render::picture::State;
use crate::trace::Call;

/// The lines; those of the undo follow those of the step.
pub fn lines(view: &View<'_>, width: usize) -> Vec<Line> {
    let Some(step) = view.step else { return Vec::new() };
    let told = |call: &Call| {
        let mut line = vec![Span::new(Label::Dim, if call.changes { "* " } else { "  " })];
        line.extend(said::call(call, true, view.narrator));
        wrap(&line, width.saturating_sub(4)).into_iter().enumerate().map(|(n, part)| {
            let mut whole = if n == 0 { Vec::new() } else { vec![Span::new(Label::Plain, "    ")] };
            whole.extend(part);
            whole
        })
    };
    let mut out: Vec<Line> = step.calls.iter().flat_map(told).collect();
    let undo = step.undo.as_ref().map_or(&[][..], |u| &u.calls);
    if !undo.is_empty() {
        out.push(view.dim("stepper_undo_calls"));
        out.extend(undo.iter().flat_map(told));
    }
    if out.is_empty() {
        let message = match step.state {
            State::Ahead | State::About | State::Undoing => "stepper_calls_ahead",
            _ => "stepper_calls_none",
        };
        out.extend(wrap(&view.dim(message), width));
    }
    out
}
