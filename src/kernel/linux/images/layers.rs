//! Layers: taken in, and taken back.

use std::collections::BTreeSet;
use std::time::Duration;

use oci_spec::image::{Descriptor, Digest};

use super::{Cx, Images};
use crate::container::record;
use crate::image::intake::{Intake, Options, Wanted};
use crate::image::layers::remove_tree;
use crate::image::{ImageError, Store};
use crate::kernel::Failure;
use crate::kernel::linux::signals;
use crate::plan::Op;
use crate::plan::image::ImageOp;

/// How often a step that waits for its layer looks for a Ctrl-C.
const LOOK: Duration = Duration::from_millis(50);

/// What the intake needs to know of a layer's step.
pub fn wanted(op: &Op) -> Option<Wanted> {
    let ImageOp::TakeLayer { blob, media_type, size, diff_id, chain_id, .. } = super::layer(op)? else {
        return None;
    };
    let digest: Digest = blob.parse().ok()?;
    Some(Wanted {
        blob: Descriptor::new(media_type.as_str().into(), *size, digest),
        diff_id: diff_id.clone(),
        chain_id: chain_id.clone(),
    })
}

/// Waits for a layer; the first one to be asked for starts them all. `true` when
/// the store had it.
pub fn take(index: u32, store: &Store, cx: &mut Cx<'_>, images: &mut Images) -> Result<bool, Failure> {
    if images.intake.is_none() {
        let source =
            images.source.clone().ok_or_else(|| Failure::new("go on: nothing was resolved", None))?;
        let mut options =
            Options { name_whiteouts: images.name_whiteouts, limits: images.limits, ..Options::default() };
        if !images.ahead {
            options.lanes = 0;
        }
        let layers = images.wanted.clone();
        images.intake = Some(Intake::start(store, layers, source, options, images.progress())?);
    }
    let Some(intake) = &images.intake else { return Err(Failure::new("go on: no layer is under way", None)) };
    let at = usize::try_from(index).unwrap_or(0).saturating_sub(1);
    let done = loop {
        if let Some(done) = intake.wait_for(at, LOOK) {
            break done;
        }
        // The engine asks between steps; a layer can take long.
        if let Some(signal) = signals::take() {
            intake.cancel();
            return Err(Failure::new("go on: interrupted by a signal", None).status(128 + signal));
        }
    };
    let taped = intake.taped(at);
    images.heard(cx, taped);
    let lost = |e: &ImageError| images.asking.is_some() && e.is_of_the_way();
    if done.as_ref().is_err_and(lost) {
        images.lost_the_way = true;
    }
    let outcome = done?;
    let there = outcome.blob_there && outcome.tree_there;
    images.outcomes.insert(index, outcome);
    Ok(there)
}

/// Removes blobs and trees unless somebody needs them.
pub fn discard(store: &Store, blobs: &[&str], chains: &[&str]) -> Result<(), Failure> {
    store.discard(blobs, chains, &in_use(store), &mut |path| remove_tree(path)).map_err(Failure::from)
}

/// Which container runs from an image, or is about to.
pub fn runs(store: &Store) -> impl Fn(&str) -> Result<Option<String>, ImageError> {
    let root = store.root().to_owned();
    move |image| {
        record::running_from(&root, image)
            .map_err(|e| ImageError::Damaged { path: record::containers_dir(&root), reason: e.to_string() })
    }
}

/// The layers that containers were made from.
pub fn in_use(store: &Store) -> impl Fn() -> Result<BTreeSet<String>, ImageError> {
    let root = store.root().to_owned();
    move || {
        record::layers_in_use(&root)
            .map_err(|e| ImageError::Damaged { path: record::containers_dir(&root), reason: e.to_string() })
    }
}
