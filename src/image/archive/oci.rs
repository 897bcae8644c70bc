//! A tar of an OCI image layout: `index.json` names manifests, image-layout.md.

use oci_spec::image::Descriptor;

use super::table::Table;
use super::{Blobs, Candidate};
use crate::image::index::{REF_NAME, annotation};
use crate::image::manifest::{self, Chosen, Document, MAX_CONFIG, MAX_MANIFEST, Matcher};
use crate::image::{ImageError, Incoming, Reference, digest};

/// What containerd and BuildKit write beside the tag.
const CONTAINERD_NAME: &str = "io.containerd.image.name";

/// The images that `index.json` names, for this machine.
pub(super) fn read(table: &Table) -> Result<Vec<Candidate>, ImageError> {
    let text = table.text("index.json", MAX_MANIFEST)?;
    let what = format!("\"index.json\" of {}", table.name());
    let bad = |error| ImageError::Manifest { what: what.clone(), error };
    let Document::Index(index) = manifest::parse(&text, Some(manifest::OCI_INDEX)).map_err(bad)? else {
        return Err(table.bad("its index.json is no index"));
    };
    let mut merged: Vec<Candidate> = Vec::new();
    for descriptor in &index.manifests {
        let references = names(descriptor);
        let bytes = checked(table, descriptor)?;
        let declared = descriptor.media_type().to_string();
        let what = references.first().map_or(descriptor.digest().to_string(), Reference::familiar);
        let mut fetch = |inner: &Descriptor| checked(table, inner);
        let chosen = manifest::resolve(&what, bytes, Some(&declared), &Matcher::host(), &mut fetch)?;
        // Several tags of one image are several descriptors.
        match merged.iter_mut().find(|m| m.manifest.as_ref().is_some_and(|c| c.digest == chosen.digest)) {
            Some(same) => same.references.extend(references),
            None => merged.push(candidate(references, chosen)),
        }
    }
    Ok(merged)
}

/// A full name, where there is one; a bare tag names nothing.
fn names(descriptor: &Descriptor) -> Vec<Reference> {
    let name = annotation(descriptor, CONTAINERD_NAME)
        .or_else(|| annotation(descriptor, REF_NAME).filter(|n| n.contains(['/', ':'])));
    name.and_then(|n| Reference::parse(n).ok()).map(Reference::or_latest).into_iter().collect()
}

fn candidate(references: Vec<Reference>, chosen: Chosen) -> Candidate {
    Candidate {
        references,
        config: chosen.manifest.config.digest().to_string(),
        layers: Vec::new(),
        manifest: Some(chosen),
    }
}

/// Reads the config, and says where the layers are. Their digests are verified
/// when they are read.
pub(super) fn resolve(
    table: &Table,
    references: Vec<Reference>,
    chosen: Chosen,
    blobs: &mut Blobs,
) -> Result<Incoming, ImageError> {
    let config = checked(table, &chosen.manifest.config)?;
    for layer in &chosen.manifest.layers {
        let place = table.file(&path(table, layer)?)?;
        if place.size != layer.size() {
            return Err(wrong_size(layer, place.size));
        }
        if let Some(actual) = place.digest.clone().filter(|d| *d != layer.digest().to_string()) {
            let expected = layer.digest().to_string();
            return Err(ImageError::Digest { what: format!("blob {expected}"), expected, actual });
        }
        blobs.insert(layer.digest().to_string(), place.clone());
    }
    let manifest = (chosen.bytes, chosen.manifest.media_type.clone());
    Incoming::new(&chosen.digest, references, manifest, config, chosen.manifest.layers)
        .map_err(|reason| table.bad(&reason))
}

/// A small blob, with its digest and its size verified.
fn checked(table: &Table, descriptor: &Descriptor) -> Result<Vec<u8>, ImageError> {
    let path = path(table, descriptor)?;
    let size = table.file(&path)?.size;
    if size != descriptor.size() {
        return Err(wrong_size(descriptor, size));
    }
    table.text(&path, MAX_CONFIG)
}

fn path(table: &Table, descriptor: &Descriptor) -> Result<String, ImageError> {
    let name = descriptor.digest().to_string();
    match digest::hex(&name) {
        Some(hex) => Ok(format!("blobs/sha256/{hex}")),
        None => Err(table.bad(&format!("{name:?} is no sha256 digest"))),
    }
}

fn wrong_size(descriptor: &Descriptor, actual: u64) -> ImageError {
    ImageError::Size { what: format!("blob {}", descriptor.digest()), expected: descriptor.size(), actual }
}
