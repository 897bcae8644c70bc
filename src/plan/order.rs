//! Ordering rules: what has to come before what, checked on the plan before
//! anything is done.

use std::collections::HashSet;

use super::op::{Arg, Slot};
use super::{Actor, Op, Plan, Step, StepId};

/// A plan that breaks a rule. A defect of the planner, never of the user.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the plan is out of order at {step}: {rule}")]
pub struct OrderError {
    /// The first step that breaks it.
    pub step: StepId,
    /// The rule.
    pub rule: &'static str,
}

/// Checks every rule.
pub fn check(plan: &Plan) -> Result<(), OrderError> {
    let mut seen = Seen::default();
    for step in &plan.steps {
        if let Some(rule) = seen.broken(step) {
            return Err(OrderError { step: step.id.clone(), rule });
        }
        seen.take(step);
    }
    Ok(())
}

#[derive(Default)]
struct Seen {
    ids: HashSet<String>,
    slots: HashSet<Slot>,
    phase: Option<super::Phase>,
    cloned: bool,
    init: bool,
    user_ns: bool,
    mapped: bool,
    pivoted: bool,
    joined: bool,
    private: bool,
    became_user: bool,
    no_new_privs: bool,
    caps: bool,
    exec: bool,
}

impl Seen {
    fn broken(&self, step: &Step) -> Option<&'static str> {
        let init = step.actor != Actor::Runtime;
        let mounts = matches!(
            step.op,
            Op::AttachRootfs { .. }
                | Op::Mount { .. }
                | Op::Bind { .. }
                | Op::MakeNode { .. }
                | Op::MakeSymlink { .. }
        );
        let rules: [(bool, &'static str); 18] = [
            (self.ids.contains(&step.id.0), "ids are unique"),
            (self.phase.is_some_and(|p| p > step.phase), "phases follow the story"),
            (init && !self.cloned, "init acts only once it exists"),
            (init && self.exec, "after exec there is no init"),
            (!init && self.init && !self.exec, "the runtime waits from init's first step until exec"),
            (init && self.user_ns && !self.mapped, "ids are mapped before init acts in a user namespace"),
            (mounts && !self.private, "mounts are private before the first mount"),
            (mounts && self.pivoted, "everything is mounted before the pivot"),
            (
                matches!(step.op, Op::MaskPath { .. } | Op::RemountRootReadonly) && !self.pivoted,
                "paths are masked in the new root",
            ),
            (
                matches!(step.op, Op::DropBounding { .. }) && self.became_user,
                "the bounding set shrinks while root",
            ),
            (
                matches!(step.op, Op::SetCapabilities { .. }) && !self.became_user,
                "ids change before the capabilities that allow it go",
            ),
            (
                matches!(step.op, Op::LoadSeccomp { .. }) && self.caps && !self.no_new_privs,
                "a filter is loaded while it is allowed",
            ),
            (matches!(step.op, Op::Exec { .. }) && !self.caps, "capabilities are dropped before exec"),
            (
                matches!(step.op, Op::Exec { .. }) && !self.pivoted && !self.joined,
                "the root is changed before exec",
            ),
            (
                matches!(step.op, Op::JoinCgroup { .. }) && self.joined,
                "cgroups are joined while the host's can be seen",
            ),
            (
                matches!(step.op, Op::JoinNamespaces { .. }) && (self.became_user || self.caps),
                "namespaces are joined while it is allowed",
            ),
            (matches!(step.op, Op::LetRun) && !self.exec, "only a command is let run"),
            (
                needs(&step.op).is_some_and(|s| !self.slots.contains(&s)),
                "a value is filled before it is used",
            ),
        ];
        rules.into_iter().find(|(broken, _)| *broken).map(|(_, rule)| rule)
    }

    fn take(&mut self, step: &Step) {
        self.ids.insert(step.id.0.clone());
        self.phase = Some(step.phase);
        self.init |= step.actor == Actor::Init;
        match &step.op {
            Op::Clone { namespaces, .. } => {
                self.cloned = true;
                self.user_ns = namespaces.contains(&super::op::Ns::User);
                self.slots.insert(Slot::InitPid);
            }
            Op::FindInit { .. } => {
                self.slots.insert(Slot::InitPid);
            }
            Op::SpawnInside { .. } => {
                self.cloned = true;
                self.slots.extend([Slot::ProcessPid, Slot::ProcessBorn]);
            }
            Op::JoinNamespaces { .. } => self.joined = true,
            Op::WriteIdMaps { .. } => self.mapped = true,
            Op::AllocateAddress { .. } => {
                self.slots.insert(Slot::Address);
            }
            Op::Supervise { .. } => {
                self.slots.insert(Slot::ExitStatus);
            }
            Op::MakeMountsPrivate => self.private = true,
            Op::PivotRoot { .. } => self.pivoted = true,
            Op::SetUser { .. } => self.became_user = true,
            Op::SetNoNewPrivs => self.no_new_privs = true,
            Op::SetCapabilities { .. } => self.caps = true,
            Op::Exec { .. } => self.exec = true,
            _ => {}
        }
    }
}

/// The slot that an operation reads.
fn needs(op: &Op) -> Option<Slot> {
    match op {
        Op::AddAddress { address: Arg::Slot { slot }, .. }
        | Op::PublishPort { address: Arg::Slot { slot }, .. } => Some(*slot),
        Op::WriteFile { content, .. } if content.contains("{address}") => Some(Slot::Address),
        Op::CreateVeth { .. }
        | Op::JoinCgroup { .. }
        | Op::WriteIdMaps { .. }
        | Op::SpawnInside { .. }
        | Op::JoinNamespaces { .. } => Some(Slot::InitPid),
        Op::RecordExit { .. } => Some(Slot::ExitStatus),
        _ => None,
    }
}
