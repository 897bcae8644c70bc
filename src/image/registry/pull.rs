//! From a name to an image: what the name leads to (manifest, then config), and
//! the repository as the source of its layers, which the intake fetches, verifies
//! and unpacks.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::{Mutex, PoisonError};

use oci_spec::image::{Descriptor, ImageConfiguration};

use super::RegistryError;
use super::blob::Blob;
use super::repository::Repository;
use crate::image::intake::BlobSource;
use crate::image::manifest::{
    Chosen, LayerKind, MAX_CONFIG, Manifest, ManifestError, Matcher, Platform, Variety, parse_json, resolve,
};
use crate::image::{ImageError, Incoming, Reference, digest};

/// What a name leads to.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// With tag or digest.
    pub reference: Reference,
    /// Digest of what the registry has under that name: an index, or a manifest.
    pub digest: String,
    /// Its media type.
    pub media_type: String,
    /// The manifest for the platform.
    pub chosen: Chosen,
}

impl Found {
    /// The name leads to an index.
    pub fn is_index(&self) -> bool {
        Variety::of(&self.media_type) == Some(Variety::Index)
    }
}

/// Asks what a reference means on a platform.
///
/// # Errors
/// Those of the registry; [`ImageError::Manifest`] for a manifest that is none,
/// or for no platform that fits.
pub fn find(repository: &Repository, reference: &Reference, matcher: &Matcher) -> Result<Found, ImageError> {
    let reference = reference.clone().or_latest();
    let name = reference.digest().or(reference.tag()).unwrap_or_default();
    let first = repository.manifest(name)?;
    let mut fetch = |descriptor: &Descriptor| -> Result<Vec<u8>, ImageError> {
        Ok(repository.manifest(descriptor.digest().as_ref())?.bytes)
    };
    let (what, media_type) = (reference.familiar(), first.media_type);
    let chosen = resolve(&what, first.bytes, Some(&media_type), matcher, &mut fetch)?;
    Ok(Found { reference, digest: first.digest, media_type, chosen })
}

/// Fetches the config, and checks it against the manifest and the platform.
///
/// # Errors
/// Those of the registry; [`ImageError::Manifest`] for a config that is none, or
/// that is for another platform.
pub fn configure(repository: &Repository, found: &Found, matcher: &Matcher) -> Result<Incoming, ImageError> {
    let what = found.reference.familiar();
    let manifest = &found.chosen.manifest;
    let blob = Blob { digest: manifest.config.digest().to_string(), size: manifest.config.size() };
    let config = repository.small_blob(&blob, MAX_CONFIG)?;
    let bad = |path: &str, reason: String| ImageError::Manifest {
        what: what.clone(),
        error: ManifestError::Field { path: path.to_owned(), reason },
    };
    let mut incoming = Incoming::new(
        &what,
        vec![found.reference.clone()],
        (found.chosen.bytes.clone(), manifest.media_type.clone()),
        config,
        manifest.layers.clone(),
    )
    .map_err(|reason| bad("config", format!("does not fit: {reason}")))?;
    for layer in &incoming.layers {
        for text in [layer.blob.digest().as_ref(), layer.diff_id.as_str()] {
            if digest::hex(text).is_none() {
                return Err(bad("layers", format!("have the digest {text:?}: only sha256 is supported")));
            }
        }
    }
    // An index has decided already, by more than the config says.
    if found.chosen.platform.is_none() {
        check_platform(&what, &incoming.config, matcher)?;
    }
    incoming.source = Some(found.digest.clone());
    Ok(incoming)
}

fn check_platform(what: &str, config: &[u8], matcher: &Matcher) -> Result<(), ImageError> {
    let bad = |error| ImageError::Manifest { what: what.to_owned(), error };
    let value = parse_json(config).map_err(bad)?;
    let image: ImageConfiguration =
        serde_json::from_value(value).map_err(|e| bad(ManifestError::Json(e.to_string())))?;
    let own = Platform::new(&image.os().to_string(), &image.architecture().to_string(), "");
    match matcher.rank(&own) {
        Some(_) => Ok(()),
        None => Err(bad(ManifestError::NoPlatform {
            wanted: matcher.wanted().to_string(),
            found: vec![own.to_string()],
        })),
    }
}

/// A repository as the intake's source.
pub struct Source {
    repository: Repository,
    /// Where else a layer is, by its digest, that its owner keeps from registries.
    elsewhere: BTreeMap<String, Vec<String>>,
    /// The addresses that had one.
    came_from: Mutex<BTreeMap<String, String>>,
}

impl Source {
    /// Of the layers of a manifest.
    pub fn new(repository: Repository, manifest: &Manifest) -> Self {
        let foreign =
            manifest.layers.iter().filter(|l| LayerKind::of(l.media_type().as_ref()) == LayerKind::Foreign);
        let elsewhere =
            foreign.map(|l| (l.digest().to_string(), l.urls().clone().unwrap_or_default())).collect();
        Source { repository, elsewhere, came_from: Mutex::default() }
    }
}

impl BlobSource for Source {
    /// The registry is asked first, as Docker does it.
    fn open(&self, blob: &Descriptor, offset: u64) -> Result<Box<dyn Read + Send>, ImageError> {
        let blob = Blob { digest: blob.digest().to_string(), size: blob.size() };
        let refused = match self.repository.blob(&blob, offset) {
            Err(error @ (RegistryError::NotFound { .. } | RegistryError::Denied { .. })) => error,
            other => return Ok(other?),
        };
        let mut last = refused;
        for address in self.elsewhere.get(&blob.digest).into_iter().flatten() {
            match self.repository.blob_at(address, &blob, offset) {
                Ok(stream) => {
                    let mut came_from = self.came_from.lock().unwrap_or_else(PoisonError::into_inner);
                    came_from.insert(blob.digest, address.clone());
                    return Ok(stream);
                }
                Err(error) => last = error,
            }
        }
        Err(last.into())
    }

    fn came_from(&self, blob: &str) -> Option<String> {
        self.came_from.lock().unwrap_or_else(PoisonError::into_inner).get(blob).cloned()
    }

    fn resumable(&self) -> bool {
        true
    }
}
