//! The store on the modelled disk: the same layout as on a real one, index,
//! blobs and trees of layers, as files of the modelled disk.

mod builtin;
mod merge;
mod tree;
mod unpack;

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use oci_spec::image::ImageIndex;

use super::STORE;
use super::world::{HostEntry, World};
use crate::image::index::{CREATED, Content, IMAGE_ID, Marks, SIZE};
use crate::image::manifest::{Matcher, Platform};
use crate::image::union::{Stack, Tree};
use crate::image::{Image, ImageError, Layer};
use crate::kernel::Errno;
use crate::userland::FileType;
pub use merge::Before;
pub(crate) use unpack::Unpacked;

impl Content for World {
    fn root(&self) -> &Path {
        Path::new(STORE)
    }

    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, ImageError> {
        Ok(self.file(path)?.map(<[u8]>::to_vec))
    }

    fn open(&self, path: &Path) -> Result<Option<Box<dyn Read + '_>>, ImageError> {
        Ok(self.file(path)?.map(|bytes| Box::new(bytes) as Box<dyn Read + '_>))
    }

    fn has_tree(&self, dir: &Path) -> bool {
        self.disk_entry(&text(dir)).is_some_and(|e| e.kind == FileType::Dir)
    }

    // The modelled machine is the same wherever it is compiled for.
    fn machine(&self) -> Matcher {
        Matcher::new(&Platform::new("linux", "amd64", ""))
    }

    fn known_size(&self, layer: &Layer) -> u64 {
        self.layer_size(layer).unwrap_or(layer.size)
    }
}

impl World {
    fn file(&self, path: &Path) -> Result<Option<&[u8]>, ImageError> {
        match self.disk_entry(&text(path)) {
            None => Ok(None),
            Some(entry) if entry.kind == FileType::File => Ok(Some(entry.content)),
            Some(_) => Err(ImageError::io("read", path, Errno::EISDIR)),
        }
    }

    /// Bytes of the files in a layer, a file with several names once: from its tree, or
    /// from its blob while it has none.
    ///
    /// # Errors
    /// When neither can be read.
    pub fn layer_size(&self, layer: &Layer) -> Result<u64, ImageError> {
        if self.has_tree(&layer.dir) {
            return self.tree_size(&layer.dir);
        }
        let bytes = self.bytes_of(&layer.blob)?;
        let bad = |reason: String| ImageError::Layer { blob: layer.blob.clone().into(), reason };
        unpack::file_bytes(&bytes).map_err(bad)
    }

    /// Bytes of the files below a directory of the disk, a file with several names once.
    ///
    /// # Errors
    /// When it is not there.
    pub fn tree_size(&self, dir: &Path) -> Result<u64, ImageError> {
        let dirs = [dir.to_owned()];
        let stack = self.stack(&dirs)?;
        Ok(crate::image::explain::entries(&stack, 0)?.1.size)
    }

    /// Directories of the disk as layers, the topmost first.
    ///
    /// # Errors
    /// When one is not there.
    pub fn stack(&self, dirs: &[PathBuf]) -> Result<Stack<'_>, ImageError> {
        let open = |dir: &PathBuf| Ok(Box::new(tree::DiskTree::open(self, dir)?) as Box<dyn Tree + '_>);
        Ok(Stack::of(dirs.iter().map(open).collect::<Result<_, ImageError>>()?))
    }

    /// Unpacks those layers of an image that have no tree yet.
    ///
    /// # Errors
    /// When a blob cannot be read.
    pub fn unpack_image(&mut self, image: &Image) -> Result<(), ImageError> {
        for layer in &image.layers {
            if !self.has_tree(&layer.dir) {
                let bytes = self.bytes_of(&layer.blob)?;
                self.unpack(&text(&layer.dir), &bytes)
                    .map_err(|reason| ImageError::Layer { blob: layer.blob.clone().into(), reason })?;
            }
        }
        Ok(())
    }

    /// What the index notes of an image beside its name.
    pub(super) fn notes(&self, manifest: &str) -> Result<HashMap<String, String>, ImageError> {
        let image = self.image("", manifest)?;
        let mut size = 0;
        for layer in &image.layers {
            size += self.layer_size(layer)?;
        }
        let mut notes = HashMap::from([(IMAGE_ID.to_owned(), image.id), (SIZE.to_owned(), size.to_string())]);
        notes.extend(image.config.created().clone().map(|created| (CREATED.to_owned(), created)));
        Ok(notes)
    }

    /// Puts a file of the store on the disk, without a call of anybody.
    fn put(&mut self, path: &Path, content: Vec<u8>) -> Result<(), ImageError> {
        let path = text(path).into_owned();
        let (dir, name) = path.rsplit_once('/').unwrap_or(("", &path));
        let file = HostEntry::File { path: name.to_owned(), mode: 0o644, content };
        self.populate(dir, &[file]).map_err(|e| ImageError::io("write", &path, e))
    }

    fn put_index(&mut self, index: &ImageIndex) -> Result<(), ImageError> {
        let path = self.root().join("index.json");
        let text = index_text(index, &path)?;
        self.put(&path, text)
    }

    /// What the images of an index need, and these layers.
    pub(super) fn marked(&self, index: &ImageIndex, in_use: &std::collections::BTreeSet<String>) -> Marks {
        self.marks(index, Marks { chains: in_use.clone(), ..Marks::default() })
    }
}

/// An index as a file has it.
pub(super) fn index_text(index: &ImageIndex, path: &Path) -> Result<Vec<u8>, ImageError> {
    serde_json::to_vec(index)
        .map_err(|e| ImageError::Damaged { path: path.to_owned(), reason: e.to_string() })
}

fn text(path: &Path) -> Cow<'_, str> {
    path.to_string_lossy()
}

#[cfg(test)]
mod tests;
