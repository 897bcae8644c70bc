//! The store under kills, and under many processes at once. A kill is placed at
//! each system call that changes something, by strace; then the store is looked
//! at from outside, by its files alone.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use crate::registry::images::{Parts, architecture, digest, tar_of};
use crate::support::{GLASSBOX, Ran, Sandbox};

/// Calls that change the store: a kill at the n-th of each is tried. strace counts
/// them apart, and apart for each thread.
const CHANGES: [&str; 9] = [
    "/^mkdir",
    "/^rename",
    "/^unlink",
    "/^symlink",
    "/^f(data)?sync$",
    "/^write$",
    "/^utimensat",
    "/^ftruncate",
    "/^flock$",
];

/// An image of two layers, the first of which it shares with all others.
fn image(n: usize) -> Parts {
    let base = tar_of(&[("etc/name", b"glass\n"), ("etc/old", b"old\n"), ("base", b"base")]);
    let own = tar_of(&[("etc/.wh.old", b""), ("own", format!("own {n}").as_bytes())]);
    Parts::new(&[base, own], architecture())
}

fn archive(sandbox: &Sandbox, n: usize) -> PathBuf {
    let path = sandbox.path(&format!("image-{n}.tar"));
    fs::write(&path, image(n).archive(&format!("docker.io/library/app:{n}"))).unwrap();
    path
}

fn json(path: &Path) -> Value {
    let text = fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_slice(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// What a store holds by name; everything that a name leads to must be whole.
fn check(store: &Path, after: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    if !store.join("index.json").exists() {
        return names;
    }
    let blob = |d: &Value| {
        let name = d["digest"].as_str().unwrap();
        let path = store.join("blobs/sha256").join(&name[7..]);
        let bytes = fs::read(&path).unwrap_or_else(|e| panic!("{after}: {name} has a name but {e}"));
        assert_eq!(digest(&bytes), name, "{after}");
        path
    };
    for descriptor in json(&store.join("index.json"))["manifests"].as_array().unwrap() {
        let manifest = json(&blob(descriptor));
        json(&blob(&manifest["config"]));
        manifest["layers"].as_array().unwrap().iter().for_each(|l| drop(blob(l)));
        names.extend(
            descriptor["annotations"]["org.opencontainers.image.ref.name"].as_str().map(str::to_owned),
        );
    }
    // A tree that is there at all is whole.
    for layer in fs::read_dir(store.join("layers")).unwrap().flatten() {
        let diff = layer.path().join("diff");
        if diff.exists() {
            let whole = [&["etc/name", "etc/old", "base"][..], &["etc/old", "own"]]
                .iter()
                .any(|files| files.iter().all(|f| diff.join(f).symlink_metadata().is_ok()));
            assert!(whole, "{after}: half a layer at {}", diff.display());
        }
    }
    names
}

/// Nothing is left of images that are gone.
fn expect_empty(store: &Path, after: &str) {
    for dir in ["blobs/sha256", "layers", "l", "tmp"] {
        let left: Vec<_> = fs::read_dir(store.join(dir)).unwrap().flatten().map(|e| e.file_name()).collect();
        assert!(left.is_empty(), "{after}: {dir} has {left:?}");
    }
}

/// Where a command is killed.
#[derive(Clone, Copy)]
struct Point {
    kind: usize,
    n: usize,
}

impl std::fmt::Display for Point {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "killed at {} number {}", CHANGES[self.kind], self.n)
    }
}

/// A command that is killed; whether it came so far.
fn killed(store: &Path, run: &Path, point: Point, args: &[&str]) -> bool {
    let (kind, n) = (CHANGES[point.kind], point.n);
    let status = Command::new("strace")
        .args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={kind}")])
        .args(["-e", &format!("inject={kind}:signal=KILL:when={n}")])
        .args(["--", GLASSBOX, "--root"])
        .arg(store)
        .arg("--run-root")
        .arg(run)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    !status.success()
}

fn glassbox(store: &Path, run: &Path, args: &[&str]) -> Ran {
    let mut command = Command::new(GLASSBOX);
    command.arg("--root").arg(store).arg("--run-root").arg(run).args(args);
    command.stdin(Stdio::null()).env("LC_ALL", "C.UTF-8").env("NO_COLOR", "1").output().unwrap().into()
}

/// Tries every kill point, two at a time; how many there were.
fn at_every_change(what: impl Fn(Point) -> bool + Sync) -> usize {
    let (next, points) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let kind = next.fetch_add(1, Ordering::Relaxed);
                    if kind >= CHANGES.len() {
                        return;
                    }
                    let reached = (1..).take_while(|n| what(Point { kind, n: *n })).count();
                    points.fetch_add(reached, Ordering::Relaxed);
                }
            });
        }
    });
    points.into_inner()
}

#[test]
#[ignore = "root"]
fn a_load_that_is_killed_anywhere_leaves_a_whole_store() {
    let sandbox = Sandbox::root();
    let (first, second) = (archive(&sandbox, 1), archive(&sandbox, 2));
    let (first, second) = (first.to_str().unwrap(), second.to_str().unwrap());
    let points = at_every_change(|point| {
        let name = format!("{}-{}", point.kind, point.n);
        let (store, run) = (sandbox.path(&format!("store-{name}")), sandbox.path(&format!("run-{name}")));
        glassbox(&store, &run, &["load", "-i", first]).expect(0);
        let killed = killed(&store, &run, point, &["load", "-i", second]);
        let after = format!("load, {point}");
        let names = check(&store, &after);
        assert!(names.contains("docker.io/library/app:1"), "{after}: {names:?}");
        assert!(killed || names.contains("docker.io/library/app:2"));
        glassbox(&store, &run, &["images"]).expect(0);
        glassbox(&store, &run, &["load", "-i", second]).expect(0);
        assert_eq!(check(&store, &after).len(), 2, "{after}, loaded again");
        glassbox(&store, &run, &["rmi", "app:1", "app:2"]).expect(0);
        glassbox(&store, &run, &["image", "prune", "-f"]).expect(0);
        expect_empty(&store, &after);
        fs::remove_dir_all(&store).unwrap();
        killed
    });
    assert!(points > 30, "only {points} points");
}

#[test]
#[ignore = "root"]
fn a_removal_that_is_killed_anywhere_leaves_a_whole_store() {
    let sandbox = Sandbox::root();
    let archives = [archive(&sandbox, 1), archive(&sandbox, 2)];
    let points = at_every_change(|point| {
        let name = format!("{}-{}", point.kind, point.n);
        let (store, run) = (sandbox.path(&format!("store-{name}")), sandbox.path(&format!("run-{name}")));
        for archive in &archives {
            glassbox(&store, &run, &["load", "-i", archive.to_str().unwrap()]).expect(0);
        }
        let killed = killed(&store, &run, point, &["rmi", "app:2"]);
        let after = format!("rmi, {point}");
        let names = check(&store, &after);
        assert!(names.contains("docker.io/library/app:1"), "{after}: {names:?}");
        assert!(killed || names.len() == 1);
        if names.len() == 2 {
            glassbox(&store, &run, &["rmi", "app:2"]).expect(0);
        }
        glassbox(&store, &run, &["rmi", "app:1"]).expect(0);
        glassbox(&store, &run, &["image", "prune", "-f"]).expect(0);
        expect_empty(&store, &after);
        fs::remove_dir_all(&store).unwrap();
        killed
    });
    assert!(points > 10, "only {points} points");
}

/// Real processes at once: what one brings in another takes away, and both share
/// a layer. No one ever sees half of anything.
#[test]
#[ignore = "root"]
fn many_processes_share_a_store() {
    const ROUNDS: usize = 8;
    let sandbox = Sandbox::root();
    let archives: Vec<PathBuf> = (0..4).map(|n| archive(&sandbox, n)).collect();
    let (store, run) = (sandbox.path("store"), sandbox.path("run"));
    glassbox(&store, &run, &["load", "-i", archives[0].to_str().unwrap()]).expect(0);
    std::thread::scope(|scope| {
        for (n, archive) in archives.iter().enumerate().skip(1) {
            let (store, run) = (&store, &run);
            scope.spawn(move || {
                let name = format!("app:{n}");
                for _ in 0..ROUNDS {
                    glassbox(store, run, &["load", "-q", "-i", archive.to_str().unwrap()]).expect(0);
                    let seen = glassbox(store, run, &["inspect", &name]).expect(0);
                    assert!(seen.out.contains("RootFS"), "{}", seen.out);
                    glassbox(store, run, &["tag", &name, &format!("other:{n}")]).expect(0);
                    glassbox(store, run, &["rmi", &name, &format!("other:{n}")]).expect(0);
                }
            });
        }
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..ROUNDS * 2 {
                    let list = glassbox(&store, &run, &["images", "--no-trunc"]).expect(0);
                    assert!(list.out.contains("app"), "{}", list.out);
                    glassbox(&store, &run, &["image", "prune", "-f"]).expect(0);
                    glassbox(&store, &run, &["history", "app:0"]).expect(0);
                }
            });
        }
    });
    assert_eq!(check(&store, "all are done"), BTreeSet::from(["docker.io/library/app:0".to_owned()]));
    glassbox(&store, &run, &["rmi", "app:0"]).expect(0);
    expect_empty(&store, "all are done");
}

/// A container's image may be taken away while others make containers of it:
/// each container starts, or says that there is no such image.
#[test]
#[ignore = "root"]
fn a_run_and_a_removal_at_once() {
    let sandbox = Sandbox::root();
    let run = |args: &[&str]| sandbox.glassbox(args);
    run(&["run", "--rm", "--network", "none", "box", "true"]).expect(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..10 {
                let ran = run(&["run", "--rm", "--network", "none", "box", "cat", "/etc/motd"]);
                assert_eq!((ran.status, ran.out.as_str()), (0, "box: links layer\n"), "{}", ran.err);
            }
        });
        scope.spawn(|| {
            for _ in 0..20 {
                let gone = run(&["rmi", "-f", "box"]);
                assert!(gone.status == 0 || gone.err.contains("box"), "{}", gone.err);
            }
        });
    });
}

/// Another tool reads the store where it is.
#[test]
#[ignore = "root"]
fn other_tools_read_the_store_in_place() {
    let sandbox = Sandbox::root();
    let parts = image(1);
    let path = archive(&sandbox, 1);
    sandbox.glassbox(&["load", "-i", path.to_str().unwrap()]).expect(0);
    let place = format!("{}:docker.io/library/app:1", sandbox.store().display());
    let mut tried = 0;
    for (program, args) in [
        ("skopeo", vec!["inspect".to_owned(), "--raw".to_owned(), format!("oci:{place}")]),
        ("umoci", vec!["stat".to_owned(), "--json".to_owned(), format!("--image={place}")]),
    ] {
        let out = match Command::new(program).args(&args).output() {
            Ok(out) => out,
            Err(_) => {
                assert!(std::env::var_os("CI").is_none(), "{program} is not installed");
                #[expect(clippy::print_stderr, reason = "a test that skips says so")]
                {
                    eprintln!("skipped: {program} is not installed");
                }
                continue;
            }
        };
        assert!(out.status.success(), "{program}: {}", String::from_utf8_lossy(&out.stderr));
        if program == "skopeo" {
            assert_eq!(out.stdout, parts.manifest);
        }
        tried += 1;
    }
    assert!(tried > 0 || std::env::var_os("CI").is_none());
}
