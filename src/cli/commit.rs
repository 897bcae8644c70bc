//! `glassbox commit`

use clap::{ArgAction, Args};
use serde_json::Value;

use super::action::{self, ActionArgs};
use super::context::Context;
use super::error::CliError;
use super::worker::Worker;
use super::{output, setup, tag};
use crate::container::record::Record;
use crate::image::create::{self, Author, Commit};
use crate::image::{Image, Incoming, Reference, digest};
use crate::kernel::Failure;
use crate::plan::Plan;
use crate::plan::image::{self, ImageOp};

/// Make an image of a container: what it wrote becomes a layer on top of its image's
#[derive(Debug, Args)]
pub struct CommitArgs {
    /// Who made it, such as 'Ann <ann@example.org>'
    #[arg(short, long, value_name = "TEXT")]
    author: Option<String>,
    /// Apply a Dockerfile instruction: CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME, WORKDIR
    #[arg(short, long, value_name = "INSTRUCTION")]
    change: Vec<String>,
    /// A remark for the history
    #[arg(short, long, value_name = "TEXT")]
    message: Option<String>,
    /// Stop the container's processes meanwhile; --pause=false does not
    #[arg(short, long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "true", default_missing_value = "true", action = ArgAction::Set)]
    pause: bool,
    /// Name, id or beginning of an id
    container: String,
    /// Name of the image
    #[arg(value_name = "REPOSITORY[:TAG]")]
    name: Option<String>,
    #[command(flatten)]
    action: ActionArgs,
}

/// Runs the command.
pub fn run(context: &Context, args: &CommitArgs) -> Result<u8, CliError> {
    let reference = args.name.as_deref().map(tag::name).transpose()?;
    setup::repair(context)?;
    let record = setup::find(context, &args.container)?;
    let image = setup::content(context)?.resolve(&record.image_id).map_err(|e| {
        CliError::from(e).hint(format!(
            "the image {} that the container was made from is no longer there: load or pull it again",
            record.image
        ))
    })?;
    let base_config = setup::config(context, &image.id)?;
    // What is wrong with an instruction is said before anything is done.
    let config = create::container_config(&base_config, &record.requested, &args.change)?;
    let author = Author {
        author: args.author.clone(),
        comment: args.message.clone(),
        created: setup::created(context),
    };
    let watching = args.action.watching(context)?;
    let mut worker = Worker::new(context, &watching)?;
    let keep = image.layers.iter().flat_map(|l| [l.blob.clone(), l.chain_id.clone()]);
    worker.hold(keep.chain([image.id.clone(), image.manifest.clone()]).collect());
    let id = action::id(context)?;
    let first = image::plan(&id, first(context, &record, args.pause)?);
    let new =
        New { context, id: &id, image: &image, base_config: &base_config, config: &config, author: &author };
    let mut second = |worker: &mut Worker| new.plan(worker, &record, reference.clone());
    let outcome = worker.carry_out(context, watching, first, &mut [&mut second])?;
    if outcome.failed.is_none() {
        output::print(&worker.ids().iter().map(|id| format!("{id}\n")).collect::<String>())?;
    }
    Ok(outcome.status)
}

/// The steps that read the container.
fn first(context: &Context, record: &Record, pause: bool) -> Result<Vec<(String, ImageOp)>, CliError> {
    let text = |p: &std::path::PathBuf| p.to_string_lossy().into_owned();
    let layers = setup::stack(context, record)?;
    let container = || record.id.clone();
    let write = ImageOp::WriteLayer {
        container: container(),
        upper: text(&layers[0]),
        lower: layers[1..].iter().map(text).collect(),
    };
    let mut steps = vec![("write-layer".to_owned(), write)];
    if let Some(pid) = record.pid.filter(|_| pause) {
        steps.insert(
            0,
            ("freeze-container".to_owned(), ImageOp::FreezeContainer { container: container(), pid }),
        );
        steps.push(("thaw-container".to_owned(), ImageOp::ThawContainer { container: container(), pid }));
    }
    Ok(steps)
}

/// What the second plan is made from.
struct New<'a> {
    context: &'a Context,
    id: &'a str,
    image: &'a Image,
    base_config: &'a Value,
    config: &'a create::instruction::Config,
    author: &'a Author,
}

impl New<'_> {
    /// The steps that store the layer and name the image, once the layer is known.
    fn plan(
        &self,
        worker: &mut Worker,
        record: &Record,
        reference: Option<Reference>,
    ) -> Result<Plan, Failure> {
        let written = worker.layer();
        let (written, entries) = written.ok_or_else(|| Failure::new("go on: no layer was written", None))?;
        // A container that changed nothing adds a line of history, and no layer.
        let layer = (entries > 0).then_some(written);
        let made = create::describe_commit(&Commit {
            base: self.image,
            base_config: self.base_config,
            config: self.config,
            layer: layer.clone(),
            command: &record.command,
            author: self.author,
        });
        let mut steps = Vec::new();
        if let Some(layer) = layer {
            let chain: Vec<&str> = self
                .image
                .layers
                .iter()
                .map(|l| l.diff_id.as_str())
                .chain([layer.diff_id.as_str()])
                .collect();
            steps.push(("store-layer".to_owned(), store_layer(self.context, &layer, &chain, false)));
        }
        steps.push(("name-images".to_owned(), worker.offer(self.context, &made, reference)));
        Ok(image::plan(self.id, steps))
    }
}

/// The step that moves a layer into the store; `chain` are the diff IDs up to it.
pub fn store_layer(context: &Context, layer: &create::LayerRef, chain: &[&str], unpacked: bool) -> ImageOp {
    let chain_id = digest::chain_ids(chain).pop().unwrap_or_default();
    let text = |p: std::path::PathBuf| p.to_string_lossy().into_owned();
    let hex = |d: &str| digest::hex(d).unwrap_or("none").to_owned();
    ImageOp::StoreLayer {
        blob: layer.digest.clone(),
        size: layer.size,
        file: text(context.store().join("blobs/sha256").join(hex(&layer.digest))),
        dir: unpacked.then(|| text(context.store().join("layers").join(hex(&chain_id)).join("diff"))),
        chain_id,
    }
}

/// The described image, for the step that names it.
pub fn incoming(made: &create::Described, reference: Option<Reference>) -> Incoming {
    Incoming {
        references: reference.map(Reference::or_latest).into_iter().collect(),
        manifest: made.manifest.clone(),
        media_type: create::MANIFEST.to_owned(),
        made: true,
        config: made.config.clone(),
        layers: Vec::new(),
        created_by: Vec::new(),
        source: None,
    }
}
