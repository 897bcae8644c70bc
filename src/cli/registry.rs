//! How registries are reached: flags over environment over configuration.

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use serde::Deserialize;

use super::context::{Context, is_root};
use super::error::CliError;
use crate::image::registry::options::HUB;
use crate::image::registry::{Client, Options, RegistryError, Repository};
use crate::image::{ImageError, Reference};

/// Flags of every command that talks to a registry.
#[derive(Clone, Debug, Default, Args)]
pub struct RegistryArgs {
    /// Do not check the certificate of this registry, and allow plain HTTP: HOST[:PORT] or ADDRESS/BITS
    #[arg(long, value_name = "HOST")]
    insecure_registry: Vec<String>,
    /// Ask this mirror of Docker Hub first: https://HOST[:PORT]
    #[arg(long, value_name = "URL")]
    registry_mirror: Vec<String>,
    /// Trust the certificate authorities in this PEM file too
    #[arg(long, value_name = "FILE")]
    registry_ca: Vec<PathBuf>,
}

/// The part of the configuration file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegistryConfig {
    /// `insecure-registries`
    pub insecure: Vec<String>,
    /// `registry-mirrors`: of Docker Hub.
    pub mirrors: Vec<String>,
    /// `registry-ca`
    pub ca: Vec<PathBuf>,
    /// `upload-chunk`, in bytes
    pub upload_chunk: Option<u64>,
    /// `[registries."HOST"]`
    pub of: BTreeMap<String, OneRegistry>,
}

/// `[registries."HOST"]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct OneRegistry {
    /// Mirrors of it, asked first.
    #[serde(default)]
    mirrors: Vec<String>,
    /// Its certificate is not checked.
    #[serde(default)]
    insecure: bool,
    /// PEM files of authorities to trust for it.
    #[serde(default)]
    ca: Vec<PathBuf>,
}

impl From<RegistryError> for CliError {
    fn from(e: RegistryError) -> Self {
        ImageError::from(e).into()
    }
}

/// All settings together.
pub fn options(context: &Context, args: &RegistryArgs) -> Options {
    let config = &context.registries;
    let mut options = Options::default();
    options.insecure.extend(args.insecure_registry.iter().chain(&config.insecure).cloned());
    options.ca.extend(args.registry_ca.iter().chain(&config.ca).cloned());
    for (host, one) in &config.of {
        if one.insecure {
            options.insecure.push(host.clone());
        }
        options.mirrors.insert(host.clone(), one.mirrors.clone());
        options.ca_of.insert(host.clone(), one.ca.clone());
    }
    let hub = options.mirrors.entry(HUB.to_owned()).or_default();
    hub.splice(0..0, args.registry_mirror.iter().chain(&config.mirrors).cloned());
    options.upload_chunk = config.upload_chunk.filter(|c| *c > 0);
    options.credentials = docker_config();
    options.certs_dirs = certs_dirs();
    if let Some(bundle) = variable(&["SSL_CERT_FILE"]) {
        options.system_ca.insert(0, bundle.into());
    }
    options.https_proxy = variable(&["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]);
    // A CGI program gets HTTP_PROXY from a header of who asks it.
    let plain = ["http_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY"];
    options.http_proxy = variable(if variable(&["REQUEST_METHOD"]).is_some() { &plain[..3] } else { &plain });
    let direct = variable(&["NO_PROXY", "no_proxy"]).unwrap_or_default();
    options.no_proxy = direct.split(',').map(|s| s.trim().to_owned()).filter(|s| !s.is_empty()).collect();
    options
}

/// A repository, through a client.
pub fn repository(client: &Arc<Client>, reference: &Reference) -> Result<Repository, CliError> {
    Ok(Repository::new(client.clone(), reference)?)
}

/// Docker's `config.json`, in `$DOCKER_CONFIG` or `~/.docker`.
pub fn docker_config() -> Option<PathBuf> {
    let dir = match variable(&["DOCKER_CONFIG"]) {
        Some(dir) => PathBuf::from(dir),
        None => home()?.join(".docker"),
    };
    Some(dir.join("config.json"))
}

/// Docker's places for certificates, and our own.
fn certs_dirs() -> Vec<PathBuf> {
    let mut dirs: Vec<PathBuf> = Vec::new();
    if !is_root() {
        let config =
            variable(&["XDG_CONFIG_HOME"]).map(PathBuf::from).or_else(|| Some(home()?.join(".config")));
        dirs.extend(
            config
                .iter()
                .flat_map(|c| ["glassbox", "docker", "containers"].map(|d| c.join(d).join("certs.d"))),
        );
    }
    dirs.extend(["glassbox", "docker", "containers"].map(|d| Path::new("/etc").join(d).join("certs.d")));
    dirs
}

fn home() -> Option<PathBuf> {
    variable(&["HOME"]).map(PathBuf::from)
}

fn variable(names: &[&str]) -> Option<String> {
    names.iter().find_map(|n| env::var(n).ok().filter(|v| !v.is_empty()))
}

/// A reference as a user wrote it.
pub fn reference(text: &str) -> Result<Reference, CliError> {
    Reference::parse(text).map_err(|error| ImageError::Reference { input: text.to_owned(), error }.into())
}

/// What `login`, `logout` and `search` take: a host, perhaps written as a URL.
pub fn host(text: Option<&str>) -> String {
    let text = text.unwrap_or(HUB);
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    match rest.split('/').next().unwrap_or(rest) {
        "docker.io" | "index.docker.io" | "registry-1.docker.io" => HUB.to_owned(),
        host => host.to_owned(),
    }
}

/// The first digits of a digest, as Docker shows layers.
pub fn short(digest: &str) -> String {
    digest.trim_start_matches("sha256:").chars().take(12).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_as_people_write_them() {
        for (text, expected) in [
            (None, "docker.io"),
            (Some("https://index.docker.io/v1/"), "docker.io"),
            (Some("registry.lan:5000"), "registry.lan:5000"),
            (Some("http://registry.lan:5000/v2/"), "registry.lan:5000"),
        ] {
            assert_eq!(host(text), expected);
        }
    }
}
