//! From the forms of the system to those of the userland.

use std::os::unix::fs::{FileTypeExt, MetadataExt};

use crate::userland::{FileType, Stat};

pub fn kind_of(t: std::fs::FileType) -> FileType {
    match () {
        () if t.is_dir() => FileType::Dir,
        () if t.is_symlink() => FileType::Symlink,
        () if t.is_char_device() => FileType::Char,
        () if t.is_block_device() => FileType::Block,
        () if t.is_fifo() => FileType::Fifo,
        () if t.is_socket() => FileType::Socket,
        () => FileType::File,
    }
}

pub fn stat_of(m: &std::fs::Metadata) -> Stat {
    Stat {
        dev: m.dev(),
        ino: m.ino(),
        kind: kind_of(m.file_type()),
        mode: m.mode() & 0o7777,
        nlink: m.nlink(),
        uid: m.uid(),
        gid: m.gid(),
        rdev_major: nix::sys::stat::major(m.rdev()) as u32,
        rdev_minor: nix::sys::stat::minor(m.rdev()) as u32,
        size: m.size(),
        blocks: m.blocks(),
        mtime: m.mtime(),
    }
}

#[allow(clippy::useless_conversion, reason = "the number of links is narrower on other architectures")]
pub fn stat_of_fd(s: &rustix::fs::Stat) -> Stat {
    let kind = match rustix::fs::FileType::from_raw_mode(s.st_mode) {
        rustix::fs::FileType::Directory => FileType::Dir,
        rustix::fs::FileType::Symlink => FileType::Symlink,
        rustix::fs::FileType::CharacterDevice => FileType::Char,
        rustix::fs::FileType::BlockDevice => FileType::Block,
        rustix::fs::FileType::Fifo => FileType::Fifo,
        rustix::fs::FileType::Socket => FileType::Socket,
        _ => FileType::File,
    };
    Stat {
        dev: s.st_dev,
        ino: s.st_ino,
        kind,
        mode: s.st_mode & 0o7777,
        nlink: u64::from(s.st_nlink),
        uid: s.st_uid,
        gid: s.st_gid,
        rdev_major: rustix::fs::major(s.st_rdev),
        rdev_minor: rustix::fs::minor(s.st_rdev),
        size: s.st_size as u64,
        blocks: s.st_blocks as u64,
        mtime: s.st_mtime,
    }
}
