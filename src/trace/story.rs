//! A recording as what it tells: its beginning, then steps, undoings and what
//! happened in the container, each whole. For whoever needs more than one
//! event at a time: comparing, and formats that are written at the end.

use std::collections::BTreeMap;

use super::{Body, Call, Event, Fact, Life, Value, When};
use crate::kernel::{Failure, KernelName, Slots};
use crate::plan::op::Slot;
use crate::plan::{Actor, Phase, Plan, Step, StepId};

/// A whole recording.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Story {
    /// What the first event says.
    pub begin: Option<Begin>,
    /// In the order in which it happened.
    pub items: Vec<Item>,
    /// The exit status; `None` when the recording has no end.
    pub status: Option<u8>,
    /// When the last event was, microseconds since the first.
    pub ended: u64,
}

/// The first event.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct Begin {
    pub program: String,
    pub kernel: KernelName,
    pub release: Value,
    pub command: Vec<String>,
    pub plan: Plan,
}

impl Begin {
    /// See [`wanted`].
    pub fn wanted(&self) -> Vec<&str> {
        wanted(&self.command)
    }
}

/// A command line without what says only where things are kept and how they are
/// told.
pub fn wanted(command: &[String]) -> Vec<&str> {
    const WITH_VALUE: [&str; 7] =
        ["--root", "--run-root", "--config", "--trace-file", "--trace-format", "--lang", "--color"];
    const ALONE: [&str; 2] = ["--trace", "--redact"];
    let mut words = Vec::new();
    let mut rest = command.iter().map(String::as_str);
    while let Some(word) = rest.next() {
        let flag = word.split_once('=').map_or(word, |(flag, _)| flag);
        if WITH_VALUE.contains(&word) {
            rest.next();
        } else if !WITH_VALUE.contains(&flag) && !ALONE.contains(&flag) {
            words.push(word);
        }
    }
    words
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// A second plan was made.
    Planned(Plan),
    /// A step was done, or taken back.
    Step(Box<Told>),
    /// Something happened in the container while no step was under way.
    Life(Lived),
}

/// Something that happened in the container.
#[derive(Clone, Debug, PartialEq)]
pub struct Lived {
    /// The number of the event.
    pub seq: u64,
    /// Microseconds since the first event.
    pub at: u64,
    /// What.
    pub life: Box<Life>,
}

/// A step with all that was told of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// What was to be done. Of a step that is taken back the recording says
    /// neither phase nor actor; they are those of the plan.
    pub step: Step,
    /// It was taken back, not done.
    pub undoing: bool,
    /// Number of its first and of its last event.
    pub events: (u64, u64),
    /// When they were, microseconds since the first event of the recording.
    pub times: (u64, u64),
    /// Evidence before.
    pub before: Vec<Fact>,
    /// System calls, in order.
    pub calls: Vec<Call>,
    /// Evidence after.
    pub after: Vec<Fact>,
    /// What happened in the container meanwhile.
    pub life: Vec<Lived>,
    /// How it ended; `None` when the recording does not say.
    pub outcome: Option<Outcome>,
    /// What earlier steps had filled in when it began.
    pub slots: Slots,
}

/// How a step ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It worked.
    Done {
        /// Microseconds, in the actor.
        micros: u64,
        /// The work had been done before.
        unchanged: bool,
        /// Values that it filled in.
        filled: BTreeMap<Slot, Value>,
    },
    /// It did not.
    Failed(Failure),
    /// It was taken back.
    Undone,
    /// It was to be taken back, and left as it is: it is whole and of use.
    Kept,
    /// It could not be taken back.
    NotUndone(Failure),
}

impl Told {
    fn new(step: Step, undoing: bool, event: &Event, slots: &Slots) -> Told {
        Told {
            step,
            undoing,
            events: (event.seq, event.seq),
            times: (event.at, event.at),
            before: vec![],
            calls: vec![],
            after: vec![],
            life: vec![],
            outcome: None,
            slots: slots.clone(),
        }
    }

    /// The failure, if it ended with one.
    pub fn failure(&self) -> Option<&Failure> {
        match &self.outcome {
            Some(Outcome::Failed(failure) | Outcome::NotUndone(failure)) => Some(failure),
            _ => None,
        }
    }

    /// The work had been done before.
    pub fn unchanged(&self) -> bool {
        matches!(self.outcome, Some(Outcome::Done { unchanged: true, .. }))
    }

    /// What is known after it: what was known before, and what it filled in.
    pub fn known(&self) -> Slots {
        let mut slots = self.slots.clone();
        if let Some(Outcome::Done { filled, .. }) = &self.outcome {
            slots.extend(filled.iter().map(|(s, v)| (*s, v.clone())));
        }
        slots
    }
}

impl Story {
    /// Gathers the events of a recording, also of the beginning of one.
    pub fn of(events: &[Event]) -> Story {
        let mut teller = Teller::default();
        events.iter().for_each(|e| teller.event(e));
        teller.finish()
    }

    /// The steps, done and taken back.
    pub fn steps(&self) -> impl Iterator<Item = &Told> {
        self.items.iter().filter_map(|item| match item {
            Item::Step(told) => Some(&**told),
            _ => None,
        })
    }

    /// The phases of all plans, in the order of their first step.
    pub fn phases(&self) -> Vec<Phase> {
        let mut phases = Vec::new();
        for step in self.plans().flat_map(|p| &p.steps) {
            if !phases.contains(&step.phase) {
                phases.push(step.phase);
            }
        }
        phases
    }

    fn plans(&self) -> impl Iterator<Item = &Plan> {
        let later = self.items.iter().filter_map(|item| match item {
            Item::Planned(plan) => Some(plan),
            _ => None,
        });
        self.begin.iter().map(|b| &b.plan).chain(later)
    }
}

#[derive(Default)]
struct Teller {
    story: Story,
    open: Option<Box<Told>>,
    slots: Slots,
    planned: BTreeMap<StepId, Step>,
}

impl Teller {
    fn event(&mut self, event: &Event) {
        self.story.ended = self.story.ended.max(event.at);
        match &event.body {
            Body::Begin { program, kernel, release, command, plan, .. } => {
                self.plan(plan);
                self.story.begin = Some(Begin {
                    program: program.clone(),
                    kernel: *kernel,
                    release: release.clone(),
                    command: command.clone(),
                    plan: plan.clone(),
                });
            }
            Body::Planned { plan, .. } => {
                self.plan(plan);
                self.story.items.push(Item::Planned(plan.clone()));
            }
            Body::About { step, phase, actor, op } => {
                let step = Step { id: step.clone(), phase: *phase, actor: *actor, op: op.clone() };
                self.begin(step, false, event);
            }
            Body::Undoing { step, op } => {
                let (phase, actor) =
                    self.planned.get(step).map_or((Phase::Exit, Actor::Runtime), |s| (s.phase, s.actor));
                self.begin(Step { id: step.clone(), phase, actor, op: op.clone() }, true, event);
            }
            Body::Call { call, .. } => {
                if let Some(open) = self.reach(event) {
                    open.calls.push(call.clone());
                }
            }
            Body::Observed { when, facts, .. } => {
                if let Some(open) = self.reach(event) {
                    match when {
                        When::Before => open.before.extend(facts.iter().cloned()),
                        When::After => open.after.extend(facts.iter().cloned()),
                    }
                }
            }
            Body::Done { micros, unchanged, filled, .. } => {
                self.slots.extend(filled.iter().map(|(s, v)| (*s, v.clone())));
                let filled = filled.clone();
                self.end(event, Outcome::Done { micros: *micros, unchanged: *unchanged, filled });
            }
            Body::Failed { step, failure } => {
                // An init that runs ahead fails in a later step than the one under way.
                if self.open.as_ref().is_some_and(|open| open.step.id != *step)
                    && let Some(step) = self.planned.get(step).cloned()
                {
                    self.begin(step, false, event);
                }
                self.end(event, Outcome::Failed(failure.clone()));
            }
            Body::Undone { failure: None, kept: true, .. } => self.end(event, Outcome::Kept),
            Body::Undone { failure: None, .. } => self.end(event, Outcome::Undone),
            Body::Undone { failure: Some(failure), .. } => {
                self.end(event, Outcome::NotUndone(failure.clone()));
            }
            Body::Life { life } => {
                let lived = Lived { seq: event.seq, at: event.at, life: Box::new(life.clone()) };
                match self.reach(event) {
                    Some(open) => open.life.push(lived),
                    None => self.story.items.push(Item::Life(lived)),
                }
            }
            Body::End { status } => self.story.status = Some(*status),
        }
    }

    fn plan(&mut self, plan: &Plan) {
        self.planned.extend(plan.steps.iter().map(|s| (s.id.clone(), s.clone())));
    }

    fn begin(&mut self, step: Step, undoing: bool, event: &Event) {
        self.close();
        self.open = Some(Box::new(Told::new(step, undoing, event, &self.slots)));
    }

    fn reach(&mut self, event: &Event) -> Option<&mut Told> {
        let open = self.open.as_deref_mut()?;
        open.events.1 = event.seq;
        open.times.1 = event.at;
        Some(open)
    }

    fn end(&mut self, event: &Event, outcome: Outcome) {
        if let Some(open) = self.reach(event) {
            open.outcome = Some(outcome);
        }
        self.close();
    }

    fn close(&mut self) {
        self.story.items.extend(self.open.take().map(Item::Step));
    }

    fn finish(mut self) -> Story {
        self.close();
        self.story
    }
}

#[cfg(test)]
#[path = "story_tests.rs"]
mod tests;
