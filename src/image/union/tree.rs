//! What a stack needs of a layer's tree, wherever it is: in a directory of this
//! host, or on the modelled disk.

use std::io;
use std::path::Path;

use super::Says;
use crate::image::ImageError;
use crate::userland::FileType;

/// Names and values of extended attributes, sorted; overlayfs's own are left out.
pub type Attributes = Vec<(Vec<u8>, Vec<u8>)>;

/// What is known of a file, a directory or another thing of a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Stat {
    pub kind: FileType,
    /// Permission bits with setuid, setgid and sticky.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    /// Bytes; of anything but a regular file what its file system says.
    pub size: u64,
    /// Stored blocks of 512 bytes.
    pub blocks: u64,
    pub nlink: u64,
    /// Device and inode: names that share them are one file.
    pub id: (u64, u64),
    /// Of a device: major and minor number.
    pub rdev: (u32, u32),
    /// Seconds since 1970 and nanoseconds.
    pub mtime: (i64, u32),
}

/// The tree of one layer.
pub trait Tree {
    /// Where it is.
    fn path(&self) -> &Path;

    /// A directory below, if there is one; neither it nor what leads to it may be
    /// a link.
    ///
    /// # Errors
    /// When it cannot be read.
    fn dir(&self, path: &[u8]) -> Result<Option<Box<dyn Node + '_>>, ImageError>;
}

/// A directory of a tree, open.
pub trait Node {
    /// It hides what the layers below have in it.
    fn opaque(&self) -> bool;

    /// The names in it, sorted.
    ///
    /// # Errors
    /// When it cannot be read.
    fn names(&self) -> Result<Vec<Vec<u8>>, ImageError>;

    /// What this layer says of a name; nothing if it has no such name.
    ///
    /// # Errors
    /// When it cannot be looked at.
    fn says(&self, name: &[u8]) -> Result<Option<Says>, ImageError>;

    /// A regular file in it, open for reading.
    ///
    /// # Errors
    /// When it cannot be opened, or is no regular file any more.
    fn file(&self, name: &[u8]) -> Result<Box<dyn Open + '_>, ImageError>;

    /// What a symbolic link in it says.
    ///
    /// # Errors
    /// When it cannot be read.
    fn link(&self, name: &[u8]) -> Result<Vec<u8>, ImageError>;

    /// The attributes of a name in it; `.` is itself.
    ///
    /// # Errors
    /// When they cannot be read.
    fn attributes(&self, name: &[u8]) -> Result<Attributes, ImageError>;

    /// The directory's own owner, mode and times.
    ///
    /// # Errors
    /// When it cannot be looked at.
    fn stat(&self) -> Result<Stat, ImageError>;
}

/// A regular file of a tree, open.
pub trait Open {
    /// Of the open file, whatever its name leads to now.
    ///
    /// # Errors
    /// When it cannot be looked at.
    fn stat(&self) -> Result<Stat, ImageError>;

    /// Its attributes.
    ///
    /// # Errors
    /// When they cannot be read.
    fn attributes(&self) -> Result<Attributes, ImageError>;

    /// The stored parts, offset and length, of a file with holes worth keeping;
    /// `None` of any other.
    ///
    /// # Errors
    /// When they cannot be found out.
    fn parts(&self) -> Result<Option<Vec<(u64, u64)>>, ImageError>;

    /// Bytes from an offset on; 0 at the end.
    ///
    /// # Errors
    /// Those of reading.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
}

/// Not of this host and mount, as overlayfs's own marks are, and labels that the
/// host's policy gives.
pub(crate) fn is_ours(name: &[u8]) -> bool {
    const OTHERS: [&[u8]; 3] = [b"security.selinux", b"security.ima", b"security.evm"];
    !name.starts_with(b"trusted.overlay.") && !name.starts_with(b"user.overlay.") && !OTHERS.contains(&name)
}
