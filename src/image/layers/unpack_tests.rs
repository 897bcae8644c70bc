use std::collections::BTreeMap;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::test_tar::{Tar, gzip, zstd};
use super::*;
use crate::image::{ImageError, digest};

pub const TAR: &str = "application/vnd.oci.image.layer.v1.tar";

/// A place with a blob and where its tree goes.
pub struct Bench {
    pub place: tempfile::TempDir,
}

impl Bench {
    pub fn new() -> Self {
        Bench { place: tempfile::tempdir().unwrap() }
    }

    pub fn dest(&self) -> PathBuf {
        self.place.path().join("layers/x/diff")
    }

    pub fn unpack(&self, tar: &[u8]) -> Result<Unpacked, ImageError> {
        self.unpack_as(tar, TAR, &digest::of_bytes(tar), &Limits::default())
    }

    pub fn unpack_as(
        &self,
        blob: &[u8],
        kind: &str,
        diff: &str,
        limits: &Limits,
    ) -> Result<Unpacked, ImageError> {
        let path = self.place.path().join("blob");
        std::fs::write(&path, blob).unwrap();
        let done = unpack(&path, kind, diff, &self.dest(), limits);
        std::fs::remove_file(path).unwrap();
        done
    }

    pub fn nothing_left(&self) -> bool {
        std::fs::read_dir(self.place.path()).unwrap().next().is_none()
    }
}

/// Path to a short description: `f644 content`, `d755`, `l-> target`, `whiteout`.
pub fn tree(root: &Path) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let mut todo = vec![root.to_owned()];
    while let Some(dir) = todo.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let meta = path.symlink_metadata().unwrap();
            let (kind, mode) = (meta.file_type(), meta.permissions().mode() & 0o7777);
            let text = if kind.is_dir() {
                todo.push(path.clone());
                format!("d{mode:o}")
            } else if kind.is_symlink() {
                format!("l-> {}", std::fs::read_link(&path).unwrap().display())
            } else if kind.is_char_device() && meta.rdev() == 0 {
                "whiteout".to_owned()
            } else if kind.is_file() {
                format!("f{mode:o} {}", String::from_utf8_lossy(&std::fs::read(&path).unwrap()))
            } else {
                format!("node{mode:o} {:x}", meta.rdev())
            };
            all.insert(path.strip_prefix(root).unwrap().display().to_string(), text);
        }
    }
    all
}

fn opaque(path: &Path) -> bool {
    let mut buf = [0u8; 8];
    matches!(rustix::fs::getxattr(path, "trusted.overlay.opaque", &mut buf[..]), Ok(1)) && buf[0] == b'y'
}

#[test]
#[ignore = "root"]
fn every_kind_of_entry() {
    let bench = Bench::new();
    let long = format!("{}/{}", "d".repeat(90), "f".repeat(90));
    let tar = Tar::new()
        .dir("./")
        .entry(b'5', "tmp", 0o1777, "", b"")
        .entry(b'0', "bin/su", 0o4755, "", b"su")
        .link("bin/su2", "/bin/su")
        .symlink("sh", "bin/busybox")
        .symlink("away", "/etc/passwd")
        .sized(b'3', "dev/null", 0o666, "", b"", 0, (1, 3))
        .sized(b'4', "dev/vda", 0o660, "", b"", 0, (254, 0))
        .entry(b'6', "pipe", 0o600, "", b"")
        .file(&long, "long")
        .pax(&[("path", "päx".as_bytes()), ("mtime", b"12.5"), ("SCHILY.xattr.user.note", b"a\0b")])
        .file("short", "pax")
        .pax(&[("uid", b"70000"), ("gid", b"70001")])
        .file("owned", "")
        .done();
    let done = bench.unpack(&tar).unwrap();
    assert_eq!((done.entries, done.existed, done.tar_bytes), (12, false, tar.len() as u64));
    let root = bench.dest();
    let tree = tree(&root);
    for (path, text) in [
        ("tmp", "d1777"),
        ("bin", "d755"),
        ("bin/su", "f644 su"),
        ("bin/su2", "f644 su"),
        ("sh", "l-> bin/busybox"),
        ("away", "l-> /etc/passwd"),
        ("dev/null", "node666 103"),
        ("pipe", "node600 0"),
        (&long, "f644 long"),
        ("päx", "f644 pax"),
    ] {
        assert_eq!(tree.get(path).map(String::as_str), Some(text), "{path}");
    }
    assert!(root.join("dev/vda").metadata().unwrap().file_type().is_block_device());
    let meta = root.join("päx").metadata().unwrap();
    assert_eq!((meta.mtime(), meta.mtime_nsec()), (12, 500_000_000));
    let mut note = [0u8; 8];
    assert_eq!(rustix::fs::getxattr(root.join("päx"), "user.note", &mut note[..]), Ok(3));
    let meta = root.join("owned").metadata().unwrap();
    assert_eq!((meta.uid(), meta.gid()), (70000, 70001));
    assert_eq!(root.join("tmp").metadata().unwrap().mtime(), 15);
    assert_eq!(root.join("bin/su").metadata().unwrap().nlink(), 2);
}

#[test]
#[ignore = "root"]
fn setuid_survives_the_owner() {
    let bench = Bench::new();
    let tar = Tar::new().pax(&[("uid", b"5")]).entry(b'0', "su", 0o6755, "", b"x").done();
    bench.unpack(&tar).unwrap();
    let meta = bench.dest().join("su").metadata().unwrap();
    assert_eq!((meta.uid(), meta.mode() & 0o7777), (5, 0o6755));
}

#[test]
#[ignore = "root"]
fn whiteouts_speak_of_the_layers_below() {
    let bench = Bench::new();
    let tar = Tar::new()
        .file("etc/.wh.gone", "")
        .file("etc/keep", "kept")
        .file("etc/.wh.keep", "")
        .dir("var/own/")
        .file("var/own/mine", "mine")
        .file("var/.wh.own", "")
        .file(".wh.later", "")
        .dir("later")
        .file("srv/.wh..wh..opq", "")
        .file("srv/new", "new")
        .file(".wh..wh.plnk/12.34", "aufs")
        .file(".wh..wh.aufs", "aufs")
        .done();
    let done = bench.unpack(&tar).unwrap();
    assert_eq!((done.whiteouts, done.opaque_dirs), (4, 1));
    let root = bench.dest();
    let tree = tree(&root);
    assert_eq!(tree["etc/gone"], "whiteout");
    assert_eq!(tree["etc/keep"], "f644 kept", "a whiteout never hides what its own layer has");
    assert_eq!(tree["var/own/mine"], "f644 mine");
    assert_eq!(tree["later"], "d755");
    for (path, want) in [("var/own", true), ("later", true), ("srv", true), ("etc", false)] {
        assert_eq!(opaque(&root.join(path)), want, "{path}");
    }
    assert!(tree.keys().all(|k| !k.contains(".wh.")), "{tree:?}");
}

#[test]
#[ignore = "root"]
fn later_entries_replace_earlier_ones() {
    let bench = Bench::new();
    let tar = Tar::new()
        .file("a", "one")
        .file("a", "two")
        .dir("d")
        .file("d/x", "x")
        .symlink("d", "a")
        .symlink("s", "elsewhere")
        .dir("s")
        .file("s/in", "in")
        .file("l/deep", "1")
        .symlink("rel", "l")
        .file("rel/through", "2")
        .done();
    bench.unpack(&tar).unwrap();
    let tree = tree(&bench.dest());
    assert_eq!(tree["a"], "f644 two");
    assert_eq!(tree["d"], "l-> a");
    assert_eq!(tree["s/in"], "f644 in");
    assert_eq!(tree["l/through"], "f644 2", "a link that stays inside is followed");
}

#[test]
#[ignore = "root"]
fn compressed_layers() {
    let tar = Tar::new().file("a", &"content ".repeat(5000)).done();
    let diff = digest::of_bytes(&tar);
    let half = tar.len() / 2;
    let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3][..], &zstd(&tar)].concat();
    let table: Vec<(&str, &str, Vec<u8>)> = vec![
        ("gzip", "application/vnd.oci.image.layer.v1.tar+gzip", gzip(&tar)),
        ("docker gzip", "application/vnd.docker.image.rootfs.diff.tar.gzip", gzip(&tar)),
        (
            "two members",
            "application/vnd.oci.image.layer.v1.tar+gzip",
            [gzip(&tar[..half]), gzip(&tar[half..])].concat(),
        ),
        ("zstd", "application/vnd.oci.image.layer.v1.tar+zstd", zstd(&tar)),
        (
            "two frames",
            "application/vnd.oci.image.layer.v1.tar+zstd",
            [zstd(&tar[..half]), zstd(&tar[half..])].concat(),
        ),
        ("skippable frame", "application/vnd.oci.image.layer.v1.tar+zstd", skippable),
    ];
    for (what, kind, blob) in table {
        let bench = Bench::new();
        let limits = Limits::for_blob(blob.len() as u64);
        let done = bench.unpack_as(&blob, kind, &diff, &limits).unwrap_or_else(|e| panic!("{what}: {e}"));
        assert_eq!(done.tar_bytes, tar.len() as u64, "{what}");
        assert_eq!(std::fs::read(bench.dest().join("a")).unwrap().len(), 40000, "{what}");
    }
}

#[test]
#[ignore = "root"]
fn a_second_time_takes_what_is_there_and_a_race_has_one_winner() {
    let bench = Bench::new();
    let tar = Tar::new().file("a", "1").done();
    assert!(!bench.unpack(&tar).unwrap().existed);
    let again = bench.unpack(&tar).unwrap();
    assert_eq!(again, Unpacked { existed: true, ..Unpacked::default() });

    let race = tempfile::tempdir().unwrap();
    let (blob, dest) = (race.path().join("blob"), race.path().join("layers/x/diff"));
    std::fs::write(&blob, &tar).unwrap();
    let diff = digest::of_bytes(&tar);
    std::thread::scope(|s| {
        for _ in 0..4 {
            s.spawn(|| unpack(&blob, TAR, &diff, &dest, &Limits::default()).unwrap());
        }
    });
    let left: Vec<_> =
        std::fs::read_dir(dest.parent().unwrap()).unwrap().flatten().map(|e| e.file_name()).collect();
    assert_eq!(left, ["diff"]);
}

#[test]
#[ignore = "root"]
fn names_that_are_no_text_and_names_that_come_again() {
    use std::os::unix::ffi::OsStrExt;

    let bench = Bench::new();
    let tar = Tar::new()
        .bytes_name(b'0', b"caf\xe9/\xff\xfe", b"latin")
        .file("one", "one")
        .link("again", "one")
        .file("again", "two")
        .symlink("s", "/etc/passwd")
        .link("h", "s")
        .file("h", "own")
        .entry(b'6', "x", 0o600, "", b"")
        .dir("x")
        .file("x/in", "in")
        .entry(b'5', "x", 0o700, "", b"")
        .entry(b'5', ".wh.gone", 0o755, "", b"")
        .entry(b'5', "opaque/.wh..wh..opq", 0o755, "", b"")
        .done();
    let done = bench.unpack(&tar).unwrap();
    assert_eq!((done.whiteouts, done.opaque_dirs), (1, 1));
    let root = bench.dest();
    let latin = root.join(std::ffi::OsStr::from_bytes(b"caf\xe9/\xff\xfe"));
    assert_eq!(std::fs::read_to_string(latin).unwrap(), "latin");
    let tree = tree(&root);
    assert_eq!((tree["one"].as_str(), tree["again"].as_str()), ("f644 one", "f644 two"));
    assert_eq!((tree["s"].as_str(), tree["h"].as_str()), ("l-> /etc/passwd", "f644 own"));
    assert_eq!((tree["x"].as_str(), tree["x/in"].as_str()), ("d700", "f644 in"));
    assert_eq!(tree["gone"], "whiteout");
}

#[test]
#[ignore = "root"]
fn whiteouts_are_named_if_wanted() {
    let place = tempfile::tempdir().unwrap();
    let tar = Tar::new()
        .file("a/.wh.b", "")
        .file("c", "")
        .file(".wh.c", "")
        .file("d/.wh..wh..opq", "")
        .file(".wh.more", "")
        .done();
    let limits = Limits::default();
    let layer = Declared {
        blob: Path::new("sha256:0"),
        size: tar.len() as u64,
        diff_id: None,
        limits: &limits,
        name_whiteouts: 3,
    };
    let done = unpack_tar(&tar[..], &layer, &place.path().join("diff")).unwrap();
    let told: Vec<_> = done.converted.iter().map(|c| (c.entry.as_str(), c.path.as_str(), c.how)).collect();
    let want = [
        ("a/.wh.b", "a/b", Hidden::Device),
        (".wh.c", "c", Hidden::Replaced),
        ("d/.wh..wh..opq", "d", Hidden::Opaque),
    ];
    assert_eq!(told, want);
    assert_eq!(done.whiteouts, 3);
}

/// A link of the layer below is not followed: to this layer it does not exist.
#[test]
#[ignore = "root"]
fn a_link_of_the_layer_below_leads_nowhere() {
    let lower = Bench::new();
    lower.unpack(&Tar::new().symlink("etc", "/tmp").symlink("up", "../../..").done()).unwrap();
    let upper = Bench::new();
    let tar = Tar::new().file("etc/canary", "x").file("up/canary", "x").file("etc/.wh.gone", "").done();
    upper.unpack(&tar).unwrap();
    assert!(!Path::new("/tmp/canary").exists());
    assert_eq!(tree(&upper.dest())["etc"], "d755");
    let error = upper_link(&upper).unwrap_err();
    assert!(error.to_string().contains("does not have before it"), "{error}");
}

/// A hard link to a file that only the layer below has.
fn upper_link(bench: &Bench) -> Result<Unpacked, ImageError> {
    let tar = Tar::new().link("l", "passwd").done();
    let path = bench.place.path().join("blob");
    std::fs::write(&path, &tar).unwrap();
    let other = bench.place.path().join("layers/y/diff");
    unpack(&path, TAR, &digest::of_bytes(&tar), &other, &Limits::default())
}
