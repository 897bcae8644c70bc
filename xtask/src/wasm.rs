//! The library without its Linux parts compiles for a target that has no Linux,
//! and the model runs there as it does here.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

const TARGET: &str = "wasm32-unknown-unknown";

/// Checks the library for wasm32: with rustup's target, or with the compiler
/// that `.ci/wasm-toolchain` unpacks; where neither can be had, on this host,
/// and says so.
pub fn check(project: &Path) -> Result<()> {
    let mut cargo = cargo(project);
    cargo.args(["check", "--lib", "--package", "glassbox", "--no-default-features"]);
    let checked = if for_wasm(&mut cargo, project)?.is_some() {
        TARGET
    } else {
        println!("{TARGET} cannot be had here: the library is checked without its Linux parts on this host");
        "this host, without its Linux parts"
    };
    let status = cargo.status().context("failed to run cargo")?;
    ensure!(status.success(), "the library does not compile for {checked}");
    println!("the library compiles for {checked}");
    Ok(())
}

fn cargo(project: &Path) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(project);
    cargo
}

/// Makes cargo build for wasm32, and gives the directory of what it builds; none
/// where no compiler for it can be had.
fn for_wasm(cargo: &mut Command, project: &Path) -> Result<Option<PathBuf>> {
    if installed() || added() {
        cargo.args(["--target", TARGET]);
        let target =
            std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| project.join("target"), PathBuf::from);
        return Ok(Some(target.join(TARGET)));
    }
    let Some(root) = unpacked(project) else { return Ok(None) };
    with_own_std(cargo, project, &root)?;
    Ok(Some(project.join("target/wasm").join(TARGET)))
}

/// Builds the module, and gives its path; none where no compiler for it can be had.
pub fn build(project: &Path) -> Result<Option<PathBuf>> {
    let mut cargo = cargo(project);
    cargo.args(["build", "--package", "glassbox-wasm"]);
    let Some(target) = for_wasm(&mut cargo, project)? else { return Ok(None) };
    ensure!(
        cargo.status().context("failed to run cargo")?.success(),
        "the module does not compile for {TARGET}"
    );
    Ok(Some(target.join("debug/glassbox_wasm.wasm")))
}

fn installed() -> bool {
    let list = Command::new("rustup").args(["target", "list", "--installed"]).output();
    list.is_ok_and(|l| String::from_utf8_lossy(&l.stdout).lines().any(|l| l == TARGET))
}

fn added() -> bool {
    let mut add = Command::new("rustup");
    add.args(["target", "add", TARGET]).stdout(Stdio::null()).stderr(Stdio::null());
    add.status().is_ok_and(|s| s.success())
}

/// The root of Debian's packages, unpacked below `target`.
fn unpacked(project: &Path) -> Option<PathBuf> {
    let root = project.join("target/wasm-toolchain");
    let script = Command::new(project.join(".ci/wasm-toolchain")).arg(&root).stderr(Stdio::null()).status();
    (script.is_ok_and(|s| s.success()) && root.join("usr/bin/rustc").is_file()).then_some(root)
}

/// Debian's compiler has no library for wasm32 beside it, but its source.
fn with_own_std(cargo: &mut Command, project: &Path, root: &Path) -> Result<()> {
    let sysroot =
        Command::new("rustc").args(["--print", "sysroot"]).output().context("failed to run rustc")?;
    let sysroot = PathBuf::from(String::from_utf8_lossy(&sysroot.stdout).trim());
    let libraries = [root.join("usr/lib/x86_64-linux-gnu"), root.join("usr/lib"), sysroot.join("lib")];
    cargo
        .args(["--target", TARGET, "-Z", "build-std=std,panic_abort"])
        // Nothing of it runs but the macros.
        .args(["--config", "profile.dev.package.\"*\".opt-level=0"])
        // build-std is for nightly compilers; this is a check, not a release.
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTC", root.join("usr/bin/rustc"))
        .env("LD_LIBRARY_PATH", std::env::join_paths(libraries)?)
        // Its own: another compiler would make cargo build everything anew in turn.
        .env("CARGO_TARGET_DIR", project.join("target/wasm"));
    Ok(())
}
