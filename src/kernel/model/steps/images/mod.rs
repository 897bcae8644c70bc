//! Operations on images, on the modelled machine: the same files in the same
//! places, made from bytes in memory.

mod evidence;
mod load;
mod make;
mod registry;

use std::collections::BTreeSet;
use std::path::Path;

use oci_spec::image::ImageIndex;

use super::{Cx, at_cwd, fail, zero};
use crate::image::index::{Collected, Content, NewImage, SOURCE, name_image};
use crate::image::manifest::OCI_MANIFEST;
use crate::image::{ImageError, Reference};
use crate::kernel::Failure;
use crate::kernel::model::store::index_text;
use crate::kernel::model::world::HostEntry;
use crate::plan::image::ImageOp;
pub(super) use evidence::evidence;
use evidence::{fact, int};
pub(super) use load::unpack;
pub(crate) use registry::Asked;

pub(super) fn apply(op: &ImageOp, cx: &mut Cx<'_>) -> Result<bool, Failure> {
    match op {
        ImageOp::OpenArchive { path } => load::open(path, cx),
        ImageOp::ReadManifests { path } => load::manifests(path, cx),
        ImageOp::ReadConfigs { path } => load::configs(path, cx),
        ImageOp::TakeLayer { blob, diff_id, file, dir, .. } => load::take(cx, blob, diff_id, file, dir),
        ImageOp::NameImages { images, manifests, index, .. } => {
            for digest in images.iter().chain(manifests) {
                let path = blob_path(cx, digest)?;
                let bytes = cx.carried.images.blobs.get(digest).cloned().unwrap_or_default();
                write(cx, &path, bytes)?;
            }
            let text = index_with(cx, manifests, index)?;
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
        | ImageOp::CollectGarbage { .. } => make::apply(op, cx),
        ImageOp::AskRegistry { .. }
        | ImageOp::FetchConfig { .. }
        | ImageOp::CompressLayer { .. }
        | ImageOp::PushLayer { .. }
        | ImageOp::PushConfig { .. }
        | ImageOp::PutManifest { .. }
        | ImageOp::SearchIndex { .. }
        | ImageOp::ReadManifest { .. }
        | ImageOp::TryCredential { .. }
        | ImageOp::KeepCredential { .. }
        | ImageOp::ForgetCredential { .. } => registry::apply(op, cx),
    }
}

/// Takes an operation back. Nothing is removed that another image or a container
/// needs.
pub(super) fn undo(op: &ImageOp, cx: &mut Cx<'_>) -> Result<(), Failure> {
    match op {
        ImageOp::TakeLayer { blob, chain_id, stored, unpacked, .. } => {
            let blobs = (!stored).then_some(blob.as_str());
            let chains = (!unpacked).then_some(chain_id.as_str());
            discard(cx, blobs.as_slice(), chains.as_slice())
        }
        // The index is replaced whole; a blob that it does not name is no image.
        ImageOp::NameImages { images, manifests, .. } => {
            let blobs: Vec<&str> = images.iter().chain(manifests).map(String::as_str).collect();
            discard(cx, &blobs, &[])
        }
        ImageOp::StoreLayer { blob, chain_id, dir, .. } => {
            let chains = dir.as_ref().map(|_| chain_id.as_str());
            discard(cx, &[blob], chains.as_slice())
        }
        ImageOp::TagImage { manifest, name, before, index, .. } => {
            make::untag(cx, manifest, name, before.as_deref(), index)
        }
        // These only read, or leave nothing in the store.
        _ => Ok(()),
    }
}

/// Writes a file: beside, and then renamed, as the real kernel does.
fn write(cx: &mut Cx<'_>, path: &str, content: Vec<u8>) -> Result<(), Failure> {
    let shown = path.to_owned();
    let (dir, name) = path.rsplit_once('/').unwrap_or(("/", path));
    let entry = HostEntry::File { path: name.to_owned(), mode: 0o644, content };
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

fn write_index(cx: &mut Cx<'_>, index: &ImageIndex, path: &str) -> Result<(), Failure> {
    let text = index_text(index, Path::new(path))?;
    write(cx, path, text)
}

fn remove(cx: &mut Cx<'_>, path: &str) -> Result<(), Failure> {
    let shown = path.to_owned();
    cx.call(
        "unlinkat",
        || vec![("dirfd", at_cwd()), ("pathname", shown.into())],
        zero,
        |w, _| w.disk_remove(path),
    )
    .map(drop)
    .map_err(fail(|| format!("remove {path}")))
}

fn blob_path(cx: &Cx<'_>, digest: &str) -> Result<String, ImageError> {
    Ok(Content::blob(cx.w, digest)?.to_string_lossy().into_owned())
}

/// The index with the names of what arrives.
fn index_with(cx: &mut Cx<'_>, manifests: &[String], path: &str) -> Result<Vec<u8>, Failure> {
    let mut index = cx.w.index()?;
    let images = &cx.carried.images;
    for arriving in images.arriving.iter().filter(|a| manifests.contains(&a.manifest)) {
        let mut notes = cx.w.notes(&arriving.manifest)?;
        notes.extend(images.source.clone().map(|s| (SOURCE.to_owned(), s)));
        let new = NewImage {
            manifest: images.blobs.get(&arriving.manifest).cloned().unwrap_or_default(),
            media_type: OCI_MANIFEST.to_owned(),
            id: arriving.image.clone(),
            references: arriving.names.iter().filter_map(|n| Reference::parse(n).ok()).collect(),
        };
        name_image(&mut index, &arriving.manifest, &new, &notes, &arriving.names)?;
    }
    Ok(index_text(&index, Path::new(path))?)
}

/// Removes those of these blobs and layers that nothing leads to.
fn discard(cx: &mut Cx<'_>, blobs: &[&str], chains: &[&str]) -> Result<(), Failure> {
    let marks = cx.w.marked(&cx.w.index()?, &cx.carried.images.in_use);
    let mut gone = Vec::new();
    for chain in chains.iter().filter(|c| !marks.all_layers && !marks.chains.contains(**c)) {
        gone.push(cx.w.layer_place(chain)?);
    }
    for blob in blobs.iter().filter(|b| !marks.all_blobs && !marks.blobs.contains(**b)) {
        gone.push(Content::blob(cx.w, blob)?);
    }
    for path in gone {
        let path = path.to_string_lossy();
        if cx.w.disk_entry(&path).is_some() {
            remove(cx, &path)?;
        }
    }
    Ok(())
}

/// Removes every blob and tree that nothing leads to.
fn collect(cx: &mut Cx<'_>, index: &ImageIndex) -> Result<Collected, Failure> {
    let marks = cx.w.marked(index, &cx.carried.images.in_use);
    let root = Content::root(cx.w).to_string_lossy().into_owned();
    let mut done = Collected::default();
    let unneeded = |cx: &Cx<'_>, dir: &str, needed: &BTreeSet<String>| -> Vec<(String, String)> {
        let names = cx.w.disk_names(dir).into_iter();
        names
            .map(|n| (format!("sha256:{n}"), format!("{dir}/{n}")))
            .filter(|(d, _)| !needed.contains(d))
            .collect()
    };
    if !marks.all_layers {
        for (chain, path) in unneeded(cx, &format!("{root}/layers"), &marks.chains) {
            done.bytes += cx.w.tree_size(Path::new(&path)).unwrap_or(0);
            remove(cx, &path)?;
            done.layers.insert(chain);
        }
    }
    if !marks.all_blobs {
        for (blob, path) in unneeded(cx, &format!("{root}/blobs/sha256"), &marks.blobs) {
            done.bytes += cx.w.disk_entry(&path).map_or(0, |e| e.content.len() as u64);
            remove(cx, &path)?;
            done.blobs.insert(blob);
        }
    }
    Ok(done)
}
