//! What several formats say of a step in the same words.

use crate::narrate::{Known, Line, Narrator, brief_ids, plain, printable};
use crate::render::current::telling_calls;
use crate::trace::story::{Outcome, Story, Told};

/// What the step is, as a heading.
pub fn title(told: &Told, narrator: &Narrator) -> Line {
    let known = Known { slots: &told.slots };
    if told.undoing {
        let op = crate::plan::Op::Undo { of: Box::new(told.step.op.clone()), step: told.step.id.clone() };
        return narrator.title(&op, known);
    }
    narrator.title(&told.step.op, known)
}

/// What has happened; only what the recording says.
pub fn outcome(told: &Told, narrator: &Narrator) -> Option<Line> {
    let slots = told.known();
    let known = Known { slots: &slots };
    let say = |message, failure: &crate::kernel::Failure| {
        let args = [("what", failure.to_string().into()), ("step", told.step.id.0.clone().into())];
        narrator.say(message, &args)
    };
    Some(match told.outcome.as_ref()? {
        Outcome::Done { unchanged, .. } => narrator.did(&told.step.op, known, *unchanged),
        Outcome::Failed(failure) => say("story_failed_step", failure),
        Outcome::NotUndone(failure) => say("story_not_undone", failure),
        Outcome::Undone => narrator.undone(&told.step.op, known),
        Outcome::Kept => narrator.kept(&told.step.op, known),
    })
}

/// The names of the calls that tell: `fsopen, fsconfig ×3, fsmount`.
pub fn call_names(told: &Told) -> String {
    let mut names: Vec<(&str, usize)> = Vec::new();
    for call in telling_calls(&told.calls, told.failure().is_some()) {
        match names.last_mut() {
            Some((name, count)) if *name == call.name => *count += 1,
            _ => names.push((&call.name, 1)),
        }
    }
    let shown = names.iter().map(|(name, count)| match count {
        1 => (*name).to_owned(),
        _ => format!("{name} ×{count}"),
    });
    shown.collect::<Vec<_>>().join(", ")
}

/// The command line of the recording: what was wanted, in one line.
pub fn command(story: &Story) -> String {
    let words = story.begin.iter().flat_map(|b| b.wanted()).map(crate::narrate::quote);
    printable(&std::iter::once("glassbox".to_owned()).chain(words).collect::<Vec<_>>().join(" "))
}

/// A line as people read it: without labels, with short ids.
pub fn brief(line: &Line) -> String {
    brief_ids(&plain(line))
}
