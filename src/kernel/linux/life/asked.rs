//! What a call that the filter asks about is going to do, read from the process
//! that waits in it.

use std::ffi::OsStr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags, ResolveFlags, StatxFlags};

use super::memory;
use super::notify::Asked;
use crate::kernel::linux::seccomp::asking::{self, Told};

/// A call, by name, with its paths.
#[derive(Clone, Debug)]
pub struct Seen {
    pub name: &'static str,
    /// Absolute as the container has them, links not followed.
    pub paths: Vec<PathBuf>,
}

/// Reads a call's paths. `None` for a call that is refused.
pub fn read(asked: &Asked, name: &'static str) -> Option<Seen> {
    let Told { paths, .. } = asking::told(name)?;
    let paths = paths
        .iter()
        .filter_map(|(dir, path)| {
            let path = memory::path(asked.tid, asked.args[usize::from(*path)])?;
            Some(absolute(asked, *dir, &path))
        })
        .collect();
    Some(Seen { name, paths })
}

fn absolute(asked: &Asked, dir: Option<u8>, path: &Path) -> PathBuf {
    if path.is_absolute() {
        return path.to_owned();
    }
    let tid = asked.tid;
    let link = match dir.map(|n| asked.args[usize::from(n)] as i32) {
        Some(fd) if fd != libc::AT_FDCWD => format!("/proc/{tid}/fd/{fd}"),
        _ => format!("/proc/{tid}/cwd"),
    };
    // As the kernel shows it: a path in the process's own mount namespace.
    let start = std::fs::read_link(link).unwrap_or_else(|_| PathBuf::from("/"));
    if path.as_os_str().is_empty() { start } else { start.join(path) }
}

impl Seen {
    /// Whether the call can leave nothing where something was.
    pub fn takes_away(&self) -> bool {
        matches!(self.name, "unlink" | "unlinkat" | "rmdir" | "rename" | "renameat" | "renameat2")
    }

    /// Whether a changed path is one that this call names, or leads to one.
    pub fn names(&self, changed: &[u8]) -> bool {
        self.paths.iter().any(|path| {
            let path = lexical(path);
            path.strip_prefix(changed).is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
        })
    }

    /// The same after links are followed, in the tree that the process sees.
    pub fn leads_to(&self, tid: i32, changed: &[u8]) -> bool {
        let Some(root) = root(tid) else { return false };
        self.paths
            .iter()
            .filter_map(|p| resolve(&root, p, true))
            .any(|found| found.strip_prefix(changed).is_some_and(|rest| rest.is_empty() || rest[0] == b'/'))
    }

    /// The paths of the union that this call can change and that stand there now,
    /// without a leading slash.
    pub fn target(&self, asked: &Asked) -> Vec<Vec<u8>> {
        let Some(root) = root(asked.tid) else { return vec![] };
        let follows = follows(self.name, asked);
        let paths = self.paths.iter().take(changeable(self.name));
        paths.filter_map(|p| resolve(&root, p, follows)).collect()
    }
}

/// Without `.`, `..` and doubled slashes, and without the leading one.
fn lexical(path: &Path) -> Vec<u8> {
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in path.as_os_str().as_bytes().split(|b| *b == b'/') {
        match part {
            b"" | b"." => {}
            b".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join(&b'/')
}

fn root(tid: i32) -> Option<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(format!("/proc/{tid}/root"), flags, Mode::empty()).ok()
}

/// How many of a call's paths it can change where something stands already; what
/// only makes something is refused there.
fn changeable(name: &str) -> usize {
    match name {
        "mkdir" | "mkdirat" | "mknod" | "mknodat" | "symlink" | "symlinkat" => 0,
        "link" | "linkat" => 1,
        _ => usize::MAX,
    }
}

/// Whether a link at the end of the path is followed, by the call's own rules.
fn follows(name: &str, asked: &Asked) -> bool {
    const NOFOLLOW: u64 = 0x100;
    match name {
        "unlink" | "unlinkat" | "rmdir" | "rename" | "renameat" | "renameat2" | "link" | "linkat"
        | "lchown" | "lchown32" | "lsetxattr" | "lremovexattr" => false,
        "fchownat" => asked.args[4] & NOFOLLOW == 0,
        "fchmodat2" | "utimensat" | "utimensat_time64" => asked.args[3] & NOFOLLOW == 0,
        _ => true,
    }
}

/// The path that stands for this one in the union: without links, and only if it is
/// in the same mount as the root.
fn resolve(root: &OwnedFd, path: &Path, follow: bool) -> Option<Vec<u8>> {
    let last = if follow { OFlags::empty() } else { OFlags::NOFOLLOW };
    let name = match path.as_os_str().as_bytes() {
        b"" => OsStr::new("."),
        name => OsStr::from_bytes(name),
    };
    let fd = rustix::fs::openat2(
        root,
        name,
        OFlags::PATH | OFlags::CLOEXEC | last,
        Mode::empty(),
        ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS,
    )
    .ok()?;
    let mount = |fd: &OwnedFd| {
        let stat = rustix::fs::statx(fd, "", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID).ok()?;
        Some(stat.stx_mnt_id)
    };
    if mount(&fd)? != mount(root)? {
        return None;
    }
    let shown = std::fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd())).ok()?;
    let shown = shown.into_os_string().into_vec();
    Some(shown.strip_prefix(b"/").unwrap_or(&shown).to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_names_its_paths_and_the_way_to_them() {
        let seen = Seen { name: "openat", paths: vec![PathBuf::from("/etc//x/../motd")] };
        for (changed, named) in
            [("etc/motd", true), ("etc", true), ("etc/mo", false), ("etc/motd/x", false), ("usr", false)]
        {
            assert_eq!(seen.names(changed.as_bytes()), named, "{changed}");
        }
    }
}
