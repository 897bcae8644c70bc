//! Beneath a descriptor, and writes: as many calls as a layer has files.

use std::ffi::{CStr, OsStr};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, RenameFlags, Timestamps, Uid, XattrFlags};
use rustix::io::{Errno, Result};

use super::{Args, bytes, change, fd, made_fd, octal, zero};
use crate::trace::{Kind, Value};

fn os(name: &[u8]) -> &OsStr {
    OsStr::from_bytes(name)
}

fn at(dir: impl AsFd, name: &[u8]) -> Args {
    vec![("dirfd", fd(dir)), ("pathname", bytes(name))]
}

/// mkdirat(2).
pub fn mkdirat(dir: impl AsFd, name: &[u8], mode: u32) -> Result<()> {
    let dir = dir.as_fd();
    let args = || [at(dir, name), vec![("mode", octal(mode))]].concat();
    change("mkdirat", true, args, zero, || rustix::fs::mkdirat(dir, os(name), Mode::from_raw_mode(mode)))
}

/// openat(2) of a file that must not be there, for writing, following nothing.
pub fn openat(dir: impl AsFd, name: &[u8], mode: u32) -> Result<OwnedFd> {
    let dir = dir.as_fd();
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let words = "O_WRONLY|O_CREAT|O_EXCL|O_NOFOLLOW|O_CLOEXEC";
    let args = || [at(dir, name), vec![("flags", Value::from(words)), ("mode", octal(mode))]].concat();
    let make = || rustix::fs::openat(dir, os(name), flags, Mode::from_raw_mode(mode));
    change("openat", true, args, made_fd, make)
}

/// symlinkat(2).
pub fn symlinkat(target: &[u8], dir: impl AsFd, name: &[u8]) -> Result<()> {
    let dir = dir.as_fd();
    let args = || vec![("target", bytes(target)), ("newdirfd", fd(dir)), ("linkpath", bytes(name))];
    change("symlinkat", true, args, zero, || rustix::fs::symlinkat(os(target), dir, os(name)))
}

/// linkat(2), following nothing.
pub fn linkat(from: impl AsFd, old: &[u8], to: impl AsFd, new: &[u8]) -> Result<()> {
    let (from, to) = (from.as_fd(), to.as_fd());
    let args = || {
        vec![
            ("olddirfd", fd(from)),
            ("oldpath", bytes(old)),
            ("newdirfd", fd(to)),
            ("newpath", bytes(new)),
            ("flags", Value::Int(0)),
        ]
    };
    let make = || rustix::fs::linkat(from, os(old), to, os(new), AtFlags::empty());
    change("linkat", true, args, zero, make)
}

/// mknodat(2). `device` is major and minor.
pub fn mknodat(dir: impl AsFd, name: &[u8], kind: FileType, mode: u32, device: (u32, u32)) -> Result<()> {
    let dir = dir.as_fd();
    let args = || {
        let word = match kind {
            FileType::CharacterDevice => "S_IFCHR",
            FileType::BlockDevice => "S_IFBLK",
            _ => "S_IFIFO",
        };
        let dev = format!("makedev(0x{:x}, 0x{:x})", device.0, device.1);
        let mode = Value::Text(format!("{word}|0{mode:o}"));
        [at(dir, name), vec![("mode", mode), ("dev", Value::Text(dev))]].concat()
    };
    let make = || {
        let dev = rustix::fs::makedev(device.0, device.1);
        rustix::fs::mknodat(dir, os(name), kind, Mode::from_raw_mode(mode), dev)
    };
    change("mknodat", true, args, zero, make)
}

/// unlinkat(2), of an empty directory with `directory`.
pub fn unlinkat(dir: impl AsFd, name: &CStr, directory: bool) -> Result<()> {
    let dir = dir.as_fd();
    let args = || {
        let flags = if directory { Value::from("AT_REMOVEDIR") } else { Value::Int(0) };
        [at(dir, name.to_bytes()), vec![("flags", flags)]].concat()
    };
    // The top of a tree is named by its path; that is told as each other path is.
    let many = !name.to_bytes().contains(&b'/');
    let flags = if directory { AtFlags::REMOVEDIR } else { AtFlags::empty() };
    change("unlinkat", many, args, zero, || rustix::fs::unlinkat(dir, name, flags))
}

/// renameat2(2) that replaces nothing.
pub fn renameat_new(from: impl AsFd, old: &CStr, to: impl AsFd, new: &str) -> Result<()> {
    let (from, to) = (from.as_fd(), to.as_fd());
    let args = || {
        vec![
            ("olddirfd", fd(from)),
            ("oldpath", bytes(old.to_bytes())),
            ("newdirfd", fd(to)),
            ("newpath", Value::from(new)),
            ("flags", Value::from("RENAME_NOREPLACE")),
        ]
    };
    let make = || rustix::fs::renameat_with(from, old, to, new, RenameFlags::NOREPLACE);
    change("renameat2", true, args, zero, make)
}

fn owner(uid: u32, gid: u32) -> Args {
    vec![("owner", Value::Int(i64::from(uid))), ("group", Value::Int(i64::from(gid)))]
}

/// fchown(2).
pub fn fchown(file: impl AsFd, uid: u32, gid: u32) -> Result<()> {
    let file = file.as_fd();
    let args = || [vec![("fd", fd(file))], owner(uid, gid)].concat();
    let make = || rustix::fs::fchown(file, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
    change("fchown", true, args, zero, make)
}

/// fchownat(2), not following a link.
pub fn fchownat(dir: impl AsFd, name: &[u8], uid: u32, gid: u32) -> Result<()> {
    let dir = dir.as_fd();
    let args =
        || [at(dir, name), owner(uid, gid), vec![("flags", Value::from("AT_SYMLINK_NOFOLLOW"))]].concat();
    let (uid, gid) = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
    let make = || rustix::fs::chownat(dir, os(name), uid, gid, AtFlags::SYMLINK_NOFOLLOW);
    change("fchownat", true, args, zero, make)
}

/// fchmod(2).
pub fn fchmod(file: impl AsFd, mode: u32) -> Result<()> {
    let file = file.as_fd();
    let args = || vec![("fd", fd(file)), ("mode", octal(mode))];
    change("fchmod", true, args, zero, || rustix::fs::fchmod(file, Mode::from_raw_mode(mode)))
}

/// fchmodat(2).
pub fn fchmodat(dir: impl AsFd, name: &[u8], mode: u32) -> Result<()> {
    let dir = dir.as_fd();
    let args = || [at(dir, name), vec![("mode", octal(mode))]].concat();
    let make = || rustix::fs::chmodat(dir, os(name), Mode::from_raw_mode(mode), AtFlags::empty());
    change("fchmodat", true, args, zero, make)
}

/// What is set: attributes may be binary, and long.
fn attribute(name: &[u8], value: &[u8]) -> Args {
    let size = i64::try_from(value.len()).unwrap_or(i64::MAX);
    vec![
        ("name", bytes(name)),
        ("value", Value::from("…")),
        ("size", Value::Int(size)),
        ("flags", Value::Int(0)),
    ]
}

/// fsetxattr(2).
pub fn fsetxattr(file: impl AsFd, name: &[u8], value: &[u8]) -> Result<()> {
    let file = file.as_fd();
    let args = || [vec![("fd", fd(file))], attribute(name, value)].concat();
    change("fsetxattr", true, args, zero, || {
        rustix::fs::fsetxattr(file, os(name), value, XattrFlags::empty())
    })
}

/// setxattr(2), or lsetxattr(2) when the last component is not to be `follow`ed,
/// by a path that leads through a descriptor.
pub fn setxattr(path: &[u8], follow: bool, name: &[u8], value: &[u8]) -> Result<()> {
    let args = || [vec![("path", Value::volatile(Kind::Fd, bytes(path)))], attribute(name, value)].concat();
    let (call, make): (_, fn(_, _, _, _) -> _) = match follow {
        true => ("setxattr", rustix::fs::setxattr::<&OsStr, &OsStr>),
        false => ("lsetxattr", rustix::fs::lsetxattr::<&OsStr, &OsStr>),
    };
    change(call, true, args, zero, || make(os(path), os(name), value, XattrFlags::empty()))
}

/// utimensat(2) of a name beneath a directory, or, without one, of the file that
/// the descriptor stands for; not following a link unless `follow`.
pub fn utimensat(dir: impl AsFd, name: Option<&[u8]>, times: &Timestamps, follow: bool) -> Result<()> {
    let dir = dir.as_fd();
    let args = || {
        let one = |t: &rustix::fs::Timespec| format!("{{{}, {}}}", t.tv_sec, t.tv_nsec);
        let both = format!("[{}, {}]", one(&times.last_access), one(&times.last_modification));
        let flags = if follow { Value::Int(0) } else { Value::from("AT_SYMLINK_NOFOLLOW") };
        vec![
            ("dirfd", fd(dir)),
            ("pathname", name.map_or(Value::from("NULL"), bytes)),
            ("times", Value::Text(both)),
            ("flags", flags),
        ]
    };
    let flags = if follow { AtFlags::empty() } else { AtFlags::SYMLINK_NOFOLLOW };
    change("utimensat", true, args, zero, || match name {
        Some(name) => rustix::fs::utimensat(dir, os(name), times, flags),
        None => rustix::fs::futimens(dir, times),
    })
}

fn count(n: usize) -> Value {
    Value::Int(i64::try_from(n).unwrap_or(i64::MAX))
}

/// write(2). What is written is not told, only how much.
pub(super) fn write(file: impl AsFd, data: &[u8]) -> Result<usize> {
    let file = file.as_fd();
    let args = || vec![("fd", fd(file)), ("buf", Value::from("…")), ("count", count(data.len()))];
    change("write", true, args, |n| count(*n), || rustix::io::write(file, data))
}

/// write(2) until all is written.
pub fn write_all(file: impl AsFd, mut data: &[u8]) -> Result<()> {
    let file = file.as_fd();
    while !data.is_empty() {
        match write(file, data) {
            Ok(0) => return Err(Errno::IO),
            Ok(n) => data = &data[n..],
            Err(Errno::INTR) => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// pwrite64(2) until all is written.
pub fn pwrite_all(file: impl AsFd, mut data: &[u8], mut offset: u64) -> Result<()> {
    let file = file.as_fd();
    while !data.is_empty() {
        let args = || {
            let at = Value::Int(i64::try_from(offset).unwrap_or(i64::MAX));
            vec![("fd", fd(file)), ("buf", Value::from("…")), ("count", count(data.len())), ("offset", at)]
        };
        match change("pwrite64", true, args, |n| count(*n), || rustix::io::pwrite(file, data, offset)) {
            Ok(0) => return Err(Errno::IO),
            Ok(n) => (data, offset) = (&data[n..], offset + n as u64),
            Err(Errno::INTR) => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// ftruncate(2).
pub fn ftruncate(file: impl AsFd, size: u64) -> Result<()> {
    let file = file.as_fd();
    let length = || Value::Int(i64::try_from(size).unwrap_or(i64::MAX));
    change(
        "ftruncate",
        true,
        || vec![("fd", fd(file)), ("length", length())],
        zero,
        || rustix::fs::ftruncate(file, size),
    )
}
