//! Permission checks of inodes, as inode_permission() makes them.

use super::{Attr, Loc};
use crate::kernel::Errno;
use crate::kernel::model::Res;
use crate::kernel::model::cred::Cap;
use crate::kernel::model::process::Ctx;
use crate::kernel::model::world::World;
use crate::userland::FileType;

pub(crate) const READ: u32 = 4;
pub(crate) const WRITE: u32 = 2;
pub(crate) const EXEC: u32 = 1;

impl World {
    /// A capability with respect to an inode: it counts only where the inode's
    /// owner has an id in the process's user namespace.
    pub(crate) fn inode_capable(&self, ctx: &Ctx, attr: &Attr, cap: Cap) -> bool {
        ctx.cred.has(cap) && self.ns.maps_ids(ctx.cred.user_ns, attr.uid, attr.gid)
    }

    /// `mask` is a sum of [`READ`], [`WRITE`], [`EXEC`].
    pub(crate) fn may(&self, ctx: &Ctx, attr: &Attr, mask: u32) -> Res<()> {
        let shift = if ctx.cred.euid == attr.uid {
            6
        } else if ctx.cred.in_group(attr.gid) {
            3
        } else {
            0
        };
        if attr.mode >> shift & mask == mask {
            return Ok(());
        }
        let dir = attr.kind == FileType::Dir;
        if (dir || mask & EXEC == 0 || attr.mode & 0o111 != 0)
            && self.inode_capable(ctx, attr, Cap::DAC_OVERRIDE)
        {
            return Ok(());
        }
        let reading = mask == READ || (dir && mask & WRITE == 0);
        if reading && self.inode_capable(ctx, attr, Cap::DAC_READ_SEARCH) {
            return Ok(());
        }
        Err(Errno::EACCES)
    }

    /// Looking something up in a directory.
    pub(crate) fn may_search(&self, ctx: &Ctx, dir: &Attr) -> Res<()> {
        if dir.kind != FileType::Dir {
            return Err(Errno::ENOTDIR);
        }
        self.may(ctx, dir, EXEC)
    }

    /// Writing through this mount at all.
    pub(crate) fn may_write_mount(&self, loc: Loc) -> Res<()> {
        match self.mounts.get(loc.mount) {
            Some(m) if m.flags.ro || m.sb_ro => Err(Errno::EROFS),
            Some(_) => Ok(()),
            None => Err(Errno::EIO),
        }
    }

    /// Adding a name to a directory.
    pub(crate) fn may_add(&self, ctx: &Ctx, dir: Loc) -> Res<()> {
        self.may_write_mount(dir)?;
        let attr = self.attr(dir.node)?;
        if attr.nlink == 0 {
            return Err(Errno::ENOENT);
        }
        self.may(ctx, &attr, WRITE | EXEC)
    }

    /// Removing the name of `victim` from a directory: the sticky bit too.
    pub(crate) fn may_delete(&self, ctx: &Ctx, dir: Loc, victim: &Attr) -> Res<()> {
        let attr = self.attr(dir.node)?;
        self.may(ctx, &attr, WRITE | EXEC)?;
        let sticky = attr.mode & 0o1000 != 0;
        let owner = ctx.cred.euid == victim.uid || ctx.cred.euid == attr.uid;
        if sticky && !owner && !self.inode_capable(ctx, victim, Cap::FOWNER) {
            return Err(Errno::EPERM);
        }
        Ok(())
    }

    /// Changing what only the owner may.
    pub(crate) fn is_owner(&self, ctx: &Ctx, attr: &Attr) -> bool {
        ctx.cred.euid == attr.uid || self.inode_capable(ctx, attr, Cap::FOWNER)
    }
}
