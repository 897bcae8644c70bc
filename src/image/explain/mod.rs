//! What the layers of an image or a container are: what each adds, changes and
//! hides, who supplies a path, and how two unions differ. The shapes here are
//! what `glassbox layers --format json` writes.

mod compare;
mod entries;
mod path;

use std::path::PathBuf;

use serde::Serialize;

use crate::image::ImageError;
use crate::image::union::{Stack, Stat};
use crate::userland::FileType;
pub use compare::{Difference, compare};
pub use entries::entries;
pub use path::{PathReport, Role, Step, follow};

/// An image or a container.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// `image` or `container`.
    pub kind: &'static str,
    /// As the user gave it.
    pub name: String,
    /// Image id or container id.
    pub id: String,
    /// The lowest first.
    pub layers: Vec<LayerReport>,
}

/// One layer.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct LayerReport {
    /// 1 is the lowest.
    pub number: usize,
    /// It is the container's own.
    pub writable: bool,
    /// Digest over this layer and all below; none for a writable one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chain_id: Option<String>,
    /// Digest of the uncompressed tar.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diff_id: Option<String>,
    /// Digest of the blob.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blob: Option<String>,
    /// Bytes of the blob as it is stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blob_size: Option<u64>,
    /// Media type of the blob.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// What made it, from the history.
    pub created_by: String,
    /// Where its tree is.
    pub dir: PathBuf,
    /// What it has itself.
    pub own: Counts,
    /// What the union of it and all below shows.
    pub cumulative: Total,
    /// What it says of each path, sorted.
    pub entries: Vec<Entry>,
}

/// What a layer does to those below it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Bytes of its files, a file with several names once.
    pub size: u64,
    /// Paths that no layer below shows.
    pub added: u64,
    /// Paths that a layer below shows too.
    pub changed: u64,
    /// Directories that it has only because of what is in them.
    pub same: u64,
    /// Paths that a whiteout or an opaque directory takes away; what is in a
    /// hidden directory counts.
    pub hidden: u64,
    /// Bytes of files below that its changes and whiteouts make unreachable:
    /// they are still stored, and still transferred.
    pub shadowed: u64,
}

/// A union.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Total {
    /// Bytes of the files that it shows.
    pub size: u64,
    /// How many of them; links and devices count.
    pub files: u64,
    /// Directories, without the root.
    pub dirs: u64,
}

/// What a layer does to a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// Nothing below shows it.
    Added,
    /// It takes the place of what a layer below has.
    Changed,
    /// A directory as it is below, there for what is in it.
    Same,
    /// It takes away what a layer below has.
    Hidden,
}

impl What {
    /// Docker's letter; a blank for a directory that is only passed through.
    pub fn letter(self) -> char {
        match self {
            What::Added => 'A',
            What::Changed => 'C',
            What::Hidden => 'D',
            What::Same => ' ',
        }
    }
}

/// A path in a layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// `/etc/motd`.
    pub path: String,
    /// What it does there.
    pub what: What,
    /// `file`, `dir`, `symlink`, `char`, `block`, `fifo`, `socket`; for a hidden path
    /// the kind of what is hidden.
    pub kind: &'static str,
    /// Bytes of a file; of a hidden one those below.
    pub size: u64,
    /// Permission bits, in octal.
    pub mode: String,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Numbers of the layers below whose file or whiteout of this path it covers,
    /// the topmost first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub covers: Vec<usize>,
    /// How it hides: `whiteout`, or `opaque` for what an opaque directory hides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<&'static str>,
}

/// Counts and entries of every layer. `known` is what is known of each, the lowest
/// first; `stack` are their trees.
///
/// # Errors
/// When a tree cannot be read.
pub fn layers(stack: &Stack<'_>, mut known: Vec<LayerReport>) -> Result<Vec<LayerReport>, ImageError> {
    let count = known.len();
    for (at, layer) in known.iter_mut().enumerate() {
        let (entries, own) = entries::entries(stack, count - 1 - at)?;
        layer.number = at + 1;
        layer.own = own;
        layer.cumulative = entries::total(stack, count - 1 - at)?;
        layer.entries = entries;
    }
    Ok(known)
}

/// The name of a file's kind.
pub fn kind(stat: &Stat) -> &'static str {
    match stat.kind {
        FileType::File => "file",
        FileType::Dir => "dir",
        FileType::Symlink => "symlink",
        FileType::Char => "char",
        FileType::Block => "block",
        FileType::Fifo => "fifo",
        FileType::Socket => "socket",
    }
}

/// Bytes of a regular file; other things have none.
pub fn size(stat: &Stat) -> u64 {
    match stat.kind {
        FileType::File => stat.size,
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
