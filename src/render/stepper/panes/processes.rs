//! The process tree, with the pids outside and inside side by side.

use super::View;
use crate::narrate::{Label, Line, Span};
use crate::render::layout::{text_width, wrap};
use crate::render::picture::{Process, ProcessState};

/// Columns of a pid.
const PID: usize = 8;

/// The lines.
pub fn lines(view: &View<'_>, width: usize) -> Vec<Line> {
    let processes = &view.picture.processes;
    let Some(init) = processes.init() else { return wrap(&view.dim("stepper_processes_none"), width) };
    let column = |text: &str| format!("{text}{}", " ".repeat(PID.saturating_sub(text_width(text))));
    let outside = column(&view.narrator.word("stepper_outside"));
    let inside = column(&view.narrator.word("stepper_inside"));
    let mut out = vec![vec![Span::new(Label::Dim, format!("{outside}{inside}"))]];
    let blank = " ".repeat(PID * 2);
    out.push(vec![Span::new(Label::Dim, blank), Span::new(Label::Plain, "glassbox")]);
    branch(view, init, 1, &mut out, width);
    // Whose parent is no process of the container: those that init adopted and that
    // entered from outside.
    for other in processes.all.iter().skip(1).filter(|p| !p.state.over()) {
        let known = other.parent.as_ref().is_some_and(|p| processes.all.iter().any(|q| q.outside == *p));
        if !known {
            branch(view, other, 1, &mut out, width);
        }
    }
    let ended = processes.all.iter().skip(1).filter(|p| p.state.over()).count();
    if ended > 0 {
        out.extend(wrap(&view.narrator.say("stepper_processes_ended", &[("count", ended.into())]), width));
    }
    out
}

fn branch(view: &View<'_>, process: &Process, depth: usize, out: &mut Vec<Line>, width: usize) {
    // A tree that names a process as its own ancestor ends here.
    if depth > 32 {
        return;
    }
    out.push(line(view, process, depth, width));
    let children: Vec<&Process> = view.picture.processes.children(process).collect();
    for child in children.into_iter().filter(|c| c.outside != process.outside) {
        branch(view, child, depth + 1, out, width);
    }
}

fn line(view: &View<'_>, process: &Process, depth: usize, width: usize) -> Line {
    let say = |message: &str| view.narrator.word(message);
    let state = match &process.state {
        ProcessState::Preparing => say("stepper_preparing"),
        ProcessState::Running => say("stepper_running"),
        ProcessState::Zombie => say("stepper_zombie"),
        ProcessState::Exited(code) => {
            let args = [("code", code.to_string().into())];
            crate::narrate::plain(&view.narrator.say("stepper_exited", &args))
        }
        ProcessState::Killed(signal) => {
            let args = [("signal", signal.clone().into())];
            crate::narrate::plain(&view.narrator.say("stepper_killed", &args))
        }
        ProcessState::Ended => say("stepper_ended"),
    };
    let pid = |text: String| format!("{text}{}", " ".repeat(PID.saturating_sub(text_width(&text))));
    let outside = pid(process.outside.text());
    let inside = pid(process.inside.as_ref().map_or_else(|| "-".to_owned(), |p| p.text()));
    let tree = format!("{}└ ", "  ".repeat(depth - 1));
    let room = width.saturating_sub(PID * 2 + text_width(&tree) + text_width(&state) + 2).max(6);
    vec![
        Span::new(Label::Value, outside),
        Span::new(Label::Value, inside),
        Span::new(Label::Dim, tree),
        Span::new(Label::Plain, super::plan::cut(&process.program, room)),
        Span::new(Label::Dim, format!("  {state}")),
    ]
}
