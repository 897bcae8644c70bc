//! containerd's archive tests, as data. Its cases apply `layer.tar` on the tree
//! of `base.tar`; here each becomes a layer, and the union of both is compared.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::unpack_tests::{TAR, tree};
use super::*;
use crate::image::digest;

/// Where the answer here is another one, and why.
enum Here {
    Refused(&'static str),
    Differs(&'static str),
}

const OURS: &[(&str, Here)] = &[
    // A name through a link that leaves the tree is refused, not clamped.
    ("TestBreakouts.SymlinkAbsolute", Here::Refused("symbolic link")),
    ("TestBreakouts.SymlinkMultipleRelative", Here::Refused("symbolic link")),
    ("TestBreakouts.SymlinkOverrideDirectoryRelative", Here::Refused("symbolic link")),
    ("TestBreakouts.HardlinkDownAndOut", Here::Refused("symbolic link")),
    ("TestBreakouts.HardlinkRelativeLong", Here::Refused("symbolic link")),
    // Entries named "" and ".." are refused, not passed over.
    ("TestBreakouts.SymlinkEmptyFilename", Here::Refused("the layer's root")),
    ("TestBreakouts.SymlinkParentDirectory", Here::Refused("leads out")),
    // The link is in the layer below: to this layer the path is a directory of
    // its own, as for every engine that stacks layers with overlayfs.
    ("TestBreakouts.WhiteoutSymlinkPath", Here::Differs("localetc")),
];

fn corpus() -> Option<PathBuf> {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpora/layers/containerd");
    cases.is_dir().then_some(cases)
}

/// The union of two trees: type, mode, link, content.
fn union(lower: &Path, upper: &Path) -> BTreeMap<String, String> {
    let (below, above) = (tree(lower), tree(upper));
    let mut all = below.clone();
    let under = |k: &str, dir: &str| k.strip_prefix(dir).is_some_and(|r| r.starts_with('/'));
    for (path, text) in &above {
        let merged = text.starts_with('d') && below.get(path).is_some_and(|b| b.starts_with('d'));
        let mut buf = [0u8; 4];
        let opaque = rustix::fs::lgetxattr(upper.join(path), "trusted.overlay.opaque", &mut buf[..]).is_ok();
        if !merged || opaque {
            all.retain(|k, _| !under(k, path));
        }
    }
    for (path, text) in above {
        if text == "whiteout" {
            all.remove(&path);
        } else {
            all.insert(path, text);
        }
    }
    all
}

/// `tree.after` in the words of [`tree`]: contents become their hash.
fn expected(text: &str) -> BTreeMap<String, String> {
    text.lines()
        .map(|line| {
            let f: Vec<&str> = line.split('\t').collect();
            let (path, kind, mode, link) = (f[0], f[1], f[2], f[3]);
            let said = match kind {
                "d" => format!("d{mode}"),
                "l" => format!("l-> {link}"),
                _ => format!("f{mode} {}", f.get(5).unwrap_or(&"")),
            };
            (path.to_owned(), said)
        })
        .collect()
}

fn hashed(tree: BTreeMap<String, String>) -> BTreeMap<String, String> {
    tree.into_iter()
        .map(|(path, said)| match said.split_once(' ') {
            Some((mode, content)) if mode.starts_with('f') => {
                let hex = digest::of_bytes(content.as_bytes());
                (path, format!("{mode} {}", &hex[7..23]))
            }
            _ => (path, said),
        })
        .collect()
}

fn attributes(path: &Path) -> (u32, u32) {
    let meta = path.metadata().unwrap();
    (meta.permissions().mode(), meta.uid())
}

#[test]
#[ignore = "root"]
fn containerd_cases() {
    let Some(corpus) = corpus() else {
        #[expect(clippy::print_stderr, reason = "a test that skips says so")]
        {
            eprintln!("skipped: the corpus layers/containerd is absent");
        }
        return;
    };
    let mut cases = 0;
    for case in std::fs::read_dir(corpus).unwrap().flatten() {
        cases += 1;
        let name = case.file_name().into_string().unwrap();
        let read = |file: &str| std::fs::read(case.path().join(file)).unwrap();
        let place = tempfile::tempdir().unwrap();
        let before = attributes(place.path());
        let put = |file: &str| {
            let dest = place.path().join(file).join("diff");
            let diff = digest::of_bytes(&read(file));
            unpack(&case.path().join(file), TAR, &diff, &dest, &Limits::default()).map(|_| dest)
        };
        let lower = put("base.tar").unwrap();
        let upper = put("layer.tar");
        let ours = OURS.iter().find(|o| o.0 == name).map(|o| &o.1);
        let expect = String::from_utf8(read("expect")).unwrap();
        let after = expected(&String::from_utf8(read("tree.after")).unwrap());
        match (ours, upper) {
            (Some(Here::Refused(reason)), Err(e)) => assert!(e.to_string().contains(reason), "{name}: {e}"),
            (_, Err(e)) => assert!(expect.starts_with("error"), "{name}: {e}"),
            (Some(Here::Refused(_)), Ok(_)) => panic!("{name} is no longer refused"),
            (ours, Ok(upper)) => {
                assert_eq!(expect.trim(), "ok", "{name}");
                let mut differences: Vec<String> = Vec::new();
                let got = hashed(union(&lower, &upper));
                for path in after.keys().chain(got.keys()) {
                    if after.get(path) != got.get(path) && !differences.contains(path) {
                        differences.push(path.clone());
                    }
                }
                match ours {
                    Some(Here::Differs(path)) => {
                        assert!(differences.iter().any(|d| d == path), "{name}: no longer differs");
                    }
                    _ => assert!(differences.is_empty(), "{name}: {differences:?}\n{got:?}\n{after:?}"),
                }
            }
        }
        let left: Vec<_> =
            std::fs::read_dir(place.path()).unwrap().flatten().map(|e| e.file_name()).collect();
        assert!(left.iter().all(|l| l == "base.tar" || l == "layer.tar"), "{name}: {left:?}");
        let now = attributes(place.path());
        assert_eq!(now, before, "{name} changed what is outside");
    }
    assert_eq!(cases, 18);
}
