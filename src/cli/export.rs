//! `glassbox export`

use std::path::PathBuf;

use clap::Args;

use super::action::ActionArgs;
use super::context::Context;
use super::error::CliError;
use super::{save, setup, single};
use crate::plan::image::ImageOp;

/// Write all files of a container to a tar: its layers as one tree, without volumes
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The tar; without it, standard output. With --model a path of the modelled disk
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Name, id or beginning of an id
    container: String,
    #[command(flatten)]
    action: ActionArgs,
}

/// Runs the command.
pub fn run(context: &Context, args: &ExportArgs) -> Result<u8, CliError> {
    save::refuse_terminal(args.output.as_deref(), "the tar")?;
    setup::repair(context)?;
    let record = setup::find(context, &args.container)?;
    let layers = setup::stack(context, &record)?;
    let op = ImageOp::ExportTree {
        container: record.id,
        layers: layers.iter().map(|l| l.to_string_lossy().into_owned()).collect(),
        path: save::path(args.output.as_deref()),
    };
    let to = save::path(args.output.as_deref());
    let steps = vec![("export-tree".to_owned(), op)];
    Ok(single::run(context, &args.action, steps, |worker| worker.writes(&to))?.0)
}
