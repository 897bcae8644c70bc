//! Collecting garbage, by reachability. What stays: blobs and layers that a
//! name or an id of the index leads to, that a living process leased, or that a
//! container was made from. All else goes.
//!
//! How this never races a pull, a load, a commit or a run:
//!
//! - Who brings something in, or relies on something being there, says so first:
//!   [`Store::lease`] writes the digests into the staging directory, which is
//!   locked while the process lives. Then it looks what is there.
//! - Who makes a container from an image takes a [`Pin`] before it looks the
//!   image up, and keeps it until the container's record names the layers.
//! - The collector waits for pins to be gone, and takes the store's lock, which
//!   leases are written under too: in this order, because who holds a pin may
//!   want the lock. Only then it reads index, leases and containers. So whatever
//!   was looked at before is kept, and whatever is looked at after is what is left.
//!
//! Names go from the index before content goes. Trees are moved aside under the
//! lock and removed without it. A kill at any point leaves garbage, never a name
//! without its content; the next collection takes the garbage.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};

use oci_spec::image::ImageIndex;
use rustix::fs::FlockOperation;

use super::Store;
use super::disk::Lock;
use crate::image::index::{Collected, Content, Marks};
use crate::image::layers::{remove_tree, unpacking};
use crate::image::{ImageError, calls, digest};

/// Chain IDs of the layers that containers are made from; asked for while
/// nothing can change.
pub type InUse<'a> = &'a dyn Fn() -> Result<BTreeSet<String>, ImageError>;

/// The container, by its short id, that runs from an image (its id) or is about to; asked
/// while nothing can change.
pub type Runs<'a> = &'a dyn Fn(&str) -> Result<Option<String>, ImageError>;

/// Keeps the collector away while an image becomes a container.
#[derive(Debug)]
pub struct Pin {
    _lock: File,
}

/// The collector's locks.
pub(super) struct Alone {
    _pins: File,
    _lock: Lock,
}

impl Store {
    /// Removes all that nothing leads to.
    ///
    /// # Errors
    /// When the store cannot be written, or what `in_use` returns.
    pub fn collect(&self, in_use: InUse<'_>) -> Result<Collected, ImageError> {
        let alone = self.alone()?;
        let index = self.index()?;
        self.collect_alone(alone, &index, in_use)
    }

    /// Waits until no one else changes the store or is making a container.
    pub(super) fn alone(&self) -> Result<Alone, ImageError> {
        self.prepare()?;
        Ok(Alone { _pins: self.pins(FlockOperation::LockExclusive)?, _lock: self.lock()? })
    }

    /// A pin; `None` where there is no store yet, and so nothing to collect.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn pin(&self) -> Result<Option<Pin>, ImageError> {
        if !self.root().join("oci-layout").exists() {
            return Ok(None);
        }
        Ok(Some(Pin { _lock: self.pins(FlockOperation::LockShared)? }))
    }

    fn pins(&self, how: FlockOperation) -> Result<File, ImageError> {
        self.locked("pins", how)
    }

    pub(super) fn collect_alone(
        &self,
        alone: Alone,
        index: &ImageIndex,
        in_use: InUse<'_>,
    ) -> Result<Collected, ImageError> {
        self.sweep();
        let marks = self.marked(index, in_use)?;
        // Removed when all is done, without the lock.
        let trash = self.stage_locked()?;
        let mut done = Collected::default();
        if !marks.all_layers {
            for name in names(&self.root().join("layers"))? {
                let chain = format!("sha256:{name}");
                let place = self.root().join("layers").join(&name);
                if digest::hex(&chain).is_none() || marks.chains.contains(&chain) || unpacking(&place) {
                    continue;
                }
                // A short name without its tree is made good by the next unpacking.
                remove_tree(&self.root().join(Store::short_name(&chain)))?;
                let aside = trash.path().join(&name);
                calls::rename(&place, &aside).map_err(|e| self.writing("rename", &place, e.into()))?;
                done.layers.insert(chain);
            }
        }
        if !marks.all_blobs {
            for name in names(&self.root().join("blobs/sha256"))? {
                let blob = format!("sha256:{name}");
                if digest::hex(&blob).is_none() || marks.blobs.contains(&blob) {
                    continue;
                }
                let path = self.blob(&blob)?;
                done.bytes += path.symlink_metadata().map_or(0, |m| m.len());
                calls::unlink(&path).map_err(|e| self.writing("remove", &path, e.into()))?;
                done.blobs.insert(blob);
            }
        }
        drop(alone);
        done.bytes += bytes_below(trash.path());
        Ok(done)
    }

    /// Removes those of these blobs and layers (chain IDs) that nothing leads to, by
    /// calling `remove` for each path: takes back what was brought in for an image
    /// that did not come to be.
    ///
    /// # Errors
    /// When the store cannot be read, and what `in_use` and `remove` return.
    pub fn discard(
        &self,
        blobs: &[&str],
        chains: &[&str],
        in_use: InUse<'_>,
        remove: &mut dyn FnMut(&Path) -> Result<(), ImageError>,
    ) -> Result<(), ImageError> {
        if !self.root().join("oci-layout").exists() {
            return Ok(());
        }
        let _alone = self.alone()?;
        let marks = self.marked(&self.index()?, in_use)?;
        let mut gone: Vec<PathBuf> = Vec::new();
        for chain in chains.iter().filter(|c| !marks.all_layers && !marks.chains.contains(**c)) {
            let place = self.layer_place(chain)?;
            if !unpacking(&place) {
                gone.extend([self.root().join(Store::short_name(chain)), place]);
            }
        }
        for blob in blobs.iter().filter(|b| !marks.all_blobs && !marks.blobs.contains(**b)) {
            gone.push(self.blob(blob)?);
        }
        gone.iter().filter(|path| path.symlink_metadata().is_ok()).try_for_each(|path| remove(path))
    }

    /// What may not go. No one else changes the store.
    fn marked(&self, index: &ImageIndex, in_use: InUse<'_>) -> Result<Marks, ImageError> {
        // One list for both: a lease does not say which is which.
        let leased = self.leased();
        let mut needed = Marks { chains: in_use()?, ..Marks::default() };
        needed.chains.extend(leased.iter().cloned());
        needed.blobs.extend(leased);
        Ok(self.marks(index, needed))
    }
}

/// The names in a directory, sorted.
fn names(dir: &Path) -> Result<BTreeSet<String>, ImageError> {
    let entries = std::fs::read_dir(dir).map_err(|e| ImageError::io("list", dir, e))?;
    Ok(entries.flatten().filter_map(|e| e.file_name().into_string().ok()).collect())
}

/// Bytes of all files below, each counted once for each name.
fn bytes_below(dir: &Path) -> u64 {
    let mut todo: Vec<PathBuf> = vec![dir.to_owned()];
    let mut bytes = 0;
    while let Some(dir) = todo.pop() {
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(meta) if meta.is_dir() => todo.push(entry.path()),
                Ok(meta) if meta.is_file() => bytes += meta.len(),
                _ => {}
            }
        }
    }
    bytes
}
