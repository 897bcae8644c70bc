//! `glassbox pull`, and the pull that a `run` begins with.

mod ensure;
mod transfer;

use std::sync::Arc;

use clap::Args;

use super::action::{self, ActionArgs};
use super::bars::Place;
use super::context::Context;
use super::error::CliError;
use super::limits::LimitArgs;
use super::output;
use super::registry::RegistryArgs;
use super::tracing::Watching;
use super::worker::Worker;
use super::{registry, setup};
use crate::image::Reference;
use crate::image::manifest::{ManifestError, Platform};
use crate::image::reference::DEFAULT_TAG;
use crate::image::registry::Client;
use crate::kernel::linux::images::Asking;
use crate::plan::{Plan, image};
pub use ensure::{Found, Policy, ensure};
use transfer::{Ended, all_tags, client, pull};

/// Fetch an image from a registry
#[derive(Debug, Args)]
pub struct PullArgs {
    /// All tags of the repository
    #[arg(short, long)]
    all_tags: bool,
    /// Only print what was pulled
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    from: FromArgs,
    #[command(flatten)]
    action: ActionArgs,
    /// NAME[:TAG|@DIGEST], or HOST[:PORT]/NAME[:TAG|@DIGEST]
    #[arg(value_name = "NAME[:TAG|@DIGEST]")]
    image: String,
}

/// Where from, and for what machine.
#[derive(Clone, Debug, Default, Args)]
pub struct FromArgs {
    /// Of a multi-platform image the one for this: OS/ARCH[/VARIANT] [default: this machine's]
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<String>,
    #[command(flatten)]
    registry: RegistryArgs,
    #[command(flatten)]
    limits: LimitArgs,
}

/// Runs the command.
pub fn run(context: &Context, args: &PullArgs) -> Result<u8, CliError> {
    let named = registry::reference(&args.image)?;
    let place = if args.quiet { Place::Nowhere } else { Place::Stdout };
    let watching = args.action.watching(context)?;
    let platform = args.from.platform()?;
    if args.all_tags && (named.tag().is_some() || named.digest().is_some()) {
        return Err(CliError::new("a tag or a digest cannot be used with --all-tags").hint("leave it out"));
    }
    if !args.all_tags && named.tag().is_none() && named.digest().is_none() {
        say(place, &format!("Using default tag: {DEFAULT_TAG}"))?;
    }
    if context.model {
        if args.all_tags {
            return Err(CliError::new("cannot pull all tags from the modelled registry at once")
                .hint("pull them one by one: it is asked for one name at a time"));
        }
        let reference = named.or_latest();
        let status = modelled(context, watching, &reference, &platform, place)?;
        if status == 0 {
            output::print(&format!("{reference}\n"))?;
        }
        return Ok(status);
    }
    let client = client(context, &args.from, &watching);
    let (references, what) = if args.all_tags {
        (all_tags(&client, &named)?, named.clone())
    } else {
        let reference = named.or_latest();
        (vec![reference.clone()], reference)
    };
    match pull(context, watching, &client, &references, &args.from, place)? {
        Ended::Failed(status) => Ok(status),
        Ended::Done { changed } => {
            say(place, &status(changed, &what.familiar()))?;
            output::print(&format!("{what}\n"))?;
            Ok(0)
        }
    }
}

impl FromArgs {
    /// The platform, checked and in its normal form.
    fn platform(&self) -> Result<Platform, CliError> {
        let Some(text) = &self.platform else { return Ok(Platform::host()) };
        text.parse().map_err(|error: ManifestError| {
            CliError::new(format!("cannot use --platform: {error}")).hint(error.hint())
        })
    }
}

/// What `plan pull` shows: the registry is asked, and nothing is fetched or stored.
pub fn foresee(context: &Context, name: &str, from: &FromArgs) -> Result<Plan, CliError> {
    let reference = registry::reference(name)?.or_latest();
    let platform = from.platform()?.to_string();
    if context.model {
        let id = action::id(context)?;
        let first = image::ask_registry(&id, reference.domain(), &reference.to_string(), &platform);
        return action::foresee_on(&mut Worker::model(context)?, first, |worker| {
            image::take_in(&id, reference.domain(), context.store(), worker.arriving())
        });
    }
    let client = Arc::new(Client::new(registry::options(context, &from.registry)));
    let id = action::id(context)?;
    let first = image::ask_registry(&id, reference.domain(), &reference.to_string(), &platform);
    action::foresee(
        context,
        first,
        |images| images.asking = Some(Asking::new(client)),
        |arriving| image::take_in(&id, reference.domain(), &context.root, arriving),
    )
}

/// The same on a modelled machine, which has a registry of its own.
fn modelled(
    context: &Context,
    watching: Watching,
    reference: &Reference,
    platform: &Platform,
    place: Place,
) -> Result<u8, CliError> {
    let before = setup::content(context)?.source_of(reference)?;
    let mut worker = Worker::model(context)?;
    let id = action::id(context)?;
    let from = reference.domain();
    let mut transfer =
        |worker: &mut Worker| Ok(image::take_in(&id, from, context.store(), worker.arriving()));
    let first = image::ask_registry(&id, from, &reference.to_string(), &platform.to_string());
    let outcome = worker.carry_out(context, watching, first, &mut [&mut transfer])?;
    if outcome.failed.is_some() {
        return Ok(outcome.status);
    }
    let mut changed = false;
    for arrived in worker.arriving() {
        changed |= before.as_ref() != Some(&arrived.manifest);
        say(place, &format!("Digest: {}", arrived.manifest))?;
    }
    say(place, &status(changed, &reference.familiar()))?;
    Ok(0)
}

fn status(changed: bool, what: &str) -> String {
    match changed {
        true => format!("Status: Downloaded newer image for {what}"),
        false => format!("Status: Image is up to date for {what}"),
    }
}

fn say(place: Place, line: &str) -> Result<(), CliError> {
    match place {
        Place::Stdout => output::print(&format!("{line}\n")),
        Place::Stderr => {
            output::plain(line);
            Ok(())
        }
        Place::Nowhere => Ok(()),
    }
}
