//! The same for actions on images, whose workers are threads: every call beneath
//! the store that changes something is told once, and each that is told was made.
//! Threads have no order among each other, so what is compared are two heaps.

use std::collections::BTreeMap;
use std::fs;

use glassbox::trace::Body;

use super::kinds::{Kind, READS, kind};
use super::strace::{self, Seen};
use super::{read_recording, told};
use crate::registry::images::{gzip, tar_of};
use crate::support::Sandbox;

/// A call by its name, the names in it, what was written, and how it ended.
type Heap = BTreeMap<String, i64>;

fn told_heap(sandbox: &Sandbox) -> Heap {
    let mut heap = Heap::new();
    let recording = read_recording(&sandbox.path("trace.jsonl"));
    // What only waits for the disk is not compared.
    for told in told::changes(&recording).iter().filter(|t| !READS.contains(&t.call.name.as_str())) {
        let names = told.call.args.iter().filter(|(name, _)| {
            ["pathname", "oldpath", "newpath", "linkpath", "target", "path", "name"].contains(&name.as_str())
        });
        let names: Vec<String> = names.map(|(_, value)| value.text()).filter(|v| v != "NULL").collect();
        let written = if told.call.name.contains("write") { told.call.result.text() } else { String::new() };
        let errno = told.call.errno.map(|e| format!("{e:?}")).unwrap_or_default();
        *heap.entry(format!("{} {names:?} {written} {errno}", told.call.name)).or_default() += 1;
    }
    heap
}

/// What belongs to the store, but for the locks on which processes wait.
fn seen_heap(sandbox: &Sandbox, seen: &[Seen]) -> Heap {
    let store = sandbox.store();
    let store = store.to_str().unwrap();
    let lock = |file: &str| ["lock", "pins"].iter().any(|l| file == format!("{store}/{l}"));
    let mut heap = Heap::new();
    for call in seen {
        assert!(!matches!(kind(call), Kind::Unknown), "neither known to change nor to read: {}", call.line);
        let files = call.files();
        // A path through a descriptor is one into a layer's tree.
        let through = files.iter().any(|f| f.starts_with("/proc/self/fd/"));
        let ours = through || files.iter().any(|f| f == store || f.starts_with(&format!("{store}/")));
        let changes = matches!(kind(call), Kind::Changes);
        if !ours || !changes || files.iter().any(|f| lock(f)) {
            continue;
        }
        let writes = call.name.contains("write");
        let strings = call.args.iter().filter_map(|a| a.string.as_ref());
        let mut names: Vec<String> =
            strings.map(|s| String::from_utf8_lossy(s).into_owned()).filter(|_| !writes).collect();
        if call.name.ends_with("setxattr") {
            // The second string is the attribute's name, the third its value.
            names.truncate(if call.name.starts_with('f') { 1 } else { 2 });
        }
        let written = if writes { call.result.unwrap_or(-1).to_string() } else { String::new() };
        let errno = call.errno.clone().unwrap_or_default();
        *heap.entry(format!("{} {names:?} {written} {errno}", call.name)).or_default() += 1;
    }
    heap
}

fn compare(told: &Heap, seen: &Heap) -> Vec<String> {
    let keys: std::collections::BTreeSet<&String> = told.keys().chain(seen.keys()).collect();
    let count = |heap: &Heap, key: &String| heap.get(key).copied().unwrap_or(0);
    keys.into_iter()
        .filter(|key| count(told, key) != count(seen, key))
        .map(|key| format!("told {} times, done {}: {key}", count(told, key), count(seen, key)))
        .collect()
}

/// Runs glassbox under strace, recording.
fn watched(sandbox: &Sandbox, args: &[&str], status: i32) -> (Heap, Heap) {
    super::under_strace(super::strace(sandbox, args[0], &args[1..]), status);
    let text = String::from_utf8_lossy(&fs::read(sandbox.path("strace")).unwrap()).into_owned();
    (told_heap(sandbox), seen_heap(sandbox, &strace::parse(&text)))
}

#[track_caller]
fn agree(sandbox: &Sandbox, args: &[&str], status: i32, least: usize) {
    let (told, seen) = watched(sandbox, args, status);
    let differences = compare(&told, &seen);
    assert!(told.values().sum::<i64>() >= least as i64, "{args:?}: only {told:#?}");
    assert!(differences.is_empty(), "{args:?}:\n{}", differences.join("\n"));
    // The check of the check: one call less on either side is a difference.
    let mut fewer = told.clone();
    fewer.pop_first();
    assert_eq!(compare(&fewer, &seen).len(), 1);
    assert_eq!(compare(&told, &fewer).len(), 1);
}

/// What `docker save` writes, with layers of every kind of entry.
fn archive(sandbox: &Sandbox) -> String {
    let mut files = tar_of(&[("etc/old", b"old\n"), ("etc/name", b"glass\n")]);
    // Without the zeros at its end, more can follow.
    files.truncate(files.len() - 1024);
    let mut first = tar::Builder::new(files);
    let mut add = |kind: tar::EntryType, name: &str, link: Option<&str>, uid: u64| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(0o4755);
        header.set_uid(uid);
        header.set_gid(7);
        header.set_size(0);
        if let Some(link) = link {
            header.set_link_name(link).unwrap();
        }
        if kind == tar::EntryType::Char {
            header.set_device_major(1).unwrap();
            header.set_device_minor(3).unwrap();
        }
        first.append_data(&mut header, name, std::io::empty()).unwrap();
    };
    add(tar::EntryType::Directory, "var/", None, 0);
    add(tar::EntryType::Symlink, "var/link", Some("/etc/name"), 1);
    add(tar::EntryType::Link, "var/hard", Some("etc/name"), 0);
    add(tar::EntryType::Char, "var/null", None, 0);
    add(tar::EntryType::Fifo, "var/fifo", None, 3);
    // The same name again, as something else.
    add(tar::EntryType::Symlink, "etc/old", Some("name"), 0);
    let first = first.into_inner().unwrap();
    let second = tar_of(&[("etc/.wh.old", b""), ("var/.wh..wh..opq", b""), ("big", &[7; 300_000])]);
    let tars = [first, second];
    let digest = crate::registry::images::digest;
    let config = serde_json::json!({
        "architecture": crate::registry::images::architecture(), "os": "linux", "config": {},
        "rootfs": { "type": "layers", "diff_ids": tars.iter().map(|t| digest(t)).collect::<Vec<_>>() },
    })
    .to_string();
    let manifest = r#"[{"Config":"config.json","RepoTags":["app:1"],"Layers":["1.tar","2.tar"]}]"#.as_bytes();
    let whole = tar_of(&[
        ("1.tar", &tars[0]),
        ("2.tar", &gzip(&tars[1])),
        ("config.json", config.as_bytes()),
        ("manifest.json", manifest),
    ]);
    let path = sandbox.path("app.tar");
    fs::write(&path, whole).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
#[ignore = "root"]
fn of_images() {
    let sandbox = Sandbox::root();
    let archive = archive(&sandbox);
    agree(&sandbox, &["load", "-i", &archive], 0, 40);
    // Nothing is taken in, and the names are written again.
    agree(&sandbox, &["load", "-i", &archive], 0, 5);
    agree(&sandbox, &["tag", "app:1", "app:2"], 0, 3);
    agree(&sandbox, &["rmi", "app:1", "app:2"], 0, 20);
    agree(&sandbox, &["load", "-i", &archive, "--fail", "image.name-images"], 1, 50);
    let tar = sandbox.path("root.tar");
    fs::write(&tar, tar_of(&[("a", b"1"), ("b/c", b"2")])).unwrap();
    agree(&sandbox, &["import", tar.to_str().unwrap(), "made"], 0, 10);
}

#[test]
#[ignore = "root"]
fn a_story_counts_what_a_recording_lists() {
    let sandbox = Sandbox::root();
    let archive = archive(&sandbox);
    let trace = sandbox.path("trace.jsonl");
    sandbox.glassbox(&["load", "-i", &archive, "--trace-file", trace.to_str().unwrap()]).expect(0);
    let recorded = read_recording(&trace);
    let listed = |name: &str| {
        recorded
            .iter()
            .filter(|e| {
                matches!(&e.body, Body::Call { step, call }
            if step.0 == "image.take-layer-1" && call.name == name)
            })
            .count()
    };
    sandbox.glassbox(&["rmi", "app:1"]).expect(0);
    let told = sandbox.glassbox(&["--lang", "en", "load", "-i", &archive, "--trace"]).expect(0).err;
    let flat = told.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains("and, counted as they were made: "), "{flat}");
    assert!(flat.contains(&format!("mknodat {}", listed("mknodat"))), "{flat}");
    assert!(listed("mknodat") == 2 && listed("linkat") == 1 && listed("openat") > 2);
}
