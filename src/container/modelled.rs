//! The modelled machine's disk between two commands: one file, replaced whole,
//! changed by one command at a time.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};

use super::files::write_atomic;
use crate::image::ImageError;
use crate::kernel::Errno;
use crate::kernel::model::World;

pub use crate::kernel::model::STORE;
pub use crate::play::{container_dir, image};

/// Why the modelled disk cannot be read or kept.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// The real file system refused.
    #[error("{what} the modelled disk {}: {error}", .path.display())]
    Io {
        /// `read`, `write`, `lock`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The file is no modelled disk of this version.
    #[error("read the modelled disk {}: {reason}", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where and why.
        reason: String,
    },
    /// The store on it is damaged, or cannot be written.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The modelled file system refused.
    #[error("keep {path} on the modelled disk: {errno}")]
    Model {
        /// A path of the modelled disk.
        path: String,
        /// Why.
        errno: Errno,
    },
}

/// The saved disk in a model's directory.
#[derive(Clone, Debug)]
pub struct Disk {
    dir: PathBuf,
}

impl Disk {
    /// Names the disk of the model's directory; nothing is read.
    pub fn open(dir: &Path) -> Disk {
        Disk { dir: dir.to_owned() }
    }

    fn file(&self) -> PathBuf {
        self.dir.join("world.json")
    }

    /// Boots a machine with the disk as it is now; a disk that was never written
    /// is a new one.
    ///
    /// # Errors
    /// When the file cannot be read or is damaged.
    pub fn boot(&self) -> Result<World, DiskError> {
        let path = self.file();
        match fs::read(&path) {
            Ok(bytes) => World::load(&bytes).map_err(|e| DiskError::Damaged { path, reason: e.to_string() }),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(World::new()),
            Err(error) => Err(DiskError::Io { what: "read", path, error }),
        }
    }

    /// Changes the disk: nobody else does meanwhile, and readers see it before or
    /// after, never between.
    ///
    /// # Errors
    /// Those of reading and writing, and of the change itself.
    pub fn change(&self, change: impl FnOnce(&mut World) -> Result<(), DiskError>) -> Result<(), DiskError> {
        let path = self.dir.join("lock");
        let error = |what, path: &Path| {
            let path = path.to_owned();
            move |error| DiskError::Io { what, path, error }
        };
        fs::create_dir_all(&self.dir).map_err(error("write", &self.dir))?;
        let lock = File::options().create(true).write(true).truncate(false).open(&path);
        let _lock = Flock::lock(lock.map_err(error("lock", &path))?, FlockArg::LockExclusive)
            .map_err(|(_, e)| error("lock", &path)(e.into()))?;
        let mut world = self.boot()?;
        change(&mut world)?;
        write_atomic(&self.file(), &world.save()).map_err(error("write", &self.file()))
    }

    /// Keeps what a machine has at these paths now, and nothing else of it: other
    /// commands may have changed the disk since it booted.
    ///
    /// # Errors
    /// Those of [`Disk::change`].
    pub fn keep(&self, machine: &World, paths: &[String]) -> Result<(), DiskError> {
        self.change(|world| {
            paths.iter().try_for_each(|path| {
                world.disk_take(machine, path).map_err(|errno| DiskError::Model { path: path.clone(), errno })
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::model::HostEntry;

    #[test]
    fn what_two_machines_keep_stands_side_by_side() {
        let place = tempfile::tempdir().unwrap();
        let disk = Disk::open(&place.path().join("model"));
        let machine = |name: &str| {
            let mut world = disk.boot().unwrap();
            let path = format!("{name}/upper");
            world.populate("/containers", &[HostEntry::Dir { path, mode: 0o755 }]).unwrap();
            world
        };
        let (a, b) = (machine("a"), machine("b"));
        assert!(!place.path().join("model").exists(), "booting writes nothing");
        disk.keep(&a, &["/containers/a".to_owned()]).unwrap();
        disk.keep(&b, &["/containers/b".to_owned()]).unwrap();
        assert_eq!(disk.boot().unwrap().disk_names("/containers"), ["a", "b"]);
        fs::write(disk.file(), "{}").unwrap();
        assert!(matches!(disk.boot(), Err(DiskError::Damaged { .. })));
    }
}
