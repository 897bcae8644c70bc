//! What is read back after a step: from the modelled disk, not from what the
//! step believes to have done.

use super::super::Cx;
use crate::image::digest;
use crate::image::index::{Content, REF_NAME, annotation};
use crate::kernel::model::store::Unpacked;
use crate::kernel::{Errno, counts};
use crate::plan::image::ImageOp;
use crate::trace::{Fact, Kind, Value};

/// What the modelled disk has now.
pub fn evidence(op: &ImageOp, cx: &mut Cx<'_>) -> Vec<Fact> {
    match op {
        ImageOp::OpenArchive { .. } => match cx.carried.images.files.len() {
            0 => Vec::new(),
            n => vec![
                fact("tar headers", "shape", "docker-archive".into()),
                fact("tar headers", "entries", Value::Int(n as i64)),
                fact("tar headers", "read", "in place".into()),
            ],
        },
        ImageOp::ReadManifests { path } => {
            let names = |names: &[String]| Value::Text(names.join(" "));
            cx.carried.images.manifests.iter().map(|f| fact(path, "image", names(&f.names))).collect()
        }
        ImageOp::ReadConfigs { path } | ImageOp::FetchConfig { registry: path, .. } => {
            let digest = |key: &str, d: &str| fact(path, key, Value::volatile(Kind::Digest, d));
            let of = |image: &crate::plan::image::Arriving| {
                let mut facts = vec![digest("config", &image.image)];
                // What a registry's manifest is was told before.
                if let ImageOp::ReadConfigs { .. } = op {
                    facts.push(digest("manifest", &image.manifest));
                    facts.push(fact(path, "manifest", "made from manifest.json".into()));
                }
                for (n, layer) in (1..).zip(&image.layers) {
                    facts.push(digest(&format!("layer {n} blob"), &layer.blob));
                    facts.push(digest(&format!("layer {n} diff ID"), &layer.diff_id));
                    facts.push(digest(&format!("layer {n} chain ID"), &layer.chain_id));
                }
                facts
            };
            cx.carried.images.arriving.iter().flat_map(of).collect()
        }
        ImageOp::TakeLayer { file, dir, .. } => {
            let mut facts = blob(cx, file);
            if cx.w.disk_entry(dir).is_some() {
                let root = fact(dir, "its root", cx.w.disk_names(dir).join(" ").into());
                let unpacked = cx.carried.images.unpacked.take();
                facts.extend(unpacked.iter().flat_map(|u| hidden(cx, dir, u)));
                facts.push(root);
                facts.extend(unpacked.iter().flat_map(|u| counts(dir, u)));
            }
            facts
        }
        ImageOp::NameImages { names, images, manifests, index } => {
            let paths: Vec<String> =
                manifests.iter().chain(images).filter_map(|d| super::blob_path(cx, d).ok()).collect();
            let mut facts: Vec<Fact> = paths.iter().flat_map(|p| blob(cx, p)).collect();
            facts.extend(named(cx, index, names));
            facts
        }
        ImageOp::WriteLayer { upper, .. } => {
            let Some(staged) = cx.carried.images.staged.clone() else { return Vec::new() };
            let mut facts = blob(cx, &staged.path);
            facts.extend(counts::written(upper, &staged.written));
            facts
        }
        ImageOp::ImportTar { path } => {
            let Some(staged) = cx.carried.images.staged.clone() else { return Vec::new() };
            let mut facts = blob(cx, &staged.path);
            facts.push(fact(path, "diff ID", Value::volatile(Kind::Digest, &staged.layer.diff_id)));
            facts.push(fact(path, "media type", Value::Text(staged.layer.media_type)));
            let root = cx.w.disk_names(&format!("{}/diff", staged.place.unwrap_or_default()));
            facts.push(fact(path, "its root", root.join(" ").into()));
            facts
        }
        ImageOp::StoreLayer { file, dir, .. } => {
            let mut facts = blob(cx, file);
            if let Some(dir) = dir.as_ref().filter(|d| cx.w.disk_entry(d).is_some()) {
                facts.push(fact(dir, "its root", cx.w.disk_names(dir).join(" ").into()));
            }
            facts
        }
        ImageOp::TagImage { name, index, .. } => named(cx, index, std::slice::from_ref(name)),
        ImageOp::RemoveImage { names, image, index, .. } => {
            let mut facts = named(cx, index, names);
            if let Ok(path) = super::blob_path(cx, image) {
                facts.extend(blob(cx, &path));
            }
            facts
        }
        ImageOp::SaveImages { path, .. } | ImageOp::ExportTree { path, .. } => {
            let written = Value::volatile(Kind::Bytes, cx.carried.images.bytes);
            let mut facts = if path == "-" { Vec::new() } else { blob(cx, path) };
            facts.push(fact(path, "bytes written", written));
            facts
        }
        ImageOp::CollectGarbage { store } => {
            let count = |dir: &str| int(cx.w.disk_names(&format!("{store}/{dir}")).len() as u64);
            let mut facts =
                vec![fact(store, "blobs", count("blobs/sha256")), fact(store, "layers", count("layers"))];
            if let Some(collected) = &cx.carried.images.collected {
                facts.push(fact("collection", "blobs removed", int(collected.blobs.len() as u64)));
                facts.push(fact("collection", "layers removed", int(collected.layers.len() as u64)));
                facts.push(fact("collection", "bytes freed", Value::volatile(Kind::Bytes, collected.bytes)));
            }
            facts
        }
        _ => super::registry::evidence(op, cx),
    }
}

/// What the names mean in the index, as it is on the disk.
fn named(cx: &Cx<'_>, path: &str, names: &[String]) -> Vec<Fact> {
    let index = cx.w.index().unwrap_or_default();
    let of = |name: &String| {
        let found = index.manifests().iter().find(|d| annotation(d, REF_NAME) == Some(name));
        found.map_or("not there".into(), |d| Value::volatile(Kind::Digest, d.digest().to_string()))
    };
    names.iter().map(|n| Fact { source: path.into(), key: n.clone(), value: of(n) }).collect()
}

/// Size and digest of a stored blob, read from the disk.
fn blob(cx: &Cx<'_>, path: &str) -> Vec<Fact> {
    let fact = |key: &str, value| Fact { source: path.into(), key: key.to_owned(), value };
    match cx.w.disk_entry(path) {
        Some(entry) => vec![
            fact("sha256", Value::volatile(Kind::Digest, digest::of_bytes(entry.content))),
            fact("size", Value::volatile(Kind::Bytes, entry.content.len())),
        ],
        None => {
            vec![Fact { source: "stat(2)".into(), key: path.to_owned(), value: Errno::ENOENT.words().into() }]
        }
    }
}

pub(super) fn fact(source: &str, key: &str, value: Value) -> Fact {
    Fact { source: source.into(), key: key.to_owned(), value }
}

pub(super) fn int(n: u64) -> Value {
    Value::Int(i64::try_from(n).unwrap_or(i64::MAX))
}

fn counts(dir: &str, unpacked: &Unpacked) -> Vec<Fact> {
    counts::unpacked(
        dir,
        counts::Unpacked {
            entries: unpacked.count,
            tar_bytes: unpacked.tar_bytes,
            file_bytes: unpacked.file_bytes,
            whiteouts: unpacked.whiteouts.len() as u64,
            opaque_dirs: unpacked.opaque.len() as u64,
            skipped_xattrs: 0,
        },
    )
}

/// What the marks of the tar have become on the disk.
fn hidden(cx: &mut Cx<'_>, dir: &str, unpacked: &Unpacked) -> Vec<Fact> {
    let mut facts = Vec::new();
    for (entry, path) in &unpacked.whiteouts {
        let place = format!("{dir}/{path}");
        let now = match cx.w.disk_entry(&place) {
            Some(found) if found.is_whiteout() => "character device 0:0",
            Some(_) => "no whiteout",
            None => Errno::ENOENT.words(),
        };
        facts.push(Fact { source: place.into(), key: entry.clone(), value: now.into() });
    }
    for (entry, path) in &unpacked.opaque {
        let place = format!("{dir}/{path}");
        let now = match cx.w.disk_entry(&place) {
            Some(found) if found.opaque => "trusted.overlay.opaque=y",
            _ => "no such attribute",
        };
        facts.push(Fact { source: place.into(), key: entry.clone(), value: now.into() });
    }
    facts
}
