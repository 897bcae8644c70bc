//! A pull of many layers at once, killed wherever it stands.

use std::path::Path;
use std::time::{Duration, Instant};

use super::fake::Fake;
use super::images::{Parts, architecture, digest, noise, tar_of};
use super::real::unpacked;
use crate::support::Sandbox;

/// Bytes of one layer's file.
const LAYER: usize = 2_000_000;

fn layers() -> Vec<Vec<u8>> {
    (0..6u64)
        .map(|n| tar_of(&[(&format!("noise-{n}"), &noise(LAYER, n + 1)), ("who", n.to_string().as_bytes())]))
        .collect()
}

fn bytes_below(dir: &Path) -> u64 {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .map(|e| match e.metadata() {
            Ok(m) if m.is_dir() => bytes_below(&e.path()),
            Ok(m) => m.len(),
            Err(_) => 0,
        })
        .sum()
}

/// Every blob is what its name says, and every tree is whole.
fn consistent(sandbox: &Sandbox, tars: &[Vec<u8>], after: u64) {
    let names = |dir: &str| {
        let entries = std::fs::read_dir(sandbox.store().join(dir)).into_iter().flatten().flatten();
        entries.map(|e| e.path()).collect::<Vec<_>>()
    };
    for blob in names("blobs/sha256") {
        let named = format!("sha256:{}", blob.file_name().unwrap().to_str().unwrap());
        assert_eq!(digest(&std::fs::read(&blob).unwrap()), named, "after {after} bytes");
    }
    for place in names("layers") {
        let tree = place.join("diff");
        if !tree.exists() {
            continue;
        }
        let n: u64 = std::fs::read_to_string(tree.join("who")).unwrap().parse().unwrap();
        assert!(usize::try_from(n).unwrap() < tars.len());
        let content = std::fs::read(tree.join(format!("noise-{n}"))).unwrap();
        assert!(content == noise(LAYER, n + 1), "half a layer, after {after} bytes");
    }
}

#[test]
#[ignore = "root"]
fn a_pull_that_is_killed_leaves_no_half_layer() {
    // The registry is in the tests' own network.
    let sandbox = Sandbox::plain();
    let tars = layers();
    let fake = Fake::start();
    let parts = Parts::new(&tars, architecture());
    fake.image("app", "v1", &parts);
    let name = format!("{}/app:v1", fake.host);
    let whole = bytes_of(&parts);
    let mut state = 88_172_645_463_325_252u64;
    let mut killed = 0;
    for round in 0..12u64 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        // Blobs and trees together are about twice the image.
        let point = if round == 0 { 0 } else { state % (whole * 2) };
        let mut child = sandbox.command(&["pull", "-q", &name]).spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(60);
        let ended = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break Some(status);
            }
            if bytes_below(&sandbox.store()) >= point {
                child.kill().unwrap();
                child.wait().unwrap();
                break None;
            }
            assert!(Instant::now() < deadline, "the pull neither ends nor goes on");
        };
        consistent(&sandbox, &tars, point);
        if ended.is_none() {
            killed += 1;
            // An image is there whole, or not at all.
            let listed = sandbox.glassbox(&["images", "-q"]).expect(0).out;
            if !listed.is_empty() {
                sandbox.glassbox(&["run", "--rm", "--network", "none", &name, "nosuch"]).expect(127);
            }
        }
        // Whoever comes next finishes it, and sweeps what was left.
        sandbox.glassbox(&["pull", "-q", &name]).expect(0);
        consistent(&sandbox, &tars, point);
        for n in 0..tars.len() as u64 {
            let found = unpacked(&sandbox, "store", &format!("noise-{n}"));
            assert!(found == Some(noise(LAYER, n + 1)), "layer {n} after a kill at {point} bytes");
        }
        assert_eq!(std::fs::read_dir(sandbox.store().join("tmp")).unwrap().count(), 0);
        sandbox.glassbox(&["rmi", &name]).expect(0);
        assert!(sandbox.host().receipts.is_empty());
    }
    assert!(killed > 4, "only {killed} were killed on their way");
}

fn bytes_of(parts: &Parts) -> u64 {
    parts.layers.iter().map(|l| l.len() as u64).sum()
}
