//! Taking names and images away.

use super::Store;
use super::collect::{InUse, Runs};
use crate::image::index::{Content, Removed, report_removed, take_names, untag};
use crate::image::{ImageError, digest};

impl Store {
    /// Takes a name away, and the image with its last name. By id, all names of
    /// the image go. Content that another image, a container or a living process
    /// needs stays. An image whose files are damaged is removed all the same. Of an
    /// image that a container began to run from meanwhile only the name goes.
    ///
    /// # Errors
    /// As [`Store::resolve`]; [`ImageError::InUse`] by id where such a container runs; or
    /// when the store cannot be written.
    pub fn remove(&self, text: &str, in_use: InUse<'_>, runs: Runs<'_>) -> Result<Removed, ImageError> {
        let alone = self.alone()?;
        let mut index = self.index()?;
        let found = self.find(&index, text)?.clone();
        // What is reported, if it can be read.
        let image = self.image("", found.digest().as_ref()).ok();
        let mut removed = Removed::default();
        take_names(&mut index, &found, text, &mut removed);
        let last = index.manifests().iter().all(|d| d.digest() != found.digest());
        if let Some(image) = image.as_ref().filter(|_| last)
            && let Some(container) = runs(&image.id)?
        {
            if removed.untagged.len() == 1 && digest::hex(text).is_none() {
                drop(alone);
                return self.untag(text);
            }
            return Err(ImageError::InUse {
                what: format!("image {text}"),
                why: format!("it is being used by running container {container}"),
                hint: "end and remove the container first: glassbox rm -f".to_owned(),
            });
        }
        // The index first: a reader then finds a whole image or none.
        self.write_index(&index)?;
        if index.manifests().iter().any(|d| d.digest() == found.digest()) {
            return Ok(removed);
        }
        let collected = self.collect_alone(alone, &index, in_use)?;
        report_removed(&mut removed, image.as_ref(), found.digest().as_ref(), &collected);
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
        let removed = untag(&mut index, found, name);
        self.write_index(&index)?;
        Ok(removed)
    }
}
