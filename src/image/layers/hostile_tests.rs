//! Archives made to do harm: each is refused with its reason, nothing is
//! written outside, nothing is left behind.

use super::test_tar::{Tar, gzip, zstd};
use super::unpack_tests::{Bench, TAR};
use super::*;
use crate::image::digest;

const GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";

/// Name, tar, and a part of the message.
fn table() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let t = Tar::new;
    let canary = "../canary";
    vec![
        ("parent name", t().file("../canary", "x").done(), "leads out of the layer"),
        ("deep parent name", t().file("a/b/../../../canary", "x").done(), "leads out of the layer"),
        ("absolute parent name", t().file("/../canary", "x").done(), "leads out of the layer"),
        ("parent in a pax path", t().pax(&[("path", b"../canary")]).file("a", "x").done(), "leads out"),
        (
            "parent in a long name",
            t().file(&format!("{}../canary", "a/../".repeat(40)), "x").done(),
            "leads out of the layer",
        ),
        ("directory outside", t().dir("../canary").done(), "leads out of the layer"),
        ("through an absolute link", t().symlink("l", "/etc").file("l/passwd", "x").done(), "symbolic link"),
        ("through a parent link", t().symlink("l", "../..").file("l/canary", "x").done(), "symbolic link"),
        (
            "through two links",
            t().dir("a").symlink("a/l", "..").symlink("m", "a/l/..").file("m/canary", "x").done(),
            "symbolic link",
        ),
        ("directory through a link", t().symlink("l", "../..").dir("l/canary").done(), "symbolic link"),
        ("through a loop", t().symlink("a", "b").symlink("b", "a").file("a/x", "x").done(), "loop"),
        ("through a dangling link", t().symlink("a", "nowhere").file("a/x", "x").done(), "leads nowhere"),
        ("through a file", t().file("a", "x").file("a/b", "x").done(), "not a directory"),
        ("through proc", t().symlink("p", "/proc/self/root").file("p/canary", "x").done(), "symbolic link"),
        ("hard link outside", t().link("l", "../canary").done(), "leads out"),
        ("hard link through a link", t().symlink("s", "/etc").link("l", "s/passwd").done(), "symbolic link"),
        (
            "hard link through a parent link",
            t().symlink("s", "../..").link("l", "s/canary").done(),
            "symbolic link",
        ),
        ("hard link to nothing", t().link("l", "etc/passwd").done(), "leads nowhere"),
        ("hard link to a missing name", t().link("l", "passwd").done(), "does not have before it"),
        ("hard link to a directory", t().dir("d").link("l", "d").done(), "directory"),
        ("hard link to the root", t().link("l", "/").done(), "directory"),
        ("hard link to a whiteout", t().file(".wh.w", "").link("l", "w").done(), "does not have"),
        ("whiteout of dot", t().file("etc/.wh..", "").done(), "whiteout of"),
        ("whiteout of dot dot", t().file(".wh...", "").done(), "whiteout of"),
        ("whiteout of nothing", t().file(".wh.", "").done(), "without a name"),
        (
            "whiteout through a link",
            t().symlink("l", "../..").file("l/.wh.canary", "").done(),
            "symbolic link",
        ),
        (
            "opaque through a link",
            t().symlink("l", "/etc").file("l/.wh..wh..opq", "").done(),
            "symbolic link",
        ),
        ("parent whiteout", t().file("../.wh.canary", "").done(), "leads out"),
        (
            "overlay attribute",
            t().pax(&[("SCHILY.xattr.trusted.overlay.redirect", b"/etc")]).dir("a").done(),
            "attribute of overlayfs",
        ),
        (
            "user overlay attribute",
            t().pax(&[("SCHILY.xattr.user.overlay.opaque", b"y")]).dir("a").done(),
            "attribute of overlayfs",
        ),
        (
            "attribute with a NUL",
            t().pax(&[("SCHILY.xattr.a\0b", b"y")]).file("a", "").done(),
            "without a proper name",
        ),
        ("device 0/0", t().entry(b'3', "w", 0o600, "", b"").done(), "whiteout to overlayfs"),
        ("the root as a file", t().file("./", "x").done(), "the layer's root"),
        ("the root as a link", t().symlink("", "/etc").done(), "the layer's root"),
        ("dot dot as a link", t().symlink("..", "/etc").done(), "leads out"),
        ("NUL in a pax name", t().pax(&[("path", b"a\0b")]).file("a", "x").done(), "NUL"),
        ("long part", t().file(&"n".repeat(300), "x").done(), "255 bytes"),
        ("long name", t().file(&"d/".repeat(3000), "x").done(), "4095 bytes"),
        ("link without target", t().symlink("l", "").done(), "usable target"),
        ("unknown type", t().entry(b'Z', "z", 0o644, "", b"").done(), "type 'Z' is unknown"),
        ("uid out of range", t().pax(&[("uid", b"4294967295")]).file("a", "").done(), "out of range"),
        ("pax sparse", t().pax(&[("GNU.sparse.major", b"1")]).file("a", "").done(), "sparse"),
        ("bad time", t().pax(&[("mtime", b"never")]).file("a", "").done(), "mtime"),
        ("broken pax record", t().raw(&pax_garbage()).file("a", "").done(), "PAX"),
        ("no tar", b"hello, this is no tar at all".repeat(100), "cannot be read"),
        ("text", b"hello".to_vec(), "truncated"),
        ("cut header", t().file("a", "x").done()[..300].to_vec(), "truncated"),
        ("cut content", t().file("a", &"x".repeat(2000)).done()[..1024].to_vec(), "truncated"),
        (
            "size beyond the end",
            t().sized(b'0', "a", 0o644, "", b"x", 1 << 32, (0, 0)).open_end().done(),
            "truncated",
        ),
        (
            "more after the end",
            t().file("a", "x").done().into_iter().chain(*b"more").collect(),
            "after the end",
        ),
        (
            "a second archive after the end",
            [t().file("a", "x").done(), t().file("b", "x").done()].concat(),
            "after the end",
        ),
        ("pax header without its entry", t().pax(&[("path", b"a")]).done(), "future member"),
        ("huge long name", t().raw(&long_name(5 << 20)).file("a", "x").done(), "exceed 4 MiB"),
        ("endless sparse file", t().raw(&sparse("s")).done(), "expands to more than"),
        ("endless sparse whiteout", t().raw(&sparse(".wh.s")).done(), "expands to more than"),
        ("no text that climbs", t().bytes_name(b'0', b"\xff/../../canary", b"x").done(), "leads out"),
        (
            "a directory that becomes a link",
            t().dir("d").file("d/f", "x").symlink("d", "../..").file("d/canary", "x").done(),
            "symbolic link",
        ),
        (
            "a file that becomes a link",
            t().file("d", "x").symlink("d", "/etc").file("d/passwd", "x").done(),
            "symbolic link",
        ),
        (
            "a link behind a link",
            t().symlink("a", "b").symlink("b", "..").link("l", "a/../canary").done(),
            "does not have before it",
        ),
        ("a hard link to a link, then through it", hard_link_to_link(), "symbolic link"),
        ("a longer size in PAX", t().pax(&[("size", b"99999999")]).file("a", "x").done(), "truncated"),
        (
            "the largest size in PAX",
            t().pax(&[("size", b"18446744073709551615")]).file("a", "x").done(),
            "truncated",
        ),
        ("a negative size in PAX", t().pax(&[("size", b"-1")]).file("a", "x").done(), "PAX size"),
        ("PAX twice", t().pax(&[("uid", b"1")]).pax(&[("uid", b"2")]).file("a", "").done(), "two headers"),
        (
            "PAX path of 5,000 bytes",
            t().pax(&[("path", &[b'd', b'/'].repeat(2500))]).file("a", "").done(),
            "4095",
        ),
        ("endless map of a sparse file", pax_sparse(b"99999999999999999\n0\n1\n", b"1"), "sparse map"),
        ("no map of a sparse file", pax_sparse(b"what\n", b"1"), "sparse map"),
        ("a map that goes back", pax_sparse(b"2\n512\n256\n0\n256\n", b"4096"), "not in order"),
        ("a map beyond the file", pax_sparse(b"1\n0\n512\n", b"100"), "differ"),
        ("a map of what is not stored", pax_sparse(b"1\n0\n4096\n", b"8192"), "differ"),
        (
            "a map without a length",
            t().pax(&[("GNU.sparse.size", b"9"), ("GNU.sparse.offset", b"0"), ("GNU.sparse.offset", b"1")])
                .file("a", "")
                .done(),
            "sparse map",
        ),
        (
            "a device without a number",
            {
                let mut h = t().sized(b'3', "d", 0o600, "", b"", 0, (1, 3)).open_end().done();
                h[329..337].copy_from_slice(b"banana!!");
                checksum(&mut h);
                h
            },
            "without a number",
        ),
        ("a canary by name only", t().file(canary, "x").done(), "leads out"),
    ]
}

/// A hard link has the link's own name, and means the same as the link.
fn hard_link_to_link() -> Vec<u8> {
    Tar::new().symlink("s", "../..").link("h", "s").file("h/canary", "x").done()
}

/// A sparse file of version 1.0: this map before 512 bytes of content.
fn pax_sparse(map: &[u8], size: &[u8]) -> Vec<u8> {
    let mut data = map.to_vec();
    data.resize(512, 0);
    data.extend([b'x'; 512]);
    let records: [(&str, &[u8]); 4] = [
        ("GNU.sparse.major", b"1"),
        ("GNU.sparse.minor", b"0"),
        ("GNU.sparse.name", b"s"),
        ("GNU.sparse.realsize", size),
    ];
    Tar::new().pax(&records).entry(b'0', "GNUSparseFile.0/s", 0o644, "", &data).done()
}

fn checksum(h: &mut [u8]) {
    h[148..156].copy_from_slice(b"        ");
    let sum: u32 = h[..512].iter().map(|b| u32::from(*b)).sum();
    h[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

fn pax_garbage() -> Vec<u8> {
    let tar = Tar::new().entry(b'x', "PaxHeaders/x", 0o644, "", b"99999 path=../canary\n");
    tar.open_end().done()
}

fn long_name(len: usize) -> Vec<u8> {
    Tar::new().entry(b'L', "././@LongLink", 0, "", &vec![b'n'; len]).open_end().done()
}

/// An old GNU sparse header: nothing stored, `real_size` is 2^62.
fn sparse(name: &str) -> Vec<u8> {
    let mut h = Tar::new().entry(b'S', name, 0o644, "", b"").open_end().done();
    let size = (1u64 << 62).to_be_bytes();
    // One sparse block of no bytes at the very end, and the real size.
    h[386] = 0x80;
    h[390..398].copy_from_slice(&size);
    h[398..410].copy_from_slice(b"00000000000\0");
    h[483] = 0x80;
    h[487..495].copy_from_slice(&size);
    checksum(&mut h);
    h
}

#[test]
#[ignore = "root"]
fn refused_without_a_trace() {
    let table = table();
    assert!(table.len() >= 40);
    for (what, tar, reason) in table {
        let bench = Bench::new();
        let limits = Limits { floor: 16 << 20, ..Limits::default() };
        let done = bench.unpack_as(&tar, TAR, &digest::of_bytes(&tar), &limits);
        let error = done.expect_err(what);
        assert!(error.to_string().contains(reason), "{what}: {error}");
        assert!(error.hint().is_some(), "{what}: {error:?}");
        assert!(bench.nothing_left(), "{what} left something");
    }
}

/// With a byte changed, counted from the end.
fn flip(mut blob: Vec<u8>, from_end: usize) -> Vec<u8> {
    let at = blob.len() - from_end;
    blob[at] ^= 0x55;
    blob
}

#[test]
#[ignore = "root"]
fn compressed_harm() {
    let tar = Tar::new().file("a", &"x".repeat(100_000)).done();
    let zeros = Tar::new().entry(b'0', "a", 0o644, "", &vec![0; 40 << 20]).done();
    let bomb = gzip(&zeros);
    let diff = digest::of_bytes(&tar);
    let cut = |mut blob: Vec<u8>| {
        blob.truncate(blob.len() / 2);
        blob
    };
    let table: Vec<(&str, &str, Vec<u8>, String, &str)> = vec![
        ("gzip bomb", GZIP, bomb, digest::of_bytes(&zeros), "expands to more than"),
        ("gzip cut", GZIP, cut(gzip(&tar)), diff.clone(), "truncated"),
        ("gzip and garbage", GZIP, [gzip(&tar), b"garbage".repeat(20)].concat(), diff.clone(), "gzip header"),
        ("no gzip", GZIP, tar.clone(), diff.clone(), "gzip header"),
        ("zstd cut", ZSTD, cut(zstd(&tar)), diff.clone(), "unpack layer"),
        ("gzip with a wrong checksum", GZIP, flip(gzip(&tar), 6), diff.clone(), "unpack layer"),
        ("gzip with a wrong length", GZIP, flip(gzip(&tar), 2), diff.clone(), "unpack layer"),
        ("zstd with a changed byte", ZSTD, flip(zstd(&tar), 20), diff.clone(), "layer"),
        (
            "zstd with an endless window",
            ZSTD,
            vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xff, 1, 0, 0],
            diff.clone(),
            "zstd",
        ),
        (
            "an endless skippable frame",
            ZSTD,
            vec![0x50, 0x2a, 0x4d, 0x18, 0xff, 0xff, 0xff, 0xff, 0],
            diff.clone(),
            "truncated",
        ),
        ("no zstd", ZSTD, tar.clone(), diff.clone(), "zstd"),
        ("another diff id", TAR, tar.clone(), digest::of_bytes(b"other"), "digest is"),
        ("no layer", "application/vnd.oci.image.config.v1+json", tar.clone(), diff.clone(), "not supported"),
        (
            "encrypted",
            "application/vnd.oci.image.layer.v1.tar+gzip+encrypted",
            tar.clone(),
            diff,
            "not supported",
        ),
    ];
    for (what, kind, blob, diff, reason) in table {
        let bench = Bench::new();
        let limits = Limits { floor: 16 << 20, ratio: 50, ..Limits::default() };
        let error = bench.unpack_as(&blob, kind, &diff, &limits).expect_err(what);
        assert!(error.to_string().contains(reason), "{what}: {error}");
        assert!(bench.nothing_left(), "{what} left something");
    }
    let bench = Bench::new();
    let limits = Limits::for_blob(1);
    let error = bench.unpack_as(&tar, TAR, &digest::of_bytes(&tar), &limits).unwrap_err();
    assert!(error.to_string().contains("not 1"), "{error}");
    let bench = Bench::new();
    let limits = Limits { entries: 3, ..Limits::default() };
    let many = Tar::new().file("a", "").file("b", "").file("c", "").file("d", "").done();
    let error = bench.unpack_as(&many, TAR, &digest::of_bytes(&many), &limits).unwrap_err();
    assert!(error.to_string().contains("more than 3 entries") && bench.nothing_left(), "{error}");
}
