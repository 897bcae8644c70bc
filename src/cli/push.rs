//! `glassbox push`

use std::cell::RefCell;
use std::sync::Arc;

use clap::Args;

use super::action::{self, ActionArgs, Next};
use super::bars::{Bars, Place};
use super::context::Context;
use super::error::CliError;
use super::registry::{self, RegistryArgs};
use super::tracing::Watching;
use super::worker::Worker;
use super::{output, setup};
use crate::image::index::Content;
use crate::image::manifest::LayerKind;
use crate::image::reference::DEFAULT_TAG;
use crate::image::registry::push::{Push, PushProgress, PushState, is_plain};
use crate::image::registry::{Client, Repository, Sent};
use crate::image::{Image, Layer, Reference, Store};
use crate::kernel::linux::LinuxKernel;
use crate::kernel::linux::images::Asking;
use crate::kernel::model::registry as modelled_registry;
use crate::kernel::{Failure, Watch};
use crate::plan::{Plan, image};

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
    #[command(flatten)]
    action: ActionArgs,
    /// NAME[:TAG], or HOST[:PORT]/NAME[:TAG]
    #[arg(value_name = "NAME[:TAG]")]
    image: String,
}

/// Runs the command.
pub fn run(context: &Context, args: &PushArgs) -> Result<u8, CliError> {
    let named = registry::reference(&args.image)?;
    if named.digest().is_some() {
        return Err(CliError::new("cannot push a digest reference")
            .hint("give a tag: the digest follows from what is pushed"));
    }
    if args.all_tags && named.tag().is_some() {
        return Err(CliError::new("a tag cannot be used with --all-tags").hint("leave the tag out"));
    }
    let content = setup::content(context)?;
    let images = chosen(&*content, &named, args.all_tags)?;
    let quiet = args.quiet;
    if !quiet {
        if named.tag().is_none() && !args.all_tags {
            output::print(&format!("Using default tag: {DEFAULT_TAG}\n"))?;
        }
        output::print(&format!("The push refers to repository [{}]\n", named.name()))?;
    }
    let watching = args.action.watching(context)?;
    if context.model {
        return modelled(context, watching, &*content, &images, quiet);
    }
    let store = Store::open(&context.root);
    let mut options = registry::options(context, &args.registry);
    options.log = watching.watch() != Watch::Off;
    let client = Arc::new(Client::new(options));
    let repository = registry::repository(&client, &named)?;
    let mut kernel = action::kernel(context, &watching);
    // What is sent side by side cannot be told layer by layer.
    kernel.images().ahead = watching.watch() == Watch::Off;
    kernel.images().asking = Some(Asking::new(client));
    // Bars and a story on one screen would write over each other.
    let rows = if quiet || watching.watch() != Watch::Off { Place::Nowhere } else { Place::Stdout };
    let id = action::id(context)?;
    let way = Way {
        id: &id,
        store: &store,
        repository: &repository,
        rows,
        quiet,
        shown: RefCell::default(),
        // A screen that is stepped on is not written over.
        later: watching.stops().then(RefCell::default),
    };
    let mut plans: Vec<Later<'_>> = Vec::new();
    for (n, one) in images.iter().enumerate() {
        let before = n.checked_sub(1).map(|n| &images[n]);
        let (way, plain) = (&way, one.1.layers.iter().any(is_plain));
        if plain {
            plans.push(Box::new(move |kernel| {
                way.ended(before, kernel)?;
                Ok(way.compress(one, kernel))
            }));
        }
        let before = before.filter(|_| !plain);
        plans.push(Box::new(move |kernel| {
            way.ended(before, kernel)?;
            way.send(one, kernel)
        }));
    }
    let first = plans.remove(0)(&mut kernel)?;
    let mut next: Vec<Next<'_, LinuxKernel>> =
        plans.iter_mut().map(|n| &mut **n as Next<'_, LinuxKernel>).collect();
    let outcome = action::carry_out(context, watching, &mut kernel, first, &mut next);
    way.end_rows();
    if let Some(later) = &way.later {
        output::print(&later.take())?;
    }
    let outcome = outcome?;
    if outcome.failed.is_none() {
        let told = way.told(images.last(), &mut kernel);
        output::print(&told.unwrap_or_default())?;
    }
    Ok(outcome.status)
}

/// The images that a name means, each with the reference that it is sent as.
fn chosen(
    store: &dyn Content,
    named: &Reference,
    all_tags: bool,
) -> Result<Vec<(Reference, Image)>, CliError> {
    if !all_tags {
        let reference = named.clone().or_latest();
        // A name, not the beginning of an id.
        let image = store.resolve(&reference.to_string())?;
        return Ok(vec![(reference, image)]);
    }
    let mut images = Vec::new();
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
    Ok(images)
}

/// The same on a modelled machine: layers go as they are stored.
fn modelled(
    context: &Context,
    watching: Watching,
    content: &dyn Content,
    images: &[(Reference, Image)],
    quiet: bool,
) -> Result<u8, CliError> {
    let id = action::id(context)?;
    let mut worker = Worker::model(context)?;
    let mut plans: Vec<Plan> = Vec::new();
    let mut told = String::new();
    for (reference, image) in images {
        let size = |blob: &str| -> Result<u64, CliError> { Ok(content.bytes_of(blob)?.len() as u64) };
        let layer = |l: &Layer| -> Result<image::OutgoingLayer, CliError> {
            Ok(image::OutgoingLayer {
                blob: l.blob.clone(),
                media_type: l.media_type.clone(),
                size: l.size,
                file: content.blob(&l.blob)?.to_string_lossy().into_owned(),
                foreign: LayerKind::of(&l.media_type) == LayerKind::Foreign,
            })
        };
        let outgoing = image::Outgoing {
            registry: reference.domain().to_owned(),
            repository: reference.path().to_owned(),
            reference: reference.to_string(),
            layers: image.layers.iter().map(layer).collect::<Result<_, _>>()?,
            config: (image.id.clone(), size(&image.id)?),
            manifest: (image.manifest.clone(), size(&image.manifest)?),
        };
        let blobs = image.layers.iter().map(|l| &l.blob).chain([&image.id, &image.manifest]);
        blobs.for_each(|blob| worker.writes(&modelled_registry::blob(blob)));
        worker.writes(&modelled_registry::tag(reference));
        told.push_str(&match quiet {
            true => format!("{reference}\n"),
            false => format!(
                "{}: digest: {} size: {}\n",
                reference.tag().unwrap_or(DEFAULT_TAG),
                outgoing.manifest.0,
                outgoing.manifest.1
            ),
        });
        plans.push(image::push(&id, &outgoing));
    }
    let first = plans.remove(0);
    let mut later: Vec<_> = plans.into_iter().map(|plan| move |_: &mut Worker| Ok(plan.clone())).collect();
    let mut next: Vec<Next<'_, Worker>> = later.iter_mut().map(|n| n as Next<'_, Worker>).collect();
    let outcome = worker.carry_out(context, watching, first, &mut next)?;
    if outcome.failed.is_none() {
        output::print(&told)?;
    }
    Ok(outcome.status)
}

/// Makes a plan when those before it are carried out.
type Later<'a> = Box<dyn FnMut(&mut LinuxKernel) -> Result<Plan, Failure> + 'a>;

/// How images of one repository go out, one after the other, as plans in one trace.
struct Way<'a> {
    id: &'a str,
    store: &'a Store,
    repository: &'a Repository,
    rows: Place,
    quiet: bool,
    shown: RefCell<Option<Arc<Shown>>>,
    /// What is told when all is over.
    later: Option<RefCell<String>>,
}

impl Way<'_> {
    /// The plan that compresses what is stored as it is.
    fn compress(&self, (_, image): &(Reference, Image), kernel: &mut LinuxKernel) -> Plan {
        if let Some(asking) = &mut kernel.images().asking {
            asking.sending.image = Some(image.clone());
        }
        let plain: Vec<(u32, String, u64)> = (1..)
            .zip(&image.layers)
            .filter(|(_, l)| is_plain(l))
            .map(|(n, l)| (n, l.blob.clone(), l.size))
            .collect();
        image::compress(self.id, &plain, image.layers.len())
    }

    /// The plan that sends.
    fn send(
        &self,
        (reference, image): &(Reference, Image),
        kernel: &mut LinuxKernel,
    ) -> Result<Plan, Failure> {
        let nowhere = || Failure::new("go on: there is no way to a registry", None);
        let sending = &mut kernel.images().asking.as_mut().ok_or_else(nowhere)?.sending;
        let push = Push::new(self.store, image, self.repository.clone(), &sending.packed)?;
        let outgoing = image::Outgoing {
            registry: reference.domain().to_owned(),
            repository: reference.path().to_owned(),
            reference: reference.to_string(),
            layers: push
                .layers()
                .iter()
                .map(|l| image::OutgoingLayer {
                    blob: l.blob.digest.clone(),
                    media_type: l.media_type.clone(),
                    size: l.blob.size,
                    file: l.file.to_string_lossy().into_owned(),
                    foreign: LayerKind::of(&l.media_type) == LayerKind::Foreign,
                })
                .collect(),
            config: (push.config().digest.clone(), push.config().size),
            manifest: (push.manifest().digest, push.manifest().size),
        };
        let rows: Vec<(String, u64)> = image
            .layers
            .iter()
            .zip(push.layers())
            .map(|(l, sent)| (registry::short(&l.diff_id), sent.blob.size))
            .collect();
        let shown = Arc::new(Shown(Bars::new(self.rows, &rows)));
        for row in (0..rows.len()).rev() {
            shown.0.say(row, "Preparing");
        }
        sending.progress = Some(shown.clone());
        sending.push = Some(push);
        *self.shown.borrow_mut() = Some(shown);
        Ok(image::push(self.id, &outgoing))
    }

    fn end_rows(&self) {
        if let Some(shown) = &*self.shown.borrow() {
            shown.0.end();
        }
    }

    /// The registry has the image.
    fn ended(&self, image: Option<&(Reference, Image)>, kernel: &mut LinuxKernel) -> Result<(), Failure> {
        let Some(told) = self.told(image, kernel) else { return Ok(()) };
        if let Some(later) = &self.later {
            later.borrow_mut().push_str(&told);
            return Ok(());
        }
        output::print(&told).map_err(|e| Failure::new(format!("tell what is pushed: {}", e.message), None))
    }

    /// What is said of an image that the registry has.
    fn told(&self, image: Option<&(Reference, Image)>, kernel: &mut LinuxKernel) -> Option<String> {
        let (reference, _) = image?;
        self.end_rows();
        let pushed = kernel.images().asking.as_ref()?.sending.push.as_ref()?.manifest();
        let tag = reference.tag().unwrap_or(DEFAULT_TAG);
        Some(match self.quiet {
            true => format!("{reference}\n"),
            false => format!("{tag}: digest: {} size: {}\n", pushed.digest, pushed.size),
        })
    }
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
