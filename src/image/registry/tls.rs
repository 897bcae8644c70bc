//! Whom to trust, and who to be, for one registry: the system's authorities,
//! those of the configuration, and Docker's `certs.d`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};

use super::RegistryError;
use super::options::Options;
use super::url::Origin;

/// TLS as it is spoken with this origin.
///
/// # Errors
/// When a certificate or key that was named cannot be read.
pub(super) fn config(options: &Options, origin: &Origin) -> Result<TlsConfig, RegistryError> {
    let mut roots = Vec::new();
    for path in options.system_ca.iter().filter(|p| p.exists()).take(1) {
        // A system's bundle may hold what this library cannot read.
        roots.extend(pem(path)?.into_iter().filter_map(Result::ok).filter_map(certificate));
    }
    let named = options.ca.iter().chain(options.ca_of.get(&origin.host).into_iter().flatten());
    let mut client = None;
    let dirs = options.certs_dirs.iter().map(|d| d.join(&origin.host)).filter(|d| d.is_dir());
    let mut files: Vec<PathBuf> = named.cloned().collect();
    for dir in dirs {
        files.extend(files_of(&dir, "crt")?);
        if client.is_none() {
            client = client_certificate(&dir)?;
        }
    }
    for path in &files {
        let before = roots.len();
        for item in pem(path)? {
            roots.extend(certificate(item.map_err(|reason| file(path, reason))?));
        }
        if roots.len() == before {
            return Err(file(path, "there is no certificate in it"));
        }
    }
    Ok(TlsConfig::builder()
        .root_certs(RootCerts::new_with_certs(&roots))
        .client_cert(client)
        .disable_verification(options.is_insecure(&origin.host))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build())
}

/// The first `NAME.cert`, with the `NAME.key` beside it.
fn client_certificate(dir: &Path) -> Result<Option<ClientCert>, RegistryError> {
    let Some(path) = files_of(dir, "cert")?.into_iter().next() else { return Ok(None) };
    let key_path = path.with_extension("key");
    if !key_path.exists() {
        return Err(file(&path, format!("its key {} is missing", key_path.display())));
    }
    let mut chain = Vec::new();
    for item in pem(&path)? {
        chain.extend(certificate(item.map_err(|reason| file(&path, reason))?));
    }
    let key = pem(&key_path)?.into_iter().find_map(|item| match item {
        Ok(PemItem::PrivateKey(key)) => Some(key),
        _ => None,
    });
    let key: PrivateKey<'static> = key.ok_or_else(|| file(&key_path, "there is no private key in it"))?;
    Ok(Some(ClientCert::new_with_certs(&chain, key)))
}

fn files_of(dir: &Path, extension: &str) -> Result<Vec<PathBuf>, RegistryError> {
    let entries = std::fs::read_dir(dir).map_err(|e| file(dir, crate::kernel::errno::io_words(&e)))?;
    let mut found: Vec<PathBuf> = entries
        .filter_map(|e| Some(e.ok()?.path()))
        .filter(|p| p.extension().is_some_and(|e| e == extension))
        .collect();
    found.sort();
    Ok(found)
}

fn pem(path: &Path) -> Result<Vec<Result<PemItem<'static>, String>>, RegistryError> {
    let text = std::fs::read(path).map_err(|e| file(path, crate::kernel::errno::io_words(&e)))?;
    Ok(parse_pem(&text).map(|item| item.map_err(|e| e.to_string())).collect())
}

fn certificate(item: PemItem<'static>) -> Option<Certificate<'static>> {
    match item {
        PemItem::Certificate(certificate) => Some(certificate),
        _ => None,
    }
}

fn file(path: &Path, reason: impl Into<String>) -> RegistryError {
    RegistryError::File { path: path.to_owned(), reason: reason.into() }
}
