use rustix::fs::{CWD, FileType, Mode, XattrFlags};

use super::*;

struct Bench {
    place: tempfile::TempDir,
}

impl Bench {
    /// Three layers, the lowest is `1`.
    fn new() -> Self {
        let bench = Bench { place: tempfile::tempdir().unwrap() };
        for (file, text) in [
            ("1/etc/motd", "hello"),
            ("1/etc/gone", "bye"),
            ("1/var/log/old", "12345678"),
            ("1/opt/a", "a"),
            ("1/opt/b", "bb"),
            ("2/etc/motd", "changed"),
            ("2/opt/c", "c"),
            ("3/new", "n"),
            ("3/etc/motd", "third"),
        ] {
            let path = bench.path(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        for hidden in ["2/etc/gone", "2/var"] {
            rustix::fs::mknodat(CWD, bench.path(hidden), FileType::CharacterDevice, Mode::empty(), 0)
                .unwrap();
        }
        rustix::fs::setxattr(bench.path("2/opt"), "trusted.overlay.opaque", b"y", XattrFlags::empty())
            .unwrap();
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    fn stack(&self) -> Stack<'static> {
        Stack::open(&["3", "2", "1"].map(|l| self.path(l))).unwrap()
    }
}

#[test]
#[ignore = "root"]
fn what_each_layer_does() {
    let bench = Bench::new();
    let known = ["1", "2", "3"].map(|l| LayerReport { dir: bench.path(l), ..LayerReport::default() });
    let all = layers(&bench.stack(), known.to_vec()).unwrap();
    let lines = |n: usize| -> Vec<String> {
        all[n - 1].entries.iter().map(|e| format!("{} {} {:?}", e.what.letter(), e.path, e.covers)).collect()
    };
    assert_eq!(
        lines(2),
        [
            "  /etc [1]",
            "D /etc/gone [1]",
            "C /etc/motd [1]",
            "  /opt [1]",
            "D /opt/a [1]",
            "D /opt/b [1]",
            "A /opt/c []",
            "D /var [1]"
        ]
    );
    assert_eq!(lines(3), ["  /etc [2, 1]", "C /etc/motd [2, 1]", "A /new []"]);
    assert_eq!(all[0].own, Counts { size: 19, added: 9, ..Counts::default() });
    let second = Counts { size: 8, added: 1, changed: 1, same: 2, hidden: 6, shadowed: 5 + 3 + 8 + 1 + 2 };
    assert_eq!(all[1].own, second);
    assert_eq!(all[0].cumulative, Total { size: 19, files: 5, dirs: 4 });
    assert_eq!(all[1].cumulative, Total { size: 8, files: 2, dirs: 2 });
    assert_eq!(all[2].cumulative, Total { size: 7, files: 3, dirs: 2 });
}

#[test]
#[ignore = "root"]
fn who_supplies_a_path() {
    let bench = Bench::new();
    let stack = bench.stack();
    let steps = |path: &str| -> (Option<usize>, Vec<String>) {
        let report = follow(&stack, path.as_bytes()).unwrap();
        let words = report.layers.iter().map(|s| format!("{} {:?} {} {}", s.layer, s.role, s.at, s.kind));
        (report.supplied_by, words.collect())
    };
    let table: Vec<(&str, Option<usize>, &[&str])> = vec![
        (
            "/etc/motd",
            Some(3),
            &["3 Supplies /etc/motd file", "2 Shadowed /etc/motd file", "1 Shadowed /etc/motd file"],
        ),
        ("etc/gone", None, &["2 Hides /etc/gone whiteout", "1 Shadowed /etc/gone file"]),
        ("/var/log/old", None, &["2 Hides /var whiteout", "1 Shadowed /var/log/old file"]),
        ("/opt/a", None, &["2 Hides /opt opaque", "1 Shadowed /opt/a file"]),
        ("/opt/c", Some(2), &["2 Supplies /opt/c file"]),
        ("/opt", Some(2), &["2 Supplies /opt dir", "1 Shadowed /opt dir"]),
        ("/etc", Some(3), &["3 Supplies /etc dir", "2 Merged /etc dir", "1 Merged /etc dir"]),
        ("/nothing", None, &[]),
    ];
    for (path, by, want) in table {
        assert_eq!(steps(path), (by, want.iter().map(|s| (*s).to_owned()).collect()), "{path}");
    }
}

#[test]
#[ignore = "root"]
fn two_unions() {
    let bench = Bench::new();
    let stack = bench.stack();
    let lines = |a: usize, b: usize| -> Vec<String> {
        // Layer number n is at index 3 - n; number 0 is nothing.
        let all = compare((&stack, 3 - a), (&stack, 3 - b)).unwrap();
        all.iter().map(|d| format!("{} {} {}", d.letter(), d.path, d.changed.join("+"))).collect()
    };
    assert_eq!(lines(2, 3), ["C /etc/motd size", "A /new "]);
    assert_eq!(lines(3, 3), [""; 0]);
    assert_eq!(
        lines(1, 2),
        [
            "D /etc/gone ",
            "C /etc/motd size",
            "D /opt/a ",
            "D /opt/b ",
            "A /opt/c ",
            "D /var ",
            "D /var/log ",
            "D /var/log/old "
        ]
    );
    assert_eq!(lines(0, 1).len(), 9);
    assert_eq!(lines(1, 3)[1], "C /etc/motd content", "of the same size");
}
