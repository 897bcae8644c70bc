//! `load`: images from archives made by other tools. Three shapes: what
//! `docker save` writes, old (`ID/layer.tar`) and new (an OCI layout with a
//! `manifest.json`), and a tar of an OCI image layout. Any of them may be
//! compressed, and comes from a file or a stream.
//!
//! This room finds the images in an archive. Their layers are taken in by
//! [`crate::image::intake`], for which an archive is a [`BlobSource`].

mod ahead;
mod docker;
mod oci;
mod start;
mod table;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

use oci_spec::image::Descriptor;

use crate::image::intake::{BlobSource, Early};
use crate::image::layers::Limits;
use crate::image::manifest::Chosen;
use crate::image::{ImageError, Incoming, Reference, Store};
pub use start::{is_tar, looks_like, sniff};
use table::{Place, Table};

type Blobs = BTreeMap<String, Place>;

/// The shapes of archives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// With a `manifest.json`: `docker save`.
    Docker,
    /// With an `index.json` only: an OCI image layout.
    Oci,
}

impl Shape {
    /// As skopeo(1) calls it.
    pub fn name(self) -> &'static str {
        match self {
            Shape::Docker => "docker-archive",
            Shape::Oci => "oci-archive",
        }
    }
}

/// An archive, opened.
pub struct Archive {
    table: Table,
    shape: Shape,
}

/// An image of an archive, before its config is read.
struct Candidate {
    references: Vec<Reference>,
    /// Its path in a docker-archive, its digest in an OCI layout.
    config: String,
    /// Paths of a docker-archive.
    layers: Vec<String>,
    /// What an OCI layout has.
    manifest: Option<Chosen>,
}

/// Images of an archive that are chosen, but not read.
pub struct Manifests(Vec<Candidate>);

impl Archive {
    /// Looks at what an archive holds. `name` is for messages: a file's path, or
    /// `standard input`. A stream is staged in the store; a file on disk is read
    /// where it is, now and when its layers are taken in. With `ahead`, what may be
    /// layers of a stream is unpacked while the stream is read, within these limits.
    ///
    /// # Errors
    /// [`ImageError::NotAnArchive`], [`ImageError::BadArchive`], or when the
    /// input cannot be read.
    pub fn open(store: &Store, input: File, name: &str, ahead: Option<Limits>) -> Result<Self, ImageError> {
        let table = Table::read(store, input, name, ahead)?;
        let shape = match (table.has("manifest.json"), table.has("index.json")) {
            (true, _) => Shape::Docker,
            (false, true) => Shape::Oci,
            (false, false) => {
                return Err(ImageError::NotAnArchive {
                    name: name.to_owned(),
                    reason: "it is a tar without manifest.json and index.json".into(),
                });
            }
        };
        Ok(Archive { table, shape })
    }

    /// Its shape.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Entries of the tar.
    pub fn entries(&self) -> u64 {
        self.table.entries
    }

    /// It is read in place; otherwise it was a stream, and is staged.
    pub fn in_place(&self) -> bool {
        self.table.in_place
    }

    /// Reads the manifests of its images, for this machine.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn manifests(&self) -> Result<Manifests, ImageError> {
        let found = match self.shape {
            Shape::Docker => docker::read(&self.table)?,
            Shape::Oci => oci::read(&self.table)?,
        };
        match found.is_empty() {
            true => Err(self.table.bad("it holds no image")),
            false => Ok(Manifests(found)),
        }
    }

    /// Reads the configs, which complete the images; where their layers' bytes
    /// are is the second value.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn configs(self, manifests: Manifests) -> Result<(Vec<Incoming>, Arc<dyn BlobSource>), ImageError> {
        let mut blobs = Blobs::new();
        let mut images = Vec::new();
        for candidate in manifests.0 {
            images.push(match candidate.manifest {
                None => docker::resolve(&self.table, candidate, &mut blobs)?,
                Some(chosen) => oci::resolve(&self.table, candidate.references, chosen, &mut blobs)?,
            });
        }
        Ok((images, Arc::new(Layers { blobs, _table: self.table })))
    }
}

impl Manifests {
    /// The names of each image.
    pub fn names(&self) -> impl Iterator<Item = &[Reference]> {
        self.0.iter().map(|c| c.references.as_slice())
    }
}

/// The layers of an archive.
struct Layers {
    blobs: Blobs,
    /// Keeps what is staged.
    _table: Table,
}

impl Layers {
    fn place(&self, blob: &Descriptor) -> Result<&Place, ImageError> {
        let name = blob.digest().to_string();
        self.blobs
            .get(&name)
            .ok_or_else(|| ImageError::Fetch { blob: name, reason: "it is not in the archive".into() })
    }
}

impl BlobSource for Layers {
    fn open(&self, blob: &Descriptor, offset: u64) -> Result<Box<dyn Read + Send>, ImageError> {
        Ok(Box::new(self.place(blob)?.reader(offset)))
    }

    fn unpacked(&self, blob: &Descriptor) -> Option<Early> {
        self.place(blob).ok()?.early.as_deref().cloned()
    }

    fn staged(&self, blob: &Descriptor) -> Option<PathBuf> {
        let place = self.place(blob).ok()?;
        (place.digest.as_deref() == Some(blob.digest().as_ref())).then(|| place.staged.clone())?
    }
}

#[cfg(test)]
mod tests;
