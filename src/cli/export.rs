//! `glassbox export`

use std::path::PathBuf;

use clap::Args;

use super::context::Context;
use super::error::CliError;
use super::{save, setup};
use crate::image::layers::write;
use crate::image::union::Stack;

/// Write all files of a container to a tar: its layers as one tree, without volumes
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The tar; without it, standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Name, id or beginning of an id
    container: String,
}

/// Runs the command.
pub fn run(context: &Context, args: &ExportArgs) -> Result<u8, CliError> {
    setup::only_real(context, "writes no archives")?;
    save::refuse_terminal(args.output.as_deref(), "the tar")?;
    setup::repair(context)?;
    let record = setup::find(context, &args.container)?;
    let stack = Stack::open(&setup::stack(context, &record))?;
    save::write(args.output.as_deref(), |mut out| write::merged(&stack, &mut out).map(drop))?;
    Ok(0)
}
