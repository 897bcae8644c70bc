//! Open file descriptions: what open(2) makes, and reading and writing through
//! them. A call that would block says so and changes nothing.

use std::collections::VecDeque;

use super::walk::Last;
use super::{Attr, Body, Loc, Node, READ, WRITE};
use crate::kernel::Errno;
use crate::kernel::model::cred::Cap;
use crate::kernel::model::kernel::Stream;
use crate::kernel::model::process::Ctx;
use crate::kernel::model::world::World;
use crate::kernel::model::{Res, cgroup, net, procfs};
use crate::userland::{FileType, OpenFlags};

pub(crate) type OpenId = usize;
pub(crate) type PipeId = usize;

/// Bytes that a pipe holds, pipe(7).
const PIPE_SIZE: usize = 65536;
/// The most that one read returns, so that a huge count costs nothing.
const MAX_READ: usize = 1 << 24;

#[derive(Debug)]
pub(crate) enum OpenKind {
    /// A file or directory.
    Node(Node),
    /// A generated file, as it was when it was opened.
    Snapshot(Node, Vec<u8>),
    PipeRead(PipeId),
    PipeWrite(PipeId),
    Null,
    Zero,
    Full,
    Random,
    /// The container's standard input, when it is connected or not.
    HostIn,
    HostOut(Stream),
    Tty,
    Listener(net::ListenerId),
    Conn(net::ConnId, net::Side),
}

#[derive(Debug)]
pub(crate) struct OpenFile {
    pub kind: OpenKind,
    pub loc: Option<Loc>,
    pub offset: u64,
    pub flags: OpenFlags,
    pub refs: u32,
}

#[derive(Debug, Default)]
pub(crate) struct Pipe {
    pub data: VecDeque<u8>,
    pub readers: u32,
    pub writers: u32,
    /// How often the ends were opened: a fifo's open(2) waits for the other one.
    pub reader_opens: u64,
    pub writer_opens: u64,
}

/// What a read gave.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ReadOutcome {
    Data(Vec<u8>),
    Block,
}

impl World {
    pub(crate) fn open(&mut self, ctx: &Ctx, path: &str, flags: OpenFlags, mode: u32) -> Res<OpenId> {
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
        let loc = if flags.create {
            let parent = self.resolve_parent(ctx, path)?;
            let name = match parent.last {
                Last::Name(name) if !parent.slash => name,
                _ => return Err(Errno::EISDIR),
            };
            match self.child(ctx, parent.dir, name)? {
                None => {
                    self.may_add(ctx, parent.dir)?;
                    let loc = self.create_at(ctx, parent.dir, name, Body::File(Vec::new()), mode)?;
                    return self.describe(ctx, loc, flags);
                }
                Some(_) if flags.exclusive => return Err(Errno::EEXIST),
                Some(loc) if self.kind(loc.node)? == FileType::Symlink && !flags.nofollow => {
                    *links += 1;
                    if *links > 40 {
                        return Err(Errno::ELOOP);
                    }
                    if let Some((pid, fd)) = procfs::fd_link(loc.node, self) {
                        return self.reopen(pid, fd);
                    }
                    let target = self.read_link_of(ctx, loc.node)?;
                    let there = Ctx { cwd: parent.dir, ..ctx.clone() };
                    return self.open_at(&there, &target, flags, mode, links);
                }
                Some(loc) => loc,
            }
        } else {
            let loc = self.resolve(ctx, path, !flags.nofollow)?;
            if let Some((pid, fd)) = procfs::fd_link(loc.node, self) {
                return self.reopen(pid, fd);
            }
            loc
        };
        let attr = self.attr(loc.node)?;
        self.may_open(ctx, loc, &attr, flags)?;
        if flags.truncate && flags.write && attr.kind == FileType::File {
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
        match attr.kind {
            FileType::Symlink => return Err(Errno::ELOOP),
            FileType::Dir if writes || flags.create => return Err(Errno::EISDIR),
            FileType::Dir => {}
            _ if flags.directory => return Err(Errno::ENOTDIR),
            FileType::Char | FileType::Block if self.mounts.get(loc.mount).is_some_and(|m| m.flags.nodev) => {
                return Err(Errno::EACCES);
            }
            _ => {}
        }
        if writes && attr.kind == FileType::File {
            self.may_write_mount(loc)?;
        }
        let mut mask = 0;
        if flags.read {
            mask |= READ;
        }
        if writes {
            mask |= WRITE;
        }
        self.may(ctx, attr, mask)?;
        if matches!(attr.kind, FileType::Char | FileType::Block) {
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
                self.hold(loc.node);
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

    pub(crate) fn add_pipe(&mut self) -> PipeId {
        match self.pipes.iter().position(Option::is_none) {
            Some(at) => {
                self.pipes[at] = Some(Pipe::default());
                at
            }
            None => {
                self.pipes.push(Some(Pipe::default()));
                self.pipes.len() - 1
            }
        }
    }

    pub(crate) fn pipe_mut(&mut self, id: PipeId) -> Res<&mut Pipe> {
        self.pipes.get_mut(id).and_then(Option::as_mut).ok_or(Errno::EIO)
    }

    /// A new description with one reference.
    pub(crate) fn add_open(&mut self, kind: OpenKind, loc: Option<Loc>, flags: OpenFlags) -> OpenId {
        match kind {
            OpenKind::PipeRead(p) => {
                if let Ok(pipe) = self.pipe_mut(p) {
                    pipe.readers += 1;
                    pipe.reader_opens += 1;
                }
            }
            OpenKind::PipeWrite(p) => {
                if let Ok(pipe) = self.pipe_mut(p) {
                    pipe.writers += 1;
                    pipe.writer_opens += 1;
                }
            }
            _ => {}
        }
        let file = OpenFile { kind, loc, offset: 0, flags, refs: 1 };
        match self.free_opens.pop() {
            Some(id) => {
                self.opens[id] = Some(file);
                id
            }
            None => {
                self.opens.push(Some(file));
                self.opens.len() - 1
            }
        }
    }

    pub(crate) fn open_file(&self, id: OpenId) -> Res<&OpenFile> {
        self.opens.get(id).and_then(Option::as_ref).ok_or(Errno::EBADF)
    }

    pub(crate) fn open_file_mut(&mut self, id: OpenId) -> Res<&mut OpenFile> {
        self.opens.get_mut(id).and_then(Option::as_mut).ok_or(Errno::EBADF)
    }

    /// One reference less; the last one closes.
    pub(crate) fn drop_open(&mut self, id: OpenId) {
        let Ok(file) = self.open_file_mut(id) else { return };
        file.refs = file.refs.saturating_sub(1);
        if file.refs > 0 {
            return;
        }
        let Some(file) = self.opens.get_mut(id).and_then(Option::take) else { return };
        self.free_opens.push(id);
        match file.kind {
            OpenKind::Node(node) => self.release(node),
            OpenKind::PipeRead(p) | OpenKind::PipeWrite(p) => {
                let reads = matches!(file.kind, OpenKind::PipeRead(_));
                let Ok(pipe) = self.pipe_mut(p) else { return };
                let end = if reads { &mut pipe.readers } else { &mut pipe.writers };
                *end = end.saturating_sub(1);
                if pipe.readers == 0 && pipe.writers == 0 {
                    self.pipes[p] = None;
                    self.fifos.retain(|(_, pipe)| *pipe != p);
                }
            }
            OpenKind::Listener(l) => self.net.close_listener(l),
            OpenKind::Conn(c, side) => self.net.close_conn(c, side),
            _ => {}
        }
    }

    pub(crate) fn read_open(&mut self, ctx: &Ctx, id: OpenId, max: usize) -> Res<ReadOutcome> {
        let max = max.min(MAX_READ);
        let file = self.open_file(id)?;
        if !file.flags.read {
            return Err(Errno::EBADF);
        }
        let offset = file.offset;
        let data = match &file.kind {
            OpenKind::Node(node) => {
                let (tree, ino) = self.real(*node)?;
                tree.read(ino, offset, max)?
            }
            OpenKind::Snapshot(_, data) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX).min(data.len());
                data[start..start.saturating_add(max).min(data.len())].to_vec()
            }
            OpenKind::PipeRead(p) => {
                let pipe = self.pipe_mut(*p)?;
                if pipe.data.is_empty() && pipe.writers > 0 && max > 0 {
                    return Ok(ReadOutcome::Block);
                }
                let count = max.min(pipe.data.len());
                return Ok(ReadOutcome::Data(pipe.data.drain(..count).collect()));
            }
            OpenKind::Null => Vec::new(),
            OpenKind::Zero | OpenKind::Full => vec![0; max],
            OpenKind::Random => {
                let mut data = Vec::with_capacity(max);
                while data.len() < max {
                    let word = self.random().to_le_bytes();
                    data.extend_from_slice(&word[..word.len().min(max - data.len())]);
                }
                data
            }
            OpenKind::HostIn => return Ok(self.read_host(max)),
            OpenKind::Tty => return Ok(self.read_tty(max)),
            OpenKind::Conn(c, side) => {
                let (c, side) = (*c, *side);
                return self.net.read(c, side, max);
            }
            OpenKind::Listener(_) => return Err(Errno::ENOTCONN),
            OpenKind::PipeWrite(_) | OpenKind::HostOut(_) => return Err(Errno::EBADF),
        };
        self.charge_read(ctx, data.len())?;
        self.open_file_mut(id)?.offset = offset.saturating_add(data.len() as u64);
        Ok(ReadOutcome::Data(data))
    }

    /// How many bytes were taken; `None` when it would block.
    pub(crate) fn write_open(&mut self, ctx: &Ctx, id: OpenId, bytes: &[u8]) -> Res<Option<usize>> {
        let file = self.open_file(id)?;
        if !file.flags.write {
            return Err(Errno::EBADF);
        }
        let (offset, append) = (file.offset, file.flags.append);
        match &file.kind {
            OpenKind::Node(node) => {
                let node = *node;
                let at = if append { self.attr(node)?.size } else { offset };
                let end = at.checked_add(bytes.len() as u64).ok_or(Errno::EFBIG)?;
                self.charge_growth(ctx, node, end)?;
                let now = self.now_secs();
                let keeps = ctx.cred.has(Cap::FSETID);
                let (tree, ino) = self.real_mut(node, true)?;
                tree.write(ino, at, bytes, now)?;
                if !keeps {
                    tree.get_mut(ino)?.mode &= !0o6000;
                }
                self.open_file_mut(id)?.offset = end;
                Ok(Some(bytes.len()))
            }
            OpenKind::Snapshot(node, _) => {
                let node = *node;
                match self.fs.sb(node.sb)? {
                    super::Sb::Proc(ns) => procfs::write(self, *ns, node.ino, ctx, bytes)?,
                    super::Sb::Cgroup(root) => cgroup::write(self, *root, node.ino, ctx, bytes)?,
                    _ => return Err(Errno::EIO),
                }
                Ok(Some(bytes.len()))
            }
            OpenKind::PipeWrite(p) => {
                let pipe = self.pipe_mut(*p)?;
                if pipe.readers == 0 {
                    return Err(Errno::EPIPE);
                }
                let room = PIPE_SIZE.saturating_sub(pipe.data.len());
                if room == 0 && !bytes.is_empty() {
                    return Ok(None);
                }
                let count = room.min(bytes.len());
                pipe.data.extend(&bytes[..count]);
                Ok(Some(count))
            }
            OpenKind::Full => Err(Errno::ENOSPC),
            OpenKind::Null | OpenKind::Zero | OpenKind::Random => Ok(Some(bytes.len())),
            OpenKind::HostOut(stream) => {
                let stream = *stream;
                if self.out_closed[stream as usize] {
                    return Err(Errno::EPIPE);
                }
                if self.out_full() {
                    return Ok(None);
                }
                self.out.push((stream, bytes.to_vec()));
                Ok(Some(bytes.len()))
            }
            OpenKind::Tty if self.out_full() => Ok(None),
            OpenKind::Tty => {
                self.write_tty(bytes);
                Ok(Some(bytes.len()))
            }
            OpenKind::Conn(c, side) => {
                let (c, side) = (*c, *side);
                self.net.write(c, side, bytes)
            }
            OpenKind::Listener(_) => Err(Errno::ENOTCONN),
            OpenKind::HostIn | OpenKind::PipeRead(_) => Err(Errno::EBADF),
        }
    }

    pub(crate) fn seek_open(&mut self, id: OpenId, to: u64) -> Res<()> {
        let file = self.open_file_mut(id)?;
        match file.kind {
            OpenKind::Node(_) | OpenKind::Snapshot(..) if to <= i64::MAX as u64 => file.offset = to,
            OpenKind::Node(_) | OpenKind::Snapshot(..) => return Err(Errno::EINVAL),
            OpenKind::Null | OpenKind::Zero | OpenKind::Full | OpenKind::Random => {}
            _ => return Err(Errno::ESPIPE),
        }
        Ok(())
    }

    /// Truncates or extends a file's data, with accounting.
    pub(crate) fn resize(&mut self, ctx: &Ctx, node: Node, size: u64) -> Res<()> {
        if procfs::is_generated(self, node) {
            return Ok(());
        }
        self.charge_growth(ctx, node, size)?;
        let now = self.now_secs();
        let (tree, ino) = self.real_mut(node, size > 0)?;
        tree.truncate(ino, size, now)
    }

    /// Whether a read would not block.
    pub(crate) fn readable(&mut self, id: OpenId) -> Res<bool> {
        Ok(match &self.open_file(id)?.kind {
            OpenKind::PipeRead(p) => {
                let pipe = self.pipe_mut(*p)?;
                !pipe.data.is_empty() || pipe.writers == 0
            }
            OpenKind::HostIn | OpenKind::Tty => self.input_ready(),
            OpenKind::Conn(c, side) => self.net.readable(*c, *side),
            OpenKind::Listener(l) => self.net.pending(*l),
            _ => true,
        })
    }
}
