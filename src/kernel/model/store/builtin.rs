//! The built-in image in the modelled store, as real blobs with an entry in the
//! index: what is made from it, or saved, then stands on something.

use oci_spec::image::ImageIndex;

use crate::image::builtin::{self, BUILTIN_LABEL, REFERENCE};
use crate::image::index::{Content, NewImage, name_image};
use crate::image::manifest::OCI_MANIFEST;
use crate::image::{ImageError, Reference};
use crate::kernel::model::world::World;
use crate::userland::PROGRAMS;

impl World {
    /// Makes sure that `box` is in the store. A user's own image of that name is left
    /// alone.
    ///
    /// # Errors
    /// When the disk is full, or its index is damaged.
    pub fn offer_builtin(&mut self) -> Result<(), ImageError> {
        let (image, config, manifest) = builtin::model_files(PROGRAMS);
        match Content::resolve(self, REFERENCE) {
            Ok(there) if there.manifest == image.manifest => return Ok(()),
            Ok(there) => {
                let labels = there.config.config().as_ref().and_then(|c| c.labels().as_ref());
                if !labels.is_some_and(|l| l.contains_key(BUILTIN_LABEL)) {
                    return Ok(());
                }
            }
            Err(ImageError::Unknown { .. }) => {}
            Err(e) => return Err(e),
        }
        for (layer, definition) in image.layers.iter().zip(builtin::layers(PROGRAMS)) {
            self.put_blob(&layer.blob, builtin::model_tar(&definition.entries))?;
        }
        self.put_blob(&image.id, config)?;
        self.put_blob(&image.manifest, manifest.clone())?;
        let reference = Reference::parse(REFERENCE)
            .map_err(|error| ImageError::Reference { input: REFERENCE.into(), error })?;
        let names = [reference.to_string()];
        let new = NewImage {
            manifest,
            media_type: OCI_MANIFEST.into(),
            id: image.id.clone(),
            references: vec![reference],
        };
        let mut index: ImageIndex = self.index()?;
        name_image(&mut index, &image.manifest, &new, &self.notes(&image.manifest)?, &names)?;
        self.put_index(&index)
    }

    fn put_blob(&mut self, digest: &str, bytes: Vec<u8>) -> Result<(), ImageError> {
        let path = Content::blob(self, digest)?;
        self.put(&path, bytes)
    }
}
