//! Removes a tree however deep it is, with a constant number of descriptors
//! and no recursion: a hostile layer may nest thousands of directories.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{self, AtFlags, CWD, Dir, Mode, OFlags};
use rustix::io::{Errno, Result};

use crate::image::{ImageError, calls};

/// Removes a file or a tree. A missing one is no error. Symbolic links are
/// removed, never followed.
///
/// # Errors
/// [`ImageError::Io`] naming the path.
pub fn remove_tree(path: &Path) -> std::result::Result<(), ImageError> {
    let name = path.as_os_str().as_encoded_bytes();
    let removed = CString::new(name).map_err(|_| Errno::INVAL).and_then(|name| remove_at(CWD, &name));
    removed.map_err(|e| ImageError::io("remove", path, e))
}

/// Like [`remove_tree`], beneath a directory.
pub(super) fn remove_at(parent: BorrowedFd<'_>, leaf: &CStr) -> Result<()> {
    if !is_tree(parent, leaf)? {
        return Ok(());
    }
    let top = open_dir(parent, leaf)?;
    let mut counter = 0u64;
    loop {
        let children = names(top.as_fd())?;
        if children.is_empty() {
            break;
        }
        for child in children {
            if is_tree(top.as_fd(), &child)? {
                lift(top.as_fd(), &child, &mut counter)?;
            }
        }
    }
    calls::unlinkat(parent, leaf, true)
}

/// Removes it unless it is a directory with something in it.
fn is_tree(parent: BorrowedFd<'_>, leaf: &CStr) -> Result<bool> {
    match calls::unlinkat(parent, leaf, false) {
        Ok(()) | Err(Errno::NOENT) => return Ok(false),
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(e) => return Err(e),
    }
    match calls::unlinkat(parent, leaf, true) {
        Ok(()) | Err(Errno::NOENT) => Ok(false),
        Err(Errno::NOTEMPTY | Errno::EXIST) => Ok(true),
        Err(e) => Err(e),
    }
}

/// Moves what is in `top/dir` up into `top`, and removes `dir`.
fn lift(top: BorrowedFd<'_>, leaf: &CStr, counter: &mut u64) -> Result<()> {
    let dir = open_dir(top, leaf)?;
    for child in names(dir.as_fd())? {
        if !is_tree(dir.as_fd(), &child)? {
            continue;
        }
        loop {
            *counter += 1;
            let free = format!(".lifted-{counter}");
            match calls::renameat_new(&dir, &child, top, &free) {
                Ok(()) => break,
                Err(Errno::EXIST) => {}
                Err(e) => return Err(e),
            }
        }
    }
    calls::unlinkat(top, leaf, true)
}

fn open_dir(parent: BorrowedFd<'_>, leaf: &CStr) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    // Its owner may have taken its own permissions away.
    if let Err(Errno::ACCESS) = fs::accessat(
        parent,
        leaf,
        fs::Access::READ_OK | fs::Access::WRITE_OK | fs::Access::EXEC_OK,
        AtFlags::EACCESS,
    ) {
        calls::fchmodat(parent, leaf.to_bytes(), 0o700)?;
    }
    fs::openat(parent, leaf, flags, Mode::empty())
}

fn names(dir: BorrowedFd<'_>) -> Result<Vec<CString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(dir)? {
        let entry = entry?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            names.push(entry.file_name().to_owned());
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removes_what_is_too_deep_for_a_path() {
        let place = tempfile::tempdir().unwrap();
        let outside = place.path().join("outside");
        std::fs::write(&outside, "stays").unwrap();
        let top = place.path().join("top");
        std::fs::create_dir(&top).unwrap();
        std::os::unix::fs::symlink(&outside, top.join("link")).unwrap();
        let mut here = fs::open(&top, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap();
        for _ in 0..3000 {
            fs::mkdirat(&here, "deep", Mode::RWXU).unwrap();
            fs::symlinkat("../..", &here, "up").unwrap();
            here = fs::openat(&here, "deep", OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap();
        }
        drop(here);
        remove_tree(&top).unwrap();
        assert!(!top.exists());
        assert!(outside.exists());
        remove_tree(&top).unwrap();
    }
}
