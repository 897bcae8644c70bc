//! The few file calls of this room, recorded.

use std::ffi::OsStr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Mode, OFlags};

use crate::kernel::Errno;
use crate::kernel::linux::recorder::{Recorder, zero};
use crate::trace::{Kind, Value};

fn path_value(path: &Path) -> Value {
    if path.starts_with("/proc") {
        path.display().to_string().into()
    } else {
        Value::volatile(Kind::Path, path.display())
    }
}

/// Writes a new file by way of a temporary one, so that nobody reads half of it.
/// `who` keeps the temporary one apart from other writers'.
pub fn write(rec: &mut Recorder, path: &Path, who: &str, text: &str, mode: u32) -> Result<(), Errno> {
    let mut name = path.file_name().unwrap_or(OsStr::new("file")).to_owned();
    name.push(format!(".{who}"));
    let temporary = path.with_file_name(name);
    let fd = open(
        rec,
        &temporary,
        OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC,
        "O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC",
        mode,
    )?;
    put(rec, &fd, text)?;
    rec.call(
        "renameat",
        || {
            vec![
                ("olddirfd", "AT_FDCWD".into()),
                ("oldpath", path_value(&temporary)),
                ("newdirfd", "AT_FDCWD".into()),
                ("newpath", path_value(path)),
            ]
        },
        zero,
        || rustix::fs::renameat(CWD, &temporary, CWD, path),
    )
}

/// Makes a file that must not exist yet; `EEXIST` otherwise.
pub fn create(rec: &mut Recorder, path: &Path, text: &str, mode: u32) -> Result<(), Errno> {
    let fd = open(
        rec,
        path,
        OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL,
        "O_WRONLY|O_CREAT|O_EXCL|O_CLOEXEC",
        mode,
    )?;
    put(rec, &fd, text)
}

/// Writes to an existing file, as to one of `/proc/sys`.
pub fn set(rec: &mut Recorder, path: &Path, text: &str) -> Result<(), Errno> {
    let fd = open(rec, path, OFlags::WRONLY, "O_WRONLY|O_CLOEXEC", 0)?;
    put(rec, &fd, text)
}

fn open(rec: &mut Recorder, path: &Path, flags: OFlags, shown: &str, mode: u32) -> Result<OwnedFd, Errno> {
    let creates = flags.contains(OFlags::CREATE);
    let args = || {
        let mut args =
            vec![("dirfd", "AT_FDCWD".into()), ("pathname", path_value(path)), ("flags", shown.into())];
        if creates {
            args.push(("mode", format!("0{mode:o}").into()));
        }
        args
    };
    let result = |fd: &OwnedFd| Value::volatile(Kind::Fd, fd.as_raw_fd());
    let make = || rustix::fs::openat(CWD, path, flags | OFlags::CLOEXEC, Mode::from_raw_mode(mode));
    if creates { rec.call("openat", args, result, make) } else { rec.read("openat", args, result, make) }
}

fn put(rec: &mut Recorder, fd: &OwnedFd, text: &str) -> Result<(), Errno> {
    let written = rec.call(
        "write",
        || {
            vec![
                ("fd", Value::volatile(Kind::Fd, fd.as_raw_fd())),
                ("buf", text.into()),
                ("count", Value::Int(text.len() as i64)),
            ]
        },
        |n: &usize| Value::Int(*n as i64),
        || rustix::io::write(fd, text.as_bytes()),
    )?;
    if written == text.len() { Ok(()) } else { Err(Errno::ENOSPC) }
}

/// Removes a file; a missing one is no error.
pub fn unlink(rec: &mut Recorder, path: &Path) -> Result<(), Errno> {
    let args =
        || vec![("dirfd", "AT_FDCWD".into()), ("pathname", path_value(path)), ("flags", Value::Int(0))];
    let make = || rustix::fs::unlinkat(CWD, path, AtFlags::empty());
    match rec.call("unlinkat", args, zero, make) {
        Err(Errno::ENOENT) => Ok(()),
        done => done,
    }
}

/// Makes a directory and those above it.
pub fn make_dirs(rec: &mut Recorder, path: &Path) -> Result<(), Errno> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(above) = path.parent() {
        make_dirs(rec, above)?;
    }
    let args = || vec![("dirfd", "AT_FDCWD".into()), ("pathname", path_value(path)), ("mode", "0700".into())];
    match rec.call("mkdirat", args, zero, || rustix::fs::mkdirat(CWD, path, Mode::from_raw_mode(0o700))) {
        Err(Errno::EEXIST) => Ok(()),
        done => done,
    }
}
