//! An image on its way into the store: everything is known but its layers' bytes.

use oci_spec::image::{Descriptor, ImageConfiguration};

use super::index::NewImage;
use super::intake::Wanted;
use super::{ImageError, Reference, Store, calls, digest, manifest};

/// An image of an archive or a registry, resolved.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// Its names; empty for an image known by its id only.
    pub references: Vec<Reference>,
    /// The manifest, byte for byte.
    pub manifest: Vec<u8>,
    /// Its media type, OCI's or Docker's.
    pub media_type: String,
    /// The source has no manifest of this kind; this one was made from what it has.
    pub made: bool,
    /// Digest that its name leads to in a registry: this manifest's, or that of
    /// the index it was chosen from.
    pub source: Option<String>,
    /// The config, byte for byte.
    pub config: Vec<u8>,
    /// Lowest first.
    pub layers: Vec<Wanted>,
    /// What made each layer, from the history.
    pub created_by: Vec<String>,
}

impl Incoming {
    /// From a manifest and its config, whose digests the caller has verified.
    /// `what` is for messages.
    ///
    /// # Errors
    /// A fragment when the config cannot be read, or when it and the manifest do
    /// not speak of the same layers.
    pub fn new(
        what: &str,
        references: Vec<Reference>,
        manifest: (Vec<u8>, String),
        config: Vec<u8>,
        layers: Vec<Descriptor>,
    ) -> Result<Self, String> {
        let quoted = |e: &dyn std::fmt::Display| super::error::quoted(&e.to_string());
        let unread =
            |e: &dyn std::fmt::Display| format!("the config of {what} cannot be read: {}", quoted(e));
        manifest::parse_json(&config)
            .and_then(|value| manifest::check_config(&value))
            .map_err(|e| unread(&e))?;
        let parsed: ImageConfiguration = serde_json::from_slice(&config).map_err(|e| unread(&e))?;
        let diff_ids = parsed.rootfs().diff_ids();
        if diff_ids.len() != layers.len() {
            return Err(format!(
                "the config of {what} names {} layers, its manifest {}",
                diff_ids.len(),
                layers.len()
            ));
        }
        let chain = digest::chain_ids(diff_ids);
        let created_by: Vec<String> = parsed
            .history()
            .iter()
            .flatten()
            .filter(|h| h.empty_layer() != Some(true))
            .map(|h| h.created_by().clone().unwrap_or_default())
            .chain(std::iter::repeat(String::new()))
            .take(layers.len())
            .collect();
        let layers = layers
            .into_iter()
            .zip(diff_ids.iter().zip(chain))
            .map(|(blob, (diff_id, chain_id))| Wanted { blob, diff_id: diff_id.clone(), chain_id })
            .collect();
        let (manifest, media_type) = manifest;
        Ok(Incoming {
            references,
            manifest,
            media_type,
            made: false,
            source: None,
            config,
            layers,
            created_by,
        })
    }

    /// Digest of the config: Docker's image id.
    pub fn id(&self) -> String {
        digest::of_bytes(&self.config)
    }

    /// Digest of the manifest.
    pub fn digest(&self) -> String {
        digest::of_bytes(&self.manifest)
    }

    /// Stores config and manifest, and lets the names mean the image. Its layers
    /// have to be in the store, or leased.
    ///
    /// # Errors
    /// When the store cannot be written. The names then are what they were.
    pub fn name_all(store: &Store, images: &[Incoming]) -> Result<(), ImageError> {
        let stage = store.stage()?;
        let mut blobs = Vec::new();
        for image in images {
            let (id, path) = (image.id(), stage.path().join(format!("config-{}", blobs.len())));
            calls::write_new(&path, &image.config).map_err(|e| ImageError::io("write", &path, e))?;
            blobs.push((id, path));
        }
        let new: Vec<NewImage> = images
            .iter()
            .map(|i| NewImage {
                manifest: i.manifest.clone(),
                media_type: i.media_type.clone(),
                id: i.id(),
                references: i.references.clone(),
            })
            .collect();
        // What comes from a registry comes alone.
        let source = images.iter().find_map(|i| i.source.as_deref());
        store.add_from(&blobs, &[], &new, source)
    }
}
