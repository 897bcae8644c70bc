//! `cargo bench --bench store`: what a full store costs. Makes one with many
//! images, and runs the commands that read its index.
//!
//! Prints medians and minima; the goal stands beside the figure. Needs no root.

#![allow(clippy::print_stdout, reason = "a benchmark's result is what it prints")]
#![allow(missing_docs, reason = "a program")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use glassbox::image::index::NewImage;
use glassbox::image::{Reference, Store, digest};

const IMAGES: usize = 1000;
const ROUNDS: usize = 40;
const GOAL_MS: f64 = 50.0;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result<()> {
    let place = tempfile::tempdir()?;
    let store = Store::open(place.path().join("store"));
    let began = Instant::now();
    fill(&store, IMAGES)?;
    println!(
        "{IMAGES} images of two layers each, made in {:.1} s; {ROUNDS} rounds each",
        began.elapsed().as_secs_f64()
    );
    let program =
        std::env::var_os("GLASSBOX").map_or(PathBuf::from(env!("CARGO_BIN_EXE_glassbox")), PathBuf::from);
    let last = format!("app:{}", IMAGES - 1);
    for (args, goal) in [
        (&["--version"][..], None),
        (&["images"], Some(GOAL_MS)),
        (&["images", "-q", "--no-trunc"], Some(GOAL_MS)),
        (&["history", &last], None),
    ] {
        let mut times = Vec::with_capacity(ROUNDS);
        for _ in 0..ROUNDS {
            times.push(once(&program, store.root(), args)?);
        }
        times.sort();
        let ms = |d: Duration| d.as_secs_f64() * 1e3;
        let goal = goal.map(|g| format!("  (goal: under {g} ms)")).unwrap_or_default();
        let (median, least) = (ms(times[ROUNDS / 2]), ms(times[0]));
        println!("  {:<24} median {median:6.2} ms  minimum {least:6.2}{goal}", args.join(" "));
    }
    Ok(())
}

fn once(program: &Path, root: &Path, args: &[&str]) -> Result<Duration> {
    let mut command = Command::new(program);
    command.arg("--root").arg(root).args(args).stdin(Stdio::null()).stdout(Stdio::null());
    let began = Instant::now();
    let status = command.status()?;
    let took = began.elapsed();
    if status.success() { Ok(took) } else { Err(format!("glassbox {}: {status}", args.join(" ")).into()) }
}

/// Images with a layer of their own on a common one, in one go.
fn fill(store: &Store, count: usize) -> Result<()> {
    let stage = store.stage()?;
    let mut blobs: Vec<(String, PathBuf)> = Vec::new();
    let mut blob = |bytes: &[u8]| -> Result<String> {
        let name = digest::of_bytes(bytes);
        let path = stage.path().join(blobs.len().to_string());
        std::fs::write(&path, bytes)?;
        blobs.push((name.clone(), path));
        Ok(name)
    };
    let common = layer("base")?;
    let base = blob(&common)?;
    let mut images = Vec::with_capacity(count);
    for n in 0..count {
        let tar = layer(&format!("layer {n}"))?;
        let own = blob(&tar)?;
        let config = serde_json::json!({
            "created": format!("2026-01-01T00:{:02}:{:02}Z", n / 60 % 60, n % 60),
            "architecture": "amd64", "os": "linux",
            "config": {"Cmd": ["sh"], "Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]},
            "rootfs": {"type": "layers", "diff_ids": [&base, &own]},
            "history": [{"created_by": "ADD base"}, {"created_by": format!("RUN make {n}")}],
        })
        .to_string();
        let id = blob(config.as_bytes())?;
        let media_type = "application/vnd.oci.image.layer.v1.tar";
        let manifest = serde_json::json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": id, "size": config.len()},
            "layers": [
                {"mediaType": media_type, "digest": base, "size": common.len()},
                {"mediaType": media_type, "digest": own, "size": tar.len()},
            ],
        });
        images.push(NewImage {
            manifest: manifest.to_string().into_bytes(),
            media_type: "application/vnd.oci.image.manifest.v1+json".into(),
            id,
            references: vec![Reference::parse(&format!("app:{n}"))?],
        });
    }
    store.add(&blobs, &[], &images)?;
    Ok(())
}

/// A layer of one file.
fn layer(text: &str) -> Result<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_size(text.len() as u64);
    header.set_mode(0o644);
    tar.append_data(&mut header, "file", text.as_bytes())?;
    Ok(tar.into_inner()?)
}
