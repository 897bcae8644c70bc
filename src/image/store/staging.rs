//! Unfinished work: a directory below `tmp/` that is locked while its process
//! lives, so that the next one can tell what was left by a kill.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;
use rustix::io::Errno;

use super::Store;
use super::disk::UNFINISHED;
use crate::image::layers::remove_tree;
use crate::image::{ImageError, calls};

/// What a stage keeps from the collectors: a digest per line.
const LEASES: &str = "leases";

/// A directory of one's own; removed when dropped.
#[derive(Debug)]
pub struct Staging {
    path: PathBuf,
    _lock: File,
}

impl Staging {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // A destructor cannot report; the next writer tries again.
        let _ = remove_tree(&self.path);
    }
}

impl Store {
    /// A new staging directory. What dead processes left is removed first.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn stage(&self) -> Result<Staging, ImageError> {
        let _lock = self.lock()?;
        self.sweep();
        self.settle_on_disk()?;
        self.stage_locked()
    }

    /// The same for who holds the store's lock.
    pub(super) fn stage_locked(&self) -> Result<Staging, ImageError> {
        let tmp = self.root().join("tmp");
        let path = calls::temporary_dir("stage-", &tmp).map_err(|e| self.writing("mkdir in", &tmp, e))?;
        let lock = File::open(&path).map_err(|e| ImageError::io("open", &path, e))?;
        rustix::fs::flock(&lock, FlockOperation::LockExclusive)
            .map_err(|e| ImageError::io("lock", &path, e))?;
        Ok(Staging { path, _lock: lock })
    }

    /// Keeps blobs and layers (digests, chain IDs) from every collection of
    /// garbage while the stage lives, whether they are there now or come later.
    /// What is found there after this call stays there. Replaces an earlier lease.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn lease<'a>(
        &self,
        stage: &Staging,
        digests: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), ImageError> {
        // Under the lock: a collector at work has either read it or is done.
        let _lock = self.lock()?;
        let digests: Vec<&str> = digests.into_iter().collect();
        self.note_unsynced(digests.iter().copied())?;
        let text: String = digests.into_iter().flat_map(|d| [d, "\n"]).collect();
        let path = stage.path().join(LEASES);
        // An earlier one is replaced whole.
        let new = stage.path().join("leases-new");
        calls::write_new(&new, text.as_bytes())
            .and_then(|()| calls::rename(&new, &path))
            .map_err(|e| self.writing("write", &path, e.into()))
    }

    /// Everything that living processes have leased. The store is locked.
    pub(crate) fn leased(&self) -> BTreeSet<String> {
        let mut all = BTreeSet::new();
        for (path, dir) in self.stages() {
            if rustix::fs::flock(&dir, FlockOperation::NonBlockingLockExclusive).is_err() {
                let text = std::fs::read_to_string(path.join(LEASES)).unwrap_or_default();
                all.extend(text.lines().map(str::to_owned));
            }
        }
        all
    }

    /// Moves something staged to its final place, unless it is there; whether it
    /// was moved.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub(crate) fn settle(&self, from: &Path, to: &Path) -> Result<bool, ImageError> {
        let parent = to.parent().unwrap_or(self.root());
        loop {
            match calls::rename_new(from, to) {
                Ok(()) => return Ok(true),
                Err(Errno::EXIST | Errno::NOTEMPTY) => return Ok(false),
                // A failed unpacking beside it takes an empty directory away.
                Err(Errno::NOENT) if from.symlink_metadata().is_ok() => match calls::mkdir(parent, 0o777) {
                    Err(e) if e != Errno::EXIST => {
                        return Err(self.writing("mkdir", parent, e.into()));
                    }
                    _ => {}
                },
                Err(e) => return Err(self.writing("rename to", to, e.into())),
            }
        }
    }

    fn stages(&self) -> Vec<(PathBuf, File)> {
        let Ok(entries) = std::fs::read_dir(self.root().join("tmp")) else { return Vec::new() };
        let ours = entries.flatten().filter(|e| e.file_name().as_encoded_bytes().starts_with(b"stage-"));
        ours.filter_map(|e| Some((e.path(), File::open(e.path()).ok()?))).collect()
    }

    /// Removes staging directories whose process is gone, and files that were being
    /// written. The store is locked.
    pub(super) fn sweep(&self) {
        for entry in std::fs::read_dir(self.root().join("tmp")).into_iter().flatten().flatten() {
            if entry.file_name().as_encoded_bytes().starts_with(UNFINISHED.as_bytes()) {
                let _ = calls::unlink(&entry.path());
            }
        }
        for (path, dir) in self.stages() {
            if rustix::fs::flock(&dir, FlockOperation::NonBlockingLockExclusive).is_ok() {
                let _ = remove_tree(&path);
            }
        }
    }
}
