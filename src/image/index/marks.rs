//! What may not be collected, by reachability from the index.

use std::collections::BTreeSet;

use oci_spec::image::{Descriptor, ImageConfiguration, ImageIndex};

use crate::image::digest;
use crate::image::manifest::{self, Document, MAX_DEPTH};

/// What may not go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// Digests of blobs.
    pub blobs: BTreeSet<String>,
    /// Chain IDs of layers.
    pub chains: BTreeSet<String>,
    /// Something could not be read, so that nobody knows which blobs it needs.
    pub all_blobs: bool,
    /// The same of layers.
    pub all_layers: bool,
}

/// What a collection took away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// Digests of blobs: layers, configs, manifests.
    pub blobs: BTreeSet<String>,
    /// Chain IDs of unpacked layers.
    pub layers: BTreeSet<String>,
    /// Bytes of the blobs, and of the files in the trees.
    pub bytes: u64,
}

/// A blob, if it is there.
type Read<'a> = dyn Fn(&str) -> Option<Vec<u8>> + 'a;

/// What the images of an index need, and what is marked already.
pub fn marks(read: &Read<'_>, index: &ImageIndex, mut marks: Marks) -> Marks {
    for descriptor in index.manifests() {
        mark(read, descriptor, 0, &mut marks);
    }
    marks
}

/// Marks what a descriptor of the index leads to.
fn mark(read: &Read<'_>, descriptor: &Descriptor, depth: usize, marks: &mut Marks) {
    let name = descriptor.digest().to_string();
    marks.blobs.insert(name.clone());
    let document =
        read(&name).and_then(|bytes| manifest::parse(&bytes, Some(descriptor.media_type().as_ref())).ok());
    match document {
        Some(Document::Manifest(manifest)) => {
            let config = manifest.config.digest().to_string();
            marks.blobs.extend(manifest.layers.iter().map(|l| l.digest().to_string()));
            let parsed: Option<ImageConfiguration> =
                read(&config).and_then(|bytes| serde_json::from_slice(&bytes).ok());
            marks.blobs.insert(config);
            match parsed {
                Some(parsed) => marks.chains.extend(digest::chain_ids(parsed.rootfs().diff_ids())),
                // An artifact that another tool put here has no layers of ours.
                None if manifest.check_image().is_err() => {}
                None => marks.all_layers = true,
            }
        }
        Some(Document::Index(index)) if depth < MAX_DEPTH => {
            for inner in &index.manifests {
                // The image of another platform need not be here.
                if read(inner.digest().as_ref()).is_some() {
                    mark(read, inner, depth + 1, marks);
                }
            }
        }
        _ => (marks.all_blobs, marks.all_layers) = (true, true),
    }
}
