//! Files of the store: read whole, written whole, locked.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::FlockOperation;

use super::Store;
use crate::image::{ImageError, calls};
use crate::kernel::Errno;

/// How the names of files begin that are being written.
pub(super) const UNFINISHED: &str = "write-";

/// A file's content; `None` if there is no such file.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>, ImageError> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(ImageError::io("open", path, e)),
    };
    let mut text = Vec::new();
    file.read_to_end(&mut text).map_err(|e| ImageError::io("read", path, e))?;
    Ok(Some(text))
}

/// The store's lock, for as long as it lives.
pub struct Lock {
    _file: File,
}

impl Store {
    /// Makes the directories that are missing.
    pub(crate) fn prepare(&self) -> Result<(), ImageError> {
        let root = self.root();
        if root.join("oci-layout").exists() && root.join("tmp").is_dir() {
            return Ok(());
        }
        // Trees of layers hold setuid programs: no way in for other users.
        for (dir, mode) in
            [("", 0o711), ("blobs/sha256", 0o755), ("layers", 0o700), ("l", 0o700), ("tmp", 0o700)]
        {
            let dir = if dir.is_empty() { root.to_owned() } else { root.join(dir) };
            calls::make_dirs(&dir, mode).map_err(|e| self.writing("mkdir", &dir, e.into()))?;
        }
        // The file for the pins, so that who runs a container finds it made.
        drop(self.locked("pins", FlockOperation::LockShared)?);
        let _lock = self.flock()?;
        self.write("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)
    }

    /// Like [`Store::write`], for who does not hold the lock.
    pub(crate) fn write_alone(&self, name: &str, content: &[u8]) -> Result<(), ImageError> {
        let _lock = self.lock()?;
        self.write(name, content)
    }

    /// Writes a file of the root so that readers see the old one or the new one.
    /// The store is locked: the next one who locks it removes what a kill left.
    pub(super) fn write(&self, name: &str, content: &[u8]) -> Result<(), ImageError> {
        let path = self.root().join(name);
        let tmp = self.root().join("tmp");
        let failed = |e| self.writing("write", &path, e);
        let (file, new) = calls::temporary_file(UNFINISHED, &tmp, 0o644).map_err(failed)?;
        let put = calls::write_all(&file, content)
            .and_then(|()| calls::sync(&file, calls::Sync::Content))
            .and_then(|()| calls::rename(&new, &path));
        put.map_err(|e| {
            // What is left of it, the next writer removes.
            let _ = calls::unlink(&new);
            failed(e.into())
        })
    }

    /// Waits for the lock that writers of the index hold.
    pub(crate) fn lock(&self) -> Result<Lock, ImageError> {
        self.prepare()?;
        let lock = self.flock()?;
        self.recover()?;
        Ok(lock)
    }

    fn flock(&self) -> Result<Lock, ImageError> {
        Ok(Lock { _file: self.locked("lock", FlockOperation::LockExclusive)? })
    }

    /// A lock file of the store, locked. It is made only where it is missing: who
    /// runs a container from a store that stands changes nothing in it.
    pub(super) fn locked(&self, name: &str, how: FlockOperation) -> Result<File, ImageError> {
        let path = self.root().join(name);
        let open = |create| {
            File::options().read(true).write(true).create(create).truncate(false).mode(0o600).open(&path)
        };
        let file = match open(false) {
            Err(e) if e.kind() == ErrorKind::NotFound => open(true),
            other => other,
        };
        let file = file.map_err(|e| self.writing("open", &path, e))?;
        rustix::fs::flock(&file, how).map_err(|e| ImageError::io("lock", &path, e))?;
        Ok(file)
    }

    /// The short link for a layer that is unpacked; whether it was made now. An
    /// existing one stays.
    ///
    /// # Errors
    /// When the link cannot be made.
    pub fn link_short(&self, chain_id: &str) -> Result<bool, ImageError> {
        let Some(hex) = crate::image::digest::hex(chain_id) else { return Ok(false) };
        let link = self.root().join(Store::short_name(chain_id));
        match calls::symlink(&format!("../layers/{hex}/diff"), &link) {
            Ok(()) => Ok(true),
            Err(rustix::io::Errno::EXIST) => Ok(false),
            Err(e) => Err(self.writing("symlink", &link, e.into())),
        }
    }

    pub(crate) fn writing(&self, what: &'static str, path: &Path, error: std::io::Error) -> ImageError {
        match Errno::from(error) {
            Errno::EROFS => ImageError::ReadOnly { root: self.root().to_owned() },
            errno => ImageError::Io { what, path: path.to_owned(), errno },
        }
    }

    /// Whether containers' writable layers can live here, statfs(2).
    ///
    /// # Errors
    /// [`ImageError::NoUpper`] where overlayfs takes no upper directory,
    /// [`ImageError::ReadOnly`] where nothing can be written.
    pub fn check_upper(&self) -> Result<(), ImageError> {
        let there = self.root().ancestors().find(|p| p.exists()).unwrap_or(Path::new("/"));
        let fs = rustix::fs::statfs(there).map_err(|e| ImageError::io("statfs", there, e))?;
        if let Some(filesystem) = no_upper(fs.f_type as u64 & 0xffff_ffff) {
            return Err(ImageError::NoUpper { root: self.root().to_owned(), filesystem });
        }
        let vfs = rustix::fs::statvfs(there).map_err(|e| ImageError::io("statvfs", there, e))?;
        if vfs.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY) {
            return Err(ImageError::ReadOnly { root: self.root().to_owned() });
        }
        Ok(())
    }
}

/// File systems without what an upper directory needs: `trusted` attributes,
/// d_type, whiteouts by rename. The numbers are those of statfs(2).
fn no_upper(magic: u64) -> Option<&'static str> {
    Some(match magic {
        0x794c_7630 => "overlayfs",
        0x6969 => "nfs",
        0x6573_5546 => "fuse",
        0x4d44 => "vfat",
        0xf15f => "ecryptfs",
        0xff53_4d42 | 0xfe53_4d42 => "smb",
        0x0102_1997 => "9p",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_of_file_system_decides() {
        assert_eq!(no_upper(0x794c_7630), Some("overlayfs"));
        for good in [0xef53, 0x0102_1994, 0x5846_5342, 0x9123_683e] {
            assert_eq!(no_upper(good), None, "{good:x}");
        }
    }

    #[test]
    fn a_file_system_of_programs_cannot_be_written() {
        let store = Store::open("/proc/glassbox-test");
        assert!(matches!(store.lock(), Err(ImageError::Io { .. } | ImageError::ReadOnly { .. })));
    }
}
