//! By path: what is made, moved and removed in a store. Few calls, each told.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, RenameFlags};
use rustix::io::{Errno, Result};

use super::{Args, bytes, change, fd, made_fd, octal, write_all, zero};
use crate::trace::Value;

fn path(path: &Path) -> Value {
    bytes(path.as_os_str().as_bytes())
}

fn at(place: &Path) -> Args {
    vec![("dirfd", fd(CWD)), ("pathname", path(place))]
}

/// mkdirat(2).
pub fn mkdir(place: &Path, mode: u32) -> Result<()> {
    let args = || [at(place), vec![("mode", octal(mode))]].concat();
    change("mkdirat", false, args, zero, || rustix::fs::mkdirat(CWD, place, Mode::from_raw_mode(mode)))
}

/// A directory and those above it that are missing. What is there stays.
pub fn make_dirs(place: &Path, mode: u32) -> Result<()> {
    let missing: Vec<&Path> = place.ancestors().take_while(|p| !p.is_dir()).collect();
    for dir in missing.into_iter().rev().filter(|d| !d.as_os_str().is_empty()) {
        match mkdir(dir, mode) {
            Err(Errno::EXIST) if dir.is_dir() => {}
            made => made?,
        }
    }
    Ok(())
}

/// unlinkat(2) of an empty directory.
pub fn rmdir(place: &Path) -> Result<()> {
    let args = || [at(place), vec![("flags", Value::from("AT_REMOVEDIR"))]].concat();
    change("unlinkat", false, args, zero, || rustix::fs::unlinkat(CWD, place, AtFlags::REMOVEDIR))
}

/// unlinkat(2) of a file.
pub fn unlink(place: &Path) -> Result<()> {
    let args = || [at(place), vec![("flags", Value::Int(0))]].concat();
    change("unlinkat", false, args, zero, || rustix::fs::unlinkat(CWD, place, AtFlags::empty()))
}

/// fchmodat(2).
pub fn chmod(place: &Path, mode: u32) -> Result<()> {
    let args = || [at(place), vec![("mode", octal(mode))]].concat();
    let make = || rustix::fs::chmodat(CWD, place, Mode::from_raw_mode(mode), AtFlags::empty());
    change("fchmodat", false, args, zero, make)
}

fn two(from: &Path, to: &Path) -> Args {
    vec![("olddirfd", fd(CWD)), ("oldpath", path(from)), ("newdirfd", fd(CWD)), ("newpath", path(to))]
}

/// renameat(2): what is at `to` is replaced.
pub fn rename(from: &Path, to: &Path) -> Result<()> {
    change("renameat", false, || two(from, to), zero, || rustix::fs::renameat(CWD, from, CWD, to))
}

/// renameat2(2) that replaces nothing.
pub fn rename_new(from: &Path, to: &Path) -> Result<()> {
    let args = || [two(from, to), vec![("flags", Value::from("RENAME_NOREPLACE"))]].concat();
    let make = || rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE);
    change("renameat2", false, args, zero, make)
}

/// symlinkat(2).
pub fn symlink(target: &str, place: &Path) -> Result<()> {
    let args = || vec![("target", Value::from(target)), ("newdirfd", fd(CWD)), ("linkpath", path(place))];
    change("symlinkat", false, args, zero, || rustix::fs::symlinkat(target, CWD, place))
}

const NEW: OFlags = OFlags::CREATE.union(OFlags::EXCL).union(OFlags::CLOEXEC);

/// openat(2) of a file that must not be there, for writing.
pub fn create(place: &Path, mode: u32) -> Result<File> {
    open(place, OFlags::WRONLY, "O_WRONLY|O_CREAT|O_EXCL|O_CLOEXEC", mode)
}

fn open(place: &Path, access: OFlags, words: &'static str, mode: u32) -> Result<File> {
    let args = || [at(place), vec![("flags", Value::from(words)), ("mode", octal(mode))]].concat();
    let make = || rustix::fs::openat(CWD, place, access | NEW, Mode::from_raw_mode(mode));
    change("openat", false, args, made_fd, make).map(File::from)
}

/// A file that is written as a stream, each write(2) told.
#[derive(Debug)]
pub struct Written(pub File);

impl io::Write for Written {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        Ok(super::beneath::write(&self.0, buf)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A new file with this content.
pub fn write_new(place: &Path, content: &[u8]) -> Result<()> {
    write_all(&create(place, 0o666)?, content)
}

/// A new directory of a name that nobody has, for its owner only.
pub fn temporary_dir(prefix: &str, parent: &Path) -> io::Result<PathBuf> {
    let made = tempfile::Builder::new()
        .prefix(prefix)
        .make_in(parent, |place| mkdir(place, 0o700).map_err(io::Error::from))?;
    made.keep().map(|(_, place)| place).map_err(|e| e.error)
}

/// A new file of a name that nobody has. It is the caller's to remove.
pub fn temporary_file(prefix: &str, parent: &Path, mode: u32) -> io::Result<(File, PathBuf)> {
    let words = "O_RDWR|O_CREAT|O_EXCL|O_CLOEXEC";
    let made = tempfile::Builder::new()
        .prefix(prefix)
        .make_in(parent, |place| open(place, OFlags::RDWR, words, mode).map_err(io::Error::from))?;
    made.keep().map_err(|e| e.error)
}

/// How a file reaches the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sync {
    /// fdatasync(2): its content.
    Content,
    /// fsync(2): a directory's names.
    All,
    /// syncfs(2): its whole file system.
    FileSystem,
}

/// Waits until it has.
pub fn sync(file: impl AsFd, how: Sync) -> Result<()> {
    let file = file.as_fd();
    let (name, make): (_, fn(_) -> _) = match how {
        Sync::Content => ("fdatasync", rustix::fs::fdatasync),
        Sync::All => ("fsync", rustix::fs::fsync),
        Sync::FileSystem => ("syncfs", rustix::fs::syncfs),
    };
    change(name, false, || vec![("fd", fd(file))], zero, || make(file))
}
