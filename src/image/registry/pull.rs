//! From a name to an image in the store, in two parts: what the name leads to
//! (manifest and config), and then its layers, which the intake fetches,
//! verifies and unpacks while the store does not show them yet.

use std::io::Read;
use std::sync::Arc;

use oci_spec::image::{Descriptor, ImageConfiguration};

use super::RegistryError;
use super::blob::Blob;
use super::repository::Repository;
use crate::image::intake::{self, BlobSource, Intake, Outcome, Progress, Wanted};
use crate::image::manifest::{
    Chosen, MAX_CONFIG, ManifestError, Matcher, Platform, check_config, parse_json,
};
use crate::image::store::NewImage;
use crate::image::{ImageError, Reference, Store, digest};

/// What a name leads to, before any layer is fetched.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved {
    /// With tag or digest.
    pub reference: Reference,
    /// Digest of what the registry has under that name: an index, or a manifest.
    pub digest: String,
    /// The manifest for the platform.
    pub chosen: Chosen,
    /// The config, byte for byte.
    pub config: Vec<u8>,
    /// The same, read.
    pub image: ImageConfiguration,
    /// Lowest first.
    pub layers: Vec<Wanted>,
}

impl Resolved {
    /// Digest of the config: the image's id.
    pub fn id(&self) -> String {
        self.chosen.manifest.config.digest().to_string()
    }
}

/// Asks the registry what a reference means on a platform, and checks that it
/// is whole in itself.
///
/// # Errors
/// Those of the registry; [`ImageError::Manifest`] for a manifest or a config
/// that is none, or for no platform that fits.
pub fn resolve(
    repository: &Repository,
    reference: &Reference,
    matcher: &Matcher,
) -> Result<Resolved, ImageError> {
    let reference = reference.clone().or_latest();
    let what = reference.familiar();
    let name = reference.digest().or(reference.tag()).unwrap_or_default();
    let first = repository.manifest(name)?;
    let mut fetch = |descriptor: &Descriptor| -> Result<Vec<u8>, ImageError> {
        Ok(repository.manifest(descriptor.digest().as_ref())?.bytes)
    };
    let chosen =
        crate::image::manifest::resolve(&what, first.bytes, Some(&first.media_type), matcher, &mut fetch)?;
    let descriptor = &chosen.manifest.config;
    let blob = Blob { digest: descriptor.digest().to_string(), size: descriptor.size() };
    let config = repository.small_blob(&blob, MAX_CONFIG)?;
    let (image, layers) = check(&what, &chosen, &config, matcher)?;
    Ok(Resolved { reference, digest: first.digest, chosen, config, image, layers })
}

/// The config has to fit the manifest and the platform.
fn check(
    what: &str,
    chosen: &Chosen,
    config: &[u8],
    matcher: &Matcher,
) -> Result<(ImageConfiguration, Vec<Wanted>), ImageError> {
    let bad = |error| ImageError::Manifest { what: format!("the config of {what}"), error };
    let field = |path: &str, reason: String| bad(ManifestError::Field { path: path.into(), reason });
    let value = parse_json(config).map_err(bad)?;
    check_config(&value).map_err(bad)?;
    let image: ImageConfiguration =
        serde_json::from_value(value).map_err(|e| bad(ManifestError::Json(e.to_string())))?;
    let own = Platform::new(&image.os().to_string(), &image.architecture().to_string(), "");
    // An index has decided already, by more than the config says.
    if chosen.platform.is_none() && matcher.rank(&own).is_none() {
        let found = vec![own.to_string()];
        let error = ManifestError::NoPlatform { wanted: matcher.wanted().to_string(), found };
        return Err(ImageError::Manifest { what: what.to_owned(), error });
    }
    let diff_ids = image.rootfs().diff_ids();
    if diff_ids.len() != chosen.manifest.layers.len() {
        let reason =
            format!("names {} layers, the manifest {}", diff_ids.len(), chosen.manifest.layers.len());
        return Err(field("rootfs.diff_ids", reason));
    }
    let mut layers = Vec::with_capacity(diff_ids.len());
    for ((blob, diff_id), chain_id) in
        chosen.manifest.layers.iter().zip(diff_ids).zip(digest::chain_ids(diff_ids))
    {
        for text in [blob.digest().as_ref(), diff_id.as_str()] {
            if digest::hex(text).is_none() {
                return Err(field("rootfs.diff_ids", format!("has {text:?}: only sha256 is supported")));
            }
        }
        layers.push(Wanted { blob: blob.clone(), diff_id: diff_id.clone(), chain_id });
    }
    Ok((image, layers))
}

/// A repository as the intake's source.
pub struct Source(pub Repository);

impl BlobSource for Source {
    fn open(&self, blob: &Descriptor, offset: u64) -> Result<Box<dyn Read + Send>, ImageError> {
        let blob = Blob { digest: blob.digest().to_string(), size: blob.size() };
        Ok(self.0.blob(&blob, offset)?)
    }

    fn resumable(&self) -> bool {
        true
    }
}

/// Starts the transfer of the layers.
///
/// # Errors
/// When the store cannot be written.
pub fn start(
    store: &Store,
    repository: &Repository,
    resolved: &Resolved,
    options: intake::Options,
    progress: Arc<dyn Progress>,
) -> Result<Intake, ImageError> {
    Intake::start(store, resolved.layers.clone(), Arc::new(Source(repository.clone())), options, progress)
}

/// Waits for all layers, and gives the image its name.
///
/// # Errors
/// What became of the layers; when the store cannot be written. The store shows
/// nothing of the image then.
pub fn finish(store: &Store, intake: &Intake, resolved: &Resolved) -> Result<Vec<Outcome>, ImageError> {
    let outcomes =
        (0..resolved.layers.len()).map(|at| intake.wait(at)).collect::<Result<Vec<_>, ImageError>>()?;
    let config = intake.stage().path().join("config");
    std::fs::write(&config, &resolved.config).map_err(|e| ImageError::io("write", &config, e))?;
    let image = NewImage {
        manifest: resolved.chosen.bytes.clone(),
        media_type: resolved.chosen.manifest.media_type.clone(),
        id: resolved.id(),
        references: vec![resolved.reference.clone()],
    };
    store.add_from(&[(resolved.id(), config)], &[], &[image], Some(&resolved.digest))?;
    Ok(outcomes)
}

/// What the store has under a reference, if it came from the registry as it
/// is there now: the digest that the name led to.
///
/// # Errors
/// When the index of the store cannot be read.
pub fn local_digest(store: &Store, reference: &Reference) -> Result<Option<String>, ImageError> {
    store.source_of(&reference.clone().or_latest())
}

/// A repository that has no such image says so in many ways.
pub fn is_missing(error: &ImageError) -> bool {
    matches!(
        error,
        ImageError::Registry(
            RegistryError::NotFound { .. }
                | RegistryError::Denied { .. }
                | RegistryError::Unauthorized { .. }
        )
    )
}
