//! Assembles the usual system call filter, so that no run has to. Tells the
//! linker what makes a process start sooner: the unwinder as an archive, the
//! functions of a run together, and relocations in short form.

use std::env;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

#[path = "src/kernel/linux/seccomp/asking.rs"]
#[allow(dead_code)]
mod asking;
#[path = "src/kernel/linux/seccomp/assemble.rs"]
#[allow(dead_code)]
mod assemble;
#[path = "src/spec/capabilities.rs"]
#[allow(dead_code)]
mod capabilities;
#[path = "src/kernel/linux/seccomp/numbers.rs"]
mod numbers;
#[path = "src/kernel/linux/seccomp/profile.rs"]
mod profile;
#[path = "src/kernel/linux/seccomp/tally.rs"]
mod tally;

fn main() {
    for file in ["asking.rs", "assemble.rs", "numbers.rs", "numbers.tbl", "profile.rs", "tally.rs"] {
        println!("cargo::rerun-if-changed=src/kernel/linux/seccomp/{file}");
    }
    println!("cargo::rerun-if-changed=src/spec/capabilities.rs");
    println!("cargo::rerun-if-changed=build.rs");

    link_unwinder();
    println!("cargo::rerun-if-changed=src/run.order");
    link_for_a_quick_start();

    let caps = assemble::relevant(capabilities::DEFAULT.into_iter());
    let arch = env::var("CARGO_CFG_TARGET_ARCH").unwrap_or_default();
    let machine = numbers::Machine::from_name(&arch);
    let plain = machine.map(|m| assemble::assemble(m, &caps)).unwrap_or_default();
    let asking = machine.map(|m| asking::asking(m, Some(&caps))).unwrap_or_default();
    let mut text = format!("const BUILT_FOR: &[&str] = &{caps:?};\n");
    for (name, program) in [("BUILT", plain), ("BUILT_ASKING", asking)] {
        let _ = writeln!(text, "static {name}: &[assemble::Insn] = &[");
        for i in &program {
            let _ = writeln!(
                text,
                "assemble::Insn {{ code: {}, jt: {}, jf: {}, k: {} }},",
                i.code, i.jt, i.jf, i.k
            );
        }
        text += "];\n";
    }
    let counts = machine.map(|m| tally::tally(m, Some(&caps)));
    let _ = writeln!(text, "const BUILT_TALLY: Option<Tally> = {counts:?};");
    let (names, ends) = machine.map(names_by_number).unwrap_or_default();
    let _ = writeln!(text, "const NAMES: &str = {names:?};\nstatic NAME_ENDS: &[u16] = &{ends:?};");
    let Some(out) = env::var_os("OUT_DIR") else { panic!("cargo sets OUT_DIR") };
    let file = Path::new(&out).join("seccomp.rs");
    if let Err(e) = std::fs::write(&file, text) {
        panic!("write {}: {e}", file.display());
    }
}

/// All names one after the other, and where that of each number ends: a table of
/// strings would have to be relocated at each start.
fn names_by_number(machine: numbers::Machine) -> (String, Vec<u16>) {
    let mut calls: Vec<_> = numbers::numbers(machine.abis()[0].1[0]).collect();
    calls.sort_by_key(|(_, n)| *n);
    let (mut names, mut ends) = (String::new(), Vec::new());
    for (name, n) in calls {
        // What no call has is empty.
        ends.resize(n as usize, names.len() as u16);
        names += name;
        ends.push(names.len() as u16);
    }
    (names, ends)
}

/// Every run starts a process, and loading libgcc_s.so is a sixth of what its
/// loader does. The same code is in libgcc_eh.a, which comes with gcc; where it
/// is not found, the shared library serves as ever.
fn link_unwinder() {
    if !for_this_glibc() {
        return;
    }
    let Ok(found) = Command::new("cc").arg("-print-file-name=libgcc_eh.a").output() else { return };
    let found = String::from_utf8_lossy(&found.stdout);
    // Without the file, gcc prints the bare name back.
    if let Some(dir) = Path::new(found.trim()).parent().filter(|d| d.is_absolute()) {
        println!("cargo::rustc-link-search=native={}", dir.display());
        println!("cargo::rustc-link-lib=static:-bundle=gcc_eh");
    }
}

fn for_this_glibc() -> bool {
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|v| v == value);
    let own_host = env::var("HOST").ok() == env::var("TARGET").ok();
    own_host && is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu")
}

/// What is not understood by the linker at hand is left out, as is a list whose
/// names are another compiler's.
fn link_for_a_quick_start() {
    // The names of another profile differ, and its programs are for debugging.
    if !for_this_glibc() || env::var("PROFILE").as_deref() != Ok("release") {
        return;
    }
    let Some(here) = env::var_os("CARGO_MANIFEST_DIR") else { return };
    let list = format!("-Wl,--symbol-ordering-file={}", Path::new(&here).join("src/run.order").display());
    let order = [list.as_str(), "-Wl,--no-warn-symbol-ordering"];
    // The loader has to know them too, and glibc does from 2.36 on: tried, by running.
    let relocations = ["-Wl,-z,pack-relative-relocs"];
    for arguments in [&order[..], &relocations] {
        if links_and_runs(arguments) {
            for argument in arguments {
                println!("cargo::rustc-link-arg-bins={argument}");
            }
        }
    }
}

/// Whether an empty program linked with these arguments starts.
fn links_and_runs(arguments: &[&str]) -> bool {
    let (Some(rustc), Some(out)) = (env::var_os("RUSTC"), env::var_os("OUT_DIR")) else { return false };
    let (source, program): (PathBuf, PathBuf) =
        (Path::new(&out).join("empty.rs"), Path::new(&out).join("empty"));
    if std::fs::write(&source, "fn main() {}").is_err() {
        return false;
    }
    let mut compile = Command::new(rustc);
    compile.arg(&source).arg("-o").arg(&program).args(arguments.iter().map(|a| format!("-Clink-arg={a}")));
    // The linker and the flags that the program itself will be linked with.
    if let Some(linker) = env::var_os("RUSTC_LINKER") {
        let mut argument = std::ffi::OsString::from("-Clinker=");
        argument.push(linker);
        compile.arg(argument);
    }
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    compile.args(flags.split('\x1f').filter(|f| !f.is_empty()));
    let made = compile.output().is_ok_and(|o| o.status.success());
    made && Command::new(&program).status().is_ok_and(|s| s.success())
}
