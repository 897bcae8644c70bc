//! Adding images: staged content moves into place, then the index names it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use oci_spec::image::ImageIndex;
use rustix::io::Errno;

use super::Store;
use crate::image::index::{CREATED, Content, IMAGE_ID, NewImage, SIZE, SOURCE, missing, name_image};
use crate::image::layers::size;
use crate::image::manifest::{Document, ManifestError, parse};
use crate::image::{ImageError, Reference, calls, digest};

/// What was moved into place, by its digest, to be taken back if a later move
/// fails.
#[derive(Default)]
struct Moved(Vec<(String, PathBuf)>);

impl Store {
    /// Moves staged blobs and layers into place and names the images, all or
    /// nothing. `blobs` are (digest, staged file), `layers` (chain ID, staged
    /// directory that holds `diff`). Content that is there already stays.
    ///
    /// # Errors
    /// When the store cannot be written; what was moved is taken back.
    pub fn add(
        &self,
        blobs: &[(String, PathBuf)],
        layers: &[(String, PathBuf)],
        images: &[NewImage],
    ) -> Result<(), ImageError> {
        self.add_from(blobs, layers, images, None)
    }

    /// The same for images that a registry has: `source` is the digest that their
    /// name leads to there, perhaps that of an index. By it they are found too.
    ///
    /// # Errors
    /// As [`Store::add`].
    pub fn add_from(
        &self,
        blobs: &[(String, PathBuf)],
        layers: &[(String, PathBuf)],
        images: &[NewImage],
        source: Option<&str>,
    ) -> Result<(), ImageError> {
        let _lock = self.lock()?;
        let mut moved = Moved::default();
        let done = self.add_locked(blobs, layers, images, source, &mut moved);
        if done.is_err() {
            // Another process may have seen it there by now.
            let leased = self.leased();
            for (_, path) in moved.0.iter().rev().filter(|(name, _)| !leased.contains(name)) {
                let _ = crate::image::layers::remove_tree(path);
            }
        }
        done
    }

    fn add_locked(
        &self,
        blobs: &[(String, PathBuf)],
        layers: &[(String, PathBuf)],
        images: &[NewImage],
        source: Option<&str>,
        moved: &mut Moved,
    ) -> Result<(), ImageError> {
        self.note_unsynced(blobs.iter().chain(layers).map(|(name, _)| name.as_str()))?;
        for (blob, from) in blobs {
            self.move_in(blob, from, &self.blob(blob)?, moved)?;
        }
        for (chain_id, from) in layers {
            self.move_in(chain_id, from, &self.layer_place(chain_id)?, moved)?;
            if self.link_short(chain_id)? {
                moved.0.push((chain_id.clone(), self.root().join(Store::short_name(chain_id))));
            }
        }
        let mut index = self.index()?;
        for image in images {
            let manifest = digest::of_bytes(&image.manifest);
            let path = self.blob(&manifest)?;
            if !path.exists() {
                self.write(
                    &format!("blobs/sha256/{}", digest::hex(&manifest).unwrap_or_default()),
                    &image.manifest,
                )?;
                moved.0.push((manifest.clone(), path));
            }
            let mut notes = self.notes(&manifest, image)?;
            notes.extend(source.map(|s| (SOURCE.to_owned(), s.to_owned())));
            let names: Vec<String> = image.references.iter().map(Reference::to_string).collect();
            name_image(&mut index, &manifest, image, &notes, &names)?;
        }
        self.write_index(&index)
    }

    pub(super) fn write_index(&self, index: &ImageIndex) -> Result<(), ImageError> {
        let text = serde_json::to_vec(index).map_err(|e| ImageError::Damaged {
            path: self.root().join("index.json"),
            reason: e.to_string(),
        })?;
        self.write("index.json", &text)
    }

    /// What the index notes of an image, so that a list of all images opens none
    /// of them. A manifest whose content is not all here gets no name.
    fn notes(&self, manifest: &str, image: &NewImage) -> Result<HashMap<String, String>, ImageError> {
        let bad = |error| ImageError::Manifest { what: manifest.to_owned(), error };
        let parsed = match parse(&image.manifest, Some(&image.media_type)).map_err(bad)? {
            Document::Manifest(parsed) => parsed,
            Document::Index(_) => return Err(bad(ManifestError::Ambiguous)),
        };
        for descriptor in parsed.layers.iter().chain([&parsed.config]) {
            let path = self.blob(descriptor.digest().as_ref())?;
            if !path.exists() {
                return Err(missing(path, "a manifest"));
            }
        }
        let config = self.config(&image.id)?;
        let mut size = 0u64;
        for layer in &self.layers(&image.id, &parsed, &config)? {
            size = size.saturating_add(size::of_layer(self, layer)?);
        }
        let mut notes =
            HashMap::from([(IMAGE_ID.to_owned(), image.id.clone()), (SIZE.to_owned(), size.to_string())]);
        notes.extend(config.created().clone().map(|created| (CREATED.to_owned(), created)));
        Ok(notes)
    }

    fn move_in(&self, name: &str, from: &Path, to: &Path, moved: &mut Moved) -> Result<(), ImageError> {
        match calls::rename_new(from, to) {
            Ok(()) => {
                moved.0.push((name.to_owned(), to.to_owned()));
                Ok(())
            }
            Err(Errno::EXIST) => Ok(()),
            Err(e) => Err(self.writing("rename to", to, e.into())),
        }
    }

    /// Gives an image another name, `docker tag`.
    ///
    /// # Errors
    /// When there is no such image, or the store cannot be written.
    pub fn tag(&self, image: &str, name: &Reference) -> Result<(), ImageError> {
        let name = name.clone().or_latest();
        let _lock = self.lock()?;
        let mut index = self.index()?;
        let found = self.find(&index, image)?.clone();
        let manifest = found.digest().to_string();
        let bytes = super::disk::read(&self.blob(&manifest)?)?.unwrap_or_default();
        let new = NewImage {
            manifest: bytes,
            media_type: found.media_type().to_string(),
            id: self.id_of(&found)?,
            references: vec![name.clone()],
        };
        let notes = self.notes(&manifest, &new)?;
        name_image(&mut index, &manifest, &new, &notes, &[name.to_string()])?;
        self.write_index(&index)
    }
}
