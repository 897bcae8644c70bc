//! Drives a plan: each step is announced, may be paused before, is carried out
//! by a kernel, and is told as events. A failure undoes what was done, last
//! step first. The engine knows no system call and prints nothing.

mod drive;
mod emit;
mod hear;

use crate::kernel::{Failure, Kernel, Slots};
use crate::plan::{Plan, Step, StepId};
use crate::trace::Life;

pub use drive::{Driver, leaves_something, of_the_container, rollback};
pub use emit::Emitter;

/// What a pause decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Carry the step out.
    Go,
    /// Stop here and undo everything.
    Quit,
}

/// Stands between the announcement of a step and its execution: the stepper,
/// or a fault that a lesson or a test injects.
pub trait Pauser {
    /// Called with each plan before its first step; after the last one no more
    /// follow.
    fn plan(&mut self, _plan: &Plan, _last: bool) -> Result<(), Failure> {
        Ok(())
    }

    /// Called before each step. An error is taken as the step's own failure.
    fn before(&mut self, step: &Step, kernel: &mut dyn Kernel, slots: &Slots) -> Result<Decision, Failure>;

    /// Whether to stop at this: a process held before a call that can change a
    /// file of a read-only layer ([`Life::Held`]). Asked for each such call, and
    /// only then.
    fn wants(&mut self, _life: &Life) -> bool {
        false
    }

    /// Asked while the container's command lives, after what was told of it: who looked
    /// at that may have chosen to quit. An error ends the container, and undoes the run.
    fn goes_on(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    /// A process is held, as [`wants`](Self::wants) asked: look at the layers,
    /// ask the user. Nothing has been changed yet; the process makes its call when
    /// this returns. An error ends the container, and undoes the run.
    fn held(&mut self, _life: &Life, _kernel: &mut dyn Kernel, _slots: &Slots) -> Result<(), Failure> {
        Ok(())
    }

    /// Called after each step that worked.
    fn after(&mut self, _step: &Step, _kernel: &mut dyn Kernel, _slots: &Slots) -> Result<(), Failure> {
        Ok(())
    }

    /// Called when a step failed, before anything is taken back.
    fn failed(&mut self, _step: &StepId, _failure: &Failure, _kernel: &mut dyn Kernel, _slots: &Slots) {}
}

/// What the engine's caller keeps on disk while a plan runs.
pub trait Journal {
    /// A step filled a slot, or the command runs.
    fn filled(&mut self, step: &Step, slots: &Slots) -> Result<(), Failure>;

    /// The user wants to stop (a signal came while setting up).
    fn interrupted(&mut self) -> Option<u8>;
}

/// How a plan ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// The exit status: the command's own, or 125, 126, 127, 128+n.
    pub status: u8,
    /// The step that failed before the command ran, and why.
    pub failed: Option<(StepId, Failure)>,
    /// What could not be taken back, or not be torn down at the end.
    pub left: Vec<(StepId, Failure)>,
    /// The command was started.
    pub started: bool,
    /// The command ended, but the trace of it could not be written to its end.
    pub untold: Option<Failure>,
    /// The command was started and a later step failed: what it wrote stays.
    pub kept: bool,
}
