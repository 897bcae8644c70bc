//! `glassbox pull`, and the pull that a `run` begins with.

use std::sync::Arc;

use clap::{Args, ValueEnum};

use super::bars::{Bars, Place};
use super::context::Context;
use super::error::CliError;
use super::output;
use super::registry::{self, RegistryArgs};
use super::setup;
use crate::image::intake::{self, Progress, State};
use crate::image::manifest::{Matcher, Platform};
use crate::image::reference::DEFAULT_TAG;
use crate::image::registry::{Repository, pull};
use crate::image::{ImageError, Reference, Store};

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
}

/// `run --pull`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Policy {
    /// When it is not here.
    #[default]
    Missing,
    /// Also when it is here: it may have changed.
    Always,
    /// Not at all.
    Never,
}

/// Runs the command.
pub fn run(context: &Context, args: &PullArgs) -> Result<u8, CliError> {
    registry::not_modelled(context, "pull from")?;
    let named = registry::reference(&args.image)?;
    let place = if args.quiet { Place::Nowhere } else { Place::Stdout };
    if !args.all_tags {
        if named.tag().is_none() && named.digest().is_none() {
            say(place, &format!("Using default tag: {DEFAULT_TAG}"))?;
        }
        one(context, &args.from, &named.clone().or_latest(), place)?;
        output::print(&format!("{}\n", named.or_latest()))?;
        return Ok(0);
    }
    if named.tag().is_some() || named.digest().is_some() {
        return Err(CliError::new("a tag or a digest cannot be used with --all-tags").hint("leave it out"));
    }
    let client = registry::client(context, &args.from.registry);
    let repository = registry::repository(&client, &named)?;
    let tags = repository.tags()?;
    if tags.is_empty() {
        return Err(CliError::new(format!("the repository {} has no tags", named.familiar_name())));
    }
    let mut pulling = Pulling::new(context, &args.from, repository, place)?;
    let mut changed = false;
    for tag in tags {
        let reference = registry::reference(&format!("{}:{tag}", named.name()))?;
        changed |= pulling.pull(&reference)?;
    }
    say(place, &status(changed, &named.familiar_name()))?;
    output::print(&format!("{}\n", named.name()))?;
    Ok(0)
}

/// Makes the image of a `run` be here, as the policy wants it.
pub fn ensure(context: &Context, image: &str, policy: Policy, from: &FromArgs) -> Result<(), CliError> {
    if context.model || setup::is_builtin(image) {
        return Ok(());
    }
    let store = Store::open(&context.root);
    let missing = match store.resolve(image) {
        Ok(_) if policy != Policy::Always => return Ok(()),
        Ok(_) => None,
        Err(error @ ImageError::Unknown { .. }) => Some(error),
        Err(error) => return Err(error.into()),
    };
    if policy == Policy::Never {
        return missing.map_or(Ok(()), |error| Err(error.into()));
    }
    // An image named by its id has nowhere to come from.
    let Ok(reference) = Reference::parse(image) else {
        return missing.map_or(Ok(()), |error| Err(error.into()));
    };
    let reference = reference.or_latest();
    if missing.is_some() {
        say(Place::Stderr, &format!("Unable to find image '{}' locally", reference.familiar()))?;
    }
    one(context, from, &reference, Place::Stderr).map_err(|mut error| {
        error.hint = match (&missing, error.hint) {
            // A slip of the keyboard is likelier than a registry that is away.
            (Some(ImageError::Unknown { similar, .. }), _) if !similar.is_empty() => {
                Some(format!("did you mean {}, which is here?", similar.join(" or ")))
            }
            (Some(_), Some(hint)) => Some(format!("{hint}; glassbox load -i FILE adds an archive")),
            (_, hint) => hint,
        };
        error
    })
}

fn one(context: &Context, from: &FromArgs, reference: &Reference, place: Place) -> Result<(), CliError> {
    let client = registry::client(context, &from.registry);
    let repository = registry::repository(&client, reference)?;
    let changed = Pulling::new(context, from, repository, place)?.pull(reference)?;
    say(place, &status(changed, &reference.familiar()))
}

/// Pulls of one repository.
struct Pulling {
    store: Store,
    repository: Repository,
    matcher: Matcher,
    place: Place,
}

impl Pulling {
    fn new(
        context: &Context,
        from: &FromArgs,
        repository: Repository,
        place: Place,
    ) -> Result<Self, CliError> {
        let matcher = match &from.platform {
            Some(text) => Matcher::new(&text.parse::<Platform>().map_err(|error| {
                let hint = error.hint();
                CliError::new(format!("cannot use --platform: {error}")).hint(hint)
            })?),
            None => Matcher::host(),
        };
        Ok(Pulling { store: Store::open(&context.root), repository, matcher, place })
    }

    /// One image; whether anything is new.
    fn pull(&mut self, reference: &Reference) -> Result<bool, CliError> {
        let name = reference.digest().or(reference.tag()).unwrap_or_default();
        let before = pull::local_digest(&self.store, reference)?;
        // A look costs less than a manifest, also of what a registry allows.
        if let Some(before) = before.as_ref().filter(|_| self.is_whole(reference))
            && self.repository.head_manifest(name)?.and_then(|h| h.digest).as_ref() == Some(before)
        {
            say(self.place, &format!("{name}: Pulling from {}", self.repository.path()))?;
            say(self.place, &format!("Digest: {before}"))?;
            return Ok(false);
        }
        let resolved = pull::resolve(&self.repository, reference, &self.matcher)?;
        say(self.place, &format!("{name}: Pulling from {}", self.repository.path()))?;
        let rows: Vec<(String, u64)> = resolved
            .layers
            .iter()
            .map(|l| (registry::short(l.blob.digest().as_ref()), l.blob.size()))
            .collect();
        let shown =
            Arc::new(Shown { bars: Bars::new(self.place, &rows), sizes: rows.iter().map(|r| r.1).collect() });
        for (row, layer) in resolved.layers.iter().enumerate() {
            if !self.store.layer_dir(&layer.chain_id)?.is_dir() {
                shown.bars.say(row, "Pulling fs layer");
            }
        }
        let transfer =
            pull::start(&self.store, &self.repository, &resolved, intake::Options::default(), shown.clone())?;
        let done = pull::finish(&self.store, &transfer, &resolved);
        drop(transfer);
        shown.bars.end();
        done?;
        say(self.place, &format!("Digest: {}", resolved.digest))?;
        Ok(before.as_ref() != Some(&resolved.digest))
    }

    /// The image is here with all that belongs to it, for this platform.
    fn is_whole(&self, reference: &Reference) -> bool {
        let Ok(image) = self.store.resolve(&reference.to_string()) else { return false };
        let own = Platform::new(&image.config.os().to_string(), &image.config.architecture().to_string(), "");
        self.matcher.rank(&own).is_some()
            && image.layers.iter().all(|l| self.store.blob(&l.blob).is_ok_and(|b| b.exists()))
    }
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

struct Shown {
    bars: Bars,
    sizes: Vec<u64>,
}

impl Progress for Shown {
    fn layer(&self, index: usize, state: State) {
        match state {
            State::AlreadyThere => self.bars.say(index, "Already exists"),
            State::Fetching { bytes } if self.sizes.get(index) == Some(&bytes) => {
                self.bars.say(index, "Download complete");
            }
            State::Fetching { bytes } => self.bars.bytes(index, "Downloading", bytes),
            State::Done => self.bars.say(index, "Pull complete"),
        }
    }
}
