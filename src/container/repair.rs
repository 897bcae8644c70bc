//! Undoes what a killed process left, by the receipts that nobody holds.

use std::fs;
use std::io;
use std::path::Path;

use super::receipt;
use super::record::{self, Status};
use crate::engine::{Emitter, rollback};
use crate::kernel::{Failure, Kernel, Slots};
use crate::plan::{Op, StepId};

/// One container that was repaired.
#[derive(Clone, Debug)]
pub struct Repaired {
    /// The container.
    pub id: String,
    /// It is gone with everything it had; otherwise it stays as exited.
    pub removed: bool,
    /// What could not be undone.
    pub left: Vec<(StepId, Failure)>,
}

/// Undoes every plan that was cut off. A container whose command had run stays,
/// as exited with 137 (its command was killed), unless it was to be removed; one
/// whose command had not run goes.
pub fn repair(
    store: &Path,
    run: &Path,
    kernel: &mut dyn Kernel,
    emitter: &mut Emitter<'_>,
) -> io::Result<Vec<Repaired>> {
    let mut all = Vec::new();
    for (id, receipt, plan) in receipt::cut_off(run)? {
        let dir = record::containers_dir(store).join(&id);
        let path = dir.join("record.json");
        let mut left = Vec::new();
        // What the container wrote must outlive the undoing of the directories that the plan made.
        let record = record::read(&path).ok();
        let keep =
            record.as_ref().is_some_and(|r| !r.remove && (r.status == Status::Exited || receipt.has_run()));
        if let Some(plan) = plan {
            let steps: Vec<_> =
                plan.steps.into_iter().filter(|s| !(keep && of_the_container(&s.op, &dir))).collect();
            left = rollback(&steps, kernel, &Slots::new(), emitter);
        }
        if keep {
            if record.is_some_and(|r| r.status != Status::Exited)
                && let Err(e) = record::finish(&path, 137)
            {
                left.push((StepId("exit.record-exit".into()), Failure::new(e.to_string(), None)));
            }
        } else if let Err(e) = remove_tree(&dir) {
            left.push((
                StepId("exit.remove-container".into()),
                Failure::new(format!("remove {}", dir.display()), Some(e.into())),
            ));
        }
        if left.is_empty() {
            receipt.remove()?;
        }
        all.push(Repaired { id, removed: !keep, left });
    }
    Ok(all)
}

/// Directories and files of the container's own directory.
fn of_the_container(op: &Op, dir: &Path) -> bool {
    match op {
        Op::MakeDir { path, .. } | Op::WriteFile { path, .. } => Path::new(path).starts_with(dir),
        _ => false,
    }
}

/// Removes a container's directory; an absent one is fine.
pub fn remove_tree(dir: &Path) -> io::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}
