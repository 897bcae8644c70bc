//! Operations on images, on the modelled machine: the same files in the same
//! places, made from bytes in memory.

use serde_json::{Value as Json, json};

use super::{Cx, at_cwd, fail, zero};
use crate::image::{demo, digest};
use crate::kernel::model::archive::{self, Unpacked};
use crate::kernel::model::world::HostEntry;
use crate::kernel::{Errno, Failure};
use crate::plan::image::ImageOp;
use crate::trace::{Fact, Kind, Value};
use crate::userland::FileType;

const REF_NAME: &str = "/annotations/org.opencontainers.image.ref.name";

pub(super) fn apply(op: &ImageOp, cx: &mut Cx<'_>) -> Result<bool, Failure> {
    match op {
        ImageOp::OpenArchive { path } => {
            let shown = path.clone();
            let bytes = cx
                .read(
                    "openat",
                    || vec![("dirfd", at_cwd()), ("pathname", shown.into()), ("flags", "O_RDONLY|O_CLOEXEC".into())],
                    |_| Value::Int(3),
                    |w, _| match w.disk_entry(path) {
                        Some(entry) if entry.kind == FileType::File => Ok(entry.content.to_vec()),
                        Some(_) => Err(Errno::EISDIR),
                        None => Err(Errno::ENOENT),
                    },
                )
                .map_err(|e| {
                    Failure::new(format!("open the archive {path}"), Some(e))
                        .hint("the modelled machine has one archive, /root/demo.tar; files of this host are not seen")
                })?;
            cx.carried.images.files = archive::files(&bytes).map_err(|e| bad(path, &e))?;
            Ok(true)
        }
        ImageOp::ReadManifests { path } => {
            let images = &mut cx.carried.images;
            images.manifests = archive::manifests(&images.files).map_err(|e| bad(path, &e))?;
            Ok(true)
        }
        ImageOp::AskRegistry { registry, reference, .. } => {
            let images = &mut cx.carried.images;
            images.files = archive::files(&demo::archive()).map_err(|e| bad(registry, &e))?;
            images.manifests = archive::manifests(&images.files).map_err(|e| bad(registry, &e))?;
            if !images.manifests.iter().any(|m| m.names.contains(reference)) {
                return Err(Failure::new(format!("get {reference} from {registry}: not found"), None)
                    .hint("the modelled registry has one image, demo; real registries are not asked"));
            }
            Ok(true)
        }
        ImageOp::ReadConfigs { path } | ImageOp::FetchConfig { registry: path, .. } => {
            let mut images = std::mem::take(&mut cx.carried.images);
            let store = crate::kernel::model::STORE;
            let hex = |d: &str| digest::hex(d).unwrap_or_default().to_owned();
            let place = |d: &str, tree: bool| match tree {
                true => format!("{store}/layers/{}/diff", hex(d)),
                false => format!("{store}/blobs/sha256/{}", hex(d)),
            };
            let resolved = images.resolve(&|d, tree| cx.w.disk_entry(&place(d, tree)).is_some());
            cx.carried.images = images;
            resolved.map_err(|e| bad(path, &e))?;
            Ok(true)
        }
        ImageOp::TakeLayer { blob, diff_id, file, dir, .. } => take(cx, blob, diff_id, file, dir),
        ImageOp::NameImages { names, images, manifests, index } => {
            for digest in images.iter().chain(manifests) {
                let path = blob_path(index, digest);
                let bytes = cx.carried.images.blobs.get(digest).cloned().unwrap_or_default();
                write(cx, &path, bytes)?;
            }
            let text = index_with(cx, names, images, manifests, index);
            write(cx, index, text)?;
            Ok(false)
        }
        ImageOp::FreezeContainer { .. }
        | ImageOp::ThawContainer { .. }
        | ImageOp::WriteLayer { .. }
        | ImageOp::ImportTar { .. }
        | ImageOp::StoreLayer { .. }
        | ImageOp::TagImage { .. }
        | ImageOp::RemoveImage { .. }
        | ImageOp::SaveImages { .. }
        | ImageOp::ExportTree { .. }
        | ImageOp::CompressLayer { .. }
        | ImageOp::PushLayer { .. }
        | ImageOp::PushConfig { .. }
        | ImageOp::PutManifest { .. }
        | ImageOp::SearchIndex { .. }
        | ImageOp::ReadManifest { .. }
        | ImageOp::TryCredential { .. }
        | ImageOp::KeepCredential { .. }
        | ImageOp::ForgetCredential { .. }
        | ImageOp::CollectGarbage { .. } => Err(Failure::new(
            format!("do {} on the modelled machine: it has no such operation", op.name()),
            None,
        )
        .hint("leave --model out to work with the real store")),
    }
}

fn take(cx: &mut Cx<'_>, blob: &str, diff_id: &str, file: &str, dir: &str) -> Result<bool, Failure> {
    let (stored, there) = (cx.w.disk_entry(file).is_some(), cx.w.disk_entry(dir).is_some());
    if stored && there {
        return Ok(true);
    }
    let what = || format!("take in layer {blob}");
    let bytes = cx.carried.images.blobs.get(blob).cloned();
    let bytes = bytes.ok_or_else(|| Failure::new(what(), Some(Errno::ENOENT)))?;
    let found = digest::of_bytes(&bytes);
    if found != blob || found != diff_id {
        return Err(Failure::new(format!("{}: its digest is {found}", what()), None));
    }
    let unpacked = archive::unpack(&bytes).map_err(|e| Failure::new(format!("{}: {e}", what()), None))?;
    write(cx, file, bytes)?;
    let entries = unpacked.entries.clone();
    let shown = dir.to_owned();
    let made = cx.call(
        "mkdirat",
        || vec![("dirfd", at_cwd()), ("pathname", shown.into()), ("mode", "0755".into())],
        zero,
        |w, _| w.populate(dir, &entries),
    );
    if let Err(e) = made {
        // Complete or absent, as on a real disk.
        let _ = cx.w.disk_remove(dir);
        return Err(Failure::new(what(), Some(e)));
    }
    cx.carried.images.unpacked = Some(unpacked);
    Ok(false)
}

fn write(cx: &mut Cx<'_>, path: &str, content: Vec<u8>) -> Result<(), Failure> {
    let shown = path.to_owned();
    let (dir, name) = path.rsplit_once('/').unwrap_or(("/", path));
    let entry = HostEntry::File { path: name.to_owned(), mode: 0o644, content };
    // As the real kernel: written beside, then renamed.
    cx.call(
        "rename",
        || vec![("newpath", shown.into())],
        zero,
        |w, _| {
            w.disk_remove(path)?;
            w.populate(dir, &[entry])
        },
    )
    .map_err(fail(|| format!("write {path}")))
}

fn blob_path(index: &str, digest: &str) -> String {
    let store = index.rsplit_once('/').map_or("", |p| p.0);
    format!("{store}/blobs/sha256/{}", digest::hex(digest).unwrap_or_default())
}

/// The index with the names meaning these manifests.
fn index_with(
    cx: &mut Cx<'_>,
    names: &[String],
    images: &[String],
    manifests: &[String],
    index: &str,
) -> Vec<u8> {
    let old = cx.w.disk_entry(index).map_or(Vec::new(), |e| e.content.to_vec());
    let mut json: Json = serde_json::from_slice(&old).unwrap_or_else(|_| json!({"schemaVersion": 2}));
    let mut entries = json.get("manifests").and_then(Json::as_array).cloned().unwrap_or_default();
    entries.retain(|e| !names.iter().any(|n| e.pointer(REF_NAME).and_then(Json::as_str) == Some(n)));
    for arriving in &cx.carried.images.arriving {
        let at = manifests.iter().position(|m| *m == arriving.manifest);
        let Some(image) = at.and_then(|at| images.get(at)) else { continue };
        let size = cx.carried.images.blobs.get(&arriving.manifest).map_or(0, Vec::len);
        for name in &arriving.names {
            entries.push(json!({
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "digest": arriving.manifest, "size": size,
                "annotations": {"org.opencontainers.image.ref.name": name, "glassbox.image.id": image},
            }));
        }
    }
    json["manifests"] = Json::Array(entries);
    json.to_string().into_bytes()
}

pub(super) fn undo(op: &ImageOp, cx: &mut Cx<'_>) -> Result<(), Failure> {
    let (file, dir) = match op {
        ImageOp::TakeLayer { file, dir, stored, unpacked, .. } => {
            ((!stored).then_some(file.as_str()), (!unpacked).then(|| dir.trim_end_matches("/diff")))
        }
        // The index is replaced whole; a blob that it does not name is no image.
        ImageOp::NameImages { .. } => (None, None),
        // These only read, or are none of the model's.
        _ => (None, None),
    };
    for path in [file, dir].into_iter().flatten() {
        if cx.w.disk_entry(path).is_none() {
            continue;
        }
        let shown = path.to_owned();
        cx.call(
            "unlinkat",
            || vec![("dirfd", at_cwd()), ("pathname", shown.into())],
            zero,
            |w, _| w.disk_remove(path),
        )
        .map_err(fail(|| format!("remove {path}")))?;
    }
    Ok(())
}

/// What the modelled disk has now.
pub(super) fn evidence(op: &ImageOp, cx: &mut Cx<'_>) -> Vec<Fact> {
    let fact =
        |source: &str, key: &str, value: Value| Fact { source: source.into(), key: key.to_owned(), value };
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
        ImageOp::AskRegistry { registry, reference, .. } => {
            let found = cx.carried.images.manifests.iter().any(|m| m.names.contains(reference));
            let held = if found { "a manifest" } else { "nothing" };
            vec![fact(registry, reference, held.into())]
        }
        ImageOp::ReadConfigs { path } | ImageOp::FetchConfig { registry: path, .. } => {
            let digest = |key: &str, d: &str| fact(path, key, Value::volatile(Kind::Digest, d));
            let of = |image: &crate::plan::image::Arriving| {
                let mut facts = vec![
                    digest("config", &image.image),
                    digest("manifest", &image.manifest),
                    fact(path, "manifest", "made from manifest.json".into()),
                ];
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
            let digests: Vec<&String> = manifests.iter().chain(images).collect();
            let mut facts: Vec<Fact> =
                digests.into_iter().flat_map(|d| blob(cx, &blob_path(index, d))).collect();
            let text = cx.w.disk_entry(index).map_or(Vec::new(), |e| e.content.to_vec());
            let json: Json = serde_json::from_slice(&text).unwrap_or_default();
            let entries = json.get("manifests").and_then(Json::as_array).cloned().unwrap_or_default();
            for name in names {
                let entry = entries.iter().find(|e| e.pointer(REF_NAME).and_then(Json::as_str) == Some(name));
                let digest = entry.and_then(|e| e.get("digest")).and_then(Json::as_str);
                let value = digest.map_or("not there".into(), |d| Value::volatile(Kind::Digest, d));
                facts.push(fact(index, name, value));
            }
            facts
        }
        _ => Vec::new(),
    }
}

fn blob(cx: &mut Cx<'_>, path: &str) -> Vec<Fact> {
    let fact = |key: &str, value| Fact { source: path.into(), key: key.to_owned(), value };
    match cx.w.disk_entry(path) {
        Some(entry) => vec![
            fact("sha256", Value::volatile(Kind::Digest, digest::of_bytes(entry.content))),
            fact("size", Value::volatile(Kind::Bytes, entry.content.len())),
        ],
        None => Vec::new(),
    }
}

fn counts(dir: &str, unpacked: &Unpacked) -> Vec<Fact> {
    [
        ("entries", unpacked.count),
        ("bytes of the tar", unpacked.tar_bytes),
        ("bytes of files", unpacked.file_bytes),
        ("whiteouts", unpacked.whiteouts.len() as u64),
        ("opaque directories", unpacked.opaque.len() as u64),
        ("attributes not taken", 0),
    ]
    .into_iter()
    .map(|(key, n)| Fact {
        source: format!("unpacking into {dir}").into(),
        key: key.to_owned(),
        value: Value::Int(i64::try_from(n).unwrap_or(i64::MAX)),
    })
    .collect()
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

fn bad(path: &str, reason: &str) -> Failure {
    Failure::new(format!("load {path}: {reason}"), None)
}
