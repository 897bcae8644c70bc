//! Operations on images, on this host. What one step finds out (an opened
//! archive, the images in it, layers under way) is held in [`Images`] for the
//! steps and plans after it.

mod evidence;
mod layers;
mod load;
mod make;
mod pull;
mod push;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::cx::Cx;
use super::state::State;
use crate::image::archive::{Archive, Manifests};
use crate::image::calls::{Tape, Taped};
use crate::image::intake::{BlobSource, Intake, Outcome, Progress, Quiet, Wanted};
use crate::image::layers::Limits;
use crate::image::{Incoming, Store};
use crate::kernel::Failure;
use crate::plan::image::{Arriving, ArrivingLayer, ImageOp};
use crate::plan::{Op, Plan};

pub use evidence::evidence;
pub use make::{Making, out};
pub use pull::Asking;
pub use push::Sending;

/// What is held between the steps of actions on images.
#[derive(Default)]
pub struct Images {
    /// The archive, until its configs are read.
    archive: Option<Archive>,
    manifests: Option<Manifests>,
    /// The images that arrive, resolved.
    pub incoming: Vec<Incoming>,
    /// The registry that is asked, if this is about one.
    pub asking: Option<Asking>,
    /// Where their layers come from.
    pub source: Option<Arc<dyn BlobSource>>,
    /// Hears of the layers.
    pub progress: Option<Arc<dyn Progress>>,
    /// Layers run ahead of their steps: nobody stops between these.
    pub ahead: bool,
    /// Whiteouts to name as evidence; 0 when nobody looks.
    pub name_whiteouts: usize,
    /// How far a layer may grow.
    pub limits: Limits,
    /// The layers of this plan, in order.
    wanted: Vec<Wanted>,
    intake: Option<Intake>,
    /// Blobs, and chain IDs of trees, that the store lacked when this was planned.
    lacking: (Vec<String>, Vec<String>),
    /// A layer did not come because the way to its registry failed.
    lost_the_way: bool,
    /// The undo before left what it was about.
    kept: bool,
    /// What became of the layers, by their position from 1.
    outcomes: BTreeMap<u32, Outcome>,
    /// An image that is made, saved or removed here.
    pub making: Making,
    /// What was read of the archive.
    seen: Option<load::Seen>,
    /// Each call is told that changes something, and not only how many of a kind.
    pub each_call: bool,
    /// Calls of the step that were only counted.
    counted: BTreeMap<&'static str, u64>,
}

impl std::fmt::Debug for Images {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Images").field("incoming", &self.incoming).finish_non_exhaustive()
    }
}

impl Images {
    /// For the next plan: its layers are known, what was found stays.
    pub(super) fn next(mut self, plan: &Plan) -> Self {
        self.wanted = plan.steps.iter().filter_map(|s| layers::wanted(&s.op)).collect();
        self.intake = None;
        self.lost_the_way = false;
        self.lacking = (Vec::new(), Vec::new());
        for step in &plan.steps {
            if let Op::Image(ImageOp::TakeLayer { blob, chain_id, stored, unpacked, .. }) = &step.op {
                self.lacking.0.extend((!stored).then(|| blob.clone()));
                self.lacking.1.extend((!unpacked).then(|| chain_id.clone()));
            }
        }
        self
    }

    /// Whether the undo of the last operation left what it was about, on purpose.
    pub(super) fn kept(&mut self) -> bool {
        std::mem::take(&mut self.kept)
    }

    /// The images found, as the second plan needs them.
    pub fn arriving(&self, store: &Store) -> Vec<Arriving> {
        let there = |path: Result<std::path::PathBuf, _>| path.is_ok_and(|p| p.exists());
        let layer = |l: &Wanted| {
            let blob = l.blob.digest().to_string();
            ArrivingLayer {
                stored: there(store.blob(&blob)),
                unpacked: there(store.layer_dir(&l.chain_id)),
                blob,
                media_type: l.blob.media_type().to_string(),
                size: l.blob.size(),
                diff_id: l.diff_id.clone(),
                chain_id: l.chain_id.clone(),
            }
        };
        let image = |i: &Incoming| Arriving {
            names: i.references.iter().map(ToString::to_string).collect(),
            image: i.id(),
            manifest: i.digest(),
            layers: i.layers.iter().map(layer).collect(),
        };
        self.incoming.iter().map(image).collect()
    }

    /// Calls that were made for this step.
    fn heard(&mut self, cx: &mut Cx<'_>, taped: Taped) {
        cx.rec.add(taped.calls);
        for (name, n) in taped.counted {
            *self.counted.entry(name).or_default() += n;
        }
    }

    fn progress(&self) -> Arc<dyn Progress> {
        self.progress.clone().unwrap_or_else(Quiet::shared)
    }
}

/// Carries an operation out; `true` when its work was done before.
pub(super) fn apply(op: &ImageOp, cx: &mut Cx<'_>, state: &mut State) -> Result<bool, Failure> {
    told(cx, state, |cx, state| carry_out(op, cx, state))
}

/// Takes an operation back. Nothing is removed that another image, a container
/// or another process needs.
pub(super) fn undo(op: &ImageOp, cx: &mut Cx<'_>, state: &mut State) -> Result<(), Failure> {
    told(cx, state, |_, state| take_back(op, state))
}

/// Does something, with the calls of the image room among those of the step.
fn told<R>(cx: &mut Cx<'_>, state: &mut State, work: impl FnOnce(&mut Cx<'_>, &mut State) -> R) -> R {
    if !cx.rec.is_on() {
        return work(cx, state);
    }
    let tape = Tape::new(state.images.each_call);
    state.images.counted.clear();
    let done = tape.listen(|| work(cx, state));
    let taped = tape.take();
    state.images.heard(cx, taped);
    done
}

fn carry_out(op: &ImageOp, cx: &mut Cx<'_>, state: &mut State) -> Result<bool, Failure> {
    let store = Store::open(&state.store);
    match op {
        ImageOp::OpenArchive { path } => load::open(path, &store, cx.rec, &mut state.images),
        ImageOp::ReadManifests { .. } => load::manifests(&mut state.images),
        ImageOp::ReadConfigs { .. } => load::configs(&mut state.images),
        ImageOp::AskRegistry { reference, platform, .. } => pull::ask(reference, platform, &mut state.images),
        ImageOp::FetchConfig { platform, .. } => pull::config(platform, &mut state.images),
        ImageOp::TakeLayer { index, .. } => layers::take(*index, &store, cx, &mut state.images),
        ImageOp::NameImages { .. } => {
            Incoming::name_all(&store, &state.images.incoming)?;
            // The names hold what the lease held.
            state.images.intake = None;
            state.images.making.stage = None;
            Ok(false)
        }
        ImageOp::FreezeContainer { .. }
        | ImageOp::ThawContainer { .. }
        | ImageOp::WriteLayer { .. }
        | ImageOp::ImportTar { .. }
        | ImageOp::StoreLayer { .. }
        | ImageOp::TagImage { .. }
        | ImageOp::RemoveImage { .. }
        | ImageOp::SaveImages { .. }
        | ImageOp::ExportTree { .. }
        | ImageOp::CollectGarbage { .. } => {
            make::apply(op, &store, &state.images.limits, &mut state.images.making)
        }
        ImageOp::CompressLayer { .. }
        | ImageOp::PushLayer { .. }
        | ImageOp::PushConfig { .. }
        | ImageOp::PutManifest { .. }
        | ImageOp::SearchIndex { .. }
        | ImageOp::ReadManifest { .. }
        | ImageOp::TryCredential { .. }
        | ImageOp::KeepCredential { .. }
        | ImageOp::ForgetCredential { .. } => push::apply(op, &store, &mut state.images),
    }
}

fn take_back(op: &ImageOp, state: &mut State) -> Result<(), Failure> {
    let store = Store::open(&state.store);
    match op {
        ImageOp::TakeLayer { blob, chain_id, stored, unpacked, .. } => {
            // Whatever is under way ends first, and its lease with it.
            let under_way = state.images.intake.take().is_some();
            // Docker keeps it too: a registry that went away for a moment is no reason to
            // fetch everything again. It is garbage, which the collector takes.
            let whole = store.blob(blob)?.exists() && store.layer_dir(chain_id)?.is_dir();
            if state.images.lost_the_way && whole {
                state.images.kept = true;
                return Ok(());
            }
            let blobs = (!stored).then_some(blob.as_str());
            let chains = (!unpacked).then_some(chain_id.as_str());
            if under_way && !state.images.lost_the_way {
                // Layers whose steps did not come may be there already.
                let (blobs, chains) = std::mem::take(&mut state.images.lacking);
                let blobs: Vec<&str> = blobs.iter().map(String::as_str).collect();
                let chains: Vec<&str> = chains.iter().map(String::as_str).collect();
                return layers::discard(&store, &blobs, &chains);
            }
            layers::discard(&store, blobs.as_slice(), chains.as_slice())
        }
        ImageOp::NameImages { images, manifests, .. } => {
            state.images.intake = None;
            let blobs: Vec<&str> = images.iter().chain(manifests).map(String::as_str).collect();
            layers::discard(&store, &blobs, &[])
        }
        ImageOp::StoreLayer { blob, chain_id, dir, .. } => {
            state.images.making.stage = None;
            let chains = dir.as_ref().map(|_| chain_id.as_str());
            layers::discard(&store, &[blob], chains.as_slice())
        }
        ImageOp::FreezeContainer { .. } | ImageOp::TagImage { .. } => {
            make::undo(op, &store, &mut state.images.making)
        }
        ImageOp::WriteLayer { .. } | ImageOp::ImportTar { .. } => {
            state.images.making.stage = None;
            Ok(())
        }
        ImageOp::OpenArchive { .. }
        | ImageOp::ReadManifests { .. }
        | ImageOp::ReadConfigs { .. }
        | ImageOp::AskRegistry { .. }
        | ImageOp::FetchConfig { .. }
        | ImageOp::ThawContainer { .. }
        | ImageOp::RemoveImage { .. }
        | ImageOp::SaveImages { .. }
        | ImageOp::ExportTree { .. }
        | ImageOp::CollectGarbage { .. }
        | ImageOp::CompressLayer { .. }
        | ImageOp::PushLayer { .. }
        | ImageOp::PushConfig { .. }
        | ImageOp::PutManifest { .. }
        | ImageOp::SearchIndex { .. }
        | ImageOp::ReadManifest { .. }
        | ImageOp::TryCredential { .. }
        | ImageOp::KeepCredential { .. }
        | ImageOp::ForgetCredential { .. } => Ok(()),
    }
}

/// Whether an operation is one of the layers'.
pub(super) fn layer(op: &Op) -> Option<&ImageOp> {
    match op {
        Op::Image(op @ ImageOp::TakeLayer { .. }) => Some(op),
        _ => None,
    }
}
