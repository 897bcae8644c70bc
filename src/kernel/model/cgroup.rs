//! The cgroup v2 tree: groups as directories, limits as files, cgroups(7).

use std::collections::BTreeMap;

use super::Res;
use super::process::{Ctx, Gpid, Signal};
use super::vfs::{Attr, Node};
use super::world::World;
use crate::kernel::Errno;
use crate::plan::op::DeviceRule;
use crate::userland::FileType;

/// A group, by number; 0 is the root.
pub(crate) type CgId = u32;

/// Files of a group, by number from 1. The second is what the root has too.
const FILES: [(&str, bool, bool); 19] = [
    // name, writable, also in the root
    ("cgroup.procs", true, true),
    ("cgroup.controllers", false, true),
    ("cgroup.subtree_control", true, true),
    ("cgroup.events", false, false),
    ("cgroup.type", false, false),
    ("memory.max", true, false),
    ("memory.current", false, false),
    ("memory.peak", false, false),
    ("memory.swap.max", true, false),
    ("memory.events", false, false),
    ("pids.max", true, false),
    ("pids.current", false, false),
    ("pids.peak", false, false),
    ("cpu.max", true, false),
    ("cpu.weight", true, false),
    ("cpuset.cpus", true, false),
    ("cpuset.mems", true, false),
    ("cpu.stat", false, true),
    ("cgroup.kill", true, false),
];

/// Controllers of the hierarchy.
pub(crate) const CONTROLLERS: [&str; 5] = ["cpuset", "cpu", "io", "memory", "pids"];

#[derive(Debug, Default)]
struct Group {
    parent: CgId,
    name: String,
    children: BTreeMap<String, CgId>,
    values: BTreeMap<&'static str, String>,
    devices: Option<Vec<DeviceRule>>,
    oom_kills: u64,
    memory_peak: u64,
    pids_peak: usize,
}

/// The hierarchy.
#[derive(Debug)]
pub(crate) struct Cgroups {
    groups: BTreeMap<CgId, Group>,
    next: CgId,
}

/// The inode of a group's directory.
pub(crate) fn dir_ino(id: CgId) -> u64 {
    u64::from(id) << 8 | 1 << 40
}

fn split(ino: u64) -> (CgId, usize) {
    ((ino >> 8) as u32, (ino & 0xff) as usize)
}

impl Cgroups {
    pub fn new() -> Cgroups {
        let mut root = Group::default();
        root.values.insert("cgroup.subtree_control", CONTROLLERS.join(" "));
        Cgroups { groups: BTreeMap::from([(0, root)]), next: 1 }
    }

    fn group(&self, id: CgId) -> Res<&Group> {
        self.groups.get(&id).ok_or(Errno::ENOENT)
    }

    fn group_mut(&mut self, id: CgId) -> Res<&mut Group> {
        self.groups.get_mut(&id).ok_or(Errno::ENOENT)
    }

    pub fn make(&mut self, dir: u64, name: &str) -> Res<u64> {
        let (parent, _) = split(dir);
        if name.contains('\n') {
            return Err(Errno::EINVAL);
        }
        let id = self.next;
        let group = self.group_mut(parent)?;
        if group.children.insert(name.to_owned(), id).is_some() {
            return Err(Errno::EEXIST);
        }
        self.next += 1;
        self.groups.insert(id, Group { parent, name: name.to_owned(), ..Group::default() });
        Ok(dir_ino(id))
    }

    /// Processes are checked by the caller.
    pub fn remove(&mut self, dir: u64, name: &str) -> Res<()> {
        let (parent, _) = split(dir);
        let id = *self.group(parent)?.children.get(name).ok_or(Errno::ENOENT)?;
        if !self.group(id)?.children.is_empty() {
            return Err(Errno::EBUSY);
        }
        self.group_mut(parent)?.children.remove(name);
        self.groups.remove(&id);
        Ok(())
    }

    pub fn parent(&self, dir: u64) -> u64 {
        let (id, file) = split(dir);
        if file > 0 { dir_ino(id) } else { dir_ino(self.groups.get(&id).map_or(0, |g| g.parent)) }
    }

    pub fn name_of(&self, dir: u64) -> Option<(u64, String)> {
        let group = self.groups.get(&split(dir).0)?;
        Some((dir_ino(group.parent), group.name.clone()))
    }

    /// The group, then each above it.
    pub fn chain(&self, id: CgId) -> impl Iterator<Item = CgId> + '_ {
        std::iter::successors(Some(id), |at| match at {
            0 => None,
            at => self.groups.get(at).map(|g| g.parent),
        })
    }

    /// The path of a group below another one, as `/proc/PID/cgroup` shows it.
    pub fn path(&self, id: CgId, root: CgId) -> String {
        let mut names = Vec::new();
        for at in self.chain(id) {
            if at == root || at == 0 {
                break;
            }
            names.push(self.groups.get(&at).map_or("", |g| g.name.as_str()));
        }
        names.reverse();
        format!("/{}", names.join("/"))
    }

    /// The group of a directory node of cgroup2.
    pub fn of_node(&self, node: Node) -> CgId {
        split(node.ino).0
    }

    fn limit(&self, id: CgId, file: &str) -> Option<u64> {
        self.groups.get(&id)?.values.get(file)?.parse().ok()
    }

    /// How many device rules a group has.
    pub fn device_rules(&self, id: CgId) -> usize {
        self.groups.get(&id).and_then(|g| g.devices.as_ref()).map_or(0, Vec::len)
    }

    /// How many processes of the group itself were killed for want of memory.
    pub fn oom_kills(&self, id: CgId) -> u64 {
        self.groups.get(&id).map_or(0, |g| g.oom_kills)
    }

    pub fn memory_limit(&self, id: CgId) -> Option<u64> {
        self.limit(id, "memory.max")
    }

    pub fn allow_devices(&mut self, id: CgId, rules: Vec<DeviceRule>) -> Res<()> {
        self.group_mut(id)?.devices = Some(rules);
        Ok(())
    }

    /// The last rule that matches decides; no rules allow all.
    pub fn may_use_device(&self, id: CgId, kind: char, dev: (u32, u32), access: char) -> Res<()> {
        for at in self.chain(id) {
            let Some(rules) = self.groups.get(&at).and_then(|g| g.devices.as_ref()) else { continue };
            let verdict = rules.iter().rev().find(|r| {
                (r.kind == 'a' || r.kind == kind)
                    && r.major.is_none_or(|m| m == i64::from(dev.0))
                    && r.minor.is_none_or(|m| m == i64::from(dev.1))
                    && r.access.contains(access)
            });
            if verdict.is_some_and(|r| !r.allow) {
                return Err(Errno::EPERM);
            }
        }
        Ok(())
    }
}

pub(crate) fn lookup(all: &Cgroups, dir: u64, name: &str) -> Res<u64> {
    let (id, file) = split(dir);
    if file != 0 {
        return Err(Errno::ENOTDIR);
    }
    if let Some(child) = all.group(id)?.children.get(name) {
        return Ok(dir_ino(*child));
    }
    match FILES.iter().position(|f| f.0 == name && (id != 0 || f.2)) {
        Some(at) => Ok(dir_ino(id) + at as u64 + 1),
        None => Err(Errno::ENOENT),
    }
}

pub(crate) fn attr(all: &Cgroups, ino: u64, now: i64) -> Res<Attr> {
    let (id, file) = split(ino);
    let group = all.group(id)?;
    let (kind, mode, nlink) = match file.checked_sub(1).and_then(|f| FILES.get(f)) {
        Some((_, true, _)) => (FileType::File, 0o644, 1),
        Some(_) => (FileType::File, 0o444, 1),
        None => (FileType::Dir, 0o755, 2 + group.children.len() as u32),
    };
    Ok(Attr { kind, mode, uid: 0, gid: 0, nlink, rdev: (0, 0), size: 0, blocks: 0, mtime: now })
}

pub(crate) fn entries(all: &Cgroups, dir: u64) -> Res<Vec<(String, FileType, u64)>> {
    let (id, file) = split(dir);
    if file != 0 {
        return Err(Errno::ENOTDIR);
    }
    let children = all.group(id)?.children.iter().map(|(n, c)| (n.clone(), FileType::Dir, dir_ino(*c)));
    let files = FILES.iter().enumerate().filter(|(_, f)| id != 0 || f.2);
    let files = files.map(|(i, f)| (f.0.to_owned(), FileType::File, dir_ino(id) + i as u64 + 1));
    Ok(children.chain(files).collect())
}

pub(crate) fn content(w: &World, _root: CgId, ino: u64, ctx: &Ctx) -> Res<Vec<u8>> {
    let (id, file) = split(ino);
    let name = file.checked_sub(1).and_then(|f| FILES.get(f)).ok_or(Errno::EIO)?.0;
    let group = w.cgroups.group(id)?;
    let set = |default: &str| group.values.get(name).cloned().unwrap_or_else(|| default.to_owned());
    let text = match name {
        "cgroup.procs" => {
            let pids = w.procs.values().filter(|p| p.cgroup == id && p.exit.is_none());
            let lines: Vec<String> =
                pids.map(|p| w.pid_in(p.pid, ctx.ns.pid).unwrap_or(0).to_string()).collect();
            lines.join("\n")
        }
        "cgroup.controllers" => match id {
            0 => CONTROLLERS.join(" "),
            _ => w
                .cgroups
                .group(group.parent)?
                .values
                .get("cgroup.subtree_control")
                .cloned()
                .unwrap_or_default(),
        },
        "cgroup.subtree_control" => set(""),
        "cgroup.type" => "domain".to_owned(),
        "cgroup.events" => format!("populated {}\nfrozen 0", u8::from(w.tasks_in(id) > 0)),
        "memory.current" => w.memory_of(id).to_string(),
        "memory.peak" => group.memory_peak.to_string(),
        "memory.events" => {
            format!("low 0\nhigh 0\nmax {0}\noom {0}\noom_kill {0}\noom_group_kill 0", group.oom_kills)
        }
        "pids.current" => w.tasks_in(id).to_string(),
        "pids.peak" => group.pids_peak.to_string(),
        "cpu.stat" => "usage_usec 0\nuser_usec 0\nsystem_usec 0".to_owned(),
        "cpu.max" => set("max 100000"),
        "cpu.weight" => set("100"),
        "cpuset.cpus" | "cpuset.mems" => set(""),
        "cgroup.kill" => return Err(Errno::EINVAL),
        _ => set("max"),
    };
    Ok(if text.is_empty() { Vec::new() } else { format!("{text}\n").into_bytes() })
}

pub(crate) fn write(w: &mut World, _root: CgId, ino: u64, ctx: &Ctx, bytes: &[u8]) -> Res<()> {
    let (id, file) = split(ino);
    let name = file.checked_sub(1).and_then(|f| FILES.get(f)).ok_or(Errno::EIO)?.0;
    let text = std::str::from_utf8(bytes).map_err(|_| Errno::EINVAL)?.trim();
    match name {
        "cgroup.procs" => {
            let pid: i32 = text.parse().map_err(|_| Errno::EINVAL)?;
            let target =
                if pid == 0 { ctx.pid } else { w.ns.find_pid(ctx.ns.pid, pid).ok_or(Errno::ESRCH)? };
            return w.join_cgroup(target, id);
        }
        "cgroup.subtree_control" => {
            let group = w.cgroups.group_mut(id)?;
            let now = group.values.get(name).cloned().unwrap_or_default();
            let mut on: Vec<&str> = now.split_whitespace().collect();
            for word in text.split_whitespace() {
                let (sign, controller) = word.split_at_checked(1).ok_or(Errno::EINVAL)?;
                if !CONTROLLERS.contains(&controller) {
                    return Err(Errno::EINVAL);
                }
                on.retain(|c| *c != controller);
                match sign {
                    "+" => on.push(controller),
                    "-" => {}
                    _ => return Err(Errno::EINVAL),
                }
            }
            on.sort_by_key(|c| CONTROLLERS.iter().position(|k| k == c));
            let value = on.join(" ");
            group.values.insert(name, value);
        }
        "memory.max" | "memory.swap.max" | "pids.max" => {
            let value = match text {
                "max" => "max".to_owned(),
                n => n.parse::<u64>().map_err(|_| Errno::EINVAL)?.to_string(),
            };
            w.cgroups.group_mut(id)?.values.insert(name, value);
        }
        "cpu.max" => {
            let mut words = text.split_whitespace();
            let quota = words.next().ok_or(Errno::EINVAL)?;
            let period: u64 = words.next().unwrap_or("100000").parse().map_err(|_| Errno::EINVAL)?;
            if quota != "max" && quota.parse::<u64>().map_or(true, |q| q < 1000) || words.next().is_some() {
                return Err(Errno::EINVAL);
            }
            w.cgroups.group_mut(id)?.values.insert(name, format!("{quota} {period}"));
        }
        "cpu.weight" => match text.parse::<u32>() {
            Ok(n @ 1..=10000) => {
                w.cgroups.group_mut(id)?.values.insert(name, n.to_string());
            }
            _ => return Err(Errno::ERANGE),
        },
        "cpuset.cpus" | "cpuset.mems" => {
            w.cgroups.group_mut(id)?.values.insert(name, text.to_owned());
        }
        "cgroup.kill" => {
            if text != "1" {
                return Err(Errno::ERANGE);
            }
            for pid in w.members(id) {
                w.kill_now(pid, Signal::KILL);
            }
        }
        _ => return Err(Errno::EACCES),
    }
    Ok(())
}

impl World {
    /// Living processes of a group and those below it.
    pub(crate) fn members(&self, id: CgId) -> Vec<Gpid> {
        let inside = |cg: CgId| self.cgroups.chain(cg).any(|at| at == id);
        self.procs.values().filter(|p| p.exit.is_none() && inside(p.cgroup)).map(|p| p.pid).collect()
    }

    pub(crate) fn tasks_in(&self, id: CgId) -> usize {
        self.members(id).len()
    }

    /// Whether the group may have one more process: EAGAIN if not.
    pub(crate) fn may_fork(&self, id: CgId) -> Res<()> {
        for at in self.cgroups.chain(id) {
            if self.cgroups.limit(at, "pids.max").is_some_and(|max| self.tasks_in(at) as u64 >= max) {
                return Err(Errno::EAGAIN);
            }
        }
        Ok(())
    }

    /// Bytes that a group's processes and tmpfs pages use.
    pub(crate) fn memory_of(&self, id: CgId) -> u64 {
        let processes: u64 = self.members(id).iter().filter_map(|p| self.procs.get(p)).map(|p| p.rss).sum();
        let inside = |cg: CgId| self.cgroups.chain(cg).any(|at| at == id);
        let pages: u64 = self
            .fs
            .sbs
            .iter()
            .flatten()
            .filter_map(|sb| match sb {
                super::vfs::Sb::Tree(t) if t.in_memory && t.charged.is_some_and(inside) => Some(t.bytes),
                _ => None,
            })
            .sum();
        processes + pages
    }

    /// Room for `more` bytes, or the out-of-memory killer takes the caller.
    pub(crate) fn charge(&mut self, ctx: &Ctx, more: u64) -> Res<()> {
        let over = self.cgroups.chain(ctx.cgroup).find(|at| {
            self.cgroups
                .limit(*at, "memory.max")
                .is_some_and(|max| self.memory_of(*at).saturating_add(more) > max)
        });
        let Some(group_id) = over else {
            self.used(ctx.cgroup, more);
            return Ok(());
        };
        if let Ok(group) = self.cgroups.group_mut(group_id) {
            group.oom_kills += 1;
        }
        self.note_starved(ctx.pid, group_id);
        self.kill_now(ctx.pid, Signal::KILL);
        Err(Errno::ENOMEM)
    }

    /// A file is about to end at `end`: pages of a tmpfs count as memory.
    pub(crate) fn charge_growth(&mut self, ctx: &Ctx, node: Node, end: u64) -> Res<()> {
        let Ok((tree, ino)) = self.real(node) else { return Ok(()) };
        if !tree.in_memory {
            return Ok(());
        }
        let more = end.saturating_sub(tree.size(ino).unwrap_or(0));
        if end > tree.limit {
            return Ok(());
        }
        if more > 0 {
            self.charge(ctx, more)?;
        }
        if let Ok((tree, _)) = self.real_mut(node, true) {
            tree.charged.get_or_insert(ctx.cgroup);
        }
        Ok(())
    }

    /// The bytes that a process has just been given are in its memory for a while.
    pub(crate) fn charge_read(&mut self, ctx: &Ctx, bytes: usize) -> Res<()> {
        let need = super::process::BASE_RSS + bytes as u64;
        let have = self.procs.get(&ctx.pid).map_or(need, |p| p.rss);
        if need <= have {
            return Ok(());
        }
        self.charge(ctx, need - have)?;
        if let Some(p) = self.procs.get_mut(&ctx.pid) {
            p.rss = need;
        }
        Ok(())
    }

    pub(crate) fn join_cgroup(&mut self, pid: Gpid, id: CgId) -> Res<()> {
        self.cgroups.group(id)?;
        let process = self.procs.get_mut(&pid).ok_or(Errno::ESRCH)?;
        process.cgroup = id;
        self.used(id, 0);
        Ok(())
    }

    /// What a group and those above it use now, and `more` bytes, is perhaps their most.
    pub(crate) fn used(&mut self, id: CgId, more: u64) {
        let chain: Vec<CgId> = self.cgroups.chain(id).filter(|at| *at != 0).collect();
        for at in chain {
            let (memory, tasks) = (self.memory_of(at) + more, self.tasks_in(at));
            if let Ok(group) = self.cgroups.group_mut(at) {
                group.memory_peak = group.memory_peak.max(memory);
                group.pids_peak = group.pids_peak.max(tasks);
            }
        }
    }
}
