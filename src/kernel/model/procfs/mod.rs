//! procfs of one pid namespace: every file is made from the kernel's state when
//! it is opened, proc(5).

mod text;

use super::Res;
use super::cred::Cap;
use super::ns::{KINDS, NsId};
use super::process::{Ctx, Gpid};
use super::vfs::{Attr, Loc, Node, OpenKind, Sb};
use super::world::World;
use crate::kernel::Errno;
use crate::userland::FileType;
pub(crate) use text::status_text;
use text::{of_process, top};

/// Inode of the root.
pub(crate) const ROOT: u64 = 1;

/// Files of the root, numbered from 2.
const TOP: [&str; 20] = [
    "self",
    "mounts",
    "uptime",
    "version",
    "meminfo",
    "cpuinfo",
    "sys",
    "stat",
    "loadavg",
    "filesystems",
    "net",
    "kcore",
    "keys",
    "cmdline",
    "acpi",
    "bus",
    "fs",
    "interrupts",
    "irq",
    "timer_list",
];
/// Directories of the root that the model keeps empty: they are there to be hidden.
const EMPTY: [&str; 4] = ["acpi", "bus", "fs", "irq"];
/// Links of `/proc/PID/ns`: one for each kind, and those for children yet to be made.
const NS_LINKS: [&str; 10] =
    ["user", "mnt", "pid", "uts", "ipc", "net", "cgroup", "time", "pid_for_children", "time_for_children"];
/// Files of a process, numbered from 1.
const OF_PID: [&str; 17] = [
    "stat",
    "status",
    "cmdline",
    "comm",
    "cgroup",
    "mountinfo",
    "mounts",
    "environ",
    "exe",
    "cwd",
    "root",
    "ns",
    "fd",
    "uid_map",
    "gid_map",
    "limits",
    "oom_score_adj",
];
/// Files below sys, with their directories before them.
const SYS: [&str; 9] = [
    "kernel",
    "net",
    "net/ipv4",
    "kernel/hostname",
    "kernel/ostype",
    "kernel/osrelease",
    "net/ipv4/ip_forward",
    "kernel/pid_max",
    "kernel/domainname",
];
const SYS_BASE: u64 = 0x100;
const NS_BASE: u64 = 0x400;
const FD_BASE: u64 = 0x1000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Root,
    Top(&'static str),
    Sys(&'static str),
    Pid(Gpid),
    OfPid(Gpid, &'static str),
    Ns(Gpid, usize),
    Fd(Gpid, i32),
}

fn place(ino: u64) -> Res<Place> {
    let (pid, entry) = ((ino >> 32) as Gpid, ino & 0xffff_ffff);
    let found = if pid == 0 {
        match entry {
            ROOT => Some(Place::Root),
            SYS_BASE.. => SYS.get((entry - SYS_BASE) as usize).map(|s| Place::Sys(s)),
            _ => TOP.get((entry as usize).wrapping_sub(2)).map(|s| Place::Top(s)),
        }
    } else {
        match entry {
            0 => Some(Place::Pid(pid)),
            FD_BASE.. => Some(Place::Fd(pid, (entry - FD_BASE) as i32)),
            NS_BASE.. => Some(Place::Ns(pid, (entry - NS_BASE) as usize)),
            _ => OF_PID.get(entry as usize - 1).map(|s| Place::OfPid(pid, s)),
        }
    };
    found.ok_or(Errno::ENOENT)
}

fn index(table: &[&str], name: &str) -> Res<u64> {
    table.iter().position(|n| *n == name).map(|i| i as u64).ok_or(Errno::ENOENT)
}

fn of_pid(pid: Gpid, entry: u64) -> u64 {
    (pid as u64) << 32 | entry
}

pub(crate) fn lookup(w: &World, ns: NsId, dir: u64, name: &str, _caller: Gpid) -> Res<u64> {
    match place(dir)? {
        Place::Root => match name.parse::<i32>() {
            Ok(n) => w.ns.find_pid(ns, n).map(|g| of_pid(g, 0)).ok_or(Errno::ENOENT),
            Err(_) => Ok(index(&TOP, name)? + 2),
        },
        Place::Top("sys") => Ok(SYS_BASE + index(&SYS, name)?),
        Place::Top(dir) if EMPTY.contains(&dir) => Err(Errno::ENOENT),
        Place::Sys(above) => Ok(SYS_BASE + index(&SYS, &format!("{above}/{name}"))?),
        Place::Pid(pid) => {
            w.process(pid).map_err(|_| Errno::ENOENT)?;
            Ok(of_pid(pid, index(&OF_PID, name)? + 1))
        }
        Place::OfPid(pid, "ns") => Ok(of_pid(pid, NS_BASE + index(&NS_LINKS, name)?)),
        Place::OfPid(pid, "fd") => {
            let fd: i32 = name.parse().map_err(|_| Errno::ENOENT)?;
            let p = w.process(pid).map_err(|_| Errno::ENOENT)?;
            if !p.fds.contains_key(&fd) {
                return Err(Errno::ENOENT);
            }
            Ok(of_pid(pid, FD_BASE + fd as u64))
        }
        _ => Err(Errno::ENOTDIR),
    }
}

pub(crate) fn parent(ino: u64) -> u64 {
    match place(ino) {
        Ok(Place::OfPid(pid, _)) => of_pid(pid, 0),
        Ok(Place::Ns(pid, _)) => of_pid(pid, 12),
        Ok(Place::Fd(pid, _)) => of_pid(pid, 13),
        Ok(Place::Sys(path)) => match path.rsplit_once('/') {
            Some((above, _)) => SYS_BASE + index(&SYS, above).unwrap_or(0),
            None => 2 + index(&TOP, "sys").unwrap_or(0),
        },
        _ => ROOT,
    }
}

pub(crate) fn name_of(w: &World, ns: NsId, ino: u64) -> Option<(u64, String)> {
    let name = match place(ino).ok()? {
        Place::Root => return None,
        Place::Top(name) | Place::OfPid(_, name) => name.to_owned(),
        Place::Sys(path) => path.rsplit('/').next().unwrap_or(path).to_owned(),
        Place::Pid(pid) => w.pid_in(pid, ns)?.to_string(),
        Place::Ns(_, at) => (*NS_LINKS.get(at)?).to_owned(),
        Place::Fd(_, fd) => fd.to_string(),
    };
    Some((parent(ino), name))
}

fn is_dir(p: Place) -> bool {
    matches!(p, Place::Top(name) if EMPTY.contains(&name))
        || matches!(
            p,
            Place::Root
                | Place::Pid(_)
                | Place::Top("sys")
                | Place::Sys("kernel" | "net" | "net/ipv4")
                | Place::OfPid(_, "ns" | "fd")
        )
}

fn is_link(p: Place) -> bool {
    matches!(
        p,
        Place::Top("self" | "mounts" | "net")
            | Place::OfPid(_, "exe" | "cwd" | "root")
            | Place::Ns(..)
            | Place::Fd(..)
    )
}

fn owner(w: &World, p: Place) -> Res<(u32, u32)> {
    match p {
        Place::Pid(pid) | Place::OfPid(pid, _) | Place::Ns(pid, _) | Place::Fd(pid, _) => {
            let p = w.process(pid).map_err(|_| Errno::ENOENT)?;
            Ok((p.cred.euid, p.cred.egid))
        }
        _ => Ok((0, 0)),
    }
}

pub(crate) fn attr(w: &World, _ns: NsId, ino: u64) -> Res<Attr> {
    let p = place(ino)?;
    let (uid, gid) = owner(w, p)?;
    let (kind, mode) = if is_dir(p) {
        (FileType::Dir, if matches!(p, Place::OfPid(_, "fd")) { 0o500 } else { 0o555 })
    } else if is_link(p) {
        (FileType::Symlink, 0o777)
    } else {
        let mode = match p {
            Place::OfPid(_, "environ") | Place::Top("kcore" | "timer_list") => 0o400,
            Place::Sys("kernel/ostype" | "kernel/osrelease") => 0o444,
            Place::Sys(_) | Place::OfPid(_, "comm" | "uid_map" | "gid_map" | "oom_score_adj") => 0o644,
            _ => 0o444,
        };
        (FileType::File, mode)
    };
    let nlink = if kind == FileType::Dir { 2 } else { 1 };
    Ok(Attr { kind, mode, uid, gid, nlink, rdev: (0, 0), size: 0, blocks: 0, mtime: w.now_secs() })
}

pub(crate) fn entries(w: &World, ns: NsId, dir: u64, _ctx: &Ctx) -> Res<Vec<(String, FileType, u64)>> {
    let kind = |ino: u64| match place(ino) {
        Ok(p) if is_dir(p) => FileType::Dir,
        Ok(p) if is_link(p) => FileType::Symlink,
        _ => FileType::File,
    };
    let all: Vec<(String, u64)> = match place(dir)? {
        Place::Root => {
            let pids = w.ns.pids(ns).into_iter().map(|(n, g)| (n.to_string(), of_pid(g, 0)));
            let top = TOP.iter().enumerate().map(|(i, n)| ((*n).to_owned(), i as u64 + 2));
            pids.chain(top).collect()
        }
        Place::Top("sys") => sys_children(""),
        Place::Top(name) if EMPTY.contains(&name) => Vec::new(),
        Place::Sys(above) if is_dir(Place::Sys(above)) => sys_children(above),
        Place::Pid(pid) => {
            w.process(pid).map_err(|_| Errno::ENOENT)?;
            OF_PID.iter().enumerate().map(|(i, n)| ((*n).to_owned(), of_pid(pid, i as u64 + 1))).collect()
        }
        Place::OfPid(pid, "ns") => {
            let names = NS_LINKS.iter().enumerate();
            names.map(|(i, n)| ((*n).to_owned(), of_pid(pid, NS_BASE + i as u64))).collect()
        }
        Place::OfPid(pid, "fd") => {
            let p = w.process(pid).map_err(|_| Errno::ENOENT)?;
            p.fds.keys().map(|fd| (fd.to_string(), of_pid(pid, FD_BASE + *fd as u64))).collect()
        }
        _ => return Err(Errno::ENOTDIR),
    };
    Ok(all.into_iter().map(|(name, ino)| (name, kind(ino), ino)).collect())
}

fn sys_children(above: &str) -> Vec<(String, u64)> {
    let child = |path: &'static str| match above {
        "" => (!path.contains('/')).then_some(path),
        dir => path.strip_prefix(dir)?.strip_prefix('/').filter(|rest| !rest.contains('/')),
    };
    let all = SYS.iter().enumerate();
    all.filter_map(|(i, p)| child(p).map(|name| (name.to_owned(), SYS_BASE + i as u64))).collect()
}

/// Whether reading the node gives text made on the spot.
pub(crate) fn is_generated(w: &World, node: Node) -> bool {
    matches!(w.fs.sb(node.sb), Ok(Sb::Proc(_) | Sb::Cgroup(_)))
}

/// The descriptor that a node of `/proc/PID/fd` stands for.
pub(crate) fn fd_link(node: Node, w: &World) -> Option<(Gpid, i32)> {
    match (w.fs.sb(node.sb), place(node.ino)) {
        (Ok(Sb::Proc(_)), Ok(Place::Fd(pid, fd))) => Some((pid, fd)),
        _ => None,
    }
}

/// Links that lead to a place without going through its name.
pub(crate) fn magic(w: &World, node: Node) -> Res<Option<Loc>> {
    if !matches!(w.fs.sb(node.sb), Ok(Sb::Proc(_))) {
        return Ok(None);
    }
    let (pid, what) = match place(node.ino)? {
        Place::OfPid(pid, what @ ("cwd" | "root")) => (pid, what),
        // The link itself: open(2) takes it from there.
        Place::Fd(pid, fd) => {
            let open = w.fd(pid, fd).map_err(|_| Errno::ENOENT)?;
            let file = w.open_file(open)?;
            let through = matches!(file.kind, OpenKind::Node(_));
            return Ok(Some(match file.loc.filter(|_| through) {
                Some(loc) => loc,
                None => Loc { mount: mount_of(w, node).ok_or(Errno::ENOENT)?, node },
            }));
        }
        _ => return Ok(None),
    };
    let p = w.process(pid).map_err(|_| Errno::ENOENT)?;
    Ok(Some(if what == "cwd" { p.cwd } else { p.root }))
}

fn mount_of(w: &World, node: Node) -> Option<u32> {
    w.mounts.all().find(|m| m.sb == node.sb).map(|m| m.id)
}

/// ptrace(2), PTRACE_MODE_READ_FSCREDS: a process looks into itself, into one with its
/// ids that can do no more than it, and with the capability into any.
fn may_look_into(w: &World, ctx: &Ctx, pid: Gpid) -> bool {
    let Some(p) = w.procs.get(&pid).filter(|_| pid != ctx.pid) else { return true };
    let (own, its) = (&ctx.cred, &p.cred);
    let ids = |c: &super::Cred| (c.uid, c.euid, c.gid, c.egid);
    let alike = ids(own) == ids(its) && own.user_ns == its.user_ns && its.permitted & !own.permitted == 0;
    alike || w.ns.capable(own, its.user_ns, Cap::SYS_PTRACE)
}

pub(crate) fn read_link(w: &World, ns: NsId, ino: u64, ctx: &Ctx) -> Res<String> {
    let at = place(ino)?;
    if let Place::OfPid(pid, _) | Place::Ns(pid, _) | Place::Fd(pid, _) = at
        && !may_look_into(w, ctx, pid)
    {
        return Err(Errno::EACCES);
    }
    Ok(match at {
        Place::Top("self") => w.pid_in(ctx.pid, ns).ok_or(Errno::ENOENT)?.to_string(),
        Place::Top(name @ ("mounts" | "net")) => format!("self/{name}"),
        Place::OfPid(pid, what @ ("exe" | "cwd" | "root")) => {
            let p = w.process(pid).map_err(|_| Errno::ENOENT)?;
            match what {
                "exe" if p.exe.is_empty() => return Err(Errno::ENOENT),
                "exe" => p.exe.clone(),
                _ => {
                    let loc = if what == "cwd" { p.cwd } else { p.root };
                    w.path_from(ctx.root, loc).unwrap_or_else(|| "/".to_owned())
                }
            }
        }
        Place::Ns(pid, at) => {
            let name = NS_LINKS.get(at).ok_or(Errno::ENOENT)?;
            let own = name.trim_end_matches("_for_children");
            let kind = KINDS.iter().find(|k| k.name() == own).ok_or(Errno::ENOENT)?;
            let p = w.process(pid).map_err(|_| Errno::ENOENT)?;
            // Of the others a process here never has another one than its children will have.
            let ns = match (p.pid_of_children, *name) {
                (Some(chosen), "pid_for_children") => chosen,
                _ => p.ns.get(*kind),
            };
            format!("{}:[{ns}]", kind.name())
        }
        Place::Fd(pid, fd) => {
            let open = w.fd(pid, fd).map_err(|_| Errno::ENOENT)?;
            let file = w.open_file(open)?;
            match (&file.kind, file.loc) {
                (OpenKind::Tty, _) => "/dev/pts/0".to_owned(),
                (OpenKind::PipeRead(p) | OpenKind::PipeWrite(p), None) => format!("pipe:[{}]", 10_000 + p),
                (OpenKind::HostIn | OpenKind::HostOut(_), _) => format!("pipe:[{}]", 9_000 + fd),
                (OpenKind::Listener(s) | OpenKind::Conn(s, _), _) => format!("socket:[{}]", 20_000 + s),
                (_, Some(loc)) => file_path(w, ctx, loc),
                _ => "anon_inode:[unknown]".to_owned(),
            }
        }
        _ => return Err(Errno::EINVAL),
    })
}

fn file_path(w: &World, ctx: &Ctx, loc: Loc) -> String {
    w.path_from(ctx.root, loc).unwrap_or_else(|| "/".to_owned())
}

pub(crate) fn content(w: &World, ns: NsId, ino: u64, ctx: &Ctx) -> Res<Vec<u8>> {
    let text = match place(ino)? {
        Place::Top(name) => top(w, name),
        Place::Sys(path) => {
            let value = match path {
                "kernel/hostname" => w.ns.hostname(ctx.ns.uts).to_owned(),
                "kernel/domainname" => "(none)".to_owned(),
                "kernel/pid_max" => "4194304".to_owned(),
                "net/ipv4/ip_forward" => {
                    u8::from(w.net.stacks.get(&ctx.ns.net).is_some_and(|s| s.forward)).to_string()
                }
                _ => w.sysctls.get(path).cloned().ok_or(Errno::EIO)?,
            };
            value + "\n"
        }
        Place::OfPid(pid, name) => {
            let p = w.process(pid).map_err(|_| Errno::ESRCH)?;
            return Ok(of_process(w, ns, p, name, ctx));
        }
        _ => return Err(Errno::EINVAL),
    };
    Ok(text.into_bytes())
}

pub(crate) fn write(w: &mut World, _ns: NsId, ino: u64, ctx: &Ctx, bytes: &[u8]) -> Res<()> {
    let text = String::from_utf8_lossy(bytes).trim().to_owned();
    match place(ino)? {
        Place::Sys("kernel/hostname") => w.set_hostname(ctx, &text),
        Place::Sys("net/ipv4/ip_forward") => {
            if !w.capable_over(ctx, ctx.ns.net, super::cred::Cap::NET_ADMIN) {
                return Err(Errno::EPERM);
            }
            let on = text.parse::<i32>().map_err(|_| Errno::EINVAL)? != 0;
            if let Some(stack) = w.net.stacks.get_mut(&ctx.ns.net) {
                stack.forward = on;
            }
            Ok(())
        }
        Place::OfPid(pid, "comm") => {
            w.process_mut(pid)?.comm = text.chars().take(15).collect();
            Ok(())
        }
        Place::OfPid(_, "oom_score_adj") => Ok(()),
        _ => Err(Errno::EPERM),
    }
}
