//! What has been told of the writable layer, path by path, and in the end how it
//! compares with what is there. Both kernels keep their book here.

use std::collections::BTreeMap;

use super::Watch;
use super::fold::Fold;
use crate::trace::{FileChange, FileType, Kind, LayerSummary, Life, Process, Supplier, Value};

/// Of what was not seen as it happened, so many paths are named.
const NAMED: usize = 5;

/// What a path of the writable layer is, held against the layers below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A copy of what the layers below have there.
    Copy,
    /// It hides what they have.
    Whiteout,
    /// A directory that hides theirs and all in it.
    Opaque,
    /// A directory whose lower part lies elsewhere.
    Redirect,
    /// Nothing of the sort lies below.
    Created,
}

/// One path of the writable layer, or of the layers below.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// What the path is.
    pub role: Role,
    /// What stands there; of a whiteout what it hides.
    pub what: FileType,
    /// Bytes of the layer's file.
    pub bytes: Option<u64>,
    /// Bytes in the writable layer.
    pub stands: Option<u64>,
    /// The layer whose it was.
    pub layer: Option<Supplier>,
    /// Further layers that have the path.
    pub hidden: Vec<Supplier>,
    /// Where the redirect leads.
    pub from: Option<String>,
}

/// The book of the writable layer.
#[derive(Debug)]
pub struct Ledger {
    told: BTreeMap<Vec<u8>, Role>,
    gone: u64,
    /// Through which everything is told.
    pub fold: Fold,
}

impl Ledger {
    /// An empty one.
    pub fn new(watch: Watch) -> Self {
        Ledger { told: BTreeMap::new(), gone: 0, fold: Fold::new(watch) }
    }

    /// What is to be told of what stands at a path: nothing, if it has been told.
    pub fn stands(
        &mut self,
        path: &[u8],
        standing: Standing,
        process: Option<Process>,
        call: Option<&str>,
    ) -> Option<Life> {
        let role = standing.role;
        if self.told.insert(path.to_vec(), role) == Some(role) {
            return None;
        }
        let change = Box::new(change(path, standing, process, call));
        Some(match role {
            Role::Copy => Life::CopyUp(change),
            Role::Whiteout => Life::Whiteout(change),
            Role::Opaque => Life::Opaque(change),
            Role::Redirect => Life::Redirect(change),
            Role::Created => Life::Created(change),
        })
    }

    /// What stands there before the command runs.
    pub fn before(&mut self, standing: impl Iterator<Item = (Vec<u8>, Standing)>) {
        self.told.extend(standing.map(|(path, s)| (path, s.role)));
    }

    /// Nothing stands there any more.
    pub fn vanished(&mut self, path: &[u8]) {
        self.gone += u64::from(self.told.remove(path).is_some());
    }

    /// Somebody of whom nothing is told changed this: what those do there that are told
    /// is news again.
    pub fn forget(&mut self, path: &[u8]) {
        self.told.remove(path);
    }

    /// A directory went elsewhere with all that is in it.
    pub fn moved(&mut self, from: &[u8], to: &[u8]) {
        let below = [from, b"/"].concat();
        let went: Vec<_> = self.told.keys().filter(|path| path.starts_with(&below)).cloned().collect();
        for path in went {
            if let Some(role) = self.told.remove(&path) {
                self.told.insert([to, b"/", &path[below.len()..]].concat(), role);
            }
        }
    }

    /// Counts what is there, once nobody changes it any more: each path of the layer.
    pub fn summary(&self, standing: impl Iterator<Item = (Vec<u8>, Standing)>) -> LayerSummary {
        let mut sum = LayerSummary::default();
        let mut there = 0;
        for (path, found) in standing {
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
