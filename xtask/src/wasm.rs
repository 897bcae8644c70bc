//! The library without its Linux parts compiles for a target that has no Linux.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

const TARGET: &str = "wasm32-unknown-unknown";

/// Checks the library for wasm32; on the host, if that target is not installed.
pub fn check(project: &Path) -> Result<()> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(project).args(["check", "--lib", "--package", "glassbox", "--no-default-features"]);
    let for_wasm = installed();
    if for_wasm {
        cargo.args(["--target", TARGET]);
    } else {
        println!(
            "{TARGET} is not installed (rustup target add {TARGET}): checking without Linux parts on this host"
        );
    }
    let status = cargo.status().context("failed to run cargo")?;
    ensure!(status.success(), "the library does not compile without its Linux parts");
    println!(
        "the library compiles {}",
        if for_wasm { TARGET } else { "without its Linux parts, on this host" }
    );
    Ok(())
}

fn installed() -> bool {
    let list = Command::new("rustup").args(["target", "list", "--installed"]).output();
    list.is_ok_and(|l| String::from_utf8_lossy(&l.stdout).lines().any(|l| l == TARGET))
}
