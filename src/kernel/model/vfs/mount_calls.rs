//! mount(2), umount2(2), pivot_root(2).

use super::tree::ROOT;
use super::{Body, Loc, MountFlags, MountId, New, Node, Sb, SbId, Tree};
use crate::kernel::Errno;
use crate::kernel::model::Res;
use crate::kernel::model::cred::Cap;
use crate::kernel::model::overlay::{Overlay, Real};
use crate::kernel::model::process::{Ctx, Gpid};
use crate::kernel::model::world::{MEMORY, World};
use crate::userland::FileType;

/// Options of mount(8), taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    pub flags: MountFlags,
    pub bind: bool,
    pub remount: bool,
    /// What the file system itself gets.
    pub data: String,
}

impl Options {
    pub fn parse<'a>(words: impl IntoIterator<Item = &'a str>) -> Options {
        let mut options = Options::default();
        let mut data: Vec<&str> = Vec::new();
        for word in words {
            match word {
                "ro" => options.flags.ro = true,
                "rw" => options.flags.ro = false,
                "nosuid" => options.flags.nosuid = true,
                "nodev" => options.flags.nodev = true,
                "noexec" => options.flags.noexec = true,
                "suid" => options.flags.nosuid = false,
                "dev" => options.flags.nodev = false,
                "exec" => options.flags.noexec = false,
                "strictatime" => options.flags.strictatime = true,
                "relatime" => options.flags.strictatime = false,
                "bind" | "rbind" => options.bind = true,
                "remount" => options.remount = true,
                "" | "defaults" | "noatime" | "newinstance" | "private" | "rprivate" | "slave" | "rslave"
                | "shared" | "rshared" => {}
                other => data.push(other),
            }
        }
        options.data = data.join(",");
        options
    }
}

fn option<'a>(data: &'a str, key: &str) -> Option<&'a str> {
    data.split(',').filter_map(|w| w.split_once('=')).filter(|(k, _)| *k == key).map(|(_, v)| v).next_back()
}

/// The root of a new tmpfs belongs to whoever mounts it.
fn own_root(tree: &mut Tree, ctx: &Ctx) -> Res<()> {
    let root = tree.get_mut(ROOT)?;
    (root.uid, root.gid) = (ctx.cred.euid, ctx.cred.egid);
    Ok(())
}

/// `64m`, `1g`, `65536k`, bytes; a share of memory with `%`.
fn size(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let n: u64 = digits.parse().ok()?;
    Some(match &text[digits.len()..] {
        "" => n,
        "k" | "K" => n.saturating_mul(1 << 10),
        "m" | "M" => n.saturating_mul(1 << 20),
        "g" | "G" => n.saturating_mul(1 << 30),
        "%" => MEMORY / 100 * n.min(100),
        _ => return None,
    })
}

/// A file system's options as mountinfo shows them: in the kernel's own order, and
/// without those that have their usual value.
fn shown(fstype: &str, data: &str) -> Vec<String> {
    let mode = |key: &str, usual: u32, digits: usize| {
        let mode = option(data, key).and_then(|m| u32::from_str_radix(m, 8).ok())?;
        (mode != usual).then(|| format!("{key}={mode:0digits$o}"))
    };
    let plain = |key: &str| option(data, key).map(|v| format!("{key}={v}"));
    match fstype {
        "tmpfs" => {
            let bytes = option(data, "size").and_then(size).map(|n| format!("size={}k", n / 1024));
            [bytes, plain("nr_inodes"), mode("mode", 0o1777, 3)].into_iter().flatten().collect()
        }
        "devpts" => {
            let own = option(data, "mode").map_or(Some("mode=600".to_owned()), |_| mode("mode", 0, 3));
            [plain("uid"), plain("gid"), own, mode("ptmxmode", 0o10000, 3)].into_iter().flatten().collect()
        }
        _ => Vec::new(),
    }
}

impl World {
    /// The filter lets nobody through without CAP_SYS_ADMIN.
    fn filtered(&self, ctx: &Ctx) -> bool {
        ctx.cred.seccomp.is_some_and(|caps| caps & Cap::SYS_ADMIN.bit() == 0)
    }

    /// Whether the filter refuses the call that is being made, which is noted.
    pub(crate) fn note_if_filtered(&mut self, ctx: &Ctx) -> bool {
        let filtered = self.filtered(ctx);
        if filtered {
            self.note_filtered(ctx.pid, self.call, Cap::SYS_ADMIN);
        }
        filtered
    }

    /// Mounting and unmounting need CAP_SYS_ADMIN over the mount namespace, and a
    /// filter that lets the call through.
    pub(crate) fn may_mount(&self, ctx: &Ctx) -> Res<()> {
        if self.filtered(ctx) || !self.capable_over(ctx, ctx.ns.mnt, Cap::SYS_ADMIN) {
            return Err(Errno::EPERM);
        }
        Ok(())
    }

    /// A new file system instance. ENODEV for a type that the model lacks.
    pub(crate) fn make_sb(&mut self, ctx: &Ctx, fstype: &str, data: &str) -> Res<SbId> {
        let now = self.now_secs();
        let mode = match option(data, "mode") {
            Some(text) => u32::from_str_radix(text, 8).map_err(|_| Errno::EINVAL)? & 0o7777,
            None => 0o1777,
        };
        let sb = match fstype {
            "proc" => Sb::Proc(ctx.ns.pid),
            "cgroup2" => Sb::Cgroup(self.ns.cgroup_root(ctx.ns.cgroup)),
            "tmpfs" => {
                let limit = match option(data, "size") {
                    Some(text) => size(text).ok_or(Errno::EINVAL)?,
                    None => MEMORY / 2,
                };
                let mut tree = Tree::new("tmpfs", mode, limit, now);
                own_root(&mut tree, ctx)?;
                Sb::Tree(tree)
            }
            "mqueue" => {
                let mut tree = Tree::new("tmpfs", 0o1777, 1 << 20, now);
                own_root(&mut tree, ctx)?;
                Sb::Tree(tree)
            }
            "devpts" => {
                let mut tree = Tree::new("devpts", 0o755, 0, now);
                let ptmx = option(data, "ptmxmode").and_then(|m| u32::from_str_radix(m, 8).ok()).unwrap_or(0);
                let node = |a, b, mode| New { body: Body::Char(a, b), mode, uid: 0, gid: 0, mtime: now };
                tree.make(ROOT, "ptmx", node(5, 2, ptmx))?;
                if self.console_tty {
                    tree.make(ROOT, "0", node(136, 0, 0o620))?;
                }
                Sb::Tree(tree)
            }
            "sysfs" => Sb::Tree(self.sysfs(ctx, now)?),
            _ => return Err(Errno::ENODEV),
        };
        Ok(self.fs.add(sb))
    }

    /// As much of sysfs as programs look for: it is a picture taken at mount time.
    fn sysfs(&self, ctx: &Ctx, now: i64) -> Res<Tree> {
        let mut tree = Tree::new("sysfs", 0o555, 1 << 20, now);
        let dir = || New { body: Body::Dir(Default::default()), mode: 0o755, uid: 0, gid: 0, mtime: now };
        let mut made = std::collections::BTreeMap::new();
        for path in ["block", "class", "devices", "firmware", "fs", "kernel", "class/net", "fs/cgroup"] {
            let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
            let at = made.get(above).copied().unwrap_or(ROOT);
            made.insert(path, tree.make(at, name, dir())?);
        }
        let net = made.get("class/net").copied().unwrap_or(ROOT);
        for link in self.net.link_infos(ctx.ns.net) {
            let at = tree.make(net, &link.name, dir())?;
            let mac: Vec<String> = link.mac.iter().map(|b| format!("{b:02x}")).collect();
            for (name, text) in [
                ("address", mac.join(":")),
                ("mtu", link.mtu.to_string()),
                ("ifindex", link.index.to_string()),
                ("operstate", if link.running { "up" } else { "down" }.to_owned()),
            ] {
                let body = Body::File(format!("{text}\n").into_bytes());
                tree.make(at, name, New { body, mode: 0o444, uid: 0, gid: 0, mtime: now })?;
            }
        }
        Ok(tree)
    }

    /// Puts a file system at a path.
    pub(crate) fn mount_sb(
        &mut self,
        ctx: &Ctx,
        sb: SbId,
        fstype: &str,
        source: &str,
        path: &str,
        flags: MountFlags,
    ) -> Res<MountId> {
        let id = self.mounts.add(ctx.ns.mnt, sb, self.root_of(sb), fstype, source);
        self.mounts.get_mut(id)?.flags = flags;
        self.place_mount(ctx, id, path).inspect_err(|_| self.mounts.remove(id))?;
        Ok(id)
    }

    /// Attaches a mount at a path: a directory over a directory, a file over a file.
    pub(crate) fn place_mount(&mut self, ctx: &Ctx, id: MountId, path: &str) -> Res<()> {
        let on = self.resolve(ctx, path, true)?;
        let root = self.mounts.get(id).ok_or(Errno::EINVAL)?.root;
        let is_dir = |kind| kind == FileType::Dir;
        if is_dir(self.kind(on.node)?) != is_dir(self.kind(root)?) {
            return Err(Errno::ENOTDIR);
        }
        let name = self.place_name(ctx, on, path);
        self.mounts.attach(id, on, name)
    }

    /// Directory and name of a mount point, to find its path again.
    fn place_name(&mut self, ctx: &Ctx, on: Loc, path: &str) -> Option<(Node, String)> {
        if self.mounts.get(on.mount).is_some_and(|m| m.root == on.node) {
            return None;
        }
        if let Some(known) = self.name_of(on.node) {
            return Some(known);
        }
        // A file: its name is the path's last one, unless a link leads there.
        let parent = self.resolve_parent(ctx, path).ok()?;
        match parent.last {
            super::walk::Last::Name(name) => Some((parent.dir.node, name.to_owned())),
            _ => None,
        }
    }

    pub(crate) fn mount(
        &mut self,
        ctx: &Ctx,
        source: &str,
        target: &str,
        fstype: &str,
        options: &Options,
    ) -> Res<()> {
        self.note_if_filtered(ctx);
        self.may_mount(ctx)?;
        if options.remount {
            return self.remount(ctx, target, options.flags);
        }
        if options.bind {
            let id = self.bind(ctx, source, false)?;
            return self.place_mount(ctx, id, target).inspect_err(|_| self.mounts.remove(id));
        }
        self.resolve(ctx, target, true)?;
        if fstype == "overlay" {
            let dirs = |key| option(&options.data, key).map(|v| v.split(':').collect::<Vec<_>>());
            let lower = dirs("lowerdir").ok_or(Errno::EINVAL)?;
            let upper = option(&options.data, "upperdir").ok_or(Errno::EINVAL)?;
            let work = option(&options.data, "workdir").ok_or(Errno::EINVAL)?;
            let sb = self.make_overlay(ctx, &lower, upper, work)?;
            return self.mount_sb(ctx, sb, fstype, source, target, options.flags).map(drop);
        }
        if !matches!(fstype, "proc" | "sysfs" | "tmpfs" | "devpts" | "mqueue" | "cgroup2") {
            return Err(Errno::ENODEV);
        }
        let sb = self.make_sb(ctx, fstype, &options.data)?;
        let id = self.mount_sb(ctx, sb, fstype, source, target, options.flags)?;
        let mount = self.mounts.get_mut(id)?;
        mount.sb_ro = options.flags.ro;
        mount.sb_options = if mount.sb_ro { "ro" } else { "rw" }.to_owned();
        for word in shown(fstype, &options.data) {
            mount.sb_options.push(',');
            mount.sb_options.push_str(&word);
        }
        Ok(())
    }

    /// Changes the options of one mount.
    pub(crate) fn remount(&mut self, ctx: &Ctx, target: &str, flags: MountFlags) -> Res<()> {
        self.may_mount(ctx)?;
        let loc = self.resolve(ctx, target, true)?;
        let mount = self.mounts.get_mut(loc.mount)?;
        if mount.root != loc.node {
            return Err(Errno::EINVAL);
        }
        mount.flags = flags;
        Ok(())
    }

    /// A detached mount that shows what is at `source`; with `recursive` the
    /// mounts below it too.
    pub(crate) fn bind(&mut self, ctx: &Ctx, source: &str, recursive: bool) -> Res<MountId> {
        let from = self.resolve(ctx, source, true)?;
        let old = self.mounts.get(from.mount).ok_or(Errno::EINVAL)?.clone();
        let id = self.mounts.add(ctx.ns.mnt, old.sb, from.node, &old.fstype, &old.source);
        let path = self.path_in_fs(from.node, old.root, &old.root_path, source);
        let new = self.mounts.get_mut(id)?;
        (new.flags, new.sb_options, new.sb_ro, new.root_path) = (old.flags, old.sb_options, old.sb_ro, path);
        if recursive {
            let pairs = [(from.mount, id)];
            let mut map: std::collections::BTreeMap<_, _> = pairs.into();
            for child in self.mounts.subtree(from.mount).into_iter().skip(1) {
                let Some(m) = self.mounts.get(child).cloned() else { continue };
                let (Some(on), true) = (m.on, self.is_under(m.on, from)) else { continue };
                let Some(parent) = map.get(&on.mount).copied() else { continue };
                let copy = self.mounts.add(ctx.ns.mnt, m.sb, m.root, &m.fstype, &m.source);
                let new = self.mounts.get_mut(copy)?;
                (new.flags, new.sb_options, new.sb_ro, new.root_path) =
                    (m.flags, m.sb_options, m.sb_ro, m.root_path);
                self.mounts.attach(copy, Loc { mount: parent, node: on.node }, m.on_name)?;
                map.insert(child, copy);
            }
        }
        Ok(id)
    }

    /// A mount point lies below a place, in the same mount or one further up.
    fn is_under(&self, on: Option<Loc>, top: Loc) -> bool {
        let Some(on) = on else { return false };
        if on.mount != top.mount {
            return true;
        }
        let mut at = on.node;
        loop {
            if at == top.node {
                return true;
            }
            let up = self.parent_of(at);
            if up == at {
                return false;
            }
            at = up;
        }
    }

    /// The path of a node in its file system, for mountinfo's fourth field.
    fn path_in_fs(&self, node: Node, root: Node, root_path: &str, source: &str) -> String {
        let mut names = Vec::new();
        let mut at = node;
        while at != root {
            match self.name_of(at) {
                Some((parent, name)) => {
                    names.push(name);
                    at = parent;
                }
                // A file has no way up: its path here is as good as known.
                None => return source.to_owned(),
            }
        }
        names.reverse();
        format!("{}/{}", root_path.trim_end_matches('/'), names.join("/"))
    }

    /// An overlay of directories, uppermost lower first. EINVAL when the layers
    /// are not on a plain file system, or upper and work on different ones.
    pub(crate) fn make_overlay(&mut self, ctx: &Ctx, lower: &[&str], upper: &str, work: &str) -> Res<SbId> {
        if lower.is_empty() {
            return Err(Errno::EINVAL);
        }
        let real = |w: &mut World, path: &str| -> Res<Real> {
            let loc = w.resolve(ctx, path, true)?;
            if w.kind(loc.node)? != FileType::Dir {
                return Err(Errno::ENOTDIR);
            }
            match w.fs.sb(loc.node.sb)? {
                Sb::Tree(_) => Ok(Real { sb: loc.node.sb, ino: loc.node.ino }),
                _ => Err(Errno::EINVAL),
            }
        };
        let lower: Vec<Real> = lower.iter().map(|p| real(self, p)).collect::<Res<_>>()?;
        let (upper, work) = (real(self, upper)?, real(self, work)?);
        if upper.sb != work.sb || upper.ino == work.ino {
            return Err(Errno::EINVAL);
        }
        Ok(self.fs.add(Sb::Overlay(Overlay::new(upper, lower))))
    }

    /// EINVAL when it is no mount point, EBUSY when it is in use (unless detached).
    pub(crate) fn umount(&mut self, ctx: &Ctx, target: &str, detach: bool) -> Res<()> {
        self.note_if_filtered(ctx);
        self.may_mount(ctx)?;
        let loc = self.resolve(ctx, target, true)?;
        let mount = self.mounts.get(loc.mount).ok_or(Errno::EINVAL)?;
        if mount.root != loc.node || mount.ns != ctx.ns.mnt || mount.on.is_none() {
            return Err(Errno::EINVAL);
        }
        let id = mount.id;
        let used = self.mounts.has_children(id)
            || self.procs.values().any(|p| p.exit.is_none() && (p.cwd.mount == id || p.root.mount == id))
            || self.opens.iter().flatten().any(|f| f.loc.is_some_and(|l| l.mount == id));
        if used && !detach {
            return Err(Errno::EBUSY);
        }
        self.mounts.remove(id);
        self.collect();
        Ok(())
    }

    /// pivot_root(".", "."): the mount at the working directory becomes the root of
    /// the namespace, and the old root lies over it.
    pub(crate) fn pivot_root(&mut self, pid: Gpid) -> Res<MountId> {
        let ctx = self.ctx(pid)?;
        self.may_mount(&ctx)?;
        let new = self.mounts.get(ctx.cwd.mount).ok_or(Errno::EINVAL)?;
        let old = self.mounts.get(ctx.root.mount).ok_or(Errno::EINVAL)?;
        if new.root != ctx.cwd.node {
            return Err(Errno::EINVAL);
        }
        if new.id == old.id {
            return Err(Errno::EBUSY);
        }
        // The parents may not propagate, or the host would see it happen.
        let shared =
            |on: Option<Loc>| on.and_then(|l| self.mounts.get(l.mount)).and_then(|m| m.shared).is_some();
        if shared(new.on) || old.shared.is_some() && new.on.is_none() || new.shared.is_some() {
            return Err(Errno::EINVAL);
        }
        let (new, old) = (new.id, old.id);
        let old_root = ctx.root;
        self.mounts.pivot(new, old)?;
        let root = Loc { mount: new, node: ctx.cwd.node };
        let moving: Vec<(Gpid, bool, bool)> = self
            .procs
            .values()
            .filter(|p| p.ns.mnt == ctx.ns.mnt && p.exit.is_none())
            .map(|p| (p.pid, p.root == old_root, p.cwd == old_root))
            .collect();
        for (pid, moves_root, moves_cwd) in moving {
            if moves_root {
                self.set_root(pid, root)?;
            }
            if moves_cwd {
                self.set_cwd(pid, root)?;
            }
        }
        Ok(old)
    }

    pub(crate) fn set_hostname(&mut self, ctx: &Ctx, name: &str) -> Res<()> {
        if !self.call.is_empty() && self.note_if_filtered(ctx) {
            return Err(Errno::EPERM);
        }
        if !self.capable_over(ctx, ctx.ns.uts, Cap::SYS_ADMIN) {
            return Err(Errno::EPERM);
        }
        if name.len() > 64 {
            return Err(Errno::EINVAL);
        }
        if let Some(crate::kernel::model::ns::Held::Uts { hostname }) = self.ns.held_mut(ctx.ns.uts) {
            *hostname = name.to_owned();
        }
        Ok(())
    }
}
