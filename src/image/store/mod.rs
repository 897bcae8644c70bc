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

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::image::index::Content;
use crate::image::layers::{Compression, decompress, size};
use crate::image::manifest::Matcher;
use crate::image::{ImageError, Layer, digest};
pub use collect::{InUse, Pin};
pub use staging::Staging;

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
        Content::blob(self, blob)
    }

    /// Where the tree of a layer is, or will be.
    ///
    /// # Errors
    /// When the chain ID is no sha256 digest.
    pub fn layer_dir(&self, chain_id: &str) -> Result<PathBuf, ImageError> {
        Content::layer_dir(self, chain_id)
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

    pub(crate) fn json_blob<T: serde::de::DeserializeOwned>(&self, blob: &str) -> Result<T, ImageError> {
        let text = self.bytes_of(blob)?;
        serde_json::from_slice(&text).map_err(|e| ImageError::Damaged {
            path: self.blob(blob).unwrap_or_default(),
            reason: e.to_string(),
        })
    }
}

impl Content for Store {
    fn root(&self) -> &Path {
        &self.root
    }

    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, ImageError> {
        disk::read(path)
    }

    fn open(&self, path: &Path) -> Result<Option<Box<dyn Read + '_>>, ImageError> {
        match File::open(path) {
            Ok(file) => Ok(Some(Box::new(file))),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(ImageError::io("open", path, e)),
        }
    }

    fn layer_tar(&self, layer: &Layer) -> Result<Box<dyn Read + '_>, ImageError> {
        let compression = Compression::of_media_type(&layer.media_type)?;
        let path = self.blob(&layer.blob)?;
        let file = File::open(&path).map_err(|e| ImageError::io("open", &path, e))?;
        Ok(decompress(compression, file))
    }

    fn has_tree(&self, dir: &Path) -> bool {
        dir.is_dir()
    }

    fn machine(&self) -> Matcher {
        Matcher::host()
    }

    fn known_size(&self, layer: &Layer) -> u64 {
        size::noted(&layer.dir).unwrap_or(layer.size)
    }

    fn mend(&self) {
        if self.is_doubtful() {
            // Taking the lock mends it. Who may not write reads what there is.
            let _ = self.lock();
        }
    }
}

#[cfg(test)]
mod collect_tests;
#[cfg(test)]
pub(crate) mod tests;
