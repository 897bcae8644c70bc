//! Layers: a tar becomes a tree that overlayfs can stack. Nothing in the tar is
//! trusted: names are resolved by the kernel beneath the tree's own directory,
//! the content is verified against its digest, and a tree appears under its
//! final name only when it is complete.

mod apply;
mod decompress;
mod frames;
mod members;
pub mod name;
mod pax;
mod place;
mod remove;
pub mod size;
mod sparse;
mod stream;
mod tree;
mod unpack;
mod verify;
mod window;

pub use decompress::{Compression, open as decompress};
pub use place::{sweep_unfinished, unpacking};
pub use remove::remove_tree;
pub use unpack::{Converted, Declared, Hidden, Unpacked, unpack, unpack_from, unpack_tar};
pub use verify::{ReadThrough, read_through, verify, verify_from};

/// How far a layer may grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The blob's size as the manifest declares it; another size is refused.
    pub blob_size: Option<u64>,
    /// Bytes out for each byte of the blob.
    pub ratio: u64,
    /// Always allowed, however small the blob is.
    pub floor: u64,
    /// Number of entries.
    pub entries: u64,
    /// Bytes of holes in sparse files, which are not stored.
    pub holes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { blob_size: None, ratio: 250, floor: 256 << 20, entries: 10_000_000, holes: 2 << 40 }
    }
}

impl Limits {
    /// The defaults for a blob of this declared size.
    pub fn for_blob(size: u64) -> Self {
        Limits { blob_size: Some(size), ..Limits::default() }
    }

    /// Bytes that a blob of this size may expand to.
    pub fn expanded(&self, blob: u64) -> u64 {
        blob.saturating_mul(self.ratio).max(self.floor)
    }
}

#[cfg(test)]
mod corpus_tests;
#[cfg(test)]
mod fidelity_tests;
#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod property_tests;
#[cfg(test)]
pub(crate) mod test_tar;
#[cfg(test)]
mod unpack_tests;
