//! Breakpoints: where a run that goes on by itself stops.

use std::fmt;

use crate::plan::{Op, Phase, Plan, StepId};
use crate::trace::{Body, Event, Life};

/// Where to stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Break {
    /// Before the first step of a phase.
    Phase(Phase),
    /// Before a step.
    Step(StepId),
    /// Before each step with this operation.
    Op(String),
    /// Before the container's command starts, and at each program that is
    /// executed in the container.
    Exec,
    /// At a failure, before anything is taken back.
    Fail,
    /// When this happens in the container; by the event's name: `copy_up`.
    Life(String),
}

/// What can happen in a container, by the names of its events.
const LIFE: [&str; 17] = [
    "copy_up",
    "whiteout",
    "opaque",
    "redirect",
    "created",
    "forked",
    "executed",
    "ended",
    "adopted",
    "zombie",
    "signal_ignored",
    "oom_killed",
    "refused",
    "started",
    "exited",
    "signalled",
    "held",
];

impl Break {
    /// From what a user types; `plan` tells which steps and operations there are.
    pub fn parse(text: &str, plan: &[&Plan]) -> Option<Break> {
        let text = text.trim();
        if let Some(phase) = Phase::ALL.into_iter().find(|p| p.name() == text) {
            // `exec` is a phase of one step, and more than that.
            return Some(if phase == Phase::Exec { Break::Exec } else { Break::Phase(phase) });
        }
        if text == "fail" {
            return Some(Break::Fail);
        }
        let name = text.replace('-', "_");
        if LIFE.contains(&name.as_str()) {
            return Some(Break::Life(name));
        }
        let steps = || plan.iter().flat_map(|p| &p.steps);
        if let Some(step) = steps().find(|s| s.id.0 == text) {
            return Some(Break::Step(step.id.clone()));
        }
        steps().find(|s| s.op.name() == name).map(|s| Break::Op(s.op.name().to_owned()))
    }

    /// This event is where to stop. `phase` is that of the step before.
    pub fn matches(&self, event: &Event, phase: Option<Phase>) -> bool {
        match (self, &event.body) {
            (Break::Phase(wanted), Body::About { phase: now, .. }) => wanted == now && phase != Some(*now),
            (Break::Step(wanted), Body::About { step, .. }) => wanted == step,
            (Break::Op(wanted), Body::About { op, .. }) => wanted == op.name(),
            (Break::Exec, Body::About { op: Op::Exec { .. }, .. }) | (Break::Fail, Body::Failed { .. }) => {
                true
            }
            (Break::Exec, Body::Life { life }) => life.name() == "executed",
            // Held before the call is the better moment; it is told of afterwards, too.
            (Break::Life(wanted), Body::Life { life: Life::Held(_) }) => {
                wanted == "copy_up" || wanted == "held"
            }
            (Break::Life(wanted), Body::Life { life }) => wanted == life.name(),
            _ => false,
        }
    }
}

impl fmt::Display for Break {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Break::Phase(phase) => write!(f, "{phase}"),
            Break::Step(step) => write!(f, "{step}"),
            Break::Op(op) => f.write_str(op),
            Break::Exec => f.write_str("exec"),
            Break::Fail => f.write_str("fail"),
            Break::Life(name) => f.write_str(&name.replace('_', "-")),
        }
    }
}

/// All that are set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Breaks(Vec<Break>);

impl Breaks {
    /// Sets one, or takes it away if it is set. `true`: it is set now.
    pub fn toggle(&mut self, one: Break) -> bool {
        match self.0.iter().position(|b| *b == one) {
            Some(at) => {
                self.0.remove(at);
                false
            }
            None => {
                self.0.push(one);
                true
            }
        }
    }

    /// Sets one.
    pub fn set(&mut self, one: Break) {
        if !self.0.contains(&one) {
            self.0.push(one);
        }
    }

    /// Takes one away; `false`: it was not set.
    pub fn delete(&mut self, one: &Break) -> bool {
        let before = self.0.len();
        self.0.retain(|b| b != one);
        self.0.len() < before
    }

    /// Takes all away.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// All, in the order in which they were set.
    pub fn iter(&self) -> impl Iterator<Item = &Break> {
        self.0.iter()
    }

    /// Whether one stops at this event.
    pub fn stop(&self, event: &Event, phase: Option<Phase>) -> bool {
        self.0.iter().any(|b| b.matches(event, phase))
    }

    /// Whether one speaks of this step itself.
    pub fn at_step(&self, id: &StepId, op: &Op) -> bool {
        self.0.iter().any(|b| match b {
            Break::Step(step) => step == id,
            Break::Op(name) => name == op.name(),
            Break::Exec => matches!(op, Op::Exec { .. }),
            Break::Phase(_) | Break::Fail | Break::Life(_) => false,
        })
    }

    /// Whether one waits for this to happen in the container.
    pub fn waits_for(&self, name: &str) -> bool {
        self.0.iter().any(|b| matches!(b, Break::Life(n) if n == name))
    }
}
