//! Properties of the unpacker, over archives that nobody thought of.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use proptest::prelude::*;

use super::test_tar::{Tar, gzip, zstd};
use super::unpack_tests::{Bench, TAR, tree};
use super::*;
use crate::image::digest;

/// An entry of a tree as a user could make it.
#[derive(Clone, Debug)]
enum Node {
    Dir { mode: u32 },
    File { mode: u32, owner: (u32, u32), mtime: i64, content: Vec<u8> },
    Link(String),
    Fifo { mode: u32 },
}

fn node() -> impl Strategy<Value = Node> {
    let mode =
        || prop_oneof![Just(0o644u32), Just(0o755), Just(0o4755), Just(0o2711), Just(0), 0u32..0o10000];
    let owner = prop_oneof![Just((0u32, 0u32)), (0u32..100_000, 0u32..100_000)];
    let content = proptest::collection::vec(any::<u8>(), 0..1500);
    prop_oneof![
        mode().prop_map(|mode| Node::Dir { mode }),
        (mode(), owner, -1_000_000i64..4_000_000_000, content)
            .prop_map(|(mode, owner, mtime, content)| Node::File { mode, owner, mtime, content }),
        "[a-z/.]{1,20}".prop_map(Node::Link),
        mode().prop_map(|mode| Node::Fifo { mode }),
    ]
}

/// Names of one to three parts; what is below a file is left out later.
fn trees() -> impl Strategy<Value = BTreeMap<String, Node>> {
    let part = "[a-eé]{1,3}|[a-z]{120}";
    let name = proptest::collection::vec(part, 1..4).prop_map(|parts| parts.join("/"));
    proptest::collection::btree_map(name, node(), 0..24).prop_map(|all| {
        let mut kept: BTreeMap<String, Node> = BTreeMap::new();
        for (name, node) in all {
            let blocked = name
                .match_indices('/')
                .any(|(at, _)| kept.get(&name[..at]).is_some_and(|n| !matches!(n, Node::Dir { .. })));
            if !blocked {
                kept.insert(name, node);
            }
        }
        kept
    })
}

fn pack(tree: &BTreeMap<String, Node>) -> Vec<u8> {
    let mut tar = Tar::new();
    for (name, node) in tree {
        tar = match node {
            Node::Dir { mode } => tar.entry(b'5', name, *mode, "", b""),
            Node::Link(to) => tar.symlink(name, to),
            Node::Fifo { mode } => tar.entry(b'6', name, *mode, "", b""),
            Node::File { mode, owner, mtime, content } => tar
                .pax(&[
                    ("uid", owner.0.to_string().as_bytes()),
                    ("gid", owner.1.to_string().as_bytes()),
                    ("mtime", format!("{mtime}.5").as_bytes()),
                ])
                .entry(b'0', name, *mode, "", content),
        };
    }
    tar.done()
}

fn check(root: &Path, wanted: &BTreeMap<String, Node>) -> Result<(), TestCaseError> {
    let mut made = tree(root);
    for (name, node) in wanted {
        let path = root.join(name);
        let meta = path.symlink_metadata().unwrap();
        let mode = meta.mode() & 0o7777;
        prop_assert!(made.remove(name).is_some(), "{name} is missing");
        match node {
            Node::Dir { mode: wanted } => prop_assert!(meta.is_dir() && mode == *wanted, "{name} {mode:o}"),
            Node::Fifo { mode: wanted } => prop_assert_eq!(mode, *wanted),
            Node::Link(to) => prop_assert_eq!(std::fs::read_link(&path).unwrap(), Path::new(to)),
            Node::File { mode: wanted, owner, mtime, content } => {
                prop_assert_eq!((mode, meta.uid(), meta.gid()), (*wanted, owner.0, owner.1), "{}", name);
                let seconds = if *mtime < 0 { *mtime - 1 } else { *mtime };
                // "-0.5" is written as such for no whole second.
                prop_assert_eq!((meta.mtime(), meta.mtime_nsec()), (seconds, 500_000_000), "{}", name);
                prop_assert_eq!(&std::fs::read(&path).unwrap(), content);
            }
        }
    }
    // What is left are directories that had no entry of their own.
    for (name, said) in made {
        prop_assert_eq!(said, "d755", "{}", name);
    }
    Ok(())
}

/// An archive that means harm: any kinds, names that climb, links that lead out.
fn harm() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        4 => "[a-c]",
        1 => Just("..".to_owned()),
        1 => Just(".".to_owned()),
        1 => Just(String::new()),
        1 => "\\.wh\\.[a-c.]{0,3}",
        1 => Just(".wh..wh..opq".to_owned()),
    ];
    let name = proptest::collection::vec(part, 1..5).prop_map(|parts| parts.join("/"));
    let target = prop_oneof![
        3 => name.clone(),
        1 => Just("../../..".to_owned()),
        1 => Just("../../../outside".to_owned()),
        1 => Just("/proc/self/cwd".to_owned()),
        1 => Just("/".to_owned()),
    ];
    let kind = prop_oneof![
        3 => Just(b'0'), 3 => Just(b'5'), 3 => Just(b'2'), 3 => Just(b'1'), 1 => Just(b'6'), 1 => Just(b'3'),
        1 => Just(b'S'), 1 => any::<u8>(),
    ];
    proptest::collection::vec((kind, name, target), 1..12).prop_map(|entries| {
        let mut tar = Tar::new();
        for (kind, name, target) in entries {
            let link = if matches!(kind, b'1' | b'2') { target.as_str() } else { "" };
            let data: &[u8] = if kind == b'0' { b"harm" } else { b"" };
            tar = tar.entry(kind, &name, 0o777, link, data);
        }
        tar.done()
    })
}

/// A directory beside the tree, at the depth that the links aim at, and
/// whether it is as it was.
struct Outside {
    bench: Bench,
    before: BTreeMap<String, String>,
}

impl Outside {
    fn new() -> Self {
        let bench = Bench::new();
        let outside = bench.place.path().join("outside");
        std::fs::create_dir_all(outside.join("a/b")).unwrap();
        for name in ["outside/a/c", "outside/c", "a", "canary"] {
            std::fs::write(bench.place.path().join(name), "untouched").unwrap();
        }
        let before = tree(bench.place.path());
        Outside { bench, before }
    }

    fn check(&self, done: bool) -> Result<(), TestCaseError> {
        let mut after = tree(self.bench.place.path());
        if done {
            after.retain(|path, _| path != "layers" && !path.starts_with("layers/"));
        }
        prop_assert_eq!(&after, &self.before);
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    /// Unpacking what was packed gives what was there.
    #[test]
    #[ignore = "root"]
    fn any_tree_comes_out_as_it_went_in(wanted in trees()) {
        let bench = Bench::new();
        bench.unpack(&pack(&wanted)).unwrap();
        check(&bench.dest(), &wanted)?;
    }

    /// Whatever the names and links are, nothing outside the tree changes.
    #[test]
    #[ignore = "root"]
    fn nothing_outside_is_touched(tar in harm()) {
        let outside = Outside::new();
        let done = outside.bench.unpack(&tar);
        outside.check(done.is_ok())?;
    }

    /// Whatever bytes an archive is damaged with, it is unpacked or refused, and a
    /// refused one leaves nothing.
    #[test]
    #[ignore = "root"]
    fn damage_ends_in_a_tree_or_an_error(
        wanted in trees(),
        at in any::<prop::sample::Index>(),
        bytes in proptest::collection::vec(any::<u8>(), 1..64),
        packed in 0..3,
    ) {
        let mut blob = pack(&wanted);
        let diff = digest::of_bytes(&blob);
        let kind = match packed {
            0 => TAR,
            1 => {
                blob = gzip(&blob);
                "application/vnd.oci.image.layer.v1.tar+gzip"
            }
            _ => {
                blob = zstd(&blob);
                "application/vnd.oci.image.layer.v1.tar+zstd"
            }
        };
        let at = at.index(blob.len());
        let end = (at + bytes.len()).min(blob.len());
        blob[at..end].copy_from_slice(&bytes[..end - at]);
        let diff = if packed == 0 { digest::of_bytes(&blob) } else { diff };
        let outside = Outside::new();
        let limits = Limits { floor: 1 << 20, ratio: 10, ..Limits::default() };
        let done = outside.bench.unpack_as(&blob, kind, &diff, &limits);
        outside.check(done.is_ok())?;
    }
}
