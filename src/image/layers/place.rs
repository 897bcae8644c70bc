//! Where a layer is unpacked until it is complete: a temporary sibling of its
//! destination, locked while its process lives.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{self, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use super::remove_tree;
use crate::image::{ImageError, calls};

const PREFIX: &str = ".unpack-";

/// The temporary sibling of a destination; removed when dropped.
pub(super) struct Place {
    temp: PathBuf,
    made: Vec<PathBuf>,
    settled: bool,
    _lock: Option<File>,
}

impl Place {
    /// Makes it, and the directories above it that are missing.
    pub fn make(dest: &Path) -> Result<Self, ImageError> {
        let parent = dest.parent().unwrap_or(Path::new("/"));
        let mut place = Place { temp: PathBuf::new(), made: Vec::new(), settled: false, _lock: None };
        let missing: Vec<&Path> = parent.ancestors().take_while(|p| !p.exists()).collect();
        for dir in missing.into_iter().rev() {
            match calls::mkdir(dir, 0o700) {
                Ok(()) => place.made.push(dir.to_owned()),
                Err(Errno::EXIST) => {}
                Err(e) => return Err(ImageError::io("mkdir", dir, e)),
            }
        }
        // A sweeper looks only while it holds the parent's lock: it never sees
        // a new place that is not locked yet.
        let _parent = lock(parent, FlockOperation::LockExclusive)?;
        place.temp =
            calls::temporary_dir(PREFIX, parent).map_err(|e| ImageError::io("mkdir in", parent, e))?;
        place._lock = Some(lock(&place.temp, FlockOperation::LockExclusive)?);
        Ok(place)
    }

    /// A handle of it.
    pub fn open(&self) -> Result<OwnedFd, ImageError> {
        calls::chmod(&self.temp, 0o755).map_err(|e| ImageError::io("chmod", &self.temp, e))?;
        fs::open(&self.temp, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
            .map_err(|e| ImageError::io("open", &self.temp, e))
    }

    /// Whether this tree became `dest`; another one may have won.
    pub fn settle(mut self, dest: &Path) -> Result<bool, ImageError> {
        match calls::rename_new(&self.temp, dest) {
            Ok(()) => {
                self.settled = true;
                Ok(true)
            }
            Err(Errno::EXIST | Errno::NOTEMPTY) => Ok(false),
            Err(e) => Err(ImageError::io("rename to", dest, e)),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.settled {
            return;
        }
        if !self.temp.as_os_str().is_empty() {
            // A destructor cannot report; a sweep tries again.
            let _ = remove_tree(&self.temp);
        }
        for dir in self.made.iter().rev() {
            let _ = calls::rmdir(dir);
        }
    }
}

/// Removes what a killed unpacking of `dest` left beside it, and the directory
/// above when it is then empty. A living one is left alone.
///
/// # Errors
/// [`ImageError::Io`] when something cannot be removed.
pub fn sweep_unfinished(dest: &Path) -> Result<(), ImageError> {
    let parent = dest.parent().unwrap_or(Path::new("/"));
    let Ok(entries) = std::fs::read_dir(parent) else { return Ok(()) };
    let held = lock(parent, FlockOperation::LockExclusive)?;
    for entry in entries.flatten() {
        if !entry.file_name().as_encoded_bytes().starts_with(PREFIX.as_bytes()) {
            continue;
        }
        if lock(&entry.path(), FlockOperation::NonBlockingLockExclusive).is_ok() {
            remove_tree(&entry.path())?;
        }
    }
    drop(held);
    let _ = calls::rmdir(parent);
    Ok(())
}

/// Whether something is being unpacked in this directory now.
pub fn unpacking(parent: &Path) -> bool {
    let unfinished = std::fs::read_dir(parent).into_iter().flatten().flatten();
    unfinished.filter(|e| e.file_name().as_encoded_bytes().starts_with(PREFIX.as_bytes())).any(|e| {
        // Gone in the meantime is not alive.
        matches!(lock(&e.path(), FlockOperation::NonBlockingLockExclusive), Err(ImageError::Io { errno, .. }) if errno == crate::kernel::Errno::EAGAIN)
    })
}

fn lock(dir: &Path, how: FlockOperation) -> Result<File, ImageError> {
    let file = File::open(dir).map_err(|e| ImageError::io("open", dir, e))?;
    fs::flock(&file, how).map_err(|e| ImageError::io("lock", dir, e))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sweep_takes_the_dead_and_leaves_the_living() {
        let root = tempfile::tempdir().unwrap();
        let dest = root.path().join("layers/x/diff");
        let alive = Place::make(&dest).unwrap();
        let dead = dest.with_file_name(".unpack-dead");
        std::fs::create_dir_all(dead.join("deep")).unwrap();
        sweep_unfinished(&dest).unwrap();
        assert!(!dead.exists() && alive.temp.exists());
        drop(alive);
        assert!(!root.path().join("layers").exists());
        std::fs::create_dir_all(&dead).unwrap();
        sweep_unfinished(&dest).unwrap();
        assert!(!dest.parent().unwrap().exists());
        sweep_unfinished(&dest).unwrap();
    }
}
