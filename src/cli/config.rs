//! The configuration file: a small TOML file, each key of which is also a flag.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::error::{CliError, io};
use super::registry::{OneRegistry, RegistryConfig};
use super::sizes::parse_bytes;
use crate::image::layers::Limits;

/// The keys. All optional.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// `--root`.
    pub root: Option<PathBuf>,
    /// `--run-root`.
    pub run_root: Option<PathBuf>,
    /// `--lang`.
    pub lang: Option<String>,
    /// `--color`.
    pub color: Option<String>,
    /// `--bridge`.
    pub bridge: Option<String>,
    /// `--subnet`.
    pub subnet: Option<String>,
    /// `--lessons`.
    pub lessons: Option<PathBuf>,
    /// `--insecure-registry`.
    #[serde(default)]
    pub insecure_registries: Vec<String>,
    /// `--registry-mirror`.
    #[serde(default)]
    pub registry_mirrors: Vec<String>,
    /// `--registry-ca`.
    #[serde(default)]
    pub registry_ca: Vec<PathBuf>,
    /// Largest piece in which a layer is sent, such as 16m.
    pub upload_chunk: Option<String>,
    /// `--layer-ratio`.
    pub layer_ratio: Option<u64>,
    /// `--layer-holes`.
    pub layer_holes: Option<String>,
    /// Settings of one registry, by its host and port.
    #[serde(default)]
    pub registries: BTreeMap<String, OneRegistry>,
}

impl Config {
    /// How far a layer may grow.
    pub fn limits(&self) -> Result<Limits, CliError> {
        let mut limits = Limits::default();
        super::limits::set(&mut limits, self.layer_ratio, self.layer_holes.as_deref())?;
        Ok(limits)
    }

    /// How registries are reached.
    pub fn of_registries(&self) -> Result<RegistryConfig, CliError> {
        Ok(RegistryConfig {
            insecure: self.insecure_registries.clone(),
            mirrors: self.registry_mirrors.clone(),
            ca: self.registry_ca.clone(),
            upload_chunk: self.upload_chunk.as_deref().map(parse_bytes).transpose()?,
            of: self.registries.clone(),
        })
    }
}

/// Reads the file. A missing one is empty unless the user named it.
pub fn read(path: &Path, named: bool) -> Result<Config, CliError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(e)
            if !named
                && matches!(
                    e.kind(),
                    std::io::ErrorKind::NotFound | std::io::ErrorKind::PermissionDenied
                ) =>
        {
            return Ok(Config::default());
        }
        Err(e) => return Err(io("read the configuration", path, &e)),
    };
    toml::from_str(&text).map_err(|e| {
        CliError::new(format!(
            "the configuration {} is not valid: {}",
            path.display(),
            e.to_string().trim_end()
        ))
        .hint(
            "the keys are root, run-root, lang, color, bridge, subnet, lessons, insecure-registries, \
             registry-mirrors, registry-ca, upload-chunk, layer-ratio, layer-holes and registries.HOST",
        )
    })
}
