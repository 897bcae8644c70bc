//! Writes beneath one directory and nowhere else: every path is resolved by
//! openat2(2) with RESOLVE_BENEATH, every last component without following.
//!
//! A call that would not change anything is not made: a file of the process's
//! own user with ordinary permissions costs four system calls.

use std::collections::HashMap;
use std::ffi::{CString, OsStr};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::rc::Rc;

use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, ResolveFlags, Stat, Timestamps};
use rustix::io::Errno;

use super::members::Meta;
use super::remove::remove_at;
use crate::image::calls;

const OPAQUE: &str = "trusted.overlay.opaque";
const DEFAULT_ACL: &str = "system.posix_acl_default";
/// Directories kept open: archives are sorted, mostly.
const OPEN_DIRS: usize = 64;

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

/// A directory of the tree, open.
#[derive(Clone)]
pub struct Dir {
    fd: Rc<OwnedFd>,
    /// What is made in it belongs to the process's own group.
    plain: bool,
}

impl Dir {
    fn of(fd: OwnedFd, group: u32) -> Result<Self, Errno> {
        let stat = fs::fstat(&fd)?;
        Ok(Dir { fd: Rc::new(fd), plain: stat.st_gid == group && stat.st_mode & 0o2000 == 0 })
    }
}

/// The tree being written.
pub struct Tree {
    root: Dir,
    open: HashMap<Vec<u8>, Dir>,
    /// The process's user, group and file mode mask: what a new file has.
    own: (u32, u32),
    umask: u32,
    /// Attributes that the file system does not take.
    pub skipped_xattrs: u64,
}

impl Tree {
    /// Beneath this directory.
    pub fn new(root: OwnedFd) -> Result<Self, (&'static str, Errno)> {
        let own = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        let root = Dir::of(root, own.1).map_err(|e| ("fstat", e))?;
        // A default ACL decides over the permissions of what is made.
        let has_acl = fs::getxattr(by_handle(&root, b"."), DEFAULT_ACL, &mut [0u8; 0][..]).is_ok();
        let umask = if has_acl { 0o777 } else { umask() };
        Ok(Tree { root, open: HashMap::new(), own, umask, skipped_xattrs: 0 })
    }

    /// A handle of a directory below; missing ones are made when `make`.
    pub fn dir(&mut self, path: &[u8], make: bool) -> Done<Dir> {
        if path.is_empty() {
            return Ok(self.root.clone());
        }
        if let Some(dir) = self.open.get(path) {
            return Ok(dir.clone());
        }
        let dir = match self.resolve(path) {
            Err(Errno::NOENT) if make => self.make_dirs(path)?,
            other => self.handle(other.map_err(|e| refused_path(path, e))?)?,
        };
        if self.open.len() >= OPEN_DIRS {
            self.open.clear();
        }
        self.open.insert(path.to_vec(), dir.clone());
        Ok(dir)
    }

    fn handle(&self, fd: OwnedFd) -> Done<Dir> {
        Dir::of(fd, self.own.1).map_err(Fault::call("fstat"))
    }

    fn resolve(&self, path: &[u8]) -> Result<OwnedFd, Errno> {
        fs::openat2(
            &self.root.fd,
            OsStr::from_bytes(path),
            OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
            ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS,
        )
    }

    /// Makes directories that have no entry of their own, at least not yet: with
    /// mode 755, and inheriting nothing.
    fn make_dirs(&self, path: &[u8]) -> Done<Dir> {
        const MODE: u32 = 0o755;
        let mut dir = self.root.clone();
        let ends = path.iter().enumerate().filter(|(_, b)| **b == b'/').map(|(i, _)| i);
        let mut start = 0;
        for end in ends.chain([path.len()]) {
            let (above, name) = (dir, &path[start..end]);
            let made = match calls::mkdirat(&above.fd, name, MODE) {
                Ok(()) => true,
                Err(Errno::EXIST) => false,
                Err(e) => return Err(Fault::Call("mkdirat", e)),
            };
            dir = self.handle(self.resolve(&path[..end]).map_err(|e| refused_path(&path[..end], e))?)?;
            if made && (!dir.plain || !self.takes(MODE)) {
                calls::fchownat(&above.fd, name, self.own.0, self.own.1).map_err(Fault::call("fchownat"))?;
                calls::fchmodat(&above.fd, name, MODE).map_err(Fault::call("fchmodat"))?;
                dir.plain = true;
            }
            start = end + 1;
        }
        Ok(dir)
    }

    /// What is at `parent/leaf`, not following it.
    pub fn stat(&self, parent: &Dir, leaf: &[u8]) -> Done<Option<Stat>> {
        match fs::statat(&parent.fd, OsStr::from_bytes(leaf), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(e) => Err(Fault::Call("fstatat", e)),
        }
    }

    /// Makes room: an earlier entry of that name goes.
    pub fn clear(&mut self, parent: &Dir, leaf: &[u8]) -> Done<()> {
        // A path that led through it may lead elsewhere now.
        self.open.clear();
        let leaf = CString::new(leaf).map_err(|_| Fault::Refused("its name holds a NUL byte".into()))?;
        remove_at(parent.fd.as_fd(), &leaf).map_err(Fault::call("unlinkat"))
    }

    /// Makes something new, in the place of an earlier entry if there is one.
    fn fresh<T>(
        &mut self,
        parent: &Dir,
        leaf: &[u8],
        what: &'static str,
        make: impl Fn() -> Result<T, Errno>,
    ) -> Done<T> {
        match make() {
            Err(Errno::EXIST) => {
                self.clear(parent, leaf)?;
                make()
            }
            made => made,
        }
        .map_err(Fault::call(what))
    }

    /// A new file, open for writing.
    pub fn file(&mut self, parent: &Dir, leaf: &[u8], meta: &Meta) -> Done<std::fs::File> {
        let mode = if self.takes(meta.mode) { meta.mode } else { 0o600 };
        self.fresh(parent, leaf, "openat", || calls::openat(&parent.fd, leaf, mode)).map(Into::into)
    }

    /// A directory; what is there already, if something is.
    pub fn mkdir(&mut self, parent: &Dir, leaf: &[u8], meta: &Meta) -> Done<Option<Stat>> {
        let mode = if self.takes(meta.mode) { meta.mode } else { 0o700 };
        match calls::mkdirat(&parent.fd, leaf, mode) {
            Ok(()) => Ok(None),
            Err(Errno::EXIST) => self.stat(parent, leaf),
            Err(e) => Err(Fault::Call("mkdirat", e)),
        }
    }

    /// A symbolic link; what it says is not looked at.
    pub fn symlink(&mut self, target: &[u8], parent: &Dir, leaf: &[u8]) -> Done<()> {
        self.fresh(parent, leaf, "symlinkat", || calls::symlinkat(target, &parent.fd, leaf))
    }

    /// A second name, not following `from`. The inner error says that the new
    /// name is taken.
    pub fn link(&self, from: (&Dir, &[u8]), to: (&Dir, &[u8])) -> Done<Result<(), Errno>> {
        match calls::linkat(&from.0.fd, from.1, &to.0.fd, to.1) {
            Err(Errno::EXIST) => Ok(Err(Errno::EXIST)),
            Err(e) => Err(Fault::Call("linkat", e)),
            Ok(()) => Ok(Ok(())),
        }
    }

    /// A device or a fifo.
    pub fn node(
        &mut self,
        parent: &Dir,
        leaf: &[u8],
        kind: FileType,
        device: (u32, u32),
        mode: u32,
    ) -> Done<FileType> {
        let mode = if self.takes(mode) { mode } else { 0o600 };
        self.fresh(parent, leaf, "mknodat", || calls::mknodat(&parent.fd, leaf, kind, mode, device))?;
        Ok(kind)
    }

    /// Whether a new file has this mode at once.
    fn takes(&self, mode: u32) -> bool {
        mode & (self.umask | 0o7000) == 0
    }

    fn owned(&self, parent: &Dir, meta: &Meta) -> bool {
        parent.plain && self.own == (meta.uid, meta.gid)
    }

    /// Owner, mode, attributes and time of a new file open for writing.
    pub fn finish_file(&mut self, parent: &Dir, file: &std::fs::File, meta: &Meta) -> Done<()> {
        if !self.owned(parent, meta) {
            calls::fchown(file, meta.uid, meta.gid).map_err(Fault::call("fchown"))?;
        }
        if !self.takes(meta.mode) {
            calls::fchmod(file, meta.mode).map_err(Fault::call("fchmod"))?;
        }
        for (name, value) in &meta.xattrs {
            let set = calls::fsetxattr(file, name, value);
            self.xattr_set(set)?;
        }
        calls::utimensat(file, None, &meta.times, true).map_err(Fault::call("utimensat"))
    }

    /// The same by name, for what cannot be opened; `new` if it was made for this
    /// entry. A directory's time is set at the end, because its entries change it.
    pub fn finish(&mut self, parent: &Dir, leaf: &[u8], kind: FileType, meta: &Meta, new: bool) -> Done<()> {
        if !new || !self.owned(parent, meta) {
            calls::fchownat(&parent.fd, leaf, meta.uid, meta.gid).map_err(Fault::call("fchownat"))?;
        }
        // A directory inherits setgid.
        let inherits = kind == FileType::Directory && !parent.plain;
        if kind != FileType::Symlink && (!new || inherits || !self.takes(meta.mode)) {
            calls::fchmodat(&parent.fd, leaf, meta.mode).map_err(Fault::call("fchmodat"))?;
        }
        for (key, value) in &meta.xattrs {
            if key.starts_with(b"system.") {
                self.umask = 0o777;
            }
            let set = calls::setxattr(&by_handle(parent, leaf), false, key, value);
            self.xattr_set(set)?;
        }
        if kind == FileType::Directory {
            if meta.gid != self.own.1 || meta.mode & 0o2000 != 0 {
                self.open.clear();
                self.root.plain &= leaf != b".";
            }
            return Ok(());
        }
        calls::utimensat(&parent.fd, Some(leaf), &meta.times, false).map_err(Fault::call("utimensat"))
    }

    /// The time of a directory, after all its entries.
    pub fn dir_times(&self, dir: &Dir, times: &Timestamps) -> Done<()> {
        calls::utimensat(&dir.fd, Some(b"."), times, true).map_err(Fault::call("utimensat"))
    }

    /// Hides what the layers below have in this directory.
    pub fn opaque(&self, dir: &Dir) -> Done<()> {
        calls::setxattr(&by_handle(dir, b"."), true, OPAQUE.as_bytes(), b"y").map_err(|e| match e {
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

/// The mask that the kernel takes from the mode of new files, proc_pid_status(5).
/// Where it cannot be read every mode is set explicitly.
fn umask() -> u32 {
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("Umask:"));
    line.and_then(|mask| u32::from_str_radix(mask.trim(), 8).ok()).unwrap_or(0o777)
}

/// setxattr(2) knows no `at`: the path goes through a handle that is open here.
fn by_handle(dir: &Dir, leaf: &[u8]) -> Vec<u8> {
    let mut path = format!("/proc/self/fd/{}/", dir.fd.as_raw_fd()).into_bytes();
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
