//! What `docker save` writes: `manifest.json` names configs, layers and tags.

use std::io::Read;

use oci_spec::image::{Descriptor, Digest};
use serde::Deserialize;

use super::table::Table;
use super::{Blobs, Candidate, start};
use crate::image::layers::Compression;
use crate::image::manifest::{DOCKER_CONFIG, DOCKER_MANIFEST, MAX_CONFIG, OCI_CONFIG, OCI_MANIFEST};
use crate::image::{ImageError, Incoming, Reference, digest, manifest};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Item {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    #[serde(default)]
    layers: Option<Vec<String>>,
}

/// The images that `manifest.json` names.
pub(super) fn read(table: &Table) -> Result<Vec<Candidate>, ImageError> {
    let text = table.text("manifest.json", MAX_CONFIG)?;
    let bad = |e: String| table.bad(&format!("\"manifest.json\" in it cannot be read: {e}"));
    // No key twice.
    manifest::parse_json(&text).map_err(|e| bad(e.to_string()))?;
    let items: Vec<Item> =
        serde_json::from_slice(&text).map_err(|e| bad(crate::image::error::quoted(&e.to_string())))?;
    items.into_iter().map(|item| candidate(table, item)).collect()
}

fn candidate(table: &Table, item: Item) -> Result<Candidate, ImageError> {
    let references = item
        .repo_tags
        .unwrap_or_default()
        .iter()
        .map(|tag| {
            Reference::parse(tag)
                .map(Reference::or_latest)
                .map_err(|error| ImageError::Reference { input: tag.clone(), error })
        })
        .collect::<Result<_, _>>()?;
    table.file(&item.config)?;
    Ok(Candidate { references, config: item.config, layers: item.layers.unwrap_or_default(), manifest: None })
}

/// Reads the config, and makes the manifest that this kind of archive lacks.
pub(super) fn resolve(
    table: &Table,
    candidate: Candidate,
    blobs: &mut Blobs,
) -> Result<Incoming, ImageError> {
    let config = table.text(&candidate.config, MAX_CONFIG)?;
    let diff_ids = diff_ids(&config);
    let mut layers = Vec::new();
    for (at, path) in candidate.layers.iter().enumerate() {
        let place = table.file(path)?;
        let compression = sniff(place, table)?;
        // A plain tar is its own diff ID: what it is said to be is verified when
        // it is read. For the rest the name must say it, or it is hashed now.
        let own = match compression {
            Compression::Plain => place.digest.clone().or_else(|| diff_ids.get(at).cloned()),
            _ => Table::named(path),
        };
        let name = match own {
            Some(name) => name,
            None => place.digest(table)?,
        };
        let parsed: Digest = name.parse().map_err(|_| table.bad(&format!("{name:?} is no digest")))?;
        layers.push(Descriptor::new(compression.layer_media_type().into(), place.size, parsed));
        blobs.insert(name, place.clone());
    }
    // OCI's manifest has a layer at least; Docker's may have none.
    let types = if layers.is_empty() { (DOCKER_MANIFEST, DOCKER_CONFIG) } else { (OCI_MANIFEST, OCI_CONFIG) };
    let made = make_manifest(types, &digest::of_bytes(&config), config.len(), &layers);
    let incoming =
        Incoming::new(&candidate.config, candidate.references, (made, types.0.to_owned()), config, layers);
    let incoming = incoming.map_err(|reason| table.bad(&reason))?;
    Ok(Incoming { made: true, ..incoming })
}

/// What the config says of its layers; it is checked as a whole later.
fn diff_ids(config: &[u8]) -> Vec<String> {
    let value: serde_json::Value = serde_json::from_slice(config).unwrap_or_default();
    let list = value.pointer("/rootfs/diff_ids").and_then(|d| d.as_array()).cloned().unwrap_or_default();
    list.iter().filter_map(|d| d.as_str().map(str::to_owned)).collect()
}

/// The manifest says nothing of compression.
fn sniff(place: &super::table::Place, table: &Table) -> Result<Compression, ImageError> {
    let mut first = Vec::new();
    place.reader(0).take(4).read_to_end(&mut first).map_err(|e| start::read_error(&e, table.name()))?;
    Ok(Compression::sniff(&first))
}

fn make_manifest(types: (&str, &str), config: &str, size: usize, layers: &[Descriptor]) -> Vec<u8> {
    let manifest = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": types.0,
        "config": {"mediaType": types.1, "digest": config, "size": size},
        "layers": layers
            .iter()
            .map(|l| serde_json::json!({
                "mediaType": l.media_type().to_string(), "digest": l.digest().to_string(), "size": l.size(),
            }))
            .collect::<Vec<_>>(),
    });
    manifest.to_string().into_bytes()
}
