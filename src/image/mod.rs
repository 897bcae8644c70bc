//! Images: references, the content store (an OCI image layout), layers and
//! their safe unpacking, archives, and the built-in image `box`.

#[cfg(feature = "linux")]
pub mod archive;
pub mod builtin;
#[cfg(feature = "linux")]
pub mod calls;
#[cfg(feature = "linux")]
pub mod changes;
pub mod create;
pub mod demo;
pub mod digest;
mod error;
pub mod explain;
pub mod family;
#[cfg(feature = "linux")]
mod incoming;
pub mod index;
#[cfg(feature = "linux")]
pub mod intake;
#[cfg(feature = "linux")]
pub mod layers;
pub mod manifest;
#[cfg(feature = "linux")]
pub mod probe;
pub mod reference;
#[cfg(feature = "linux")]
pub mod registry;
pub mod removal;
pub mod save;
#[cfg(feature = "linux")]
pub mod store;
pub mod union;
pub mod write;

use std::path::PathBuf;

use oci_spec::image::ImageConfiguration;

pub use error::ImageError;
#[cfg(feature = "linux")]
pub use incoming::Incoming;
pub use reference::Reference;
#[cfg(feature = "linux")]
pub use store::Store;

/// An image as resolved in a store.
#[derive(Clone, Debug)]
pub struct Image {
    /// Full reference, `docker.io/library/box:latest`.
    pub reference: String,
    /// Digest of the config, `sha256:…`: Docker's image id.
    pub id: String,
    /// Digest of the manifest.
    pub manifest: String,
    /// The config: environment, command, history.
    pub config: ImageConfiguration,
    /// Lowest first.
    pub layers: Vec<Layer>,
}

/// One layer of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Digest of the blob as stored (compressed or not).
    pub blob: String,
    /// Media type of the blob.
    pub media_type: String,
    /// Bytes of the blob.
    pub size: u64,
    /// Digest of the uncompressed tar.
    pub diff_id: String,
    /// Digest over this layer and all below it, image-spec config.md "Layer ChainID".
    pub chain_id: String,
    /// Where the unpacked tree is, or will be.
    pub dir: PathBuf,
    /// What made it, from the history.
    pub created_by: String,
    /// The tree is there.
    pub unpacked: bool,
}
