//! Intake: layers from a source (an archive, a registry) into the store, in one
//! pass. Each layer is fetched, hashed, stored as a blob, decompressed, hashed
//! as a tar and unpacked, with the stages overlapping; several layers at once.
//! Between the stages are a few buffers of fixed size, so that memory does not
//! grow with the image.
//!
//! A blob and a tree appear in the store by rename, when their digests are
//! verified. What was begun is in a [`Staging`] directory that goes away with an
//! error, and that the next process sweeps after a kill. The staging directory
//! holds a lease on every blob and layer of the image, there already or not: the
//! collector of garbage leaves them alone until the image has its entry in the
//! index.

mod fetch;
mod layer;
mod pipe;
mod pool;

use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

use oci_spec::image::Descriptor;

pub use pool::Intake;

use crate::image::ImageError;
use crate::image::layers::{Limits, Unpacked};

/// Where blobs come from: an archive on disk, or a registry.
pub trait BlobSource: Send + Sync {
    /// The blob's bytes from `offset` on. Called again with a higher offset after
    /// a broken stream. May be called from several threads at once.
    ///
    /// # Errors
    /// When it cannot be read; this ends the intake. Waiting and trying again
    /// before the first byte is the source's own business.
    fn open(&self, blob: &Descriptor, offset: u64) -> Result<Box<dyn Read + Send>, ImageError>;

    /// A file that holds exactly this blob, whose digest was verified when it was
    /// written. The intake moves it into the store in place of copying it.
    fn staged(&self, _: &Descriptor) -> Option<PathBuf> {
        None
    }

    /// The tree of a staged blob, where it was unpacked already.
    fn unpacked(&self, _: &Descriptor) -> Option<Early> {
        None
    }

    /// The address that a blob came from, where that is not the source's own.
    fn came_from(&self, _: &str) -> Option<String> {
        None
    }

    /// Whether a stream that broke is opened again where it stopped.
    fn resumable(&self) -> bool {
        false
    }
}

/// A tree that was unpacked before its layer was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Early {
    /// Where it is.
    pub tree: PathBuf,
    /// Digest of the uncompressed tar that it was made of.
    pub diff_id: String,
    /// What unpacking did.
    pub unpacked: Unpacked,
}

/// A layer to take in.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// Digest, size and media type of the blob, from the manifest.
    pub blob: Descriptor,
    /// Digest of the uncompressed tar, from the config.
    pub diff_id: String,
    /// Digest over this layer and all below it, [`crate::image::digest::chain_ids`].
    pub chain_id: String,
}

/// How to take in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Unpack at once. Otherwise layers are decompressed to verify their diff IDs,
    /// and unpacked by the first container that needs them.
    pub unpack: bool,
    /// Layers at once. 0: each layer is taken in by [`Intake::wait`] itself, for
    /// a step that is watched.
    pub lanes: usize,
    /// How many whiteouts of a layer to name in [`Unpacked::converted`]; 0 for none.
    pub name_whiteouts: usize,
    /// How far a layer may grow; its blob's size is that of its descriptor.
    pub limits: Limits,
}

impl Default for Options {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Options { unpack: true, lanes: (cores + 1).clamp(2, 4), name_whiteouts: 0, limits: Limits::default() }
    }
}

/// What became of one layer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The store had the blob.
    pub blob_there: bool,
    /// The store had the unpacked tree.
    pub tree_there: bool,
    /// Bytes that came from the source.
    pub fetched: u64,
    /// Times that a broken stream was opened again.
    pub resumed: u32,
    /// Until the last byte was fetched.
    pub fetch_micros: u64,
    /// Until everything was verified and unpacked, beside the fetching.
    pub micros: u64,
    /// What unpacking did, if it was unpacked now.
    pub unpacked: Option<Unpacked>,
}

/// Hears of the layers as they come. Called from several threads, often: be quick.
pub trait Progress: Send + Sync {
    /// Layer `index` (0 is the lowest) is now so.
    fn layer(&self, index: usize, state: State);
}

/// How far a layer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Blob and tree are in the store.
    AlreadyThere,
    /// So many bytes of the blob have come. At its size it still is to be
    /// verified, and the rest of it to be unpacked.
    Fetching {
        /// From the blob's start.
        bytes: u64,
    },
    /// Verified, stored, unpacked.
    Done,
}

/// Nobody wants to hear of it.
pub struct Quiet;

impl Progress for Quiet {
    fn layer(&self, _: usize, _: State) {}
}

impl Quiet {
    /// As [`Intake::start`] takes it.
    pub fn shared() -> Arc<dyn Progress> {
        Arc::new(Quiet)
    }
}

#[cfg(test)]
mod tests;
