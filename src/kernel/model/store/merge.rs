//! What an action did to the store of its machine, done to the disk as it is by
//! then: other commands may have changed it since the machine booted.

use std::collections::BTreeSet;
use std::path::PathBuf;

use oci_spec::image::{Descriptor, ImageIndex};

use crate::image::ImageError;
use crate::image::index::{Content, REF_NAME, annotation};
use crate::kernel::model::STORE;
use crate::kernel::model::world::World;

/// What a store had before an action.
#[derive(Clone, Debug)]
pub struct Before {
    index: ImageIndex,
    paths: BTreeSet<String>,
}

impl World {
    /// What the store has now.
    ///
    /// # Errors
    /// When the index is damaged.
    pub fn before(&self) -> Result<Before, ImageError> {
        Ok(Before { index: self.index()?, paths: self.store_paths() })
    }

    /// Blobs, and directories of layers.
    fn store_paths(&self) -> BTreeSet<String> {
        ["blobs/sha256", "layers"]
            .iter()
            .flat_map(|dir| {
                let dir = format!("{STORE}/{dir}");
                self.disk_names(&dir).into_iter().map(move |name| format!("{dir}/{name}"))
            })
            .collect()
    }

    /// Takes over what an action on another machine did to its store: names that it
    /// gave and took, what the images then need, and what went and nobody needs.
    /// `in_use` are the chain IDs of the layers that containers are made from.
    ///
    /// # Errors
    /// When an index is damaged, or the disk is full.
    pub fn take_store(
        &mut self,
        machine: &World,
        before: &Before,
        in_use: &BTreeSet<String>,
    ) -> Result<(), ImageError> {
        let index = merged(self.index()?, &before.index, &machine.index()?);
        let marks = machine.marked(&index, in_use);
        let needed: BTreeSet<String> = marks
            .blobs
            .iter()
            .filter_map(|blob| self.blob(blob).ok())
            .chain(marks.chains.iter().filter_map(|chain| self.layer_place(chain).ok()))
            .map(|path: PathBuf| path.to_string_lossy().into_owned())
            .collect();
        let (own, theirs) = (self.store_paths(), machine.store_paths());
        for path in needed.iter().filter(|p| theirs.contains(*p) && !own.contains(*p)) {
            self.disk_take(machine, path).map_err(|e| ImageError::io("keep", path, e))?;
        }
        self.put_index(&index)?;
        // Looked at on this disk: here may be images that the other machine never saw.
        let marks = self.marked(&index, in_use);
        if marks.all_blobs || marks.all_layers {
            return Ok(());
        }
        for path in before.paths.iter().filter(|p| !theirs.contains(*p) && own.contains(*p)) {
            let digest = format!("sha256:{}", path.rsplit('/').next().unwrap_or_default());
            if !marks.blobs.contains(&digest) && !marks.chains.contains(&digest) {
                self.disk_remove(path).map_err(|e| ImageError::io("remove", path, e))?;
            }
        }
        Ok(())
    }
}

/// The index as it is now, with the difference between two others.
fn merged(mut now: ImageIndex, before: &ImageIndex, after: &ImageIndex) -> ImageIndex {
    let key = |d: &Descriptor| (annotation(d, REF_NAME).map(str::to_owned), d.digest().to_string());
    let keys = |index: &ImageIndex| index.manifests().iter().map(key).collect::<BTreeSet<_>>();
    let (old, new) = (keys(before), keys(after));
    let mut list = now.manifests().clone();
    list.retain(|d| !old.contains(&key(d)) || new.contains(&key(d)));
    for added in after.manifests().iter().filter(|d| !old.contains(&key(d))) {
        // The last one to give a name has it.
        let name = annotation(added, REF_NAME);
        list.retain(|d| name.is_none() || annotation(d, REF_NAME) != name);
        if !list.iter().any(|d| key(d) == key(added)) {
            list.push(added.clone());
        }
    }
    // An image with a name is not listed without one.
    let named: BTreeSet<String> =
        list.iter().filter(|d| annotation(d, REF_NAME).is_some()).map(|d| d.digest().to_string()).collect();
    list.retain(|d| annotation(d, REF_NAME).is_some() || !named.contains(d.digest().as_ref() as &str));
    now.set_manifests(list);
    now
}
