//! What happens in a container while it lives, noted by the modelled kernel as it
//! does it, and handed over after each process's turn. Nothing is noted, and nothing
//! is looked for, unless somebody listens.

mod layer;
mod processes;

use layer::Ledger;

use super::process::Gpid;
use super::vfs::SbId;
use super::world::World;
use crate::kernel::fold::Fold;
use crate::kernel::{OnLife, Watch};
use crate::plan::{Op, Plan};
use crate::trace::{Kind, Life, Supplier, Value};

/// The notes on one container.
#[derive(Debug)]
pub(crate) struct Notes {
    /// Its first process.
    init: Gpid,
    /// Its union, and what is said of the layers, the uppermost first.
    union: Option<SbId>,
    suppliers: Vec<Supplier>,
    ledger: Ledger,
    fold: Fold,
    /// Not handed over yet.
    told: Vec<Life>,
    /// Processes that have ended, and when to see whether their parents asked.
    unasked: Vec<(Gpid, u64)>,
    /// Killed for want of memory, and not ended yet: the cgroup that had no more.
    starved: Vec<(Gpid, u32)>,
}

/// Reads from a plan what is to be said of the layers of its union.
pub(crate) fn suppliers(plan: &Plan) -> Vec<Supplier> {
    let of = |dir: &String| {
        let used = plan.steps.iter().find_map(|s| match &s.op {
            Op::UseLayer { dir: d, diff_id, created_by, .. } if d == dir => {
                let digest = Value::volatile(Kind::Digest, diff_id);
                Some(Supplier { digest, made_by: created_by.clone() })
            }
            Op::UnpackLayer { dir: d, diff_id, .. } if d == dir => {
                Some(Supplier { digest: Value::volatile(Kind::Digest, diff_id), made_by: String::new() })
            }
            _ => None,
        });
        used.unwrap_or_else(|| Supplier { digest: dir.as_str().into(), made_by: String::new() })
    };
    let lower = plan.steps.iter().find_map(|s| match &s.op {
        Op::MountOverlay { lower, .. } => Some(lower.iter().map(of).collect()),
        _ => None,
    });
    lower.unwrap_or_default()
}

impl World {
    /// Begins to note what the container of this first process does.
    pub(crate) fn note_life(&mut self, init: Gpid, suppliers: Vec<Supplier>, watch: Watch) {
        let root = self.procs.get(&init).map(|p| p.root.node.sb);
        let union = root.filter(|sb| self.watch_overlay(*sb));
        self.notes = Some(Box::new(Notes {
            init,
            union,
            suppliers,
            ledger: Ledger::default(),
            fold: Fold::new(watch),
            told: Vec::new(),
            unasked: Vec::new(),
            starved: Vec::new(),
        }));
    }

    /// Hands over what was noted since.
    pub(crate) fn tell_life(&mut self, hear: OnLife<'_>) {
        let Some(notes) = &mut self.notes else { return };
        for life in std::mem::take(&mut notes.told) {
            let ended = match &life {
                Life::Ended { process, .. } => Some(process.program.clone()),
                _ => None,
            };
            notes.fold.tell(life, hear);
            if let Some(program) = ended {
                notes.fold.flush(Some(&program), hear);
            }
        }
    }

    /// The container has ended: the writable layer as it is.
    pub(crate) fn end_life(&mut self, hear: OnLife<'_>) {
        self.tell_life(hear);
        let summary = self.layer_summary();
        let Some(mut notes) = self.notes.take() else { return };
        notes.fold.flush(None, hear);
        if let Some(summary) = summary {
            hear.tell(Life::LayerSummary(summary));
        }
    }
}

#[cfg(test)]
mod tests;
