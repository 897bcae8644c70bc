//! Manifests and indexes: what a registry or a layout answers when asked for an
//! image. Docker's schema 2 manifests and lists, and OCI's manifests and
//! indexes. Nothing here does I/O: content comes in as bytes.
//!
//! What is read here decides what is fetched and run, so it is read strictly:
//! bounded in size and depth, no key twice, every field of the type that the
//! specification gives it. A document that two readers could take for two
//! different things is refused.

mod choose;
mod error;
mod json;
mod media;
mod platform;
mod shape;

use oci_spec::image::Descriptor;
use serde_json::Value;

pub use choose::{Chosen, MAX_DEPTH, for_platform, resolve};
pub use error::ManifestError;
pub use json::parse as parse_json;
pub use media::{
    DOCKER_CONFIG, DOCKER_LIST, DOCKER_MANIFEST, LayerKind, OCI_CONFIG, OCI_INDEX, OCI_MANIFEST, REQUEST,
    Variety,
};
pub use platform::{Matcher, Platform};
pub use shape::{check_config, check_descriptor, check_layout};

/// Bytes of a manifest or an index, at most; registries take no larger ones.
pub const MAX_MANIFEST: u64 = 4 << 20;
/// Bytes of a config, at most.
pub const MAX_CONFIG: u64 = 8 << 20;

/// A manifest or an index.
#[derive(Clone, Debug, PartialEq)]
pub enum Document {
    /// One image.
    Manifest(Box<Manifest>),
    /// Several, for several platforms.
    Index(Index),
}

/// An image's config and layers.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// As declared, or what its content says it is.
    pub media_type: String,
    /// Of the config.
    pub config: Descriptor,
    /// Lowest first.
    pub layers: Vec<Descriptor>,
    /// What kind of artifact it is, if it is one: `artifactType`.
    pub artifact_type: Option<String>,
}

/// Manifests to choose from.
#[derive(Clone, Debug, PartialEq)]
pub struct Index {
    /// As declared, or what its content says it is.
    pub media_type: String,
    /// In the order of the document.
    pub manifests: Vec<Descriptor>,
}

/// Reads a manifest or an index. `declared` is the media type that the
/// descriptor or the answer's `Content-Type` gives; the content must agree.
///
/// # Errors
/// [`ManifestError`], naming the field.
pub fn parse(bytes: &[u8], declared: Option<&str>) -> Result<Document, ManifestError> {
    if bytes.len() as u64 > MAX_MANIFEST {
        return Err(ManifestError::TooLarge { bytes: bytes.len() as u64, limit: MAX_MANIFEST });
    }
    let value = json::parse(bytes)?;
    let (variety, media_type) = variety(&value, declared)?;
    match variety {
        Variety::Manifest => {
            shape::check_manifest(&value, media_type == DOCKER_MANIFEST)?;
            let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
            Ok(Document::Manifest(Box::new(Manifest {
                config: typed(&value["config"], "config")?,
                layers: descriptors(&value, "layers")?,
                artifact_type: text("artifactType"),
                media_type,
            })))
        }
        Variety::Index => {
            shape::check_index(&value)?;
            Ok(Document::Index(Index { manifests: descriptors(&value, "manifests")?, media_type }))
        }
    }
}

/// What the document is, by all that is said of it.
fn variety(value: &Value, declared: Option<&str>) -> Result<(Variety, String), ManifestError> {
    let own = match value.get("mediaType") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text.as_str()),
        Some(_) => return Err(shape::field("mediaType", "is no text")),
    };
    // Content-Type may carry parameters.
    let declared = declared.map(|d| d.split(';').next().unwrap_or(d).trim());
    let schema1 = |m: Option<&str>| m.is_some_and(|m| m.starts_with(media::SCHEMA1));
    if schema1(own) || schema1(declared) || value.get("schemaVersion").and_then(Value::as_u64) == Some(1) {
        return Err(ManifestError::Schema1);
    }
    let declared = declared.filter(|d| !media::says_nothing(d));
    if let (Some(own), Some(declared)) = (own, declared)
        && own != declared
    {
        return Err(ManifestError::TwoTypes { declared: declared.to_owned(), own: own.to_owned() });
    }
    let (has_layers, has_manifests) =
        (value.get("layers").is_some() || value.get("config").is_some(), value.get("manifests").is_some());
    if has_layers && has_manifests {
        return Err(ManifestError::Ambiguous);
    }
    match own.or(declared) {
        Some(media_type) => match Variety::of(media_type) {
            Some(Variety::Manifest) if has_manifests => Err(ManifestError::Ambiguous),
            Some(Variety::Index) if has_layers => Err(ManifestError::Ambiguous),
            Some(variety) => Ok((variety, media_type.to_owned())),
            None => Err(ManifestError::NoManifest { media_type: media_type.to_owned() }),
        },
        None if has_manifests => Ok((Variety::Index, OCI_INDEX.to_owned())),
        None if has_layers => Ok((Variety::Manifest, OCI_MANIFEST.to_owned())),
        None => Err(ManifestError::NoManifest { media_type: String::new() }),
    }
}

fn typed(value: &Value, path: &str) -> Result<Descriptor, ManifestError> {
    serde_json::from_value(value.clone()).map_err(|e| shape::field(path, &e.to_string()))
}

fn descriptors(value: &Value, key: &str) -> Result<Vec<Descriptor>, ManifestError> {
    let list = value.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    list.iter().enumerate().map(|(at, item)| typed(item, &format!("{key}[{at}]"))).collect()
}

impl Manifest {
    /// Whether containers can be made of it: an image's config, and layers that
    /// can be read.
    ///
    /// # Errors
    /// [`ManifestError::Artifact`], [`ManifestError::Encrypted`], or
    /// [`ManifestError::Layer`], naming the layer.
    pub fn check_image(&self) -> Result<(), ManifestError> {
        let config = self.config.media_type().as_ref();
        if !media::is_config(config, self.media_type == DOCKER_MANIFEST) {
            let kind = self.artifact_type.clone().unwrap_or_else(|| config.to_owned());
            return Err(ManifestError::Artifact { kind });
        }
        for (at, layer) in self.layers.iter().enumerate() {
            let (number, media_type) = (at + 1, layer.media_type().to_string());
            match LayerKind::of(&media_type) {
                LayerKind::Tar | LayerKind::Foreign => {}
                LayerKind::Encrypted => return Err(ManifestError::Encrypted { number }),
                LayerKind::Unknown => return Err(ManifestError::Layer { number, media_type }),
            }
        }
        Ok(())
    }

    /// The first layer that its publisher does not let registries hand out, and
    /// where it says that it is.
    pub fn foreign(&self) -> Option<(usize, &[String])> {
        let is = |l: &&Descriptor| LayerKind::of(l.media_type().as_ref()) == LayerKind::Foreign;
        let at = self.layers.iter().position(|l| is(&l))?;
        Some((at + 1, self.layers[at].urls().as_deref().unwrap_or_default()))
    }
}

#[cfg(test)]
mod corpus_tests;
#[cfg(test)]
mod tests;
