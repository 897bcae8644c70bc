//! Images of one repository, one after the other, as plans in one trace.

use std::cell::RefCell;
use std::sync::Arc;

use super::super::action::{self, Next};
use super::super::bars::{Bars, Place};
use super::super::context::Context;
use super::super::error::CliError;
use super::super::registry;
use super::super::tracing::Watching;
use super::{FromArgs, say};
use crate::image::intake::{Progress, State};
use crate::image::manifest::{Matcher, Platform};
use crate::image::registry::Client;
use crate::image::{Reference, Store};
use crate::kernel::linux::LinuxKernel;
use crate::kernel::linux::images::Asking;
use crate::kernel::{Failure, Watch};
use crate::plan::{Plan, image};

pub enum Ended {
    /// It was told; the exit status.
    Failed(u8),
    Done {
        /// A name means something else than before.
        changed: bool,
    },
}

/// Makes a plan when those before it are carried out.
type Later<'a> = Box<dyn FnMut(&mut LinuxKernel) -> Result<Plan, Failure> + 'a>;

/// What is known of one image on its way.
struct Under {
    reference: Reference,
    /// What its name led to when it was last pulled.
    before: Option<String>,
    shown: Option<Arc<Shown>>,
}

/// Pulls images of one repository, one after the other, as plans in one trace:
/// for each the question what it is, and then its layers.
pub fn pull(
    context: &Context,
    watching: Watching,
    client: &Arc<Client>,
    references: &[Reference],
    from: &FromArgs,
    place: Place,
) -> Result<Ended, CliError> {
    let (platform, limits) = (&from.platform()?, from.limits.limits(context)?);
    let store = Store::open(&context.root);
    let mut under = Vec::new();
    for reference in references {
        let before = store.source_of(reference)?;
        // A look costs less than a manifest, also of what a registry allows.
        if watching.watch() == Watch::Off
            && let Some(before) = &before
            && is_whole(&store, reference, platform)
            && head(client, reference)?.as_ref() == Some(before)
        {
            told(place, reference, before)?;
            continue;
        }
        under.push(Under { reference: reference.clone(), before, shown: None });
    }
    let Some(first) = under.first() else { return Ok(Ended::Done { changed: false }) };
    let id = action::id(context)?;
    let wanted = platform.to_string();
    let ask = |r: &Reference| image::ask_registry(&id, r.domain(), &r.to_string(), &wanted);
    let first = ask(&first.reference);
    let mut kernel = action::kernel(context, &watching);
    kernel.images().limits = limits;
    kernel.images().asking = Some(Asking::new(client.clone()));
    // Bars and a story on one screen would write over each other.
    let rows = if watching.watch() == Watch::Off { place } else { Place::Nowhere };
    let count = under.len();
    let state = RefCell::new((under, false));
    let mut plans: Vec<Later<'_>> = Vec::new();
    for at in 0..count {
        let (state, store, ask, id) = (&state, &store, &ask, &id);
        if at > 0 {
            plans.push(Box::new(move |kernel| {
                let mut state = state.borrow_mut();
                ended(&mut state, at - 1, kernel, place)?;
                Ok(ask(&state.0[at].reference))
            }));
        }
        plans.push(Box::new(move |kernel| {
            let under = &mut state.borrow_mut().0[at];
            begin(under, store, kernel, rows, place)?;
            let arriving = kernel.images().arriving(store);
            Ok(image::take_in(id, under.reference.domain(), store.root(), &arriving))
        }));
    }
    let mut next: Vec<Next<'_, LinuxKernel>> =
        plans.iter_mut().map(|n| &mut **n as Next<'_, LinuxKernel>).collect();
    let outcome = action::carry_out(context, watching, &mut kernel, first, &mut next);
    drop(next);
    drop(plans);
    let mut state = state.into_inner();
    if let Some(shown) = state.0.iter().filter_map(|u| u.shown.as_ref()).next_back() {
        shown.bars.end();
    }
    let outcome = outcome?;
    if outcome.failed.is_some() {
        return Ok(Ended::Failed(outcome.status));
    }
    ended(&mut state, count - 1, &mut kernel, place)?;
    Ok(Ended::Done { changed: state.1 })
}

/// The name is resolved: its layers are known.
fn begin(
    under: &mut Under,
    store: &Store,
    kernel: &mut LinuxKernel,
    rows: Place,
    place: Place,
) -> Result<(), Failure> {
    let name = under.reference.digest().or(under.reference.tag()).unwrap_or_default();
    say(place, &format!("{name}: Pulling from {}", under.reference.path())).map_err(unsaid)?;
    let layers: Vec<_> = kernel.images().incoming.iter().flat_map(|i| i.layers.clone()).collect();
    let named: Vec<(String, u64)> =
        layers.iter().map(|l| (registry::short(l.blob.digest().as_ref()), l.blob.size())).collect();
    let sizes = named.iter().map(|r| r.1).collect();
    let shown = Arc::new(Shown { bars: Bars::new(rows, &named), sizes });
    for (row, layer) in layers.iter().enumerate() {
        if !store.layer_dir(&layer.chain_id)?.is_dir() {
            shown.bars.say(row, "Pulling fs layer");
        }
    }
    kernel.images().progress = Some(shown.clone());
    under.shown = Some(shown);
    Ok(())
}

/// The image is here.
fn ended(
    state: &mut (Vec<Under>, bool),
    at: usize,
    kernel: &mut LinuxKernel,
    place: Place,
) -> Result<(), Failure> {
    let digest = kernel.images().incoming.iter().find_map(|i| i.source.clone()).unwrap_or_default();
    if let Some(shown) = &state.0[at].shown {
        shown.bars.end();
    }
    say(place, &format!("Digest: {digest}")).map_err(unsaid)?;
    state.1 |= state.0[at].before.as_ref() != Some(&digest);
    Ok(())
}

fn unsaid(error: CliError) -> Failure {
    Failure::new(format!("tell what is pulled: {}", error.message), None)
}

/// What `pull` says of an image that is as it was.
fn told(place: Place, reference: &Reference, digest: &str) -> Result<(), CliError> {
    let name = reference.digest().or(reference.tag()).unwrap_or_default();
    say(place, &format!("{name}: Pulling from {}", reference.path()))?;
    say(place, &format!("Digest: {digest}"))
}

fn head(client: &Arc<Client>, reference: &Reference) -> Result<Option<String>, CliError> {
    let name = reference.digest().or(reference.tag()).unwrap_or_default();
    Ok(registry::repository(client, reference)?.head_manifest(name)?.and_then(|h| h.digest))
}

/// The image is here with all that belongs to it, for this platform.
fn is_whole(store: &Store, reference: &Reference, platform: &Platform) -> bool {
    let Ok(image) = store.resolve(&reference.to_string()) else { return false };
    let own = Platform::new(&image.config.os().to_string(), &image.config.architecture().to_string(), "");
    Matcher::new(platform).rank(&own).is_some()
        && image.layers.iter().all(|l| store.blob(&l.blob).is_ok_and(|b| b.exists()))
}

pub fn client(context: &Context, from: &FromArgs, watching: &Watching) -> Arc<Client> {
    let mut options = registry::options(context, &from.registry);
    options.log = watching.watch() != Watch::Off;
    Arc::new(Client::new(options))
}

pub fn all_tags(client: &Arc<Client>, named: &Reference) -> Result<Vec<Reference>, CliError> {
    let tags = registry::repository(client, named)?.tags()?;
    if tags.is_empty() {
        return Err(CliError::new(format!("the repository {} has no tags", named.familiar_name())));
    }
    tags.iter().map(|tag| registry::reference(&format!("{}:{tag}", named.name()))).collect()
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
