//! The modelled disk as seen from outside the machine: read, compared, and
//! carried over from one saved state to another. No process does this, so no
//! permission is asked and no mount is in the way.

use std::collections::{BTreeMap, BTreeSet};

use super::Res;
use super::overlay::{is_opaque, is_whiteout};
use super::vfs::{Body, Ino, New, TREE_ROOT, Tree};
use super::world::{DISK_SB, World};
use crate::kernel::Errno;
use crate::userland::FileType;

/// What stands at a path of the modelled disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskEntry<'a> {
    /// Its type.
    pub kind: FileType,
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Number of its inode: names that share it are hard links.
    pub ino: u64,
    /// Of a regular file.
    pub content: &'a [u8],
    /// Of a symbolic link.
    pub target: &'a str,
    /// Of a device.
    pub rdev: (u32, u32),
    /// A directory that hides whatever lower layers have at its path.
    pub opaque: bool,
}

impl DiskEntry<'_> {
    /// overlayfs' mark for "deleted here".
    pub fn is_whiteout(&self) -> bool {
        self.kind == FileType::Char && self.rdev == (0, 0)
    }
}

impl World {
    /// What stands at a path of the disk; nothing is followed.
    pub fn disk_entry(&self, path: &str) -> Option<DiskEntry<'_>> {
        let tree = self.fs.tree(DISK_SB).ok()?;
        entry(tree, find(tree, TREE_ROOT, path)?)
    }

    /// The names in a directory of the disk, sorted; none when it is no directory.
    pub fn disk_names(&self, path: &str) -> Vec<String> {
        let Ok(tree) = self.fs.tree(DISK_SB) else { return Vec::new() };
        let map = find(tree, TREE_ROOT, path).and_then(|ino| tree.dir(ino).ok());
        map.into_iter().flatten().map(|(name, _)| name.to_string()).collect()
    }

    /// Removes a path of the disk and all below it. `false` when there was nothing.
    ///
    /// # Errors
    /// EBUSY for the root itself.
    pub fn disk_remove(&mut self, path: &str) -> Result<bool, Errno> {
        let now = self.now_secs();
        let tree = self.fs.tree_mut(DISK_SB)?;
        let path = path.trim_matches('/');
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        if name.is_empty() {
            return Err(Errno::EBUSY);
        }
        match find(tree, TREE_ROOT, parent) {
            Some(dir) if tree.lookup(dir, name).is_ok() => tree.remove_all(dir, name, now).map(|()| true),
            _ => Ok(false),
        }
    }

    /// Gives what stands at a path of the disk another one, whose directory is made if it
    /// is missing.
    ///
    /// # Errors
    /// ENOENT when there is nothing, EEXIST when something is there.
    pub(super) fn disk_move(&mut self, from: &str, to: &str) -> Result<(), Errno> {
        let now = self.now_secs();
        let split = |path: &str| -> (String, String) {
            let path = path.trim_matches('/');
            let (dir, name) = path.rsplit_once('/').unwrap_or(("", path));
            (dir.to_owned(), name.to_owned())
        };
        let ((old_dir, old), (new_dir, new)) = (split(from), split(to));
        let target = self.disk_dir(&new_dir)?;
        let tree = self.fs.tree_mut(DISK_SB)?;
        let source = find(tree, TREE_ROOT, &old_dir).ok_or(Errno::ENOENT)?;
        tree.lookup(source, &old)?;
        if tree.lookup(target, &new).is_ok() {
            return Err(Errno::EEXIST);
        }
        tree.rename(source, &old, target, &new, now)
    }

    /// Makes a path of the disk what it is on another machine's disk, with all
    /// below it, or absent as it is there. Hard links within it stay such.
    ///
    /// # Errors
    /// ENOSPC when it does not fit, ENOTDIR when a file is in the way.
    pub fn disk_take(&mut self, from: &World, path: &str) -> Result<(), Errno> {
        let source = from.fs.tree(DISK_SB)?;
        let path = path.trim_matches('/');
        let top = find(source, TREE_ROOT, path);
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        if name.is_empty() {
            for name in self.disk_names("/").into_iter().chain(from.disk_names("/")) {
                self.disk_take(from, &name)?;
            }
            return Ok(());
        }
        self.disk_remove(path)?;
        let Some(top) = top else { return Ok(()) };
        let dir = self.disk_dir(parent)?;
        let tree = self.fs.tree_mut(DISK_SB)?;
        let mut links: BTreeMap<Ino, Ino> = BTreeMap::new();
        let mut times = Vec::new();
        let mut todo = vec![(dir, Box::<str>::from(name), top)];
        while let Some((dir, name, old)) = todo.pop() {
            let inode = source.get(old)?;
            if let Some(made) = links.get(&old) {
                tree.link(*made, dir, &name, inode.mtime)?;
                continue;
            }
            let body = match &inode.body {
                Body::Dir(_) => Body::Dir(BTreeMap::new()),
                other => other.clone(),
            };
            let new = New { body, mode: inode.mode, uid: inode.uid, gid: inode.gid, mtime: inode.mtime };
            let made = tree.make(dir, &name, new)?;
            for (key, value) in inode.xattrs.iter().flatten() {
                tree.set_xattr(made, key, value)?;
            }
            if let Body::Dir(map) = &inode.body {
                times.push((made, inode.mtime));
                todo.extend(map.iter().map(|(n, i)| (made, n.clone(), *i)));
            } else {
                links.insert(old, made);
            }
        }
        for (ino, mtime) in times {
            tree.get_mut(ino)?.mtime = mtime;
        }
        Ok(())
    }

    /// What a writable layer changed against the layers below it, uppermost
    /// first: paths with Docker's letters `A`, `C` and `D`, sorted by the parts of
    /// the path.
    ///
    /// # Errors
    /// ENOENT when a layer is not on the disk.
    pub fn changes(&self, upper: &str, lower: &[String]) -> Result<Vec<(String, char)>, Errno> {
        let tree = self.fs.tree(DISK_SB)?;
        let at = |path: &str| find(tree, TREE_ROOT, path).ok_or(Errno::ENOENT);
        let below: Vec<Ino> = lower.iter().map(|l| at(l)).collect::<Res<_>>()?;
        let mut all: Vec<(Vec<String>, char)> = Vec::new();
        let mut todo = vec![(Vec::new(), at(upper)?, below)];
        while let Some((path, dir, below)) = todo.pop() {
            let join = |name: &str| -> Vec<String> {
                path.iter().cloned().chain(std::iter::once(name.to_owned())).collect()
            };
            let own = tree.dir(dir)?;
            if is_opaque(tree, dir) {
                let hidden = shown(tree, &below)?.into_iter().filter(|n| !own.contains_key(*n));
                all.extend(hidden.map(|n| (join(n), 'D')));
            }
            for (name, ino) in own {
                let (old, dirs) = look_below(tree, &below, name)?;
                let body = &tree.get(*ino)?.body;
                if is_whiteout(body) {
                    // What a rename leaves behind of a name of its own hides nothing.
                    if old {
                        all.push((join(name), 'D'));
                    }
                    continue;
                }
                if matches!(body, Body::Dir(_)) {
                    todo.push((join(name), *ino, dirs));
                }
                all.push((join(name), if old { 'C' } else { 'A' }));
            }
        }
        all.sort();
        Ok(all.into_iter().map(|(parts, letter)| (format!("/{}", parts.join("/")), letter)).collect())
    }
}

pub(super) fn find(tree: &Tree, from: Ino, path: &str) -> Option<Ino> {
    path.split('/').filter(|p| !p.is_empty()).try_fold(from, |at, name| tree.lookup(at, name)).ok()
}

fn entry(tree: &Tree, ino: Ino) -> Option<DiskEntry<'_>> {
    let inode = tree.get(ino).ok()?;
    let mut entry = DiskEntry {
        kind: inode.body.kind(),
        mode: inode.mode,
        uid: inode.uid,
        gid: inode.gid,
        ino,
        content: &[],
        target: "",
        rdev: (0, 0),
        opaque: is_opaque(tree, ino),
    };
    match &inode.body {
        Body::File(data) => entry.content = data,
        Body::Symlink(target) => entry.target = target,
        Body::Char(a, b) | Body::Block(a, b) => entry.rdev = (*a, *b),
        Body::Dir(_) | Body::Fifo | Body::Socket => {}
    }
    Some(entry)
}

/// Whether the union of these directories shows a name, and the directories of
/// that name which it merges.
fn look_below(tree: &Tree, below: &[Ino], name: &str) -> Res<(bool, Vec<Ino>)> {
    let mut found = false;
    let mut dirs = Vec::new();
    for &dir in below {
        if let Ok(ino) = tree.lookup(dir, name) {
            let body = &tree.get(ino)?.body;
            found |= !is_whiteout(body);
            if !matches!(body, Body::Dir(_)) {
                break;
            }
            dirs.push(ino);
            if is_opaque(tree, ino) {
                break;
            }
        }
        if is_opaque(tree, dir) {
            break;
        }
    }
    Ok((found, dirs))
}

/// The names that the union of these directories shows.
fn shown<'t>(tree: &'t Tree, below: &[Ino]) -> Res<BTreeSet<&'t str>> {
    let (mut names, mut hidden) = (BTreeSet::new(), BTreeSet::new());
    for &dir in below {
        for (name, ino) in tree.dir(dir)? {
            if is_whiteout(&tree.get(*ino)?.body) {
                hidden.insert(&**name);
            } else if !hidden.contains(&**name) {
                names.insert(&**name);
            }
        }
        if is_opaque(tree, dir) {
            break;
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::model::HostEntry;

    fn world(entries: &[HostEntry]) -> World {
        let mut world = World::new();
        for base in ["/low", "/mid", "/up"] {
            world.populate(base, &[]).unwrap();
        }
        world.populate("/", entries).unwrap();
        world
    }

    fn file(path: &str) -> HostEntry {
        HostEntry::File { path: path.to_owned(), mode: 0o644, content: b"x".to_vec() }
    }

    fn dir(path: &str) -> HostEntry {
        HostEntry::Dir { path: path.to_owned(), mode: 0o755 }
    }

    fn gone(path: &str) -> HostEntry {
        HostEntry::Whiteout { path: path.to_owned() }
    }

    fn opaque(path: &str) -> HostEntry {
        HostEntry::Opaque { path: path.to_owned() }
    }

    #[test]
    fn changes_as_the_real_store_tells_them() {
        let world = world(&[
            file("low/etc/motd"),
            file("low/etc/gone"),
            file("low/etc/again"),
            file("low/var/a/b"),
            file("low/opt/x"),
            file("low/opt/y"),
            file("low/d/old"),
            gone("mid/etc/gone"),
            dir("mid/d"),
            opaque("mid/d"),
            file("mid/d/new"),
            file("up/etc/gone"),
            file("up/etc/motd"),
            gone("up/etc/again"),
            file("up/root/new/deep"),
            gone("up/var"),
            dir("up/opt"),
            opaque("up/opt"),
            file("up/opt/x"),
            file("up/opt/z"),
            file("up/d/old"),
            file("up/d/new"),
            gone("up/tmp-left-by-rename"),
        ]);
        let told: Vec<String> = world
            .changes("/up", &["/mid".to_owned(), "/low".to_owned()])
            .unwrap()
            .into_iter()
            .map(|(path, letter)| format!("{letter} {path}"))
            .collect();
        let want = [
            "C /d",
            "C /d/new",
            "A /d/old",
            "C /etc",
            "D /etc/again",
            "A /etc/gone",
            "C /etc/motd",
            "C /opt",
            "C /opt/x",
            "D /opt/y",
            "A /opt/z",
            "A /root",
            "A /root/new",
            "A /root/new/deep",
            "D /var",
        ];
        assert_eq!(told, want);
        assert_eq!(world.changes("/up", &["/nowhere".to_owned()]), Err(Errno::ENOENT));
    }

    #[test]
    fn a_tree_is_taken_over_whole() {
        let link = HostEntry::Hardlink { path: "up/b/two".to_owned(), to: "up/one".to_owned() };
        let from = world(&[file("up/one"), dir("up/b"), opaque("up/b"), link, gone("up/c")]);
        let mut to = world(&[file("up/old"), file("low/kept")]);
        to.disk_take(&from, "/up").unwrap();
        assert_eq!(to.disk_names("/up"), ["b", "c", "one"]);
        assert!(to.disk_entry("/up/b").unwrap().opaque && to.disk_entry("/up/c").unwrap().is_whiteout());
        let ino = |path: &str| to.disk_entry(path).unwrap().ino;
        assert_eq!(ino("/up/one"), ino("/up/b/two"));
        assert!(to.disk_entry("/low/kept").is_some());
        to.disk_take(&from, "/low/kept").unwrap();
        assert!(to.disk_entry("/low/kept").is_none(), "it is not there on the other disk");
        to.disk_take(&from, "/").unwrap();
        assert_eq!(World::load(&to.save()).unwrap().disk_names("/"), from.disk_names("/"));
    }
}
