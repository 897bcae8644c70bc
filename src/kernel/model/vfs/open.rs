//! open(2): finding or making the file, whether the caller may, and what kind of
//! open file it becomes. In the order of the kernel's `open_last_lookups` and
//! `do_open`, so that of two errors the same one is told.

use super::walk::Last;
use super::{Attr, Body, Loc, Node, OpenId, OpenKind, READ, WRITE};
use crate::kernel::Errno;
use crate::kernel::model::process::Ctx;
use crate::kernel::model::world::World;
use crate::kernel::model::{Res, cgroup, procfs};
use crate::userland::{FileType, OpenFlags};

impl World {
    pub(crate) fn open(&mut self, ctx: &Ctx, path: &str, flags: OpenFlags, mode: u32) -> Res<OpenId> {
        if flags.create && flags.directory {
            return Err(Errno::EINVAL);
        }
        let mut links = 0;
        self.open_at(ctx, path, flags, mode, &mut links)
    }

    fn open_at(
        &mut self,
        ctx: &Ctx,
        path: &str,
        flags: OpenFlags,
        mode: u32,
        links: &mut u32,
    ) -> Res<OpenId> {
        if !flags.create {
            let loc = self.resolve(ctx, path, !flags.nofollow)?;
            if let Some((pid, fd)) = procfs::fd_link(loc.node, self) {
                return self.reopen(pid, fd);
            }
            return self.open_found(ctx, loc, flags);
        }
        let parent = self.resolve_parent(ctx, path)?;
        let name = match parent.last {
            Last::Name(_) if parent.slash => return Err(Errno::EISDIR),
            Last::Name(name) => name,
            _ if flags.exclusive => return Err(Errno::EEXIST),
            _ => return Err(Errno::EISDIR),
        };
        let Some(loc) = self.child(ctx, parent.dir, name)? else {
            self.may_add(ctx, parent.dir)?;
            let loc = self.create_at(ctx, parent.dir, name, Body::File(Vec::new()), mode)?;
            return self.describe(ctx, loc, flags);
        };
        if flags.exclusive {
            return Err(Errno::EEXIST);
        }
        let attr = self.attr(loc.node)?;
        if attr.kind == FileType::Symlink && !flags.nofollow {
            *links += 1;
            if *links > 40 {
                return Err(Errno::ELOOP);
            }
            if let Some((pid, fd)) = procfs::fd_link(loc.node, self) {
                return self.reopen(pid, fd);
            }
            self.may_follow(ctx, &self.attr(parent.dir.node)?, &attr)?;
            let target = self.read_link_of(ctx, loc.node)?;
            let there = Ctx { cwd: parent.dir, ..ctx.clone() };
            return self.open_at(&there, &target, flags, mode, links);
        }
        self.may_create_again(ctx, &self.attr(parent.dir.node)?, &attr)?;
        self.open_found(ctx, loc, flags)
    }

    fn open_found(&mut self, ctx: &Ctx, loc: Loc, flags: OpenFlags) -> Res<OpenId> {
        let attr = self.attr(loc.node)?;
        self.may_open(ctx, loc, &attr, flags)?;
        let cuts = flags.truncate && attr.kind == FileType::File;
        if cuts {
            self.resize(ctx, loc.node, 0)?;
        }
        self.describe(ctx, loc, flags)
    }

    /// A second description of what `/proc/PID/fd/N` stands for. Simplified: it
    /// shares the first one's offset.
    fn reopen(&mut self, pid: super::super::process::Gpid, fd: i32) -> Res<OpenId> {
        let id = self.procs.get(&pid).and_then(|p| p.fds.get(&fd)).map(|f| f.open).ok_or(Errno::ENOENT)?;
        self.open_file_mut(id)?.refs += 1;
        Ok(id)
    }

    fn may_open(&mut self, ctx: &Ctx, loc: Loc, attr: &Attr, flags: OpenFlags) -> Res<()> {
        let writes = flags.write || flags.truncate;
        let device = matches!(attr.kind, FileType::Char | FileType::Block);
        if attr.kind == FileType::Dir && flags.create {
            return Err(Errno::EISDIR);
        }
        if attr.kind != FileType::Dir && flags.directory {
            return Err(Errno::ENOTDIR);
        }
        if flags.truncate && attr.kind == FileType::File {
            self.may_write_mount(loc)?;
        }
        match attr.kind {
            FileType::Symlink => return Err(Errno::ELOOP),
            FileType::Dir if writes => return Err(Errno::EISDIR),
            _ if device && self.mounts.get(loc.mount).is_some_and(|m| m.flags.nodev) => {
                return Err(Errno::EACCES);
            }
            _ => {}
        }
        if writes && attr.kind == FileType::File {
            self.may_write_mount(loc)?;
        }
        let mask = if flags.read { READ } else { 0 } | if writes { WRITE } else { 0 };
        self.may(ctx, attr, mask)?;
        if device {
            let letter = if attr.kind == FileType::Char { 'c' } else { 'b' };
            for (wanted, access) in [(flags.read, 'r'), (flags.write, 'w')] {
                if wanted {
                    self.cgroups.may_use_device(ctx.cgroup, letter, attr.rdev, access)?;
                }
            }
        }
        Ok(())
    }

    fn describe(&mut self, ctx: &Ctx, loc: Loc, flags: OpenFlags) -> Res<OpenId> {
        let attr = self.attr(loc.node)?;
        let kind = match attr.kind {
            FileType::Char => match attr.rdev {
                (1, 3) => OpenKind::Null,
                (1, 5) => OpenKind::Zero,
                (1, 7) => OpenKind::Full,
                (1, 8 | 9) => OpenKind::Random,
                (5, 0 | 1) | (136, _) if self.console_tty => OpenKind::Tty,
                (5, 0) => return Err(Errno::ENXIO),
                _ => return Err(Errno::ENXIO),
            },
            FileType::Block | FileType::Socket => return Err(Errno::ENXIO),
            FileType::Fifo => return Ok(self.open_fifo(loc, flags)),
            FileType::File if procfs::is_generated(self, loc.node) => {
                OpenKind::Snapshot(loc.node, self.generate(ctx, loc.node)?)
            }
            _ => {
                if flags.write {
                    // Copy-up happens at open(2), not at the first write.
                    self.real_mut(loc.node, !flags.truncate)?;
                }
                OpenKind::Node(loc.node)
            }
        };
        Ok(self.add_open(kind, Some(loc), flags))
    }

    fn generate(&mut self, ctx: &Ctx, node: Node) -> Res<Vec<u8>> {
        match self.fs.sb(node.sb)? {
            super::Sb::Proc(ns) => procfs::content(self, *ns, node.ino, ctx),
            super::Sb::Cgroup(root) => cgroup::content(self, *root, node.ino, ctx),
            _ => Err(Errno::EIO),
        }
    }

    fn open_fifo(&mut self, loc: Loc, flags: OpenFlags) -> OpenId {
        let known = self.fifos.iter().find(|(n, _)| *n == loc.node).map(|(_, p)| *p);
        let pipe = known.unwrap_or_else(|| {
            let pipe = self.add_pipe();
            self.fifos.push((loc.node, pipe));
            pipe
        });
        let kind = if flags.write { OpenKind::PipeWrite(pipe) } else { OpenKind::PipeRead(pipe) };
        self.add_open(kind, Some(loc), flags)
    }
}
