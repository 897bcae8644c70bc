//! Undoes what a killed process left, by the receipts that nobody holds.

use std::fs;
use std::io;
use std::path::Path;

use super::receipt::{self, CutOff, Written};
use super::record::{self, Status};
use crate::engine::{Emitter, of_the_container, rollback};
use crate::kernel::{Failure, Kernel, Slots, Watch};
use crate::plan::op::Slot;
use crate::plan::{Op, Plan, StepId};
use crate::trace::{Kind, Value};

/// The exit status of a command that was killed with its runtime.
pub const KILLED: u8 = 137;

/// One container that was repaired.
#[derive(Clone, Debug, Default)]
pub struct Repaired {
    /// The container.
    pub id: String,
    /// It is gone with everything it had; otherwise it stays as exited.
    pub removed: bool,
    /// It was an action on images, and there is no container.
    pub action: bool,
    /// It was a command in a container, which is not touched.
    pub joined: bool,
    /// What could not be undone.
    pub left: Vec<(StepId, Failure)>,
    /// Why its receipt could not be used, and what that means.
    pub note: Option<String>,
}

/// Undoes every plan that was cut off. A container whose command had run stays,
/// as exited, unless it was to be removed; one whose command had not run goes.
/// Its status is 137, killed, if its command had not ended by itself.
pub fn repair(
    store: &Path,
    run: &Path,
    kernel: &mut dyn Kernel,
    emitter: &mut Emitter<'_>,
) -> io::Result<Vec<Repaired>> {
    let mut all = Vec::new();
    for CutOff { id, receipt, written } in receipt::cut_off(run)? {
        let Some(id) = id else {
            // Killed before the receipt was whole: nothing was begun.
            receipt.remove()?;
            continue;
        };
        let (plan, note) = match written {
            Written::Plan(plan) => (Some(*plan), None),
            Written::Nothing => (None, None),
            Written::Newer(version) => {
                let note = format!(
                    "a newer glassbox began container {id} (plan version {version}): left as it is; \
                     use that one to repair it"
                );
                all.push(Repaired { id, note: Some(note), ..Repaired::default() });
                continue;
            }
            Written::Damaged(why) => (None, Some(damaged(&id, &why))),
        };
        let mut one = Repaired { id, note, ..Repaired::default() };
        undo(store, &receipt, plan, kernel, emitter, &mut one);
        if one.left.is_empty() {
            receipt.remove()?;
        }
        all.push(one);
    }
    all.extend(without_receipt(store, run)?);
    Ok(all)
}

fn damaged(id: &str, why: &str) -> String {
    format!(
        "the receipt of container {id} is damaged ({why}) and was removed: what its run made on the host is \
         not known; look for its processes, its cgroups (*/glassbox-*{id}) and its link (gbx*)"
    )
}

fn undo(
    store: &Path,
    receipt: &receipt::Receipt,
    plan: Option<Plan>,
    kernel: &mut dyn Kernel,
    emitter: &mut Emitter<'_>,
    one: &mut Repaired,
) {
    let dir = record::containers_dir(store).join(&one.id);
    let path = dir.join("record.json");
    let record = record::read(&path).ok();
    let last = receipt.last();
    // The command may have begun before that could be written down.
    let has_run = || last.started.is_some() || plan.as_ref().is_some_and(|p| wrote(&dir.join("upper"), p));
    let keep = record.as_ref().is_some_and(|r| !r.remove && (r.status == Status::Exited || has_run()));
    if let Some(mut plan) = plan {
        one.action = plan.steps.iter().any(|s| matches!(s.op, Op::Image(_)));
        one.joined = plan.steps.iter().any(|s| matches!(s.op, Op::SpawnInside { .. }));
        kernel.begin(&plan, Watch::Off);
        // What the container wrote outlives the undoing of the directories that the plan made.
        plan.steps.retain(|s| !(keep && of_the_container(&s.op, &one.id)));
        one.left = rollback(&plan.steps, kernel, &slots(&last), emitter);
    }
    one.removed = !keep;
    if keep {
        if record.is_some_and(|r| r.status != Status::Exited)
            && let Err(e) = record::finish(&path, last.exit.unwrap_or(KILLED))
        {
            one.left.push((StepId("exit.record-exit".into()), Failure::new(e.to_string(), None)));
        }
    } else if let Err(e) = remove_tree(&dir) {
        one.left.push((
            StepId("exit.remove-container".into()),
            Failure::new(format!("remove {}", dir.display()), Some(e.into())),
        ));
    }
}

/// What was written down of the values that steps had filled in.
fn slots(last: &receipt::Running) -> Slots {
    let mut slots = Slots::new();
    if let Some(joined) = last.joined {
        slots.insert(Slot::ProcessPid, Value::volatile(Kind::Pid, joined.pid));
        slots.insert(Slot::ProcessBorn, Value::volatile(Kind::Time, joined.born));
    }
    slots
}

/// Whether the writable layer holds more than the places that init makes in it
/// to mount on.
fn wrote(upper: &Path, plan: &Plan) -> bool {
    let mut root = "";
    let mut places = Vec::new();
    for step in &plan.steps {
        match &step.op {
            Op::PivotRoot { new_root } => root = new_root,
            Op::Mount { target, .. } | Op::Bind { target, .. } => places.push(target.as_str()),
            Op::Exec { cwd, .. } => places.push(cwd),
            _ => {}
        }
    }
    let places: Vec<&Path> = places
        .into_iter()
        .map(|p| p.strip_prefix(root).unwrap_or(p).trim_matches('/'))
        .map(Path::new)
        .collect();
    more_than(upper, Path::new(""), &places)
}

fn more_than(upper: &Path, below: &Path, places: &[&Path]) -> bool {
    let Ok(entries) = fs::read_dir(upper.join(below)) else { return false };
    entries.flatten().any(|entry| {
        let path = below.join(entry.file_name());
        !places.iter().any(|p| p.starts_with(&path))
            || entry.file_type().is_ok_and(|t| t.is_dir()) && more_than(upper, &path, places)
    })
}

/// What no receipt speaks of. The receipt is made first and goes last, so a
/// directory without a record and a receipt is one whose removal was cut off,
/// and an unfinished record without a receipt is from before a reboot, which
/// took the run-time directory and all that was running.
fn without_receipt(store: &Path, run: &Path) -> io::Result<Vec<Repaired>> {
    let entries = match fs::read_dir(record::containers_dir(store)) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(e),
    };
    let receipts = receipt::receipts_dir(run);
    let rebooted = !receipts.exists();
    let mut all = Vec::new();
    for entry in entries.flatten() {
        let id = entry.file_name().to_string_lossy().into_owned();
        let dir = entry.path();
        let path = dir.join("record.json");
        if path.exists() && !rebooted || receipts.join(&id).exists() {
            continue;
        }
        // The directory is never there before the receipt, so now its run is
        // over: a record that is still missing will not come.
        let unrecorded = !path.exists();
        let mut one = Repaired { id, ..Repaired::default() };
        if unrecorded {
            one.removed = true;
        } else {
            match record::read(&path) {
                Ok(record) if record.status == Status::Exited => continue,
                Ok(record) if !record.remove => {
                    if record::finish(&path, KILLED).is_err() {
                        continue;
                    }
                }
                Ok(_) => one.removed = true,
                // Named where containers are listed.
                Err(_) => continue,
            }
        }
        if one.removed && remove_tree(&dir).is_err() {
            // A store that cannot be written: the next command tries again.
            continue;
        }
        all.push(one);
    }
    Ok(all)
}

/// Removes a container's directory; an absent one is fine. The record goes
/// first: cut off after that, the rest is known to be of no use.
pub fn remove_tree(dir: &Path) -> io::Result<()> {
    let absent = |done: io::Result<()>| match done {
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound) => Ok(()),
        done => done,
    };
    absent(fs::remove_file(dir.join("record.json")))?;
    absent(fs::remove_dir_all(dir))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::op::MountRole;
    use crate::plan::{Actor, PLAN_VERSION, Phase, Step};

    fn plan(ops: Vec<Op>) -> Plan {
        let step = |op| Step { id: StepId(String::new()), phase: Phase::Mounts, actor: Actor::Init, op };
        Plan { version: PLAN_VERSION, container: "c".to_owned(), steps: ops.into_iter().map(step).collect() }
    }

    #[test]
    fn what_the_command_wrote_is_told_from_what_init_made() {
        let bind = Op::Bind {
            role: MountRole::Volume,
            source: "/v".to_owned(),
            target: "/c/rootfs/data/deep".to_owned(),
            recursive: true,
            options: Vec::new(),
        };
        let exec = Op::Exec { argv: Vec::new(), env: Vec::new(), cwd: "/work".to_owned() };
        let plan = plan(vec![bind, Op::PivotRoot { new_root: "/c/rootfs".to_owned() }, exec]);
        let upper = tempfile::tempdir().unwrap();
        assert!(!wrote(upper.path(), &plan));
        assert!(!wrote(&upper.path().join("missing"), &plan));
        fs::create_dir_all(upper.path().join("data/deep")).unwrap();
        fs::create_dir(upper.path().join("work")).unwrap();
        assert!(!wrote(upper.path(), &plan));
        for path in ["data/deep/file", "data/file", "file"] {
            fs::write(upper.path().join(path), "").unwrap();
            assert!(wrote(upper.path(), &plan), "{path}");
            fs::remove_file(upper.path().join(path)).unwrap();
        }
    }
}
