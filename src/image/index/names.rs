//! Names in the index: given and taken away. No I/O.

use std::collections::HashMap;

use oci_spec::image::{Descriptor, Digest, ImageIndex, MediaType};

use super::{Collected, REF_NAME, annotation};
use crate::image::{Image, ImageError, Reference};

/// An image whose content is staged and verified.
#[derive(Clone, Debug)]
pub struct NewImage {
    /// The manifest, byte for byte.
    pub manifest: Vec<u8>,
    /// Its media type, OCI's or Docker's.
    pub media_type: String,
    /// Digest of the config.
    pub id: String,
    /// Its names; none for an image that is known by its id only.
    pub references: Vec<Reference>,
}

/// What a removal did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Names taken away, as people write them.
    pub untagged: Vec<String>,
    /// Digests deleted: the image id, then chain IDs of layers, top first.
    pub deleted: Vec<String>,
    /// Bytes that were freed.
    pub bytes: u64,
}

/// Lets the names mean this manifest. An image that loses its last name so
/// stays, without a name.
pub(crate) fn name_image(
    index: &mut ImageIndex,
    manifest: &str,
    image: &NewImage,
    notes: &HashMap<String, String>,
    names: &[String],
) -> Result<(), ImageError> {
    let digest: Digest = manifest.parse().map_err(|e: oci_spec::OciSpecError| ImageError::Damaged {
        path: "index.json".into(),
        reason: e.to_string(),
    })?;
    let descriptor = |name: Option<&String>| {
        let mut descriptor = Descriptor::new(
            MediaType::from(image.media_type.as_str()),
            image.manifest.len() as u64,
            digest.clone(),
        );
        let mut notes = notes.clone();
        notes.extend(name.map(|n| (REF_NAME.to_owned(), n.clone())));
        descriptor.set_annotations(Some(notes));
        descriptor
    };
    let mut list = index.manifests().clone();
    for name in names {
        let Some(at) = list.iter().position(|d| annotation(d, REF_NAME) == Some(name)) else { continue };
        let old = list.remove(at);
        let others = list.iter().any(|d| d.digest() == old.digest());
        if !others && old.digest() != &digest {
            let mut nameless = old;
            let mut notes = nameless.annotations().clone().unwrap_or_default();
            notes.remove(REF_NAME);
            nameless.set_annotations(Some(notes));
            list.push(nameless);
        }
    }
    if names.is_empty() {
        if !list.iter().any(|d| d.digest() == &digest) {
            list.push(descriptor(None));
        }
        index.set_manifests(list);
        return Ok(());
    }
    list.retain(|d| d.digest() != &digest || annotation(d, REF_NAME).is_some());
    list.extend(names.iter().map(|n| descriptor(Some(n))));
    index.set_manifests(list);
    Ok(())
}

/// Takes the name that the user gave out of the index; all names of the image,
/// if it was no name.
pub(crate) fn take_names(index: &mut ImageIndex, found: &Descriptor, text: &str, removed: &mut Removed) {
    let named = |name: &str| {
        Reference::parse(text).is_ok_and(|r| r.digest().is_some() || r.or_latest().to_string() == name)
    };
    let by_name = annotation(found, REF_NAME).filter(|name| named(name));
    let mut kept = index.manifests().clone();
    kept.retain(|d| {
        let goes =
            d.digest() == found.digest() && by_name.is_none_or(|name| annotation(d, REF_NAME) == Some(name));
        if goes && let Some(name) = annotation(d, REF_NAME) {
            removed.untagged.push(Reference::parse(name).map_or(name.to_owned(), |r| r.familiar()));
        }
        !goes
    });
    index.set_manifests(kept);
}

/// Takes the name away that the user gave, and leaves the image, without a name if it
/// was the last.
pub(crate) fn untag(index: &mut ImageIndex, found: Descriptor, name: &str) -> Removed {
    let mut removed = Removed::default();
    take_names(index, &found, name, &mut removed);
    let mut list = index.manifests().clone();
    if !list.iter().any(|d| d.digest() == found.digest()) {
        let mut nameless = found;
        let mut notes = nameless.annotations().clone().unwrap_or_default();
        notes.remove(REF_NAME);
        nameless.set_annotations(Some(notes));
        list.push(nameless);
    }
    index.set_manifests(list);
    removed
}

impl Removed {
    /// What one more step removed.
    pub fn add(&mut self, more: Removed) {
        self.untagged.extend(more.untagged);
        self.deleted.extend(more.deleted);
        self.bytes += more.bytes;
    }
}

/// What went with an image: its id, and its layers from the top.
pub(crate) fn report_removed(
    removed: &mut Removed,
    image: Option<&Image>,
    manifest: &str,
    collected: &Collected,
) {
    removed.bytes = collected.bytes;
    let id = image.map_or(manifest, |i| &i.id);
    // The same image may have another manifest, which has a name.
    removed.deleted.extend(Some(id.to_owned()).filter(|id| collected.blobs.contains(id)));
    let layers = image.iter().flat_map(|i| i.layers.iter().rev());
    // A layer that no container ever used has a blob, and no tree.
    let gone = layers.filter(|l| collected.layers.contains(&l.chain_id) || collected.blobs.contains(&l.blob));
    removed.deleted.extend(gone.map(|l| l.chain_id.clone()));
}
