//! The shape of the documents, as the specification's JSON schemas have it:
//! which fields there must be, and of which type.

use serde_json::Value;

use super::ManifestError;

type Checked = Result<(), ManifestError>;

pub(super) fn field(path: &str, reason: &str) -> ManifestError {
    ManifestError::Field { path: path.to_owned(), reason: reason.to_owned() }
}

fn at(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// A field that may be absent or null.
fn optional<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    value.get(key).filter(|v| !v.is_null())
}

fn required<'a>(value: &'a Value, path: &str, key: &str) -> Result<&'a Value, ManifestError> {
    optional(value, key).ok_or_else(|| field(&at(path, key), "is missing"))
}

fn text<'a>(value: &'a Value, path: &str) -> Result<&'a str, ManifestError> {
    value.as_str().ok_or_else(|| field(path, "is no text"))
}

fn list<'a>(value: &'a Value, path: &str) -> Result<&'a [Value], ManifestError> {
    value.as_array().map(Vec::as_slice).ok_or_else(|| field(path, "is no list"))
}

fn object(value: &Value, path: &str) -> Checked {
    if value.is_object() { Ok(()) } else { Err(field(path, "is no object")) }
}

fn optional_text(value: &Value, path: &str, key: &str) -> Checked {
    optional(value, key).map_or(Ok(()), |v| text(v, &at(path, key)).map(drop))
}

fn texts(value: &Value, path: &str, key: &str) -> Checked {
    let Some(items) = optional(value, key) else { return Ok(()) };
    let path = at(path, key);
    list(items, &path)?
        .iter()
        .enumerate()
        .try_for_each(|(i, item)| text(item, &format!("{path}[{i}]")).map(drop))
}

/// Names to texts: annotations, labels.
fn text_map(value: &Value, path: &str, key: &str) -> Checked {
    let Some(map) = optional(value, key) else { return Ok(()) };
    let path = at(path, key);
    object(map, &path)?;
    map.as_object().into_iter().flatten().try_for_each(|(k, v)| text(v, &format!("{path}.{k}")).map(drop))
}

/// Names to empty objects: ports, volumes.
fn set(value: &Value, path: &str, key: &str) -> Checked {
    let Some(map) = optional(value, key) else { return Ok(()) };
    let path = at(path, key);
    object(map, &path)?;
    map.as_object().into_iter().flatten().try_for_each(|(k, v)| object(v, &format!("{path}.{k}")))
}

/// RFC 6838, 4.2: `type/subtype`, each at most 127 characters.
fn media_type(value: &Value, path: &str) -> Checked {
    let part = |p: &str| {
        p.len() <= 127
            && p.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
            && p.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
    };
    match text(value, path)?.split_once('/') {
        Some((kind, sub)) if part(kind) && part(sub) => Ok(()),
        _ => Err(field(path, "is no media type")),
    }
}

/// descriptor.md "Digests": `algorithm:encoded`.
fn digest(value: &Value, path: &str) -> Checked {
    let bad = || field(path, "is no digest");
    let (algorithm, encoded) = text(value, path)?.split_once(':').ok_or_else(bad)?;
    let component =
        |p: &str| !p.is_empty() && p.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let hex = |n: usize| {
        encoded.len() == n && encoded.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let fits = match algorithm {
        "sha256" => hex(64),
        "sha512" => hex(128),
        _ => {
            algorithm.split(['+', '.', '_', '-']).all(component)
                && !encoded.is_empty()
                && encoded.bytes().all(|b| b.is_ascii_alphanumeric() || b"=_-".contains(&b))
        }
    };
    if fits { Ok(()) } else { Err(bad()) }
}

/// The standard alphabet with padding, RFC 4648, 4.
fn base64(value: &Value, path: &str) -> Checked {
    let body = text(value, path)?;
    let content = body.trim_end_matches('=');
    let fits = body.len() % 4 == 0
        && body.len() - content.len() <= 2
        && content.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/');
    if fits { Ok(()) } else { Err(field(path, "is not base64")) }
}

/// An absolute URI, RFC 3986, as far as it matters: a scheme, and no spaces.
fn uri(value: &Value, path: &str) -> Checked {
    let fits = text(value, path)?.split_once(':').is_some_and(|(scheme, rest)| {
        scheme.bytes().next().is_some_and(|b| b.is_ascii_alphabetic())
            && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
            && !rest.is_empty()
            && rest.bytes().all(|b| b.is_ascii_graphic())
    });
    if fits { Ok(()) } else { Err(field(path, "is no URL")) }
}

/// A descriptor, descriptor.md.
///
/// # Errors
/// [`ManifestError::Field`].
pub fn check_descriptor(value: &Value, path: &str) -> Checked {
    object(value, if path.is_empty() { "descriptor" } else { path })?;
    media_type(required(value, path, "mediaType")?, &at(path, "mediaType"))?;
    digest(required(value, path, "digest")?, &at(path, "digest"))?;
    let size = required(value, path, "size")?;
    // Sizes are signed 64-bit numbers to other readers.
    if size.as_u64().is_none_or(|n| i64::try_from(n).is_err()) {
        return Err(field(&at(path, "size"), "is no number of bytes"));
    }
    if let Some(kind) = optional(value, "artifactType") {
        media_type(kind, &at(path, "artifactType"))?;
    }
    if let Some(data) = optional(value, "data") {
        base64(data, &at(path, "data"))?;
    }
    if let Some(urls) = optional(value, "urls") {
        let path = at(path, "urls");
        for (i, url) in list(urls, &path)?.iter().enumerate() {
            uri(url, &format!("{path}[{i}]"))?;
        }
    }
    text_map(value, path, "annotations")
}

fn schema_version(value: &Value) -> Checked {
    match required(value, "", "schemaVersion")?.as_u64() {
        Some(2) => Ok(()),
        _ => Err(field("schemaVersion", "is not 2")),
    }
}

fn descriptors(value: &Value, key: &str) -> Result<usize, ManifestError> {
    let items = list(required(value, "", key)?, key)?;
    for (i, item) in items.iter().enumerate() {
        check_descriptor(item, &format!("{key}[{i}]"))?;
    }
    Ok(items.len())
}

fn common(value: &Value) -> Checked {
    if let Some(subject) = optional(value, "subject") {
        check_descriptor(subject, "subject")?;
    }
    if let Some(kind) = optional(value, "artifactType") {
        media_type(kind, "artifactType")?;
    }
    text_map(value, "", "annotations")
}

/// An image manifest. Docker's may have no layers, OCI's may not.
pub(super) fn check_manifest(value: &Value, docker: bool) -> Checked {
    object(value, "manifest")?;
    schema_version(value)?;
    check_descriptor(required(value, "", "config")?, "config")?;
    if descriptors(value, "layers")? == 0 && !docker {
        return Err(field("layers", "is empty"));
    }
    common(value)
}

/// An index, or Docker's list.
pub(super) fn check_index(value: &Value) -> Checked {
    object(value, "index")?;
    schema_version(value)?;
    descriptors(value, "manifests")?;
    for (i, item) in list(&value["manifests"], "manifests")?.iter().enumerate() {
        let Some(platform) = optional(item, "platform") else { continue };
        let path = format!("manifests[{i}].platform");
        object(platform, &path)?;
        for key in ["architecture", "os"] {
            text(required(platform, &path, key)?, &at(&path, key))?;
        }
        for key in ["variant", "os.version"] {
            optional_text(platform, &path, key)?;
        }
        for key in ["os.features", "features"] {
            texts(platform, &path, key)?;
        }
    }
    common(value)
}

/// An image's config, config.md.
///
/// # Errors
/// [`ManifestError::Field`].
pub fn check_config(value: &Value) -> Checked {
    object(value, "config")?;
    for key in ["architecture", "os"] {
        text(required(value, "", key)?, key)?;
    }
    for key in ["created", "author", "variant", "os.version"] {
        optional_text(value, "", key)?;
    }
    texts(value, "", "os.features")?;
    let rootfs = required(value, "", "rootfs")?;
    object(rootfs, "rootfs")?;
    if text(required(rootfs, "rootfs", "type")?, "rootfs.type")? != "layers" {
        return Err(field("rootfs.type", "is not \"layers\""));
    }
    for (i, id) in list(required(rootfs, "rootfs", "diff_ids")?, "rootfs.diff_ids")?.iter().enumerate() {
        digest(id, &format!("rootfs.diff_ids[{i}]"))?;
    }
    if let Some(history) = optional(value, "history") {
        for (i, entry) in list(history, "history")?.iter().enumerate() {
            let path = format!("history[{i}]");
            object(entry, &path)?;
            for key in ["created", "author", "created_by", "comment"] {
                optional_text(entry, &path, key)?;
            }
            if optional(entry, "empty_layer").is_some_and(|v| !v.is_boolean()) {
                return Err(field(&at(&path, "empty_layer"), "is neither true nor false"));
            }
        }
    }
    let Some(config) = optional(value, "config") else { return Ok(()) };
    object(config, "config")?;
    for key in ["User", "WorkingDir", "StopSignal"] {
        optional_text(config, "config", key)?;
    }
    for key in ["Env", "Entrypoint", "Cmd"] {
        texts(config, "config", key)?;
    }
    for key in ["ExposedPorts", "Volumes"] {
        set(config, "config", key)?;
    }
    text_map(config, "config", "Labels")?;
    let env = optional(config, "Env").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    match env.iter().position(|e| e.as_str().is_none_or(|e| !e.contains('='))) {
        Some(i) => Err(field(&format!("config.Env[{i}]"), "is not of the form NAME=VALUE")),
        None => Ok(()),
    }
}

/// The file `oci-layout`, image-layout.md.
///
/// # Errors
/// [`ManifestError::Field`].
pub fn check_layout(value: &Value) -> Checked {
    object(value, "layout")?;
    match text(required(value, "", "imageLayoutVersion")?, "imageLayoutVersion")? {
        "1.0.0" => Ok(()),
        _ => Err(field("imageLayoutVersion", "is not 1.0.0")),
    }
}
