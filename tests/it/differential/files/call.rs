//! One file operation, and what both kernels must answer alike.

use glassbox::kernel::Errno;
use glassbox::userland::{FileType, OpenFlags};

/// A system call on paths of the union, or of the machine while its layers are made.
#[derive(Clone, Debug)]
pub enum Call {
    /// Opens into a slot; what was open there is closed first.
    Open {
        slot: usize,
        path: String,
        flags: OpenFlags,
        mode: u32,
    },
    Close {
        slot: usize,
    },
    Read {
        slot: usize,
        max: usize,
    },
    Write {
        slot: usize,
        bytes: Vec<u8>,
    },
    Seek {
        slot: usize,
        to: u64,
    },
    Fstat {
        slot: usize,
    },
    Stat {
        path: String,
    },
    Lstat {
        path: String,
    },
    ReadDir {
        path: String,
    },
    ReadLink {
        path: String,
    },
    Mkdir {
        path: String,
        mode: u32,
    },
    Rmdir {
        path: String,
    },
    Unlink {
        path: String,
    },
    Rename {
        from: String,
        to: String,
    },
    Link {
        from: String,
        to: String,
    },
    Symlink {
        target: String,
        path: String,
    },
    Mknod {
        path: String,
        kind: FileType,
        mode: u32,
        device: (u32, u32),
    },
    Chmod {
        path: String,
        mode: u32,
    },
    Chown {
        path: String,
        uid: u32,
        gid: u32,
        nofollow: bool,
    },
    SetTimes {
        path: String,
        mtime: Option<i64>,
    },
    Truncate {
        path: String,
        size: u64,
    },
    SetXattr {
        path: String,
        name: String,
        value: Vec<u8>,
    },
    GetXattr {
        path: String,
        name: String,
    },
    RemoveXattr {
        path: String,
        name: String,
    },
    ListXattrs {
        path: String,
    },
    Chdir {
        path: String,
    },
    Getcwd,
    Umask {
        mask: u32,
    },
}

/// What stat(2) tells, without what cannot be the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub kind: FileType,
    pub mode: u32,
    pub nlink: u64,
    pub owner: (u32, u32),
    pub device: (u32, u32),
    /// None of a directory: each file system counts its own way.
    pub size: Option<u64>,
    /// None is about now.
    pub mtime: Option<i64>,
}

/// What a call gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Done,
    Number(u64),
    Bytes(Vec<u8>),
    Text(String),
    Seen(Seen),
    Entries(Vec<(String, FileType)>),
    Names(Vec<String>),
    /// Not made: opening it would wait for another process, or reach a real device.
    Skipped,
}

/// Who makes the calls.
#[derive(Clone, Copy, Debug)]
pub struct User {
    pub uid: u32,
    pub gid: u32,
    pub groups: &'static [u32],
}

pub const ROOT: User = User { uid: 0, gid: 0, groups: &[0] };

/// How many files may be open at a time.
pub const SLOTS: usize = 3;

/// The time from which on it is now: earlier ones were set.
const NOW: i64 = 1_000_000_000;

pub fn mtime(seconds: i64) -> Option<i64> {
    (seconds < NOW).then_some(seconds)
}

/// A kernel with a process that makes calls. Paths begin at the machine's own empty
/// file system, or at the place that was entered.
pub trait Machine {
    fn act_as(&mut self, user: User);
    fn call(&mut self, call: &Call) -> Result<Answer, Errno>;
    /// A union of `/l1`…, the last one uppermost, with `/u` and `/w`, at `/m`.
    fn mount(&mut self, layers: usize) -> Result<(), Errno>;
    /// chroot to `/m`; and back with all files closed.
    fn enter(&mut self);
    fn leave(&mut self);
    fn umount(&mut self);
}
