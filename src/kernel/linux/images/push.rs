//! An image on its way to a registry, and what else is asked of one.

use std::cell::Cell;
use std::sync::Arc;

use super::{Asking, Images};
use crate::image::manifest::{Document, MAX_CONFIG, parse};
use crate::image::registry::credentials::{Credential, Credentials, Kept};
use crate::image::registry::push::{Packed, Push, PushProgress, PushState, pack};
use crate::image::registry::search::Hit;
use crate::image::registry::{Blob, Manifest, RegistryError, Repository, Sent};
use crate::image::{Image, ImageError, Reference, Store, digest};
use crate::kernel::Failure;
use crate::kernel::linux::evidence::fact;
use crate::plan::image::ImageOp;
use crate::trace::{Fact, Kind, Value};

/// What is held of it between the steps.
#[derive(Default)]
pub struct Sending {
    /// The image that layers are compressed of.
    pub image: Option<Image>,
    /// Its layers that were.
    pub packed: Vec<Packed>,
    /// The image as it is sent.
    pub push: Option<Push>,
    /// Hears of its layers.
    pub progress: Option<Arc<dyn PushProgress>>,
    /// What a search found.
    pub hits: Vec<Hit>,
    /// What was read of a name: what it leads to, and the manifests of an index.
    pub manifests: Vec<Manifest>,
    /// The config of a single manifest.
    pub config: Option<Vec<u8>>,
    /// Whom the registry is to know.
    pub credential: Option<Credential>,
    /// The registry does not take it.
    pub refused: bool,
    /// Where the credential is kept now.
    pub kept: Option<Kept>,
    /// There was something to forget.
    pub forgotten: bool,
    /// What became of the last blob, until it is told.
    state: Cell<Option<PushState>>,
}

/// Nobody wants to hear of it.
struct Quiet;

impl PushProgress for Quiet {
    fn layer(&self, _: usize, _: PushState) {}
}

fn nothing() -> Failure {
    Failure::new("go on: nothing was prepared to be sent", None)
}

/// Carries an operation out; `true` when its work was done before.
pub fn apply(op: &ImageOp, store: &Store, images: &mut Images) -> Result<bool, Failure> {
    let ahead = images.ahead;
    if let ImageOp::CompressLayer { index, .. } = op {
        return compress(*index, store, images);
    }
    let asking = super::pull::asking(images)?;
    asking.begin();
    let client = asking.client().clone();
    let sending = &mut asking.sending;
    let progress = sending.progress.clone().unwrap_or_else(|| Arc::new(Quiet));
    let push = || sending.push.as_ref().ok_or_else(nothing);
    match op {
        ImageOp::PushLayer { index, .. } => {
            let push = push()?;
            if ahead && *index == 1 {
                push.send_layers(&*progress)?;
            }
            let at = usize::try_from(*index).unwrap_or(0).saturating_sub(1);
            let state = push.send_layer(at, &*progress)?;
            let there = state == PushState::Done(Sent::There);
            sending.state.set(Some(state));
            Ok(there)
        }
        ImageOp::PushConfig { .. } => {
            let sent = push()?.send_config()?;
            let there = sent == Sent::There;
            sending.state.set(Some(PushState::Done(sent)));
            Ok(there)
        }
        ImageOp::PutManifest { reference, .. } => {
            let reference = parsed(reference)?;
            push()?.put_manifest(reference.tag().unwrap_or(crate::image::reference::DEFAULT_TAG))?;
            Ok(false)
        }
        ImageOp::SearchIndex { registry, term, limit } => {
            sending.hits = client.search(registry, term, *limit).map_err(ImageError::from)?;
            Ok(false)
        }
        ImageOp::ReadManifest { reference, all, .. } => {
            let reference = parsed(reference)?;
            let repository = Repository::new(client, &reference).map_err(ImageError::from)?;
            read(&repository, &reference, *all, sending)?;
            Ok(false)
        }
        ImageOp::TryCredential { registry, .. } => {
            let credential = sending.credential.clone().ok_or_else(nothing)?;
            let answer = client.login(registry, credential);
            sending.refused = matches!(answer, Err(RegistryError::Unauthorized { .. }));
            answer.map_err(ImageError::from)?;
            Ok(false)
        }
        ImageOp::KeepCredential { registry, config, .. } => {
            let credential = sending.credential.as_ref().ok_or_else(nothing)?;
            let kept = Credentials::at(config).store(registry, credential).map_err(ImageError::from)?;
            sending.kept = Some(kept);
            Ok(false)
        }
        ImageOp::ForgetCredential { registry, config } => {
            sending.forgotten = Credentials::at(config).erase(registry).map_err(ImageError::from)?;
            Ok(!sending.forgotten)
        }
        other => Err(Failure::new(format!("do {} here", other.name()), None)),
    }
}

fn compress(index: u32, store: &Store, images: &mut Images) -> Result<bool, Failure> {
    let image = images.asking.as_ref().and_then(|a| a.sending.image.as_ref()).ok_or_else(nothing)?;
    let at = usize::try_from(index).unwrap_or(0).saturating_sub(1);
    let layer = image.layers.get(at).cloned().ok_or_else(nothing)?;
    let keep: Vec<String> = image.layers.iter().map(|l| l.blob.clone()).collect();
    let making = &mut images.making;
    making.keep.extend(keep);
    match &making.stage {
        Some(stage) => store.lease(stage, making.keep.iter().map(String::as_str))?,
        None => drop(super::make::staged(store, making)?),
    }
    let stage = making.stage.as_ref().ok_or_else(nothing)?;
    let file = stage.path().join(digest::hex(&layer.blob).unwrap_or("packed"));
    let asking = super::pull::asking(images)?;
    let before = asking.sending.packed.iter().any(|p| p.plain == layer.blob);
    if !before {
        asking.sending.packed.push(pack(store, &layer, &file)?);
    }
    Ok(before)
}

/// What a name leads to; with `all` the manifests of an index, or a config, too.
fn read(
    repository: &Repository,
    reference: &Reference,
    all: bool,
    sending: &mut Sending,
) -> Result<(), ImageError> {
    let name = reference.digest().or(reference.tag()).unwrap_or_default();
    let first = repository.manifest(name)?;
    let document = parse(&first.bytes, Some(&first.media_type)).ok().filter(|_| all);
    sending.manifests = vec![first];
    match document {
        Some(Document::Index(index)) => {
            for descriptor in &index.manifests {
                sending.manifests.push(repository.manifest(descriptor.digest().as_ref())?);
            }
        }
        Some(Document::Manifest(manifest)) => {
            let blob = Blob { digest: manifest.config.digest().to_string(), size: manifest.config.size() };
            sending.config = Some(repository.small_blob(&blob, MAX_CONFIG)?);
        }
        None => {}
    }
    Ok(())
}

fn parsed(reference: &str) -> Result<Reference, Failure> {
    Reference::parse(reference)
        .map_err(|error| ImageError::Reference { input: reference.to_owned(), error }.into())
}

/// The requests of the last step with their answers, and what came of them.
pub fn evidence(op: &ImageOp, asking: &Asking) -> Vec<Fact> {
    let sending = &asking.sending;
    let mut facts = asking.http();
    let volatile = |d: &str| Value::volatile(Kind::Digest, d);
    match op {
        ImageOp::CompressLayer { blob, .. } => {
            facts.clear();
            if let Some(packed) = sending.packed.iter().find(|p| p.plain == *blob) {
                facts.extend(super::evidence::blob(&packed.file.to_string_lossy()));
                facts.push(fact("gzip", "media type", Value::Text(packed.media_type.clone())));
            }
        }
        ImageOp::PushLayer { registry, blob, .. } | ImageOp::PushConfig { registry, blob, .. } => {
            let how = match sending.state.take() {
                Some(PushState::Done(Sent::There)) => "it was there",
                Some(PushState::Done(Sent::Mounted(from))) => {
                    facts.push(fact(registry, "mounted from", Value::Text(from)));
                    "mounted"
                }
                Some(PushState::Done(Sent::Sent)) => "sent",
                Some(PushState::Foreign) => "not sent: its owner keeps it from registries",
                Some(PushState::Sending(_)) | None => return facts,
            };
            facts.push(fact(registry, blob, Value::from(how)));
        }
        ImageOp::PutManifest { registry, reference, .. } => {
            let tag = parsed(reference).ok();
            let tag = tag.as_ref().and_then(Reference::tag).unwrap_or_default();
            // Asked once more: what it has, not what it was given.
            if let Some(stated) = sending.push.as_ref().and_then(|p| p.stated(tag).ok()).flatten() {
                facts.extend(asking.http());
                facts.push(fact(registry, tag, volatile(&stated)));
            }
        }
        ImageOp::SearchIndex { registry, .. } => {
            let n = i64::try_from(sending.hits.len()).unwrap_or(i64::MAX);
            facts.push(fact(registry, "repositories", Value::Int(n)));
        }
        ImageOp::ReadManifest { registry, .. } => {
            for manifest in &sending.manifests {
                facts.push(fact(registry, &manifest.media_type, volatile(&manifest.digest)));
            }
        }
        ImageOp::KeepCredential { config, registry, .. } => {
            facts.clear();
            let place = match &sending.kept {
                Some(Kept::File(path)) => path.to_string_lossy().into_owned(),
                Some(Kept::Helper(program)) => program.clone(),
                None => return facts,
            };
            facts.push(fact(config, registry, Value::Text(place)));
            facts.extend(super::super::evidence::made(config));
        }
        ImageOp::ForgetCredential { config, registry } => {
            facts.clear();
            let left = Credentials::at(config).get(registry).ok().flatten().is_some();
            let word = if left { "still there" } else { "no entry" };
            facts.push(fact(config, registry, Value::from(word)));
        }
        _ => {}
    }
    facts
}
