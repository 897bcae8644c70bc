//! Assembles the usual system call filter, so that no run has to, and links
//! the unwinder into the binary where the compiler has it as an archive.

use std::env;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

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

fn main() {
    for file in ["assemble.rs", "numbers.rs", "numbers.tbl", "profile.rs"] {
        println!("cargo::rerun-if-changed=src/kernel/linux/seccomp/{file}");
    }
    println!("cargo::rerun-if-changed=src/spec/capabilities.rs");
    println!("cargo::rerun-if-changed=build.rs");

    link_unwinder();

    let caps = assemble::relevant(capabilities::DEFAULT.into_iter());
    let arch = env::var("CARGO_CFG_TARGET_ARCH").unwrap_or_default();
    let program = match numbers::Machine::from_name(&arch) {
        Some(machine) => assemble::assemble(machine, &caps),
        None => Vec::new(),
    };
    let mut text = format!("const BUILT_FOR: &[&str] = &{caps:?};\n");
    text += "static BUILT: &[assemble::Insn] = &[\n";
    for i in &program {
        let _ =
            writeln!(text, "assemble::Insn {{ code: {}, jt: {}, jf: {}, k: {} }},", i.code, i.jt, i.jf, i.k);
    }
    text += "];\n";
    let Some(out) = env::var_os("OUT_DIR") else { panic!("cargo sets OUT_DIR") };
    let file = Path::new(&out).join("seccomp.rs");
    if let Err(e) = std::fs::write(&file, text) {
        panic!("write {}: {e}", file.display());
    }
}

/// Every run starts a process, and loading libgcc_s.so is a sixth of what its
/// loader does. The same code is in libgcc_eh.a, which comes with gcc; where it
/// is not found, the shared library serves as ever.
fn link_unwinder() {
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|v| v == value);
    let own_host = env::var("HOST").ok() == env::var("TARGET").ok();
    if !(own_host && is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu")) {
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
