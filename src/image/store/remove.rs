//! Taking names and images away.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

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

    /// Removes those of these blobs and layers that no image, no lease and no
    /// container (`in_use`, chain IDs) needs, by calling `remove` for each path.
    ///
    /// # Errors
    /// When the store cannot be read, and those of `remove`.
    pub fn discard(
        &self,
        blobs: &[&str],
        chains: &[&str],
        in_use: &BTreeSet<String>,
        remove: &mut dyn FnMut(&Path) -> Result<(), ImageError>,
    ) -> Result<(), ImageError> {
        let _lock = self.lock()?;
        let mut kept_blobs = self.leased();
        let mut kept_chains: BTreeSet<String> = in_use.union(&kept_blobs).cloned().collect();
        for descriptor in self.index()?.manifests() {
            self.keep(descriptor, &mut kept_blobs, &mut kept_chains)?;
        }
        let mut gone: Vec<PathBuf> = Vec::new();
        for chain in chains.iter().filter(|c| !kept_chains.contains(**c)) {
            let (place, link) = (self.layer_place(chain)?, self.root().join(Store::short_name(chain)));
            gone.extend([place, link].into_iter().filter(|p| p.symlink_metadata().is_ok()));
        }
        for blob in blobs.iter().filter(|b| !kept_blobs.contains(**b)) {
            gone.extend([self.blob(blob)?].into_iter().filter(|p| p.exists()));
        }
        gone.iter().try_for_each(|path| remove(path))
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
