//! One inode operation, whatever file system the node belongs to. Nothing is
//! checked but what the file system itself refuses.

use super::{Attr, Body, Loc, New, Node, Sb, Tree};
use crate::kernel::Errno;
use crate::kernel::model::overlay::Overlay;
use crate::kernel::model::process::Ctx;
use crate::kernel::model::world::{Fs, World};
use crate::kernel::model::{Res, cgroup, procfs};
use crate::userland::FileType;

const NAME_MAX: usize = 255;

/// A directory's entry: name, type, inode number.
pub(crate) type Entry = (String, FileType, u64);

impl World {
    /// Runs `f` with the overlay out of the table, so that it can reach its layers.
    fn overlay<T>(&mut self, node: Node, f: impl FnOnce(&mut Overlay, &mut Fs) -> Res<T>) -> Res<T> {
        let Some(slot) = self.fs.sbs.get_mut(node.sb as usize) else { return Err(Errno::EIO) };
        match slot.take() {
            Some(Sb::Overlay(mut overlay)) => {
                let result = f(&mut overlay, &mut self.fs);
                let touched = overlay.watched.as_mut().map(|w| std::mem::take(&mut w.touched));
                self.fs.sbs[node.sb as usize] = Some(Sb::Overlay(overlay));
                if let Some(touched) = touched.filter(|t| !t.is_empty()) {
                    self.note_touched(node.sb, touched);
                }
                result
            }
            other => {
                self.fs.sbs[node.sb as usize] = other;
                Err(Errno::EIO)
            }
        }
    }

    pub(crate) fn lookup(&mut self, ctx: &Ctx, dir: Node, name: &str) -> Res<Node> {
        if name.len() > NAME_MAX {
            // In a directory that is gone no name is looked for.
            return Err(if self.is_gone(dir)? { Errno::ENOENT } else { Errno::ENAMETOOLONG });
        }
        let ino = match self.fs.sb(dir.sb)? {
            Sb::Tree(tree) => tree.lookup(dir.ino, name)?,
            Sb::Overlay(_) => self.overlay(dir, |o, fs| o.lookup(fs, dir.ino, name))?,
            Sb::Proc(ns) => procfs::lookup(self, *ns, dir.ino, name, ctx.pid)?,
            Sb::Cgroup(_) => cgroup::lookup(&self.cgroups, dir.ino, name)?,
        };
        Ok(Node { sb: dir.sb, ino })
    }

    pub(crate) fn attr(&self, node: Node) -> Res<Attr> {
        match self.fs.sb(node.sb)? {
            Sb::Tree(tree) => tree.attr(node.ino),
            Sb::Overlay(o) => o.attr(&self.fs, node.ino),
            Sb::Proc(ns) => procfs::attr(self, *ns, node.ino),
            Sb::Cgroup(_) => cgroup::attr(&self.cgroups, node.ino, self.now_secs()),
        }
    }

    /// A directory that was removed while somebody was in it. Its link count may
    /// still be that of a lower layer.
    pub(crate) fn is_gone(&self, dir: Node) -> Res<bool> {
        match self.fs.sb(dir.sb)? {
            Sb::Overlay(o) => Ok(!o.is_linked(dir.ino)?),
            _ => Ok(self.attr(dir)?.nlink == 0),
        }
    }

    pub(crate) fn read_link_of(&self, ctx: &Ctx, node: Node) -> Res<String> {
        match self.fs.sb(node.sb)? {
            Sb::Proc(ns) => procfs::read_link(self, *ns, node.ino, ctx),
            Sb::Cgroup(_) => Err(Errno::EINVAL),
            _ => {
                let (tree, ino) = self.real(node)?;
                match &tree.get(ino)?.body {
                    Body::Symlink(text) => Ok(text.to_string()),
                    _ => Err(Errno::EINVAL),
                }
            }
        }
    }

    /// The tree and inode where a node of a tree or of an overlay really is.
    pub(crate) fn real(&self, node: Node) -> Res<(&Tree, u64)> {
        match self.fs.sb(node.sb)? {
            Sb::Tree(tree) => Ok((tree, node.ino)),
            Sb::Overlay(o) => {
                let real = o.real(node.ino)?;
                Ok((self.fs.tree(real.sb)?, real.ino))
            }
            _ => Err(Errno::EINVAL),
        }
    }

    /// The same for changing it: copied up first on an overlay.
    pub(crate) fn real_mut(&mut self, node: Node, data: bool) -> Res<(&mut Tree, u64)> {
        match self.fs.sb(node.sb)? {
            Sb::Tree(_) => Ok((self.fs.tree_mut(node.sb)?, node.ino)),
            Sb::Overlay(_) => {
                self.overlay(node, |o, fs| o.copy_up(fs, node.ino, data))?;
                let real = match self.fs.sb(node.sb)? {
                    Sb::Overlay(o) => o.real(node.ino)?,
                    _ => return Err(Errno::EIO),
                };
                Ok((self.fs.tree_mut(real.sb)?, real.ino))
            }
            _ => Err(Errno::EPERM),
        }
    }

    pub(crate) fn entries(&mut self, ctx: &Ctx, dir: Node) -> Res<Vec<Entry>> {
        match self.fs.sb(dir.sb)? {
            Sb::Tree(tree) => tree
                .dir(dir.ino)?
                .iter()
                .map(|(n, i)| Ok((n.to_string(), tree.get(*i)?.body.kind(), *i)))
                .collect(),
            Sb::Overlay(_) => self.overlay(dir, |o, fs| o.entries(fs, dir.ino)),
            Sb::Proc(ns) => procfs::entries(self, *ns, dir.ino, ctx),
            Sb::Cgroup(_) => cgroup::entries(&self.cgroups, dir.ino),
        }
    }

    pub(crate) fn make_in(&mut self, dir: Node, name: &str, new: New) -> Res<Node> {
        let ino = match self.fs.sb(dir.sb)? {
            Sb::Tree(_) => self.fs.tree_mut(dir.sb)?.make(dir.ino, name, new)?,
            Sb::Overlay(_) => {
                if crate::kernel::model::overlay::is_whiteout(&new.body) {
                    return Err(Errno::EPERM);
                }
                self.overlay(dir, |o, fs| o.make(fs, dir.ino, name, new))?
            }
            Sb::Cgroup(_) if matches!(new.body, Body::Dir(_)) => self.cgroups.make(dir.ino, name)?,
            Sb::Cgroup(_) => return Err(Errno::EPERM),
            Sb::Proc(_) => return Err(Errno::ENOENT),
        };
        Ok(Node { sb: dir.sb, ino })
    }

    pub(crate) fn link_in(&mut self, node: Node, dir: Node, name: &str) -> Res<()> {
        let now = self.now_secs();
        match self.fs.sb(dir.sb)? {
            Sb::Tree(_) => self.fs.tree_mut(dir.sb)?.link(node.ino, dir.ino, name, now),
            Sb::Overlay(_) => self.overlay(dir, |o, fs| o.link(fs, node.ino, dir.ino, name, now)),
            _ => Err(Errno::EPERM),
        }
    }

    pub(crate) fn unlink_in(&mut self, dir: Node, name: &str) -> Res<()> {
        let now = self.now_secs();
        match self.fs.sb(dir.sb)? {
            Sb::Tree(_) => self.fs.tree_mut(dir.sb)?.unlink(dir.ino, name, now),
            Sb::Overlay(_) => self.overlay(dir, |o, fs| o.unlink(fs, dir.ino, name, now)),
            _ => Err(Errno::EPERM),
        }
    }

    pub(crate) fn rmdir_in(&mut self, dir: Node, name: &str) -> Res<()> {
        let now = self.now_secs();
        match self.fs.sb(dir.sb)? {
            Sb::Tree(_) => self.fs.tree_mut(dir.sb)?.rmdir(dir.ino, name, now),
            Sb::Overlay(_) => self.overlay(dir, |o, fs| o.rmdir(fs, dir.ino, name, now)),
            Sb::Cgroup(_) => self.cgroups.remove(dir.ino, name),
            Sb::Proc(_) => Err(Errno::EPERM),
        }
    }

    pub(crate) fn rename_in(&mut self, from: Node, old: &str, to: Node, new: &str) -> Res<()> {
        let now = self.now_secs();
        match self.fs.sb(from.sb)? {
            Sb::Tree(_) => self.fs.tree_mut(from.sb)?.rename(from.ino, old, to.ino, new, now),
            Sb::Overlay(_) => self.overlay(from, |o, fs| o.rename(fs, from.ino, old, to.ino, new, now)),
            _ => Err(Errno::EPERM),
        }
    }

    /// Keeps an inode without a name alive.
    pub(crate) fn hold(&mut self, node: Node) {
        match self.fs.sb(node.sb) {
            Ok(Sb::Tree(_)) => {
                if let Ok(tree) = self.fs.tree_mut(node.sb) {
                    tree.hold(node.ino, 1);
                }
            }
            Ok(Sb::Overlay(_)) => {
                let _ = self.overlay(node, |o, fs| {
                    o.hold(fs, node.ino);
                    Ok(())
                });
            }
            _ => {}
        }
    }

    pub(crate) fn release(&mut self, node: Node) {
        match self.fs.sb(node.sb) {
            Ok(Sb::Tree(_)) => {
                if let Ok(tree) = self.fs.tree_mut(node.sb) {
                    tree.release(node.ino);
                }
            }
            Ok(Sb::Overlay(_)) => {
                let _ = self.overlay(node, |o, fs| {
                    o.release(fs, node.ino);
                    Ok(())
                });
            }
            _ => {}
        }
    }

    /// Where `..` of a directory leads within its file system.
    pub(crate) fn parent_of(&self, dir: Node) -> Node {
        let ino = match self.fs.sb(dir.sb) {
            Ok(Sb::Tree(tree)) => tree.get(dir.ino).map_or(super::tree::ROOT, |i| i.parent),
            Ok(Sb::Overlay(o)) => o.parent(dir.ino),
            Ok(Sb::Proc(_)) => procfs::parent(dir.ino),
            Ok(Sb::Cgroup(_)) => self.cgroups.parent(dir.ino),
            Err(_) => dir.ino,
        };
        Node { sb: dir.sb, ino }
    }

    /// The name of a directory in its parent, if it still has one.
    pub(crate) fn name_of(&self, dir: Node) -> Option<(Node, String)> {
        let (ino, name) = match self.fs.sb(dir.sb).ok()? {
            Sb::Tree(tree) => tree.name_of(dir.ino)?,
            Sb::Overlay(o) => o.name_of(dir.ino)?,
            Sb::Proc(ns) => procfs::name_of(self, *ns, dir.ino)?,
            Sb::Cgroup(_) => self.cgroups.name_of(dir.ino)?,
        };
        Some((Node { sb: dir.sb, ino }, name))
    }

    /// The root node of a file system.
    pub(crate) fn root_of(&self, sb: super::SbId) -> Node {
        let ino = match self.fs.sb(sb) {
            Ok(Sb::Tree(_)) => super::tree::ROOT,
            Ok(Sb::Overlay(_)) => crate::kernel::model::overlay::ROOT,
            Ok(Sb::Proc(_)) => procfs::ROOT,
            Ok(Sb::Cgroup(root)) => cgroup::dir_ino(*root),
            Err(_) => 0,
        };
        Node { sb, ino }
    }

    /// An attribute change of mode, owner or time.
    pub(crate) fn change(&mut self, loc: Loc, f: impl FnOnce(&mut super::tree::Inode)) -> Res<()> {
        match self.fs.sb(loc.node.sb)? {
            Sb::Tree(_) | Sb::Overlay(_) => {
                let (tree, ino) = self.real_mut(loc.node, true)?;
                f(tree.get_mut(ino)?);
                Ok(())
            }
            _ => Err(Errno::EPERM),
        }
    }
}
