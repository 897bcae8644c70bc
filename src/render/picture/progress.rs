//! The steps of the plan: how far each one is, and what was seen of it.

use serde::Serialize;

use crate::kernel::Failure;
use crate::plan::{Plan, Step, StepId};
use crate::trace::{Body, Call, Fact, Life, When};

/// How far a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nothing was said of it yet.
    Ahead,
    /// It was announced; nothing is known of its outcome.
    About,
    /// It worked.
    Done,
    /// It did not.
    Failed,
    /// It is about to be taken back.
    Undoing,
    /// It was taken back, or there was nothing to take back.
    Undone,
    /// It could not be taken back.
    NotUndone,
}

/// A step and all that was seen of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepView {
    /// As in the plan.
    pub step: Step,
    /// 0 in the first plan, 1 in what followed from it.
    pub plan: usize,
    /// How far it is.
    pub state: State,
    /// System calls, in order.
    pub calls: Vec<Call>,
    /// Evidence read before.
    pub before: Vec<Fact>,
    /// Evidence read after.
    pub after: Vec<Fact>,
    /// What happened in the container meanwhile.
    pub life: Vec<Life>,
    /// Microseconds in the actor; 0 when unknown.
    pub micros: u64,
    /// The work had been done before.
    pub unchanged: bool,
    /// Why it did not work.
    pub failure: Option<Failure>,
    /// How it was taken back.
    pub undo: Option<Undo>,
    /// How many events there were with its announcement.
    pub begun: Option<usize>,
}

/// What was seen while a step was taken back.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Undo {
    /// System calls, in order.
    pub calls: Vec<Call>,
    /// Evidence read before.
    pub before: Vec<Fact>,
    /// Evidence read after.
    pub after: Vec<Fact>,
    /// Why it could not be taken back.
    pub failure: Option<Failure>,
}

/// All steps of the plans so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Progress {
    /// In the order of the plans.
    pub steps: Vec<StepView>,
    /// The one that was spoken of last.
    pub current: Option<usize>,
    /// A step failed, and what was done is being taken back.
    pub rolling_back: bool,
    plans: usize,
}

impl Progress {
    pub(super) fn planned(&mut self, plan: &Plan) {
        let number = self.plans;
        self.plans += 1;
        self.steps.extend(plan.steps.iter().map(|step| StepView {
            step: step.clone(),
            plan: number,
            state: State::Ahead,
            calls: Vec::new(),
            before: Vec::new(),
            after: Vec::new(),
            life: Vec::new(),
            micros: 0,
            unchanged: false,
            failure: None,
            undo: None,
            begun: None,
        }));
    }

    pub(super) fn event(&mut self, seen: usize, body: &Body) {
        match body {
            Body::About { step, .. } => {
                if let Some(view) = self.select(step) {
                    view.state = State::About;
                    view.begun = Some(seen);
                }
            }
            Body::Call { step, call } => {
                if let Some(view) = self.find(step) {
                    match &mut view.undo {
                        Some(undo) => undo.calls.push(call.clone()),
                        None => view.calls.push(call.clone()),
                    }
                }
            }
            Body::Observed { step, when, facts } => {
                if let Some(view) = self.find(step) {
                    let (before, after) = match &mut view.undo {
                        Some(undo) => (&mut undo.before, &mut undo.after),
                        None => (&mut view.before, &mut view.after),
                    };
                    match when {
                        When::Before => before.extend(facts.iter().cloned()),
                        When::After => after.extend(facts.iter().cloned()),
                    }
                }
            }
            Body::Failed { step, failure } => {
                if let Some(view) = self.select(step) {
                    view.state = State::Failed;
                    view.failure = Some(failure.clone());
                }
            }
            Body::Undoing { step, .. } => {
                self.rolling_back = true;
                if let Some(view) = self.select(step) {
                    view.state = State::Undoing;
                    view.undo = Some(Undo::default());
                }
            }
            _ => {}
        }
    }

    pub(super) fn done(&mut self, step: &StepId, body: &Body) -> Option<&StepView> {
        let view = self.find(step)?;
        if let Body::Done { micros, unchanged, .. } = body {
            view.state = State::Done;
            view.micros = *micros;
            view.unchanged = *unchanged;
        }
        Some(view)
    }

    /// Notes how the undo went.
    pub(super) fn undone(&mut self, step: &StepId, failure: Option<&Failure>) -> Option<&StepView> {
        let view = self.find(step)?;
        view.state = if failure.is_some() { State::NotUndone } else { State::Undone };
        view.undo.get_or_insert_default().failure = failure.cloned();
        Some(view)
    }

    /// It was to be taken back, and stays done.
    pub(super) fn kept(&mut self, step: &StepId) {
        if let Some(view) = self.find(step) {
            view.state = State::Done;
            view.undo = None;
        }
    }

    pub(super) fn life(&mut self, life: &Life) {
        if let Some(view) = self.current.and_then(|at| self.steps.get_mut(at)) {
            view.life.push(life.clone());
        }
    }

    /// The step spoken of last.
    pub fn at(&self) -> Option<&StepView> {
        self.steps.get(self.current?)
    }

    /// The steps that were announced.
    pub fn begun(&self) -> usize {
        self.steps.iter().filter(|s| s.begun.is_some()).count()
    }

    fn select(&mut self, id: &StepId) -> Option<&mut StepView> {
        let at = self.position(id)?;
        self.current = Some(at);
        self.steps.get_mut(at)
    }

    fn find(&mut self, id: &StepId) -> Option<&mut StepView> {
        let at = self.position(id)?;
        self.steps.get_mut(at)
    }

    /// The last one of this name: a second plan may repeat those of the first.
    fn position(&self, id: &StepId) -> Option<usize> {
        self.steps.iter().rposition(|s| &s.step.id == id)
    }
}
