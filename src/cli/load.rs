//! `glassbox load`

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use super::action::{self, ActionArgs};
use super::bars::{Bars, Place};
use super::context::Context;
use super::error::CliError;
use super::limits::LimitArgs;
use super::model::DEMO;
use super::tracing::Watching;
use super::worker::Worker;
use super::{output, registry};
use crate::image::intake::{Progress, State, Wanted};
use crate::image::{Reference, Store};
use crate::kernel::linux::LinuxKernel;
use crate::kernel::{Failure, Watch};
use crate::plan::{Plan, image};

/// Load images from an archive: what `docker save` writes, or an OCI layout
#[derive(Debug, Args)]
pub struct LoadArgs {
    /// The archive; without it, standard input. With --model a path of the modelled disk, without it /root/demo.tar
    #[arg(short, long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// No output but errors
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    action: ActionArgs,
}

/// Runs the command.
pub fn run(context: &Context, args: &LoadArgs) -> Result<u8, CliError> {
    let from = source(context, args)?;
    let watching = args.action.watching(context)?;
    let (status, lines) = if context.model {
        modelled(context, watching, &from)?
    } else {
        real(context, watching, &from, args)?
    };
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

/// What `plan load` shows: the archive is looked at, and nothing is stored.
pub fn foresee(context: &Context, input: &Path) -> Result<Plan, CliError> {
    let from = input.to_string_lossy().into_owned();
    let id = action::id(context)?;
    let first = image::open_archive(&id, &from);
    if context.model {
        let mut worker = Worker::model(context)?;
        worker.feed(&from)?;
        return action::foresee_on(&mut worker, first, |worker| {
            image::take_in(&id, &from, context.store(), worker.arriving())
        });
    }
    action::foresee(context, first, |_| {}, |arriving| image::take_in(&id, &from, &context.root, arriving))
}

fn real(
    context: &Context,
    watching: Watching,
    from: &str,
    args: &LoadArgs,
) -> Result<(u8, Vec<String>), CliError> {
    let store = Store::open(&context.root);
    let id = action::id(context)?;
    let mut kernel = action::kernel(context, &watching);
    kernel.images().limits = args.limits.limits(context)?;
    // Bars and a story on one screen would write over each other.
    let quiet = args.quiet || watching.watch() != Watch::Off;
    let mut shown: Option<Arc<Shown>> = None;
    let mut transfer = |kernel: &mut LinuxKernel| {
        shown = Shown::begin(kernel, &store, quiet)?;
        let arriving = kernel.images().arriving(&store);
        Ok(image::take_in(&id, from, &context.root, &arriving))
    };
    let first = image::open_archive(&id, from);
    let outcome = action::carry_out(context, watching, &mut kernel, first, &mut [&mut transfer]);
    if let Some(shown) = &shown {
        shown.end();
    }
    let outcome = outcome?;
    let images = &kernel.images().incoming;
    let lines = images.iter().flat_map(|i| lines(&i.references, &i.id()));
    let lines = if outcome.failed.is_some() { Vec::new() } else { lines.collect() };
    Ok((outcome.status, lines))
}

fn modelled(context: &Context, watching: Watching, from: &str) -> Result<(u8, Vec<String>), CliError> {
    let mut worker = Worker::model(context)?;
    worker.feed(from)?;
    let id = action::id(context)?;
    let mut transfer =
        |worker: &mut Worker| Ok(image::take_in(&id, from, context.store(), worker.arriving()));
    let first = image::open_archive(&id, from);
    let outcome = worker.carry_out(context, watching, first, &mut [&mut transfer])?;
    if outcome.failed.is_some() {
        return Ok((outcome.status, Vec::new()));
    }
    let parse = |names: &[String]| names.iter().filter_map(|n| Reference::parse(n).ok()).collect::<Vec<_>>();
    let lines = worker.arriving().iter().flat_map(|i| lines(&parse(&i.names), &i.image));
    Ok((outcome.status, lines.collect()))
}

/// A bar for each layer that is not there, on a terminal; nowhere else, as
/// `docker load` has it.
struct Shown {
    bars: Bars,
    /// The row of each layer of the plan.
    rows: Vec<Option<usize>>,
}

impl Shown {
    fn begin(kernel: &mut LinuxKernel, store: &Store, quiet: bool) -> Result<Option<Arc<Shown>>, Failure> {
        if quiet || !std::io::stdout().is_terminal() {
            return Ok(None);
        }
        let mut layers: Vec<&Wanted> = Vec::new();
        for layer in kernel.images().incoming.iter().flat_map(|i| &i.layers) {
            // As the plan has them: each once.
            if !layers
                .iter()
                .any(|l| (l.blob.digest(), &l.chain_id) == (layer.blob.digest(), &layer.chain_id))
            {
                layers.push(layer);
            }
        }
        let (mut named, mut rows) = (Vec::new(), Vec::new());
        for layer in layers {
            let there = store.layer_dir(&layer.chain_id)?.is_dir();
            rows.push((!there).then_some(named.len()));
            if !there {
                named.push((registry::short(&layer.diff_id), layer.blob.size()));
            }
        }
        let shown = Arc::new(Shown { bars: Bars::new(Place::Stdout, &named), rows });
        kernel.images().progress = Some(shown.clone());
        Ok(Some(shown))
    }

    fn end(&self) {
        self.bars.end();
    }
}

impl Progress for Shown {
    fn layer(&self, index: usize, state: State) {
        let Some(Some(row)) = self.rows.get(index) else { return };
        match state {
            State::Fetching { bytes } => self.bars.bytes(*row, "Loading layer", bytes),
            State::AlreadyThere | State::Done => self.bars.say(*row, "Loaded"),
        }
    }
}

/// What `docker load` says of one image.
fn lines(references: &[Reference], id: &str) -> Vec<String> {
    if references.is_empty() {
        return vec![format!("Loaded image ID: {id}")];
    }
    references.iter().map(|r| format!("Loaded image: {}", r.familiar())).collect()
}
