//! What a whole recording has beyond what its reader asks for: every step that
//! began has ended, what failed was taken back, and time does not run backwards.

use std::collections::BTreeSet;
use std::fmt;
use std::io::BufRead;

use super::record::{RecordingError, read};
use super::{Body, Event};
use crate::plan::StepId;

/// What was counted in a recording.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Counts {
    pub events: usize,
    pub steps: usize,
    pub calls: usize,
    pub failed: usize,
    pub undone: usize,
    pub life: usize,
}

/// What is wrong, and where. Reads as a sentence.
#[derive(Debug)]
pub enum Problem {
    /// The recording cannot be read on.
    Unreadable(RecordingError),
    /// An event that stands where it should not.
    Event {
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        what: String,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::Unreadable(e) => write!(f, "{e}"),
            Problem::Event { line, what } => write!(f, "line {line}: {what}"),
        }
    }
}

/// Reads a recording to its end, or to where it is damaged. A recording is
/// whole when there is no problem.
pub fn check<R: BufRead>(input: R) -> (Counts, Vec<Problem>) {
    let mut checker = Checker::default();
    let mut events = read(input);
    while let Some(item) = events.next() {
        match item {
            Ok(event) => checker.event(&event, events.line()),
            Err(e) => checker.problems.push(Problem::Unreadable(e)),
        }
    }
    (checker.counts, checker.problems)
}

#[derive(Default)]
struct Checker {
    counts: Counts,
    problems: Vec<Problem>,
    at: u64,
    open: Option<StepId>,
    planned: Vec<StepId>,
    begun: BTreeSet<StepId>,
    failed: bool,
}

impl Checker {
    fn event(&mut self, event: &Event, line: usize) {
        self.counts.events += 1;
        if event.at < self.at {
            let what = format!("event {} is {} µs before the one before it", event.seq, self.at - event.at);
            self.problems.push(Problem::Event { line, what });
        }
        self.at = self.at.max(event.at);
        match &event.body {
            Body::Begin { plan, .. } | Body::Planned { plan, .. } => {
                self.planned.extend(plan.steps.iter().map(|s| s.id.clone()));
            }
            Body::About { step, .. } => {
                self.counts.steps += 1;
                self.begun.insert(step.clone());
                self.open = Some(step.clone());
            }
            Body::Undoing { step, .. } => self.open = Some(step.clone()),
            Body::Done { .. } => self.open = None,
            Body::Failed { .. } => {
                self.counts.failed += 1;
                self.failed = true;
                self.open = None;
            }
            Body::Undone { .. } => {
                self.counts.undone += 1;
                self.open = None;
            }
            Body::Call { .. } => self.counts.calls += 1,
            Body::Life { .. } => self.counts.life += 1,
            Body::Observed { .. } => {}
            Body::End { .. } => self.end(line),
        }
    }

    fn end(&mut self, line: usize) {
        let mut problem = |what| self.problems.push(Problem::Event { line, what });
        if let Some(step) = &self.open {
            problem(format!("the recording ends while step {step} is under way"));
        }
        // After a failure the rest of the plan is not begun.
        if !self.failed
            && let Some(missing) = self.planned.iter().find(|s| !self.begun.contains(s))
        {
            problem(format!("the recording ends, and step {missing} of the plan never began"));
        }
    }
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
