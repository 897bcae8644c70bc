//! Assembles the usual system call filter, so that no run has to.

use std::env;
use std::fmt::Write as _;
use std::path::Path;

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
