//! The virtual file system: trees of inodes, mounts, path resolution,
//! permissions and open files, with the errors that Linux gives.
//!
//! A [`Node`] is an inode of one mounted file system; a [`Loc`] is a node seen
//! through one mount. Directories map names to inode numbers; no table is keyed
//! by a whole path.

mod calls;
mod dispatch;
mod file;
mod mount_calls;
mod mounts;
mod open;
mod perm;
mod rename;
mod save;
mod tree;
mod walk;
mod xattr;

#[cfg(test)]
pub(crate) mod tests;

pub(crate) use file::{OpenFile, OpenId, OpenKind, Pipe, PipeId, ReadOutcome};
pub(crate) use mount_calls::Options;
pub(crate) use mounts::{Mount, MountFlags, MountId, Mounts};
pub(crate) use perm::{EXEC, READ, WRITE};
pub use save::LoadError;
pub(crate) use tree::{Body, Ino, New, ROOT as TREE_ROOT, Tree};

use crate::userland::FileType;

/// A file system instance, as an index into the table of all of them.
pub(crate) type SbId = u32;

/// An inode of one file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Node {
    pub(crate) sb: SbId,
    pub(crate) ino: u64,
}

/// A node seen through a mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Loc {
    pub(crate) mount: MountId,
    pub(crate) node: Node,
}

/// What the inode says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attr {
    pub kind: FileType,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub nlink: u32,
    pub rdev: (u32, u32),
    pub size: u64,
    /// 512 bytes each.
    pub blocks: u64,
    pub mtime: i64,
}

/// One mounted file system.
#[derive(Debug)]
pub(crate) enum Sb {
    /// Plain inodes: the host's disk, tmpfs, sysfs, devpts, mqueue.
    Tree(Tree),
    Overlay(super::overlay::Overlay),
    /// procfs of one pid namespace.
    Proc(super::ns::NsId),
    /// cgroup2, from this group down.
    Cgroup(super::cgroup::CgId),
}
