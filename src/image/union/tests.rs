use std::path::PathBuf;

use rustix::fs::{CWD, FileType, Mode, XattrFlags};

use super::*;

struct Bench {
    place: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let bench = Bench { place: tempfile::tempdir().unwrap() };
        for layer in ["2", "1", "0"] {
            std::fs::create_dir(bench.path(layer)).unwrap();
        }
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    fn file(&self, name: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, name).unwrap();
    }

    fn whiteout(&self, name: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        rustix::fs::mknodat(CWD, path, FileType::CharacterDevice, Mode::empty(), 0).unwrap();
    }

    fn attribute(&self, name: &str, key: &str, value: &[u8]) {
        rustix::fs::setxattr(self.path(name), key, value, XattrFlags::empty()).unwrap();
    }

    /// Layer 0 is the topmost.
    fn stack(&self) -> Stack<'static> {
        Stack::open(&["0", "1", "2"].map(|l| self.path(l))).unwrap()
    }
}

fn shown(listing: &Listing) -> Vec<String> {
    let names = listing.names.iter().filter_map(|n| {
        let (layer, _) = n.shown()?;
        Some(format!("{}@{layer}", String::from_utf8_lossy(&n.name)))
    });
    names.collect()
}

#[test]
#[ignore = "root"]
fn the_topmost_layer_wins_and_whiteouts_hide() {
    let bench = Bench::new();
    for file in ["2/a", "2/b", "2/d/x", "2/d/y", "1/b", "1/d/x", "1/gone/f", "0/c"] {
        bench.file(file);
    }
    bench.whiteout("0/a");
    bench.whiteout("0/gone");
    let stack = bench.stack();
    let root = stack.list(&stack.root(0)).unwrap();
    assert_eq!(shown(&root), ["b@1", "c@0", "d@1"]);
    let find = |path: &str| stack.find(0, path.as_bytes()).unwrap();
    let layers = |path: &str| find(path).unwrap().1.says.iter().map(|s| s.0).collect::<Vec<_>>();
    assert_eq!(layers("b"), [1, 2]);
    assert_eq!(layers("/d/x"), [1, 2]);
    assert_eq!(layers("d/y"), [2]);
    assert!(find("a").unwrap().1.shown().is_none() && find("a").unwrap().1.below().is_some());
    assert!(find("gone/f").is_none() && find("nothing").is_none() && find("b/x").is_none());
    assert_eq!(stack.find(1, b"a").unwrap().unwrap().1.shown().unwrap().0, 2, "from the second layer on");
}

#[test]
#[ignore = "root"]
fn opaque_directories_and_both_kinds_of_whiteout() {
    let bench = Bench::new();
    for file in ["2/d/low", "2/e/low", "2/e/keep", "1/d/mid", "1/e/low"] {
        bench.file(file);
    }
    bench.attribute("1/d", "trusted.overlay.opaque", b"y");
    bench.attribute("1/e", "trusted.overlay.opaque", b"x");
    std::fs::write(bench.path("1/e/low"), "").unwrap();
    bench.attribute("1/e/low", "trusted.overlay.whiteout", b"");
    let stack = bench.stack();
    let at = |path: &str| Place { path: path.into(), layers: vec![1, 2] };
    let d = stack.list(&at("d")).unwrap();
    assert_eq!((shown(&d), d.opaque, &d.layers[..]), (vec!["mid@1".to_owned()], true, &[1][..]));
    assert!(stack.find(0, b"d/low").unwrap().is_none());
    assert_eq!(shown(&stack.list(&at("e")).unwrap()), ["keep@2"]);
    let top = stack.list_top(&at("e")).unwrap();
    assert_eq!(top.names.len(), 1);
    assert!(matches!(top.names[0].says[..], [(1, Says::Hides(_)), (2, Says::Has(_))]));
}

#[test]
fn links_in_a_layer_lead_nowhere() {
    let bench = Bench::new();
    std::os::unix::fs::symlink("/etc", bench.path("0/etc")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", bench.path("0/f")).unwrap();
    let stack = bench.stack();
    assert!(stack.tree(0).dir(b"etc").unwrap().is_none());
    assert!(stack.find(0, b"etc/passwd").unwrap().is_none());
    let root = stack.tree(0).dir(b"").unwrap().unwrap();
    assert!(root.file(b"f").is_err());
    assert_eq!(root.link(b"f").unwrap(), b"/etc/passwd");
}
