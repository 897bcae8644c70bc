//! What has been told of the writable layer, path by path, and in the end how it
//! compares with what is there.

use std::collections::BTreeMap;

use super::upper::{Layers, Role, Standing};
use crate::kernel::fold::Fold;
use crate::kernel::{OnLife, Watch};
use crate::trace::{FileChange, FileType, Kind, LayerSummary, Life, Process, Value};

/// Of what was not seen as it happened, so many paths are named.
const NAMED: usize = 5;

/// The book of the writable layer.
#[derive(Debug)]
pub struct Ledger {
    told: BTreeMap<Vec<u8>, Role>,
    gone: u64,
    pub fold: Fold,
}

impl Ledger {
    /// An empty one.
    pub fn new(watch: Watch) -> Self {
        Ledger { told: BTreeMap::new(), gone: 0, fold: Fold::new(watch) }
    }

    /// Tells what stands at a path, unless it has been told already.
    pub fn stands(
        &mut self,
        path: &[u8],
        standing: Standing,
        process: Option<Process>,
        call: Option<&str>,
        hear: OnLife<'_>,
    ) {
        if self.told.insert(path.to_vec(), standing.role) == Some(standing.role) {
            return;
        }
        let role = standing.role;
        let change = Box::new(change(path, standing, process, call));
        let life = match role {
            Role::Copy => Life::CopyUp(change),
            Role::Whiteout => Life::Whiteout(change),
            Role::Opaque => Life::Opaque(change),
            Role::Redirect => Life::Redirect(change),
            Role::Created => Life::Created(change),
        };
        self.fold.tell(life, hear);
    }

    /// What stands there before the command runs.
    pub fn before(&mut self, layers: &mut Layers) {
        for path in layers.walk() {
            if let Some(standing) = layers.standing(&path) {
                self.told.insert(path, standing.role);
            }
        }
    }

    /// Nothing stands there any more.
    pub fn vanished(&mut self, path: &[u8]) {
        self.gone += u64::from(self.told.remove(path).is_some());
    }

    /// Counts what is there, once nobody changes it any more.
    pub fn summary(&self, layers: &mut Layers) -> LayerSummary {
        let mut sum = LayerSummary::default();
        let mut there = 0;
        for path in layers.walk() {
            let Some(found) = layers.standing(&path) else { continue };
            match (found.role, found.what) {
                (Role::Copy, FileType::Directory) => sum.directories += 1,
                (Role::Copy, _) => {
                    sum.copied += 1;
                    sum.copied_bytes += found.stands.unwrap_or(0);
                }
                (Role::Whiteout, _) => sum.whiteouts += 1,
                (Role::Opaque, _) => sum.opaque += 1,
                (Role::Redirect, _) => sum.redirects += 1,
                (Role::Created, _) => sum.created += 1,
            }
            if self.told.get(&path) == Some(&found.role) {
                there += 1;
            } else {
                sum.unseen += 1;
                if sum.unseen_paths.len() < NAMED {
                    sum.unseen_paths.push(shown(&path));
                }
            }
        }
        sum.gone = self.gone + self.told.len() as u64 - there;
        sum
    }
}

/// A path of the layer as the container has it.
pub fn shown(path: &[u8]) -> String {
    format!("/{}", String::from_utf8_lossy(path))
}

/// What is told of a path.
pub fn change(path: &[u8], of: Standing, process: Option<Process>, call: Option<&str>) -> FileChange {
    FileChange {
        process,
        call: call.map(str::to_owned),
        path: shown(path),
        what: of.what,
        bytes: of.bytes,
        stands: of.stands.map(|n| Value::volatile(Kind::Bytes, n)),
        layer: of.layer,
        hidden: of.hidden,
        from: of.from,
    }
}
