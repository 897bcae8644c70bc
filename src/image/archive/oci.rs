//! A tar of an OCI image layout: `index.json` names manifests, image-layout.md.

use oci_spec::image::{Arch, Descriptor, ImageIndex, ImageManifest, MediaType};

use super::spool::Spool;
use super::{Candidate, CandidateLayer};
use crate::image::store::{REF_NAME, annotation};
use crate::image::{ImageError, Reference, digest};

/// What containerd and BuildKit write beside the tag.
const CONTAINERD_NAME: &str = "io.containerd.image.name";
/// Indexes may nest; honest ones do once.
const MAX_DEPTH: u32 = 4;

/// The images that `index.json` names, for this machine.
pub(super) fn read(spool: &Spool) -> Result<Vec<Candidate>, ImageError> {
    let index: ImageIndex = spool.json(spool.file("index.json")?)?;
    let mut found = Vec::new();
    for descriptor in index.manifests() {
        let names = names(descriptor);
        let Some(manifest) = choose(spool, descriptor, 0)? else { continue };
        found.push(candidate(spool, &manifest, names)?);
    }
    // Several tags of one image are several descriptors.
    let mut merged: Vec<Candidate> = Vec::new();
    for candidate in found {
        match merged.iter_mut().find(|m| m.config == candidate.config && m.manifest == candidate.manifest) {
            Some(same) => same.references.extend(candidate.references),
            None => merged.push(candidate),
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

/// The manifest for this machine.
fn choose(spool: &Spool, descriptor: &Descriptor, depth: u32) -> Result<Option<Descriptor>, ImageError> {
    let list = "application/vnd.docker.distribution.manifest.list.v2+json";
    let is_index = match descriptor.media_type() {
        MediaType::ImageIndex => true,
        MediaType::Other(other) => other == list,
        _ => false,
    };
    if !is_index {
        return Ok(Some(descriptor.clone()));
    }
    if depth == MAX_DEPTH {
        return Err(spool.bad("its indexes are nested too deep"));
    }
    let index: ImageIndex = spool.json(checked(spool, descriptor)?)?;
    let wanted = Arch::default();
    let mut platforms = Vec::new();
    for inner in index.manifests() {
        match inner.platform() {
            Some(platform) if *platform.architecture() == wanted => return choose(spool, inner, depth + 1),
            // Attestations of BuildKit say unknown/unknown.
            Some(platform) => platforms.push(format!("{}/{}", platform.os(), platform.architecture())),
            None if index.manifests().len() == 1 => return choose(spool, inner, depth + 1),
            None => {}
        }
    }
    Err(ImageError::Platform {
        reference: names(descriptor).first().map_or(descriptor.digest().to_string(), Reference::familiar),
        found: if platforms.is_empty() { "no platform".into() } else { platforms.join(", ") },
        wanted: format!("linux/{wanted}"),
    })
}

fn candidate(
    spool: &Spool,
    manifest: &Descriptor,
    references: Vec<Reference>,
) -> Result<Candidate, ImageError> {
    let file = checked(spool, manifest)?;
    let parsed: ImageManifest = spool.json(file)?;
    checked(spool, parsed.config())?;
    let mut layers = Vec::new();
    for layer in parsed.layers() {
        checked(spool, layer)?;
        layers.push(CandidateLayer {
            digest: layer.digest().to_string(),
            media_type: layer.media_type().to_string(),
            size: layer.size(),
        });
    }
    Ok(Candidate {
        references,
        config: parsed.config().digest().to_string(),
        layers,
        manifest: Some((spool.text(file)?, manifest.media_type().to_string())),
    })
}

/// The blob of a descriptor, with its digest and its size verified.
fn checked<'a>(spool: &'a Spool, descriptor: &Descriptor) -> Result<&'a super::spool::Spooled, ImageError> {
    let name = descriptor.digest().to_string();
    // The file of that name first: a wrong one must not pass because its true
    // content is somewhere else.
    let file = match digest::hex(&name) {
        Some(hex) => spool.file(&format!("blobs/sha256/{hex}"))?,
        None => spool.blob(&name)?,
    };
    if file.size != descriptor.size() {
        return Err(ImageError::Size {
            what: format!("blob {name}"),
            expected: descriptor.size(),
            actual: file.size,
        });
    }
    Ok(file)
}
