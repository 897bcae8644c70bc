//! `load`, told, stepped through, cut off and repaired.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use glassbox::trace::{Body, Event, Fact, redact};

use crate::support::{Ran, Sandbox};
use crate::truth::read_recording;

/// Every step of a load of the image that the library makes, in order.
const STEPS: [&str; 7] = [
    "image.open-archive",
    "image.read-manifests",
    "image.read-configs",
    "image.take-layer-1",
    "image.take-layer-2",
    "image.take-layer-3",
    "image.name-images",
];

/// The image that the library makes, in a file.
fn demo(sandbox: &Sandbox) -> PathBuf {
    let path = sandbox.path("demo.tar");
    fs::write(&path, glassbox::image::demo::archive()).unwrap();
    path
}

/// Everything of the store that belongs to an image.
fn content(store: &Path) -> BTreeSet<String> {
    let list = |dir: &str| {
        let entries = fs::read_dir(store.join(dir)).into_iter().flatten().flatten();
        entries.map(move |e| e.file_name().to_string_lossy().into_owned()).collect::<Vec<_>>()
    };
    ["blobs/sha256", "layers", "l", "tmp"]
        .into_iter()
        .flat_map(|dir| list(dir).into_iter().map(move |name| format!("{dir}/{name}")))
        .collect()
}

#[test]
fn the_model_tells_a_load_in_both_languages() {
    for lang in ["en", "zh-CN"] {
        let sandbox = Sandbox::plain();
        let args = ["--model", "--deterministic", "--color", "never", "--lang", lang, "load", "--trace=full"];
        // No path of this machine on the command line, which is told.
        let mut command = sandbox.inside(crate::support::GLASSBOX);
        command.args(args).env("GLASSBOX_ROOT", sandbox.store());
        let ran = Ran::from(command.output().unwrap()).expect(0);
        assert_eq!(ran.out, "Loaded image: demo:latest\n");
        insta::assert_snapshot!(format!("model_load_{lang}"), ran.err);
    }
}

#[test]
fn a_recording_of_a_load_replays() {
    let sandbox = Sandbox::plain();
    let trace = sandbox.path("trace.jsonl");
    let file = trace.to_str().unwrap();
    let live = sandbox
        .glassbox(&[
            "--model",
            "--deterministic",
            "--color",
            "never",
            "load",
            "--trace=full",
            "--trace-file",
            file,
        ])
        .expect(0);
    let replayed = sandbox.glassbox(&["--color", "never", "replay", "--trace=full", file]).expect(0);
    let story =
        |text: &str| text.lines().filter(|l| !l.starts_with("glassbox: ")).collect::<Vec<_>>().join("\n");
    assert_eq!(story(&live.err), story(&replayed.out));
}

#[test]
#[ignore = "root"]
fn a_step_is_asked_about_and_nothing_is_there_before_it() {
    let sandbox = Sandbox::root();
    let demo = demo(&sandbox);
    let load = ["load", "-i", demo.to_str().unwrap(), "--step"];
    let ran = sandbox.glassbox_with_input(&load, "n\nn\nn\nn\nq\n").expect(130);
    assert!(ran.err.contains("Take in layer 2 of 3") && ran.out.is_empty(), "{}", ran.err);
    assert_eq!(content(&sandbox.store()), BTreeSet::new());
    let ran = sandbox.glassbox_with_input(&load, "b image.name-images\nc\n\n").expect(0);
    assert_eq!(ran.out, "Loaded image: demo:latest\n");
    let streamed = sandbox.glassbox_with_input(&["load", "--step"], "n\n").expect(1);
    assert!(streamed.err.contains("-i FILE"), "{}", streamed.err);
}

#[test]
#[ignore = "root"]
fn a_load_that_fails_or_is_killed_at_any_step_leaves_nothing() {
    let sandbox = Sandbox::root();
    let demo = demo(&sandbox);
    let file = demo.to_str().unwrap();
    for step in STEPS {
        let ran = sandbox.glassbox(&["load", "-i", file, "--fail", step]).expect(1);
        assert!(ran.err.contains(&format!("(at {step})")) && ran.out.is_empty(), "{}", ran.err);
        assert_eq!(content(&sandbox.store()), BTreeSet::new(), "after a failure at {step}");
        assert_eq!(sandbox.host().receipts, BTreeSet::new(), "after a failure at {step}");

        sandbox.glassbox(&["load", "-i", file, "--kill-at", step]).expect(137);
        sandbox.glassbox(&["system", "repair"]).expect(0);
        assert_eq!(sandbox.host().receipts, BTreeSet::new(), "after a kill at {step}");
        let left: Vec<_> = content(&sandbox.store()).into_iter().filter(|n| !n.starts_with("tmp/")).collect();
        assert_eq!(left, Vec::<String>::new(), "after a kill at {step}");
        assert!(!sandbox.glassbox(&["images"]).expect(0).out.contains("demo"));
    }
    let ran = sandbox.glassbox(&["load", "-i", file, "--fail", "image.take-layer-9"]).expect(1);
    assert!(ran.err.contains("no step image.take-layer-9"), "{}", ran.err);
    sandbox.glassbox(&["load", "-i", file]).expect(0);
    assert!(!content(&sandbox.store()).iter().any(|n| n.starts_with("tmp/")), "the next load sweeps");
    let ran = sandbox.glassbox(&["run", "--rm", "--network", "none", "demo", "sh"]);
    assert_eq!(ran.status, 127, "the image has no shell, but it runs: {}", ran.err);
}

/// Feeds the first part of an archive to a load, and waits until it is staged.
fn half_loaded(sandbox: &Sandbox, bytes: &[u8]) -> std::process::Child {
    use std::io::Write;
    let mut child = sandbox.command(&["load"]).stdin(std::process::Stdio::piped()).spawn().unwrap();
    child.stdin.as_mut().unwrap().write_all(&bytes[..bytes.len() / 2]).unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while !content(&sandbox.store()).iter().any(|n| n.starts_with("tmp/stage-")) {
        assert!(Instant::now() < deadline, "nothing is staged");
        std::thread::sleep(Duration::from_millis(5));
    }
    child
}

#[test]
#[ignore = "root"]
fn a_load_that_waits_for_its_stream_can_be_ended() {
    use nix::sys::signal::{Signal, kill};
    let sandbox = Sandbox::root();
    let bytes = glassbox::image::demo::archive();
    for signal in [Signal::SIGKILL, Signal::SIGINT] {
        let mut child = half_loaded(&sandbox, &bytes);
        kill(nix::unistd::Pid::from_raw(child.id().cast_signed()), signal).unwrap();
        assert!(!child.wait().unwrap().success());
        assert!(sandbox.glassbox(&["images", "-q"]).expect(0).out.is_empty());
    }
    let demo = demo(&sandbox);
    sandbox.glassbox(&["load", "-i", demo.to_str().unwrap()]).expect(0);
    assert!(!content(&sandbox.store()).iter().any(|n| n.starts_with("tmp/")), "the next load sweeps");
}

#[test]
#[ignore = "root"]
fn what_was_there_before_survives_a_failed_load() {
    let sandbox = Sandbox::root();
    let demo = demo(&sandbox);
    let file = demo.to_str().unwrap();
    sandbox.glassbox(&["load", "-i", file]).expect(0);
    let before = content(&sandbox.store());
    for fault in [["--fail", "image.name-images"], ["--kill-at", "image.name-images"]] {
        let ran = sandbox.glassbox(&[&["load", "-i", file][..], &fault].concat());
        assert_ne!(ran.status, 0);
        sandbox.glassbox(&["system", "repair"]).expect(0);
        let now: BTreeSet<_> =
            content(&sandbox.store()).into_iter().filter(|n| !n.starts_with("tmp/")).collect();
        assert_eq!(now, before);
        assert!(sandbox.glassbox(&["images"]).expect(0).out.contains("demo"));
    }
}

/// What a trace says, without what only one of the kernels can know.
fn told(events: &[Event]) -> Vec<String> {
    let facts = |facts: &[Fact]| {
        facts
            .iter()
            // The real archive is a file somewhere on the host.
            .filter(|f| f.source.text() != "stat(2)")
            .map(|f| format!("{}={}", f.key, f.value))
            .collect::<Vec<_>>()
            .join("; ")
    };
    let line = |event: &Event| {
        Some(match &event.body {
            Body::About { step, .. } => format!("about {step}"),
            Body::Observed { step, facts: seen, .. } => format!("seen {step}: {}", facts(seen)),
            Body::Done { step, unchanged, .. } => format!("done {step} {unchanged}"),
            Body::Planned { plan, .. } => format!("planned {}", plan.steps.len()),
            Body::End { status } => format!("end {status}"),
            _ => return None,
        })
    };
    events.iter().filter_map(line).collect()
}

#[test]
#[ignore = "root"]
fn both_kernels_tell_the_same_load() {
    let sandbox = Sandbox::root();
    let demo = demo(&sandbox);
    let (real, model) = (sandbox.path("real.jsonl"), sandbox.path("model.jsonl"));
    sandbox
        .glassbox(&["load", "-i", demo.to_str().unwrap(), "--trace-file", real.to_str().unwrap()])
        .expect(0);
    sandbox.glassbox(&["--model", "load", "--trace-file", model.to_str().unwrap()]).expect(0);
    let read = |path: &Path| told(&redact::redact(&read_recording(path)).unwrap());
    let (real, model) = (read(&real), read(&model));
    for (real, model) in real.iter().zip(&model) {
        assert_eq!(real, model);
    }
    assert_eq!(real.len(), model.len());
    assert!(real.iter().any(|l| l.contains("etc/.wh.motd=character device 0:0")), "{real:#?}");
    assert!(real.iter().any(|l| l.contains(".wh..wh..opq=trusted.overlay.opaque=y")), "{real:#?}");
}

/// A docker-archive of one layer: a tar with a file of these bytes, as zstd with a
/// window of `1 << log` bytes.
fn zstd_archive(sandbox: &Sandbox, bytes: &[u8], log: u32) -> PathBuf {
    use crate::registry::images::{architecture, digest, tar_of};
    let tar = tar_of(&[("large", bytes)]);
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    encoder.set_parameter(zstd::zstd_safe::CParameter::WindowLog(log)).unwrap();
    std::io::Write::write_all(&mut encoder, &tar).unwrap();
    let layer = encoder.finish().unwrap();
    let config = serde_json::json!({
        "architecture": architecture(), "os": "linux", "config": {},
        "rootfs": { "type": "layers", "diff_ids": [digest(&tar)] },
    });
    let manifest =
        serde_json::json!([{ "Config": "c.json", "RepoTags": ["large:1"], "Layers": ["layer.tar"] }]);
    let (config, manifest) = (config.to_string(), manifest.to_string());
    let files =
        [("c.json", config.as_bytes()), ("layer.tar", &layer[..]), ("manifest.json", manifest.as_bytes())];
    let path = sandbox.path(&format!("zstd-{log}.tar"));
    fs::write(&path, tar_of(&files)).unwrap();
    path
}

/// The most memory that a load had, KiB. This process may be kept from looking while
/// one of them is at its largest.
fn peak(sandbox: &Sandbox, archive: &Path) -> u64 {
    (0..3).map(|n| peak_of_one(sandbox, archive, n)).max().unwrap_or(0)
}

/// The same of one load, looked at until it ends.
fn peak_of_one(sandbox: &Sandbox, archive: &Path, n: u32) -> u64 {
    let store = archive.with_extension(format!("store-{n}"));
    let mut command = sandbox.inside(crate::support::GLASSBOX);
    command.arg("--root").arg(&store).arg("--run-root").arg(archive.with_extension("run"));
    let mut child = command.args(["load", "-q", "-i"]).arg(archive).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    let ended = loop {
        let seen = fs::read_to_string(&status).unwrap_or_default();
        let line = seen.lines().find_map(|l| l.strip_prefix("VmHWM:"));
        let now = line.and_then(|l| l.trim().trim_end_matches(" kB").parse::<u64>().ok());
        most = most.max(now.unwrap_or(0));
        if let Some(ended) = child.try_wait().unwrap() {
            break ended;
        }
        std::thread::yield_now();
    };
    assert!(ended.success());
    most
}

/// The window is what a zstd layer takes, and it is taken once. A debug build is
/// itself as large as that: the same layer with a small window is the measure.
#[test]
#[ignore = "root"]
fn a_large_window_takes_its_memory_once() {
    let sandbox = Sandbox::root();
    let part = crate::registry::images::noise(1 << 20, 11);
    let bytes = part.repeat(80);
    let small = peak(&sandbox, &zstd_archive(&sandbox, &bytes, 20));
    let large = peak(&sandbox, &zstd_archive(&sandbox, &bytes, 25));
    let more = large.saturating_sub(small) / 1024;
    assert!((24..=40).contains(&more), "{more} MiB more for a window of 32 MiB: {small} and {large} KiB");
    let refused = zstd_archive(&sandbox, &bytes, 27);
    let ran = sandbox.glassbox(&["load", "-i", refused.to_str().unwrap()]).expect(1);
    assert!(ran.err.contains("its window of 128 MiB is larger than 32 MiB"), "{}", ran.err);
    assert_eq!(content(&sandbox.store()), BTreeSet::new());
}

/// Layers that are ready before the step of one that fails go too.
#[test]
#[ignore = "root"]
fn a_load_that_fails_by_itself_leaves_nothing() {
    use crate::registry::images::{Parts, architecture, noise, tar_of};
    let sandbox = Sandbox::root();
    let tars: Vec<Vec<u8>> = (0..6).map(|n| tar_of(&[("f", &noise(200_000, n))])).collect();
    let mut parts = Parts::new(&tars, architecture());
    // A layer that is as long as it should be, and something else.
    let middle = &mut parts.layers[2];
    let at = middle.len() / 2;
    middle[at] ^= 0x40;
    let good = Parts::new(&tars, architecture());
    let archive = good.archive("docker.io/library/bad:1");
    let place = archive.windows(64).position(|w| *w == good.layers[2][..64]).unwrap();
    let mut bytes = archive;
    bytes[place..place + parts.layers[2].len()].copy_from_slice(&parts.layers[2]);
    let path = sandbox.path("bad.tar");
    fs::write(&path, bytes).unwrap();
    for _ in 0..5 {
        sandbox.glassbox(&["load", "-i", path.to_str().unwrap()]).expect(1);
        assert_eq!(content(&sandbox.store()), BTreeSet::new());
    }
}
