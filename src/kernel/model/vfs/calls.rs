//! System calls that take a path.

use super::walk::Last;
use super::{Attr, Body, Loc, New, READ, Sb, WRITE};
use crate::kernel::Errno;
use crate::kernel::model::Res;
use crate::kernel::model::cred::Cap;
use crate::kernel::model::process::Ctx;
use crate::kernel::model::world::World;
use crate::userland::{DirEntry, FileType, FsUse, Stat};

impl World {
    /// A place for a new name, as filename_create() finds it: EEXIST wins over
    /// EROFS. Whether the caller may write there is asked later.
    fn free_name<'p>(&mut self, ctx: &Ctx, path: &'p str, dir: bool) -> Res<(Loc, &'p str)> {
        let parent = self.resolve_parent(ctx, path)?;
        let Last::Name(name) = parent.last else { return Err(Errno::EEXIST) };
        if self.child(ctx, parent.dir, name)?.is_some() {
            return Err(Errno::EEXIST);
        }
        if parent.slash && !dir {
            return Err(Errno::ENOENT);
        }
        self.may_write_mount(parent.dir)?;
        Ok((parent.dir, name))
    }

    /// A place for a new name that the caller may make there.
    pub(super) fn place<'p>(&mut self, ctx: &Ctx, path: &'p str, dir: bool) -> Res<(Loc, &'p str)> {
        let (dir, name) = self.free_name(ctx, path, dir)?;
        self.may_add(ctx, dir)?;
        Ok((dir, name))
    }

    pub(super) fn create_at(&mut self, ctx: &Ctx, dir: Loc, name: &str, body: Body, mode: u32) -> Res<Loc> {
        let attr = self.attr(dir.node)?;
        let link = matches!(body, Body::Symlink(_));
        let mut mode = mode;
        // Nobody makes a set-group-id program for a group that is not theirs.
        let program = !matches!(body, Body::Dir(_)) && mode & 0o2010 == 0o2010;
        if attr.mode & 0o2000 != 0 && program && !self.in_group_or_capable(ctx, &attr) {
            mode &= !0o2000;
        }
        let mut mode = if link { 0o777 } else { mode & 0o7777 & !ctx.umask };
        let mut gid = ctx.cred.egid;
        if attr.mode & 0o2000 != 0 {
            gid = attr.gid;
            if matches!(body, Body::Dir(_)) {
                mode |= 0o2000;
            }
        }
        let new = New { body, mode, uid: ctx.cred.euid, gid, mtime: self.now_secs() };
        let node = self.make_in(dir.node, name, new)?;
        Ok(Loc { mount: dir.mount, node })
    }

    pub(crate) fn mkdir(&mut self, ctx: &Ctx, path: &str, mode: u32) -> Res<()> {
        let (dir, name) = self.place(ctx, path, true)?;
        self.create_at(ctx, dir, name, Body::Dir(Default::default()), mode & 0o1777).map(drop)
    }

    pub(crate) fn symlink(&mut self, ctx: &Ctx, target: &str, path: &str) -> Res<()> {
        if target.is_empty() {
            return Err(Errno::ENOENT);
        }
        if target.len() >= 4096 {
            return Err(Errno::ENAMETOOLONG);
        }
        let (dir, name) = self.place(ctx, path, false)?;
        self.create_at(ctx, dir, name, Body::Symlink(target.into()), 0o777).map(drop)
    }

    pub(crate) fn mknod(
        &mut self,
        ctx: &Ctx,
        path: &str,
        kind: FileType,
        mode: u32,
        dev: (u32, u32),
    ) -> Res<()> {
        let body = match kind {
            FileType::File => Body::File(Vec::new()),
            FileType::Fifo => Body::Fifo,
            FileType::Socket => Body::Socket,
            FileType::Char => Body::Char(dev.0, dev.1),
            FileType::Block => Body::Block(dev.0, dev.1),
            FileType::Dir => return Err(Errno::EPERM),
            FileType::Symlink => return Err(Errno::EINVAL),
        };
        let (dir, name) = self.place(ctx, path, false)?;
        let device = matches!(kind, FileType::Char | FileType::Block);
        if device && !(kind == FileType::Char && dev == (0, 0)) {
            if !self.capable_first(ctx, Cap::MKNOD) {
                return Err(Errno::EPERM);
            }
            let letter = if kind == FileType::Char { 'c' } else { 'b' };
            self.cgroups.may_use_device(ctx.cgroup, letter, dev, 'm')?;
        }
        self.create_at(ctx, dir, name, body, mode).map(drop)
    }

    pub(crate) fn link(&mut self, ctx: &Ctx, from: &str, to: &str) -> Res<()> {
        let old = self.resolve(ctx, from, false)?;
        let (dir, name) = self.free_name(ctx, to, false)?;
        let attr = self.attr(old.node)?;
        if old.mount != dir.mount {
            return Err(Errno::EXDEV);
        }
        self.may_link(ctx, &attr)?;
        self.may_add(ctx, dir)?;
        if attr.kind == FileType::Dir {
            return Err(Errno::EPERM);
        }
        self.link_in(old.node, dir.node, name)
    }

    pub(crate) fn unlink(&mut self, ctx: &Ctx, path: &str) -> Res<()> {
        let parent = self.resolve_parent(ctx, path)?;
        let Last::Name(name) = parent.last else { return Err(Errno::EISDIR) };
        self.may_write_mount(parent.dir)?;
        let node = self.lookup(ctx, parent.dir.node, name)?;
        let attr = self.attr(node)?;
        if parent.slash {
            return Err(if attr.kind == FileType::Dir { Errno::EISDIR } else { Errno::ENOTDIR });
        }
        self.may_delete(ctx, parent.dir, &attr)?;
        if attr.kind == FileType::Dir {
            return Err(Errno::EISDIR);
        }
        if self.mounts.is_mountpoint(Loc { mount: parent.dir.mount, node }) {
            return Err(Errno::EBUSY);
        }
        self.unlink_in(parent.dir.node, name)
    }

    pub(crate) fn rmdir(&mut self, ctx: &Ctx, path: &str) -> Res<()> {
        let parent = self.resolve_parent(ctx, path)?;
        let name = match parent.last {
            Last::Name(name) => name,
            Last::Dot => return Err(Errno::EINVAL),
            Last::DotDot => return Err(Errno::ENOTEMPTY),
            Last::Root => return Err(Errno::EBUSY),
        };
        self.may_write_mount(parent.dir)?;
        let node = self.lookup(ctx, parent.dir.node, name)?;
        let attr = self.attr(node)?;
        self.may_delete(ctx, parent.dir, &attr)?;
        if attr.kind != FileType::Dir {
            return Err(Errno::ENOTDIR);
        }
        if self.mounts.is_mountpoint(Loc { mount: parent.dir.mount, node }) {
            return Err(Errno::EBUSY);
        }
        self.rmdir_in(parent.dir.node, name)
    }

    pub(crate) fn read_link(&mut self, ctx: &Ctx, path: &str) -> Res<String> {
        let loc = self.resolve(ctx, path, false)?;
        self.read_link_of(ctx, loc.node)
    }

    pub(crate) fn read_dir(&mut self, ctx: &Ctx, path: &str) -> Res<Vec<DirEntry>> {
        let loc = self.resolve(ctx, path, true)?;
        let attr = self.attr(loc.node)?;
        if attr.kind != FileType::Dir {
            return Err(Errno::ENOTDIR);
        }
        self.may(ctx, &attr, READ)?;
        let mut entries = self.entries(ctx, loc.node)?;
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(entries.into_iter().map(|(name, kind, ino)| DirEntry { name, kind, ino }).collect())
    }

    pub(crate) fn stat_of(&self, ctx: &Ctx, loc: Loc) -> Res<Stat> {
        let attr = self.attr(loc.node)?;
        Ok(self.stat_from(ctx, loc.node.sb, loc.node.ino, &attr))
    }

    pub(crate) fn stat_from(&self, ctx: &Ctx, sb: u32, ino: u64, attr: &Attr) -> Stat {
        Stat {
            dev: u64::from(sb) + 0x20,
            ino,
            kind: attr.kind,
            mode: attr.mode,
            nlink: u64::from(attr.nlink),
            uid: self.ns.uid_in(ctx.cred.user_ns, attr.uid),
            gid: self.ns.gid_in(ctx.cred.user_ns, attr.gid),
            rdev_major: attr.rdev.0,
            rdev_minor: attr.rdev.1,
            size: attr.size,
            blocks: attr.blocks,
            mtime: attr.mtime,
        }
    }

    pub(crate) fn stat(&mut self, ctx: &Ctx, path: &str, follow: bool) -> Res<Stat> {
        let loc = self.resolve(ctx, path, follow)?;
        self.stat_of(ctx, loc)
    }

    pub(crate) fn chmod(&mut self, ctx: &Ctx, path: &str, mode: u32) -> Res<()> {
        let loc = self.resolve(ctx, path, true)?;
        self.may_write_mount(loc)?;
        let attr = self.attr(loc.node)?;
        if !self.is_owner(ctx, &attr) {
            return Err(Errno::EPERM);
        }
        let mut mode = mode & 0o7777;
        if !self.in_group_or_capable(ctx, &attr) {
            mode &= !0o2000;
        }
        self.change(loc, |inode| inode.mode = mode)
    }

    /// `u32::MAX` leaves an id as it is.
    pub(crate) fn chown(&mut self, ctx: &Ctx, path: &str, uid: u32, gid: u32, nofollow: bool) -> Res<()> {
        let loc = self.resolve(ctx, path, !nofollow)?;
        self.may_write_mount(loc)?;
        let attr = self.attr(loc.node)?;
        let (keep, asked) = (u32::MAX, (uid, gid));
        let uid = if uid == keep { attr.uid } else { self.ns.kuid(ctx.cred.user_ns, uid)? };
        let gid = if gid == keep { attr.gid } else { self.ns.kgid(ctx.cred.user_ns, gid)? };
        let owner = ctx.cred.euid == attr.uid;
        let own_user = asked.0 == keep || owner && uid == attr.uid;
        let own_group = asked.1 == keep || owner && (gid == attr.gid || ctx.cred.in_group(gid));
        if !(own_user && own_group || self.inode_capable(ctx, &attr, Cap::CHOWN)) {
            return Err(Errno::EPERM);
        }
        let drops = match attr.kind {
            FileType::Dir => 0,
            _ => attr.mode & 0o4000 | self.dropped_setgid(ctx, &attr),
        };
        if drops != 0 && !self.is_owner(ctx, &attr) {
            return Err(Errno::EPERM);
        }
        let stored = match self.fs.sb(loc.node.sb)? {
            Sb::Overlay(union) => union.stored(uid, gid)?,
            _ => (uid, gid),
        };
        self.change(loc, |inode| {
            (inode.uid, inode.gid) = stored;
            inode.mode &= !drops;
        })
    }

    pub(crate) fn set_times(&mut self, ctx: &Ctx, path: &str, mtime: Option<i64>) -> Res<()> {
        let loc = self.resolve(ctx, path, true)?;
        self.may_write_mount(loc)?;
        let attr = self.attr(loc.node)?;
        if !self.is_owner(ctx, &attr) {
            if mtime.is_some() {
                return Err(Errno::EPERM);
            }
            self.may(ctx, &attr, WRITE)?;
        }
        let time = mtime.unwrap_or_else(|| self.now_secs());
        self.change(loc, |inode| inode.mtime = time)
    }

    pub(crate) fn truncate(&mut self, ctx: &Ctx, path: &str, size: u64) -> Res<()> {
        let loc = self.resolve(ctx, path, true)?;
        let attr = self.attr(loc.node)?;
        match attr.kind {
            FileType::File => {}
            FileType::Dir => return Err(Errno::EISDIR),
            _ => return Err(Errno::EINVAL),
        }
        self.may_write_mount(loc)?;
        self.may(ctx, &attr, WRITE)?;
        self.resize(ctx, loc.node, size)?;
        if size == attr.size {
            // Unlike ftruncate(2) and O_TRUNC it then leaves the time alone.
            let (tree, ino) = self.real_mut(loc.node, true)?;
            tree.get_mut(ino)?.mtime = attr.mtime;
        }
        Ok(())
    }

    pub(crate) fn fs_use(&mut self, ctx: &Ctx, path: &str) -> Res<FsUse> {
        let loc = self.resolve(ctx, path, true)?;
        match self.real(loc.node) {
            Ok((tree, _)) => Ok(FsUse { total: tree.limit, free: tree.limit.saturating_sub(tree.bytes) }),
            Err(_) => Ok(FsUse { total: 0, free: 0 }),
        }
    }

    pub(crate) fn get_cwd(&self, ctx: &Ctx) -> Res<String> {
        if self.is_gone(ctx.cwd.node)? {
            return Err(Errno::ENOENT);
        }
        self.path_from(ctx.root, ctx.cwd).ok_or(Errno::ENOENT)
    }
}
