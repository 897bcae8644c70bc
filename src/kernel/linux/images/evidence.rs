//! What is read back after a step: from the store's files, not from what the
//! step believes to have done.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::super::evidence::{fact, made};
use crate::image::digest::Hashing;
use crate::image::layers::Hidden;
use crate::kernel::counts;
use crate::kernel::linux::state::State;
use crate::plan::image::ImageOp;
use crate::trace::{Fact, Kind, Value};

/// What there is to say of an operation's result.
pub fn evidence(op: &ImageOp, state: &State) -> Vec<Fact> {
    let mut facts = result(op, state);
    let counted = &state.images.counted;
    if !counted.is_empty() {
        let text: Vec<String> = counted.iter().map(|(name, n)| format!("{name} {n}")).collect();
        facts.push(fact("counted as they were made", "more system calls", Value::Text(text.join(", "))));
    }
    facts
}

fn result(op: &ImageOp, state: &State) -> Vec<Fact> {
    let images = &state.images;
    match op {
        ImageOp::OpenArchive { path } => {
            let mut facts = if path == "-" { Vec::new() } else { made(path) };
            if let Some(seen) = &images.seen {
                facts.push(fact("tar headers", "shape", Value::from(seen.shape)));
                facts.push(fact("tar headers", "entries", Value::Int(int(seen.entries))));
                let how = if seen.in_place { "in place" } else { "staged from a stream" };
                facts.push(fact("tar headers", "read", Value::from(how)));
            }
            facts
        }
        ImageOp::ReadManifests { path } => {
            let Some(manifests) = &images.manifests else { return Vec::new() };
            let names = |refs: &[crate::image::Reference]| match refs {
                [] => "<none>".to_owned(),
                refs => refs.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
            };
            manifests.names().map(|n| fact(path, "image", Value::Text(names(n)))).collect()
        }
        ImageOp::ReadConfigs { path } => images
            .incoming
            .iter()
            .flat_map(|image| {
                let made = if image.made { "made from manifest.json" } else { "as it is" };
                let digest = |key: &str, d: &str| fact(path, key, Value::volatile(Kind::Digest, d));
                let mut facts = vec![
                    digest("config", &image.id()),
                    digest("manifest", &image.digest()),
                    fact(path, "manifest", Value::from(made)),
                ];
                facts.extend(names_of_layers(path, image));
                facts
            })
            .collect(),
        ImageOp::AskRegistry { registry, .. } => super::pull::evidence(registry, images),
        ImageOp::FetchConfig { registry, .. } => {
            let mut facts = super::pull::evidence(registry, images);
            // What the manifest said was told before.
            facts.retain(|f| f.source == Value::from("HTTP"));
            for image in &images.incoming {
                facts.push(fact(registry, "config", Value::volatile(Kind::Digest, image.id())));
                facts.extend(names_of_layers(registry, image));
            }
            facts
        }
        ImageOp::TakeLayer { index, blob: digest, file, dir, .. } => {
            let mut facts = blob(file);
            // A foreign layer: the registry did not have it.
            if let Some(address) = images.source.as_ref().and_then(|s| s.came_from(digest)) {
                facts.push(fact("HTTP", "fetched from", Value::Text(address)));
            }
            let root = top(dir);
            // Counted while unpacking; nothing was, if the tree is not there.
            if let Some(unpacked) =
                images.outcomes.get(index).and_then(|o| o.unpacked.as_ref()).filter(|_| !root.is_empty())
            {
                facts.extend(unpacked.converted.iter().flat_map(|c| hidden(dir, c)));
                facts.extend(root);
                facts.extend(super::super::layers::counts(dir, unpacked));
            } else {
                facts.extend(root);
            }
            facts
        }
        ImageOp::NameImages { names, images, manifests, index } => {
            let blobs = Path::new(index).with_file_name("blobs").join("sha256");
            let path =
                |d: &String| blobs.join(d.trim_start_matches("sha256:")).to_string_lossy().into_owned();
            let mut facts: Vec<Fact> = manifests.iter().chain(images).flat_map(|d| blob(&path(d))).collect();
            facts.extend(named(index, names));
            facts
        }
        ImageOp::FreezeContainer { .. } | ImageOp::ThawContainer { .. } => {
            let state = images.making.frozen.as_ref().map(|f| f.state());
            state.map(|(path, state)| fact(&path, "state", Value::Text(state))).into_iter().collect()
        }
        ImageOp::WriteLayer { upper, .. } => match &images.making.layer {
            Some(layer) => {
                let mut facts = blob(&layer.path.to_string_lossy());
                facts.extend(counts::written(upper, &layer.written));
                facts
            }
            None => Vec::new(),
        },
        ImageOp::ImportTar { path } => match &images.making.tar {
            Some(tar) => {
                let mut facts = blob(&tar.blob.to_string_lossy());
                facts.push(fact(path, "diff ID", Value::volatile(Kind::Digest, &tar.layer.diff_id)));
                facts.push(fact(path, "media type", Value::Text(tar.layer.media_type.clone())));
                let root = top(&tar.place.join("diff").to_string_lossy());
                facts.extend(root.into_iter().map(|f| fact(path, &f.key, f.value)));
                facts
            }
            None => Vec::new(),
        },
        ImageOp::StoreLayer { file, dir, .. } => {
            let mut facts = blob(file);
            facts.extend(dir.iter().flat_map(|d| top(d)));
            facts
        }
        ImageOp::TagImage { name, index, .. } => named(index, std::slice::from_ref(name)),
        ImageOp::RemoveImage { names, image, index, .. } => {
            let config = Path::new(index)
                .with_file_name("blobs")
                .join("sha256")
                .join(image.trim_start_matches("sha256:"));
            let mut facts = named(index, names);
            facts.extend(blob(&config.to_string_lossy()));
            facts
        }
        ImageOp::SaveImages { path, .. } | ImageOp::ExportTree { path, .. } => {
            let written = fact(path, "bytes written", Value::volatile(Kind::Bytes, images.making.bytes));
            let mut facts = if path == "-" { Vec::new() } else { blob(path) };
            facts.push(written);
            facts
        }
        ImageOp::CollectGarbage { store } => collected(store, images),
        ImageOp::CompressLayer { .. }
        | ImageOp::PushLayer { .. }
        | ImageOp::PushConfig { .. }
        | ImageOp::PutManifest { .. }
        | ImageOp::SearchIndex { .. }
        | ImageOp::ReadManifest { .. }
        | ImageOp::TryCredential { .. }
        | ImageOp::KeepCredential { .. }
        | ImageOp::ForgetCredential { .. } => {
            images.asking.as_ref().map_or_else(Vec::new, |asking| super::push::evidence(op, asking))
        }
    }
}

/// How much there is now, and what a collection took.
fn collected(store: &str, images: &super::Images) -> Vec<Fact> {
    let count = |dir: &str| {
        let entries = std::fs::read_dir(Path::new(store).join(dir));
        int(entries.map_or(0, Iterator::count) as u64)
    };
    let mut facts = vec![
        fact(store, "blobs", Value::Int(count("blobs/sha256"))),
        fact(store, "layers", Value::Int(count("layers"))),
    ];
    if let Some(collected) = &images.making.collected {
        facts.push(fact("collection", "blobs removed", Value::Int(int(collected.blobs.len() as u64))));
        facts.push(fact("collection", "layers removed", Value::Int(int(collected.layers.len() as u64))));
        facts.push(fact("collection", "bytes freed", Value::volatile(Kind::Bytes, collected.bytes)));
    }
    facts
}

/// The three names of each layer.
fn names_of_layers(source: &str, image: &crate::image::Incoming) -> Vec<Fact> {
    let digest = |key: String, d: &str| fact(source, &key, Value::volatile(Kind::Digest, d));
    let of = |(n, layer): (u32, &crate::image::intake::Wanted)| {
        [
            digest(format!("layer {n} blob"), layer.blob.digest().as_ref()),
            digest(format!("layer {n} diff ID"), &layer.diff_id),
            digest(format!("layer {n} chain ID"), &layer.chain_id),
        ]
    };
    (1..).zip(&image.layers).flat_map(of).collect()
}

/// Size and digest of a stored blob, read from the disk.
pub(super) fn blob(path: &str) -> Vec<Fact> {
    let Ok(mut file) = std::fs::File::open(path) else {
        return vec![fact("stat(2)", path, Value::from("no such file or directory"))];
    };
    let mut hash = Hashing::new(std::io::sink());
    if std::io::copy(&mut file, &mut hash).is_err() {
        return made(path);
    }
    let (_, digest, bytes) = hash.finish();
    vec![
        fact(path, "sha256", Value::volatile(Kind::Digest, digest)),
        fact(path, "size", Value::volatile(Kind::Bytes, bytes)),
    ]
}

/// The names in a tree's root.
fn top(dir: &str) -> Vec<Fact> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let mut names: Vec<String> =
        entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    vec![fact(dir, "its root", Value::Text(names.join(" ")))]
}

/// What a whiteout of the tar became, as the file system has it now.
fn hidden(dir: &str, converted: &crate::image::layers::Converted) -> Vec<Fact> {
    let path = Path::new(dir).join(converted.path.trim_start_matches('/'));
    let now = match converted.how {
        Hidden::Device | Hidden::Replaced => {
            let shown = path.to_string_lossy().into_owned();
            let text = made(&shown).pop().map_or("nothing".to_owned(), |f| f.value.text());
            // Whose it is and how it may be used means nothing for a whiteout.
            Value::from(text.split(", ").next().unwrap_or_default())
        }
        Hidden::Opaque => {
            let mut value = [0u8; 8];
            match rustix::fs::lgetxattr(path.as_os_str().as_bytes(), "trusted.overlay.opaque", &mut value[..])
            {
                Ok(n) => Value::Text(format!(
                    "trusted.overlay.opaque={}",
                    String::from_utf8_lossy(&value[..n.min(8)])
                )),
                Err(e) => Value::from(crate::kernel::Errno::from(e).words()),
            }
        }
    };
    vec![fact(&path.to_string_lossy(), &converted.entry, now)]
}

/// What the names mean in the index, as it is on the disk.
fn named(index: &str, names: &[String]) -> Vec<Fact> {
    let text = std::fs::read(index).unwrap_or_default();
    let Ok(json) = serde_json::from_slice::<serde_json::Value>(&text) else { return Vec::new() };
    let entries = json.get("manifests").and_then(|m| m.as_array()).cloned().unwrap_or_default();
    let of = |name: &String| {
        let entry = entries.iter().find(|e| {
            e.pointer("/annotations/org.opencontainers.image.ref.name").and_then(|n| n.as_str()) == Some(name)
        });
        let digest = entry.and_then(|e| e.get("digest")).and_then(|d| d.as_str());
        digest.map_or(Value::from("not there"), |d| Value::volatile(Kind::Digest, d))
    };
    names.iter().map(|n| fact(index, n, of(n))).collect()
}

fn int(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
