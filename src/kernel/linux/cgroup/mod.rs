//! Control groups on the real kernel, cgroups(7): directories, limits, device
//! rules and membership, on cgroup v2 and on v1 hierarchies.

mod create;
mod device_program;
mod devices;
mod files;
mod freeze;
mod join;
mod limit;
mod remove;
mod usage;

pub use freeze::{Frozen, freeze, thaw};
pub use usage::{Group, totals, usage};

use crate::kernel::Failure;
use crate::kernel::linux::cx::Cx;
use crate::plan::Op;
use crate::trace::Fact;

/// Carries out an operation of this group; `true` when its work had been done
/// already. Another operation is a failure.
pub fn apply(op: &Op, cx: &mut Cx) -> Result<bool, Failure> {
    match op {
        Op::CreateCgroup { version, controllers, path } => {
            create::create(cx.rec, *version, controllers, path)
        }
        Op::SetLimit { limit, file, value } => limit::set(cx.rec, *limit, file, value),
        Op::AllowDevices { version, path, rules } => devices::allow(cx.rec, *version, path, rules),
        Op::JoinCgroup { files } => join::join(cx, files),
        other => Err(Failure::new(format!("do {} as a cgroup operation", other.name()), None)),
    }
}

/// Takes an operation back. Limits, rules and members go with the directory:
/// the undo of [`Op::CreateCgroup`] kills what still lives in it and removes it.
/// Controllers stay enabled for the children of the hierarchy's root, where
/// other cgroups may use them by now.
pub fn undo(op: &Op, cx: &mut Cx) -> Result<(), Failure> {
    match op {
        Op::CreateCgroup { version, path, .. } => remove::remove(cx.rec, *version, path),
        Op::SetLimit { .. } | Op::AllowDevices { .. } | Op::JoinCgroup { .. } => Ok(()),
        other => Err(Failure::new(format!("undo {} as a cgroup operation", other.name()), None)),
    }
}

/// Reads back what an operation is about, before or after it.
pub fn evidence(op: &Op, cx: &Cx) -> Vec<Fact> {
    match op {
        Op::CreateCgroup { version, path, .. } => create::evidence(*version, path),
        Op::SetLimit { file, .. } => vec![files::fact(file)],
        Op::AllowDevices { version, path, .. } => devices::evidence(*version, path),
        Op::JoinCgroup { .. } => join::evidence(cx),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
