//! `--fail` and `--kill-at`: a fault before one step.

use super::error::CliError;
use crate::engine::{Decision, Pauser};
use crate::kernel::{Errno, Failure, Kernel, Slots};
use crate::plan::{Plan, Step, StepId};

/// A fault to be injected.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The step fails without being tried.
    Fail(StepId, Errno),
    /// This process kills itself before the step.
    Kill(StepId),
}

impl Fault {
    /// From the two options; at most one of them is given.
    pub fn parse(fail: Option<&str>, kill: Option<&str>) -> Result<Option<Fault>, CliError> {
        match (fail, kill) {
            (None, None) => Ok(None),
            (Some(_), Some(_)) => Err(CliError::new("--fail and --kill-at exclude each other")
                .hint("give one of them")
                .status(125)),
            (None, Some(step)) => Ok(Some(Fault::Kill(StepId(step.to_owned())))),
            (Some(text), None) => {
                let (step, errno) = text.split_once('=').unwrap_or((text, "EIO"));
                let errno = Errno::from_name(&errno.to_ascii_uppercase()).ok_or_else(|| {
                    CliError::new(format!("unknown errno {errno:?}")).hint("such as ENOSPC").status(125)
                })?;
                Ok(Some(Fault::Fail(StepId(step.to_owned()), errno)))
            }
        }
    }

    /// The fault's step has to be in the plan, or the fault would silently not happen.
    pub fn check(&self, plan: &Plan) -> Result<(), CliError> {
        let (Fault::Fail(id, _) | Fault::Kill(id)) = self;
        match plan.step(id) {
            Some(_) => Ok(()),
            None => Err(CliError::new(format!("the plan has no step {id}"))
                .hint("`glassbox plan` with the same command and options lists the steps")
                .status(125)),
        }
    }
}

impl Pauser for Fault {
    fn before(&mut self, step: &Step, _: &mut dyn Kernel, _: &Slots) -> Result<Decision, Failure> {
        match self {
            Fault::Fail(id, errno) if *id == step.id => Err(Failure::new(
                format!("{} (injected by --fail)", step.op.name().replace('_', " ")),
                Some(*errno),
            )),
            Fault::Kill(id) if *id == step.id => {
                let _ = nix::sys::signal::kill(nix::unistd::Pid::this(), nix::sys::signal::Signal::SIGKILL);
                Ok(Decision::Quit)
            }
            _ => Ok(Decision::Go),
        }
    }
}
