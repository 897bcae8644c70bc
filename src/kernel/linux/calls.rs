//! The system calls of this room, each with its true name and arguments for
//! the recorder. Where the C library would pick another call than the name
//! says (`mkdir` for `mkdirat`…), the call is chosen here, so that a trace can
//! be held against strace's.

use std::ffi::OsStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::mount::{MntFlags, MsFlags};
use rustix::fs::{AtFlags, Mode, OFlags, ResolveFlags};

use super::mount_options::flag_names;
use super::recorder::{Args, Recorder, zero};
use crate::kernel::{Errno, Failure};
use crate::trace::{Kind, Value};

/// The working directory, as the `*at` calls name it.
pub const CWD: BorrowedFd<'static> = rustix::fs::CWD;

/// Turns an errno into a failure that says what was tried.
pub fn fail(what: impl FnOnce() -> String) -> impl FnOnce(Errno) -> Failure {
    move |errno| Failure::new(what(), Some(errno))
}

/// A descriptor as an argument or a result.
pub fn fd_value(fd: impl AsFd) -> Value {
    match fd.as_fd().as_raw_fd() {
        libc::AT_FDCWD => Value::from("AT_FDCWD"),
        raw => Value::volatile(Kind::Fd, raw),
    }
}

/// A descriptor that a call made.
pub fn made_fd(fd: &OwnedFd) -> Value {
    fd_value(fd)
}

/// A pid of this process's own namespace: that of its first process is known.
pub fn pid_inside(pid: &rustix::process::Pid) -> Value {
    match pid.as_raw_nonzero().get() {
        1 => Value::Int(1),
        other => Value::volatile(Kind::Pid, other),
    }
}

fn octal(mode: u32) -> Value {
    Value::Text(format!("0{mode:o}"))
}

fn text(text: &str) -> Value {
    Value::from(text)
}

/// A path that leads through a descriptor differs from run to run.
fn path_value(path: &str) -> Value {
    match path.starts_with("/proc/self/fd/") {
        true => Value::volatile(Kind::Fd, path),
        false => text(path),
    }
}

fn open_flags(flags: OFlags) -> Value {
    let mut words = vec![match flags & OFlags::ACCMODE {
        OFlags::WRONLY => "O_WRONLY",
        OFlags::RDWR => "O_RDWR",
        _ => "O_RDONLY",
    }];
    for (flag, word) in [
        (OFlags::CREATE, "O_CREAT"),
        (OFlags::EXCL, "O_EXCL"),
        (OFlags::TRUNC, "O_TRUNC"),
        (OFlags::NOCTTY, "O_NOCTTY"),
        (OFlags::DIRECTORY, "O_DIRECTORY"),
        (OFlags::NOFOLLOW, "O_NOFOLLOW"),
        (OFlags::PATH, "O_PATH"),
        (OFlags::CLOEXEC, "O_CLOEXEC"),
    ] {
        if flags.contains(flag) {
            words.push(word);
        }
    }
    Value::Text(words.join("|"))
}

/// mkdirat(2).
pub fn mkdirat(rec: &mut Recorder, dir: impl AsFd, path: &str, mode: u32) -> Result<(), Errno> {
    let dir = dir.as_fd();
    rec.call(
        "mkdirat",
        || vec![("dirfd", fd_value(dir)), ("pathname", text(path)), ("mode", octal(mode))],
        zero,
        || rustix::fs::mkdirat(dir, path, Mode::from_raw_mode(mode)),
    )
}

/// openat(2), close-on-exec. Counts as a change when it may create or truncate.
pub fn openat(
    rec: &mut Recorder,
    dir: impl AsFd,
    path: impl AsRef<OsStr>,
    flags: OFlags,
    mode: u32,
) -> Result<OwnedFd, Errno> {
    let (dir, path) = (dir.as_fd(), path.as_ref());
    let flags = flags | OFlags::CLOEXEC;
    let args = || {
        let mut args: Args = vec![
            ("dirfd", fd_value(dir)),
            ("pathname", path_value(&path.to_string_lossy())),
            ("flags", open_flags(flags)),
        ];
        if flags.contains(OFlags::CREATE) {
            args.push(("mode", octal(mode)));
        }
        args
    };
    let make = || rustix::fs::openat(dir, path, flags, Mode::from_raw_mode(mode));
    match flags.intersects(OFlags::CREATE | OFlags::TRUNC) {
        true => rec.call("openat", args, made_fd, make),
        false => rec.read("openat", args, made_fd, make),
    }
}

/// openat2(2) of a path that is resolved as if `root` were `/`: neither `..`
/// nor a symbolic link leads out of it.
pub fn open_in_root(
    rec: &mut Recorder,
    root: impl AsFd,
    path: &str,
    flags: OFlags,
    mode: u32,
) -> Result<OwnedFd, Errno> {
    let root = root.as_fd();
    let flags = flags | OFlags::CLOEXEC;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let args = || {
        vec![
            ("dirfd", fd_value(root)),
            ("pathname", text(path)),
            ("flags", open_flags(flags)),
            ("mode", octal(mode)),
            ("resolve", text("RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS")),
        ]
    };
    let make = || rustix::fs::openat2(root, path, flags, Mode::from_raw_mode(mode), resolve);
    match flags.intersects(OFlags::CREATE | OFlags::TRUNC) {
        true => rec.call("openat2", args, made_fd, make),
        false => rec.read("openat2", args, made_fd, make),
    }
}

/// write(2) of all of a short text.
pub fn write_all(rec: &mut Recorder, fd: impl AsFd, data: &[u8]) -> Result<(), Errno> {
    write_told(rec, fd.as_fd(), data, None)
}

/// The same of a text that differs from run to run, in its length too.
pub fn write_volatile(rec: &mut Recorder, fd: impl AsFd, data: &[u8]) -> Result<(), Errno> {
    write_told(rec, fd.as_fd(), data, Some(Kind::Other))
}

/// How much of a text is told.
const TOLD: usize = 256;

/// The beginning of a long text, cut between words: half an address or id could
/// not be told from anything else.
fn beginning(data: &[u8]) -> String {
    let cut = match data.get(..TOLD).filter(|_| data.len() > TOLD) {
        Some(head) => head.iter().rposition(u8::is_ascii_whitespace).map_or(head, |at| &head[..=at]),
        None => data,
    };
    String::from_utf8_lossy(cut).into_owned()
}

fn write_told(rec: &mut Recorder, fd: BorrowedFd<'_>, data: &[u8], kind: Option<Kind>) -> Result<(), Errno> {
    let length = |n: usize| match kind {
        Some(_) => Value::volatile(Kind::Bytes, n),
        None => Value::Int(n as i64),
    };
    let mut rest = data;
    while !rest.is_empty() {
        let written = rec.call(
            "write",
            || {
                let buf = beginning(rest);
                let buf = kind.map_or(Value::Text(buf.clone()), |kind| Value::volatile(kind, buf));
                vec![("fd", fd_value(fd)), ("buf", buf), ("count", length(rest.len()))]
            },
            |n: &usize| length(*n),
            || rustix::io::write(fd, rest),
        );
        match written {
            Ok(0) => return Err(Errno::EIO),
            Ok(n) => rest = &rest[n..],
            Err(Errno::EINTR) => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// fchmod(2).
pub fn fchmod(rec: &mut Recorder, fd: impl AsFd, mode: u32) -> Result<(), Errno> {
    let fd = fd.as_fd();
    rec.call(
        "fchmod",
        || vec![("fd", fd_value(fd)), ("mode", octal(mode))],
        zero,
        || rustix::fs::fchmod(fd, Mode::from_raw_mode(mode)),
    )
}

/// unlinkat(2) of a file, or of an empty directory with `directory`.
pub fn unlinkat(
    rec: &mut Recorder,
    dir: impl AsFd,
    path: impl AsRef<OsStr>,
    directory: bool,
) -> Result<(), Errno> {
    let (dir, path) = (dir.as_fd(), path.as_ref());
    rec.call(
        "unlinkat",
        || {
            let flags = if directory { text("AT_REMOVEDIR") } else { Value::Int(0) };
            let name = path.to_string_lossy();
            // What overlayfs left in its work directory has a number for a name.
            let number = |n: &str| !n.is_empty() && n.bytes().all(|b| b.is_ascii_hexdigit());
            let path = match name.strip_prefix('#').is_some_and(number) {
                true => Value::volatile(Kind::Other, &name),
                false => text(&name),
            };
            vec![("dirfd", fd_value(dir)), ("pathname", path), ("flags", flags)]
        },
        zero,
        || rustix::fs::unlinkat(dir, path, if directory { AtFlags::REMOVEDIR } else { AtFlags::empty() }),
    )
}

/// renameat(2), both paths from the working directory.
pub fn rename(rec: &mut Recorder, from: &str, to: &str) -> Result<(), Errno> {
    rec.call(
        "renameat",
        || {
            vec![
                ("olddirfd", fd_value(CWD)),
                ("oldpath", text(from)),
                ("newdirfd", fd_value(CWD)),
                ("newpath", text(to)),
            ]
        },
        zero,
        || rustix::fs::renameat(CWD, from, CWD, to),
    )
}

/// symlinkat(2).
pub fn symlinkat(rec: &mut Recorder, target: &str, dir: impl AsFd, path: &str) -> Result<(), Errno> {
    let dir = dir.as_fd();
    rec.call(
        "symlinkat",
        || vec![("target", text(target)), ("newdirfd", fd_value(dir)), ("linkpath", text(path))],
        zero,
        || rustix::fs::symlinkat(target, dir, path),
    )
}

/// mount(2).
pub fn mount(
    rec: &mut Recorder,
    source: Option<&str>,
    target: &str,
    fstype: Option<&str>,
    flags: MsFlags,
    data: Option<&str>,
) -> Result<(), Errno> {
    let or_null = |s: Option<&str>| s.map_or(text("NULL"), path_value);
    rec.call(
        "mount",
        || {
            vec![
                ("source", or_null(source)),
                ("target", path_value(target)),
                ("filesystemtype", or_null(fstype)),
                ("mountflags", Value::Text(flag_names(flags))),
                ("data", or_null(data)),
            ]
        },
        zero,
        || nix::mount::mount(source, target, fstype, flags, data),
    )
}

/// umount2(2) with MNT_DETACH.
pub fn umount_detach(rec: &mut Recorder, target: &str) -> Result<(), Errno> {
    rec.call(
        "umount2",
        || vec![("target", text(target)), ("flags", text("MNT_DETACH"))],
        zero,
        || nix::mount::umount2(target, MntFlags::MNT_DETACH),
    )
}

/// move_mount(2) of the mount that `from` stands for onto the place that `to`
/// stands for, or, without `to`, onto `path`.
pub fn move_mount(rec: &mut Recorder, from: &OwnedFd, to: Option<&OwnedFd>, path: &str) -> Result<(), Errno> {
    use rustix::mount::MoveMountFlags as M;
    let (to, flags, words) = match to {
        Some(to) => (
            to.as_fd(),
            M::MOVE_MOUNT_F_EMPTY_PATH | M::MOVE_MOUNT_T_EMPTY_PATH,
            "MOVE_MOUNT_F_EMPTY_PATH|MOVE_MOUNT_T_EMPTY_PATH",
        ),
        None => (CWD, M::MOVE_MOUNT_F_EMPTY_PATH, "MOVE_MOUNT_F_EMPTY_PATH"),
    };
    rec.call(
        "move_mount",
        || {
            vec![
                ("from_dirfd", fd_value(from)),
                ("from_pathname", text("")),
                ("to_dirfd", fd_value(to)),
                ("to_pathname", text(path)),
                ("flags", text(words)),
            ]
        },
        zero,
        || rustix::mount::move_mount(from, "", to, path, flags),
    )
}

/// chdir(2).
pub fn chdir(rec: &mut Recorder, path: &str) -> Result<(), Errno> {
    rec.call("chdir", || vec![("path", path_value(path))], zero, || rustix::process::chdir(path))
}

/// close_range(2) from `first` on: closed when the program is replaced.
pub fn close_on_exec_from(rec: &mut Recorder, first: u32) -> Result<(), Errno> {
    rec.call(
        "close_range",
        || {
            vec![
                ("first", Value::Int(i64::from(first))),
                ("last", Value::Int(i64::from(u32::MAX))),
                ("flags", text("CLOSE_RANGE_CLOEXEC")),
            ]
        },
        zero,
        || {
            // SAFETY: plain numbers; the call only marks descriptors.
            let r =
                unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
            nix::errno::Errno::result(r).map(drop)
        },
    )
}

/// prctl(2) with one argument. `shown` are the names of option and argument.
pub fn prctl(
    rec: &mut Recorder,
    option: i32,
    arg: u64,
    arg3: u64,
    shown: impl FnOnce() -> Args,
) -> Result<(), Errno> {
    rec.call("prctl", shown, zero, || {
        // SAFETY: every option used in this room takes numbers, not pointers.
        let r = unsafe { libc::prctl(option, arg as libc::c_ulong, arg3 as libc::c_ulong, 0, 0) };
        nix::errno::Errno::result(r).map(drop)
    })
}

/// dup3(2) onto a standard stream, which then survives execve.
pub fn dup_onto(rec: &mut Recorder, from: impl AsFd, to: i32) -> Result<(), Errno> {
    let from = from.as_fd();
    rec.call(
        "dup3",
        || vec![("oldfd", fd_value(from)), ("newfd", Value::Int(i64::from(to))), ("flags", Value::Int(0))],
        |fd: &i32| Value::Int(i64::from(*fd)),
        || {
            // SAFETY: both are open descriptors of this process; `to` is 0, 1 or 2.
            nix::errno::Errno::result(unsafe { libc::dup3(from.as_raw_fd(), to, 0) })
        },
    )
    .map(drop)
}

/// mount_setattr(2) of a tree that is open.
pub fn mount_setattr(
    rec: &mut Recorder,
    tree: &OwnedFd,
    attr: libc::mount_attr,
    flags: i32,
    args: impl FnOnce() -> Args,
) -> Result<(), Errno> {
    rec.call("mount_setattr", args, zero, || {
        // SAFETY: an empty path; attr lives through the call and has the size given.
        let r = unsafe {
            libc::syscall(
                libc::SYS_mount_setattr,
                tree.as_raw_fd(),
                c"".as_ptr(),
                flags,
                &raw const attr,
                std::mem::size_of::<libc::mount_attr>(),
            )
        };
        nix::errno::Errno::result(r).map(drop)
    })
}
