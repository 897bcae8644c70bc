//! Where we are: the events so far, the moment that is looked at, and how to go
//! on from it.

use super::breaks::Breaks;
use crate::plan::{Phase, Plan, StepId};
use crate::render::picture::{Picture, StepView};
use crate::trace::{Body, Event, FileChange, Life};

/// How to go on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Run {
    /// To the next step, process held, what it did then, failure or undo.
    #[default]
    Step,
    /// To the next event: each system call, each piece of evidence.
    Into,
    /// To the first step of another phase.
    Finish(Phase),
    /// To this step.
    Until(StepId),
    /// To the next breakpoint.
    Continue,
}

/// The events of a run, live or recorded, and the moment that is shown.
#[derive(Debug, Default)]
pub struct Session {
    events: Vec<Event>,
    /// Those of them that say that a process is held.
    holds: Vec<usize>,
    /// Events of the moment that is shown; all of them at the present.
    cursor: usize,
    /// After all events.
    present: Picture,
    /// The moment shown, when it is a past one.
    past: Option<Picture>,
    /// How it goes on.
    pub run: Run,
    /// Where it stops.
    pub breaks: Breaks,
    /// A moment to compare others with.
    pub mark: Option<usize>,
}

impl Session {
    /// A session on a whole recording, at its first step.
    pub fn recorded(events: Vec<Event>) -> Self {
        let present = Picture::at(&events, events.len());
        let holds = (0..events.len()).filter(|at| held(&events[*at]).is_some()).collect();
        let mut session = Session { present, holds, events, ..Session::default() };
        session.show(0);
        session.forward();
        session
    }

    /// Takes an event that has just happened. Who looks at the present goes with it.
    pub fn push(&mut self, event: &Event) {
        let follows = self.at_present();
        self.present.event(event);
        self.holds.extend(held(event).map(|_| self.events.len()));
        self.events.push(event.clone());
        if follows {
            self.cursor = self.events.len();
        }
    }

    /// All events.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// How many of them led to the moment that is shown.
    pub fn cursor(&self) -> usize {
        self.cursor
    }

    /// The event that led to this moment.
    pub fn event(&self) -> Option<&Event> {
        self.events.get(self.cursor.checked_sub(1)?)
    }

    /// What is shown is the state after all events.
    pub fn at_present(&self) -> bool {
        self.cursor == self.events.len()
    }

    /// The state at the moment that is shown.
    pub fn picture(&self) -> &Picture {
        self.past.as_ref().unwrap_or(&self.present)
    }

    /// The plans so far.
    pub fn plans(&self) -> Vec<&Plan> {
        self.events
            .iter()
            .filter_map(|e| match &e.body {
                Body::Begin { plan, .. } | Body::Planned { plan, .. } => Some(plan),
                _ => None,
            })
            .collect()
    }

    /// The step that the moment shown is about.
    pub fn step(&self) -> Option<&StepView> {
        self.picture().progress.at()
    }

    /// Shows the state after so many events.
    pub fn show(&mut self, cursor: usize) {
        self.cursor = cursor.min(self.events.len());
        self.past = (!self.at_present()).then(|| Picture::at(&self.events, self.cursor));
    }

    /// Back to the present.
    pub fn show_present(&mut self) {
        self.show(self.events.len());
    }

    /// Goes on within what has happened already, as [`run`](Self::run) says.
    /// `false`: there was nothing more to stop at; what is shown is the present.
    pub fn forward(&mut self) -> bool {
        for at in self.cursor..self.events.len() {
            if self.stops(at) {
                self.show(at + 1);
                return true;
            }
        }
        self.show_present();
        false
    }

    /// The step, process held, what it did then, failure or undo before the moment that is shown.
    pub fn back(&mut self) -> bool {
        let before = (0..self.cursor.saturating_sub(1)).rev().find(|at| self.is_station(*at));
        if let Some(at) = before {
            self.show(at + 1);
        }
        before.is_some()
    }

    /// One event back.
    pub fn back_one(&mut self) -> bool {
        let can = self.cursor > 1;
        if can {
            self.show(self.cursor - 1);
        }
        can
    }

    /// The moment before a step was carried out; `false`: it has not come to that.
    pub fn show_step(&mut self, id: &StepId) -> bool {
        let at = self.events.iter().rposition(|e| matches!(&e.body, Body::About { step, .. } if step == id));
        if let Some(at) = at {
            self.show(at + 1);
        }
        at.is_some()
    }

    /// Whether to stop at the event with this index.
    pub fn stops(&self, at: usize) -> bool {
        let event = &self.events[at];
        let by_run = match (&event.body, &self.run) {
            (Body::Begin { .. } | Body::End { .. }, _) => false,
            (_, Run::Into) => true,
            (_, Run::Step) => self.is_station(at),
            (Body::About { phase, .. }, Run::Finish(finished)) => phase != finished,
            (Body::About { step, .. }, Run::Until(wanted)) => step == wanted,
            (Body::Failed { .. }, Run::Finish(_) | Run::Until(_)) => true,
            _ => false,
        };
        // Only a step can be the first of its phase.
        let phase = matches!(event.body, Body::About { .. }).then(|| self.phase_before(at)).flatten();
        let waits = self.breaks.waits_for("copy_up") || self.breaks.waits_for("held");
        by_run || self.breaks.stop(event, phase) || waits && self.was_held(at)
    }

    fn phase_before(&self, at: usize) -> Option<Phase> {
        self.events[..at].iter().rev().find_map(|e| match &e.body {
            Body::About { phase, .. } => Some(*phase),
            _ => None,
        })
    }

    /// The moment that differences are shown from: the mark, or the station before.
    pub fn compared_with(&self) -> usize {
        self.mark.unwrap_or_else(|| {
            let end = self.cursor.saturating_sub(1);
            (0..end).rev().find(|at| self.is_station(*at)).map_or(0, |at| at + 1)
        })
    }

    /// Where `next` and `back` stop.
    fn is_station(&self, at: usize) -> bool {
        let event = &self.events[at];
        let step = matches!(event.body, Body::About { .. } | Body::Failed { .. } | Body::Undoing { .. });
        step || held(event).is_some() || self.was_held(at)
    }

    /// Whether this is what a call did before which its process was held.
    fn was_held(&self, at: usize) -> bool {
        let (Body::Life { life: Life::CopyUp(did) }
        | Body::Life { life: Life::Whiteout(did) }
        | Body::Life { life: Life::Opaque(did) }
        | Body::Life { life: Life::Redirect(did) }
        | Body::Life { life: Life::Created(did) }) = &self.events[at].body
        else {
            return false;
        };
        let before = self.holds.partition_point(|held| *held < at);
        let last = before.checked_sub(1).and_then(|n| held(&self.events[self.holds[n]]));
        last.is_some_and(|held| {
            (&held.path, &held.call, &held.process) == (&did.path, &did.call, &did.process)
        })
    }
}

/// What a process is held before.
fn held(event: &Event) -> Option<&FileChange> {
    match &event.body {
        Body::Life { life: Life::Held(change) } => Some(change),
        _ => None,
    }
}
