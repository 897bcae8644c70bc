//! One layer's tree, read beneath its root.

use std::ffi::{CStr, OsStr};
use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{self, AtFlags, CWD, Dir, FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;

use super::{Says, host_path};
use crate::image::ImageError;

/// Attributes of overlayfs itself: `trusted.` as root, `user.` in a user namespace.
const OPAQUE: [&str; 2] = ["trusted.overlay.opaque", "user.overlay.opaque"];
const WHITEOUT: [&str; 2] = ["trusted.overlay.whiteout", "user.overlay.whiteout"];

/// Names and values of extended attributes, sorted.
pub type Attributes = Vec<(Vec<u8>, Vec<u8>)>;

/// The tree of one layer.
#[derive(Debug)]
pub struct Tree {
    root: OwnedFd,
    path: PathBuf,
}

/// A directory of it, open.
pub struct Node {
    fd: OwnedFd,
    path: PathBuf,
    /// It hides what the layers below have in it.
    pub opaque: bool,
    /// It may hold whiteouts that are plain files with an attribute.
    marked: bool,
}

impl Tree {
    /// The tree below this directory.
    ///
    /// # Errors
    /// When it is not there.
    pub fn open(path: &Path) -> Result<Self, ImageError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root =
            fs::openat(CWD, path, flags, Mode::empty()).map_err(|e| ImageError::io("open", path, e))?;
        Ok(Tree { root, path: path.to_owned() })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A directory below, if there is one; neither it nor what leads to it may be
    /// a link.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn dir(&self, path: &[u8]) -> Result<Option<Node>, ImageError> {
        let shown = host_path(&self.path, path);
        let name = if path.is_empty() { b"." } else { path };
        let opened = fs::openat2(
            &self.root,
            OsStr::from_bytes(name),
            OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC,
            Mode::empty(),
            ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS,
        );
        match opened {
            Ok(fd) => {
                let mark = opacity(&fd);
                Ok(Some(Node { fd, path: shown, opaque: mark == b'y', marked: mark == b'x' }))
            }
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
            Err(e) => Err(ImageError::io("open", shown, e)),
        }
    }
}

/// `y`: opaque; `x`: has whiteouts as attributes; 0: neither.
fn opacity(dir: &OwnedFd) -> u8 {
    let mut value = [0u8; 4];
    OPAQUE
        .iter()
        .find_map(|name| match fs::fgetxattr(dir, *name, &mut value[..]) {
            Ok(n) if n > 0 => Some(value[0]),
            _ => None,
        })
        .unwrap_or(0)
}

impl Node {
    /// The names in it, sorted.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn names(&self) -> Result<Vec<Vec<u8>>, ImageError> {
        let error = |e| ImageError::io("read directory", &self.path, e);
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.fd).map_err(error)? {
            let entry = entry.map_err(error)?;
            let name = entry.file_name();
            if name != c"." && name != c".." {
                names.push(CStr::to_bytes(name).to_vec());
            }
        }
        names.sort();
        Ok(names)
    }

    /// What this layer says of a name; nothing if it has no such name.
    ///
    /// # Errors
    /// When it cannot be looked at.
    pub fn says(&self, name: &[u8]) -> Result<Option<Says>, ImageError> {
        let stat = match fs::statat(&self.fd, OsStr::from_bytes(name), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => return Ok(None),
            Err(e) => return Err(ImageError::io("stat", host_path(&self.path, name), e)),
        };
        let hides = match FileType::from_raw_mode(stat.st_mode) {
            FileType::CharacterDevice => stat.st_rdev == 0,
            FileType::RegularFile => self.marked && stat.st_size == 0 && self.has_mark(name),
            _ => false,
        };
        Ok(Some(if hides { Says::Hides(stat) } else { Says::Has(stat) }))
    }

    fn has_mark(&self, name: &[u8]) -> bool {
        let path = self.by_handle(name);
        WHITEOUT.iter().any(|mark| fs::lgetxattr(&path[..], *mark, &mut [0u8; 0][..]).is_ok())
    }

    /// A regular file in it, open for reading; a fifo in its place does not block.
    ///
    /// # Errors
    /// When it cannot be opened, or is no regular file any more.
    pub fn file(&self, name: &[u8]) -> Result<File, ImageError> {
        let path = || host_path(&self.path, name);
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fd = fs::openat(&self.fd, OsStr::from_bytes(name), flags, Mode::empty())
            .map_err(|e| ImageError::io("open", path(), e))?;
        let stat = fs::fstat(&fd).map_err(|e| ImageError::io("stat", path(), e))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(ImageError::Damaged { path: path(), reason: "it changed while it was read".into() });
        }
        Ok(File::from(fd))
    }

    /// What a symbolic link in it says.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn link(&self, name: &[u8]) -> Result<Vec<u8>, ImageError> {
        fs::readlinkat(&self.fd, OsStr::from_bytes(name), Vec::new())
            .map(std::ffi::CString::into_bytes)
            .map_err(|e| ImageError::io("readlink", host_path(&self.path, name), e))
    }

    /// The attributes of a name in it (`.` is itself), without overlayfs's own.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn attributes(&self, name: &[u8]) -> Result<Attributes, ImageError> {
        let path = self.by_handle(name);
        let error = |e| ImageError::io("read attributes of", host_path(&self.path, name), e);
        read_attributes(&|list| fs::llistxattr(&path[..], list), &|key, value| {
            fs::lgetxattr(&path[..], OsStr::from_bytes(key), value)
        })
        .map_err(error)
    }

    /// The directory's own owner, mode and times.
    ///
    /// # Errors
    /// When it cannot be looked at.
    pub fn stat(&self) -> Result<Stat, ImageError> {
        fs::fstat(&self.fd).map_err(|e| ImageError::io("stat", &self.path, e))
    }

    /// Attributes by path: the calls know no `at`, so the path goes through the
    /// open directory.
    fn by_handle(&self, name: &[u8]) -> Vec<u8> {
        let mut path = format!("/proc/self/fd/{}/", self.fd.as_raw_fd()).into_bytes();
        path.extend_from_slice(name);
        path
    }
}

/// The attributes of an open file, without overlayfs's own.
///
/// # Errors
/// When they cannot be read.
pub fn attributes(file: &File) -> Result<Attributes, Errno> {
    read_attributes(&|list| fs::flistxattr(file, list), &|key, value| {
        fs::fgetxattr(file, OsStr::from_bytes(key), value)
    })
}

/// Of this host and mount, not of the file: overlayfs's own marks, and labels that
/// the host's policy gives.
fn is_ours(name: &[u8]) -> bool {
    const OTHERS: [&[u8]; 3] = [b"security.selinux", b"security.ima", b"security.evm"];
    !name.starts_with(b"trusted.overlay.") && !name.starts_with(b"user.overlay.") && !OTHERS.contains(&name)
}

/// Reads the value of a name into a buffer.
type Get<'a> = dyn Fn(&[u8], &mut [u8]) -> Result<usize, Errno> + 'a;

fn read_attributes(
    list: &dyn Fn(&mut [u8]) -> Result<usize, Errno>,
    get: &Get<'_>,
) -> Result<Attributes, Errno> {
    let mut names = [0u8; 512];
    let n = match list(&mut names) {
        Ok(n) => n,
        Err(Errno::OPNOTSUPP | Errno::NODATA) => return Ok(Vec::new()),
        Err(Errno::RANGE) => {
            // The most that Linux gives: XATTR_LIST_MAX.
            let mut large = vec![0; 65536];
            let n = list(&mut large)?;
            return pairs(&large[..n], get);
        }
        Err(e) => return Err(e),
    };
    pairs(&names[..n], get)
}

fn pairs(names: &[u8], get: &Get<'_>) -> Result<Attributes, Errno> {
    let mut found = Vec::new();
    for name in names.split(|b| *b == 0).filter(|n| !n.is_empty() && is_ours(n)) {
        let mut value = vec![0; 65536];
        match get(name, &mut value) {
            Ok(n) => {
                value.truncate(n);
                found.push((name.to_vec(), value));
            }
            // It went away meanwhile.
            Err(Errno::NODATA) => {}
            Err(e) => return Err(e),
        }
    }
    found.sort();
    Ok(found)
}
