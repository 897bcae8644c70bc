//! Copy-up: before the first change the file, and each directory on the way to
//! it, is copied to the upper layer with its owner, mode, times and attributes.

use super::{Overlay, Real};
use crate::kernel::Errno;
use crate::kernel::model::Res;
use crate::kernel::model::vfs::{Body, Ino, New};
use crate::kernel::model::world::Fs;

impl Overlay {
    /// The inode in the upper layer, copied there if need be. With `data` off
    /// the file's contents stay behind, because they are about to be cut off.
    pub fn copy_up(&mut self, fs: &mut Fs, o: u64, data: bool) -> Res<Ino> {
        // The chain of parents that are still below, innermost first.
        let mut chain = Vec::new();
        let mut at = o;
        loop {
            let node = self.node(at)?;
            if let Some(ino) = node.upper {
                if at == o {
                    return Ok(ino);
                }
                break;
            }
            if !node.linked {
                return Err(Errno::ENOENT);
            }
            chain.push(at);
            at = node.parent;
        }
        let mut ino = 0;
        for at in chain.into_iter().rev() {
            ino = self.copy_one(fs, at, data || at != o)?;
        }
        Ok(ino)
    }

    fn copy_one(&mut self, fs: &mut Fs, o: u64, data: bool) -> Res<Ino> {
        let node = self.node(o)?;
        let from: Real = *node.lower.first().ok_or(Errno::EIO)?;
        let (parent, name, opens) = (node.parent, node.name.clone(), node.opens);
        let above = self.node(parent)?.upper.ok_or(Errno::EIO)?;
        let source = fs.tree(from.sb)?.get(from.ino)?;
        let body = match &source.body {
            Body::Dir(_) => Body::Dir(Default::default()),
            Body::File(_) if !data => Body::File(Vec::new()),
            other => other.clone(),
        };
        let new = New { body, mode: source.mode, uid: source.uid, gid: source.gid, mtime: source.mtime };
        let mut xattrs = source.xattrs.clone();
        if let Some(x) = &mut xattrs {
            x.remove(super::OPAQUE);
        }
        let tree = self.upper_mut(fs)?;
        let times = tree.get(above)?.mtime;
        let ino = tree.make(above, &name, new)?;
        tree.get_mut(above)?.mtime = times;
        tree.get_mut(ino)?.xattrs = xattrs;
        tree.hold(ino, opens);
        if let Some(watched) = &mut self.watched {
            watched.copied.insert(ino, from);
        }
        self.touch(parent, &name);
        let node = self.node_mut(o)?;
        node.upper = Some(ino);
        if !node.dir {
            // Other names of the lower inode stay with the lower inode: the
            // hard link is broken, as with index=off.
            node.lower.clear();
            self.by_upper.insert(ino, o);
        }
        Ok(ino)
    }
}
