//! `glassbox image …`: the commands on images, under one roof.

use clap::{Args, Subcommand};

use super::context::Context;
use super::error::CliError;
use super::{history, image_inspect, image_prune, images, import, layers, load, pull, push, rmi, save, tag};

/// Manage images
#[derive(Debug, Args)]
pub struct ImageArgs {
    #[command(subcommand)]
    command: ImageCommand,
}

#[derive(Debug, Subcommand)]
enum ImageCommand {
    History(history::HistoryArgs),
    Import(import::ImportArgs),
    Inspect(image_inspect::ImageInspectArgs),
    Layers(layers::LayersArgs),
    Load(load::LoadArgs),
    #[command(visible_alias = "list")]
    Ls(images::ImagesArgs),
    Prune(image_prune::ImagePruneArgs),
    Pull(pull::PullArgs),
    Push(push::PushArgs),
    #[command(visible_alias = "remove")]
    Rm(rmi::RmiArgs),
    Save(save::SaveArgs),
    Tag(tag::TagArgs),
}

/// Runs the command.
pub fn run(context: &Context, args: ImageArgs) -> Result<u8, CliError> {
    match args.command {
        ImageCommand::History(args) => history::run(context, &args),
        ImageCommand::Import(args) => import::run(context, &args),
        ImageCommand::Inspect(args) => image_inspect::run(context, &args),
        ImageCommand::Layers(args) => layers::run(context, &args),
        ImageCommand::Load(args) => load::run(context, &args),
        ImageCommand::Ls(args) => images::run(context, &args),
        ImageCommand::Prune(args) => image_prune::run(context, &args),
        ImageCommand::Pull(args) => pull::run(context, &args),
        ImageCommand::Push(args) => push::run(context, &args),
        ImageCommand::Rm(args) => rmi::run(context, &args),
        ImageCommand::Save(args) => save::run(context, &args),
        ImageCommand::Tag(args) => tag::run(context, &args),
    }
}
