//! Changes of names in the union: what they leave in the upper layer.

use super::{ONode, OPAQUE, Overlay, is_whiteout};
use crate::kernel::Errno;
use crate::kernel::model::Res;
use crate::kernel::model::vfs::{Body, Ino, New};
use crate::kernel::model::world::Fs;

impl Overlay {
    /// A new inode. Over a whiteout a directory becomes opaque. Elsewhere Linux
    /// leaves it open: layers may be changed while nothing is mounted, as long as
    /// index, metacopy and redirect_dir are off (`ovl_allow_offline_changes`).
    pub fn make(&mut self, fs: &mut Fs, dir: u64, name: &str, mut new: New) -> Res<u64> {
        (new.uid, new.gid) = self.stored(new.uid, new.gid)?;
        if self.lookup(fs, dir, name).is_ok() {
            return Err(Errno::EEXIST);
        }
        let above = self.copy_up_dir(fs, dir)?;
        let is_dir = matches!(new.body, Body::Dir(_));
        let over = self.clear_whiteout(fs, above, name, new.mtime)?;
        let tree = self.upper_mut(fs)?;
        let ino = tree.make(above, name, new)?;
        if is_dir && over {
            tree.set_xattr(ino, OPAQUE, b"y")?;
        }
        if let Some(watched) = &mut self.watched {
            watched.copied.remove(&ino);
        }
        self.touch(dir, name);
        self.enter(dir, name, is_dir, ino)
    }

    /// One more name for a file.
    pub fn link(&mut self, fs: &mut Fs, o: u64, dir: u64, name: &str, now: i64) -> Res<()> {
        if self.lookup(fs, dir, name).is_ok() {
            return Err(Errno::EEXIST);
        }
        if self.node(o)?.dir {
            return Err(Errno::EPERM);
        }
        let ino = self.copy_up(fs, o, true)?;
        let above = self.copy_up_dir(fs, dir)?;
        self.clear_whiteout(fs, above, name, now)?;
        self.upper_mut(fs)?.link(ino, above, name, now)?;
        self.node_mut(dir)?.children.insert(name.into(), o);
        self.touch(dir, name);
        Ok(())
    }

    /// Removes a name that is no directory's.
    pub fn unlink(&mut self, fs: &mut Fs, dir: u64, name: &str, now: i64) -> Res<()> {
        let o = self.lookup(fs, dir, name)?;
        if self.node(o)?.dir {
            return Err(Errno::EISDIR);
        }
        self.remove(fs, dir, name, o, now)
    }

    /// Removes a directory that looks empty; its upper part may hold whiteouts.
    pub fn rmdir(&mut self, fs: &mut Fs, dir: u64, name: &str, now: i64) -> Res<()> {
        let o = self.lookup(fs, dir, name)?;
        if !self.node(o)?.dir {
            return Err(Errno::ENOTDIR);
        }
        if !self.merged(fs, o)?.is_empty() {
            return Err(Errno::ENOTEMPTY);
        }
        self.remove(fs, dir, name, o, now)
    }

    fn remove(&mut self, fs: &mut Fs, dir: u64, name: &str, o: u64, now: i64) -> Res<()> {
        let below = self.lower_has(fs, dir, name)?;
        let above = self.copy_up_dir(fs, dir)?;
        let upper = self.node(o)?.upper;
        self.touch_all(fs, o)?;
        let tree = self.upper_mut(fs)?;
        if tree.lookup(above, name).is_ok() {
            tree.remove_all(above, name, now)?;
        }
        if below {
            tree.make(above, name, whiteout(now))?;
        }
        let left = upper.and_then(|ino| tree.get(ino).ok()).map_or(0, |i| i.nlink);
        self.node_mut(dir)?.children.remove(name);
        let node = self.node_mut(o)?;
        node.linked = !node.dir && left > 0;
        self.reap(o);
        self.touch(dir, name);
        Ok(())
    }

    /// Notes that the whiteouts in a directory go with it.
    fn touch_all(&mut self, fs: &Fs, o: u64) -> Res<()> {
        let node = self.node(o)?;
        if let (Some(ino), true, true) = (node.upper, node.dir, self.watched.is_some()) {
            for name in self.upper(fs)?.dir(ino)?.keys() {
                self.touch(o, name);
            }
        }
        Ok(())
    }

    /// Moves a name. A directory that is merged or only below cannot move
    /// (EXDEV, `redirect_dir` off): mv(1) then copies it.
    pub fn rename(&mut self, fs: &mut Fs, from: u64, old: &str, to: u64, new: &str, now: i64) -> Res<()> {
        let o = self.lookup(fs, from, old)?;
        let is_dir = self.node(o)?.dir;
        let target = match self.lookup(fs, to, new) {
            Ok(t) if t == o => return Ok(()),
            Ok(t) => Some(t),
            Err(Errno::ENOENT) => None,
            Err(e) => return Err(e),
        };
        if let Some(t) = target {
            match (is_dir, self.node(t)?.dir) {
                (true, false) => return Err(Errno::ENOTDIR),
                (false, true) => return Err(Errno::EISDIR),
                _ => {}
            }
        }
        if is_dir && !self.node(o)?.lower.is_empty() {
            return Err(Errno::EXDEV);
        }
        if let (true, Some(t)) = (is_dir, target)
            && !self.merged(fs, t)?.is_empty()
        {
            // Whether a directory without lower parts is empty, overlayfs leaves to the
            // file system below, and has marked the other one opaque by then.
            if self.node(t)?.lower.is_empty()
                && self.is_merged(to)?
                && let Some(ino) = self.node(o)?.upper
            {
                self.upper_mut(fs)?.set_xattr(ino, OPAQUE, b"y")?;
            }
            return Err(Errno::ENOTEMPTY);
        }
        let ino = self.copy_up(fs, o, true)?;
        let source = self.copy_up_dir(fs, from)?;
        let place = self.copy_up_dir(fs, to)?;
        let below = self.lower_has(fs, from, old)?;
        let merged = self.is_merged(to)?;
        let upper_target = target.map(|t| self.node(t).map(|n| n.upper)).transpose()?.flatten();
        let tree = self.upper_mut(fs)?;
        if tree.lookup(place, new).is_ok() {
            // A whiteout, a file, or a directory with nothing but whiteouts.
            tree.remove_all(place, new, now)?;
        }
        tree.rename(source, old, place, new, now)?;
        if below {
            tree.make(source, old, whiteout(now))?;
        }
        if is_dir && merged {
            tree.set_xattr(ino, OPAQUE, b"y")?;
        }
        let left = upper_target.and_then(|i| tree.get(i).ok()).map_or(0, |i| i.nlink);
        self.node_mut(from)?.children.remove(old);
        self.node_mut(to)?.children.insert(new.into(), o);
        let node = self.node_mut(o)?;
        node.parent = to;
        node.name = new.into();
        if let Some(t) = target {
            let node = self.node_mut(t)?;
            node.linked = !node.dir && left > 0;
            self.reap(t);
        }
        if is_dir {
            self.moved((from, old), (to, new));
        }
        self.touch(from, old);
        self.touch(to, new);
        Ok(())
    }

    fn copy_up_dir(&mut self, fs: &mut Fs, dir: u64) -> Res<Ino> {
        let ino = self.copy_up(fs, dir, true)?;
        if self.upper(fs)?.get(ino)?.nlink == 0 {
            return Err(Errno::ENOENT);
        }
        Ok(ino)
    }

    fn clear_whiteout(&self, fs: &mut Fs, above: Ino, name: &str, now: i64) -> Res<bool> {
        let tree = self.upper_mut(fs)?;
        let Ok(ino) = tree.lookup(above, name) else { return Ok(false) };
        if !is_whiteout(&tree.get(ino)?.body) {
            return Err(Errno::EEXIST);
        }
        tree.unlink(above, name, now)?;
        Ok(true)
    }

    fn enter(&mut self, dir: u64, name: &str, is_dir: bool, ino: Ino) -> Res<u64> {
        let o = self.add(ONode {
            parent: dir,
            name: name.into(),
            dir: is_dir,
            upper: Some(ino),
            lower: Vec::new(),
            children: Default::default(),
            opens: 0,
            linked: true,
        });
        self.node_mut(dir)?.children.insert(name.into(), o);
        Ok(o)
    }
}

fn whiteout(now: i64) -> New {
    New { body: Body::Char(0, 0), mode: 0, uid: 0, gid: 0, mtime: now }
}
