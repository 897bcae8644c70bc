//! Taking names and images away.

use oci_spec::image::{Descriptor, ImageIndex};

use super::collect::InUse;
use super::{REF_NAME, Store, annotation};
use crate::image::{ImageError, Reference};

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

impl Store {
    /// Takes a name away, and the image with its last name. By id, all names of
    /// the image go. Content that another image, a container or a living process
    /// needs stays. An image whose files are damaged is removed all the same.
    ///
    /// # Errors
    /// As [`Store::resolve`], or when the store cannot be written.
    pub fn remove(&self, text: &str, in_use: InUse<'_>) -> Result<Removed, ImageError> {
        let alone = self.alone()?;
        let mut index = self.index()?;
        let found = self.find(&index, text)?.clone();
        let mut removed = Removed::default();
        take_names(&mut index, &found, text, &mut removed);
        // What is reported, if it can be read.
        let image = self.image("", found.digest().as_ref()).ok();
        // The index first: a reader then finds a whole image or none.
        self.write_index(&index)?;
        if index.manifests().iter().any(|d| d.digest() == found.digest()) {
            return Ok(removed);
        }
        let collected = self.collect_alone(alone, &index, in_use)?;
        removed.bytes = collected.bytes;
        let id = image.as_ref().map_or_else(|| found.digest().to_string(), |i| i.id.clone());
        // The same image may have another manifest, which has a name.
        removed.deleted.extend(Some(id).filter(|id| collected.blobs.contains(id)));
        let layers = image.iter().flat_map(|i| i.layers.iter().rev());
        // A layer that no container ever used has a blob, and no tree.
        let gone =
            layers.filter(|l| collected.layers.contains(&l.chain_id) || collected.blobs.contains(&l.blob));
        removed.deleted.extend(gone.map(|l| l.chain_id.clone()));
        Ok(removed)
    }

    /// Takes a name away and leaves the image, without a name if it was the last:
    /// a running container needs it.
    ///
    /// # Errors
    /// As [`Store::remove`].
    pub fn untag(&self, name: &str) -> Result<Removed, ImageError> {
        let _lock = self.lock()?;
        let mut index = self.index()?;
        let found = self.find(&index, name)?.clone();
        let mut removed = Removed::default();
        take_names(&mut index, &found, name, &mut removed);
        let mut list = index.manifests().clone();
        if !list.iter().any(|d| d.digest() == found.digest()) {
            let mut nameless = found;
            let mut notes = nameless.annotations().clone().unwrap_or_default();
            notes.remove(REF_NAME);
            nameless.set_annotations(Some(notes));
            list.push(nameless);
        }
        index.set_manifests(list);
        self.write_index(&index)?;
        Ok(removed)
    }
}

/// Takes the name that the user gave out of the index; all names of the image,
/// if it was no name.
fn take_names(index: &mut ImageIndex, found: &Descriptor, text: &str, removed: &mut Removed) {
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
