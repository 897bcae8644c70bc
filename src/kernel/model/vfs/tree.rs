//! A tree of inodes in memory: what a disk, a tmpfs or an overlay layer is made
//! of. No permission is checked here.

use std::collections::BTreeMap;

use super::Attr;
use crate::kernel::Errno;
use crate::kernel::model::Res;
use crate::userland::FileType;

/// Number of an inode within its tree.
pub(crate) type Ino = u64;

/// The largest file, bytes: far above any limit of a tree, below overflow.
const MAX_FILE: u64 = 1 << 42;

/// What an inode holds.
#[derive(Debug, Clone)]
pub(crate) enum Body {
    File(Vec<u8>),
    Dir(BTreeMap<Box<str>, Ino>),
    Symlink(Box<str>),
    Char(u32, u32),
    Block(u32, u32),
    Fifo,
    Socket,
}

impl Body {
    pub fn kind(&self) -> FileType {
        match self {
            Body::File(_) => FileType::File,
            Body::Dir(_) => FileType::Dir,
            Body::Symlink(_) => FileType::Symlink,
            Body::Char(..) => FileType::Char,
            Body::Block(..) => FileType::Block,
            Body::Fifo => FileType::Fifo,
            Body::Socket => FileType::Socket,
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Inode {
    pub body: Body,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub nlink: u32,
    pub mtime: i64,
    /// Of a directory: where `..` leads. The root is its own parent.
    pub parent: Ino,
    /// Open file descriptions that keep it alive without a name.
    pub opens: u32,
    pub xattrs: Option<BTreeMap<String, Vec<u8>>>,
}

/// What a new inode is to be.
#[derive(Debug, Clone)]
pub(crate) struct New {
    pub body: Body,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub mtime: i64,
}

/// A file system of plain inodes.
#[derive(Debug)]
pub(crate) struct Tree {
    inodes: Vec<Option<Inode>>,
    free: Vec<Ino>,
    /// Bytes of all files.
    pub bytes: u64,
    /// Bytes that fit.
    pub limit: u64,
    /// The cgroup whose memory its pages are: that of the first writer.
    pub charged: Option<u32>,
    /// Bytes of files are memory.
    pub in_memory: bool,
    /// Directories take blocks.
    on_disk: bool,
}

/// The root directory of every tree.
pub(crate) const ROOT: Ino = 1;

impl Tree {
    pub fn new(fstype: &'static str, mode: u32, limit: u64, now: i64) -> Tree {
        let root = Inode {
            body: Body::Dir(BTreeMap::new()),
            mode,
            uid: 0,
            gid: 0,
            nlink: 2,
            mtime: now,
            parent: ROOT,
            opens: 0,
            xattrs: None,
        };
        Tree {
            inodes: vec![None, Some(root)],
            free: Vec::new(),
            bytes: 0,
            limit,
            charged: None,
            in_memory: fstype == "tmpfs",
            on_disk: fstype == "ext4",
        }
    }

    pub fn get(&self, ino: Ino) -> Res<&Inode> {
        self.inodes.get(ino as usize).and_then(Option::as_ref).ok_or(Errno::EIO)
    }

    pub fn get_mut(&mut self, ino: Ino) -> Res<&mut Inode> {
        self.inodes.get_mut(ino as usize).and_then(Option::as_mut).ok_or(Errno::EIO)
    }

    pub fn dir(&self, ino: Ino) -> Res<&BTreeMap<Box<str>, Ino>> {
        match &self.get(ino)?.body {
            Body::Dir(map) => Ok(map),
            _ => Err(Errno::ENOTDIR),
        }
    }

    fn dir_mut(&mut self, ino: Ino) -> Res<&mut BTreeMap<Box<str>, Ino>> {
        match &mut self.get_mut(ino)?.body {
            Body::Dir(map) => Ok(map),
            _ => Err(Errno::ENOTDIR),
        }
    }

    pub fn lookup(&self, dir: Ino, name: &str) -> Res<Ino> {
        self.dir(dir)?.get(name).copied().ok_or(Errno::ENOENT)
    }

    pub fn attr(&self, ino: Ino) -> Res<Attr> {
        let inode = self.get(ino)?;
        let (size, rdev) = match &inode.body {
            Body::File(data) => (data.len() as u64, (0, 0)),
            Body::Dir(map) if self.on_disk => (4096.max(map.len() as u64 * 32), (0, 0)),
            // As tmpfs counts them, 20 bytes to an entry; others have no size.
            Body::Dir(map) if self.in_memory => (40 + 20 * map.len() as u64, (0, 0)),
            Body::Dir(_) => (0, (0, 0)),
            Body::Symlink(text) => (text.len() as u64, (0, 0)),
            Body::Char(a, b) | Body::Block(a, b) => (0, (*a, *b)),
            Body::Fifo | Body::Socket => (0, (0, 0)),
        };
        Ok(Attr {
            blocks: match inode.body {
                Body::File(_) => size.div_ceil(4096) * 8,
                Body::Dir(_) if self.on_disk => size.div_ceil(4096) * 8,
                _ => 0,
            },
            kind: inode.body.kind(),
            mode: inode.mode,
            uid: inode.uid,
            gid: inode.gid,
            nlink: inode.nlink,
            rdev,
            size,
            mtime: inode.mtime,
        })
    }

    /// A new inode under a name that is free.
    pub fn make(&mut self, dir: Ino, name: &str, new: New) -> Res<Ino> {
        let parent = self.get(dir)?;
        if parent.nlink == 0 {
            return Err(Errno::ENOENT);
        }
        if self.dir(dir)?.contains_key(name) {
            return Err(Errno::EEXIST);
        }
        let is_dir = matches!(new.body, Body::Dir(_));
        let size = if let Body::File(data) = &new.body { data.len() as u64 } else { 0 };
        if self.bytes.saturating_add(size) > self.limit {
            return Err(Errno::ENOSPC);
        }
        self.bytes += size;
        let mtime = new.mtime;
        let inode = Inode {
            nlink: if is_dir { 2 } else { 1 },
            body: new.body,
            mode: new.mode & 0o7777,
            uid: new.uid,
            gid: new.gid,
            mtime,
            parent: dir,
            opens: 0,
            xattrs: None,
        };
        let ino = match self.free.pop() {
            Some(ino) => {
                self.inodes[ino as usize] = Some(inode);
                ino
            }
            None => {
                self.inodes.push(Some(inode));
                self.inodes.len() as Ino - 1
            }
        };
        self.dir_mut(dir)?.insert(name.into(), ino);
        let parent = self.get_mut(dir)?;
        parent.mtime = mtime;
        if is_dir {
            parent.nlink += 1;
        }
        Ok(ino)
    }

    /// One more name for a file.
    pub fn link(&mut self, ino: Ino, dir: Ino, name: &str, now: i64) -> Res<()> {
        if self.get(dir)?.nlink == 0 {
            return Err(Errno::ENOENT);
        }
        if self.dir(dir)?.contains_key(name) {
            return Err(Errno::EEXIST);
        }
        let inode = self.get_mut(ino)?;
        if matches!(inode.body, Body::Dir(_)) {
            return Err(Errno::EPERM);
        }
        if inode.nlink == 0 {
            return Err(Errno::ENOENT);
        }
        inode.nlink += 1;
        self.dir_mut(dir)?.insert(name.into(), ino);
        self.get_mut(dir)?.mtime = now;
        Ok(())
    }

    /// Removes a name that is no directory's.
    pub fn unlink(&mut self, dir: Ino, name: &str, now: i64) -> Res<()> {
        let ino = self.lookup(dir, name)?;
        if matches!(self.get(ino)?.body, Body::Dir(_)) {
            return Err(Errno::EISDIR);
        }
        self.dir_mut(dir)?.remove(name);
        self.get_mut(dir)?.mtime = now;
        let inode = self.get_mut(ino)?;
        inode.nlink = inode.nlink.saturating_sub(1);
        self.reap(ino);
        Ok(())
    }

    /// Removes an empty directory.
    pub fn rmdir(&mut self, dir: Ino, name: &str, now: i64) -> Res<()> {
        let ino = self.lookup(dir, name)?;
        if !self.dir(ino)?.is_empty() {
            return Err(Errno::ENOTEMPTY);
        }
        self.dir_mut(dir)?.remove(name);
        let parent = self.get_mut(dir)?;
        parent.mtime = now;
        parent.nlink = parent.nlink.saturating_sub(1);
        self.get_mut(ino)?.nlink = 0;
        self.reap(ino);
        Ok(())
    }

    /// Removes a name and all below it, whatever it is.
    pub fn remove_all(&mut self, dir: Ino, name: &str, now: i64) -> Res<()> {
        let ino = self.lookup(dir, name)?;
        // A stack of our own: a deep tree must not exhaust the real one.
        let mut stack = vec![(dir, Box::<str>::from(name), ino, false)];
        while let Some((dir, name, ino, emptied)) = stack.pop() {
            match &self.get(ino)?.body {
                Body::Dir(map) if !emptied => {
                    let below: Vec<_> = map.iter().map(|(n, i)| (ino, n.clone(), *i, false)).collect();
                    stack.push((dir, name, ino, true));
                    stack.extend(below);
                }
                Body::Dir(_) => self.rmdir(dir, &name, now)?,
                _ => self.unlink(dir, &name, now)?,
            }
        }
        Ok(())
    }

    /// Moves a name, replacing what stands at the new one. The caller has
    /// checked the types and that no directory moves below itself.
    pub fn rename(&mut self, from: Ino, old: &str, to: Ino, new: &str, now: i64) -> Res<()> {
        let ino = self.lookup(from, old)?;
        if self.get(to)?.nlink == 0 {
            return Err(Errno::ENOENT);
        }
        match self.lookup(to, new) {
            Ok(there) if there == ino => return Ok(()),
            Ok(there) => {
                if matches!(self.get(there)?.body, Body::Dir(_)) {
                    self.rmdir(to, new, now)?;
                } else {
                    self.unlink(to, new, now)?;
                }
            }
            Err(Errno::ENOENT) => {}
            Err(e) => return Err(e),
        }
        self.dir_mut(from)?.remove(old);
        self.dir_mut(to)?.insert(new.into(), ino);
        let inode = self.get_mut(ino)?;
        let moved_dir = matches!(inode.body, Body::Dir(_)) && from != to;
        if moved_dir {
            inode.parent = to;
        }
        let source = self.get_mut(from)?;
        source.mtime = now;
        if moved_dir {
            source.nlink = source.nlink.saturating_sub(1);
        }
        let target = self.get_mut(to)?;
        target.mtime = now;
        if moved_dir {
            target.nlink += 1;
        }
        Ok(())
    }

    /// At most `max` bytes from `offset`.
    pub fn read(&self, ino: Ino, offset: u64, max: usize) -> Res<Vec<u8>> {
        match &self.get(ino)?.body {
            Body::File(data) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX).min(data.len());
                let end = start.saturating_add(max).min(data.len());
                Ok(data[start..end].to_vec())
            }
            Body::Dir(_) => Err(Errno::EISDIR),
            _ => Err(Errno::EINVAL),
        }
    }

    /// Grows the file as needed; the gap before `offset` reads as zeros.
    pub fn write(&mut self, ino: Ino, offset: u64, bytes: &[u8], now: i64) -> Res<()> {
        let end = offset.checked_add(bytes.len() as u64).ok_or(Errno::EFBIG)?;
        if bytes.is_empty() {
            return Ok(());
        }
        if end > self.size(ino)? {
            self.resize(ino, end)?;
        }
        let inode = self.get_mut(ino)?;
        if let Body::File(data) = &mut inode.body {
            data[offset as usize..end as usize].copy_from_slice(bytes);
        }
        inode.mtime = now;
        Ok(())
    }

    pub fn truncate(&mut self, ino: Ino, size: u64, now: i64) -> Res<()> {
        self.resize(ino, size)?;
        self.get_mut(ino)?.mtime = now;
        Ok(())
    }

    pub fn size(&self, ino: Ino) -> Res<u64> {
        match &self.get(ino)?.body {
            Body::File(data) => Ok(data.len() as u64),
            Body::Dir(_) => Err(Errno::EISDIR),
            _ => Err(Errno::EINVAL),
        }
    }

    fn resize(&mut self, ino: Ino, size: u64) -> Res<()> {
        if size > MAX_FILE {
            return Err(Errno::EFBIG);
        }
        let old = self.size(ino)?;
        let after = self.bytes.saturating_sub(old).saturating_add(size);
        if size > old && after > self.limit {
            return Err(Errno::ENOSPC);
        }
        if let Body::File(data) = &mut self.get_mut(ino)?.body {
            data.resize(size as usize, 0);
        }
        self.bytes = after;
        Ok(())
    }

    /// An open file description keeps the inode alive.
    pub fn hold(&mut self, ino: Ino, count: u32) {
        if let Ok(inode) = self.get_mut(ino) {
            inode.opens += count;
        }
    }

    pub fn release(&mut self, ino: Ino) {
        if let Ok(inode) = self.get_mut(ino) {
            inode.opens = inode.opens.saturating_sub(1);
            self.reap(ino);
        }
    }

    fn reap(&mut self, ino: Ino) {
        let Ok(inode) = self.get(ino) else { return };
        if inode.nlink == 0 && inode.opens == 0 {
            if let Body::File(data) = &inode.body {
                self.bytes = self.bytes.saturating_sub(data.len() as u64);
            }
            self.inodes[ino as usize] = None;
            self.free.push(ino);
        }
    }

    pub fn xattr(&self, ino: Ino, name: &str) -> Option<&[u8]> {
        self.get(ino).ok()?.xattrs.as_ref()?.get(name).map(Vec::as_slice)
    }

    pub fn set_xattr(&mut self, ino: Ino, name: &str, value: &[u8]) -> Res<()> {
        self.get_mut(ino)?.xattrs.get_or_insert_default().insert(name.to_owned(), value.to_vec());
        Ok(())
    }

    pub fn remove_xattr(&mut self, ino: Ino, name: &str) -> Res<()> {
        let xattrs = &mut self.get_mut(ino)?.xattrs;
        let removed = xattrs.as_mut().and_then(|x| x.remove(name));
        if xattrs.as_ref().is_some_and(BTreeMap::is_empty) {
            *xattrs = None;
        }
        removed.map(drop).ok_or(Errno::ENODATA)
    }

    /// The name of a directory in its parent.
    pub fn name_of(&self, ino: Ino) -> Option<(Ino, String)> {
        let parent = self.get(ino).ok()?.parent;
        let (name, _) = self.dir(parent).ok()?.iter().find(|(_, i)| **i == ino)?;
        Some((parent, name.to_string()))
    }

    pub fn slots(&self) -> &[Option<Inode>] {
        &self.inodes
    }

    /// Rebuilds a tree from saved inodes; the caller has checked them.
    pub fn from_slots(fstype: &'static str, inodes: Vec<Option<Inode>>, limit: u64) -> Tree {
        let free = (2..inodes.len() as Ino).rev().filter(|i| inodes[*i as usize].is_none()).collect();
        let bytes = inodes
            .iter()
            .flatten()
            .map(|i| if let Body::File(data) = &i.body { data.len() as u64 } else { 0 })
            .sum();
        Tree {
            inodes,
            free,
            bytes,
            limit,
            charged: None,
            in_memory: fstype == "tmpfs",
            on_disk: fstype == "ext4",
        }
    }
}
