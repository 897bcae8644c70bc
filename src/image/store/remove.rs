//! Taking names and images away.

use super::Store;
use super::collect::InUse;
use crate::image::ImageError;
use crate::image::index::{Content, Removed, report_removed, take_names, untag};

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
