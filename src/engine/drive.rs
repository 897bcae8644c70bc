//! The loop over a plan's steps.

use super::hear::Ears;
use super::{Decision, Emitter, Journal, Outcome, Pauser};
use crate::kernel::{Applied, Failure, Kernel, Slots, StepFailure, Watch};
use crate::plan::op::Slot;
use crate::plan::{Op, Phase, Plan, Step, StepId};
use crate::trace::{Body, What, When};

/// Everything that takes part in running one plan.
pub struct Driver<'a, 'e, 'p> {
    /// Who carries the steps out.
    pub kernel: &'a mut dyn Kernel,
    /// Where events go.
    pub emitter: &'a mut Emitter<'e>,
    /// How closely to look.
    pub watch: Watch,
    /// Stands before each step.
    pub pauser: Option<&'p mut dyn Pauser>,
    /// What is kept on disk meanwhile.
    pub journal: &'a mut dyn Journal,
}

impl Driver<'_, '_, '_> {
    /// Carries the plan out. The receipt has to be on disk before.
    pub fn run(mut self, plan: &Plan) -> Outcome {
        let mut slots = Slots::new();
        let mut outcome = Outcome::default();
        self.kernel.begin(plan, self.watch);
        for (index, step) in plan.steps.iter().enumerate() {
            match self.step(step, &mut slots, &mut outcome.started) {
                Ok(()) => {}
                // The command has ended: its status stands, and the rest of the
                // teardown is still to be done.
                Err(failed) if slots.contains_key(&Slot::ExitStatus) => {
                    outcome.left.push((failed.step.unwrap_or_else(|| step.id.clone()), failed.failure));
                }
                Err(failed) => {
                    let id = failed.step.unwrap_or_else(|| step.id.clone());
                    if let Some(pauser) = &mut self.pauser {
                        pauser.failed(&id, &failed.failure, self.kernel, &slots);
                    }
                    outcome.status = failed.failure.status;
                    outcome.failed = Some((id, failed.failure));
                    outcome.kept = outcome.started && !removes_container(plan);
                    let undone: Vec<Step> = plan.steps[..=index]
                        .iter()
                        .filter(|s| !(outcome.kept && of_the_container(&s.op, &plan.container)))
                        .cloned()
                        .collect();
                    outcome.left = rollback(&undone, self.kernel, &slots, self.emitter);
                    return outcome;
                }
            }
        }
        outcome.untold = self.emitter.check().err();
        outcome.status = slots.get(&Slot::ExitStatus).and_then(|v| v.text().parse().ok()).unwrap_or(0);
        outcome
    }

    fn step(&mut self, step: &Step, slots: &mut Slots, started: &mut bool) -> Result<(), StepFailure> {
        self.emitter.emit(|| Body::About {
            step: step.id.clone(),
            phase: step.phase,
            actor: step.actor,
            op: step.op.clone(),
        });
        self.heard(slots)?;
        let mut result = self.carry_out(step, slots, started);
        if let Err(failed) = &mut result {
            let id = failed.step.clone().unwrap_or_else(|| step.id.clone());
            tell(self.emitter, &id, std::mem::take(&mut failed.applied));
            self.emitter.emit(|| Body::Failed { step: id.clone(), failure: failed.failure.clone() });
        }
        result
    }

    fn carry_out(&mut self, step: &Step, slots: &mut Slots, started: &mut bool) -> Result<(), StepFailure> {
        if step.phase < Phase::Life
            && let Some(signal) = self.journal.interrupted()
        {
            return Err(Failure::new("go on: interrupted by a signal", None).status(128 + signal).into());
        }
        if let Some(pauser) = &mut self.pauser
            && pauser.before(step, self.kernel, slots)? == Decision::Quit
        {
            return Err(Failure::new("go on: you chose to quit", None).status(130).into());
        }
        let known = slots.len();
        let mut ears = Ears { emitter: &mut *self.emitter, pauser: self.pauser.as_deref_mut() };
        let applied = self.kernel.apply(step, slots, &mut ears)?;
        *started |= matches!(step.op, Op::Exec { .. });
        let (micros, unchanged) = (applied.micros, applied.unchanged);
        tell(self.emitter, &step.id, applied);
        let filled = if slots.len() > known { filled_by(&step.op) } else { &[] };
        self.emitter.emit(|| Body::Done {
            step: step.id.clone(),
            micros,
            unchanged,
            filled: filled.iter().filter_map(|s| Some((*s, slots.get(s)?.clone()))).collect(),
        });
        self.heard(slots)?;
        if slots.len() > known || matches!(step.op, Op::Exec { .. }) {
            self.journal.filled(step, slots)?;
        }
        if let Some(pauser) = &mut self.pauser {
            pauser.after(step, self.kernel, slots)?;
        }
        Ok(())
    }

    /// Nothing more is begun when nobody can be told of it. Once the command has
    /// ended, nothing is begun any more, and the teardown goes on.
    fn heard(&self, slots: &Slots) -> Result<(), Failure> {
        if slots.contains_key(&Slot::ExitStatus) { Ok(()) } else { self.emitter.check() }
    }
}

fn tell(emitter: &mut Emitter<'_>, step: &StepId, applied: Applied) {
    let Applied { before, calls, after, said, .. } = applied;
    let said = said.map(|s| *s).unwrap_or_default();
    if !before.is_empty() {
        emitter.emit(|| Body::Observed { step: step.clone(), when: When::Before, facts: before });
    }
    if let Some(facts) = &said.before {
        emitter.relay(step, What::Facts(When::Before, facts));
    }
    for call in calls {
        emitter.emit(|| Body::Call { step: step.clone(), call });
    }
    for call in &said.calls {
        emitter.relay(step, What::Call(call));
    }
    if let Some(facts) = &said.after {
        emitter.relay(step, What::Facts(When::After, facts));
    }
    if !after.is_empty() {
        emitter.emit(|| Body::Observed { step: step.clone(), when: When::After, facts: after });
    }
}

fn filled_by(op: &Op) -> &'static [Slot] {
    match op {
        Op::Clone { .. } | Op::FindInit { .. } => &[Slot::InitPid],
        Op::SpawnInside { .. } => &[Slot::ProcessPid, Slot::ProcessBorn],
        Op::AllocateAddress { .. } => &[Slot::Address],
        Op::Supervise { .. } => &[Slot::ExitStatus],
        _ => &[],
    }
}

/// Takes steps back, last first, and goes on past errors. Returns what could
/// not be taken back. Also serves recovery, where nobody knows how far a plan
/// came: undoing what was never done changes nothing.
pub fn rollback(
    steps: &[Step],
    kernel: &mut dyn Kernel,
    slots: &Slots,
    emitter: &mut Emitter<'_>,
) -> Vec<(StepId, Failure)> {
    let mut left = Vec::new();
    for step in steps.iter().rev().filter(|s| leaves_something(&s.op)) {
        emitter.emit(|| Body::Undoing { step: step.id.clone(), op: step.op.clone() });
        let (failure, kept) = match kernel.undo(&step.op, slots) {
            Ok(applied) => {
                let kept = applied.unchanged;
                tell(emitter, &step.id, applied);
                (None, kept)
            }
            Err(failed) => {
                tell(emitter, &step.id, failed.applied);
                (Some(failed.failure), false)
            }
        };
        emitter.emit(|| Body::Undone { step: step.id.clone(), failure: failure.clone(), kept });
        if let Some(failure) = failure {
            left.push((step.id.clone(), failure));
        }
    }
    left
}

/// Directories and files of the container's own directory.
pub fn of_the_container(op: &Op, container: &str) -> bool {
    match op {
        Op::MakeDir { path, .. } | Op::WriteFile { path, .. } => path.split('/').any(|p| p == container),
        _ => false,
    }
}

fn removes_container(plan: &Plan) -> bool {
    plan.steps.iter().any(|s| matches!(s.op, Op::RemoveContainer { .. }))
}

/// Whether an operation leaves anything on the host that outlives the
/// container's namespaces. What init does goes away with them.
pub fn leaves_something(op: &Op) -> bool {
    match op {
        Op::MakeDir { .. }
        | Op::MountOverlay { .. }
        | Op::CreateCgroup { .. }
        | Op::Clone { .. }
        | Op::SpawnInside { .. }
        | Op::CreateBridge { .. }
        | Op::WriteSysctl { .. }
        | Op::CreateNat { .. }
        | Op::AllocateAddress { .. }
        | Op::CreateVeth { .. }
        | Op::PublishPort { .. }
        | Op::WriteFile { .. }
        | Op::Supervise { .. } => true,
        Op::Image(op) => op.leaves_something(),
        // A limit goes with its cgroup, a membership with the process.
        Op::SetLimit { limit, .. } => *limit == crate::plan::op::Limit::Controllers,
        Op::ReadImage { .. }
        // An unpacked layer is the store's, and complete or absent.
        | Op::UnpackLayer { .. }
        | Op::UseLayer { .. }
        | Op::ReadHostKernel
        | Op::LookForKernel { .. }
        | Op::MapLayers { .. }
        | Op::AttachRootfs { .. }
        | Op::AllowDevices { .. }
        | Op::WriteIdMaps { .. }
        | Op::JoinCgroup { .. }
        | Op::UnshareCgroup
        | Op::FindInit { .. }
        | Op::JoinNamespaces { .. }
        // Let run, it is no longer the plan's.
        | Op::LetRun
        | Op::SetLinkUp { .. }
        | Op::AddAddress { .. }
        | Op::AddDefaultRoute { .. }
        | Op::MakeMountsPrivate
        | Op::Mount { .. }
        | Op::Bind { .. }
        | Op::MakeNode { .. }
        | Op::MakeSymlink { .. }
        | Op::PivotRoot { .. }
        | Op::RemountRootReadonly
        | Op::MaskPath { .. }
        | Op::ReadonlyPath { .. }
        | Op::SetHostname { .. }
        | Op::OpenTerminal
        | Op::SetRlimits { .. }
        | Op::SetNoNewPrivs
        | Op::DropBounding { .. }
        | Op::SetUser { .. }
        | Op::SetCapabilities { .. }
        | Op::LoadSeccomp { .. }
        | Op::Exec { .. }
        | Op::ReadChanges { .. }
        | Op::RecordExit { .. }
        | Op::RemoveContainer { .. }
        | Op::Undo { .. } => false,
    }
}
