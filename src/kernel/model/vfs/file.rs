//! Open file descriptions: reading and writing through them, and the end of each. A call that would block says so and changes nothing.

use std::collections::VecDeque;

use super::{Loc, Node};
use crate::kernel::Errno;
use crate::kernel::model::kernel::Stream;
use crate::kernel::model::process::Ctx;
use crate::kernel::model::world::World;
use crate::kernel::model::{Res, cgroup, net, procfs};
use crate::userland::OpenFlags;

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
        if let Some(loc) = loc {
            self.hold(loc.node);
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
        if let Some(loc) = file.loc {
            self.release(loc.node);
        }
        match file.kind {
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
                if bytes.is_empty() {
                    return Ok(Some(0));
                }
                let drops = self.dropped_by_write(ctx, &self.attr(node)?);
                let (tree, ino) = self.real_mut(node, true)?;
                tree.write(ino, at, bytes, now)?;
                tree.get_mut(ino)?.mode &= !drops;
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
        let drops = self.dropped_by_write(ctx, &self.attr(node)?);
        let (tree, ino) = self.real_mut(node, size > 0)?;
        tree.truncate(ino, size, now)?;
        tree.get_mut(ino)?.mode &= !drops;
        Ok(())
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
