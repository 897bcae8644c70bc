//! `glassbox load`

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use clap::Args;

use super::action::{self, ActionArgs};
use super::context::Context;
use super::error::CliError;
use super::output;
use super::tracing::Watching;
use crate::image::{Reference, Store, demo};
use crate::kernel::Failure;
use crate::kernel::linux::LinuxKernel;
use crate::kernel::model::{Console, HostEntry, ModelKernel, STORE, World};
use crate::plan::image;

/// Load images from an archive: what `docker save` writes, or an OCI layout
#[derive(Debug, Args)]
pub struct LoadArgs {
    /// The archive; without it, standard input
    #[arg(short, long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// No output but errors
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    action: ActionArgs,
}

/// The archive that the modelled machine has.
const DEMO: &str = "/root/demo.tar";

/// Runs the command.
pub fn run(context: &Context, args: &LoadArgs) -> Result<u8, CliError> {
    let from = source(context, args)?;
    let watching = args.action.watching(context)?;
    let (status, lines) =
        if context.model { modelled(context, watching, &from)? } else { real(context, watching, &from)? };
    if !args.quiet {
        for line in lines {
            output::print(&format!("{line}\n"))?;
        }
    }
    Ok(status)
}

/// The path of the archive; `-` is standard input.
fn source(context: &Context, args: &LoadArgs) -> Result<String, CliError> {
    match &args.input {
        Some(path) => Ok(path.to_string_lossy().into_owned()),
        None if context.model => Ok(DEMO.to_owned()),
        None if std::io::stdin().is_terminal() => {
            Err(CliError::new("there is no archive: standard input is a terminal")
                .hint("give -i FILE, or feed the archive through a pipe"))
        }
        None if args.action.steps() => {
            Err(CliError::new("--step reads its commands from standard input, and so would the archive be")
                .hint("give the archive with -i FILE"))
        }
        None => Ok("-".to_owned()),
    }
}

fn real(context: &Context, watching: Watching, from: &str) -> Result<(u8, Vec<String>), CliError> {
    let store = Store::open(&context.root);
    let id = action::id(context)?;
    let mut kernel = action::kernel(context, &watching);
    let mut transfer = |kernel: &mut LinuxKernel| {
        let arriving = kernel.images().arriving(&store);
        Ok(image::take_in(&id, from, &context.root, &arriving))
    };
    let first = image::open_archive(&id, from);
    let outcome = action::carry_out(context, watching, &mut kernel, first, &mut [&mut transfer])?;
    let images = &kernel.images().incoming;
    let lines = images.iter().flat_map(|i| lines(&i.references, &i.id()));
    let lines = if outcome.failed.is_some() { Vec::new() } else { lines.collect() };
    Ok((outcome.status, lines))
}

fn modelled(context: &Context, watching: Watching, from: &str) -> Result<(u8, Vec<String>), CliError> {
    let mut world = World::new();
    let (dir, name) = DEMO.rsplit_once('/').unwrap_or(("/", DEMO));
    let archive = HostEntry::File { path: name.to_owned(), mode: 0o644, content: demo::archive() };
    world
        .populate(dir, &[archive])
        .map_err(|e| CliError::from(Failure::new(format!("make {DEMO} on the modelled disk"), Some(e))))?;
    let console = Console { output: Box::new(|_, _| true), input: Box::new(|| None) };
    let mut kernel = ModelKernel::new(world, console);
    let id = action::id(context)?;
    let mut transfer =
        |kernel: &mut ModelKernel| Ok(image::take_in(&id, from, Path::new(STORE), kernel.arriving()));
    let first = image::open_archive(&id, from);
    let outcome = action::carry_out(context, watching, &mut kernel, first, &mut [&mut transfer])?;
    if outcome.failed.is_some() {
        return Ok((outcome.status, Vec::new()));
    }
    output::note("this was the modelled machine: the image was made in memory, and is forgotten now");
    let parse = |names: &[String]| names.iter().filter_map(|n| Reference::parse(n).ok()).collect::<Vec<_>>();
    let lines = kernel.arriving().iter().flat_map(|i| lines(&parse(&i.names), &i.image));
    Ok((outcome.status, lines.collect()))
}

/// What `docker load` says of one image.
fn lines(references: &[Reference], id: &str) -> Vec<String> {
    if references.is_empty() {
        return vec![format!("Loaded image ID: {id}")];
    }
    references.iter().map(|r| format!("Loaded image: {}", r.familiar())).collect()
}
