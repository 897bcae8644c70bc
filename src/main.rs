//! The `glassbox` program: the command line, and, under the name of one of its
//! programs, the userland of the built-in image.

#![cfg_attr(all(target_os = "linux", target_env = "gnu"), no_main)]

mod start;

use std::ffi::OsString;

use glassbox::{kernel::linux::userland, userland as programs};

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn main() {
    std::process::exit(i32::from(run()))
}

/// The exit status.
fn run() -> u8 {
    let args: Vec<OsString> = std::env::args_os().collect();
    match program(&args) {
        Some(argv) => as_program(argv),
        None => glassbox::cli::main(args),
    }
}

/// The program's own arguments, when the binary was started as one of the
/// userland's: by that name, or as `glassbox box NAME …`.
fn program(args: &[OsString]) -> Option<Vec<String>> {
    let text = |args: &[OsString]| args.iter().map(|a| a.to_string_lossy().into_owned()).collect();
    let first = args.first()?.to_string_lossy().into_owned();
    let name = programs::program_name(&first);
    if name == programs::MULTICALL || programs::PROGRAMS.binary_search(&name).is_ok() {
        return Some(text(args));
    }
    (args.get(1).is_some_and(|a| a == programs::MULTICALL)).then(|| text(&args[1..]))
}

fn as_program(argv: Vec<String>) -> u8 {
    let env = std::env::vars_os()
        .map(|(n, v)| format!("{}={}", n.to_string_lossy(), v.to_string_lossy()))
        .collect();
    let name = argv.get(1).cloned().unwrap_or_default();
    match userland::run(programs::Invocation { argv, env }) {
        Some(status) => status,
        None => {
            use std::io::Write;
            let _ = writeln!(std::io::stderr(), "{name}: applet not found");
            127
        }
    }
}
