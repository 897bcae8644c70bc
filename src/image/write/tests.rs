use std::collections::BTreeMap;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Mode, Timespec, Timestamps, XattrFlags};

use super::*;
use crate::image::layers::{self, Limits};

fn time(path: &Path, seconds: i64, nanos: i64) {
    let t = Timespec { tv_sec: seconds, tv_nsec: nanos };
    let times = Timestamps { last_access: t, last_modification: t };
    rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
}

fn attribute(path: &Path, key: &str, value: &[u8]) {
    rustix::fs::lsetxattr(path, key, value, XattrFlags::empty()).unwrap();
}

fn node(path: &Path, kind: FileType, device: (u32, u32)) {
    rustix::fs::mknodat(CWD, path, kind, Mode::from_raw_mode(0o640), rustix::fs::makedev(device.0, device.1))
        .unwrap();
}

/// `cap_net_raw+ep`, as setcap(8) writes it.
const CAPABILITY: [u8; 20] = [1, 0, 0, 2, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// A tree with every kind of thing that a container can leave.
fn everything(dir: &Path) {
    let at = |name: &str| dir.join(name);
    std::fs::create_dir_all(at("d/deep")).unwrap();
    std::fs::write(at("d/file"), "content").unwrap();
    std::fs::set_permissions(at("d/file"), std::fs::Permissions::from_mode(0o4755)).unwrap();
    std::os::unix::fs::chown(at("d/deep"), Some(70_000), Some(3_000_000)).unwrap();
    std::fs::write(at("empty"), "").unwrap();
    std::fs::hard_link(at("d/file"), at("z-same")).unwrap();
    std::os::unix::fs::symlink("d/file", at("link")).unwrap();
    std::os::unix::fs::symlink("n".repeat(300), at("long-link")).unwrap();
    node(&at("null"), FileType::CharacterDevice, (1, 3));
    node(&at("disk"), FileType::BlockDevice, (259, 70_000));
    node(&at("fifo"), FileType::Fifo, (0, 0));
    std::fs::write(at("ping"), "program").unwrap();
    attribute(&at("ping"), "security.capability", &CAPABILITY);
    attribute(&at("ping"), "user.note", b"with\0zero");
    attribute(&at("d"), "user.dir", b"");
    let long = format!("{}/{}", "a".repeat(200), "b".repeat(250));
    std::fs::create_dir_all(at(&long)).unwrap();
    std::fs::write(at(&format!("{long}/é.txt")), "x").unwrap();
    let sparse = std::fs::File::create(at("sparse")).unwrap();
    sparse.set_len(3 << 40).unwrap();
    sparse.write_all_at(b"begin", 0).unwrap();
    sparse.write_all_at(b"far", 1 << 40).unwrap();
    for (name, s, n) in [("d/file", 1, 5), ("link", 1_000_000_000, 123_456_789), ("empty", -5, 500_000_000)] {
        time(&at(name), s, n);
    }
    for (name, s) in [("d/deep", 17), ("d", 18), ("null", 19)] {
        time(&at(name), s, 0);
    }
}

/// All that a tar keeps of a tree, in words.
fn describe(dir: &Path) -> BTreeMap<PathBuf, String> {
    fn walk(
        dir: &Path,
        root: &Path,
        all: &mut BTreeMap<PathBuf, String>,
        inodes: &mut HashMap<u64, PathBuf>,
    ) {
        let mut entries: Vec<_> = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
        entries.sort();
        for path in entries {
            let m = path.symlink_metadata().unwrap();
            let name = path.strip_prefix(root).unwrap().to_owned();
            let first = inodes.entry(m.ino()).or_insert_with(|| name.clone()).clone();
            let content = if m.is_symlink() {
                std::fs::read_link(&path).unwrap().to_string_lossy().into_owned()
            } else if m.is_file() && m.len() < 1 << 20 {
                String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned()
            } else if m.is_file() {
                let file = std::fs::File::open(&path).unwrap();
                let mut far = [0; 3];
                file.read_exact_at(&mut far, 1 << 40).unwrap();
                format!("{} with {:?}, sparse: {}", m.len(), far, m.blocks() < 64)
            } else {
                String::new()
            };
            let mut names = vec![0; 1024];
            let n = rustix::fs::llistxattr(&path, &mut names[..]).unwrap();
            let mut keys: Vec<String> = String::from_utf8_lossy(&names[..n])
                .split('\0')
                .filter(|k| !k.is_empty())
                .map(str::to_owned)
                .collect();
            keys.sort();
            let values: Vec<_> = keys
                .iter()
                .map(|k| {
                    let mut value = vec![0; 256];
                    let n = rustix::fs::lgetxattr(&path, k.as_str(), &mut value[..]).unwrap();
                    format!("{k}={:?}", &value[..n])
                })
                .collect();
            let words = format!(
                "{:o} {}:{} {}.{:09} dev {} {content:?} {values:?} first {}",
                m.mode(),
                m.uid(),
                m.gid(),
                m.mtime(),
                m.mtime_nsec(),
                m.rdev(),
                first.display()
            );
            all.insert(name, words);
            if m.is_dir() {
                walk(&path, root, all, inodes);
            }
        }
    }
    let mut all = BTreeMap::new();
    walk(dir, dir, &mut all, &mut HashMap::new());
    all
}

fn tar_of(layers: &[PathBuf]) -> (Vec<u8>, Written) {
    let mut out = Vec::new();
    let done = layer(&Stack::open(layers).unwrap(), &mut out).unwrap();
    (out, done)
}

fn unpacked(tar: &[u8], place: &Path) -> PathBuf {
    let blob = place.join("blob");
    std::fs::write(&blob, tar).unwrap();
    let dest = place.join("again/diff");
    let limits = Limits { holes: 4 << 40, ..Limits::default() };
    let media = "application/vnd.oci.image.layer.v1.tar";
    layers::unpack(&blob, media, &crate::image::digest::of_bytes(tar), &dest, &limits).unwrap();
    dest
}

/// Names and types, in the order of the archive.
fn members(tar: &[u8]) -> Vec<String> {
    let mut archive = tar::Archive::new(tar);
    archive
        .entries()
        .unwrap()
        .map(|e| String::from_utf8_lossy(&e.unwrap().path_bytes()).into_owned())
        .collect()
}

#[test]
#[ignore = "root"]
fn everything_survives() {
    let place = tempfile::tempdir_in("/dev/shm").unwrap();
    let upper = place.path().join("upper");
    everything(&upper);
    let (tar, done) = tar_of(std::slice::from_ref(&upper));
    assert!(tar.len() < 100 << 10, "holes are not stored: {}", tar.len());
    assert_eq!((done.sparse, done.hard_links, done.whiteouts), (1, 1, 0));
    let again = unpacked(&tar, place.path());
    let (want, got) = (describe(&upper), describe(&again));
    for (path, words) in &want {
        assert_eq!(got.get(path), Some(words), "{}", path.display());
    }
    assert_eq!(want.len(), got.len());
    assert_eq!(tar_of(&[upper]).0, tar, "the same tree makes the same bytes");
}

#[test]
#[ignore = "root"]
fn marks_of_overlayfs_become_marks_of_a_layer() {
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name);
    for file in ["low/gone", "low/d/old", "low/e/old", "low/kept"] {
        std::fs::create_dir_all(at(file).parent().unwrap()).unwrap();
        std::fs::write(at(file), "x").unwrap();
    }
    for dir in ["up/d", "up/e", "up/new"] {
        std::fs::create_dir_all(at(dir)).unwrap();
    }
    node(&at("up/gone"), FileType::CharacterDevice, (0, 0));
    node(&at("up/left-by-rename"), FileType::CharacterDevice, (0, 0));
    attribute(&at("up/d"), "trusted.overlay.opaque", b"y");
    // overlayfs marks every new directory so; there is nothing to hide.
    attribute(&at("up/new"), "trusted.overlay.opaque", b"y");
    attribute(&at("up/new"), "trusted.overlay.origin", b"x");
    attribute(&at("up/e"), "trusted.overlay.opaque", b"x");
    std::fs::write(at("up/e/old"), "").unwrap();
    attribute(&at("up/e/old"), "trusted.overlay.whiteout", b"");
    let (tar, done) = tar_of(&[at("up"), at("low")]);
    assert_eq!(members(&tar), [".wh.gone", "d/", "d/.wh..wh..opq", "e/", "e/.wh.old", "new/"]);
    assert_eq!((done.whiteouts, done.opaque_dirs, done.entries), (2, 1, 6));
    assert!(!String::from_utf8_lossy(&tar).contains("overlay"), "its own attributes stay behind");
    // Flattened, the same trees show what the union shows.
    let mut flat = Vec::new();
    merged(&Stack::open(&[at("up"), at("low")]).unwrap(), &mut flat).unwrap();
    assert_eq!(members(&flat), ["./", "kept", "d/", "e/", "new/"]);
}

#[test]
#[ignore = "root"]
fn what_no_layer_can_hold() {
    let place = tempfile::tempdir().unwrap();
    let upper = place.path().join("upper");
    std::fs::create_dir(&upper).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(upper.join("socket")).unwrap();
    std::fs::set_permissions(&upper, std::fs::Permissions::from_mode(0o700)).unwrap();
    let (tar, done) = tar_of(std::slice::from_ref(&upper));
    assert_eq!((members(&tar), done.sockets), (vec!["./".to_owned()], 1), "a changed root is kept");
    std::fs::write(upper.join(".wh.x"), "").unwrap();
    let error = layer(&Stack::open(&[upper]).unwrap(), &mut Vec::new()).unwrap_err();
    assert!(error.to_string().contains("means a deletion"), "{error}");
}

#[test]
#[ignore = "root"]
fn gnu_tar_reads_it() {
    let place = tempfile::tempdir_in("/dev/shm").unwrap();
    let upper = place.path().join("upper");
    everything(&upper);
    let (tar, _) = tar_of(std::slice::from_ref(&upper));
    std::fs::write(place.path().join("t"), tar).unwrap();
    let out = place.path().join("out");
    std::fs::create_dir(&out).unwrap();
    let done = std::process::Command::new("tar")
        .args(["--xattrs", "--xattrs-include=*", "--numeric-owner", "-xpf", "../t"])
        .current_dir(&out)
        .status()
        .unwrap();
    assert!(done.success());
    let (want, got) = (describe(&upper), describe(&out));
    for (path, words) in &want {
        // GNU tar keeps no attribute without a value.
        if path != Path::new("d") {
            assert_eq!(got.get(path), Some(words), "{}", path.display());
        }
    }
}
