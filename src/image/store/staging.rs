//! Unfinished work: a directory below `tmp/` that is locked while its process
//! lives, so that the next one can tell what was left by a kill.

use std::fs::File;
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;

use super::Store;
use crate::image::ImageError;
use crate::image::layers::remove_tree;

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
        let tmp = self.root().join("tmp");
        let dir = tempfile::Builder::new()
            .prefix("stage-")
            .tempdir_in(&tmp)
            .map_err(|e| self.writing("mkdir in", &tmp, e))?;
        let lock = File::open(dir.path()).map_err(|e| ImageError::io("open", dir.path(), e))?;
        rustix::fs::flock(&lock, FlockOperation::LockExclusive)
            .map_err(|e| ImageError::io("lock", dir.path(), e))?;
        Ok(Staging { path: dir.keep(), _lock: lock })
    }

    /// Removes staging directories whose process is gone. The store is locked.
    fn sweep(&self) {
        let Ok(entries) = std::fs::read_dir(self.root().join("tmp")) else { return };
        for entry in entries.flatten() {
            if !entry.file_name().as_encoded_bytes().starts_with(b"stage-") {
                continue;
            }
            let Ok(dir) = File::open(entry.path()) else { continue };
            if rustix::fs::flock(&dir, FlockOperation::NonBlockingLockExclusive).is_ok() {
                let _ = remove_tree(&entry.path());
            }
        }
    }
}
