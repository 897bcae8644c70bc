//! From what the user writes to an image. On the path of every run: reads the
//! index, one manifest and one config, nothing else.

use super::Store;
use crate::image::index::{Content, Listed};
use crate::image::{Image, ImageError, Reference};

impl Store {
    /// The image of this name, or whose id starts so.
    ///
    /// # Errors
    /// [`ImageError::Reference`], [`ImageError::Unknown`], [`ImageError::Ambiguous`],
    /// or what is wrong with the store's files.
    pub fn resolve(&self, text: &str) -> Result<Image, ImageError> {
        Content::resolve(self, text)
    }

    /// All images, sorted by name, the nameless last.
    ///
    /// # Errors
    /// What is wrong with the store's files.
    pub fn list(&self) -> Result<Vec<Listed>, ImageError> {
        Content::list(self)
    }

    /// The digest that a name led to in its registry when it was pulled; `None` for
    /// a name that is not here, or that came in another way.
    ///
    /// # Errors
    /// What is wrong with the store's files.
    pub fn source_of(&self, reference: &Reference) -> Result<Option<String>, ImageError> {
        Content::source_of(self, reference)
    }
}
