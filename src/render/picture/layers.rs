//! The layer stack: the image's read-only layers, the container's writable one
//! that fills, and the union of them.

use std::collections::HashSet;

use serde::Serialize;

use super::fact;
use crate::plan::Op;
use crate::plan::image::ImageOp;
use crate::trace::{Fact, LayerSummary, Life, Value};

/// The stack as far as it is there.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Layers {
    /// The image's name, when it was resolved.
    pub image: Option<String>,
    /// The lowest first.
    pub read_only: Vec<Layer>,
    /// The container's own.
    pub writable: Option<Writable>,
    /// The mount that unites them.
    pub union: Option<Union>,
}

/// A layer of the image.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Layer {
    /// Position, 1 is the lowest.
    pub index: u32,
    /// Its tree in the store.
    pub dir: String,
    /// Digest of the uncompressed tar.
    pub diff_id: String,
    /// Digest over this layer and all below it: the name of the tree.
    pub chain_id: String,
    /// What made it, where the plan says so.
    pub created_by: Option<String>,
    /// Bytes of its files, where they were counted.
    pub bytes: Option<u64>,
    /// Entries of its tar, where they were counted.
    pub entries: Option<u64>,
    /// Names that it deletes from layers below, where they were counted.
    pub whiteouts: Option<u64>,
    /// The names in its root, as read back.
    pub root: Option<String>,
    /// The store had it unpacked before.
    pub reused: bool,
}

/// The container's writable layer.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Writable {
    /// Its tree.
    pub dir: String,
    /// What the container put there, in the order in which it did; sorted by
    /// path where it was read at the end only.
    pub entries: Vec<Entry>,
    /// Of all entries: a container may make very many.
    #[serde(skip)]
    paths: HashSet<String>,
    /// What was found in it on disk at the end.
    pub summary: Option<LayerSummary>,
    /// It was removed with the container.
    pub removed: bool,
    /// It is that of a container which goes on: others change it too, and what stood there
    /// before is not among the entries.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub shared: bool,
}

/// Something that stands in the writable layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// As the container calls it.
    pub path: String,
    /// What stands there.
    pub what: What,
    /// Bytes copied up, where known.
    pub bytes: Option<u64>,
    /// Digest of the layer that supplied the file until then, where known.
    pub from: Option<Value>,
}

/// What stands in the writable layer for a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// Something that no layer has.
    Added,
    /// A copy, taken when a lower layer's file was first changed.
    Copied,
    /// A whiteout: the lower layers' file is hidden.
    Whiteout,
    /// A directory that hides what is below it.
    Opaque,
    /// A directory that was renamed and says where its lower part is.
    Redirect,
}

/// The overlay mount.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Union {
    /// Where it is or will be mounted, on the host.
    pub target: String,
    /// It is in init's mount tree.
    pub attached: bool,
    /// It is the container's `/`.
    pub root: bool,
}

impl Layers {
    pub(super) fn done(&mut self, op: &Op, facts: &[Fact]) {
        match op {
            Op::ReadImage { reference, .. } => self.image = Some(reference.clone()),
            Op::UnpackLayer { index, diff_id, chain_id, dir, .. } => {
                self.add(Layer::new(*index, dir, diff_id, chain_id, facts));
            }
            Op::UseLayer { index, diff_id, chain_id, dir, created_by } => {
                let mut layer = Layer::new(*index, dir, diff_id, chain_id, facts);
                layer.reused = true;
                layer.created_by = Some(created_by.clone());
                self.add(layer);
            }
            Op::Image(ImageOp::TakeLayer { index, diff_id, chain_id, dir, unpacked, .. }) => {
                let mut layer = Layer::new(*index, dir, diff_id, chain_id, facts);
                layer.reused = *unpacked;
                self.add(layer);
            }
            Op::MountOverlay { upper, target, .. } => {
                self.writable = Some(Writable { dir: upper.clone(), ..Writable::default() });
                self.union = Some(Union { target: target.clone(), attached: false, root: false });
            }
            Op::JoinNamespaces { .. } => {
                self.writable = Some(Writable { shared: true, ..Writable::default() });
            }
            Op::AttachRootfs { .. } => self.each_union(|u| u.attached = true),
            Op::PivotRoot { .. } => self.each_union(|u| (u.attached, u.root) = (true, true)),
            Op::Supervise { .. } => self.union = None,
            Op::ReadChanges { .. } => self.read(facts),
            Op::RemoveContainer { .. } => {
                if let Some(writable) = &mut self.writable {
                    writable.removed = true;
                    writable.entries.clear();
                    writable.paths.clear();
                }
                self.union = None;
            }
            _ => {}
        }
    }

    pub(super) fn undone(&mut self, op: &Op) {
        match op {
            Op::MountOverlay { .. } => self.union = None,
            Op::MakeDir { path, .. } => {
                if let Some(writable) = self.writable.as_mut().filter(|w| w.dir == *path) {
                    writable.removed = true;
                }
            }
            Op::Image(ImageOp::TakeLayer { dir, unpacked: false, .. }) => {
                self.read_only.retain(|l| l.dir != *dir);
            }
            _ => {}
        }
    }

    /// The writable layer fills.
    pub(super) fn life(&mut self, life: &Life) {
        let (change, what) = match life {
            Life::CopyUp(change) => (change, What::Copied),
            Life::Whiteout(change) => (change, What::Whiteout),
            Life::Opaque(change) => (change, What::Opaque),
            Life::Redirect(change) => (change, What::Redirect),
            Life::Created(change) => (change, What::Added),
            Life::LayerSummary(summary) => {
                if let Some(writable) = &mut self.writable {
                    writable.summary = Some(summary.clone());
                }
                return;
            }
            _ => return,
        };
        let Some(writable) = &mut self.writable else { return };
        let bytes = change.bytes.filter(|_| what == What::Copied);
        let from = change.layer.as_ref().map(|l| l.digest.clone());
        writable.forget(&change.path);
        // What was made in this container and goes leaves nothing to hide.
        if what != What::Whiteout || from.is_some() {
            writable.put(Entry { path: change.path.clone(), what, bytes, from });
        }
    }

    fn add(&mut self, layer: Layer) {
        self.read_only.retain(|l| l.dir != layer.dir);
        self.read_only.push(layer);
        self.read_only.sort_by_key(|l| l.index);
    }

    fn each_union(&mut self, change: impl FnOnce(&mut Union)) {
        if let Some(union) = &mut self.union {
            change(union);
        }
    }

    /// What was read back from the writable layer at the end: `A`, `C` or `D` for
    /// each path. What was told while it happened says more, and stays.
    fn read(&mut self, facts: &[Fact]) {
        let Some(writable) = &mut self.writable else { return };
        for fact in facts.iter().filter(|f| f.key.starts_with('/')) {
            let what = match fact.value.text().as_str() {
                "A" => What::Added,
                "C" => What::Copied,
                "D" => What::Whiteout,
                _ => continue,
            };
            if !writable.paths.contains(&fact.key) {
                writable.put(Entry { path: fact.key.clone(), what, bytes: None, from: None });
            }
        }
    }
}

impl Layer {
    fn new(index: u32, dir: &str, diff_id: &str, chain_id: &str, facts: &[Fact]) -> Layer {
        let count = |key: &str| match fact(facts, key)? {
            Value::Int(n) => u64::try_from(*n).ok(),
            other => other.text().parse().ok(),
        };
        Layer {
            index,
            dir: dir.to_owned(),
            diff_id: diff_id.to_owned(),
            chain_id: chain_id.to_owned(),
            created_by: None,
            bytes: count("bytes of files"),
            entries: count("entries"),
            whiteouts: count("whiteouts"),
            root: fact(facts, "its root").map(Value::text),
            reused: false,
        }
    }
}

impl Writable {
    fn put(&mut self, entry: Entry) {
        self.paths.insert(entry.path.clone());
        self.entries.push(entry);
    }

    fn forget(&mut self, path: &str) {
        if self.paths.remove(path) {
            self.entries.retain(|e| e.path != path);
        }
    }

    /// Bytes copied up so far, as far as they are known.
    pub fn copied(&self) -> u64 {
        self.entries.iter().filter_map(|e| e.bytes).sum()
    }

    /// How many entries there are of a kind.
    pub fn count(&self, what: What) -> usize {
        self.entries.iter().filter(|e| e.what == what).count()
    }
}
