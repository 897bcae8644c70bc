//! `cargo bench --bench commit`: what it costs to commit a container that changed
//! 100 MB, beside `docker commit` and `podman commit` in the same run, and beside
//! the floor: GNU tar of the writable layer, and sha256sum of that.
//!
//! Needs root and Debian's busybox-static; a peer that is missing or does not
//! start is named and left out. All of it happens in mount and network namespaces of
//! its own. Nothing here passes or fails: the goals stand beside the figures.
//!
//! ROUNDS (5) and PLACES (`/tmp /dev/shm`) may be set.

#![allow(clippy::print_stdout, reason = "a benchmark's result is what it prints")]
#![allow(missing_docs, reason = "a program")]

mod peers;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use peers::{Docker, Podman};
use tempfile::TempDir;

pub type Done<T> = Result<T, Box<dyn Error>>;

/// Of docker's time.
const GOAL_DOCKER: f64 = 0.5;
/// Of the time of tar and sha256sum.
const GOAL_FLOOR: f64 = 1.5;

/// 90 MB in large files, 10 MB in small ones.
pub const CHANGE: &str = "mkdir /data; for i in 1 2 3 4 5 6 7 8 9; do head -c 10000000 /dev/urandom > /data/big$i; done; \
     for i in $(seq 2000); do head -c 5000 /dev/urandom > /data/small$i; done";

/// What is measured: a commit, and taking the image away again, untimed.
pub trait Engine {
    fn name(&self) -> &'static str;
    fn commit(&self) -> Command;
    fn remove(&self) -> Command;
}

fn main() -> Done<()> {
    if !nix::unistd::geteuid().is_root() {
        println!("commit: skipped: needs root");
        return Ok(());
    }
    alone()?;
    let rounds = std::env::var("ROUNDS").ok().and_then(|v| v.parse().ok()).unwrap_or(5usize).max(1);
    let places = std::env::var("PLACES").unwrap_or_else(|_| "/tmp /dev/shm".into());
    for place in places.split_whitespace() {
        measure(Path::new(place), rounds)?;
    }
    Ok(())
}

fn measure(place: &Path, rounds: usize) -> Done<()> {
    let dir = TempDir::new_in(place)?;
    let base = dir.path().join("base.tar");
    let root = dir.path().join("base");
    for sub in ["bin", "dev", "proc", "sys", "tmp", "etc"] {
        std::fs::create_dir_all(root.join(sub))?;
    }
    run(Command::new("sh")
        .args([
            "-c",
            "cp $(command -v busybox) \"$1/bin/\" && chroot \"$1\" /bin/busybox --install -s /bin",
            "sh",
        ])
        .arg(&root))?;
    run(Command::new("tar").arg("-C").arg(&root).arg("-cf").arg(&base).arg("."))?;

    let own = Glassbox::prepare(dir.path(), &base)?;
    let upper = own.upper()?;
    let mut engines: Vec<Box<dyn Engine>> =
        vec![Box::new(Floor { upper, out: dir.path().join("floor.tar") }), Box::new(own)];
    match Docker::prepare(dir.path(), &base) {
        Ok(docker) => engines.push(Box::new(docker)),
        Err(e) => println!("docker is left out: {e}"),
    }
    match Podman::prepare(dir.path(), &base) {
        Ok(podman) => engines.push(Box::new(podman)),
        Err(e) => println!("podman is left out: {e}"),
    }
    let mut times: Vec<Vec<f64>> = vec![Vec::new(); engines.len()];
    // In turn, so that a drifting machine meets all alike; the first round does not count.
    for round in 0..=rounds {
        for (engine, times) in engines.iter().zip(&mut times) {
            let start = Instant::now();
            run(&mut engine.commit())?;
            if round > 0 {
                times.push(start.elapsed().as_secs_f64());
            }
            run(&mut engine.remove())?;
        }
    }
    for times in &mut times {
        times.sort_by(f64::total_cmp);
    }
    println!("\ncommit of 100 MB changed in 2,009 files, in {}; {rounds} rounds each", place.display());
    let own = engines.iter().position(|e| e.name() == "glassbox").unwrap_or_default();
    for (engine, sorted) in engines.iter().zip(&times) {
        let ratio = times[own][times[own].len() / 2] / sorted[sorted.len() / 2];
        let goal = match engine.name() {
            "docker" => format!("  ratio {ratio:.3} (goal: at most {GOAL_DOCKER})"),
            "tar and sha256sum" => format!("  ratio {ratio:.3} (goal: at most {GOAL_FLOOR})"),
            "podman" => format!("  ratio {ratio:.3}"),
            _ => String::new(),
        };
        println!(
            "  {:<18} median {:7.3} s  (min {:.3}){goal}",
            engine.name(),
            sorted[sorted.len() / 2],
            sorted[0]
        );
    }
    Ok(())
}

/// The fewest reads and writes that make such a layer.
struct Floor {
    upper: PathBuf,
    out: PathBuf,
}

impl Engine for Floor {
    fn name(&self) -> &'static str {
        "tar and sha256sum"
    }

    fn commit(&self) -> Command {
        let mut command = Command::new("sh");
        command
            .args(["-c", "tar -C \"$1\" -cf \"$2\" . && sha256sum \"$2\"", "sh"])
            .arg(&self.upper)
            .arg(&self.out);
        command
    }

    fn remove(&self) -> Command {
        let mut command = Command::new("rm");
        command.arg(&self.out);
        command
    }
}

struct Glassbox {
    root: PathBuf,
}

impl Glassbox {
    fn prepare(dir: &Path, base: &Path) -> Done<Self> {
        let own = Glassbox { root: dir.join("glassbox") };
        run(own.command().arg("import").arg(base).arg("base"))?;
        run(own.command().args([
            "run",
            "--name",
            "changed",
            "--network",
            "none",
            "base",
            "/bin/sh",
            "-c",
            CHANGE,
        ]))?;
        Ok(own)
    }

    /// This build's, or another one by the variable GLASSBOX.
    fn command(&self) -> Command {
        let program = std::env::var_os("GLASSBOX").unwrap_or_else(|| env!("CARGO_BIN_EXE_glassbox").into());
        let mut command = Command::new(program);
        command.arg("--root").arg(&self.root).arg("--run-root").arg(self.root.join("run"));
        command
    }

    fn upper(&self) -> Done<PathBuf> {
        let out =
            self.command().args(["inspect", "-f", "{{.GraphDriver.Data.UpperDir}}", "changed"]).output()?;
        Ok(PathBuf::from(String::from_utf8(out.stdout)?.trim()))
    }
}

impl Engine for Glassbox {
    fn name(&self) -> &'static str {
        "glassbox"
    }

    fn commit(&self) -> Command {
        let mut command = self.command();
        command.args(["commit", "changed", "new"]);
        command
    }

    fn remove(&self) -> Command {
        let mut command = self.command();
        command.args(["rmi", "new"]);
        command
    }
}

/// Runs a command to its end; what it says is told only if it fails.
pub fn run(command: &mut Command) -> Done<()> {
    let output = command.stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{command:?}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr)).into())
}

/// Mount and network namespaces of our own: what the peers mount and set goes with them.
fn alone() -> nix::Result<()> {
    use nix::mount::{MsFlags, mount};
    use nix::sched::CloneFlags;
    nix::sched::unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET)?;
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)
}
