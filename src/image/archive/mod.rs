//! `load`: images from archives made by other tools. Three shapes: what
//! `docker save` writes, old (`ID/layer.tar`) and new (an OCI layout with a
//! `manifest.json`), and a tar of an OCI image layout. Any of them may be
//! compressed, and comes from a file or a stream read once.
//!
//! All of it goes to a staging directory first and is verified there; the store
//! changes only when everything is right.

mod docker;
mod oci;
pub mod save;
mod spool;
mod work;

use std::io::Read;
use std::path::PathBuf;

use crate::image::store::NewImage;
use crate::image::{ImageError, Reference, Store, digest};
use spool::Spool;
use work::Job;

/// One loaded image, for `Loaded image: NAME:TAG`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// Its names; empty for an image known by its id only.
    pub references: Vec<Reference>,
    /// Digest of the config.
    pub id: String,
    /// Digest of the manifest.
    pub manifest: String,
}

/// How to load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadOptions {
    /// Unpack the layers at once. Otherwise they are decompressed to verify their
    /// diff IDs, and unpacked by the first container that needs them.
    pub unpack: bool,
}

impl Default for LoadOptions {
    fn default() -> Self {
        LoadOptions { unpack: true }
    }
}

/// An image of an archive, its content staged.
struct Candidate {
    references: Vec<Reference>,
    config: String,
    layers: Vec<CandidateLayer>,
    /// The manifest as the archive has it; made from the rest where it has none.
    manifest: Option<(Vec<u8>, String)>,
}

struct CandidateLayer {
    digest: String,
    media_type: String,
    size: u64,
}

/// Loads every image of an archive. `name` is for messages: a file's path, or
/// `standard input`.
///
/// # Errors
/// [`ImageError::NotAnArchive`], [`ImageError::BadArchive`],
/// [`ImageError::Digest`], those of unpacking, those of the store. Nothing is
/// left in the store then.
pub fn load(
    store: &Store,
    input: impl Read,
    name: &str,
    options: &LoadOptions,
) -> Result<Vec<Loaded>, ImageError> {
    // An input that is no archive does not even make a store.
    let input = spool::begin(input, name)?;
    let stage = store.stage()?;
    let spool = Spool::fill(input, name, stage.path())?;
    let candidates = if spool.has("manifest.json") {
        docker::read(&spool)?
    } else if spool.has("index.json") {
        oci::read(&spool)?
    } else {
        return Err(ImageError::NotAnArchive {
            name: name.to_owned(),
            reason: "it is a tar without manifest.json and index.json".into(),
        });
    };
    if candidates.is_empty() {
        return Err(spool.bad("it holds no image"));
    }
    let mut blobs: Vec<(String, PathBuf)> = Vec::new();
    let mut layers: Vec<(String, PathBuf)> = Vec::new();
    let mut images = Vec::new();
    let mut jobs: Vec<Job> = Vec::new();
    for candidate in candidates {
        let config = spool.blob(&candidate.config)?;
        let parsed: oci_spec::image::ImageConfiguration = spool.json(config)?;
        let diff_ids = parsed.rootfs().diff_ids();
        if diff_ids.len() != candidate.layers.len() {
            return Err(spool.bad(&format!(
                "the config of {} names {} layers, its manifest {}",
                candidate.config,
                diff_ids.len(),
                candidate.layers.len()
            )));
        }
        let chain_ids = digest::chain_ids(diff_ids);
        for ((layer, diff_id), chain_id) in candidate.layers.iter().zip(diff_ids).zip(&chain_ids) {
            let file = spool.blob(&layer.digest)?;
            blobs.push((layer.digest.clone(), file.path.clone()));
            if jobs.iter().any(|j: &Job| j.chain_id == *chain_id && j.blob == file.path) {
                continue;
            }
            let place = stage.path().join("layers").join(digest::hex(chain_id).unwrap_or("none"));
            let unpack = options.unpack
                && !store.layer_dir(chain_id)?.is_dir()
                && jobs.iter().all(|j| j.chain_id != *chain_id);
            if unpack {
                layers.push((chain_id.clone(), place.clone()));
            }
            jobs.push(Job {
                blob: file.path.clone(),
                media_type: layer.media_type.clone(),
                size: layer.size,
                diff_id: diff_id.clone(),
                chain_id: chain_id.clone(),
                dest: unpack.then(|| place.join("diff")),
            });
        }
        blobs.push((candidate.config.clone(), config.path.clone()));
        let (manifest, media_type) = match candidate.manifest {
            Some(manifest) => manifest,
            None => {
                (make_manifest(&candidate.config, config.size, &candidate.layers), OCI_MANIFEST.to_owned())
            }
        };
        images.push(NewImage {
            manifest,
            media_type,
            id: candidate.config,
            references: candidate.references,
        });
    }
    work::run(&jobs)?;
    // Images of one archive share layers and configs; each is moved once.
    blobs.sort();
    blobs.dedup_by(|a, b| a.0 == b.0);
    store.add(&blobs, &layers, &images)?;
    Ok(images
        .into_iter()
        .map(|i| Loaded { manifest: digest::of_bytes(&i.manifest), references: i.references, id: i.id })
        .collect())
}

const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

fn make_manifest(config: &str, size: u64, layers: &[CandidateLayer]) -> Vec<u8> {
    let layers: Vec<_> = layers
        .iter()
        .map(|l| serde_json::json!({"mediaType": l.media_type, "digest": l.digest, "size": l.size}))
        .collect();
    let manifest = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": size},
        "layers": layers,
    });
    manifest.to_string().into_bytes()
}

#[cfg(test)]
mod tests;
