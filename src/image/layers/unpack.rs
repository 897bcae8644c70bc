//! One layer's tar into one tree.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use super::Limits;
use super::apply::{Applied, Trouble};
use super::decompress::{self, Compression};
use super::members::Members;
use super::place::Place;
use super::stream::{Broken, Stream};
use super::tree::{Fault, Tree};
use crate::image::ImageError;
use crate::image::error::{printable, quoted};
use crate::kernel::Errno;

/// A layer as manifest and config declare it.
#[derive(Clone, Copy, Debug)]
pub struct Declared<'a> {
    /// For messages: the blob's file, or its digest.
    pub blob: &'a Path,
    /// Bytes of the blob, from which its limits follow.
    pub size: u64,
    /// Digest of the uncompressed tar. `None` where the caller hashes the stream
    /// itself: nothing is verified here then, and a tree settles unverified.
    pub diff_id: Option<&'a str>,
    /// How far it may grow.
    pub limits: &'a Limits,
    /// How many whiteouts to name in [`Unpacked::converted`]; 0 for none.
    pub name_whiteouts: usize,
}

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
    /// Bytes written into files, without the holes of sparse ones.
    pub file_bytes: u64,
    /// Bytes of the files as they read, the holes of sparse ones included: the
    /// layer's size.
    pub size: u64,
    /// Files, directories or links of the layers below that it hides.
    pub whiteouts: u64,
    /// Directories whose content in the layers below it hides.
    pub opaque_dirs: u64,
    /// Attributes that the file system did not take.
    pub skipped_xattrs: u64,
    /// The first whiteouts, as many as [`Declared::name_whiteouts`] asked for.
    pub converted: Vec<Converted>,
}

/// A whiteout of the tar and what it became.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Converted {
    /// The entry's name in the tar, made printable: `etc/.wh.motd`.
    pub entry: String,
    /// What stands in the tree now, made printable: `etc/motd`.
    pub path: String,
    /// How it says so.
    pub how: Hidden,
}

/// How a tree tells overlayfs that something below is hidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hidden {
    /// A character device 0/0 of that name.
    Device,
    /// The attribute `trusted.overlay.opaque` of that directory.
    Opaque,
    /// Nothing to do: the layer has a file of that name itself.
    Replaced,
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
    let layer = Declared { blob, size, diff_id: Some(diff_id), limits, name_whiteouts: 0 };
    unpack_from(file, compression, &layer, dest)
}

/// Like [`unpack`], from a stream of the blob as it is stored, which is read to
/// its end.
///
/// # Errors
/// As [`unpack`].
pub fn unpack_from(
    blob: impl Read,
    compression: Compression,
    layer: &Declared<'_>,
    dest: &Path,
) -> Result<Unpacked, ImageError> {
    let tar = BufReader::with_capacity(256 << 10, decompress::open(compression, blob));
    unpack_tar(tar, layer, dest)
}

/// Like [`unpack_from`], from the uncompressed tar, which is read to its end.
/// What the reader lends is written as it is lent: 64 KiB or more at a time are
/// best.
///
/// # Errors
/// As [`unpack`]. An error of the reader is an [`ImageError::Layer`], or an
/// [`ImageError::Io`] if it has an errno.
pub fn unpack_tar(tar: impl BufRead, layer: &Declared<'_>, dest: &Path) -> Result<Unpacked, ImageError> {
    if dest.symlink_metadata().is_ok() {
        return Ok(Unpacked { existed: true, ..Unpacked::default() });
    }
    let place = Place::make(dest)?;
    let stream = Stream::new(tar, layer.limits.expanded(layer.size), layer.diff_id.is_some());
    let tree = Tree::new(place.open()?).map_err(|(what, e)| ImageError::io(what, dest, e))?;
    let mut applied = Applied::new(tree, layer.limits, layer.name_whiteouts);
    let mut done = run(stream, &mut applied, layer)?;
    done.existed = !place.settle(dest)?;
    Ok(done)
}

fn run<R: BufRead>(
    stream: Stream<R>,
    applied: &mut Applied,
    layer: &Declared<'_>,
) -> Result<Unpacked, ImageError> {
    let broken = |e| say(e, layer);
    let mut members = Members::new(stream);
    while let Some(member) = members.next().map_err(broken)? {
        let more = applied.count();
        if !more {
            let reason = format!("it has more than {} entries", layer.limits.entries);
            return Err(ImageError::Layer { blob: layer.blob.to_owned(), reason });
        }
        applied.member(&mut members, &member).map_err(|trouble| match trouble {
            Trouble::Broken(e) => broken(e),
            Trouble::Fault(fault) => blame(&member.name, fault),
        })?;
    }
    let (zeros, digest, bytes) = members.into_stream().finish().map_err(broken)?;
    if let (Some(expected), Some(actual)) = (layer.diff_id, digest)
        && expected != actual
    {
        return Err(ImageError::Digest {
            what: format!("the uncompressed layer {}", layer.blob.display()),
            expected: expected.to_owned(),
            actual,
        });
    }
    if !zeros {
        let reason = "there is more after the end of the archive".to_owned();
        return Err(ImageError::Layer { blob: layer.blob.to_owned(), reason });
    }
    let mut done = applied.finish().map_err(|(path, fault)| blame(&path, fault))?;
    done.tar_bytes = bytes;
    Ok(done)
}

fn blame(name: &[u8], fault: Fault) -> ImageError {
    let entry = printable(name);
    match fault {
        Fault::Refused(reason) => ImageError::Entry { entry, reason },
        Fault::Call(what, errno) => match Errno::from(errno) {
            // The machine's fault, not the entry's.
            errno @ (Errno::ENOSPC | Errno::EDQUOT | Errno::EPERM | Errno::EIO) => {
                ImageError::Io { what, path: PathBuf::from(entry), errno }
            }
            errno => ImageError::Entry { entry, reason: format!("{what}: {errno}") },
        },
    }
}

/// Of a layer that is only read.
pub(super) fn say(broken: Broken, layer: &Declared<'_>) -> ImageError {
    let reason = match broken {
        Broken::Expands => {
            return ImageError::Expands {
                blob: layer.blob.to_owned(),
                size: layer.size,
                limit: layer.limits.expanded(layer.size),
            };
        }
        Broken::Entry(name, reason) => return ImageError::Entry { entry: printable(&name), reason },
        Broken::Source(e) => match e.raw_os_error() {
            Some(errno) => {
                return ImageError::Io { what: "read", path: layer.blob.to_owned(), errno: Errno(errno) };
            }
            // The text may quote the input.
            None => format!("it cannot be read: {}", quoted(&e.to_string())),
        },
        Broken::Truncated => "it ends in the middle (truncated)".to_owned(),
        Broken::Headers => "the headers of one entry exceed 4 MiB".to_owned(),
        Broken::Malformed(what) => format!("it cannot be read: {what}"),
    };
    ImageError::Layer { blob: layer.blob.to_owned(), reason }
}
