//! What `docker save` writes: `manifest.json` names configs, layers and tags.

use std::io::Read;

use serde::Deserialize;

use super::spool::{Spool, Spooled};
use super::{Candidate, CandidateLayer};
use crate::image::layers::Compression;
use crate::image::{ImageError, Reference};

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
pub(super) fn read(spool: &Spool) -> Result<Vec<Candidate>, ImageError> {
    let items: Vec<Item> = spool.json(spool.file("manifest.json")?)?;
    items.into_iter().map(|item| candidate(spool, item)).collect()
}

fn candidate(spool: &Spool, item: Item) -> Result<Candidate, ImageError> {
    let config = spool.file(&item.config)?.digest.clone();
    let mut layers = Vec::new();
    for path in item.layers.unwrap_or_default() {
        let file = spool.file(&path)?;
        layers.push(CandidateLayer {
            digest: file.digest.clone(),
            media_type: sniff(file)?.layer_media_type().to_owned(),
            size: file.size,
        });
    }
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
    Ok(Candidate { references, config, layers, manifest: None })
}

/// The manifest says nothing of compression.
fn sniff(file: &Spooled) -> Result<Compression, ImageError> {
    let mut start = [0; 4];
    let open = std::fs::File::open(&file.path);
    let n = open.and_then(|mut f| f.read(&mut start)).map_err(|e| ImageError::io("read", &file.path, e))?;
    Ok(Compression::sniff(&start[..n]))
}
