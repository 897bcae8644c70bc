//! rename(2).

use super::walk::Last;
use super::{Loc, Node, WRITE};
use crate::kernel::Errno;
use crate::kernel::model::Res;
use crate::kernel::model::process::Ctx;
use crate::kernel::model::world::World;
use crate::userland::FileType;

impl World {
    pub(crate) fn rename(&mut self, ctx: &Ctx, from: &str, to: &str) -> Res<()> {
        let old = self.resolve_parent(ctx, from)?;
        let new = self.resolve_parent(ctx, to)?;
        if old.dir.mount != new.dir.mount {
            return Err(Errno::EXDEV);
        }
        let (Last::Name(old_name), Last::Name(new_name)) = (old.last, new.last) else {
            return Err(Errno::EBUSY);
        };
        self.may_write_mount(old.dir)?;
        let node = self.lookup(ctx, old.dir.node, old_name)?;
        let attr = self.attr(node)?;
        let target = match self.lookup(ctx, new.dir.node, new_name) {
            Ok(target) => Some(target),
            Err(Errno::ENOENT) => None,
            Err(e) => return Err(e),
        };
        let is_dir = attr.kind == FileType::Dir;
        if !is_dir && (old.slash || new.slash) {
            return Err(Errno::ENOTDIR);
        }
        if is_dir && self.is_below(new.dir.node, node) {
            return Err(Errno::EINVAL);
        }
        if let Some(target) = target {
            if self.is_below(old.dir.node, target) {
                return Err(Errno::ENOTEMPTY);
            }
            if target == node {
                return Ok(());
            }
        }
        self.may_delete(ctx, old.dir, &attr)?;
        match target {
            None => self.may_add(ctx, new.dir)?,
            Some(target) => {
                let there = self.attr(target)?;
                self.may_delete(ctx, new.dir, &there)?;
                match (is_dir, there.kind == FileType::Dir) {
                    (true, false) => return Err(Errno::ENOTDIR),
                    (false, true) => return Err(Errno::EISDIR),
                    _ => {}
                }
            }
        }
        if is_dir && old.dir.node != new.dir.node {
            // Its `..` is about to be rewritten.
            self.may(ctx, &attr, WRITE)?;
        }
        let busy = |node: Node, mount| self.mounts.is_mountpoint(Loc { mount, node });
        if busy(node, old.dir.mount) || target.is_some_and(|t| busy(t, new.dir.mount)) {
            return Err(Errno::EBUSY);
        }
        self.rename_in(old.dir.node, old_name, new.dir.node, new_name)
    }

    /// `node` is `above` or a directory below it.
    fn is_below(&self, node: Node, above: Node) -> bool {
        let mut at = node;
        loop {
            if at == above {
                return true;
            }
            let parent = self.parent_of(at);
            if parent == at {
                return false;
            }
            at = parent;
        }
    }
}
