//! A sequence diagram, <https://mermaid.js.org/syntax/sequenceDiagram.html>:
//! who asks the kernel for what, and what it answers.

use std::fmt::Write as _;

use super::words;
use crate::kernel::KernelName;
use crate::narrate::{Known, Lang, Narrator, plain};
use crate::plan::{Actor, Phase};
use crate::render::group::{group_from, same_group};
use crate::trace::Event;
use crate::trace::story::{Item, Lived, Story, Told};

/// Characters of a message: longer ones make the diagram unreadable.
const LONGEST: usize = 90;

pub(super) fn diagram(events: &[Event], lang: Lang) -> String {
    let story = Story::of(events);
    let mut diagram =
        Diagram { narrator: Narrator::new(lang), text: String::from("sequenceDiagram\n"), chapter: None };
    diagram.participants(&story);
    let mut items = &story.items[..];
    while let Some((item, rest)) = items.split_first() {
        items = rest;
        match item {
            Item::Planned(_) => {}
            Item::Life(lived) => diagram.life(lived),
            Item::Step(told) => {
                let group = alike(told, rest);
                if group > 0 {
                    items = &rest[group..];
                    let more: Vec<&Told> = rest[..group].iter().filter_map(step).collect();
                    diagram.group(told, &more);
                } else {
                    diagram.step(told);
                }
            }
        }
    }
    diagram.end(&story);
    diagram.text
}

fn step(item: &Item) -> Option<&Told> {
    match item {
        Item::Step(told) => Some(told),
        _ => None,
    }
}

/// How many of the items that follow are told together with this step.
fn alike(first: &Told, rest: &[Item]) -> usize {
    let Some(least) = group_from(&first.step.op) else { return 0 };
    let joins = |item: &&Item| {
        step(item).is_some_and(|t| {
            t.undoing == first.undoing && t.failure().is_none() && same_group(&t.step, &first.step)
        })
    };
    let count = rest.iter().take_while(joins).count();
    if first.failure().is_none() && count + 1 >= least { count } else { 0 }
}

struct Diagram {
    narrator: Narrator,
    text: String,
    /// The chapter, and whether it is of the rollback.
    chapter: Option<(Phase, bool)>,
}

impl Diagram {
    fn participants(&mut self, story: &Story) {
        let other = story.steps().map(|s| s.step.actor).find(|a| *a != Actor::Runtime);
        let kernel = match story.begin.as_ref().map(|b| b.kernel) {
            Some(KernelName::Model) => "sequence_model",
            _ => "sequence_kernel",
        };
        let mut names = vec![("G", "glassbox".to_owned()), ("K", self.narrator.word(kernel))];
        if let Some(actor) = other {
            names.push(("I", plain(&self.narrator.actor(actor))));
        }
        for (id, name) in names {
            let _ = writeln!(self.text, "    participant {id} as {}", escaped(&name));
        }
        let _ = writeln!(self.text, "    Note over G: {}", escaped(&short(&words::command(story))));
    }

    fn chapter(&mut self, told: &Told) {
        let chapter = (told.step.phase, told.undoing);
        if self.chapter == Some(chapter) {
            return;
        }
        let rolls_back = told.undoing && !self.chapter.is_some_and(|(_, undoing)| undoing);
        self.chapter = Some(chapter);
        let title = match told.undoing {
            true if !rolls_back => return,
            true => plain(&self.narrator.say("story_rollback", &[])),
            false => plain(&self.narrator.phase_title(told.step.phase)),
        };
        let _ = writeln!(self.text, "    Note over G,K: {}", escaped(&title));
    }

    fn step(&mut self, told: &Told) {
        self.chapter(told);
        let title = words::brief(&words::title(told, &self.narrator));
        self.exchange(told, &title, &words::call_names(told));
        told.life.iter().for_each(|l| self.life(l));
    }

    fn group(&mut self, first: &Told, more: &[&Told]) {
        self.chapter(first);
        let title = words::brief(&self.narrator.group(&first.step.op, Known { slots: &first.slots }));
        let answer = format!("{} ×{}", words::call_names(first), more.len() + 1);
        self.exchange(first, &title, &answer);
    }

    fn exchange(&mut self, told: &Told, title: &str, answer: &str) {
        let who = if told.step.actor != Actor::Runtime { "I" } else { "G" };
        let _ = writeln!(self.text, "    {who}->>K: {}", escaped(&short(title)));
        if let Some(failure) = told.failure() {
            let _ = writeln!(self.text, "    K--x{who}: {}", escaped(&short(&failure.to_string())));
        } else if !answer.is_empty() {
            let _ = writeln!(self.text, "    K-->>{who}: {}", escaped(&short(answer)));
        }
    }

    fn life(&mut self, lived: &Lived) {
        let who = if self.text.contains("participant I ") { "I" } else { "G" };
        let words = words::brief(&self.narrator.life(&lived.life));
        let _ = writeln!(self.text, "    Note over {who}: {}", escaped(&short(&words)));
    }

    fn end(&mut self, story: &Story) {
        let Some(status) = story.status else { return };
        let line = self.narrator.say("story_end_action", &[("status", status.to_string().into())]);
        let _ = writeln!(self.text, "    Note over G: {}", escaped(&plain(&line)));
    }
}

fn short(text: &str) -> String {
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    text.chars().take(LONGEST - 1).chain(['…']).collect()
}

/// Everything that could mean something to the parser or to a browser becomes
/// an entity, which is written `#35;` there.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let harmless = c.is_alphanumeric() || " .,:/_-+=()'*×…".contains(c) || (c as u32) > 0x2000;
        if harmless {
            out.push(c);
        } else {
            let _ = write!(out, "#{};", c as u32);
        }
    }
    out
}
