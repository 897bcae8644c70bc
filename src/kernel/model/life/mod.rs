//! What happens in a container while it lives, noted by the modelled kernel as it
//! does it, and handed over after each process's turn. Nothing is noted, and nothing
//! is looked for, unless somebody listens.

mod hold;
mod layer;
mod processes;

use super::process::Gpid;
use super::vfs::SbId;
use super::world::World;
use crate::kernel::ledger::Ledger;
use crate::kernel::{OnLife, Watch};
use crate::trace::{LayerSummary, Life, Supplier};

/// The notes on one container.
#[derive(Debug)]
pub(crate) struct Notes {
    /// Its first process.
    init: Gpid,
    /// Its union, and what is said of the layers, the uppermost first.
    union: Option<SbId>,
    suppliers: Vec<Supplier>,
    ledger: Ledger,
    /// Not handed over yet.
    told: Vec<Life>,
    /// Somebody may want to hold a process before its call.
    holds: bool,
    /// What the process whose turn it is waits for an answer to.
    question: Option<Life>,
    /// The writable layer as it stood when the first process ended: the union goes
    /// with the last of its users.
    summary: Option<LayerSummary>,
    /// Processes that have ended, and when to see whether their parents asked.
    unasked: Vec<(Gpid, u64)>,
    /// Killed for want of memory, and not ended yet: the cgroup that had no more.
    starved: Vec<(Gpid, u32)>,
}

impl World {
    /// Begins to note what the container of this first process does.
    pub(crate) fn note_life(&mut self, init: Gpid, suppliers: Vec<Supplier>, watch: Watch, holds: bool) {
        let root = self.procs.get(&init).map(|p| p.root.node.sb);
        let union = root.filter(|sb| self.watch_overlay(*sb));
        self.notes = Some(Box::new(Notes {
            init,
            union,
            suppliers,
            ledger: Ledger::new(watch),
            told: Vec::new(),
            holds,
            question: None,
            summary: None,
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
            notes.ledger.fold.tell(life, hear);
            if let Some(program) = ended {
                notes.ledger.fold.flush(Some(&program), hear);
            }
        }
    }

    /// The container has ended: the writable layer as it is.
    pub(crate) fn end_life(&mut self, hear: OnLife<'_>) {
        self.tell_life(hear);
        let Some(mut notes) = self.notes.take() else { return };
        notes.ledger.fold.flush(None, hear);
        if let Some(summary) = notes.summary {
            hear.tell(Life::LayerSummary(summary));
        }
    }
}

#[cfg(test)]
mod tests;
