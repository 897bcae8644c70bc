//! What stands in the writable layer at one path, and which read-only layers have
//! to do with it: read from the layers on disk.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags, ResolveFlags};

use crate::image::union::{Says, Stack, Stat, of_stat};
use crate::kernel::ledger::{Role, Standing};
use crate::kernel::{Errno, Failure};
use crate::trace::{FileType, Supplier};

/// The writable layer and those below.
#[derive(Debug)]
pub struct Layers {
    upper: OwnedFd,
    below: Stack<'static>,
    paths: Vec<PathBuf>,
    suppliers: Vec<Supplier>,
    /// Directories by whether any layer below has them.
    known: HashMap<Vec<u8>, bool>,
}

/// What the layers below have at a path.
#[derive(Clone, Debug)]
pub struct Below {
    pub what: FileType,
    pub bytes: Option<u64>,
    pub layer: Supplier,
    pub hidden: Vec<Supplier>,
    stat: Stat,
    path: PathBuf,
}

impl Layers {
    /// `below` are the layers' directories with what is to be said of them, the
    /// uppermost first.
    pub fn open(upper: &str, below: Vec<(PathBuf, Supplier)>) -> Result<Self, Failure> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = rustix::fs::open(upper, flags, Mode::empty())
            .map_err(|e| Failure::new(format!("open the writable layer {upper}"), Some(e.into())))?;
        let (paths, suppliers): (Vec<_>, Vec<_>) = below.into_iter().unzip();
        let below = Stack::open(&paths).map_err(|e| Failure::new(e.to_string(), None))?;
        Ok(Layers { upper: opened, below, paths, suppliers, known: HashMap::new() })
    }

    /// The writable layer's root.
    pub fn upper(&self) -> &OwnedFd {
        &self.upper
    }

    /// What the read-only layers show at a path; `None` when nothing.
    pub fn below(&mut self, path: &[u8]) -> Option<Below> {
        let parent = path.iter().rposition(|b| *b == b'/').map_or(&b""[..], |at| &path[..at]);
        if !parent.is_empty() && !self.has_dir(parent) {
            return None;
        }
        // Quick where nothing is there at all, which is the case of every new file.
        let there = |layer: &PathBuf| layer.join(OsStr::from_bytes(path)).symlink_metadata().is_ok();
        if !self.paths.iter().any(there) {
            return None;
        }
        let (_, named) = self.below.find(0, path).ok().flatten()?;
        let (first, stat) = named.shown()?;
        let stat = *stat;
        let hidden = named.says[1..]
            .iter()
            .take_while(|(_, says)| matches!(says, Says::Has(_)))
            .map(|(n, _)| self.suppliers[*n].clone())
            .collect();
        let what = file_type(&stat);
        Some(Below {
            what,
            bytes: (what == FileType::File).then_some(stat.size),
            layer: self.suppliers[first].clone(),
            hidden,
            stat,
            path: self.paths[first].join(OsStr::from_bytes(path)),
        })
    }

    fn has_dir(&mut self, dir: &[u8]) -> bool {
        if let Some(known) = self.known.get(dir) {
            return *known;
        }
        let found = self.below.find(0, dir).ok().flatten();
        let has = found.is_some_and(|(_, named)| !named.merged().is_empty());
        self.known.insert(dir.to_vec(), has);
        has
    }

    /// Whether the writable layer has something at a path.
    pub fn has(&self, path: &[u8]) -> bool {
        self.open_upper(path).is_ok()
    }

    fn open_upper(&self, path: &[u8]) -> Result<OwnedFd, Errno> {
        // The container may be changing what leads to it: nothing is followed.
        let fd = rustix::fs::openat2(
            &self.upper,
            OsStr::from_bytes(path),
            OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC,
            Mode::empty(),
            ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS,
        )?;
        Ok(fd)
    }

    /// The same as [`Layers::standing`], for a name in a directory that is open.
    pub fn standing_in(&mut self, dir: &OwnedFd, name: &OsStr, path: &[u8]) -> Option<Standing> {
        let stat = of_stat(&rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW).ok()?);
        let what = file_type(&stat);
        // What overlayfs may have marked needs more than this one look, which is enough
        // for a new file: there are thousands of these.
        if matches!(what, FileType::Directory | FileType::Device) || self.below(path).is_some() {
            return self.standing(path);
        }
        Some(Standing {
            role: Role::Created,
            what,
            bytes: None,
            stands: None,
            layer: None,
            hidden: vec![],
            from: None,
        })
    }

    /// What stands in the writable layer; `None` when nothing does.
    pub fn standing(&mut self, path: &[u8]) -> Option<Standing> {
        let fd = self.open_upper(path).ok()?;
        let stat = of_stat(&rustix::fs::fstat(&fd).ok()?);
        let below = self.below(path).filter(|_| !self.is_in_opaque(path));
        let what = file_type(&stat);
        let of_below = |role, what| Standing {
            role,
            what,
            bytes: below.as_ref().and_then(|b| b.bytes).filter(|_| role != Role::Created),
            stands: None,
            layer: below.as_ref().map(|b| b.layer.clone()),
            hidden: below.as_ref().map_or_else(Vec::new, |b| b.hidden.clone()),
            from: None,
        };
        if what == FileType::Device && stat.rdev == (0, 0) {
            return Some(of_below(Role::Whiteout, below.as_ref().map_or(what, |b| b.what)));
        }
        if what == FileType::Directory {
            if let Some(from) = attribute(&fd, "redirect") {
                let from = Some(String::from_utf8_lossy(&from).into_owned());
                return Some(Standing { from, ..of_below(Role::Redirect, what) });
            }
            let merges = below.as_ref().is_some_and(|b| b.what == FileType::Directory);
            // A new directory is marked opaque too: there is nothing below it to hide.
            let opaque = merges && attribute(&fd, "opaque").is_some_and(|v| v.first() == Some(&b'y'));
            let role = match (merges, opaque) {
                (true, true) => Role::Opaque,
                (true, false) => Role::Copy,
                (false, _) => Role::Created,
            };
            return Some(of_below(role, what));
        }
        let copied = below.as_ref().is_some_and(|b| is_copy(&fd, &stat, b));
        let role = if copied { Role::Copy } else { Role::Created };
        let stands = (copied && what == FileType::File).then_some(stat.size);
        Some(Standing { stands, ..of_below(role, what) })
    }

    /// A directory on the way hides what the layers below have at this path.
    fn is_in_opaque(&self, path: &[u8]) -> bool {
        let mut dirs = path.iter().enumerate().filter(|(_, b)| **b == b'/').map(|(at, _)| &path[..at]);
        let opaque = |dir: &[u8]| {
            let fd = self.open_upper(dir).ok()?;
            attribute(&fd, "opaque").map(|v| v.first() == Some(&b'y'))
        };
        dirs.any(|dir| opaque(dir) == Some(true))
    }

    /// Each path of the writable layer with what stands there, parents first.
    pub fn all(&mut self) -> impl Iterator<Item = (Vec<u8>, Standing)> {
        self.walk().into_iter().filter_map(|path| {
            let standing = self.standing(&path)?;
            Some((path, standing))
        })
    }

    fn walk(&self) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        let mut dirs = vec![Vec::new()];
        while let Some(dir) = dirs.pop() {
            let name = if dir.is_empty() { &b"."[..] } else { &dir };
            let Ok(fd) = rustix::fs::openat2(
                &self.upper,
                OsStr::from_bytes(name),
                OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC,
                Mode::empty(),
                ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS,
            ) else {
                continue;
            };
            let Ok(entries) = rustix::fs::Dir::new(fd) else { continue };
            for entry in entries.flatten() {
                let name = entry.file_name().to_bytes();
                if matches!(name, b"." | b"..") {
                    continue;
                }
                let path = if dir.is_empty() { name.to_vec() } else { [&dir[..], b"/", name].concat() };
                if entry.file_type() == rustix::fs::FileType::Directory {
                    dirs.push(path.clone());
                }
                all.push(path);
            }
        }
        all.sort();
        all
    }
}

/// overlayfs marks a copy with the handle of the layer's file; it does not where
/// that one has several links, or where the layers' file system has no handles.
fn is_copy(fd: &OwnedFd, stat: &Stat, below: &Below) -> bool {
    if file_type(stat) != below.what {
        return false;
    }
    match attribute(fd, "origin") {
        Some(origin) => match (origin.get(21..), handle(&below.path)) {
            // struct ovl_fb: version, magic, len, flags, type, a uuid of 16 bytes, the handle.
            (Some(marked), Some(handle)) if !marked.is_empty() => marked == handle,
            _ => true,
        },
        None => below.stat.nlink > 1,
    }
}

fn handle(path: &Path) -> Option<Vec<u8>> {
    let path = std::ffi::CString::new(path.as_os_str().as_bytes()).ok()?;
    super::fan::handle_of(libc::AT_FDCWD, &path).map(|h| h.bytes)
}

/// An attribute of overlayfs.
fn attribute(fd: &OwnedFd, name: &str) -> Option<Vec<u8>> {
    let mut value = [0u8; 512];
    let n = rustix::fs::getxattr(through(fd), format!("trusted.overlay.{name}"), &mut value[..]).ok()?;
    Some(value[..n].to_vec())
}

fn through(fd: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", fd.as_raw_fd())
}

fn file_type(stat: &Stat) -> FileType {
    use crate::userland::FileType as Kind;
    match stat.kind {
        Kind::Dir => FileType::Directory,
        Kind::Symlink => FileType::Symlink,
        Kind::Fifo => FileType::Fifo,
        Kind::Socket => FileType::Socket,
        Kind::Char | Kind::Block => FileType::Device,
        Kind::File => FileType::File,
    }
}
