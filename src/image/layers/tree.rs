//! Writes beneath one directory and nowhere else: every path is resolved by
//! openat2(2) with RESOLVE_BENEATH, every last component without following.

use std::ffi::{CString, OsStr};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::rc::Rc;

use rustix::fs::{self, AtFlags, FileType, Gid, Mode, OFlags, ResolveFlags, Stat, Uid, XattrFlags};
use rustix::io::Errno;

use super::meta::Meta;
use super::remove::remove_at;

const OPAQUE: &str = "trusted.overlay.opaque";

/// A failure of one entry: a fragment for a message, or a system call.
#[derive(Debug)]
pub enum Fault {
    /// The entry is refused.
    Refused(String),
    /// The call failed for a reason that the entry is not to blame for.
    Call(&'static str, Errno),
}

impl Fault {
    fn call(what: &'static str) -> impl Fn(Errno) -> Fault {
        move |errno| Fault::Call(what, errno)
    }
}

type Done<T> = Result<T, Fault>;

/// The tree being written.
pub struct Tree {
    root: Rc<OwnedFd>,
    /// The directory of the entry before: archives are sorted, mostly.
    last: Option<(Vec<u8>, Rc<OwnedFd>)>,
    /// Attributes that the file system does not take.
    pub skipped_xattrs: u64,
}

impl Tree {
    /// Beneath this directory.
    pub fn new(root: OwnedFd) -> Self {
        Tree { root: Rc::new(root), last: None, skipped_xattrs: 0 }
    }

    /// A handle of a directory below; missing ones are made when `make`.
    pub fn dir(&mut self, path: &[u8], make: bool) -> Done<Rc<OwnedFd>> {
        if path.is_empty() {
            return Ok(self.root.clone());
        }
        if let Some((last, fd)) = &self.last
            && last == path
        {
            return Ok(fd.clone());
        }
        let fd = match self.resolve(path) {
            Err(Errno::NOENT) if make => self.make_dirs(path)?,
            other => other.map_err(|e| refused_path(path, e))?,
        };
        let fd = Rc::new(fd);
        self.last = Some((path.to_vec(), fd.clone()));
        Ok(fd)
    }

    fn resolve(&self, path: &[u8]) -> Result<OwnedFd, Errno> {
        fs::openat2(
            &self.root,
            OsStr::from_bytes(path),
            OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
            ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS,
        )
    }

    fn make_dirs(&self, path: &[u8]) -> Done<OwnedFd> {
        let mut above: Option<OwnedFd> = None;
        let ends = path.iter().enumerate().filter(|(_, b)| **b == b'/').map(|(i, _)| i);
        let mut start = 0;
        for end in ends.chain([path.len()]) {
            let dir = above.as_ref().unwrap_or(&self.root);
            match fs::mkdirat(dir, OsStr::from_bytes(&path[start..end]), Mode::from_raw_mode(0o755)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(e) => return Err(Fault::Call("mkdirat", e)),
            }
            above = Some(self.resolve(&path[..end]).map_err(|e| refused_path(&path[..end], e))?);
            start = end + 1;
        }
        above.ok_or(Fault::Call("mkdirat", Errno::INVAL))
    }

    /// What is at `parent/leaf`, not following it.
    pub fn stat(&self, parent: &OwnedFd, leaf: &[u8]) -> Done<Option<Stat>> {
        match fs::statat(parent, OsStr::from_bytes(leaf), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(e) => Err(Fault::Call("fstatat", e)),
        }
    }

    /// Makes room: an earlier entry of that name goes.
    pub fn clear(&mut self, parent: &OwnedFd, leaf: &[u8]) -> Done<()> {
        self.last = None;
        let leaf = CString::new(leaf).map_err(|_| Fault::Refused("its name holds a NUL byte".into()))?;
        remove_at(parent.as_fd(), &leaf).map_err(Fault::call("unlinkat"))
    }

    /// A new file, open for writing.
    pub fn file(&self, parent: &OwnedFd, leaf: &[u8]) -> Done<std::fs::File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        fs::openat(parent, OsStr::from_bytes(leaf), flags, Mode::from_raw_mode(0o600))
            .map(Into::into)
            .map_err(Fault::call("openat"))
    }

    /// A directory that is there or is made now.
    pub fn mkdir(&self, parent: &OwnedFd, leaf: &[u8]) -> Done<()> {
        fs::mkdirat(parent, OsStr::from_bytes(leaf), Mode::RWXU).map_err(Fault::call("mkdirat"))
    }

    /// A symbolic link; what it says is not looked at.
    pub fn symlink(&self, target: &[u8], parent: &OwnedFd, leaf: &[u8]) -> Done<()> {
        fs::symlinkat(OsStr::from_bytes(target), parent, OsStr::from_bytes(leaf))
            .map_err(Fault::call("symlinkat"))
    }

    /// A second name, not following `from`.
    pub fn link(&self, from: (&OwnedFd, &[u8]), to: (&OwnedFd, &[u8])) -> Done<()> {
        fs::linkat(from.0, OsStr::from_bytes(from.1), to.0, OsStr::from_bytes(to.1), AtFlags::empty())
            .map_err(Fault::call("linkat"))
    }

    /// A device or a fifo.
    pub fn node(&self, parent: &OwnedFd, leaf: &[u8], kind: FileType, device: (u32, u32)) -> Done<()> {
        let device = fs::makedev(device.0, device.1);
        fs::mknodat(parent, OsStr::from_bytes(leaf), kind, Mode::RUSR | Mode::WUSR, device)
            .map_err(Fault::call("mknodat"))
    }

    /// Owner, mode, attributes and time of a file open for writing.
    pub fn finish_file(&mut self, file: &std::fs::File, meta: &Meta) -> Done<()> {
        fs::fchown(file, Some(Uid::from_raw(meta.uid)), Some(Gid::from_raw(meta.gid)))
            .map_err(Fault::call("fchown"))?;
        fs::fchmod(file, Mode::from_raw_mode(meta.mode)).map_err(Fault::call("fchmod"))?;
        for (name, value) in &meta.xattrs {
            let set = fs::fsetxattr(file, OsStr::from_bytes(name), value, XattrFlags::empty());
            self.xattr_set(set)?;
        }
        fs::futimens(file, &meta.times).map_err(Fault::call("utimensat"))
    }

    /// The same by name, for what cannot be opened. A directory's time is set
    /// at the end, because its entries change it.
    pub fn finish(&mut self, parent: &OwnedFd, leaf: &[u8], kind: FileType, meta: &Meta) -> Done<()> {
        let name = OsStr::from_bytes(leaf);
        let owner = (Some(Uid::from_raw(meta.uid)), Some(Gid::from_raw(meta.gid)));
        fs::chownat(parent, name, owner.0, owner.1, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(Fault::call("fchownat"))?;
        if kind != FileType::Symlink {
            fs::chmodat(parent, name, Mode::from_raw_mode(meta.mode), AtFlags::empty())
                .map_err(Fault::call("fchmodat"))?;
        }
        for (key, value) in &meta.xattrs {
            let set =
                fs::lsetxattr(by_handle(parent, leaf), OsStr::from_bytes(key), value, XattrFlags::empty());
            self.xattr_set(set)?;
        }
        if kind == FileType::Directory {
            return Ok(());
        }
        fs::utimensat(parent, name, &meta.times, AtFlags::SYMLINK_NOFOLLOW).map_err(Fault::call("utimensat"))
    }

    /// Hides what the layers below have in this directory.
    pub fn opaque(&self, dir: &OwnedFd) -> Done<()> {
        fs::setxattr(by_handle(dir, b"."), OPAQUE, b"y", XattrFlags::empty()).map_err(|e| match e {
            Errno::OPNOTSUPP => Fault::Refused(
                "the store's file system has no trusted attributes for opaque directories".into(),
            ),
            e => Fault::Call("setxattr trusted.overlay.opaque", e),
        })
    }

    fn xattr_set(&mut self, set: Result<(), Errno>) -> Done<()> {
        match set {
            Ok(()) => Ok(()),
            Err(Errno::OPNOTSUPP | Errno::PERM) => {
                self.skipped_xattrs += 1;
                Ok(())
            }
            Err(e) => Err(Fault::Call("setxattr", e)),
        }
    }
}

/// setxattr(2) knows no `at`: the path goes through a handle that is open here.
fn by_handle(dir: &OwnedFd, leaf: &[u8]) -> Vec<u8> {
    let mut path = format!("/proc/self/fd/{}/", dir.as_raw_fd()).into_bytes();
    path.extend_from_slice(leaf);
    path
}

fn refused_path(path: &[u8], errno: Errno) -> Fault {
    let path = crate::image::error::printable(path);
    match errno {
        Errno::XDEV => Fault::Refused(format!("{path:?} leads out of the layer through a symbolic link")),
        Errno::LOOP => Fault::Refused(format!("{path:?} is a loop of symbolic links")),
        Errno::NOTDIR => Fault::Refused(format!("{path:?} is not a directory in this layer")),
        Errno::NOENT => Fault::Refused(format!("{path:?} leads nowhere in this layer")),
        Errno::NAMETOOLONG => Fault::Refused("its name is too long".into()),
        Errno::NOSYS => Fault::Call("openat2 (it needs Linux 5.6)", errno),
        e => Fault::Call("openat2", e),
    }
}

/// An error of a write that came through [`io::Write`].
pub fn write_fault(error: &io::Error) -> Fault {
    Fault::Call("write", error.raw_os_error().map_or(Errno::IO, Errno::from_raw_os_error))
}
