//! overlayfs on trees of inodes: several read-only lower directories and one
//! writable upper directory, seen as one. As Linux does it with `index=off`,
//! `redirect_dir=off` and `metacopy=off`: see the kernel's
//! Documentation/filesystems/overlayfs.rst. Lower layers are never changed.

mod change;
mod copy_up;
mod ids;
mod lookup;
mod standing;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};

pub(crate) use ids::Ids;
use standing::Watched;
pub(crate) use standing::{Below, Touched};

use super::Res;
use super::vfs::{Attr, Body, Ino, SbId, Tree};
use super::world::Fs;
use crate::kernel::Errno;
use crate::userland::FileType;

/// Marks a directory of the upper layer that hides what is below it.
pub(crate) const OPAQUE: &str = "trusted.overlay.opaque";

/// An inode of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Real {
    pub sb: SbId,
    pub ino: Ino,
}

/// An inode of the union.
#[derive(Debug)]
struct ONode {
    parent: u64,
    name: Box<str>,
    dir: bool,
    upper: Option<Ino>,
    /// Uppermost first. Of a file at most one.
    lower: Vec<Real>,
    children: HashMap<Box<str>, u64>,
    opens: u32,
    /// It has a name in the union.
    linked: bool,
}

/// One mounted overlay.
#[derive(Debug)]
pub(crate) struct Overlay {
    /// The tree that holds upper and work.
    upper_sb: SbId,
    nodes: Vec<Option<ONode>>,
    free: Vec<u64>,
    by_upper: HashMap<Ino, u64>,
    /// The layers are seen through views that translate owners.
    ids: Option<Ids>,
    /// Only while somebody listens.
    pub(crate) watched: Option<Box<Watched>>,
}

/// The union's root.
pub(crate) const ROOT: u64 = 1;

impl Overlay {
    /// A union of these directories, uppermost first.
    pub fn new(upper: Real, lower: Vec<Real>) -> Overlay {
        let root = ONode {
            parent: ROOT,
            name: "".into(),
            dir: true,
            upper: Some(upper.ino),
            lower,
            children: HashMap::new(),
            opens: 0,
            linked: true,
        };
        Overlay {
            upper_sb: upper.sb,
            nodes: vec![None, Some(root)],
            free: Vec::new(),
            by_upper: HashMap::new(),
            ids: None,
            watched: None,
        }
    }

    fn node(&self, o: u64) -> Res<&ONode> {
        self.nodes.get(o as usize).and_then(Option::as_ref).ok_or(Errno::EIO)
    }

    fn node_mut(&mut self, o: u64) -> Res<&mut ONode> {
        self.nodes.get_mut(o as usize).and_then(Option::as_mut).ok_or(Errno::EIO)
    }

    fn upper<'a>(&self, fs: &'a Fs) -> Res<&'a Tree> {
        fs.tree(self.upper_sb)
    }

    fn upper_mut<'a>(&self, fs: &'a mut Fs) -> Res<&'a mut Tree> {
        fs.tree_mut(self.upper_sb)
    }

    fn add(&mut self, node: ONode) -> u64 {
        let upper = node.upper.filter(|_| !node.dir);
        let o = match self.free.pop() {
            Some(o) => {
                self.nodes[o as usize] = Some(node);
                o
            }
            None => {
                self.nodes.push(Some(node));
                self.nodes.len() as u64 - 1
            }
        };
        if let Some(ino) = upper {
            self.by_upper.insert(ino, o);
        }
        o
    }

    /// Forgets a node that has neither a name nor an open file.
    fn reap(&mut self, o: u64) {
        let Ok(node) = self.node(o) else { return };
        if node.linked || node.opens > 0 || o == ROOT {
            return;
        }
        if let (Some(ino), false) = (node.upper, node.dir) {
            self.by_upper.remove(&ino);
        }
        self.nodes[o as usize] = None;
        self.free.push(o);
    }

    /// Where the data and attributes are now.
    pub fn real(&self, o: u64) -> Res<Real> {
        let node = self.node(o)?;
        match node.upper {
            Some(ino) => Ok(Real { sb: self.upper_sb, ino }),
            None => node.lower.first().copied().ok_or(Errno::EIO),
        }
    }

    fn is_merged(&self, o: u64) -> Res<bool> {
        let node = self.node(o)?;
        Ok(node.dir && node.lower.len() + usize::from(node.upper.is_some()) > 1)
    }

    pub fn parent(&self, o: u64) -> u64 {
        self.node(o).map_or(ROOT, |n| n.parent)
    }

    pub fn name_of(&self, o: u64) -> Option<(u64, String)> {
        let node = self.node(o).ok()?;
        (node.linked && o != ROOT).then(|| (node.parent, node.name.to_string()))
    }

    /// The layers are seen through views that translate owners from now on.
    pub fn translate_owners(&mut self, ids: Ids) {
        self.ids = Some(ids);
    }

    /// The owners to store in a layer for those that the kernel sees.
    pub fn stored(&self, uid: u32, gid: u32) -> Res<(u32, u32)> {
        self.ids.as_ref().map_or(Ok((uid, gid)), |ids| ids.stored(uid, gid))
    }

    pub fn attr(&self, fs: &Fs, o: u64) -> Res<Attr> {
        let real = self.real(o)?;
        let mut attr = fs.tree(real.sb)?.attr(real.ino)?;
        if let Some(ids) = &self.ids {
            (attr.uid, attr.gid) = ids.seen(attr.uid, attr.gid);
        }
        if self.is_merged(o)? {
            // As ovl_getattr does: find(1) must not count on it.
            attr.nlink = 1;
        }
        Ok(attr)
    }

    /// It has a name in the union. A file that was removed there keeps the link
    /// count of its lower layer, which nothing changes.
    pub fn is_linked(&self, o: u64) -> Res<bool> {
        Ok(self.node(o)?.linked)
    }

    pub fn hold(&mut self, fs: &mut Fs, o: u64) {
        let Ok(node) = self.node_mut(o) else { return };
        node.opens += 1;
        if let Some(ino) = node.upper
            && let Ok(tree) = fs.tree_mut(self.upper_sb)
        {
            tree.hold(ino, 1);
        }
    }

    pub fn release(&mut self, fs: &mut Fs, o: u64) {
        let Ok(node) = self.node_mut(o) else { return };
        node.opens = node.opens.saturating_sub(1);
        if let Some(ino) = node.upper
            && let Ok(tree) = fs.tree_mut(self.upper_sb)
        {
            tree.release(ino);
        }
        self.reap(o);
    }

    /// The entries as readdir(3) gives them. A directory of a single lower layer is
    /// passed through as it is: whiteouts that hide nothing show there, although no
    /// lookup finds them.
    pub fn entries(&mut self, fs: &Fs, dir: u64) -> Res<Vec<(String, FileType, u64)>> {
        let node = self.node(dir)?;
        let only = match node.lower.as_slice() {
            [only] if node.dir && node.upper.is_none() => *only,
            _ => return self.merged(fs, dir),
        };
        let tree = fs.tree(only.sb)?;
        let mut entries = Vec::new();
        for (name, ino) in tree.dir(only.ino)? {
            let body = &tree.get(*ino)?.body;
            let shown = if is_whiteout(body) { *ino } else { self.lookup(fs, dir, name)? };
            entries.push((name.to_string(), body.kind(), shown));
        }
        Ok(entries)
    }

    /// The entries that can be found, without `.` and `..`.
    pub(super) fn merged(&mut self, fs: &Fs, dir: u64) -> Res<Vec<(String, FileType, u64)>> {
        let node = self.node(dir)?;
        if !node.dir {
            return Err(Errno::ENOTDIR);
        }
        let upper = node.upper.map(|ino| Real { sb: self.upper_sb, ino });
        let layers: Vec<Real> = upper.into_iter().chain(node.lower.iter().copied()).collect();
        let mut seen: BTreeMap<String, Option<FileType>> = BTreeMap::new();
        for layer in layers {
            let tree = fs.tree(layer.sb)?;
            for (name, ino) in tree.dir(layer.ino)? {
                if !seen.contains_key(&**name) {
                    let body = &tree.get(*ino)?.body;
                    seen.insert(name.to_string(), (!is_whiteout(body)).then(|| body.kind()));
                }
            }
        }
        seen.into_iter()
            .filter_map(|(name, kind)| kind.map(|k| (name, k)))
            .map(|(name, kind)| Ok((name.clone(), kind, self.lookup(fs, dir, &name)?)))
            .collect()
    }
}

/// Character device 0/0: the name is deleted.
pub(crate) fn is_whiteout(body: &Body) -> bool {
    matches!(body, Body::Char(0, 0))
}

/// The directory hides what is below it.
pub(crate) fn is_opaque(tree: &Tree, ino: Ino) -> bool {
    tree.xattr(ino, OPAQUE) == Some(b"y")
}
