//! Taking names and images away.

use std::collections::BTreeSet;

use oci_spec::image::{Descriptor, ImageConfiguration, ImageIndex, ImageManifest};

use super::{REF_NAME, Store, annotation};
use crate::image::layers::remove_tree;
use crate::image::{Image, ImageError, Reference, digest};

/// What a removal did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Names taken away, as people write them.
    pub untagged: Vec<String>,
    /// Digests deleted: the image id, then chain IDs of layers, top first.
    pub deleted: Vec<String>,
}

impl Store {
    /// Takes a name away, and the image with its last name. By id, all names of
    /// the image go. Layers that another image or `in_use` (chain IDs) needs stay.
    ///
    /// # Errors
    /// As [`Store::resolve`], or when the store cannot be written.
    pub fn remove(&self, text: &str, in_use: &BTreeSet<String>) -> Result<Removed, ImageError> {
        let _lock = self.lock()?;
        let mut index = self.index()?;
        let found = self.find(&index, text)?.clone();
        let image = self.image("", found.digest().as_ref())?;
        let named = |name: &str| {
            Reference::parse(text).is_ok_and(|r| r.digest().is_some() || r.or_latest().to_string() == name)
        };
        let by_name = annotation(&found, REF_NAME).filter(|name| named(name)).map(str::to_owned);
        let mut removed = Removed::default();
        let mut kept = index.manifests().clone();
        kept.retain(|d| {
            let goes = d.digest() == found.digest()
                && by_name.as_deref().is_none_or(|name| annotation(d, REF_NAME) == Some(name));
            if goes && let Some(name) = annotation(d, REF_NAME) {
                removed.untagged.push(Reference::parse(name).map_or(name.to_owned(), |r| r.familiar()));
            }
            !goes
        });
        index.set_manifests(kept);
        // The index first: a reader then finds a whole image or none.
        self.write_index(&index)?;
        if !index.manifests().iter().any(|d| d.digest() == found.digest()) {
            self.delete_unused(&index, &image, in_use, &mut removed)?;
        }
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
        let mut list = index.manifests().clone();
        let others = list.iter().filter(|d| d.digest() == found.digest()).count() > 1;
        let Some(at) = list.iter().position(|d| *d == found) else { return Ok(Removed::default()) };
        let mut nameless = list.remove(at);
        if !others {
            let mut notes = nameless.annotations().clone().unwrap_or_default();
            notes.remove(REF_NAME);
            nameless.set_annotations(Some(notes));
            list.push(nameless);
        }
        index.set_manifests(list);
        self.write_index(&index)?;
        let shown = |name: &str| Reference::parse(name).map_or(name.to_owned(), |r| r.familiar());
        let untagged = annotation(&found, REF_NAME).map(shown).into_iter().collect();
        Ok(Removed { untagged, deleted: Vec::new() })
    }

    fn delete_unused(
        &self,
        index: &ImageIndex,
        image: &Image,
        in_use: &BTreeSet<String>,
        removed: &mut Removed,
    ) -> Result<(), ImageError> {
        // What another process is about to use counts as used.
        let mut blobs = self.leased();
        let mut chains: BTreeSet<String> = in_use.union(&blobs).cloned().collect();
        for descriptor in index.manifests() {
            self.keep(descriptor, &mut blobs, &mut chains)?;
        }
        removed.deleted.push(image.id.clone());
        for layer in image.layers.iter().rev() {
            if !chains.contains(&layer.chain_id) {
                remove_tree(&self.layer_place(&layer.chain_id)?)?;
                remove_tree(&self.root().join(Store::short_name(&layer.chain_id)))?;
                removed.deleted.push(layer.chain_id.clone());
            }
            if !blobs.contains(&layer.blob) {
                remove_tree(&self.blob(&layer.blob)?)?;
            }
        }
        for blob in [&image.id, &image.manifest] {
            if !blobs.contains(blob) {
                remove_tree(&self.blob(blob)?)?;
            }
        }
        Ok(())
    }

    fn keep(
        &self,
        descriptor: &Descriptor,
        blobs: &mut BTreeSet<String>,
        chains: &mut BTreeSet<String>,
    ) -> Result<(), ImageError> {
        let manifest: ImageManifest = self.json_blob(descriptor.digest().as_ref())?;
        let config: ImageConfiguration = self.json_blob(manifest.config().digest().as_ref())?;
        blobs.insert(descriptor.digest().to_string());
        blobs.insert(manifest.config().digest().to_string());
        blobs.extend(manifest.layers().iter().map(|l| l.digest().to_string()));
        chains.extend(digest::chain_ids(config.rootfs().diff_ids()));
        Ok(())
    }
}
