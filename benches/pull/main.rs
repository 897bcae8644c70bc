//! `cargo bench --bench pull`: what a pull costs, beside `podman pull`, in the
//! same run and from the same registry on loopback.
//!
//! Needs root and Debian's `docker-registry`; says so where a peer is missing.
//! Every pull goes to a directory of its own: on some file systems making files
//! is slow for a while after many were removed. Nothing here passes or fails:
//! the goals stand beside the figures.
//!
//! ROUNDS (3), PLACES (`/tmp /dev/shm`) and MEGABYTES (560) may be set.

#![allow(clippy::print_stdout, reason = "a benchmark's result is what it prints")]
#![allow(missing_docs, reason = "a program")]

mod image;
mod registry;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use registry::Registry;
use tempfile::TempDir;

/// Of podman's time.
const GOAL: f64 = 0.35;
/// Peak resident memory.
const GOAL_MIB: f64 = 64.0;

fn main() -> Result<(), Box<dyn Error>> {
    if !nix::unistd::geteuid().is_root() {
        println!("pull: skipped: needs root");
        return Ok(());
    }
    alone()?;
    let number = |name: &str, default: usize| -> usize {
        std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default)
    };
    let rounds = number("ROUNDS", 3).max(1);
    let dir = TempDir::new()?;
    let Some(registry) = Registry::start(dir.path())? else {
        println!("pull: skipped: docker-registry is not installed");
        return Ok(());
    };
    let name = format!("{}/bench/debian:latest", registry.host);
    let archive = dir.path().join("image.tar");
    let size = image::write(&archive, &name, number("MEGABYTES", 560) as u64 * 1_000_000)?;
    println!(
        "an image of 5 layers: {} MB as tars, {} MB as gzip",
        size.plain / 1_000_000,
        size.packed / 1_000_000
    );
    let mut push = glassbox(&dir.path().join("first"));
    run(push.arg("load").arg("-q").arg("-i").arg(&archive))?;
    let start = Instant::now();
    run(glassbox(&dir.path().join("first")).args(["push", "-q", &name]))?;
    println!("push: {:.2} s", start.elapsed().as_secs_f64());

    let places = std::env::var("PLACES").unwrap_or_else(|_| "/tmp /dev/shm".into());
    for place in places.split_whitespace() {
        measure(Path::new(place), &name, rounds)?;
    }
    Ok(())
}

/// Both in turn, so that a drifting machine meets both alike.
fn measure(place: &Path, name: &str, rounds: usize) -> Result<(), Box<dyn Error>> {
    let dir = TempDir::new_in(place)?;
    let (mut own, mut peer) = (Vec::new(), Vec::new());
    let mut peak = 0.0_f64;
    let podman = Command::new("podman").arg("--version").output().is_ok();
    for round in 0..rounds {
        let mut command = glassbox(&dir.path().join(format!("glassbox-{round}")));
        command.args(["pull", "-q", name]);
        let (seconds, mib) = timed(&command)?;
        own.push(seconds);
        peak = peak.max(mib);
        if podman {
            let mut command = Command::new("podman");
            let root = dir.path().join(format!("podman-{round}"));
            command.arg("--root").arg(root.join("root")).arg("--runroot").arg(root.join("run"));
            command.args(["--storage-driver", "overlay", "pull", "-q", "--tls-verify=false", name]);
            peer.push(timed(&command)?.0);
            let _ = nix::mount::umount(&root.join("root/overlay"));
        }
    }
    own.sort_by(f64::total_cmp);
    peer.sort_by(f64::total_cmp);
    println!("\npull into {}; {rounds} rounds each", place.display());
    println!("  glassbox  median {:6.2} s  (min {:.2})", median(&own), own[0]);
    match peer.first() {
        Some(first) => println!(
            "  podman    median {:6.2} s  (min {first:.2})  ratio {:.3}, of the minima {:.3} (goal: at most {GOAL})",
            median(&peer),
            median(&own) / median(&peer),
            own[0] / first
        ),
        None => println!("  podman is not installed: no ratio"),
    }
    println!("  peak resident memory of glassbox: {peak:.1} MiB (goal: under {GOAL_MIB})");
    Ok(())
}

fn median(sorted: &[f64]) -> f64 {
    sorted[sorted.len() / 2]
}

/// Seconds, and the largest resident set in MiB: by GNU time, since a child of
/// this process would inherit our own peak across fork.
fn timed(command: &Command) -> Result<(f64, f64), Box<dyn Error>> {
    let mut timed = Command::new("/usr/bin/time");
    timed.args(["-f", "%M", "--"]).arg(command.get_program()).args(command.get_args());
    let start = Instant::now();
    let output = timed.stdin(Stdio::null()).stdout(Stdio::null()).output()?;
    let seconds = start.elapsed().as_secs_f64();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() {
        return Err(format!("{command:?}: {}\n{text}", output.status).into());
    }
    let kib: f64 = text.lines().last().unwrap_or_default().trim().parse()?;
    Ok((seconds, kib / 1024.0))
}

/// This build's, or another one by the variable GLASSBOX.
fn glassbox(root: &Path) -> Command {
    let program = std::env::var_os("GLASSBOX").unwrap_or_else(|| env!("CARGO_BIN_EXE_glassbox").into());
    let mut command = Command::new(PathBuf::from(program));
    command.arg("--root").arg(root).arg("--run-root").arg(root.join("run"));
    command
}

fn run(command: &mut Command) -> Result<(), Box<dyn Error>> {
    let output = command.stdout(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{command:?}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr)).into())
}

/// A mount namespace of our own: what podman keeps mounted goes with it.
fn alone() -> nix::Result<()> {
    use nix::mount::{MsFlags, mount};
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS)?;
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)
}
