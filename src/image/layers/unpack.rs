//! One layer's tar into one tree.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{self, FileType};
use tar::{Archive, Entry, EntryType};

use super::Limits;
use super::decompress::{self, Compression};
use super::meta::{self, Meta};
use super::name::{self, Mark, Name};
use super::place::Place;
use super::stream::{Guard, Guarded, Trip};
use super::tree::{Fault, Tree, write_fault};
use crate::image::ImageError;
use crate::image::error::{printable, quoted};

/// What unpacking a layer did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unpacked {
    /// The tree was there before, or another process finished first; the
    /// counts are then 0.
    pub existed: bool,
    /// Entries of the tar.
    pub entries: u64,
    /// Bytes of the uncompressed tar.
    pub tar_bytes: u64,
    /// Bytes written into files.
    pub file_bytes: u64,
    /// Files, directories or links of the layers below that it hides.
    pub whiteouts: u64,
    /// Directories whose content in the layers below it hides.
    pub opaque_dirs: u64,
    /// Attributes that the file system did not take.
    pub skipped_xattrs: u64,
}

/// Unpacks a layer so that `dest` is its tree. The tree is made beside `dest`
/// and renamed when the diff ID is verified: `dest` is complete or absent. A
/// `dest` that exists is taken as it is.
///
/// # Errors
/// [`ImageError`]; nothing of the attempt is left on disk.
pub fn unpack(
    blob: &Path,
    media_type: &str,
    diff_id: &str,
    dest: &Path,
    limits: &Limits,
) -> Result<Unpacked, ImageError> {
    if dest.symlink_metadata().is_ok() {
        return Ok(Unpacked { existed: true, ..Unpacked::default() });
    }
    let compression = Compression::of_media_type(media_type)?;
    let file = File::open(blob).map_err(|e| ImageError::io("open", blob, e))?;
    let size = file.metadata().map_err(|e| ImageError::io("stat", blob, e))?.len();
    if let Some(expected) = limits.blob_size
        && expected != size
    {
        return Err(ImageError::Size { what: blob.display().to_string(), expected, actual: size });
    }
    unpack_stream(decompress::open(compression, file), blob, size, diff_id, dest, limits)
}

/// Like [`unpack`], from the uncompressed tar as it comes. `blob` names it in
/// messages, `size` is that of the blob.
///
/// # Errors
/// As [`unpack`].
pub fn unpack_stream(
    tar: impl Read,
    blob: &Path,
    size: u64,
    diff_id: &str,
    dest: &Path,
    limits: &Limits,
) -> Result<Unpacked, ImageError> {
    let place = Place::make(dest)?;
    let limit = limits.expanded(size);
    let guard = Guard::new(limit);
    let stream = Guarded::new(tar, guard.clone());
    let mut work = Work {
        tree: Tree::new(place.open()?),
        guard,
        blob,
        size,
        limit,
        max_entries: limits.entries,
        dir_times: Vec::new(),
        done: Unpacked::default(),
    };
    work.run(stream, diff_id)?;
    let mut done = work.done;
    done.existed = !place.settle(dest)?;
    Ok(done)
}

struct Work<'a> {
    tree: Tree,
    guard: Guard,
    blob: &'a Path,
    size: u64,
    limit: u64,
    max_entries: u64,
    dir_times: Vec<(Vec<u8>, rustix::fs::Timestamps)>,
    done: Unpacked,
}

impl Work<'_> {
    fn run<R: Read>(&mut self, stream: Guarded<R>, diff_id: &str) -> Result<(), ImageError> {
        let mut archive = Archive::new(stream);
        let mut buf = vec![0; 128 << 10];
        {
            let mut entries = archive.entries().map_err(|e| self.broken(&e))?;
            loop {
                self.guard.headers();
                let Some(next) = entries.next() else { break };
                let mut entry = next.map_err(|e| self.broken(&e))?;
                self.guard.content();
                self.done.entries += 1;
                if self.done.entries > self.max_entries {
                    return Err(self.layer(format!("it has more than {} entries", self.max_entries)));
                }
                self.entry(&mut entry, &mut buf)?;
                // Whatever is left belongs to this entry, not to the next header.
                // A sparse entry can pretend to be endless.
                let rest = std::io::copy(&mut (&mut entry).take(self.limit), &mut std::io::sink());
                if rest.map_err(|e| self.broken(&e))? == self.limit {
                    return Err(self.expands());
                }
            }
        }
        let (zeros, digest, bytes) = archive.into_inner().finish().map_err(|e| self.broken(&e))?;
        self.done.tar_bytes = bytes;
        self.done.skipped_xattrs = self.tree.skipped_xattrs;
        if digest != diff_id {
            return Err(ImageError::Digest {
                what: format!("the uncompressed layer {}", self.blob.display()),
                expected: diff_id.to_owned(),
                actual: digest,
            });
        }
        if !zeros {
            return Err(self.layer("there is more after the end of the archive".into()));
        }
        self.set_dir_times()
    }

    fn entry<R: Read>(&mut self, entry: &mut Entry<'_, R>, buf: &mut [u8]) -> Result<(), ImageError> {
        let raw = entry.path_bytes().into_owned();
        let fault = match self.try_entry(entry, &raw, buf) {
            Ok(()) => return Ok(()),
            Err(fault) => fault,
        };
        let entry = printable(&raw);
        Err(match fault {
            Trouble::Stream(e) => self.broken(&e),
            Trouble::Expands => self.expands(),
            Trouble::Fault(Fault::Refused(reason)) => ImageError::Entry { entry, reason },
            Trouble::Fault(Fault::Call(what, errno)) => {
                let errno = crate::kernel::Errno::from(errno);
                if matches!(
                    errno,
                    crate::kernel::Errno::ENOSPC | crate::kernel::Errno::EDQUOT | crate::kernel::Errno::EPERM
                ) {
                    return Err(ImageError::Io { what, path: PathBuf::from(entry), errno });
                }
                ImageError::Entry { entry, reason: format!("{what}: {errno}") }
            }
        })
    }

    fn try_entry<R: Read>(
        &mut self,
        entry: &mut Entry<'_, R>,
        raw: &[u8],
        buf: &mut [u8],
    ) -> Result<(), Trouble> {
        let kind = meta::kind(entry);
        if kind.is_pax_global_extensions() {
            return Ok(());
        }
        let meta = Meta::of(entry).map_err(Fault::Refused)?;
        if let Some(reason) = meta.xattrs.iter().find_map(|(key, _)| name::refused_xattr(key)) {
            return Err(refused(reason));
        }
        let (parent, leaf) = match name::parse(raw).map_err(refused)? {
            Name::Path { parent, leaf } => (parent, leaf),
            Name::Root if kind.is_dir() => {
                let root = self.tree.dir(b"", false)?;
                self.tree.finish(&root, b".", FileType::Directory, &meta)?;
                self.dir_times.push((Vec::new(), meta.times));
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
                return Ok(());
            }
            Mark::Whiteout(hidden) => return Ok(self.whiteout(&parent, &hidden)?),
        }
        let dir = self.tree.dir(&parent, true)?;
        let at = self.tree.stat(&dir, &leaf)?;
        let there = at.as_ref().map(|s| FileType::from_raw_mode(s.st_mode));
        let hides = at.as_ref().is_some_and(is_whiteout);
        if kind.is_dir() {
            if there != Some(FileType::Directory) {
                if there.is_some() {
                    self.tree.clear(&dir, &leaf)?;
                }
                self.tree.mkdir(&dir, &leaf)?;
            }
            self.tree.finish(&dir, &leaf, FileType::Directory, &meta)?;
            let mut path = parent;
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend_from_slice(&leaf);
            if hides {
                // What was hidden stays hidden, also below the new directory.
                let new = self.tree.dir(&path, false)?;
                self.tree.opaque(&new)?;
            }
            self.dir_times.push((path, meta.times));
            return Ok(());
        }
        if kind == EntryType::Link {
            return self.hard_link(entry, (&dir, &leaf), at.as_ref(), &meta);
        }
        if there.is_some() {
            self.tree.clear(&dir, &leaf)?;
        }
        match kind {
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                let mut file = self.tree.file(&dir, &leaf)?;
                self.content(entry, &mut file, buf)?;
                self.tree.finish_file(&file, &meta)?;
            }
            EntryType::Symlink => {
                let target = entry.link_name_bytes().unwrap_or_default().into_owned();
                if target.is_empty() || target.contains(&0) || target.len() >= 4096 {
                    return Err(refused("it is a symbolic link without a usable target"));
                }
                self.tree.symlink(&target, &dir, &leaf)?;
                self.tree.finish(&dir, &leaf, FileType::Symlink, &meta)?;
            }
            EntryType::Char | EntryType::Block | EntryType::Fifo => {
                let (node, device) = match kind {
                    EntryType::Fifo => (FileType::Fifo, (0, 0)),
                    EntryType::Block => (FileType::BlockDevice, device(entry)?),
                    _ => (FileType::CharacterDevice, device(entry)?),
                };
                if node == FileType::CharacterDevice && device == (0, 0) {
                    return Err(refused("a character device 0/0 would be a whiteout to overlayfs"));
                }
                self.tree.node(&dir, &leaf, node, device)?;
                self.tree.finish(&dir, &leaf, node, &meta)?;
            }
            other => {
                return Err(
                    Fault::Refused(format!("its type {:?} is unknown", other.as_byte() as char)).into()
                );
            }
        }
        Ok(())
    }

    fn content<R: Read>(
        &mut self,
        entry: &mut Entry<'_, R>,
        file: &mut File,
        buf: &mut [u8],
    ) -> Result<(), Trouble> {
        let size = entry.size();
        let mut written = 0;
        loop {
            let n = entry.read(buf).map_err(Trouble::Stream)?;
            if n == 0 {
                break;
            }
            written += n as u64;
            // A sparse file grows without reading anything.
            if self.done.file_bytes + written > self.limit {
                return Err(Trouble::Expands);
            }
            file.write_all(&buf[..n]).map_err(|e| write_fault(&e))?;
        }
        if written != size {
            return Err(Trouble::Stream(std::io::ErrorKind::UnexpectedEof.into()));
        }
        self.done.file_bytes += written;
        Ok(())
    }

    fn hard_link<R: Read>(
        &mut self,
        entry: &Entry<'_, R>,
        to: (&rustix::fd::OwnedFd, &[u8]),
        at: Option<&rustix::fs::Stat>,
        meta: &Meta,
    ) -> Result<(), Trouble> {
        let target = entry.link_name_bytes().unwrap_or_default().into_owned();
        let shown = printable(&target);
        let parsed = name::parse(&target).map_err(|e| refused(&format!("hard link to {shown:?}: {e}")))?;
        let Name::Path { parent, leaf } = parsed else {
            return Err(refused(&format!("hard link to the directory {shown:?}")));
        };
        let missing =
            || refused(&format!("hard link to {shown:?}, which this layer does not have before it"));
        let dir = self.tree.dir(&parent, false)?;
        let Some(stat) = self.tree.stat(&dir, &leaf)? else { return Err(missing()) };
        let kind = FileType::from_raw_mode(stat.st_mode);
        if is_whiteout(&stat) {
            return Err(missing());
        }
        if kind == FileType::Directory {
            return Err(refused(&format!("hard link to the directory {shown:?}")));
        }
        if at.is_some_and(|at| (at.st_dev, at.st_ino) == (stat.st_dev, stat.st_ino)) {
            return Ok(());
        }
        if at.is_some() {
            self.tree.clear(to.0, to.1)?;
        }
        self.tree.link((&dir, &leaf), to)?;
        // Changing the owner drops setuid and file capabilities: only if needed.
        let same = (stat.st_uid, stat.st_gid, stat.st_mode & 0o7777) == (meta.uid, meta.gid, meta.mode);
        if !same {
            self.tree.finish(to.0, to.1, kind, meta)?;
        }
        Ok(())
    }

    fn whiteout(&mut self, parent: &[u8], hidden: &[u8]) -> Result<(), Fault> {
        let dir = self.tree.dir(parent, true)?;
        match self.tree.stat(&dir, hidden)? {
            // Whiteouts speak of the layers below, never of this one.
            Some(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => {
                let path = [parent, if parent.is_empty() { b"" } else { b"/" }, hidden].concat();
                let own = self.tree.dir(&path, false)?;
                self.tree.opaque(&own)?;
            }
            Some(_) => {}
            None => self.tree.node(&dir, hidden, FileType::CharacterDevice, (0, 0))?,
        }
        self.done.whiteouts += 1;
        Ok(())
    }

    fn set_dir_times(&mut self) -> Result<(), ImageError> {
        for (path, times) in std::mem::take(&mut self.dir_times).iter().rev() {
            // A later entry may have put something else in its place.
            let Ok(dir) = self.tree.dir(path, false) else { continue };
            fs::utimensat(&dir, ".", times, rustix::fs::AtFlags::empty())
                .map_err(|e| ImageError::io("utimensat", printable(path), e))?;
        }
        Ok(())
    }

    fn broken(&self, error: &std::io::Error) -> ImageError {
        match self.guard.tripped() {
            Some(Trip::Expands) => return self.expands(),
            Some(Trip::Headers) => return self.layer("the headers of one entry exceed 4 MiB".into()),
            None => {}
        }
        let text = error.to_string();
        let cut = text.contains("entire block") || text.contains("unexpected EOF");
        let reason = match error.kind() {
            kind if cut || kind == std::io::ErrorKind::UnexpectedEof => {
                "it ends in the middle (truncated)".to_owned()
            }
            // The text may quote the input.
            _ => format!("it cannot be read: {}", quoted(&text)),
        };
        self.layer(reason)
    }

    fn expands(&self) -> ImageError {
        ImageError::Expands { blob: self.blob.to_owned(), size: self.size, limit: self.limit }
    }

    fn layer(&self, reason: String) -> ImageError {
        ImageError::Layer { blob: self.blob.to_owned(), reason }
    }
}

enum Trouble {
    Fault(Fault),
    Stream(std::io::Error),
    Expands,
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Trouble::Fault(fault)
    }
}

fn refused(reason: &str) -> Trouble {
    Fault::Refused(reason.to_owned()).into()
}

fn is_whiteout(stat: &rustix::fs::Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && stat.st_rdev == 0
}

fn device<R: Read>(entry: &Entry<'_, R>) -> Result<(u32, u32), Trouble> {
    let number = |n: std::io::Result<Option<u32>>| n.ok().flatten();
    match (number(entry.header().device_major()), number(entry.header().device_minor())) {
        (Some(major), Some(minor)) => Ok((major, minor)),
        _ => Err(refused("it is a device without a number")),
    }
}
