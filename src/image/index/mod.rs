//! What `index.json` of an OCI layout says and what it leads to, wherever the
//! layout is: in a store of this host, or on the modelled disk.

mod find;
mod marks;
mod names;

use std::io::Read;
use std::path::{Path, PathBuf};

use oci_spec::image::{Descriptor, ImageConfiguration, ImageIndex};

use crate::image::manifest::{self, Manifest, Matcher};
use crate::image::{Image, ImageError, Layer, Reference, digest};
pub use marks::{Collected, Marks};
pub use names::{NewImage, Removed};
pub(crate) use names::{name_image, report_removed, take_names, untag};

/// Annotation of a descriptor in `index.json`: the full reference.
pub const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// Annotation of a descriptor in `index.json`: the digest of the config, so
/// that an image is found by its id without opening every manifest.
pub const IMAGE_ID: &str = "glassbox.image.id";
/// Annotation of a descriptor in `index.json`: when the image was made, as its
/// config says, RFC 3339.
pub const CREATED: &str = "org.opencontainers.image.created";
/// Annotation of a descriptor in `index.json`: bytes of the files of all layers.
pub const SIZE: &str = "glassbox.image.unpacked";
/// Annotation of a descriptor in `index.json`: the digest that the name leads
/// to in its registry, an index's where the image was chosen from one.
pub const SOURCE: &str = "glassbox.image.source";

/// One line of `images`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name; `None` for an image that lost it.
    pub reference: Option<Reference>,
    /// Digest of the config.
    pub id: String,
    /// Digest of the manifest.
    pub manifest: String,
    /// Digest that its name led to in its registry, if it was pulled: the
    /// manifest's, or that of the index it was chosen from.
    pub source: Option<String>,
    /// RFC 3339, from the config.
    pub created: Option<String>,
    /// Bytes of the files of all its layers, as Docker counts an image.
    pub size: u64,
}

/// A place with a layout, and with the trees of layers beside it.
pub trait Content {
    /// Its directory.
    fn root(&self) -> &Path;

    /// A file of it, whole; `None` when it is not there.
    ///
    /// # Errors
    /// When it cannot be read.
    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, ImageError>;

    /// A file of it, open for reading; `None` when it is not there.
    ///
    /// # Errors
    /// When it cannot be opened.
    fn open(&self, path: &Path) -> Result<Option<Box<dyn Read + '_>>, ImageError>;

    /// The tar of a layer, decompressed.
    ///
    /// # Errors
    /// When it is not there, or compressed in a way that cannot be read here.
    fn layer_tar(&self, layer: &Layer) -> Result<Box<dyn Read + '_>, ImageError> {
        let path = self.blob(&layer.blob)?;
        match layer.media_type.ends_with(".tar") {
            true => self.open(&path)?.ok_or_else(|| missing(path, "a manifest")),
            false => Err(ImageError::MediaType { media_type: layer.media_type.clone() }),
        }
    }

    /// Whether a layer's tree is there.
    fn has_tree(&self, dir: &Path) -> bool;

    /// The machine that images are chosen for.
    fn machine(&self) -> Matcher;

    /// Bytes of the files in a layer, where that is known without much work; else
    /// bytes of its blob.
    fn known_size(&self, layer: &Layer) -> u64;

    /// Where a blob is.
    ///
    /// # Errors
    /// When the digest is no sha256 digest.
    fn blob(&self, blob: &str) -> Result<PathBuf, ImageError> {
        self.place("blobs", &self.root().join("blobs/sha256"), blob)
    }

    /// The directory that holds the tree of a layer.
    ///
    /// # Errors
    /// When the chain ID is no sha256 digest.
    fn layer_place(&self, chain_id: &str) -> Result<PathBuf, ImageError> {
        self.place("layers", &self.root().join("layers"), chain_id)
    }

    /// Where the tree of a layer is, or will be.
    ///
    /// # Errors
    /// When the chain ID is no sha256 digest.
    fn layer_dir(&self, chain_id: &str) -> Result<PathBuf, ImageError> {
        Ok(self.layer_place(chain_id)?.join("diff"))
    }

    /// A file below a directory that has a digest for its name.
    ///
    /// # Errors
    /// When the digest is no sha256 digest.
    fn place(&self, what: &str, dir: &Path, name: &str) -> Result<PathBuf, ImageError> {
        match digest::hex(name) {
            Some(hex) => Ok(dir.join(hex)),
            None => Err(ImageError::Damaged {
                path: self.root().join(what),
                reason: format!("{name:?} is no sha256 digest"),
            }),
        }
    }

    /// A blob, whole.
    ///
    /// # Errors
    /// When it is not there, or cannot be read.
    fn bytes_of(&self, blob: &str) -> Result<Vec<u8>, ImageError> {
        let path = self.blob(blob)?;
        self.read(&path)?.ok_or_else(|| missing(path, "the index or a manifest"))
    }

    /// The index; an empty one where there is none yet.
    ///
    /// # Errors
    /// When it cannot be read.
    fn index(&self) -> Result<ImageIndex, ImageError> {
        let path = self.root().join("index.json");
        let Some(text) = self.read(&path)? else { return Ok(ImageIndex::default()) };
        serde_json::from_slice(&text).map_err(|e| ImageError::Damaged { path, reason: e.to_string() })
    }

    /// A config.
    ///
    /// # Errors
    /// When it is not there, or cannot be read.
    fn config(&self, id: &str) -> Result<ImageConfiguration, ImageError> {
        let text = self.bytes_of(id)?;
        serde_json::from_slice(&text).map_err(|e| ImageError::Damaged {
            path: self.blob(id).unwrap_or_default(),
            reason: e.to_string(),
        })
    }

    /// A config or a manifest with all that it says.
    ///
    /// # Errors
    /// When it is not there, or cannot be read.
    fn document(&self, blob: &str) -> Result<serde_json::Value, ImageError> {
        let text = self.bytes_of(blob)?;
        serde_json::from_slice(&text).map_err(|e| ImageError::Damaged {
            path: self.blob(blob).unwrap_or_default(),
            reason: e.to_string(),
        })
    }

    /// A manifest and its digest; another tool may have put an index there, of
    /// which this machine's image is taken.
    ///
    /// # Errors
    /// When it is not there, or cannot be used.
    fn manifest(&self, name: &str) -> Result<(String, Manifest), ImageError> {
        let bytes = self.bytes_of(name)?;
        let mut fetch = |inner: &Descriptor| self.bytes_of(inner.digest().as_ref());
        match manifest::resolve(name, bytes, None, &self.machine(), &mut fetch) {
            Ok(chosen) => Ok((chosen.digest, chosen.manifest)),
            Err(ImageError::Manifest { error, .. }) => {
                Err(ImageError::Damaged { path: self.blob(name)?, reason: error.to_string() })
            }
            Err(error) => Err(error),
        }
    }

    /// The image that a manifest describes.
    ///
    /// # Errors
    /// When a file that belongs to it is not there, or cannot be read.
    fn image(&self, reference: &str, manifest_digest: &str) -> Result<Image, ImageError> {
        let (manifest_digest, manifest) = self.manifest(manifest_digest)?;
        let id = manifest.config.digest().to_string();
        let config = self.config(&id)?;
        let layers = self.layers(&id, &manifest, &config)?;
        Ok(Image { reference: reference.to_owned(), id, manifest: manifest_digest, config, layers })
    }

    /// The layers of an image, the lowest first.
    ///
    /// # Errors
    /// When config and manifest do not fit together.
    fn layers(
        &self,
        id: &str,
        manifest: &Manifest,
        config: &ImageConfiguration,
    ) -> Result<Vec<Layer>, ImageError> {
        let diff_ids = config.rootfs().diff_ids();
        if diff_ids.len() != manifest.layers.len() {
            return Err(ImageError::Damaged {
                path: self.blob(id)?,
                reason: format!(
                    "the config names {} layers, the manifest {}",
                    diff_ids.len(),
                    manifest.layers.len()
                ),
            });
        }
        let mut made_by = config
            .history()
            .iter()
            .flatten()
            .filter(|h| h.empty_layer() != Some(true))
            .map(|h| h.created_by().clone().unwrap_or_default());
        let chain = digest::chain_ids(diff_ids);
        let mut layers = Vec::with_capacity(chain.len());
        for ((descriptor, diff_id), chain_id) in manifest.layers.iter().zip(diff_ids).zip(chain) {
            let dir = self.layer_dir(&chain_id)?;
            layers.push(Layer {
                blob: descriptor.digest().to_string(),
                media_type: descriptor.media_type().to_string(),
                size: descriptor.size(),
                diff_id: diff_id.clone(),
                chain_id,
                unpacked: self.has_tree(&dir),
                dir,
                created_by: made_by.next().unwrap_or_default(),
            });
        }
        Ok(layers)
    }

    /// The image id of a descriptor; a layout made by another tool lacks our note.
    ///
    /// # Errors
    /// When the manifest has to be read, and cannot be.
    fn id_of(&self, descriptor: &Descriptor) -> Result<String, ImageError> {
        if let Some(id) = annotation(descriptor, IMAGE_ID) {
            return Ok(id.to_owned());
        }
        let (_, manifest) = self.manifest(descriptor.digest().as_ref())?;
        Ok(manifest.config.digest().to_string())
    }

    /// The descriptor of what the user names.
    ///
    /// # Errors
    /// [`ImageError::Reference`], [`ImageError::Unknown`], [`ImageError::Ambiguous`].
    fn find<'i>(&self, index: &'i ImageIndex, text: &str) -> Result<&'i Descriptor, ImageError> {
        find::find(&|d| self.id_of(d), index, text)
    }

    /// Makes good what a power failure may have damaged.
    fn mend(&self) {}

    /// The image of this name, or whose id starts so.
    ///
    /// # Errors
    /// Those of [`Content::find`], or what is wrong with the files.
    fn resolve(&self, text: &str) -> Result<Image, ImageError> {
        self.mend();
        let index = self.index()?;
        let found = self.find(&index, text)?;
        let digest = found.digest().to_string();
        let name = match annotation(found, REF_NAME) {
            Some(name) => name.to_owned(),
            None => annotation(found, IMAGE_ID).unwrap_or(&digest).to_owned(),
        };
        self.image(&name, &digest)
    }

    /// All images, sorted by name, the nameless last.
    ///
    /// # Errors
    /// What is wrong with the files.
    fn list(&self) -> Result<Vec<Listed>, ImageError> {
        let mut all: Vec<Listed> = self.index()?.manifests().iter().map(|d| self.listed(d)).collect();
        all.sort_by(|a, b| {
            (a.reference.is_none(), &a.reference, &a.id).cmp(&(b.reference.is_none(), &b.reference, &b.id))
        });
        Ok(all)
    }

    /// The digest that a name led to in its registry when it was pulled; `None` for
    /// a name that is not here, or that came in another way.
    ///
    /// # Errors
    /// What is wrong with the files.
    fn source_of(&self, reference: &Reference) -> Result<Option<String>, ImageError> {
        let index = self.index()?;
        let found = find::by_name(&index, reference);
        Ok(found.and_then(|d| annotation(d, SOURCE)).map(str::to_owned))
    }

    /// From the notes in the index; what another tool put there lacks them, and
    /// is read. What cannot be read is listed too, so that it can be removed.
    fn listed(&self, descriptor: &Descriptor) -> Listed {
        let manifest = descriptor.digest().to_string();
        let name = annotation(descriptor, REF_NAME);
        let mut listed = Listed {
            reference: name.and_then(|n| Reference::parse(n).ok()),
            id: annotation(descriptor, IMAGE_ID).unwrap_or(&manifest).to_owned(),
            source: annotation(descriptor, SOURCE).map(str::to_owned),
            created: annotation(descriptor, CREATED).map(str::to_owned),
            size: 0,
            manifest,
        };
        match annotation(descriptor, SIZE).and_then(|size| size.parse().ok()) {
            Some(size) => listed.size = size,
            None => {
                if let Ok(image) = self.image("", &listed.manifest) {
                    listed.id = image.id;
                    listed.created = image.config.created().clone();
                    listed.size = image.layers.iter().map(|l| self.known_size(l)).sum();
                }
            }
        }
        listed
    }

    /// What the images of an index need, and what else is needed.
    fn marks(&self, index: &ImageIndex, needed: Marks) -> Marks {
        marks::marks(&|name| self.bytes_of(name).ok(), index, needed)
    }
}

/// A file that should be there.
pub(crate) fn missing(path: PathBuf, who: &str) -> ImageError {
    ImageError::Damaged { path, reason: format!("the file is missing, though {who} names it") }
}

/// An annotation of a descriptor.
pub(crate) fn annotation<'a>(descriptor: &'a Descriptor, key: &str) -> Option<&'a str> {
    descriptor.annotations().as_ref()?.get(key).map(String::as_str)
}
