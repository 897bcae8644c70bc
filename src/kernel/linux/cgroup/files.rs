//! Reading and writing cgroup files, with the calls recorded as they are made.

use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd};

use rustix::fs::{CWD, Mode, OFlags, openat};

use crate::kernel::linux::recorder::{Recorder, zero};
use crate::kernel::{Errno, Failure};
use crate::trace::{Fact, Kind, Value};

/// Opens, writes `value` in one write and closes: the kernel parses each write
/// to a cgroup file on its own.
pub(super) fn write(rec: &mut Recorder, path: &str, value: &str) -> Result<(), Errno> {
    write_each(rec, path, &[value], &mut 0)
}

/// As [`write()`], of a pid: another one in every run.
pub(super) fn write_pid(rec: &mut Recorder, path: &str, pid: i32) -> Result<(), Errno> {
    write_all(rec, path, &[pid.to_string()], Some(Kind::Pid), &mut 0)
}

/// As [`write()`], with a write for each value; `at` is the one that failed.
pub(super) fn write_each<S: AsRef<str>>(
    rec: &mut Recorder,
    path: &str,
    values: &[S],
    at: &mut usize,
) -> Result<(), Errno> {
    write_all(rec, path, values, None, at)
}

fn write_all<S: AsRef<str>>(
    rec: &mut Recorder,
    path: &str,
    values: &[S],
    kind: Option<Kind>,
    at: &mut usize,
) -> Result<(), Errno> {
    let fd = open(rec, path, OFlags::WRONLY | OFlags::CLOEXEC, "O_WRONLY|O_CLOEXEC")?;
    let mut wrote = Ok(0);
    // What differs from run to run may differ in length.
    let length = |n: usize| match kind {
        Some(_) => Value::volatile(Kind::Bytes, n),
        None => Value::Int(n as i64),
    };
    for (n, value) in values.iter().map(AsRef::as_ref).enumerate() {
        *at = n;
        wrote = rec.call(
            "write",
            || {
                let buf = kind.map_or_else(|| value.into(), |kind| Value::volatile(kind, value));
                vec![("fd", fd_value(&fd)), ("buf", buf), ("count", length(value.len()))]
            },
            |n: &usize| length(*n),
            || rustix::io::write(&fd, value.as_bytes()),
        );
        if wrote.is_err() {
            break;
        }
    }
    close(rec, fd);
    wrote.map(|_| ())
}

/// openat(2) with AT_FDCWD; `flags` are told as `told`.
pub(super) fn open(
    rec: &mut Recorder,
    path: &str,
    flags: OFlags,
    told: &'static str,
) -> Result<OwnedFd, Errno> {
    rec.read(
        "openat",
        || vec![("dirfd", "AT_FDCWD".into()), ("pathname", path.into()), ("flags", told.into())],
        fd_value,
        || openat(CWD, path, flags, Mode::empty()),
    )
}

pub(super) fn close(rec: &mut Recorder, fd: OwnedFd) {
    let raw = fd.into_raw_fd();
    let _ = rec.read(
        "close",
        || vec![("fd", Value::volatile(Kind::Fd, raw))],
        zero,
        || {
            // SAFETY: `raw` was owned by `fd`, which gave it up on the line above.
            unsafe { rustix::io::close(raw) };
            Ok::<(), Errno>(())
        },
    );
}

pub(super) fn fd_value(fd: &OwnedFd) -> Value {
    Value::volatile(Kind::Fd, fd.as_raw_fd())
}

/// The file's text without the last newline.
pub(super) fn read(path: &str) -> Result<String, Errno> {
    let text = crate::kernel::linux::evidence::text_of(path).map_err(Errno::from)?;
    Ok(text.trim_end().to_owned())
}

/// The processes in a cgroup as evidence.
pub(super) fn procs(path: &str) -> Vec<Fact> {
    let fact = |value| Fact { source: path.into(), key: "cgroup.procs".to_owned(), value };
    match read(path) {
        Ok(text) if text.is_empty() => vec![fact("".into())],
        Ok(text) => text.lines().map(|pid| fact(Value::volatile(Kind::Pid, pid))).collect(),
        Err(errno) => vec![fact(errno.words().into())],
    }
}

/// A file as evidence: its text, or why it cannot be read.
pub(super) fn fact(path: &str) -> Fact {
    let key = path.rsplit('/').next().unwrap_or(path);
    let value = read(path).unwrap_or_else(|errno| errno.words().to_owned());
    Fact { source: path.into(), key: key.to_owned(), value: value.into() }
}

/// A failure with the hint that fits the errno, wherever one fits in general.
pub(super) fn failure(what: String, errno: Errno) -> Failure {
    let failure = Failure::new(what, Some(errno));
    match errno {
        Errno::EROFS => failure.hint(
            "the cgroup file system is mounted read-only: remount it (mount -o remount,rw /sys/fs/cgroup), \
             or give the surrounding container --privileged",
        ),
        Errno::EACCES | Errno::EPERM => {
            failure.hint("changing cgroups needs root on the host: run glassbox with sudo")
        }
        _ => failure,
    }
}
