//! The mount table: which file system stands where, per mount namespace,
//! mount_namespaces(7). Mounts never propagate in the model.

use std::collections::BTreeMap;

use super::{Loc, Node, SbId};
use crate::kernel::Errno;
use crate::kernel::model::Res;
use crate::kernel::model::ns::NsId;

pub(crate) type MountId = u32;

/// Options of one mount (not of its file system).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct MountFlags {
    pub ro: bool,
    pub nosuid: bool,
    pub nodev: bool,
    pub noexec: bool,
    /// Each access updates the time; else only a change or a day makes it so.
    pub strictatime: bool,
}

impl MountFlags {
    /// As mountinfo writes them.
    pub fn text(self) -> String {
        let mut text = String::from(if self.ro { "ro" } else { "rw" });
        for (on, name) in [(self.nosuid, ",nosuid"), (self.nodev, ",nodev"), (self.noexec, ",noexec")] {
            if on {
                text.push_str(name);
            }
        }
        if !self.strictatime {
            text.push_str(",relatime");
        }
        text
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Mount {
    pub id: MountId,
    pub ns: NsId,
    pub sb: SbId,
    pub root: Node,
    /// Path of `root` in its file system, for a bind mount.
    pub root_path: String,
    /// The place that it covers; none for a namespace's root or a detached mount.
    pub on: Option<Loc>,
    /// Directory and name of that place; none when it covers a mount's root.
    pub on_name: Option<(Node, String)>,
    pub flags: MountFlags,
    pub fstype: String,
    pub source: String,
    /// Options of the file system.
    pub sb_options: String,
    pub sb_ro: bool,
    /// Peer group, when mounts propagate.
    pub shared: Option<u32>,
    children: Vec<(Node, MountId)>,
}

/// Every mount of every namespace.
#[derive(Debug, Default)]
pub(crate) struct Mounts {
    table: BTreeMap<MountId, Mount>,
    next: MountId,
}

impl Mounts {
    pub fn get(&self, id: MountId) -> Option<&Mount> {
        self.table.get(&id)
    }

    pub fn get_mut(&mut self, id: MountId) -> Res<&mut Mount> {
        self.table.get_mut(&id).ok_or(Errno::EIO)
    }

    pub fn all(&self) -> impl Iterator<Item = &Mount> {
        self.table.values()
    }

    /// The mounts of a namespace, in the order of their making.
    pub fn of(&self, ns: NsId) -> impl Iterator<Item = &Mount> {
        self.table.values().filter(move |m| m.ns == ns)
    }

    /// A mount that stands nowhere yet.
    pub fn add(&mut self, ns: NsId, sb: SbId, root: Node, fstype: &str, source: &str) -> MountId {
        let id = 20 + self.next;
        self.next += 1;
        let mount = Mount {
            id,
            ns,
            sb,
            root,
            root_path: "/".to_owned(),
            on: None,
            on_name: None,
            flags: MountFlags::default(),
            fstype: fstype.to_owned(),
            source: source.to_owned(),
            sb_options: "rw".to_owned(),
            sb_ro: false,
            shared: None,
            children: Vec::new(),
        };
        self.table.insert(id, mount);
        id
    }

    /// Puts a mount on a place.
    pub fn attach(&mut self, id: MountId, on: Loc, on_name: Option<(Node, String)>) -> Res<()> {
        let ns = self.get(on.mount).ok_or(Errno::EINVAL)?.ns;
        let mount = self.get_mut(id)?;
        mount.on = Some(on);
        mount.on_name = on_name;
        mount.ns = ns;
        self.get_mut(on.mount)?.children.push((on.node, id));
        Ok(())
    }

    fn unhook(&mut self, id: MountId) {
        if let Some(on) = self.table.get(&id).and_then(|m| m.on)
            && let Some(parent) = self.table.get_mut(&on.mount)
        {
            parent.children.retain(|(_, c)| *c != id);
        }
    }

    /// The uppermost mount's root on this place, or the place itself.
    pub fn cross(&self, mut loc: Loc) -> Loc {
        loop {
            let Some(mount) = self.table.get(&loc.mount) else { return loc };
            if mount.children.is_empty() {
                return loc;
            }
            let Some((_, id)) = mount.children.iter().rev().find(|(n, _)| *n == loc.node) else { return loc };
            let Some(child) = self.table.get(id) else { return loc };
            loc = Loc { mount: *id, node: child.root };
        }
    }

    /// Something is mounted on this node through this mount.
    pub fn is_mountpoint(&self, loc: Loc) -> bool {
        self.table.get(&loc.mount).is_some_and(|m| m.children.iter().any(|(n, _)| *n == loc.node))
    }

    pub fn has_children(&self, id: MountId) -> bool {
        self.table.get(&id).is_some_and(|m| !m.children.is_empty())
    }

    /// A mount and all on it, it first.
    pub fn subtree(&self, id: MountId) -> Vec<MountId> {
        let mut all = vec![id];
        let mut next = 0;
        while let Some(m) = all.get(next).and_then(|i| self.table.get(i)) {
            all.extend(m.children.iter().map(|(_, c)| *c));
            next += 1;
        }
        all
    }

    /// Removes a mount and all on it.
    pub fn remove(&mut self, id: MountId) {
        self.unhook(id);
        for id in self.subtree(id) {
            self.table.remove(&id);
        }
    }

    /// Copies every mount of a namespace; gives old and new ids.
    pub fn copy_ns(&mut self, from: NsId, to: NsId) -> BTreeMap<MountId, MountId> {
        let old: Vec<Mount> = self.of(from).cloned().collect();
        let mut map = BTreeMap::new();
        for mount in &old {
            let id = 20 + self.next;
            self.next += 1;
            map.insert(mount.id, id);
        }
        let moved = |loc: Loc, map: &BTreeMap<MountId, MountId>| Loc {
            mount: map.get(&loc.mount).copied().unwrap_or(loc.mount),
            node: loc.node,
        };
        for mut mount in old {
            mount.id = map[&mount.id];
            mount.ns = to;
            mount.on = mount.on.map(|l| moved(l, &map));
            for (_, child) in &mut mount.children {
                *child = map.get(child).copied().unwrap_or(*child);
            }
            self.table.insert(mount.id, mount);
        }
        map
    }

    /// Makes a namespace's other mount its root; the old root then stands on the
    /// new one's root, above it, as pivot_root(".", ".") does.
    pub fn pivot(&mut self, new: MountId, old: MountId) -> Res<()> {
        self.unhook(new);
        let mount = self.get_mut(new)?;
        mount.on = None;
        mount.on_name = None;
        let on = Loc { mount: new, node: mount.root };
        self.attach(old, on, None)
    }

    pub fn remove_ns(&mut self, ns: NsId) {
        self.table.retain(|_, m| m.ns != ns);
    }
}
