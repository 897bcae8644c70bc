//! A tree into a tar: what a container wrote becomes a layer, and a whole union
//! a root file system. The bytes depend on the tree alone: names are sorted, and
//! nothing of this host or moment goes in.
//!
//! overlayfs's own marks become those of layers (image-spec layer.md): a
//! whiteout of either kind a file `.wh.NAME`, an opaque directory an entry
//! `.wh..wh..opq`; where they hide nothing they are left out.

mod file;
pub(crate) mod header;

use std::collections::HashMap;
use std::io::Write;

use crate::image::ImageError;
use crate::image::error::printable;
use crate::image::union::{Named, Node, Open, Place, Says, Stack, Stat, is_dir, shown_path};
use crate::userland::FileType;
use header::{Kind, Member};

/// What went into a tar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Members, with whiteouts and opaque marks.
    pub entries: u64,
    /// Bytes of the content of files, without holes.
    pub file_bytes: u64,
    /// Bytes of files as they read, holes included.
    pub size: u64,
    /// `.wh.NAME` files.
    pub whiteouts: u64,
    /// `.wh..wh..opq` files.
    pub opaque_dirs: u64,
    /// Files written with their holes.
    pub sparse: u64,
    /// Second names of a file.
    pub hard_links: u64,
    /// Sockets, which no tar can hold.
    pub sockets: u64,
}

/// Writes the topmost layer of a stack as a layer of an image. The layers below
/// are looked at only to tell what it hides.
///
/// # Errors
/// When something cannot be read or written, or a name cannot stand in a layer.
pub fn layer(stack: &Stack<'_>, out: &mut impl Write) -> Result<Written, ImageError> {
    Writer::new(stack, out, true).run()
}

/// Writes all that a stack shows as one tree.
///
/// # Errors
/// When something cannot be read or written.
pub fn merged(stack: &Stack<'_>, out: &mut impl Write) -> Result<Written, ImageError> {
    Writer::new(stack, out, false).run()
}

/// Writes one directory of a stack and all below it, with its whole path.
///
/// # Errors
/// When something cannot be read or written.
pub fn below(stack: &Stack<'_>, place: Place, out: &mut impl Write) -> Result<Written, ImageError> {
    Writer::new(stack, out, false).from(vec![place])
}

struct Writer<'a, W> {
    stack: &'a Stack<'a>,
    out: file::Out<'a, W>,
    /// Only what the topmost layer has.
    layer: bool,
    /// The first name of files that have several: device, inode.
    seen: HashMap<(u64, u64), Vec<u8>>,
    /// The directories in which the files of the current one are, by layer.
    open: Vec<(usize, Box<dyn Node + 'a>)>,
    done: Written,
}

impl<'a, W: Write> Writer<'a, W> {
    fn new(stack: &'a Stack<'a>, out: &'a mut W, layer: bool) -> Self {
        let (seen, open) = (HashMap::new(), Vec::new());
        Writer { stack, out: file::Out::new(out), layer, seen, open, done: Written::default() }
    }

    fn run(mut self) -> Result<Written, ImageError> {
        if !self.stack.is_empty() {
            self.root()?;
            let root = self.stack.root(0);
            return self.from(vec![root]);
        }
        self.from(Vec::new())
    }

    fn from(mut self, mut todo: Vec<Place>) -> Result<Written, ImageError> {
        while let Some(place) = todo.pop() {
            let mut below = self.directory(&place)?;
            below.reverse();
            todo.append(&mut below);
        }
        self.out.end()?;
        Ok(self.done)
    }

    /// The root itself, where it is not as the layer below has it.
    fn root(&mut self) -> Result<(), ImageError> {
        let Some(own) = self.stack.tree(0).dir(b"")? else { return Ok(()) };
        let stat = own.stat()?;
        let found = own.attributes(b".")?;
        if self.layer {
            let what = |s: &Stat| (s.mode, s.uid, s.gid);
            let same = match self.stack.len() {
                1 => what(&stat) == (0o755, 0, 0) && found.is_empty(),
                _ => match self.stack.tree(1).dir(b"")? {
                    Some(below) => what(&stat) == what(&below.stat()?) && found == below.attributes(b".")?,
                    None => false,
                },
            };
            if same {
                return Ok(());
            }
        }
        self.member(&Member { kind: Kind::Dir, ..of_stat(b"./", &stat, &found) })
    }

    /// Writes what is in a directory but its directories, which are given back.
    fn directory(&mut self, place: &Place) -> Result<Vec<Place>, ImageError> {
        self.open.clear();
        let listing = match self.layer {
            true => self.stack.list_top(place)?,
            false => self.stack.list(place)?,
        };
        if !place.path.is_empty() {
            self.own(place, listing.opaque)?;
        }
        let mut below = Vec::new();
        for named in &listing.names {
            let path = place.join(&named.name);
            if self.layer && named.name.starts_with(b".wh.") {
                return Err(ImageError::Entry {
                    entry: shown_path(&path),
                    reason: "a name that begins with \".wh.\" means a deletion in a layer".into(),
                });
            }
            match &named.says[0] {
                (_, Says::Hides(stat)) if self.layer => self.whiteout(place, named, stat)?,
                (_, Says::Hides(_)) => {}
                (_, Says::Has(stat)) if is_dir(stat) => {
                    below.push(Place { path, layers: named.merged() });
                }
                (layer, Says::Has(stat)) => {
                    self.node(place, *layer, &named.name, path, stat)?;
                }
            }
        }
        Ok(below)
    }

    /// The entry of the directory itself, and its mark.
    fn own(&mut self, place: &Place, opaque: bool) -> Result<(), ImageError> {
        let Some(dir) = self.stack.tree(place.layers[0]).dir(&place.path)? else { return Ok(()) };
        let (stat, found) = (dir.stat()?, dir.attributes(b".")?);
        let path = [&place.path[..], b"/"].concat();
        self.member(&Member { kind: Kind::Dir, ..of_stat(&path, &stat, &found) })?;
        if self.layer && opaque && place.layers.len() > 1 {
            let mark = place.join(b".wh..wh..opq");
            self.member(&Member { mode: 0o600, uid: 0, gid: 0, ..of_stat(&mark, &stat, &[]) })?;
            self.done.opaque_dirs += 1;
        }
        Ok(())
    }

    /// A whiteout of what no layer below has is left by a rename: it hides nothing.
    fn whiteout(&mut self, place: &Place, named: &Named, stat: &Stat) -> Result<(), ImageError> {
        if named.below().is_none() {
            return Ok(());
        }
        let path = place.join(&[b".wh.", &named.name[..]].concat());
        self.done.whiteouts += 1;
        self.member(&Member { mode: 0o600, uid: 0, gid: 0, ..of_stat(&path, stat, &[]) })
    }

    fn node(
        &mut self,
        place: &Place,
        layer: usize,
        name: &[u8],
        path: Vec<u8>,
        stat: &Stat,
    ) -> Result<(), ImageError> {
        let kind = match stat.kind {
            FileType::File => Kind::File,
            FileType::Symlink => Kind::Symlink,
            FileType::Char => Kind::Char,
            FileType::Block => Kind::Block,
            FileType::Fifo => Kind::Fifo,
            FileType::Socket | FileType::Dir => {
                self.done.sockets += 1;
                return Ok(());
            }
        };
        if stat.nlink > 1 {
            if let Some(first) = self.seen.get(&stat.id) {
                let link = first.clone();
                self.done.hard_links += 1;
                return self.member(&Member {
                    kind: Kind::HardLink,
                    link: &link,
                    ..of_stat(&path, stat, &[])
                });
            }
            self.seen.insert(stat.id, path.clone());
        }
        let at = match self.open.iter().position(|(l, _)| *l == layer) {
            Some(at) => at,
            None => {
                let dir = self.stack.tree(layer).dir(&place.path)?.ok_or_else(|| changed(&path))?;
                self.open.push((layer, dir));
                self.open.len() - 1
            }
        };
        if kind == Kind::File {
            return self.file(&path, at, name);
        }
        let dir = &self.open[at].1;
        let found = dir.attributes(name)?;
        let link = if kind == Kind::Symlink { dir.link(name)? } else { Vec::new() };
        let device = match kind {
            Kind::Char | Kind::Block => stat.rdev,
            _ => (0, 0),
        };
        self.member(&Member { kind, link: &link, device, ..of_stat(&path, stat, &found) })
    }

    /// A file of the open directory at this position.
    fn file(&mut self, path: &[u8], at: usize, name: &[u8]) -> Result<(), ImageError> {
        let (layer, dir) = self.open.swap_remove(at);
        let done = self.content(path, &*dir.file(name)?);
        self.open.push((layer, dir));
        done
    }

    fn content(&mut self, path: &[u8], file: &dyn Open) -> Result<(), ImageError> {
        // The open file counts, not what its name said a moment ago.
        let (stat, found) = (file.stat()?, file.attributes()?);
        let member = of_stat(path, &stat, &found);
        let size = stat.size;
        let Some(parts) = file.parts()? else {
            self.member(&Member { stored: size, ..member })?;
            self.done.file_bytes += size;
            self.done.size += size;
            return self.out.content(path, file, &[(0, size)]);
        };
        let map = header::sparse_map(&parts);
        let stored: u64 = parts.iter().map(|p| p.1).sum();
        self.member(&Member { stored: stored + map.len() as u64, sparse: Some(size), ..member })?;
        self.out.bytes(&map)?;
        self.done.sparse += 1;
        self.done.file_bytes += stored;
        self.done.size += size;
        self.out.content(path, file, &parts)
    }

    fn member(&mut self, member: &Member<'_>) -> Result<(), ImageError> {
        self.done.entries += 1;
        self.out.header(member)
    }
}

fn of_stat<'a>(path: &'a [u8], stat: &Stat, attributes: &'a [(Vec<u8>, Vec<u8>)]) -> Member<'a> {
    Member {
        path,
        kind: Kind::File,
        mode: stat.mode,
        uid: stat.uid,
        gid: stat.gid,
        mtime: stat.mtime,
        stored: 0,
        sparse: None,
        link: b"",
        device: (0, 0),
        attributes,
    }
}

fn changed(path: &[u8]) -> ImageError {
    ImageError::Entry { entry: printable(path), reason: "it changed while it was read".into() }
}

#[cfg(test)]
mod tests;
