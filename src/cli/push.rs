//! `glassbox push`

use clap::Args;

use super::bars::{Bars, Place};
use super::context::Context;
use super::error::CliError;
use super::output;
use super::registry::{self, RegistryArgs};
use crate::image::reference::DEFAULT_TAG;
use crate::image::registry::Sent;
use crate::image::registry::push::{PushProgress, PushState, push};
use crate::image::{Image, Reference, Store};

/// Send an image to a registry
#[derive(Debug, Args)]
pub struct PushArgs {
    /// All tags of the repository that are here
    #[arg(short, long)]
    all_tags: bool,
    /// Only print what was pushed
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    registry: RegistryArgs,
    /// NAME[:TAG], or HOST[:PORT]/NAME[:TAG]
    #[arg(value_name = "NAME[:TAG]")]
    image: String,
}

/// Runs the command.
pub fn run(context: &Context, args: &PushArgs) -> Result<u8, CliError> {
    super::registry::not_modelled(context, "push")?;
    let named = registry::reference(&args.image)?;
    if named.digest().is_some() {
        return Err(CliError::new("cannot push a digest reference")
            .hint("give a tag: the digest follows from what is pushed"));
    }
    if args.all_tags && named.tag().is_some() {
        return Err(CliError::new("a tag cannot be used with --all-tags").hint("leave the tag out"));
    }
    let store = Store::open(&context.root);
    let mut images: Vec<(Reference, Image)> = Vec::new();
    if args.all_tags {
        for reference in store.list()?.into_iter().filter_map(|l| l.reference) {
            if reference.name() == named.name() && reference.tag().is_some() {
                let image = store.resolve(&reference.to_string())?;
                images.push((reference, image));
            }
        }
        if images.is_empty() {
            return Err(CliError::new(format!(
                "an image does not exist locally with the repository {}",
                named.familiar_name()
            )));
        }
    } else {
        let reference = named.clone().or_latest();
        // A name, not the beginning of an id.
        let image = store.resolve(&reference.to_string())?;
        images.push((reference, image));
    }
    let quiet = args.quiet;
    if !quiet {
        if named.tag().is_none() && !args.all_tags {
            output::print(&format!("Using default tag: {DEFAULT_TAG}\n"))?;
        }
        output::print(&format!("The push refers to repository [{}]\n", named.name()))?;
    }
    let client = registry::client(context, &args.registry);
    let repository = registry::repository(&client, &named)?;
    for (reference, image) in &images {
        let tag = reference.tag().unwrap_or(DEFAULT_TAG);
        let rows: Vec<(String, u64)> =
            image.layers.iter().map(|l| (registry::short(&l.diff_id), l.size)).collect();
        let place = if quiet { Place::Nowhere } else { Place::Stdout };
        let shown = Shown(Bars::new(place, &rows));
        for row in (0..rows.len()).rev() {
            shown.0.say(row, "Preparing");
        }
        let pushed = push(&store, image, &repository, tag, &shown);
        shown.0.end();
        let pushed = pushed?;
        output::print(&match quiet {
            true => format!("{reference}\n"),
            false => format!("{tag}: digest: {} size: {}\n", pushed.digest, pushed.size),
        })?;
    }
    Ok(0)
}

struct Shown(Bars);

impl PushProgress for Shown {
    fn layer(&self, index: usize, state: PushState) {
        match state {
            PushState::Sending(bytes) => self.0.bytes(index, "Pushing", bytes),
            PushState::Done(Sent::There) => self.0.say(index, "Layer already exists"),
            PushState::Done(Sent::Mounted(from)) => self.0.say(index, &format!("Mounted from {from}")),
            PushState::Done(Sent::Sent) => self.0.say(index, "Pushed"),
            PushState::Foreign => self.0.say(index, "Skipped foreign layer"),
        }
    }
}
