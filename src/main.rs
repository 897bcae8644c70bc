//! The `glassbox` program: the command line, and, under the name of one of its
//! programs, the userland of the built-in image.

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<std::ffi::OsString> = std::env::args_os().collect();
    if let Some(status) = glassbox::kernel::linux::userland::main(&args) {
        return ExitCode::from(status);
    }
    ExitCode::from(glassbox::cli::main(args))
}
