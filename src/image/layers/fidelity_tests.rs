//! What GNU tar packs comes out as it went in: in each of its formats, with
//! everything that a file can have.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use rustix::fs::{CWD, FileType, Mode, XattrFlags, lsetxattr, makedev, mknodat};

use super::unpack_tests::Bench;
use crate::image::digest;

/// All that matters of one file.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    mode: u32,
    owner: (u32, u32),
    mtime: (i64, i64),
    size: u64,
    device: u64,
    content: String,
    xattrs: BTreeMap<String, Vec<u8>>,
    /// The first of its names in order: hard links share it.
    first_name: String,
}

/// The tree, each path with all that matters.
fn seen(root: &Path, whole_seconds: bool) -> BTreeMap<String, Seen> {
    let mut all = BTreeMap::new();
    let mut inodes: BTreeMap<u64, String> = BTreeMap::new();
    let mut todo = vec![root.to_owned()];
    let mut paths = Vec::new();
    while let Some(path) = todo.pop() {
        if path.symlink_metadata().unwrap().is_dir() {
            todo.extend(std::fs::read_dir(&path).unwrap().map(|e| e.unwrap().path()));
        }
        paths.push(path);
    }
    paths.sort();
    for path in paths {
        let meta = path.symlink_metadata().unwrap();
        let name = path.strip_prefix(root).unwrap().display().to_string();
        let kind = meta.file_type();
        let content = if kind.is_file() {
            sparse_digest(&path, meta.len())
        } else if kind.is_symlink() {
            std::fs::read_link(&path).unwrap().display().to_string()
        } else {
            String::new()
        };
        let first_name = inodes.entry(meta.ino()).or_insert_with(|| name.clone()).clone();
        let seen = Seen {
            mode: meta.mode(),
            owner: (meta.uid(), meta.gid()),
            mtime: (meta.mtime(), if whole_seconds { 0 } else { meta.mtime_nsec() }),
            size: if meta.is_dir() { 0 } else { meta.len() },
            device: if kind.is_char_device() || kind.is_block_device() { meta.rdev() } else { 0 },
            content,
            xattrs: xattrs(&path),
            first_name,
        };
        all.insert(name, seen);
    }
    all
}

/// The digest of what is stored, and where: holes are not read.
fn sparse_digest(path: &Path, len: u64) -> String {
    use rustix::fs::{SeekFrom, seek};
    let file = File::open(path).unwrap();
    let mut text = Vec::new();
    let mut at = 0;
    while let Ok(start) = seek(&file, SeekFrom::Data(at)) {
        let end = seek(&file, SeekFrom::Hole(start)).unwrap();
        let mut buffer = vec![0; usize::try_from(end - start).unwrap()];
        file.read_exact_at(&mut buffer, start).unwrap();
        // What is zeros may be stored or be a hole.
        for (i, block) in buffer.chunks(4096).enumerate().filter(|(_, b)| b.iter().any(|b| *b != 0)) {
            text.extend(format!("{} ", start + i as u64 * 4096).into_bytes());
            text.extend_from_slice(block);
        }
        at = end;
        if at >= len {
            break;
        }
    }
    digest::of_bytes(&text)
}

fn xattrs(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut names = vec![0u8; 4096];
    let n = rustix::fs::llistxattr(path, &mut names[..]).unwrap_or(0);
    let names = names[..n].split(|b| *b == 0).filter(|n| !n.is_empty());
    names
        .map(|name| {
            let name = String::from_utf8(name.to_vec()).unwrap();
            let mut value = vec![0u8; 4096];
            let n = rustix::fs::lgetxattr(path, name.as_str(), &mut value[..]).unwrap();
            value.truncate(n);
            (name, value)
        })
        .collect()
}

/// cap_net_raw=ep, version 2 of the attribute, capabilities(7).
const CAPABILITY: [u8; 20] = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

fn grow(root: &Path) {
    let put = |name: &str, text: &str| std::fs::write(root.join(name), text).unwrap();
    let mode = |name: &str, mode| {
        std::fs::set_permissions(root.join(name), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    for dir in ["etc", "var/mail", "dev", "empty", "ünïcode", "with space"] {
        std::fs::create_dir_all(root.join(dir)).unwrap();
    }
    put("etc/hosts", "127.0.0.1 localhost\n");
    put("etc/shadow", "secret");
    put("ünïcode/näme", "text");
    put("with space/new\nline", "text");
    put("var/mail/setgid", "inherits nothing");
    put("su", "program");
    put("ping", "program");
    put("none", "");
    mode("etc/shadow", 0o640);
    mode("none", 0o000);
    mode("var/mail", 0o2775);
    mode("empty", 0o1777);
    std::os::unix::fs::chown(root.join("etc/shadow"), Some(0), Some(42)).unwrap();
    std::os::unix::fs::chown(root.join("var/mail"), Some(0), Some(8)).unwrap();
    std::os::unix::fs::chown(root.join("var/mail/setgid"), Some(1000), Some(1000)).unwrap();
    std::os::unix::fs::chown(root.join("su"), Some(3_000_000), Some(3_000_001)).unwrap();
    mode("su", 0o6755);
    lsetxattr(root.join("ping"), "security.capability", &CAPABILITY, XattrFlags::empty()).unwrap();
    for (dir, name) in [("d", "n"), ("D", "N")] {
        // Longer than a header's name, and than name and prefix together.
        let mut path = root.to_owned();
        for _ in 0..4 {
            path.push(dir.repeat(120));
            std::fs::create_dir(&path).unwrap();
        }
        std::fs::write(path.join(name.repeat(200)), "deep").unwrap();
        symlink("t".repeat(300), path.join("link")).unwrap();
    }
    symlink("hosts", root.join("etc/link")).unwrap();
    symlink("/nowhere/at/all", root.join("dangling")).unwrap();
    std::fs::hard_link(root.join("etc/hosts"), root.join("hosts-again")).unwrap();
    std::fs::hard_link(root.join("ping"), root.join("ping6")).unwrap();
    std::fs::hard_link(root.join("etc/link"), root.join("etc/link-again")).unwrap();
    for (name, kind, device) in [
        ("dev/null", FileType::CharacterDevice, makedev(1, 3)),
        ("dev/sda300", FileType::BlockDevice, makedev(259, 300)),
        ("dev/initctl", FileType::Fifo, 0),
    ] {
        mknodat(CWD, root.join(name), kind, Mode::from_raw_mode(0o620), device).unwrap();
    }
    let holes = |name: &str, parts: u64, step: u64, end: u64| {
        let file = File::create(root.join(name)).unwrap();
        for n in 0..parts {
            file.write_all_at(format!("part {n}").as_bytes(), n * step).unwrap();
        }
        file.set_len(end).unwrap();
    };
    holes("sparse-few", 3, 1 << 20, 4 << 20);
    holes("sparse-many", 60, 65_536, 61 << 16);
    holes("sparse-only-hole", 0, 1, 1 << 20);
    holes("sparse-huge", 2, 10 << 30, 20 << 30);
    File::create(root.join("big")).unwrap().write_all(&b"0123456789abcdef".repeat(100_000)).unwrap();
    for (name, time) in [("etc/hosts", (1_000_000_000, 123_456_789)), ("empty", (1, 0)), ("dangling", (5, 0))]
    {
        let time = rustix::fs::Timespec { tv_sec: time.0, tv_nsec: time.1 };
        let times = rustix::fs::Timestamps { last_access: time, last_modification: time };
        let no_follow = rustix::fs::AtFlags::SYMLINK_NOFOLLOW;
        rustix::fs::utimensat(CWD, root.join(name), &times, no_follow).unwrap();
    }
}

#[test]
#[ignore = "root"]
fn what_gnu_tar_packs_comes_out_as_it_went_in() {
    let source = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let root = source.path().join("root");
    std::fs::create_dir(&root).unwrap();
    grow(&root);
    // user.* only where the file system has them.
    let noted = lsetxattr(root.join("etc/hosts"), "user.note", b"a\0b=c\n", XattrFlags::empty()).is_ok();
    let table: &[(&str, bool, &[&str])] = &[
        ("gnu", true, &["--format=gnu"]),
        ("pax 0.0", false, &["--format=posix", "--sparse-version=0.0"]),
        ("pax 0.1", false, &["--format=posix", "--sparse-version=0.1"]),
        ("pax 1.0", false, &["--format=posix", "--sparse-version=1.0"]),
    ];
    for (what, whole_seconds, options) in table {
        let packed = Command::new("tar")
            .args(["--create", "--file=-", "--numeric-owner", "--sparse", "--directory"])
            .arg(&root)
            .args(*options)
            .args(if *whole_seconds { &[][..] } else { &["--xattrs", "--xattrs-include=*"] })
            .arg(".")
            .output()
            .unwrap();
        assert!(packed.status.success(), "{what}: {}", String::from_utf8_lossy(&packed.stderr));
        let bench = Bench::new();
        let done = bench.unpack(&packed.stdout).unwrap_or_else(|e| panic!("{what}: {e}"));
        assert!(done.file_bytes < 10 << 20, "{what}: holes are written: {done:?}");
        let (mut before, mut after) = (seen(&root, *whole_seconds), seen(&bench.dest(), *whole_seconds));
        if *whole_seconds {
            // GNU's own format has no attributes.
            before.values_mut().chain(after.values_mut()).for_each(|s| s.xattrs.clear());
        }
        for (path, want) in &before {
            assert_eq!(after.get(path), Some(want), "{what}: {path}");
        }
        assert_eq!(before.len(), after.len(), "{what}");
        let huge = bench.dest().join("sparse-huge").metadata().unwrap();
        assert!(huge.blocks() * 512 < 1 << 20, "{what}: {} blocks", huge.blocks());
    }
    #[expect(clippy::print_stderr, reason = "a test that leaves something out says so")]
    if !noted {
        eprintln!("not tested: user.* attributes, which this file system does not have");
    }
}
