//! The registry of the modelled machine: files of its disk, so that what is pushed
//! can be pulled again. Every registry that a name means is one of its directories.
//!
//! ```text
//! blobs/sha256/HEX                   layers, configs and manifests of all
//! REGISTRY/REPOSITORY/_tags/TAG      the digest of a manifest
//! ```

use super::archive::{self, ModelImages};
use super::world::{HostEntry, World};
use crate::image::reference::DEFAULT_TAG;
use crate::image::{Reference, demo, digest};

/// Where it is on the modelled disk.
const PLACE: &str = "/srv/registry";
/// The directory of a repository that holds its tags.
const TAGS: &str = "_tags";

/// Where a blob is.
pub fn blob(digest: &str) -> String {
    format!("{PLACE}/blobs/sha256/{}", digest::hex(digest).unwrap_or("none"))
}

/// Where it says what a tag means.
pub fn tag(reference: &Reference) -> String {
    let tag = reference.tag().unwrap_or(DEFAULT_TAG);
    format!("{PLACE}/{}/{}/{TAGS}/{tag}", reference.domain(), reference.path())
}

impl World {
    /// Puts the image `demo` into the registry, unless somebody pushed one of that name.
    ///
    /// # Errors
    /// When the disk is full.
    pub fn offer_registry(&mut self) -> Result<(), String> {
        let mut images = ModelImages { files: archive::files(&demo::archive())?, ..ModelImages::default() };
        images.manifests = archive::manifests(&images.files)?;
        images.resolve(&|_, _| false)?;
        for image in &images.arriving {
            for name in image.names.iter().filter_map(|n| Reference::parse(n).ok()) {
                if self.disk_entry(&tag(&name)).is_some() {
                    continue;
                }
                self.put_file(&tag(&name), image.manifest.clone().into_bytes())?;
                for (digest, bytes) in &images.blobs {
                    self.put_file(&blob(digest), bytes.clone())?;
                }
            }
        }
        Ok(())
    }

    fn put_file(&mut self, path: &str, content: Vec<u8>) -> Result<(), String> {
        let file = HostEntry::File { path: path.to_owned(), mode: 0o644, content };
        self.populate("/", &[file]).map_err(|e| e.to_string())
    }

    /// The digest of the manifest that a name leads to in the registry.
    pub(crate) fn registered(&self, reference: &Reference) -> Option<String> {
        if let Some(digest) = reference.digest() {
            let repository = format!("{PLACE}/{}/{}/{TAGS}", reference.domain(), reference.path());
            let known = self.disk_entry(&repository).is_some() && self.disk_entry(&blob(digest)).is_some();
            return known.then(|| digest.to_owned());
        }
        let text = self.disk_entry(&tag(reference))?.content;
        Some(String::from_utf8_lossy(text).trim().to_owned())
    }

    /// The repositories of a registry, as its users write them.
    pub(crate) fn repositories(&self, registry: &str) -> Vec<String> {
        let top = format!("{PLACE}/{registry}");
        let mut found = Vec::new();
        let mut todo = vec![String::new()];
        while let Some(path) = todo.pop() {
            for name in self.disk_names(&format!("{top}/{path}")) {
                match name == TAGS {
                    true => found.push(path.trim_matches('/').to_owned()),
                    false => todo.push(format!("{path}/{name}")),
                }
            }
        }
        found.sort();
        found
    }
}
