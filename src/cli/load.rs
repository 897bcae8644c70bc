//! `glassbox load`

use std::path::PathBuf;

use clap::Args;

use super::context::Context;
use super::error::CliError;
use super::{output, setup};

/// Load images from an archive: what `docker save` writes, or an OCI layout
#[derive(Debug, Args)]
pub struct LoadArgs {
    /// The archive; without it, standard input
    #[arg(short, long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// No output but errors
    #[arg(short, long)]
    quiet: bool,
}

/// Runs the command.
pub fn run(context: &Context, args: &LoadArgs) -> Result<u8, CliError> {
    for line in setup::load(context, args.input.as_deref())? {
        if !args.quiet {
            output::print(&format!("{line}\n"))?;
        }
    }
    Ok(0)
}
