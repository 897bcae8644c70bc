//! Applies the members of a layer to its tree: files, directories, links,
//! devices, and the marks that hide what layers below have.

use std::fs::File;
use std::io::BufRead;

use rustix::fs::{FileType, Stat, Timestamps};
use rustix::io::Errno;

use super::Limits;
use super::members::{Kind, Member, Members, Meta};
use super::name::{self, Mark, Name};
use super::stream::Broken;
use super::tree::{Dir, Fault, Tree};
use super::unpack::{Converted, Hidden, Unpacked};
use crate::image::calls;
use crate::image::error::printable;

/// The tree so far, and what was done.
pub(super) struct Applied {
    tree: Tree,
    max_entries: u64,
    holes_left: u64,
    name_whiteouts: usize,
    dir_times: Vec<(Vec<u8>, Timestamps)>,
    done: Unpacked,
}

/// Why a member could not be applied.
pub(super) enum Trouble {
    Fault(Fault),
    Broken(Broken),
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Trouble::Fault(fault)
    }
}

impl From<Broken> for Trouble {
    fn from(broken: Broken) -> Self {
        Trouble::Broken(broken)
    }
}

fn refused(reason: &str) -> Trouble {
    Fault::Refused(reason.to_owned()).into()
}

impl Applied {
    pub fn new(tree: Tree, limits: &Limits, name_whiteouts: usize) -> Self {
        Applied {
            tree,
            max_entries: limits.entries,
            holes_left: limits.holes,
            name_whiteouts,
            dir_times: Vec::new(),
            done: Unpacked::default(),
        }
    }

    /// One more member; whether there may be one more.
    pub fn count(&mut self) -> bool {
        self.done.entries += 1;
        self.done.entries <= self.max_entries
    }

    /// Applies one member.
    pub fn member<R: BufRead>(&mut self, members: &mut Members<R>, member: &Member) -> Result<(), Trouble> {
        if let Some(reason) = member.meta.xattrs.iter().find_map(|(key, _)| name::refused_xattr(key)) {
            return Err(refused(reason));
        }
        if let Some(map) = &member.sparse {
            // A hole costs nothing to write, but much to whoever reads it.
            self.holes_left = self.holes_left.checked_sub(map.holes()).ok_or(Broken::Expands)?;
        }
        let (parent, leaf) = match name::parse(&member.name).map_err(refused)? {
            Name::Path { parent, leaf } => (parent, leaf),
            Name::Root if member.kind == Kind::Directory => {
                let root = self.tree.dir(b"", false)?;
                self.tree.finish(&root, b".", FileType::Directory, &member.meta, false)?;
                self.dir_times.push((Vec::new(), member.meta.times.clone()));
                return Ok(());
            }
            Name::Root => return Err(refused("it names the layer's root but is no directory")),
        };
        if name::in_aufs_dir(&parent) {
            return Ok(());
        }
        match name::mark(&leaf).map_err(refused)? {
            Mark::None => {}
            Mark::Aufs => return Ok(()),
            Mark::Opaque => {
                let dir = self.tree.dir(&parent, true)?;
                self.tree.opaque(&dir)?;
                self.done.opaque_dirs += 1;
                self.note(&member.name, parent, Hidden::Opaque);
                return Ok(());
            }
            Mark::Whiteout(hidden) => return Ok(self.whiteout(&member.name, &parent, &hidden)?),
        }
        let dir = self.tree.dir(&parent, true)?;
        match member.kind {
            Kind::Directory => return self.directory(&dir, parent, &leaf, &member.meta),
            Kind::HardLink => return self.hard_link(member, &dir, &leaf),
            Kind::File => {
                let mut file = self.tree.file(&dir, &leaf, &member.meta)?;
                self.content(members, member, &mut file)?;
                self.tree.finish_file(&dir, &file, &member.meta)?;
                return Ok(());
            }
            _ => {}
        }
        let mode = member.meta.mode;
        let node = match member.kind {
            Kind::Symlink => {
                let target = &member.link;
                if target.is_empty() || target.contains(&0) || target.len() >= 4096 {
                    return Err(refused("it is a symbolic link without a usable target"));
                }
                self.tree.symlink(target, &dir, &leaf)?;
                FileType::Symlink
            }
            Kind::Character(0, 0) => {
                return Err(refused("a character device 0/0 would be a whiteout to overlayfs"));
            }
            Kind::Character(major, minor) => {
                self.tree.node(&dir, &leaf, FileType::CharacterDevice, (major, minor), mode)?
            }
            Kind::Block(major, minor) => {
                self.tree.node(&dir, &leaf, FileType::BlockDevice, (major, minor), mode)?
            }
            _ => self.tree.node(&dir, &leaf, FileType::Fifo, (0, 0), mode)?,
        };
        Ok(self.tree.finish(&dir, &leaf, node, &member.meta, true)?)
    }

    fn directory(&mut self, dir: &Dir, parent: Vec<u8>, leaf: &[u8], meta: &Meta) -> Result<(), Trouble> {
        let there = self.tree.mkdir(dir, leaf, meta)?;
        let (mut hides, mut new) = (false, there.is_none());
        if let Some(there) = there
            && FileType::from_raw_mode(there.st_mode) != FileType::Directory
        {
            hides = is_whiteout(&there);
            self.tree.clear(dir, leaf)?;
            new = self.tree.mkdir(dir, leaf, meta)?.is_none();
        }
        self.tree.finish(dir, leaf, FileType::Directory, meta, new)?;
        let path = join(parent, leaf);
        if hides {
            // What was hidden stays hidden, also below the new directory.
            let new = self.tree.dir(&path, false)?;
            self.tree.opaque(&new)?;
        }
        self.dir_times.push((path, meta.times.clone()));
        Ok(())
    }

    fn content<R: BufRead>(
        &mut self,
        members: &mut Members<R>,
        member: &Member,
        file: &mut File,
    ) -> Result<(), Trouble> {
        self.done.size = self.done.size.saturating_add(member.size);
        let fault = |e: Errno| Trouble::Fault(Fault::Call("write", e));
        let Some(map) = &member.sparse else {
            self.done.file_bytes += member.size;
            return members.content(member, |_, chunk| calls::write_all(&*file, chunk).map_err(fault));
        };
        members.content(member, |at, chunk| calls::pwrite_all(&*file, chunk, at).map_err(fault))?;
        self.done.file_bytes += member.size - map.holes();
        calls::ftruncate(&*file, member.size).map_err(fault)
    }

    fn hard_link(&mut self, member: &Member, dir: &Dir, leaf: &[u8]) -> Result<(), Trouble> {
        let shown = printable(&member.link);
        let parsed =
            name::parse(&member.link).map_err(|e| refused(&format!("hard link to {shown:?}: {e}")))?;
        let Name::Path { parent: from_parent, leaf: from } = parsed else {
            return Err(refused(&format!("hard link to the directory {shown:?}")));
        };
        let missing =
            || refused(&format!("hard link to {shown:?}, which this layer does not have before it"));
        let from_dir = self.tree.dir(&from_parent, false)?;
        let Some(stat) = self.tree.stat(&from_dir, &from)? else { return Err(missing()) };
        let kind = FileType::from_raw_mode(stat.st_mode);
        if is_whiteout(&stat) {
            return Err(missing());
        }
        if kind == FileType::Directory {
            return Err(refused(&format!("hard link to the directory {shown:?}")));
        }
        if let Err(Errno::EXIST) = self.tree.link((&from_dir, &from), (dir, leaf))? {
            let at = self.tree.stat(dir, leaf)?;
            if at.is_some_and(|at| (at.st_dev, at.st_ino) == (stat.st_dev, stat.st_ino)) {
                return Ok(());
            }
            // The target could be below what has to go.
            self.tree.clear(dir, leaf)?;
            let from_dir = self.tree.dir(&from_parent, false)?;
            let linked = self.tree.link((&from_dir, &from), (dir, leaf))?;
            linked.map_err(|e| Fault::Call("linkat", e))?;
        }
        // Changing the owner drops setuid and file capabilities: only if needed.
        let meta = &member.meta;
        let same = (stat.st_uid, stat.st_gid, stat.st_mode & 0o7777) == (meta.uid, meta.gid, meta.mode);
        if !same {
            self.tree.finish(dir, leaf, kind, meta, false)?;
        }
        Ok(())
    }

    fn whiteout(&mut self, entry: &[u8], parent: &[u8], hidden: &[u8]) -> Result<(), Fault> {
        let dir = self.tree.dir(parent, true)?;
        let path = join(parent.to_vec(), hidden);
        let how = match self.tree.stat(&dir, hidden)? {
            // Whiteouts speak of the layers below, never of this one.
            Some(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => {
                let own = self.tree.dir(&path, false)?;
                self.tree.opaque(&own)?;
                Hidden::Opaque
            }
            Some(stat) if is_whiteout(&stat) => Hidden::Device,
            Some(_) => Hidden::Replaced,
            None => {
                self.tree.node(&dir, hidden, FileType::CharacterDevice, (0, 0), 0o600)?;
                Hidden::Device
            }
        };
        self.done.whiteouts += 1;
        self.note(entry, path, how);
        Ok(())
    }

    fn note(&mut self, entry: &[u8], path: Vec<u8>, how: Hidden) {
        if self.done.converted.len() < self.name_whiteouts {
            self.done.converted.push(Converted { entry: printable(entry), path: printable(&path), how });
        }
    }

    /// After the last member: the times of directories, which their entries
    /// changed.
    pub fn finish(&mut self) -> Result<Unpacked, (Vec<u8>, Fault)> {
        for (path, times) in std::mem::take(&mut self.dir_times) {
            // A later entry may have put something else in its place.
            let Ok(dir) = self.tree.dir(&path, false) else { continue };
            self.tree.dir_times(&dir, &times).map_err(|fault| (path, fault))?;
        }
        self.done.skipped_xattrs = self.tree.skipped_xattrs;
        Ok(std::mem::take(&mut self.done))
    }
}

fn join(mut parent: Vec<u8>, leaf: &[u8]) -> Vec<u8> {
    if !parent.is_empty() {
        parent.push(b'/');
    }
    parent.extend_from_slice(leaf);
    parent
}

fn is_whiteout(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && stat.st_rdev == 0
}
