//! The configuration file: a small TOML file, each key of which is also a flag.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::error::{CliError, io};

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
        .hint("the keys are root, run-root, lang, color, bridge, subnet, lessons")
    })
}
