//! The content store: an OCI image layout on disk, and the unpacked layers
//! beside it.
//!
//! ```text
//! oci-layout  index.json  blobs/sha256/HEX      the layout (image-layout.md)
//! layers/CHAIN-ID-HEX/diff                      a layer's tree
//! l/SHORT -> ../layers/CHAIN-ID-HEX/diff        short names for mount options
//! tmp/                                          unfinished work, locked while alive
//! lock                                          held while index.json changes
//! pins                                          shared by those who make containers
//! unsynced                                      what a power failure may take away
//! ```
//!
//! Every file appears by rename, complete. Readers take no lock. How content is
//! kept from the collector of garbage is told in `collect.rs`; what happens when
//! the power fails, in `durable.rs`.

mod add;
mod collect;
pub(crate) mod disk;
mod durable;
mod remove;
mod resolve;
mod staging;

use std::path::{Path, PathBuf};

use oci_spec::image::{Descriptor, ImageConfiguration, ImageIndex};

use crate::image::manifest::{self, Manifest, Matcher};
use crate::image::{Image, ImageError, Layer, digest};
pub use add::NewImage;
pub use collect::{Collected, InUse, Pin};
pub use remove::Removed;
pub use resolve::Listed;
pub use staging::Staging;

/// Annotation of a descriptor in `index.json`: the full reference.
pub const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// Annotation of a descriptor in `index.json`: the digest of the config, so
/// that an image is found by its id without opening every manifest.
pub const IMAGE_ID: &str = "glassbox.image.id";
/// Annotation of a descriptor in `index.json`: when the image was made, as its
/// config says, RFC 3339.
pub const CREATED: &str = "org.opencontainers.image.created";
/// Annotation of a descriptor in `index.json`: bytes of the files of all layers.
pub const SIZE: &str = "glassbox.image.unpacked";

/// Annotation of a descriptor in `index.json`: the digest that the name leads
/// to in its registry, an index's where the image was chosen from one.
pub const SOURCE: &str = "glassbox.image.source";

/// A store. Cheap: only its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    root: PathBuf,
}

impl Store {
    /// The store below this directory. Nothing is read or made yet; a missing
    /// store reads as an empty one.
    pub fn open(root: impl Into<PathBuf>) -> Self {
        Store { root: root.into() }
    }

    /// The store that a layer's directory belongs to and the layer's chain ID,
    /// from `ROOT/layers/HEX/diff`.
    pub fn of_layer_dir(dir: &Path) -> Option<(Self, String)> {
        let place = dir.parent()?;
        let layers = place.parent()?;
        let chain_id = format!("sha256:{}", place.file_name()?.to_str()?);
        (dir.ends_with("diff") && layers.ends_with("layers") && digest::hex(&chain_id).is_some())
            .then(|| (Store::open(layers.parent().unwrap_or(Path::new("/"))), chain_id))
    }

    /// Its directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where a blob is.
    ///
    /// # Errors
    /// When the digest is no sha256 digest.
    pub fn blob(&self, blob: &str) -> Result<PathBuf, ImageError> {
        match digest::hex(blob) {
            Some(hex) => Ok(self.root.join("blobs/sha256").join(hex)),
            None => Err(ImageError::Damaged {
                path: self.root.join("blobs"),
                reason: format!("{blob:?} is no sha256 digest"),
            }),
        }
    }

    /// Where the tree of a layer is, or will be.
    ///
    /// # Errors
    /// When the chain ID is no sha256 digest.
    pub fn layer_dir(&self, chain_id: &str) -> Result<PathBuf, ImageError> {
        Ok(self.layer_place(chain_id)?.join("diff"))
    }

    fn layer_place(&self, chain_id: &str) -> Result<PathBuf, ImageError> {
        match digest::hex(chain_id) {
            Some(hex) => Ok(self.root.join("layers").join(hex)),
            None => Err(ImageError::Damaged {
                path: self.root.join("layers"),
                reason: format!("{chain_id:?} is no sha256 digest"),
            }),
        }
    }

    /// A layer's name relative to the root that fits often into the one page
    /// of mount(2)'s options: `l/0123456789abcdef`. [`Store::link_short`] makes it.
    pub fn short_name(chain_id: &str) -> String {
        let hex = digest::hex(chain_id).unwrap_or_default();
        format!("l/{}", &hex[..hex.len().min(16)])
    }

    /// Unpacks a layer of an image to its place, and links its short name.
    ///
    /// # Errors
    /// See [`crate::image::layers::unpack`].
    pub fn unpack(&self, layer: &Layer) -> Result<crate::image::layers::Unpacked, ImageError> {
        self.expect_tree(&layer.chain_id)?;
        let limits = crate::image::layers::Limits::for_blob(layer.size);
        let blob = self.blob(&layer.blob)?;
        let done =
            crate::image::layers::unpack(&blob, &layer.media_type, &layer.diff_id, &layer.dir, &limits)?;
        self.link_short(&layer.chain_id)?;
        if !done.existed {
            crate::image::layers::size::note(&layer.dir, done.size)?;
        }
        Ok(done)
    }

    /// The image that a manifest describes, read from the store.
    pub(crate) fn image(&self, reference: &str, manifest_digest: &str) -> Result<Image, ImageError> {
        let (manifest_digest, manifest) = self.manifest(manifest_digest)?;
        let id = manifest.config.digest().to_string();
        let config: ImageConfiguration = self.json_blob(&id)?;
        let layers = self.layers(&id, &manifest, &config)?;
        Ok(Image { reference: reference.to_owned(), id, manifest: manifest_digest, config, layers })
    }

    /// A manifest and its digest; another tool may have put an index there, of
    /// which this machine's image is taken.
    pub(crate) fn manifest(&self, name: &str) -> Result<(String, Manifest), ImageError> {
        let bytes = self.bytes_of(name)?;
        let mut fetch = |inner: &Descriptor| self.bytes_of(inner.digest().as_ref());
        let chosen = manifest::resolve(name, bytes, None, &Matcher::host(), &mut fetch);
        match chosen {
            Ok(chosen) => Ok((chosen.digest, chosen.manifest)),
            Err(ImageError::Manifest { error, .. }) => {
                Err(ImageError::Damaged { path: self.blob(name)?, reason: error.to_string() })
            }
            Err(error) => Err(error),
        }
    }

    pub(crate) fn layers(
        &self,
        id: &str,
        manifest: &Manifest,
        config: &ImageConfiguration,
    ) -> Result<Vec<Layer>, ImageError> {
        let diff_ids = config.rootfs().diff_ids();
        if diff_ids.len() != manifest.layers.len() {
            return Err(ImageError::Damaged {
                path: self.blob(id)?,
                reason: format!(
                    "the config names {} layers, the manifest {}",
                    diff_ids.len(),
                    manifest.layers.len()
                ),
            });
        }
        let mut made_by = config
            .history()
            .iter()
            .flatten()
            .filter(|h| h.empty_layer() != Some(true))
            .map(|h| h.created_by().clone().unwrap_or_default());
        let chain = digest::chain_ids(diff_ids);
        let mut layers = Vec::with_capacity(chain.len());
        for ((descriptor, diff_id), chain_id) in manifest.layers.iter().zip(diff_ids).zip(chain) {
            let dir = self.layer_dir(&chain_id)?;
            layers.push(Layer {
                blob: descriptor.digest().to_string(),
                media_type: descriptor.media_type().to_string(),
                size: descriptor.size(),
                diff_id: diff_id.clone(),
                chain_id,
                unpacked: dir.is_dir(),
                dir,
                created_by: made_by.next().unwrap_or_default(),
            });
        }
        Ok(layers)
    }

    pub(crate) fn json_blob<T: serde::de::DeserializeOwned>(&self, blob: &str) -> Result<T, ImageError> {
        let text = self.bytes_of(blob)?;
        serde_json::from_slice(&text).map_err(|e| ImageError::Damaged {
            path: self.blob(blob).unwrap_or_default(),
            reason: e.to_string(),
        })
    }

    fn bytes_of(&self, blob: &str) -> Result<Vec<u8>, ImageError> {
        let path = self.blob(blob)?;
        disk::read(&path)?.ok_or_else(|| ImageError::Damaged {
            path,
            reason: "the file is missing, though the index or a manifest names it".into(),
        })
    }

    pub(crate) fn index(&self) -> Result<ImageIndex, ImageError> {
        let path = self.root.join("index.json");
        let Some(text) = disk::read(&path)? else { return Ok(ImageIndex::default()) };
        serde_json::from_slice(&text).map_err(|e| ImageError::Damaged { path, reason: e.to_string() })
    }
}

/// An annotation of a descriptor.
pub(crate) fn annotation<'a>(descriptor: &'a Descriptor, key: &str) -> Option<&'a str> {
    descriptor.annotations().as_ref()?.get(key).map(String::as_str)
}

#[cfg(test)]
mod collect_tests;
#[cfg(test)]
pub(crate) mod tests;
