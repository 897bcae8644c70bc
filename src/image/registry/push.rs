//! An image of the store into a repository: layers side by side, then the
//! config, then the manifest, which makes it visible there.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use oci_spec::image::ImageManifest;

use super::blob::Blob;
use super::repository::Repository;
use super::upload::{Sent, Upload};
use crate::image::manifest::{LayerKind, OCI_MANIFEST};
use crate::image::store::{REF_NAME, annotation};
use crate::image::{Image, ImageError, Reference, Store};

/// Layers at once.
const LANES: usize = 4;

/// Hears of the layers. Called from several threads, often.
pub trait PushProgress: Sync {
    /// Layer `index` (0 is the lowest) is now so.
    fn layer(&self, index: usize, state: PushState);
}

/// How far a layer is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PushState {
    /// So many bytes have been sent.
    Sending(u64),
    /// What became of it.
    Done(Sent),
    /// Its owner keeps it from registries; it is not sent.
    Foreign,
}

/// What a push made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// Digest of the manifest.
    pub digest: String,
    /// Bytes of the manifest.
    pub size: u64,
}

/// Sends an image under a tag.
///
/// # Errors
/// When the store lacks something, or the registry refuses it. What was sent
/// before stays there, unnamed, until the registry collects its garbage.
pub fn push(
    store: &Store,
    image: &Image,
    repository: &Repository,
    tag: &str,
    progress: &dyn PushProgress,
) -> Result<Pushed, ImageError> {
    let path = store.blob(&image.manifest)?;
    let manifest = crate::image::store::disk::read(&path)?.ok_or_else(|| missing(&path))?;
    let parsed: ImageManifest = store.json_blob(&image.manifest)?;
    let neighbours = neighbours(store, repository)?;
    layers(store, image, repository, &neighbours, progress)?;
    let config = Blob { digest: parsed.config().digest().to_string(), size: parsed.config().size() };
    let file = store.blob(&config.digest)?;
    repository.push_blob(&Upload { blob: &config, file: &file, mount_from: &[], progress: &|_| {} })?;
    let media_type = match parsed.media_type() {
        Some(media_type) => media_type.to_string(),
        None => OCI_MANIFEST.to_owned(),
    };
    let digest = repository.put_manifest(tag, &manifest, &media_type)?;
    Ok(Pushed { digest, size: manifest.len() as u64 })
}

fn missing(path: &std::path::Path) -> ImageError {
    ImageError::Damaged { path: path.to_owned(), reason: "the file is missing".into() }
}

/// Lanes take layers in turn; after a failure no further one begins.
fn layers(
    store: &Store,
    image: &Image,
    repository: &Repository,
    neighbours: &[(String, Vec<String>)],
    progress: &dyn PushProgress,
) -> Result<(), ImageError> {
    let next = AtomicUsize::new(0);
    let failed: Mutex<Option<ImageError>> = Mutex::new(None);
    let one = |index: usize| -> Result<(), ImageError> {
        let layer = &image.layers[index];
        if LayerKind::of(&layer.media_type) == LayerKind::Foreign {
            progress.layer(index, PushState::Foreign);
            return Ok(());
        }
        let mount_from: Vec<String> = neighbours
            .iter()
            .filter(|(_, blobs)| blobs.contains(&layer.blob))
            .map(|(path, _)| path.clone())
            .collect();
        let file = store.blob(&layer.blob)?;
        let blob = Blob { digest: layer.blob.clone(), size: layer.size };
        let tell = |bytes| progress.layer(index, PushState::Sending(bytes));
        let upload = Upload { blob: &blob, file: &file, mount_from: &mount_from, progress: &tell };
        let sent = repository.push_blob(&upload)?;
        progress.layer(index, PushState::Done(sent));
        Ok(())
    };
    let lane = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= image.layers.len() {
                return;
            }
            if let Err(error) = one(index) {
                next.store(image.layers.len(), Ordering::Relaxed);
                failed.lock().unwrap_or_else(|e| e.into_inner()).get_or_insert(error);
                return;
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..LANES.min(image.layers.len()) {
            scope.spawn(lane);
        }
        lane();
    });
    failed.into_inner().unwrap_or_else(|e| e.into_inner()).map_or(Ok(()), Err)
}

/// Other repositories of the same registry that images of this store are named
/// for, with their blobs: likely places to mount from.
fn neighbours(store: &Store, repository: &Repository) -> Result<Vec<(String, Vec<String>)>, ImageError> {
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    for descriptor in store.index()?.manifests() {
        let name = annotation(descriptor, REF_NAME).and_then(|n| Reference::parse(n).ok());
        let Some(name) = name.filter(|n| n.domain() == repository.domain() && n.path() != repository.path())
        else {
            continue;
        };
        let Ok(manifest) = store.json_blob::<ImageManifest>(descriptor.digest().as_ref()) else { continue };
        let blobs = manifest.layers().iter().map(|l| l.digest().to_string());
        match found.iter_mut().find(|(path, _)| path == name.path()) {
            Some((_, known)) => known.extend(blobs),
            None => found.push((name.path().to_owned(), blobs.collect())),
        }
    }
    Ok(found)
}
