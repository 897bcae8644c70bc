//! The form that `docker save` wrote until version 25, and that every engine
//! loads: `manifest.json` names a config and the layers as plain tars. Beside it is
//! the form of before Docker 1.10, for who knows no `manifest.json`: a directory
//! for each layer with `VERSION`, `json` and `layer.tar`, and `repositories`.
//! As the containers/image library lays it out, which podman and skopeo use.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Write};
use std::path::Path;

use serde_json::{Map, Value, json};

use super::{Chosen, Tar};
use crate::image::index::Content;
use crate::image::write::header::Kind;
use crate::image::{Image, ImageError, Layer, Reference, digest};

/// Writes all members but the end of the archive.
pub(super) fn write<W: Write>(
    store: &dyn Content,
    chosen: &[Chosen],
    tar: &mut Tar<'_, W>,
) -> Result<(), ImageError> {
    let mut there: BTreeSet<String> = BTreeSet::new();
    let mut manifest = Vec::new();
    let mut repositories: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for one in chosen {
        let image = &one.image;
        for layer in &image.layers {
            if there.insert(file(layer)) {
                plain(store, layer, tar)?;
            }
        }
        let config = store.bytes_of(&image.id)?;
        let name = format!("{}.json", hex(&image.id));
        if there.insert(name.clone()) {
            tar.content(&name, &config[..], config.len() as u64, &image.id, &store.blob(&image.id)?)?;
        }
        let top = legacy(image, &config, &mut there, tar)?;
        for reference in &one.references {
            if let (Some(top), Some(tag)) = (&top, reference.tag()) {
                let tags = repositories.entry(reference.familiar_name()).or_default();
                tags.insert(tag.to_owned(), top.clone());
            }
        }
        let tags: Vec<String> = one.references.iter().map(Reference::familiar).collect();
        manifest.push(json!({
            "Config": name,
            "RepoTags": if tags.is_empty() { Value::Null } else { tags.into() },
            "Layers": image.layers.iter().map(file).collect::<Vec<_>>(),
        }));
    }
    tar.text("manifest.json", Value::from(manifest).to_string().as_bytes())?;
    tar.text("repositories", json!(repositories).to_string().as_bytes())
}

fn hex(digest: &str) -> &str {
    digest::hex(digest).unwrap_or_default()
}

/// What a layer is called in the archive.
fn file(layer: &Layer) -> String {
    format!("{}.tar", hex(&layer.diff_id))
}

/// A layer as a plain tar. A header says how long its content is: what is
/// compressed is read through once to know that.
fn plain<W: Write>(store: &dyn Content, layer: &Layer, tar: &mut Tar<'_, W>) -> Result<(), ImageError> {
    let path = store.blob(&layer.blob)?;
    let size = match layer.blob == layer.diff_id {
        true => layer.size,
        false => length(store.layer_tar(layer)?, &path)?,
    };
    tar.content(&file(layer), store.layer_tar(layer)?, size, &layer.diff_id, &path)
}

fn length(mut from: impl Read, path: &Path) -> Result<u64, ImageError> {
    io::copy(&mut from, &mut io::sink())
        .map_err(|e| ImageError::Layer { blob: path.to_owned(), reason: format!("it cannot be read: {e}") })
}

/// The directories of an image's layers, each with the id of the one below; gives
/// the id of the topmost.
fn legacy<W: Write>(
    image: &Image,
    config: &[u8],
    there: &mut BTreeSet<String>,
    tar: &mut Tar<'_, W>,
) -> Result<Option<String>, ImageError> {
    let mut below: Option<String> = None;
    for (index, layer) in image.layers.iter().enumerate() {
        let mut json: Map<String, Value> = match index + 1 == image.layers.len() {
            true => serde_json::from_slice(config)
                .map_err(|e| ImageError::Damaged { path: image.id.clone().into(), reason: e.to_string() })?,
            false => Map::new(),
        };
        // They speak of all layers.
        json.remove("history");
        json.remove("rootfs");
        let parent = below.clone().map_or(Value::Null, Value::from);
        let of = json!([layer.chain_id, parent, json]).to_string();
        let id = digest::of_bytes(of.as_bytes());
        let id = hex(&id).to_owned();
        json.insert("id".to_owned(), id.clone().into());
        if let Some(below) = &below {
            json.insert("parent".to_owned(), below.clone().into());
        }
        if there.insert(id.clone()) {
            tar.member(&format!("{id}/"), Kind::Dir, 0, "")?;
            tar.text(&format!("{id}/VERSION"), b"1.0")?;
            tar.text(&format!("{id}/json"), Value::from(json).to_string().as_bytes())?;
            tar.member(&format!("{id}/layer.tar"), Kind::Symlink, 0, &format!("../{}", file(layer)))?;
        }
        below = Some(id);
    }
    Ok(below)
}
