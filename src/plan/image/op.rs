//! What glassbox does to a store of images, as plain data. One variant of
//! [`crate::plan::Op`] holds them all, so that a room that treats images as one
//! thing has one arm for them.

use serde::{Deserialize, Serialize};

/// One operation on images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum ImageOp {
    /// Open an archive and look at what it holds.
    OpenArchive {
        /// The file; `-` is standard input.
        path: String,
    },
    /// Read which images an archive has: `manifest.json`, or `index.json` and
    /// the manifests that it leads to.
    ReadManifests {
        /// The archive.
        path: String,
    },
    /// Read the configs of those images: they say what each layer has to be.
    ReadConfigs {
        /// The archive.
        path: String,
    },
    /// Take one layer into the store: fetched, verified, stored, unpacked.
    TakeLayer {
        /// Position among the layers taken in, 1 is the lowest.
        index: u32,
        /// How many there are.
        count: u32,
        /// Where it comes from: a file, `-`, or a registry.
        from: String,
        /// Digest of the blob.
        blob: String,
        /// Media type of the blob.
        media_type: String,
        /// Bytes of the blob.
        size: u64,
        /// Digest of the uncompressed tar.
        diff_id: String,
        /// Digest over this layer and all below it.
        chain_id: String,
        /// Where the blob will be.
        file: String,
        /// Where the tree will be.
        dir: String,
        /// The store had the blob when the plan was made.
        stored: bool,
        /// The store had the tree when the plan was made.
        unpacked: bool,
    },
    /// Write manifest and config into the store, and let the names mean them.
    NameImages {
        /// Full references; none for images known by their ids only.
        names: Vec<String>,
        /// Digests of the configs: the images' ids.
        images: Vec<String>,
        /// Digests of the manifests, in the same order.
        manifests: Vec<String>,
        /// The store's `index.json`.
        index: String,
    },
}

impl ImageOp {
    /// The operation's name as message files use it, such as `image_take_layer`.
    pub fn name(&self) -> &'static str {
        match self {
            ImageOp::OpenArchive { .. } => "image_open_archive",
            ImageOp::ReadManifests { .. } => "image_read_manifests",
            ImageOp::ReadConfigs { .. } => "image_read_configs",
            ImageOp::TakeLayer { .. } => "image_take_layer",
            ImageOp::NameImages { .. } => "image_name_images",
        }
    }

    /// It leaves something behind that its undo takes away.
    pub fn leaves_something(&self) -> bool {
        match self {
            // The index is replaced whole: it has the names, or not. A manifest that
            // it does not have yet may be there.
            ImageOp::TakeLayer { .. } | ImageOp::NameImages { .. } => true,
            ImageOp::OpenArchive { .. } | ImageOp::ReadManifests { .. } | ImageOp::ReadConfigs { .. } => {
                false
            }
        }
    }

    /// The digests that it speaks of.
    pub fn digests(&self) -> Vec<&str> {
        match self {
            ImageOp::TakeLayer { blob, diff_id, chain_id, .. } => vec![blob, diff_id, chain_id],
            ImageOp::NameImages { images, manifests, .. } => {
                images.iter().chain(manifests).map(String::as_str).collect()
            }
            ImageOp::OpenArchive { .. } | ImageOp::ReadManifests { .. } | ImageOp::ReadConfigs { .. } => {
                vec![]
            }
        }
    }

    /// It never changes anything.
    pub fn only_reads(&self) -> bool {
        match self {
            ImageOp::OpenArchive { .. } | ImageOp::ReadManifests { .. } | ImageOp::ReadConfigs { .. } => true,
            ImageOp::TakeLayer { .. } | ImageOp::NameImages { .. } => false,
        }
    }
}
