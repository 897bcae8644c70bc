//! The order of the functions in the program. The kernel maps 16 pages of a
//! program around each one that is touched, so what a run touches takes least
//! memory and fewest page faults when it lies together. `src/run.order` lists
//! those functions, and build.rs gives the list to the linker.

mod entries;
mod watch;

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use clap::Args;
use nix::sched::{CloneFlags, unshare};

use entries::Entries;

const LIST: &str = "src/run.order";

/// Which glassbox.
#[derive(Args)]
pub struct With {
    /// A release build: the names hold a digest of the compiler and the profile.
    #[arg(long, value_name = "FILE", default_value = "target/release/glassbox")]
    glassbox: PathBuf,
    /// Write nothing: say how much of the list this build knows.
    #[arg(long)]
    check: bool,
}

/// Runs containers, and writes down which functions were entered, first come first.
pub fn record(project: &Path, with: &With) -> Result<()> {
    let glassbox = project.join(&with.glassbox);
    ensure!(glassbox.is_file(), "{} is missing: `cargo build --release` makes it", glassbox.display());
    let program = Entries::read(&glassbox)?;
    let list = project.join(LIST);
    if with.check {
        return check(&program, &list);
    }

    // Bridges and rules of these runs must not stay on the host.
    unshare(CloneFlags::CLONE_NEWNET).context("failed to make a network namespace; root can")?;
    let place = tempfile::Builder::new().prefix("glassbox-order-").tempdir()?;
    let command = |args: &[&str]| {
        let mut command = Command::new(&glassbox);
        command.arg("--root").arg(place.path().join("store")).arg("--run-root").arg(place.path().join("run"));
        command.args(args).current_dir(place.path()).stdin(Stdio::null()).stdout(Stdio::null());
        command
    };
    // An image of the store takes another way than the built-in one.
    for args in [&["run", "--rm", "--network", "none", "box", "true"][..], &["tag", "box", "order"]] {
        let status = command(args).status()?;
        ensure!(status.success(), "glassbox {} ended with {status}", args.join(" "));
    }

    let runs: [&[&str]; 4] = [
        &["run", "--rm", "--network", "none", "order", "true"],
        &["run", "--rm", "order", "true"],
        &["run", "--rm", "--network", "none", "--trace-file", "trace.jsonl", "order", "true"],
        &["--version"],
    ];
    let mut known = HashSet::new();
    let mut text = String::new();
    let mut bytes = 0;
    for args in runs {
        for address in watch::entered(command(args), &program)? {
            let entry = program.at(address);
            if known.insert(&entry.name) {
                text += &entry.name;
                text.push('\n');
                bytes += entry.code.len();
            }
        }
    }
    fs::write(&list, text).with_context(|| format!("failed to write {}", list.display()))?;
    println!("{LIST}: {} functions of {}, {} KiB", known.len(), program.len(), bytes / 1024);
    Ok(())
}

fn check(program: &Entries, list: &Path) -> Result<()> {
    let text = fs::read_to_string(list).with_context(|| format!("failed to read {}", list.display()))?;
    let names: HashSet<&str> = program.names().collect();
    let found = text.lines().filter(|name| names.contains(name)).count();
    println!("{LIST}: {found} of {} functions are in this build", text.lines().count());
    Ok(())
}
