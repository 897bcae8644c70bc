//! A layer's tree in a directory of this host, read beneath its root.

use std::ffi::{CStr, OsStr};
use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::{self, AtFlags, CWD, Dir, Mode, OFlags, ResolveFlags, SeekFrom, seek};
use rustix::io::Errno;

use super::{Attributes, Node, Open, Says, Stat, Tree, is_ours};
use crate::image::ImageError;
use crate::userland::FileType;

/// Attributes of overlayfs itself: `trusted.` as root, `user.` in a user namespace.
const OPAQUE: [&str; 2] = ["trusted.overlay.opaque", "user.overlay.opaque"];
const WHITEOUT: [&str; 2] = ["trusted.overlay.whiteout", "user.overlay.whiteout"];

/// Fewer bytes of holes than this are written as zeros.
const WORTH: u64 = 64 << 10;

/// The tree of one layer.
pub struct HostTree {
    root: OwnedFd,
    path: PathBuf,
}

/// A directory of it, open.
pub struct HostNode {
    fd: OwnedFd,
    path: PathBuf,
    /// It hides what the layers below have in it.
    opaque: bool,
    /// It may hold whiteouts that are plain files with an attribute.
    marked: bool,
}

impl HostTree {
    /// The tree below this directory.
    ///
    /// # Errors
    /// When it is not there.
    pub fn open(path: &Path) -> Result<Self, ImageError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root =
            fs::openat(CWD, path, flags, Mode::empty()).map_err(|e| ImageError::io("open", path, e))?;
        Ok(HostTree { root, path: path.to_owned() })
    }
}

impl Tree for HostTree {
    fn path(&self) -> &Path {
        &self.path
    }

    fn dir(&self, path: &[u8]) -> Result<Option<Box<dyn Node + '_>>, ImageError> {
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
                Ok(Some(Box::new(HostNode { fd, path: shown, opaque: mark == b'y', marked: mark == b'x' })))
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

impl Node for HostNode {
    fn opaque(&self) -> bool {
        self.opaque
    }

    fn names(&self) -> Result<Vec<Vec<u8>>, ImageError> {
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

    fn says(&self, name: &[u8]) -> Result<Option<Says>, ImageError> {
        let stat = match fs::statat(&self.fd, OsStr::from_bytes(name), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => of_stat(&stat),
            Err(Errno::NOENT) => return Ok(None),
            Err(e) => return Err(ImageError::io("stat", host_path(&self.path, name), e)),
        };
        let hides = match stat.kind {
            FileType::Char => stat.rdev == (0, 0),
            FileType::File => self.marked && stat.size == 0 && self.has_mark(name),
            _ => false,
        };
        Ok(Some(if hides { Says::Hides(stat) } else { Says::Has(stat) }))
    }

    // A fifo in its place does not block.
    fn file(&self, name: &[u8]) -> Result<Box<dyn Open + '_>, ImageError> {
        let path = host_path(&self.path, name);
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fd = fs::openat(&self.fd, OsStr::from_bytes(name), flags, Mode::empty())
            .map_err(|e| ImageError::io("open", &path, e))?;
        let open = HostFile { file: File::from(fd), path };
        if open.stat()?.kind != FileType::File {
            return Err(ImageError::Damaged {
                path: open.path,
                reason: "it changed while it was read".into(),
            });
        }
        Ok(Box::new(open))
    }

    fn link(&self, name: &[u8]) -> Result<Vec<u8>, ImageError> {
        fs::readlinkat(&self.fd, OsStr::from_bytes(name), Vec::new())
            .map(std::ffi::CString::into_bytes)
            .map_err(|e| ImageError::io("readlink", host_path(&self.path, name), e))
    }

    fn attributes(&self, name: &[u8]) -> Result<Attributes, ImageError> {
        let path = self.by_handle(name);
        let error = |e| ImageError::io("read attributes of", host_path(&self.path, name), e);
        read_attributes(&|list| fs::llistxattr(&path[..], list), &|key, value| {
            fs::lgetxattr(&path[..], OsStr::from_bytes(key), value)
        })
        .map_err(error)
    }

    fn stat(&self) -> Result<Stat, ImageError> {
        fs::fstat(&self.fd).map(|s| of_stat(&s)).map_err(|e| ImageError::io("stat", &self.path, e))
    }
}

impl HostNode {
    fn has_mark(&self, name: &[u8]) -> bool {
        let path = self.by_handle(name);
        WHITEOUT.iter().any(|mark| fs::lgetxattr(&path[..], *mark, &mut [0u8; 0][..]).is_ok())
    }

    /// Attributes by path: the calls know no `at`, so the path goes through the
    /// open directory.
    fn by_handle(&self, name: &[u8]) -> Vec<u8> {
        let mut path = format!("/proc/self/fd/{}/", self.fd.as_raw_fd()).into_bytes();
        path.extend_from_slice(name);
        path
    }
}

/// A regular file of it, open.
struct HostFile {
    file: File,
    path: PathBuf,
}

impl Open for HostFile {
    fn stat(&self) -> Result<Stat, ImageError> {
        fs::fstat(&self.file).map(|s| of_stat(&s)).map_err(|e| ImageError::io("stat", &self.path, e))
    }

    fn attributes(&self) -> Result<Attributes, ImageError> {
        read_attributes(&|list| fs::flistxattr(&self.file, list), &|key, value| {
            fs::fgetxattr(&self.file, OsStr::from_bytes(key), value)
        })
        .map_err(|e| ImageError::io("read attributes of", &self.path, e))
    }

    fn parts(&self) -> Result<Option<Vec<(u64, u64)>>, ImageError> {
        let stat = self.stat()?;
        parts(&self.file, &stat).map_err(|e| ImageError::io("read", &self.path, e))
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> std::io::Result<usize> {
        self.file.read_at(buffer, offset)
    }
}

/// What the kernel says, in the words of this room.
pub(crate) fn of_stat(stat: &fs::Stat) -> Stat {
    let kind = match fs::FileType::from_raw_mode(stat.st_mode) {
        fs::FileType::Directory => FileType::Dir,
        fs::FileType::Symlink => FileType::Symlink,
        fs::FileType::CharacterDevice => FileType::Char,
        fs::FileType::BlockDevice => FileType::Block,
        fs::FileType::Fifo => FileType::Fifo,
        fs::FileType::Socket => FileType::Socket,
        fs::FileType::RegularFile | fs::FileType::Unknown => FileType::File,
    };
    Stat {
        kind,
        mode: stat.st_mode & 0o7777,
        uid: stat.st_uid,
        gid: stat.st_gid,
        size: u64::try_from(stat.st_size).unwrap_or(0),
        blocks: u64::try_from(stat.st_blocks).unwrap_or(0),
        #[allow(clippy::useless_conversion, reason = "it is narrower on some machines")]
        nlink: u64::from(stat.st_nlink),
        id: (stat.st_dev, stat.st_ino),
        rdev: (fs::major(stat.st_rdev), fs::minor(stat.st_rdev)),
        mtime: (stat.st_mtime, stat.st_mtime_nsec as u32),
    }
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

/// The stored parts of a file that has holes worth keeping.
fn parts(file: &File, stat: &Stat) -> Result<Option<Vec<(u64, u64)>>, Errno> {
    let size = stat.size;
    let stored = stat.blocks.saturating_mul(512);
    if stored.saturating_add(WORTH) > size {
        return Ok(None);
    }
    let mut parts = Vec::new();
    let (mut at, mut sum) = (0, 0);
    while at < size {
        let start = match seek(file, SeekFrom::Data(at)) {
            Ok(start) => start.min(size),
            // Nothing but a hole up to the end.
            Err(Errno::NXIO) => break,
            // The file system does not tell.
            Err(Errno::INVAL) => return Ok(None),
            Err(e) => return Err(e),
        };
        let end = match seek(file, SeekFrom::Hole(start)) {
            Ok(end) => end.min(size),
            Err(Errno::NXIO) => break,
            Err(e) => return Err(e),
        };
        if end > start {
            parts.push((start, end - start));
            sum += end - start;
        }
        at = end.max(start + 1);
    }
    if size - sum < WORTH {
        return Ok(None);
    }
    // GNU tar ends the map so where the file ends in a hole.
    if parts.last().is_none_or(|(offset, len)| offset + len < size) {
        parts.push((size, 0));
    }
    Ok(Some(parts))
}

/// A path of a layer's tree on the host, for messages.
fn host_path(root: &Path, path: &[u8]) -> PathBuf {
    root.join(OsStr::from_bytes(path))
}
