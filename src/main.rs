//! glassbox
use std::process::ExitCode;

use glassbox::{kernel::linux::userland, userland as programs};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args_os().map(|a| a.to_string_lossy().into_owned()).collect();
    if let Some(argv) = program(&args) {
        return as_program(argv);
    }
    ExitCode::SUCCESS
}

/// The program's own arguments, when the binary was started as one of the
/// userland's: by that name, or as `glassbox box NAME …`.
fn program(args: &[String]) -> Option<Vec<String>> {
    let name = programs::program_name(args.first()?);
    if name == programs::MULTICALL || programs::PROGRAMS.binary_search(&name).is_ok() {
        return Some(args.to_vec());
    }
    (args.get(1).is_some_and(|a| a == programs::MULTICALL)).then(|| args[1..].to_vec())
}

fn as_program(argv: Vec<String>) -> ExitCode {
    let env = std::env::vars_os()
        .map(|(n, v)| format!("{}={}", n.to_string_lossy(), v.to_string_lossy()))
        .collect();
    let name = argv.get(1).cloned().unwrap_or_default();
    match userland::run(programs::Invocation { argv, env }) {
        Some(status) => ExitCode::from(status),
        None => {
            use std::io::Write;
            let _ = writeln!(std::io::stderr(), "{name}: applet not found");
            ExitCode::from(127)
        }
    }
}
