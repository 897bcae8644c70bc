//! What is asked of the modelled registry, and what is sent there.

use super::super::{Cx, at_cwd};
use super::{fact, int, load, write};
use crate::image::index::Content;
use crate::image::manifest::{self, Document, Manifest};
use crate::image::{ImageError, Reference, digest};
use crate::kernel::model::registry;
use crate::kernel::{Errno, Failure};
use crate::plan::image::ImageOp;
use crate::trace::{Fact, Kind, Value};

/// What a registry was asked, and what came of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    /// What the name leads to.
    pub reference: String,
    /// A manifest, byte for byte, with its digest.
    pub manifest: Option<(String, Vec<u8>)>,
    /// Its config, if that was asked for.
    pub config: Option<Vec<u8>>,
    /// Names of repositories.
    pub hits: Vec<String>,
}

pub fn apply(op: &ImageOp, cx: &mut Cx<'_>) -> Result<bool, Failure> {
    match op {
        ImageOp::AskRegistry { registry, reference, .. } => {
            ask(cx, registry, reference)?;
            Ok(true)
        }
        ImageOp::FetchConfig { .. } => fetch(cx),
        ImageOp::ReadManifest { registry, reference, all } => {
            let bytes = ask(cx, registry, reference)?;
            if let (true, Document::Manifest(manifest)) = (*all, parsed(reference, &bytes)?) {
                let config = read(cx, manifest.config.digest().as_ref())?;
                cx.carried.images.asked.config = Some(config);
            }
            Ok(false)
        }
        ImageOp::SearchIndex { registry, term, limit } => {
            let all = cx.w.repositories(registry).into_iter();
            let names = all.map(|n| n.strip_prefix("library/").unwrap_or(&n).to_owned());
            let limit = usize::try_from(*limit).unwrap_or(usize::MAX);
            cx.carried.images.asked.hits = names.filter(|n| n.contains(term.as_str())).take(limit).collect();
            Ok(false)
        }
        ImageOp::PushLayer { blob, .. } | ImageOp::PushConfig { blob, .. } => send(cx, blob),
        ImageOp::PutManifest { reference, manifest, .. } => {
            send(cx, manifest)?;
            let path = registry::tag(&name(reference)?);
            write(cx, &path, manifest.clone().into_bytes())?;
            Ok(false)
        }
        other => Err(Failure::new(
            format!("do {} on the modelled machine: it has no such operation", other.name()),
            None,
        )
        .hint("leave --model out to work with real registries")),
    }
}

/// Asks what a name means; gives the manifest.
fn ask(cx: &mut Cx<'_>, from: &str, text: &str) -> Result<Vec<u8>, Failure> {
    let reference = name(text)?;
    let Some(found) = cx.w.registered(&reference) else {
        return Err(Failure::new(format!("get {text} from {from}: not found"), None).hint(
            "the modelled registry has one image, demo, and what was pushed with --model; real registries \
             are not asked",
        ));
    };
    let bytes = read(cx, &found)?;
    let asked = &mut cx.carried.images.asked;
    (asked.reference, asked.manifest) = (text.to_owned(), Some((found, bytes.clone())));
    Ok(bytes)
}

/// The config of what was found. Its layers wait for their steps.
fn fetch(cx: &mut Cx<'_>) -> Result<bool, Failure> {
    let asked = cx.carried.images.asked.clone();
    let Some((digest, bytes)) = asked.manifest else {
        return Err(Failure::new("go on: no manifest was read", None));
    };
    let Document::Manifest(manifest) = parsed(&asked.reference, &bytes)? else {
        let reason = "the modelled registry has no indexes".to_owned();
        return Err(Failure::new(format!("read the manifest of {}: {reason}", asked.reference), None));
    };
    let config = read(cx, manifest.config.digest().as_ref())?;
    let layers: Vec<_> = manifest.layers.iter().map(|l| (l.digest().to_string(), l.size())).collect();
    load::arrive(cx, vec![asked.reference], &config, &layers, bytes)?;
    cx.carried.images.source = Some(digest);
    Ok(true)
}

/// A blob of the registry, verified.
pub fn read(cx: &mut Cx<'_>, blob: &str) -> Result<Vec<u8>, Failure> {
    let path = registry::blob(blob);
    let shown = path.clone();
    let bytes = cx
        .read(
            "openat",
            || vec![("dirfd", at_cwd()), ("pathname", shown.into()), ("flags", "O_RDONLY|O_CLOEXEC".into())],
            |_| Value::Int(3),
            |w, _| w.disk_entry(&path).map(|e| e.content.to_vec()).ok_or(Errno::ENOENT),
        )
        .map_err(|e| Failure::new(format!("read {blob} of the modelled registry"), Some(e)))?;
    let actual = digest::of_bytes(&bytes);
    if actual != blob {
        return Err(ImageError::Digest { what: path, expected: blob.to_owned(), actual }.into());
    }
    Ok(bytes)
}

/// Sends a blob of the store; `true` when the registry had it.
fn send(cx: &mut Cx<'_>, blob: &str) -> Result<bool, Failure> {
    let path = registry::blob(blob);
    if cx.w.disk_entry(&path).is_some() {
        return Ok(true);
    }
    let bytes = cx.w.bytes_of(blob)?;
    write(cx, &path, bytes)?;
    Ok(false)
}

fn name(text: &str) -> Result<Reference, ImageError> {
    Reference::parse(text).map_err(|error| ImageError::Reference { input: text.to_owned(), error })
}

fn parsed(what: &str, bytes: &[u8]) -> Result<Document, ImageError> {
    manifest::parse(bytes, None).map_err(|error| ImageError::Manifest { what: what.to_owned(), error })
}

/// What the registry has now.
pub fn evidence(op: &ImageOp, cx: &Cx<'_>) -> Vec<Fact> {
    let asked = &cx.carried.images.asked;
    let volatile = |d: &str| Value::volatile(Kind::Digest, d);
    match op {
        ImageOp::AskRegistry { registry, .. } => {
            let Some((digest, bytes)) = &asked.manifest else { return Vec::new() };
            let Ok(Document::Manifest(manifest)) = manifest::parse(bytes, None) else { return Vec::new() };
            let Manifest { media_type, config, .. } = *manifest;
            vec![
                fact(registry, "media type", Value::Text(media_type)),
                fact(registry, "manifest", volatile(digest)),
                fact(registry, "config", volatile(config.digest().as_ref())),
            ]
        }
        ImageOp::ReadManifest { registry, .. } => {
            let Some((digest, bytes)) = &asked.manifest else { return Vec::new() };
            let kind = manifest::parse(bytes, None).map_or(String::new(), |d| match d {
                Document::Manifest(manifest) => manifest.media_type,
                Document::Index(index) => index.media_type,
            });
            vec![fact(registry, &kind, volatile(digest))]
        }
        ImageOp::SearchIndex { registry, .. } => {
            vec![fact(registry, "repositories", int(asked.hits.len() as u64))]
        }
        ImageOp::PushLayer { registry, blob, .. } | ImageOp::PushConfig { registry, blob, .. } => {
            let there = cx.w.disk_entry(&registry::blob(blob)).is_some();
            vec![fact(registry, blob, if there { "it is there" } else { "it is not there" }.into())]
        }
        ImageOp::PutManifest { registry, reference, .. } => {
            let Ok(reference) = name(reference) else { return Vec::new() };
            let now = cx.w.registered(&reference);
            let now = now.map_or("not there".into(), |d| volatile(&d));
            vec![fact(registry, reference.tag().unwrap_or_default(), now)]
        }
        _ => Vec::new(),
    }
}
