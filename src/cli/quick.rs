//! `run`, parsed without the other commands. To describe all of them and their
//! options to clap takes as long as half of a container's mounts, in every run.

use std::ffi::OsString;

use clap::{Parser, Subcommand};

use super::context::Global;
use super::run::RunArgs;

#[derive(Debug, Parser)]
struct Quick {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(Box<RunArgs>),
}

/// The flags of every command and those of `run`; `None` for another command,
/// for help, and for anything wrong: then the whole description has the answer.
pub fn run(args: &[OsString]) -> Option<(Global, Box<RunArgs>)> {
    if !args.iter().any(|arg| arg == "run") {
        return None;
    }
    let quick = Quick::try_parse_from(args).ok()?;
    let Command::Run(args) = quick.command;
    Some((quick.global, args))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quick(line: &str) -> bool {
        run(&line.split(' ').map(OsString::from).collect::<Vec<_>>()).is_some()
    }

    #[test]
    fn only_a_run_without_a_fault_is_taken() {
        for line in
            ["glassbox run box", "glassbox --root /x run --rm box sh -c help", "glassbox run box run --help"]
        {
            assert!(quick(line), "{line}");
        }
        for line in [
            "glassbox",
            "glassbox ps",
            "glassbox run",
            "glassbox run --nonsense box",
            "glassbox run --help",
            "glassbox --version run",
            "glassbox plan run box",
            "glassbox rm run",
        ] {
            assert!(!quick(line), "{line}");
        }
    }
}
