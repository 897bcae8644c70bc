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
        self.granted(cap, ctx.cred.has(cap) && self.ns.maps_ids(ctx.cred.user_ns, attr.uid, attr.gid))
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
        // In the kernel's order: a refusal names what was asked for last.
        let reading = mask == READ || (dir && mask & WRITE == 0);
        if reading && self.inode_capable(ctx, attr, Cap::DAC_READ_SEARCH) {
            return Ok(());
        }
        if (dir || mask & EXEC == 0 || attr.mode & 0o111 != 0)
            && self.inode_capable(ctx, attr, Cap::DAC_OVERRIDE)
        {
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
        if self.is_gone(dir.node)? {
            return Err(Errno::ENOENT);
        }
        self.may(ctx, &self.attr(dir.node)?, WRITE | EXEC)
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

    /// The caller may keep or give a file of this group the set-group-id bit.
    pub(crate) fn in_group_or_capable(&self, ctx: &Ctx, attr: &Attr) -> bool {
        ctx.cred.in_group(attr.gid) || self.inode_capable(ctx, attr, Cap::FSETID)
    }

    /// The set-group-id bit, where a change of owner or contents takes it away.
    /// Without the group's x bit it once meant locking.
    pub(crate) fn dropped_setgid(&self, ctx: &Ctx, attr: &Attr) -> u32 {
        let drops = attr.mode & 0o010 != 0 || !self.in_group_or_capable(ctx, attr);
        if drops { attr.mode & 0o2000 } else { 0 }
    }

    /// Mode bits that a write or a truncation takes away.
    pub(crate) fn dropped_by_write(&self, ctx: &Ctx, attr: &Attr) -> u32 {
        if attr.kind != FileType::File || attr.mode & 0o6000 == 0 || self.capable_first(ctx, Cap::FSETID) {
            return 0;
        }
        attr.mode & 0o4000 | self.dropped_setgid(ctx, attr)
    }

    /// A second name for somebody else's file: only for one that could be written
    /// anyway (`fs.protected_hardlinks`, proc_sys_fs(5)).
    pub(crate) fn may_link(&self, ctx: &Ctx, attr: &Attr) -> Res<()> {
        let gains = attr.mode & 0o4000 != 0 || attr.mode & 0o2010 == 0o2010;
        let plain = attr.kind == FileType::File && !gains && self.may(ctx, attr, READ | WRITE).is_ok();
        if plain || self.sysctl("fs/protected_hardlinks") == 0 || self.is_owner(ctx, attr) {
            Ok(())
        } else {
            Err(Errno::EPERM)
        }
    }

    /// Following a symbolic link out of a directory like `/tmp`: only one's own, or
    /// the directory's owner's (`fs.protected_symlinks`).
    pub(crate) fn may_follow(&self, ctx: &Ctx, dir: &Attr, link: &Attr) -> Res<()> {
        let allowed = ctx.cred.euid == link.uid || dir.uid == link.uid || dir.mode & 0o1002 != 0o1002;
        if allowed || self.sysctl("fs/protected_symlinks") == 0 { Ok(()) } else { Err(Errno::EACCES) }
    }

    /// open(2) with O_CREAT of what is there already, in a directory like `/tmp`
    /// (`fs.protected_regular`, `fs.protected_fifos`).
    pub(crate) fn may_create_again(&self, ctx: &Ctx, dir: &Attr, there: &Attr) -> Res<()> {
        if dir.mode & 0o1000 == 0 || there.uid == dir.uid || there.uid == ctx.cred.euid {
            return Ok(());
        }
        let level = match there.kind {
            FileType::File => self.sysctl("fs/protected_regular"),
            FileType::Fifo => self.sysctl("fs/protected_fifos"),
            // EISDIR comes first.
            FileType::Dir | FileType::Symlink => 0,
            // Whatever these settings say: may_create_in_sticky() of the kernel.
            FileType::Socket | FileType::Char | FileType::Block => 1,
        };
        let refused = level >= 1 && dir.mode & 0o002 != 0 || level >= 2 && dir.mode & 0o020 != 0;
        if refused { Err(Errno::EACCES) } else { Ok(()) }
    }

    /// Changing what only the owner may.
    pub(crate) fn is_owner(&self, ctx: &Ctx, attr: &Attr) -> bool {
        ctx.cred.euid == attr.uid || self.inode_capable(ctx, attr, Cap::FOWNER)
    }
}
