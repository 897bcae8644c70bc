//! Making init: one clone3(2) with every namespace, and what belongs to the
//! namespaces before init's own steps: id maps, and later the cgroup namespace.

use std::os::fd::{AsFd as _, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use rustix::fs::OFlags;

use super::behind;
use super::calls::{self, CWD, fail, fd_value};
use super::cx::Cx;
use super::recorder::{Recorder, zero};
use super::state::State;
use crate::kernel::{Errno, Failure};
use crate::plan::op::{IdMap, Ns, Slot};
use crate::trace::{Kind, Value};

/// Which side of clone3 this is.
#[derive(Debug)]
pub enum Side {
    /// The runtime, with the new process.
    Runtime {
        /// Its pid here.
        pid: i32,
        /// A descriptor that means this process and no later one of that pid.
        pidfd: OwnedFd,
    },
    /// The new process.
    Init,
}

fn flag(ns: Ns) -> (u64, &'static str) {
    match ns {
        Ns::User => (libc::CLONE_NEWUSER as u64, "CLONE_NEWUSER"),
        Ns::Mnt => (libc::CLONE_NEWNS as u64, "CLONE_NEWNS"),
        Ns::Pid => (libc::CLONE_NEWPID as u64, "CLONE_NEWPID"),
        Ns::Uts => (libc::CLONE_NEWUTS as u64, "CLONE_NEWUTS"),
        Ns::Ipc => (libc::CLONE_NEWIPC as u64, "CLONE_NEWIPC"),
        Ns::Net => (libc::CLONE_NEWNET as u64, "CLONE_NEWNET"),
        Ns::Cgroup => (libc::CLONE_NEWCGROUP as u64, "CLONE_NEWCGROUP"),
        Ns::Time => (0x80, "CLONE_NEWTIME"),
    }
}

/// CLONE_INTO_CGROUP, which does not fit the C int that libc gives it.
const INTO_CGROUP: u64 = 0x2_0000_0000;

/// clone3(2) as a fork: the child has a copy of everything, apart from what
/// `flags` make new.
///
/// # Safety
/// The calling process must have one thread: locks held by another one would
/// stay locked in the child for ever.
unsafe fn clone3(flags: u64, cgroup: Option<BorrowedFd<'_>>) -> Result<Side, Errno> {
    let mut pidfd: i32 = -1;
    // SAFETY: clone_args is plain numbers, for which zero means absent.
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = flags | libc::CLONE_PIDFD as u64;
    args.pidfd = &raw mut pidfd as u64;
    args.exit_signal = libc::SIGCHLD as u64;
    if let Some(cgroup) = cgroup {
        args.flags |= INTO_CGROUP;
        args.cgroup = cgroup.as_raw_fd() as u64;
    }
    // SAFETY: args lives through the call and has the size given; without
    // CLONE_VM and a new stack the child goes on here with a copy of memory.
    let pid =
        unsafe { libc::syscall(libc::SYS_clone3, &raw const args, std::mem::size_of::<libc::clone_args>()) };
    match pid {
        -1 => Err(nix::errno::Errno::last().into()),
        0 => {
            behind::leave();
            Ok(Side::Init)
        }
        // SAFETY: the kernel made this descriptor for us just now.
        pid => Ok(Side::Runtime { pid: pid as i32, pidfd: unsafe { OwnedFd::from_raw_fd(pidfd) } }),
    }
}

/// Carries out [`SpawnInside`](crate::plan::Op::SpawnInside), in a runtime that has
/// chosen the pid namespace of its children. Returns twice, as fork does.
pub fn spawn(cgroup: Option<&str>, cx: &mut Cx<'_>) -> Result<Side, Failure> {
    make(&[], cgroup, cx.rec).map_err(|mut failure| {
        "make a process in the container".clone_into(&mut failure.what);
        match failure.errno {
            Some(Errno::EAGAIN) => {
                failure.hint("the container has as many processes as it may: see --pids-limit of `run`")
            }
            Some(Errno::ENOMEM | Errno::ESRCH) => {
                failure.hint("the container may be ending: `glassbox ps` lists those that run")
            }
            _ => failure,
        }
    })
}

/// Carries out [`Clone`](crate::plan::Op::Clone). Returns twice, as fork does.
pub fn clone(
    namespaces: &[Ns],
    cgroup: Option<&str>,
    cx: &mut Cx<'_>,
    state: &State,
) -> Result<Side, Failure> {
    // Taken here, the cgroup namespace would have the runtime's own cgroup as
    // its root; init takes it once it is in the container's.
    let wanted: Vec<Ns> =
        namespaces.iter().copied().filter(|ns| *ns != Ns::Cgroup || !state.late_cgroup_namespace).collect();
    let side = make(&wanted, cgroup, cx.rec)?;
    if let Side::Runtime { pid, .. } = &side {
        cx.slots.insert(Slot::InitPid, Value::volatile(Kind::Pid, pid));
    }
    Ok(side)
}

/// One clone3(2), told as such.
pub(super) fn make(wanted: &[Ns], cgroup: Option<&str>, rec: &mut Recorder) -> Result<Side, Failure> {
    let flags = wanted.iter().fold(0, |bits, ns| bits | flag(*ns).0);
    let cgroup_fd = match cgroup {
        Some(path) => Some(
            calls::openat(rec, CWD, path, OFlags::PATH | OFlags::DIRECTORY, 0)
                .map_err(fail(|| format!("open cgroup {path}")))?,
        ),
        None => None,
    };
    rec.call(
        "clone3",
        || {
            let mut words: Vec<&str> = wanted.iter().map(|ns| flag(*ns).1).collect();
            words.push("CLONE_PIDFD");
            let mut args = Vec::new();
            if let Some(fd) = &cgroup_fd {
                words.push("CLONE_INTO_CGROUP");
                args.push(("cgroup", fd_value(fd)));
            }
            args.insert(0, ("flags", Value::Text(words.join("|"))));
            args.push(("exit_signal", Value::from("SIGCHLD")));
            args
        },
        |side| match side {
            Side::Runtime { pid, .. } => Value::volatile(Kind::Pid, pid),
            Side::Init => Value::Int(0),
        },
        // SAFETY: the runtime has one thread until its container has ended;
        // tests that clone run in a process of their own.
        || unsafe { clone3(flags, cgroup_fd.as_ref().map(std::os::fd::AsFd::as_fd)) },
    )
    .map_err(clone_failure)
}

fn clone_failure(errno: Errno) -> Failure {
    let failure = Failure::new("make a process in new namespaces", Some(errno));
    match errno {
        Errno::EPERM => failure.hint("run glassbox as root, or look at the same story with --model"),
        Errno::ENOSPC => {
            failure.hint("the limit of namespaces is reached: see /proc/sys/user/max_*_namespaces")
        }
        Errno::EINVAL => failure.hint("the kernel lacks one of these namespaces; Linux 5.7 has them all"),
        _ => failure,
    }
}

/// Carries out [`WriteIdMaps`](crate::plan::Op::WriteIdMaps).
pub fn write_id_maps(uid: &[IdMap], gid: &[IdMap], cx: &mut Cx<'_>) -> Result<bool, Failure> {
    let pid = cx.init_pid().ok_or_else(|| Failure::new("write id maps: init is not made yet", None))?;
    write_maps(pid, uid, gid, cx.rec).map(|()| false)
}

fn write_maps(pid: i32, uid: &[IdMap], gid: &[IdMap], rec: &mut Recorder) -> Result<(), Failure> {
    for (file, maps) in [("uid_map", uid), ("gid_map", gid)] {
        let path = format!("/proc/{pid}/{file}");
        let text: String = maps.iter().map(|m| format!("{} {} {}\n", m.container, m.host, m.size)).collect();
        // The kernel takes a map in one write only.
        calls::openat(rec, CWD, &path, OFlags::WRONLY, 0)
            .and_then(|fd| calls::write_all(rec, &fd, text.as_bytes()))
            .map_err(fail(|| format!("write {path}")))?;
    }
    Ok(())
}

/// A user namespace with these maps and no process in it: by its maps a mount
/// can translate owners.
pub fn user_namespace(uid: &[IdMap], gid: &[IdMap], rec: &mut Recorder) -> Result<OwnedFd, Failure> {
    let what = || "make a user namespace".to_owned();
    let (wait, go) =
        rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(|e| fail(what)(Errno::from(e)))?;
    let side = make(&[Ns::User], None, rec)?;
    let (pid, pidfd) = match side {
        Side::Runtime { pid, pidfd } => (pid, pidfd),
        // It holds the namespace until the other end of the pipe is closed, also by
        // the death of the runtime.
        Side::Init => {
            drop(go);
            let _ = rustix::io::retry_on_intr(|| rustix::io::read(&wait, &mut [0u8; 1]));
            // SAFETY: ends the process at once: buffers and exit handlers are the runtime's.
            unsafe { libc::_exit(0) }
        }
    };
    let path = format!("/proc/{pid}/ns/user");
    let made = write_maps(pid, uid, gid, rec).and_then(|()| {
        calls::openat(rec, CWD, &path, OFlags::RDONLY, 0).map_err(fail(|| format!("open {path}")))
    });
    drop(go);
    let id = rustix::process::WaitId::PidFd(pidfd.as_fd());
    let _ = rustix::io::retry_on_intr(|| {
        rustix::process::waitid(id.clone(), rustix::process::WaitIdOptions::EXITED)
    });
    made
}

/// Carries out [`UnshareCgroup`](crate::plan::Op::UnshareCgroup), in init.
pub fn unshare_cgroup(rec: &mut Recorder) -> Result<bool, Failure> {
    rec.call(
        "unshare",
        || vec![("flags", Value::from("CLONE_NEWCGROUP"))],
        zero,
        || nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWCGROUP),
    )
    .map_err(fail(|| "take a new cgroup namespace".to_owned()))?;
    Ok(false)
}
