//! Actions on images: told in both languages, failed and killed at every step.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::support::Sandbox;

/// Everything of the store that belongs to an image, and the index.
fn content(store: &Path) -> BTreeSet<String> {
    let list = |dir: &str| {
        let entries = fs::read_dir(store.join(dir)).into_iter().flatten().flatten();
        entries.map(move |e| e.file_name().to_string_lossy().into_owned()).collect::<Vec<_>>()
    };
    let mut all: BTreeSet<String> = ["blobs/sha256", "layers", "l"]
        .into_iter()
        .flat_map(|dir| list(dir).into_iter().map(move |name| format!("{dir}/{name}")))
        .collect();
    let index: serde_json::Value =
        serde_json::from_slice(&fs::read(store.join("index.json")).unwrap()).unwrap();
    let mut names: Vec<String> =
        index["manifests"].as_array().unwrap().iter().map(ToString::to_string).collect();
    names.sort();
    all.insert(names.join("\n"));
    all
}

/// Arguments, and titles in English and Chinese.
type Told<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)]);

fn changed() -> Sandbox {
    let sandbox = Sandbox::root();
    let script = "echo new > /root/new; rm /etc/shells";
    sandbox.glassbox(&["run", "--name", "one", "--network", "none", "box", "sh", "-c", script]).expect(0);
    sandbox
}

fn tar(sandbox: &Sandbox) -> String {
    let path = sandbox.path("root.tar").to_str().unwrap().to_owned();
    sandbox.glassbox(&["export", "-o", &path, "one"]).expect(0);
    path
}

#[test]
#[ignore = "root"]
fn each_is_told_in_both_languages() {
    let sandbox = changed();
    let tar = tar(&sandbox);
    let out = sandbox.path("out.tar").to_str().unwrap().to_owned();
    let table: [Told<'_>; 7] = [
        (
            &["commit", "one", "app"],
            &[
                ("Write the changes as a layer", "把改动写成一层"),
                ("Put the layer into the store", "把这一层放进仓库"),
                ("Name the image", "给镜像命名"),
            ],
        ),
        (&["tag", "app", "other"], &[("Give the image a name", "给镜像起名字")]),
        (&["save", "-o", &out, "app"], &[("Write the archive", "写出归档")]),
        (&["export", "-o", &out, "one"], &[("Write all files as one tree", "把全部文件写成一棵树")]),
        (&["import", &tar, "made"], &[("Read the tar", "读入 tar")]),
        (&["rmi", "other"], &[("Remove the image or its name", "删除镜像或它的名字")]),
        (&["prune", "-f"], &[("Remove what nothing leads to", "删除不可达的内容")]),
    ];
    for (args, titles) in table {
        for lang in ["en", "zh-CN"] {
            if args[0] == "rmi" {
                sandbox.glassbox(&["tag", "app", "other"]).expect(0);
            }
            let command: &[&str] = if args[0] == "prune" { &["image", "prune"] } else { &args[..1] };
            let all = [&["--lang", lang], command, &["--trace=full"], &args[1..]].concat();
            let ran = sandbox.glassbox(&all).expect(0);
            for (en, zh) in titles {
                let title = if lang == "en" { en } else { zh };
                assert!(ran.err.contains(title), "{args:?}: no {title} in\n{}", ran.err);
            }
        }
    }
    let told = sandbox.glassbox(&["--lang", "en", "commit", "--trace=full", "one", "app"]).expect(0).err;
    for word in ["whiteouts: 1", "entries: "] {
        assert!(told.contains(word), "no {word} in\n{told}");
    }
    // Untraced, nothing is told.
    assert_eq!(sandbox.glassbox(&["commit", "one", "app"]).expect(0).err, "");
}

#[test]
#[ignore = "root"]
fn what_fails_or_is_killed_at_any_step_leaves_nothing() {
    let sandbox = changed();
    sandbox.glassbox(&["commit", "one", "before"]).expect(0);
    let tar = tar(&sandbox);
    // Another layer than that of `before`.
    let commit = ["commit", "-c", "LABEL a=b", "one", "new"];
    let import = ["import", "-c", "LABEL a=b", &tar, "new"];
    let table: [(&[&str], &[&str]); 5] = [
        (&commit, &["image.write-layer", "image.store-layer", "image.name-images"]),
        (&import, &["image.import-tar", "image.store-layer", "image.name-images"]),
        (&["tag", "before", "new"], &["image.tag-image"]),
        (&["rmi", "before"], &["image.remove-image-1"]),
        (&["image", "prune", "-af"], &["image.remove-image-1"]),
    ];
    let before = content(&sandbox.store());
    for (args, steps) in table {
        for step in steps {
            let at = args.iter().position(|a| *a == "prune").map_or(1, |n| n + 1);
            let ran = sandbox.glassbox(&[&args[..at], &["--fail", step], &args[at..]].concat());
            assert_eq!(ran.status, 1, "{args:?} {step}: {}", ran.err);
            assert!(ran.err.contains(&format!("(at {step})")), "{}", ran.err);
            assert_eq!(content(&sandbox.store()), before, "{args:?}, after a failure at {step}");
            assert_eq!(sandbox.host().receipts, BTreeSet::new(), "{args:?}, after a failure at {step}");
            sandbox.glassbox(&[&args[..at], &["--kill-at", step], &args[at..]].concat()).expect(137);
            sandbox.glassbox(&["system", "repair"]).expect(0);
            assert_eq!(content(&sandbox.store()), before, "{args:?}, after a kill at {step}");
            assert_eq!(sandbox.host().receipts, BTreeSet::new(), "{args:?}, after a kill at {step}");
        }
    }
    sandbox.glassbox(&commit).expect(0);
    assert!(sandbox.glassbox(&["images"]).expect(0).out.contains("new"));
}

#[test]
#[ignore = "root"]
fn a_container_that_was_left_frozen_runs_on() {
    let sandbox = Sandbox::root();
    let script = "i=0; while :; do i=$((i+1)); echo $i > /a; [ $i = 1 ] && echo ready; done";
    let mut child = sandbox
        .command(&["run", "--name", "busy", "--network", "none", "box", "sh", "-c", script])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.as_mut().unwrap()), &mut line)
        .unwrap();
    let a = || sandbox.glassbox(&["layers", "busy", "--extract", "/a"]).expect(0).out;
    sandbox.glassbox(&["commit", "--kill-at", "image.write-layer", "busy"]).expect(137);
    let upper = sandbox.glassbox(&["inspect", "-f", "{{.GraphDriver.Data.UpperDir}}", "busy"]).expect(0).out;
    let file = Path::new(upper.trim()).join("a");
    sandbox.glassbox(&["system", "repair"]).expect(0);
    let first = fs::read(&file).unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while fs::read(&file).unwrap() == first {
        assert!(Instant::now() < deadline, "the container still stands");
        std::thread::sleep(Duration::from_millis(10));
    }
    let _ = a();
    // A failure thaws at once.
    sandbox.glassbox(&["commit", "--fail", "image.thaw-container", "busy"]).expect(1);
    let first = fs::read(&file).unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while fs::read(&file).unwrap() == first {
        assert!(Instant::now() < deadline, "the container still stands");
        std::thread::sleep(Duration::from_millis(10));
    }
    sandbox.glassbox(&["rm", "-f", "busy"]).expect(0);
    let _ = child.wait();
}
