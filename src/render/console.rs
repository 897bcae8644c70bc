//! The console: tells a run as a story while it happens, or a recording of it.
//!
//! What is said of a step before its `Done` event is in the future tense or a
//! heading; short repeated steps are held back until they have happened.

use std::collections::HashSet;
use std::io::{self, Write};

use super::current::{Current, telling_calls};
use super::group::{group_from, member, same_group};
use super::layout::{Row, layout};
use super::paint::Paint;
use super::{lines, step};
use crate::kernel::{Failure, KernelName, Slots};
use crate::narrate::{Known, Label, Lang, Line, Narrator, Span, plain, quote};
use crate::plan::{Actor, Op, Phase, Plan, Step, StepId};
use crate::trace::{Body, Call, Event, EventSink, Life, Value, When};

/// How much is told. Each level includes the ones before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// What and why, the calls that changed something, the most telling evidence.
    #[default]
    Story,
    /// Every call with its arguments by name, its result and its time.
    Syscalls,
    /// Also evidence before and after, the command by hand, the man page.
    Full,
}

/// How the story is told.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How much.
    pub level: Level,
    /// In which language.
    pub lang: Lang,
    /// Columns of the screen.
    pub width: usize,
    /// With colour.
    pub colour: bool,
    /// The terminal is raw (the container's terminal is on it): `\r\n`.
    pub raw: bool,
    /// At [`Level::Story`], many alike steps are told as one, after the last.
    /// Off where each step is waited for.
    pub group: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options { level: Level::Story, lang: Lang::En, width: 80, colour: false, raw: false, group: true }
    }
}

/// Calls of one step that the story shows.
const CALLS: usize = 6;
/// Facts of one step that the story shows.
const FACTS: usize = 3;
/// Changes of the container that the story shows.
const CHANGES: usize = 12;

/// Renders events as they come.
#[derive(Debug)]
pub struct Console<W: Write> {
    out: W,
    options: Options,
    narrator: Narrator,
    slots: Slots,
    /// The phases of the plan, in the order of their first step.
    phases: Vec<Phase>,
    /// Those that have been introduced.
    told: Vec<Phase>,
    phase: Option<Phase>,
    current: Option<Current>,
    held: Vec<Current>,
    /// Reasons that have been given: once is enough, except at full length.
    reasons: HashSet<String>,
    rolling_back: bool,
    /// The plan has a command to run.
    runs: bool,
    /// The container's command was started.
    started: bool,
    /// Steps for which there was nothing to take back.
    quiet: usize,
}

impl<W: Write> Console<W> {
    /// A console that writes to `out`.
    pub fn new(out: W, options: Options) -> Self {
        Console {
            out,
            options,
            narrator: Narrator::new(options.lang),
            slots: Slots::new(),
            phases: Vec::new(),
            told: Vec::new(),
            phase: None,
            current: None,
            held: Vec::new(),
            reasons: HashSet::new(),
            rolling_back: false,
            runs: true,
            started: false,
            quiet: 0,
        }
    }

    /// The terminal has become raw, or is no longer.
    pub fn set_raw(&mut self, raw: bool) {
        self.options.raw = raw;
    }

    /// Gives the writer back.
    pub fn into_inner(self) -> W {
        self.out
    }

    fn print(&mut self, rows: &[Row]) -> io::Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let paint = Paint { colour: self.options.colour, raw: self.options.raw };
        // One write for all, so that lines of the container do not come between.
        self.out.write_all(paint.text(&layout(rows, self.options.width)).as_bytes())?;
        self.out.flush()
    }

    fn noted(&self, margin: &str, line: Line) -> Row {
        Row::Noted { margin: self.narrator.word(margin), line }
    }

    fn begin(&mut self, kernel: KernelName, release: &Value, command: &[String]) -> Vec<Row> {
        let first = match kernel {
            KernelName::Model => self.narrator.say("story_model", &[]),
            KernelName::Linux => self.narrator.say("story_linux", &[("release", release.text().into())]),
        };
        let words: Vec<_> = command.iter().map(|w| quote(w)).collect();
        let line = vec![
            Span::new(Label::Dim, "$ "),
            Span::new(Label::Code, format!("glassbox {}", words.join(" "))),
        ];
        vec![Row::Flush(first), Row::Flush(line)]
    }

    fn chapter(&mut self, phase: Phase) -> Vec<Row> {
        if self.phase == Some(phase) {
            return vec![];
        }
        self.phase = Some(phase);
        let number = self.phases.iter().position(|p| *p == phase).map_or(0, |at| at + 1);
        let args = [("number", number.into()), ("total", self.phases.len().into())];
        let number = plain(&self.narrator.say("story_chapter", &args));
        let title = plain(&self.narrator.phase_title(phase));
        let heading = vec![
            Span::new(Label::Dim, format!("{number} ")),
            Span::new(Label::Heading, format!("{phase} · {title}")),
        ];
        let mut rows = vec![Row::Blank, Row::Heading(heading)];
        if !self.told.contains(&phase) {
            self.told.push(phase);
            rows.push(Row::Flush(self.narrator.phase_text(phase)));
        }
        rows
    }

    /// The heading of a step, with all that can be said before it is done.
    fn head(&mut self, current: &Current) -> Vec<Row> {
        let known = Known { slots: &self.slots };
        let op = &current.step.op;
        let mut left = vec![Span::new(Label::Dim, "> ")];
        left.extend(titled(self.narrator.title(op, known)));
        let mut rows =
            vec![Row::Blank, Row::Title { left, right: step::orientation(&current.step, &self.narrator) }];
        if self.options.level == Level::Full {
            rows.push(self.noted("label_about", self.narrator.about(op, known)));
            rows.extend(step::why_rows(&current.step, &self.slots, &self.narrator));
        } else if !matches!(op, Op::Undo { .. }) {
            let why = self.narrator.why(op, known);
            if self.reasons.insert(plain(&why)) {
                rows.push(self.noted("label_why", why));
            }
            rows.extend(step::isolated(op, &self.narrator));
        }
        rows
    }

    fn about(&mut self, step: Step) -> Vec<Row> {
        let mut rows = vec![];
        if self.held.last().is_some_and(|h| !same_group(&h.step, &step)) {
            rows = self.release();
        }
        let mut current = Current::new(step);
        let group = self.options.group && self.options.level == Level::Story;
        if group && group_from(&current.step.op).is_some() {
            self.current = Some(current);
            return rows;
        }
        rows.extend(self.chapter(current.step.phase));
        rows.extend(self.head(&current));
        current.headed = true;
        self.current = Some(current);
        rows
    }

    fn call(&mut self, call: &Call) -> Vec<Row> {
        let streamed = self.options.level > Level::Story;
        let Some(current) = &mut self.current else { return vec![] };
        current.calls.push(call.clone());
        if !streamed {
            return vec![];
        }
        let margin = if current.calls.len() == 1 { self.narrator.word("label_call") } else { String::new() };
        vec![Row::Noted { margin, line: lines::call(call, true, &self.narrator) }]
    }

    /// The calls of the story: those that changed something, and in a failed
    /// step those that failed.
    fn brief_calls(&self, calls: &[Call], at_most: usize, failed: bool) -> Vec<Row> {
        let telling = telling_calls(calls, failed);
        let telling = if telling.is_empty() { calls.iter().collect() } else { telling };
        // What leads up to a step comes first and what decides it comes last.
        let (first, last) = match telling.len() > at_most {
            true => (at_most.div_ceil(2), at_most / 2),
            false => (telling.len(), 0),
        };
        let mut margin = self.narrator.word("label_call");
        // Beside the result the closing parenthesis stays, too.
        let mut row = |call: &&Call| Row::Brief {
            margin: std::mem::take(&mut margin),
            line: lines::call(call, false, &self.narrator),
            keep: 2,
        };
        let mut rows: Vec<Row> = telling[..first].iter().map(&mut row).collect();
        rows.extend(self.more("story_more_calls", calls.len(), first + last));
        rows.extend(telling[telling.len() - last..].iter().map(&mut row));
        rows
    }

    fn more(&self, message: &str, all: usize, shown: usize) -> Option<Row> {
        let rest = all - shown;
        (rest > 0).then(|| {
            let line = self.narrator.say(message, &[("count", rest.into())]);
            let line = line.into_iter().map(|s| Span { label: Label::Dim, ..s }).collect();
            Row::Noted { margin: String::new(), line }
        })
    }

    fn evidence(&self, current: &Current) -> Vec<Row> {
        let mut rows = Vec::new();
        let margin = |n: usize| if n == 0 { self.narrator.word("label_seen") } else { String::new() };
        if self.options.level == Level::Full {
            for (n, line) in lines::diff(&current.before, &current.after).into_iter().enumerate() {
                rows.push(Row::Noted { margin: margin(n), line });
            }
            return rows;
        }
        let (facts, all) = current.telling_facts();
        // The changes are what the run was for.
        let most = if matches!(current.step.op, Op::ReadChanges { .. }) { CHANGES } else { FACTS };
        for (n, fact) in facts.iter().take(most).enumerate() {
            rows.push(Row::Brief { margin: margin(n), line: lines::fact(fact, false), keep: 1 });
        }
        rows.extend(self.more("story_more_facts", all, facts.len().min(most)));
        rows
    }

    fn finish(&mut self, micros: u64, unchanged: bool) -> Vec<Row> {
        let Some(mut current) = self.current.take() else { return vec![] };
        current.micros = micros;
        current.unchanged = unchanged;
        self.started |= matches!(current.step.op, Op::Exec { .. });
        if !current.headed {
            self.held.push(current);
            return vec![];
        }
        self.tell(&current)
    }

    /// All that is said of a step when it is done.
    fn tell(&self, current: &Current) -> Vec<Row> {
        let mut rows = Vec::new();
        if self.options.level == Level::Story {
            rows.extend(self.brief_calls(&current.calls, CALLS, false));
            rows.extend(current.counted(&self.narrator));
        }
        rows.extend(current.life.iter().cloned());
        rows.extend(self.evidence(current));
        let counted = current.unpacked(&self.narrator);
        rows.extend(counted.map(|line| Row::Noted { margin: String::new(), line }));
        let known = Known { slots: &self.slots };
        let mut did = self.narrator.did(&current.step.op, known, current.unchanged);
        did.extend(self.took(current.micros));
        rows.push(self.noted("label_done", did));
        rows
    }

    fn took(&self, micros: u64) -> Option<Span> {
        (micros > 0).then(|| Span::new(Label::Dim, format!(" ({})", lines::time(micros, &self.narrator))))
    }

    /// Tells the steps that were held back: few of them one by one, many as one.
    fn release(&mut self) -> Vec<Row> {
        let held = std::mem::take(&mut self.held);
        let Some(first) = held.first() else { return vec![] };
        let mut rows = self.chapter(first.step.phase);
        if group_from(&first.step.op).is_none_or(|n| held.len() < n) {
            for current in &held {
                rows.extend(self.head(current));
                rows.extend(self.tell(current));
            }
            return rows;
        }
        let known = Known { slots: &self.slots };
        let mut left = vec![Span::new(Label::Dim, "> ")];
        left.extend(titled(self.narrator.group(&first.step.op, known)));
        rows.push(Row::Blank);
        rows.push(Row::Title { left, right: span_of_ids(&held) });
        let why = self.narrator.why(&first.step.op, known);
        if self.reasons.insert(plain(&why)) {
            rows.push(self.noted("label_why", why));
        }
        let mut calls: Vec<Call> = held.iter().flat_map(|c| c.calls.iter().cloned()).collect();
        // One call stands for all: one that worked, if any did.
        calls.sort_by_key(|c| c.errno.is_some());
        rows.extend(self.brief_calls(&calls, 1, false));
        let mut margin = self.narrator.word("label_done");
        for (message, unchanged) in [("story_group", false), ("story_group_found", true)] {
            let some: Vec<_> = held.iter().filter(|c| c.unchanged == unchanged).collect();
            if some.is_empty() {
                continue;
            }
            let names: Vec<_> = some.iter().map(|c| member(&c.step.op)).collect();
            let names = names.join(&self.narrator.separator());
            let args = [("count", some.len().into()), ("total", held.len().into()), ("names", names.into())];
            let mut line = self.narrator.say(message, &args);
            line.extend(self.took(some.iter().map(|c| c.micros).sum()));
            rows.push(Row::Noted { margin: std::mem::take(&mut margin), line });
        }
        rows
    }

    fn failed(&mut self, step: &StepId, failure: &Failure) -> Vec<Row> {
        let mut rows = self.release();
        if let Some(current) = self.current.take() {
            if !current.headed {
                rows.extend(self.chapter(current.step.phase));
                rows.extend(self.head(&current));
            }
            if self.options.level == Level::Story {
                rows.extend(self.brief_calls(&current.calls, CALLS, true));
            }
            rows.extend(current.life.iter().cloned());
            rows.extend(self.evidence(&current));
        }
        rows.extend(self.failure("label_failed", "story_failed_step", step, failure));
        rows
    }

    fn failure(&self, margin: &str, message: &str, step: &StepId, failure: &Failure) -> Vec<Row> {
        let args = [("what", failure.to_string().into()), ("step", step.0.clone().into())];
        let bad = |line: Line| line.into_iter().map(|s| Span { label: Label::Bad, ..s }).collect();
        let mut rows = vec![self.noted(margin, bad(self.narrator.say(message, &args)))];
        if let Some(hint) = &failure.hint {
            rows.push(self.noted("label_hint", vec![Span::new(Label::Plain, hint)]));
        }
        rows
    }

    fn planned(&mut self, plan: &Plan) {
        for step in &plan.steps {
            if !self.phases.contains(&step.phase) {
                self.phases.push(step.phase);
            }
        }
        self.runs |= plan.steps.iter().any(|s| matches!(s.op, Op::Exec { .. }));
    }

    fn undoing(&mut self, step: &StepId, op: &Op) -> Vec<Row> {
        let mut rows = self.release();
        if !self.rolling_back {
            self.rolling_back = true;
            self.phase = None;
            let line = self.narrator.say("story_rollback", &[]);
            rows.extend([Row::Blank, Row::Heading(titled(line)), Row::Blank]);
        }
        let step = Step { id: step.clone(), phase: Phase::Exit, actor: Actor::Runtime, op: op.clone() };
        let current = Current::new(step);
        if self.options.level > Level::Story {
            let known = Known { slots: &self.slots };
            rows.push(self.noted("label_about", self.narrator.undoing(op, known)));
        }
        self.current = Some(current);
        rows
    }

    fn undone(&mut self, step: &StepId, failure: Option<&Failure>, kept: bool) -> Vec<Row> {
        let Some(current) = self.current.take() else { return vec![] };
        if self.options.level == Level::Story && current.calls.is_empty() && failure.is_none() && !kept {
            self.quiet += 1;
            return vec![];
        }
        let mut rows = Vec::new();
        if self.options.level == Level::Story {
            let changed: Vec<_> = current.calls.iter().filter(|c| c.changes).cloned().collect();
            rows.extend(self.brief_calls(&changed, CALLS, true));
        }
        rows.extend(self.evidence(&current));
        match failure {
            Some(failure) => rows.extend(self.failure("label_undoing", "story_not_undone", step, failure)),
            None => {
                let known = Known { slots: &self.slots };
                let op = &current.step.op;
                let mut line =
                    if kept { self.narrator.kept(op, known) } else { self.narrator.undone(op, known) };
                line.push(Span::new(Label::Dim, format!("  {step}")));
                rows.push(self.noted("label_undoing", line));
            }
        }
        rows
    }
}

impl<W: Write> EventSink for Console<W> {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        let rows = match &event.body {
            Body::Begin { kernel, release, command, plan, .. } => {
                self.runs = false;
                self.planned(plan);
                self.begin(*kernel, release, command)
            }
            Body::Planned { plan, .. } => {
                self.planned(plan);
                let mut rows = self.release();
                let line = self.narrator.say("story_planned", &[("count", plan.steps.len().into())]);
                rows.extend([Row::Blank, Row::Flush(line)]);
                rows
            }
            Body::About { step, phase, actor, op } => {
                self.about(Step { id: step.clone(), phase: *phase, actor: *actor, op: op.clone() })
            }
            Body::Call { call, .. } => self.call(call),
            Body::Observed { when, facts, .. } => {
                if let Some(current) = &mut self.current {
                    match when {
                        When::Before => current.before.extend(facts.iter().cloned()),
                        When::After => current.after.extend(facts.iter().cloned()),
                    }
                }
                vec![]
            }
            Body::Done { micros, unchanged, filled, .. } => {
                self.slots.extend(filled.iter().map(|(s, v)| (*s, v.clone())));
                self.finish(*micros, *unchanged)
            }
            Body::Failed { step, failure } => self.failed(step, failure),
            Body::Undoing { step, op } => self.undoing(step, op),
            Body::Undone { step, failure, kept } => self.undone(step, failure.as_ref(), *kept),
            Body::Life { life } => {
                let row = self.noted("label_life", self.narrator.life(life));
                self.started |= matches!(life, Life::Started { .. });
                match (life, &mut self.current) {
                    // The calls that led to it are told first.
                    (Life::Started { .. } | Life::Exited { .. } | Life::LayerSummary(_), Some(current))
                        if current.headed =>
                    {
                        current.life.push(row);
                        vec![]
                    }
                    _ => {
                        let mut rows = self.release();
                        rows.push(row);
                        rows
                    }
                }
            }
            Body::End { status } => {
                let mut rows = self.release();
                if self.quiet > 0 {
                    let line = self.narrator.say("story_quiet", &[("count", self.quiet.into())]);
                    rows.push(Row::Noted { margin: String::new(), line });
                }
                let end = match (self.runs, self.started) {
                    (false, _) => "story_end_action",
                    (true, true) => "story_end",
                    (true, false) => "story_end_unstarted",
                };
                let line = self.narrator.say(end, &[("status", status.to_string().into())]);
                rows.extend([Row::Blank, Row::Flush(line)]);
                rows
            }
        };
        self.print(&rows)
    }
}

fn span_of_ids(held: &[Current]) -> Line {
    match (held.first(), held.last()) {
        (Some(first), Some(last)) => {
            vec![Span::new(Label::Dim, format!("{} … {}", first.step.id, last.step.id))]
        }
        _ => vec![],
    }
}

fn titled(line: Line) -> Line {
    line.into_iter().map(|s| Span { label: Label::Title, ..s }).collect()
}

#[cfg(test)]
#[path = "console_tests.rs"]
mod tests;
