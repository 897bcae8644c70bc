//! Making init, its id maps, its terminal, and its command.

use super::{Cx, fail, misplaced, zero};
use crate::kernel::model::kernel::Stream;
use crate::kernel::model::ns::Held;
use crate::kernel::model::process::{FdEntry, Gpid};
use crate::kernel::model::vfs::{OpenKind, TREE_ROOT};
use crate::kernel::model::world::World;
use crate::kernel::{Errno, Failure};
use crate::plan::Op;
use crate::plan::op::{IdMap, Ns, Slot};
use crate::trace::{Kind, Value};
use crate::userland::{FileType, OpenFlags};

/// Where a command without a slash is looked for when there is no PATH.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

pub(super) fn apply(op: &Op, cx: &mut Cx<'_>) -> Result<bool, Failure> {
    match op {
        Op::Clone { namespaces, cgroup } => clone(cx, namespaces, cgroup.as_deref()).map(|()| false),
        Op::WriteIdMaps { uid, gid } => write_id_maps(cx, uid, gid).map(|()| false),
        Op::OpenTerminal => terminal(cx).map(|()| false),
        Op::Exec { argv, env, cwd } => exec(cx, argv, env, cwd).map(|()| false),
        _ => Err(misplaced(op)),
    }
}

pub(super) fn flag(ns: Ns) -> &'static str {
    match ns {
        Ns::User => "CLONE_NEWUSER",
        Ns::Mnt => "CLONE_NEWNS",
        Ns::Pid => "CLONE_NEWPID",
        Ns::Uts => "CLONE_NEWUTS",
        Ns::Ipc => "CLONE_NEWIPC",
        Ns::Net => "CLONE_NEWNET",
        Ns::Cgroup => "CLONE_NEWCGROUP",
        Ns::Time => "CLONE_NEWTIME",
    }
}

fn clone(cx: &mut Cx<'_>, namespaces: &[Ns], cgroup: Option<&str>) -> Result<(), Failure> {
    let pid = make(cx, namespaces, cgroup)?;
    cx.carried.init = Some(pid);
    cx.slots.insert(Slot::InitPid, Value::volatile(Kind::Pid, pid));
    Ok(())
}

/// clone3(2), with the console's streams for the new process.
pub(super) fn make(cx: &mut Cx<'_>, namespaces: &[Ns], cgroup: Option<&str>) -> Result<Gpid, Failure> {
    let group = match cgroup {
        Some(path) => Some(super::cgroup::group(cx, path).map_err(fail(|| format!("open cgroup {path}")))?),
        None => None,
    };
    let parent = cx.pid;
    let args = || {
        let mut words: Vec<&str> = namespaces.iter().map(|ns| flag(*ns)).collect();
        words.push("CLONE_PIDFD");
        if cgroup.is_some() {
            words.push("CLONE_INTO_CGROUP");
        }
        let mut args = vec![("flags", Value::Text(words.join("|")))];
        if cgroup.is_some() {
            args.push(("cgroup", Value::volatile(Kind::Fd, 3)));
        }
        args.push(("exit_signal", "SIGCHLD".into()));
        args
    };
    let pid = cx
        .call(
            "clone3",
            args,
            |pid| Value::volatile(Kind::Pid, pid),
            |w, _| w.spawn(parent, namespaces, group),
        )
        .map_err(fail(|| "make a process in new namespaces".to_owned()))?;
    standard_streams(cx.w, pid);
    Ok(pid)
}

/// Descriptors 0, 1 and 2: the console's streams.
fn standard_streams(w: &mut World, pid: Gpid) {
    let out = OpenFlags { write: true, ..OpenFlags::default() };
    let streams = [
        (0, OpenKind::HostIn, OpenFlags::READ),
        (1, OpenKind::HostOut(Stream::Stdout), out),
        (2, OpenKind::HostOut(Stream::Stderr), out),
    ];
    for (fd, kind, flags) in streams {
        let open = w.add_open(kind, None, flags);
        put_fd(w, pid, fd, open);
    }
}

fn put_fd(w: &mut World, pid: Gpid, fd: i32, open: usize) {
    let old = match w.process_mut(pid) {
        Ok(p) => p.fds.insert(fd, FdEntry { open, cloexec: false }),
        Err(_) => return w.drop_open(open),
    };
    if let Some(old) = old {
        w.drop_open(old.open);
    }
}

/// The runtime takes note of the end of a child.
pub(in crate::kernel::model) fn reap(cx: &mut Cx<'_>, child: Gpid) {
    let args = || {
        vec![
            ("idtype", "P_PIDFD".into()),
            ("id", Value::volatile(Kind::Fd, 4)),
            ("options", "WEXITED".into()),
        ]
    };
    // It has ended: that was waited for before.
    let _ = cx.call("waitid", args, zero, |w, _| {
        w.reap(child);
        Ok(())
    });
}

fn write_id_maps(cx: &mut Cx<'_>, uid: &[IdMap], gid: &[IdMap]) -> Result<(), Failure> {
    let init = cx.init()?;
    write_maps(cx, init, uid, gid)?;
    // Init becomes root of its namespace, as it does on Linux.
    become_root(cx, init)
}

/// In a user namespace a process is nobody until it becomes the root of the map.
pub(super) fn become_root(cx: &mut Cx<'_>, process: Gpid) -> Result<(), Failure> {
    let what = || "become root of the user namespace".to_owned();
    let ns = cx.w.process(process).map_err(fail(what))?.ns.user;
    let (Ok(root), Ok(group)) = (cx.w.ns.kuid(ns, 0), cx.w.ns.kgid(ns, 0)) else { return Ok(()) };
    cx.w.set_cred(process, |c| {
        (c.uid, c.euid, c.gid, c.egid) = (root, root, group, group);
        c.groups = [group].as_slice().into();
    })
    .map_err(fail(what))
}

/// Maps the ids of the user namespace of a process.
pub(super) fn write_maps(
    cx: &mut Cx<'_>,
    process: Gpid,
    uid: &[IdMap],
    gid: &[IdMap],
) -> Result<(), Failure> {
    for (file, maps) in [("uid_map", uid), ("gid_map", gid)] {
        let path = format!("/proc/{process}/{file}");
        let text: String = maps.iter().map(|m| format!("{} {} {}\n", m.container, m.host, m.size)).collect();
        let length = text.len() as i64;
        let args = || {
            vec![
                ("fd", Value::volatile(Kind::Fd, 3)),
                ("buf", Value::from(text.as_str())),
                ("count", Value::Int(length)),
            ]
        };
        cx.call(
            "write",
            args,
            |()| Value::Int(length),
            |w, _| {
                let ns = w.process(process)?.ns.user;
                if ns == w.host_ns.user || maps.is_empty() {
                    return Err(Errno::EPERM);
                }
                let Some(Held::User { uid, gid, .. }) = w.ns.held_mut(ns) else { return Err(Errno::EINVAL) };
                let map = if file == "uid_map" { uid } else { gid };
                // A map is written once.
                if !map.is_empty() {
                    return Err(Errno::EPERM);
                }
                *map = maps.to_vec();
                Ok(())
            },
        )
        .map_err(fail(|| format!("write {path}")))?;
    }
    Ok(())
}

fn terminal(cx: &mut Cx<'_>) -> Result<(), Failure> {
    let pid = cx.pid;
    let what = || "open a terminal in the container's devpts".to_owned();
    let args = || {
        vec![
            ("dirfd", super::at_cwd()),
            ("pathname", "/dev/pts/ptmx".into()),
            ("flags", "O_RDWR|O_NOCTTY".into()),
        ]
    };
    cx.call(
        "openat",
        args,
        |_| Value::volatile(Kind::Fd, 3),
        |w, ctx| {
            let loc = w.resolve(ctx, "/dev/pts/ptmx", true)?;
            let there = w.resolve(ctx, "/dev/pts/0", true).is_ok();
            if !there {
                let tree = w.fs.tree_mut(loc.node.sb)?;
                let body = crate::kernel::model::vfs::Body::Char(136, 0);
                let new = crate::kernel::model::vfs::New { body, mode: 0o620, uid: 0, gid: 0, mtime: 0 };
                tree.make(TREE_ROOT, "0", new)?;
            }
            w.console_tty = true;
            let both = OpenFlags { write: true, ..OpenFlags::READ };
            for fd in 0..3 {
                let open = w.add_open(OpenKind::Tty, None, both);
                put_fd(w, pid, fd, open);
            }
            Ok(())
        },
    )
    .map_err(fail(what))
}

fn exec(cx: &mut Cx<'_>, argv: &[String], env: &[String], cwd: &str) -> Result<(), Failure> {
    let Some(name) = argv.first() else {
        return Err(Failure::new("execute a command: none is given", None)
            .status(127)
            .hint("name a command after the image, or use an image that has one"));
    };
    let pid = cx.pid;
    if !cwd.is_empty() {
        let what = || format!("change to working directory {cwd}");
        cx.call("chdir", || vec![("path", cwd.into())], zero, |w, _| w.chdir(pid, cwd))
            .map_err(|e| Failure::new(what(), Some(e)).status(126))?;
    }
    let path = find(cx, name, env)?;
    let args = || {
        vec![
            ("pathname", Value::from(path.as_str())),
            ("argv", Value::Text(format!("{argv:?}"))),
            ("envp", Value::Text(format!("{env:?}"))),
        ]
    };
    let image = cx
        .call("execve", args, zero, |w, ctx| {
            let image = w.find_image(ctx, &path, argv, env)?;
            w.become_image(pid, &image)?;
            Ok(image)
        })
        .map_err(|errno| {
            let failure = Failure::new(format!("execute {name:?}"), Some(errno)).status(126);
            match errno {
                Errno::ENOEXEC => failure.hint("the model runs the programs of the image `box`, and scripts"),
                Errno::ENOENT => failure.status(127).hint("the script's interpreter is missing"),
                Errno::EACCES => {
                    failure.hint("the file, or the interpreter that it names, is not executable")
                }
                _ => failure,
            }
        })?;
    cx.carried.image = Some(image);
    Ok(())
}

/// Looks a command up as execvp(3) does; what is tried first and fails for want
/// of permission is told when nothing else is found.
fn find(cx: &mut Cx<'_>, name: &str, env: &[String]) -> Result<String, Failure> {
    let ctx = cx.ctx().map_err(fail(|| "look for the command".to_owned()))?;
    let denied = |shown: &str| {
        Failure::new(format!("exec: {name:?}{shown}"), Some(Errno::EACCES))
            .status(126)
            .hint("the file is not executable: `chmod +x` it in the image")
    };
    if name.contains('/') {
        return match cx.w.executable(&ctx, name) {
            Ok(_) => Ok(name.to_owned()),
            Err(Errno::EACCES) if cx.w.stat(&ctx, name, true).is_ok_and(|s| s.kind == FileType::Dir) => {
                Err(Failure::new(format!("exec: {name:?}: is a directory"), None)
                    .status(126)
                    .hint("name a program in it"))
            }
            Err(Errno::EACCES) => Err(denied("")),
            Err(e) => Err(Failure::new(format!("exec: {name:?}: stat {name}"), Some(e))
                .status(if matches!(e, Errno::ENOENT | Errno::ENOTDIR) { 127 } else { 126 })
                .hint("the path is looked up inside the container")),
        };
    }
    let path = env.iter().find_map(|e| e.strip_prefix("PATH=")).unwrap_or(DEFAULT_PATH);
    let mut refused = None;
    for dir in path.split(':') {
        let candidate = format!("{}/{name}", if dir.is_empty() { "." } else { dir });
        match cx.w.executable(&ctx, &candidate) {
            Ok(_) => return Ok(candidate),
            Err(Errno::EACCES) => refused = refused.or(Some(candidate)),
            Err(_) => {}
        }
    }
    Err(match refused {
        Some(candidate) => denied(&format!(": {candidate}")),
        None => Failure::new(format!("exec: {name:?}: executable file not found in $PATH"), None)
            .status(127)
            .hint(format!("the container's PATH is {path}; the image may lack the program")),
    })
}
