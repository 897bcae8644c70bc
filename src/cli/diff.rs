//! `glassbox diff`

use clap::Args;

use super::context::Context;
use super::error::CliError;
use super::{output, setup};

/// Show what a container changed in its file system
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// Name, id or beginning of an id
    container: String,
}

/// Runs the command.
pub fn run(context: &Context, args: &DiffArgs) -> Result<u8, CliError> {
    setup::repair(context)?;
    let record = setup::find(context, &args.container)?;
    let text: String =
        setup::changes(context, &record)?.iter().map(|(path, letter)| format!("{letter} {path}\n")).collect();
    output::print(&text)?;
    Ok(0)
}
