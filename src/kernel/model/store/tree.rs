//! A directory of the modelled disk as a layer of a stack.

use std::io;
use std::path::{Path, PathBuf};

use crate::image::ImageError;
use crate::image::union::{self, Attributes, Open, Says, Stat, is_ours};
use crate::kernel::Errno;
use crate::kernel::model::disk::find;
use crate::kernel::model::overlay::{is_opaque, is_whiteout};
use crate::kernel::model::vfs::{Body, Ino, TREE_ROOT, Tree};
use crate::kernel::model::world::{DISK_SB, World};

pub struct DiskTree<'w> {
    disk: &'w Tree,
    top: Ino,
    path: PathBuf,
}

impl<'w> DiskTree<'w> {
    /// The tree below a directory of the disk.
    ///
    /// # Errors
    /// When it is not there.
    pub fn open(world: &'w World, path: &Path) -> Result<Self, ImageError> {
        let error = |errno| ImageError::io("open", path, errno);
        let disk = world.fs.tree(DISK_SB).map_err(error)?;
        let top = find(disk, TREE_ROOT, &path.to_string_lossy()).ok_or_else(|| error(Errno::ENOENT))?;
        disk.dir(top).map_err(error)?;
        Ok(DiskTree { disk, top, path: path.to_owned() })
    }
}

impl union::Tree for DiskTree<'_> {
    fn path(&self) -> &Path {
        &self.path
    }

    fn dir(&self, path: &[u8]) -> Result<Option<Box<dyn union::Node + '_>>, ImageError> {
        // The names of the modelled disk are text.
        let Ok(text) = std::str::from_utf8(path) else { return Ok(None) };
        let Some(ino) = find(self.disk, self.top, text) else { return Ok(None) };
        Ok(self.disk.dir(ino).is_ok().then(|| -> Box<dyn union::Node + '_> {
            Box::new(DiskDir { disk: self.disk, ino, path: self.path.join(text) })
        }))
    }
}

struct DiskDir<'w> {
    disk: &'w Tree,
    ino: Ino,
    path: PathBuf,
}

impl DiskDir<'_> {
    fn error(&self, what: &'static str, name: &[u8], errno: Errno) -> ImageError {
        ImageError::io(what, self.path.join(String::from_utf8_lossy(name).as_ref()), errno)
    }

    fn look(&self, name: &[u8]) -> Result<Ino, Errno> {
        if name == b"." {
            return Ok(self.ino);
        }
        self.disk.lookup(self.ino, std::str::from_utf8(name).map_err(|_| Errno::ENOENT)?)
    }
}

impl union::Node for DiskDir<'_> {
    fn opaque(&self) -> bool {
        is_opaque(self.disk, self.ino)
    }

    fn names(&self) -> Result<Vec<Vec<u8>>, ImageError> {
        let map = self.disk.dir(self.ino).map_err(|e| self.error("read directory", b"", e))?;
        Ok(map.keys().map(|name| name.as_bytes().to_vec()).collect())
    }

    fn says(&self, name: &[u8]) -> Result<Option<Says>, ImageError> {
        let ino = match self.look(name) {
            Ok(ino) => ino,
            Err(Errno::ENOENT) => return Ok(None),
            Err(e) => return Err(self.error("stat", name, e)),
        };
        let stat = stat(self.disk, ino).map_err(|e| self.error("stat", name, e))?;
        let inode = self.disk.get(ino).map_err(|e| self.error("stat", name, e))?;
        Ok(Some(if is_whiteout(&inode.body) { Says::Hides(stat) } else { Says::Has(stat) }))
    }

    fn file(&self, name: &[u8]) -> Result<Box<dyn Open + '_>, ImageError> {
        let ino = self.look(name).map_err(|e| self.error("open", name, e))?;
        match self.disk.get(ino).map(|inode| &inode.body) {
            Ok(Body::File(content)) => Ok(Box::new(DiskFile { disk: self.disk, ino, content })),
            Ok(_) => Err(self.error("read", name, Errno::EINVAL)),
            Err(e) => Err(self.error("read", name, e)),
        }
    }

    fn link(&self, name: &[u8]) -> Result<Vec<u8>, ImageError> {
        let ino = self.look(name).map_err(|e| self.error("readlink", name, e))?;
        match self.disk.get(ino).map(|inode| &inode.body) {
            Ok(Body::Symlink(target)) => Ok(target.as_bytes().to_vec()),
            Ok(_) => Err(self.error("readlink", name, Errno::EINVAL)),
            Err(e) => Err(self.error("readlink", name, e)),
        }
    }

    fn attributes(&self, name: &[u8]) -> Result<Attributes, ImageError> {
        let found = self.look(name).and_then(|ino| attributes(self.disk, ino));
        found.map_err(|e| self.error("read attributes of", name, e))
    }

    fn stat(&self) -> Result<Stat, ImageError> {
        stat(self.disk, self.ino).map_err(|e| self.error("stat", b"", e))
    }
}

struct DiskFile<'w> {
    disk: &'w Tree,
    ino: Ino,
    content: &'w [u8],
}

impl Open for DiskFile<'_> {
    fn stat(&self) -> Result<Stat, ImageError> {
        stat(self.disk, self.ino).map_err(|e| ImageError::io("stat", "a modelled file", e))
    }

    fn attributes(&self) -> Result<Attributes, ImageError> {
        attributes(self.disk, self.ino)
            .map_err(|e| ImageError::io("read attributes of", "a modelled file", e))
    }

    // The modelled disk knows no holes.
    fn parts(&self) -> Result<Option<Vec<(u64, u64)>>, ImageError> {
        Ok(None)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(self.content.len());
        let n = buffer.len().min(self.content.len() - start);
        buffer[..n].copy_from_slice(&self.content[start..start + n]);
        Ok(n)
    }
}

fn attributes(disk: &Tree, ino: Ino) -> Result<Attributes, Errno> {
    let all = disk.get(ino)?.xattrs.iter().flatten();
    Ok(all.filter(|(k, _)| is_ours(k.as_bytes())).map(|(k, v)| (k.as_bytes().to_vec(), v.clone())).collect())
}

fn stat(disk: &Tree, ino: Ino) -> Result<Stat, Errno> {
    let attr = disk.attr(ino)?;
    Ok(Stat {
        kind: attr.kind,
        mode: attr.mode & 0o7777,
        uid: attr.uid,
        gid: attr.gid,
        size: attr.size,
        blocks: attr.blocks,
        nlink: u64::from(attr.nlink),
        id: (u64::from(DISK_SB), ino),
        rdev: attr.rdev,
        mtime: (attr.mtime, 0),
    })
}
