//! A report in Markdown (CommonMark), to hand out: the story with its reasons,
//! the calls, the evidence, and how to do each step by hand.

use std::fmt::Write as _;

use super::words;
use crate::kernel::KernelName;
use crate::narrate::{Known, Label, Lang, Line, Narrator, man, plain};
use crate::plan::Phase;
use crate::render::lines;
use crate::trace::Event;
use crate::trace::story::{Item, Story, Told};

pub(super) fn report(events: &[Event], lang: Lang) -> String {
    let story = Story::of(events);
    let mut report = Report { narrator: Narrator::new(lang), text: String::new(), chapter: None };
    report.head(&story);
    for item in &story.items {
        match item {
            Item::Planned(plan) => {
                let line = report.narrator.say("story_planned", &[("count", plan.steps.len().into())]);
                report.paragraph(&line);
            }
            Item::Life(lived) => {
                let line = report.narrator.life(&lived.life);
                report.item("label_life", &line);
            }
            Item::Step(told) => report.step(told),
        }
    }
    report.end(&story);
    report.text
}

struct Report {
    narrator: Narrator,
    text: String,
    chapter: Option<(Phase, bool)>,
}

impl Report {
    fn head(&mut self, story: &Story) {
        let _ = write!(self.text, "# {}\n\n", code(&words::command(story)));
        let Some(begin) = &story.begin else { return };
        let line = match begin.kernel {
            KernelName::Model => self.narrator.say("story_model", &[]),
            KernelName::Linux => {
                self.narrator.say("story_linux", &[("release", begin.release.text().into())])
            }
        };
        self.paragraph(&line);
    }

    fn end(&mut self, story: &Story) {
        if let Some(status) = story.status {
            let line = self.narrator.say("story_end_action", &[("status", status.to_string().into())]);
            self.text.push_str("\n---\n\n");
            self.paragraph(&line);
        }
    }

    fn chapter(&mut self, told: &Told) {
        let chapter = (if told.undoing { Phase::Exit } else { told.step.phase }, told.undoing);
        if self.chapter == Some(chapter) {
            return;
        }
        self.chapter = Some(chapter);
        if told.undoing {
            let line = self.narrator.say("story_rollback", &[]);
            let _ = write!(self.text, "\n## {}\n\n", inline(&line));
            return;
        }
        let title = self.narrator.phase_title(told.step.phase);
        let _ = write!(self.text, "\n## {}\n\n", inline(&title));
        self.paragraph(&self.narrator.phase_text(told.step.phase));
    }

    fn step(&mut self, told: &Told) {
        self.chapter(told);
        let known = Known { slots: &told.slots };
        let title = words::title(told, &self.narrator);
        let _ = write!(self.text, "\n### {}\n\n", inline(&title));
        let actor = plain(&self.narrator.actor(told.step.actor));
        let _ = write!(self.text, "{} · {}\n\n", code(&told.step.id.0), escaped(&actor));
        if !told.undoing {
            self.item("label_why", &self.narrator.why(&told.step.op, known));
        }
        let calls = told.calls.iter().map(|c| lines::call(c, false, &self.narrator)).collect();
        self.block("label_call", calls);
        self.block("label_seen", lines::diff(&told.before, &told.after));
        for lived in &told.life {
            self.item("label_life", &self.narrator.life(&lived.life));
        }
        let ended = if told.failure().is_some() { "label_failed" } else { "label_done" };
        if let Some(outcome) = words::outcome(told, &self.narrator) {
            self.item(ended, &outcome);
        }
        if let Some(hint) = told.failure().and_then(|f| f.hint.as_ref()) {
            let _ = writeln!(self.text, "- **{}** {}", self.margin("label_hint"), escaped(hint));
        }
        if !told.undoing {
            let hand = self.narrator.by_hand(&told.step.op, known);
            self.fenced("label_hand", "sh", &hand.commands);
            if let Some(note) = &hand.note {
                self.paragraph(note);
            }
            let pages = man(&told.step.op).join(", ");
            let _ = writeln!(self.text, "- **{}** {}", self.margin("label_man"), escaped(&pages));
        }
    }

    fn margin(&self, message: &str) -> String {
        escaped(&self.narrator.word(message))
    }

    fn paragraph(&mut self, line: &Line) {
        let _ = write!(self.text, "{}\n\n", inline(line));
    }

    fn item(&mut self, margin: &str, line: &Line) {
        let margin = self.margin(margin);
        let _ = writeln!(self.text, "- **{margin}** {}", inline(line));
    }

    fn block(&mut self, margin: &str, lines: Vec<Line>) {
        let lines: Vec<String> = lines.iter().map(|l| plain(l)).collect();
        self.fenced(margin, "text", &lines);
    }

    fn fenced(&mut self, margin: &str, language: &str, lines: &[String]) {
        if lines.is_empty() {
            return;
        }
        let fence = "`".repeat(longest_ticks(&lines.join("\n")).max(2) + 1);
        let margin = self.margin(margin);
        let _ = writeln!(self.text, "- **{margin}**\n\n  {fence}{language}");
        for line in lines.iter().flat_map(|l| l.lines()) {
            let _ = writeln!(self.text, "  {line}");
        }
        let _ = write!(self.text, "  {fence}\n\n");
    }
}

fn inline(line: &Line) -> String {
    let span = |span: &crate::narrate::Span| match span.label {
        Label::Value | Label::Code | Label::Call => code(&span.text),
        _ => escaped(&span.text),
    };
    line.iter().map(span).collect()
}

/// A code span: nothing in it means anything, but for the end of it.
fn code(text: &str) -> String {
    if text.trim().is_empty() {
        return text.to_owned();
    }
    let fence = "`".repeat(longest_ticks(text) + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

fn longest_ticks(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

/// Text that is only text: all of ASCII's punctuation may be escaped.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if "\\`*_{}[]<>#|&~!".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}
