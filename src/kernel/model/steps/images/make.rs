//! Images made, named, saved and removed on the modelled machine.

use std::path::PathBuf;

use super::super::{Cx, fail, zero};
use super::load::{bytes, unpack};
use super::{collect, write, write_index};
use crate::image::create::LayerRef;
use crate::image::index::{
    Content, NewImage, Removed, name_image, report_removed, take_names, untag as untag_index,
};
use crate::image::save::{self, Format};
use crate::image::{ImageError, Reference, digest, write as pack};
use crate::kernel::model::STORE;
use crate::kernel::model::archive::{Staged, TAR};
use crate::kernel::{Errno, Failure};
use crate::plan::image::ImageOp;
use crate::userland::FileType;

pub fn apply(op: &ImageOp, cx: &mut Cx<'_>) -> Result<bool, Failure> {
    match op {
        ImageOp::FreezeContainer { container, .. } => {
            let short = container.get(..12).unwrap_or(container);
            return Err(Failure::new(
                format!("freeze container {short}: it runs on a machine of its own"),
                None,
            )
            .hint("a modelled machine ends with the command that runs it: try again when it has ended"));
        }
        // What cannot be frozen needs no thawing.
        ImageOp::ThawContainer { .. } => return Ok(true),
        ImageOp::WriteLayer { upper, lower, .. } => write_layer(cx, upper, lower)?,
        ImageOp::ImportTar { path } => import(cx, path)?,
        ImageOp::StoreLayer { file, dir, .. } => store_layer(cx, file, dir.as_deref())?,
        ImageOp::TagImage { manifest, name, index, .. } => tag(cx, manifest, name, index)?,
        ImageOp::RemoveImage { wanted, keep, index, .. } => remove(cx, wanted, *keep, index)?,
        ImageOp::CollectGarbage { .. } => {
            let collected = collect(cx, &cx.w.index()?)?;
            let images = &mut cx.carried.images;
            images.removed.bytes += collected.bytes;
            let nothing = collected.blobs.is_empty() && collected.layers.is_empty();
            images.collected = Some(collected);
            return Ok(nothing);
        }
        ImageOp::SaveImages { path, shape, .. } => {
            let format = Format::of_name(shape);
            let mut out = Vec::new();
            save::save(&*cx.w, &cx.carried.images.chosen, format, &mut out)?;
            output(cx, path, out)?;
        }
        ImageOp::ExportTree { layers, path, .. } => {
            let layers: Vec<PathBuf> = layers.iter().map(PathBuf::from).collect();
            let mut out = Vec::new();
            pack::merged(&cx.w.stack(&layers)?, &mut out)?;
            output(cx, path, out)?;
        }
        other => return Err(Failure::new(format!("do {} here", other.name()), None)),
    }
    Ok(false)
}

/// Where this action keeps what is not in the store yet.
fn stage(cx: &Cx<'_>) -> String {
    let id = &cx.carried.container;
    format!("{STORE}/tmp/{}", id.get(..12).unwrap_or(id))
}

fn write_layer(cx: &mut Cx<'_>, upper: &str, lower: &[String]) -> Result<(), Failure> {
    if cx.w.disk_entry(upper).is_none() {
        return Err(Failure::new(format!("read the writable layer {upper}"), Some(Errno::ENOENT)).hint(
            "a container that runs has its files on a machine of its own: try again when it has ended",
        ));
    }
    let layers: Vec<PathBuf> =
        std::iter::once(upper).chain(lower.iter().map(String::as_str)).map(PathBuf::from).collect();
    let mut tar = Vec::new();
    let written = pack::layer(&cx.w.stack(&layers)?, &mut tar)?;
    let digest = digest::of_bytes(&tar);
    let layer =
        LayerRef { media_type: TAR.into(), digest: digest.clone(), size: tar.len() as u64, diff_id: digest };
    let path = format!("{}/layer", stage(cx));
    write(cx, &path, tar)?;
    cx.carried.images.staged = Some(Staged { path, place: None, layer, written });
    Ok(())
}

fn import(cx: &mut Cx<'_>, path: &str) -> Result<(), Failure> {
    let tar = bytes(path, "the tar", cx)?;
    if !tar.is_empty()
        && tar::Archive::new(&tar[..]).entries().ok().and_then(|mut e| e.next()).is_none_or(|e| e.is_err())
    {
        let reason = "no header of a tar is at its beginning".to_owned();
        return Err(ImageError::NotATar { name: path.to_owned(), reason }.into());
    }
    let digest = digest::of_bytes(&tar);
    let layer =
        LayerRef { media_type: TAR.into(), digest: digest.clone(), size: tar.len() as u64, diff_id: digest };
    let place = format!("{}/tree", stage(cx));
    unpack(cx, &format!("{place}/diff"), &tar, || format!("import {path}"))?;
    let blob = format!("{}/blob", stage(cx));
    write(cx, &blob, tar)?;
    cx.carried.images.staged =
        Some(Staged { path: blob, place: Some(place), layer, written: pack::Written::default() });
    Ok(())
}

fn store_layer(cx: &mut Cx<'_>, file: &str, dir: Option<&str>) -> Result<(), Failure> {
    let Some(staged) = cx.carried.images.staged.clone() else {
        return Err(Failure::new("go on: no layer is staged", None));
    };
    move_in(cx, &staged.path, file)?;
    if let (Some(place), Some(dir)) = (staged.place, dir) {
        move_in(cx, &place, dir.trim_end_matches("/diff"))?;
    }
    Ok(())
}

/// What is there already stays.
fn move_in(cx: &mut Cx<'_>, from: &str, to: &str) -> Result<(), Failure> {
    let (old, new) = (from.to_owned(), to.to_owned());
    let args =
        || vec![("oldpath", old.into()), ("newpath", new.into()), ("flags", "RENAME_NOREPLACE".into())];
    match cx.call("renameat2", args, zero, |w, _| w.disk_move(from, to)) {
        Ok(()) | Err(Errno::EEXIST) => Ok(()),
        Err(e) => Err(fail(|| format!("rename to {to}"))(e)),
    }
}

fn tag(cx: &mut Cx<'_>, image: &str, name: &str, path: &str) -> Result<(), Failure> {
    let name = reference(name)?.or_latest();
    let mut index = cx.w.index()?;
    let found = cx.w.find(&index, image)?.clone();
    let manifest = found.digest().to_string();
    let new = NewImage {
        manifest: cx.w.bytes_of(&manifest)?,
        media_type: found.media_type().to_string(),
        id: cx.w.id_of(&found)?,
        references: vec![name.clone()],
    };
    let notes = cx.w.notes(&manifest)?;
    name_image(&mut index, &manifest, &new, &notes, &[name.to_string()])?;
    write_index(cx, &index, path)
}

/// Only what the step did: the name may mean another image by now.
pub fn untag(
    cx: &mut Cx<'_>,
    manifest: &str,
    name: &str,
    before: Option<&str>,
    path: &str,
) -> Result<(), Failure> {
    if !Content::resolve(cx.w, name).is_ok_and(|i| i.manifest == manifest) {
        return Ok(());
    }
    if let Some(before) = before {
        return tag(cx, before, name, path);
    }
    let mut index = cx.w.index()?;
    let found = cx.w.find(&index, name)?.clone();
    untag_index(&mut index, found, name);
    write_index(cx, &index, path)
}

fn remove(cx: &mut Cx<'_>, wanted: &str, keep: bool, path: &str) -> Result<(), Failure> {
    let mut index = cx.w.index()?;
    let found = cx.w.find(&index, wanted)?.clone();
    if keep {
        let removed = untag_index(&mut index, found, wanted);
        write_index(cx, &index, path)?;
        cx.carried.images.removed.add(removed);
        return Ok(());
    }
    let mut removed = Removed::default();
    take_names(&mut index, &found, wanted, &mut removed);
    // What is reported, if it can be read.
    let image = cx.w.image("", found.digest().as_ref()).ok();
    // The index first: a reader then finds a whole image or none.
    write_index(cx, &index, path)?;
    if !index.manifests().iter().any(|d| d.digest() == found.digest()) {
        let collected = collect(cx, &index)?;
        report_removed(&mut removed, image.as_ref(), found.digest().as_ref(), &collected);
    }
    cx.carried.images.removed.add(removed);
    Ok(())
}

/// A file of the modelled disk, or with `-` what the command writes.
fn output(cx: &mut Cx<'_>, path: &str, bytes: Vec<u8>) -> Result<(), Failure> {
    cx.carried.images.bytes = bytes.len() as u64;
    if path == "-" {
        cx.carried.images.output = bytes;
        return Ok(());
    }
    let dir = path.trim_end_matches('/').rsplit_once('/').map_or("/", |(dir, _)| dir);
    let kind = |cx: &Cx<'_>, path: &str| cx.w.disk_entry(path).map(|e| e.kind);
    let no = |path: &str, e: Errno| {
        Failure::new(format!("write {path} on the modelled disk"), Some(e))
            .hint("a path is one of the modelled disk, which has /root and /tmp; - writes to this host")
    };
    match (kind(cx, dir), kind(cx, path)) {
        (None, _) => return Err(no(path, Errno::ENOENT)),
        (Some(FileType::Dir), Some(FileType::Dir)) => return Err(no(path, Errno::EISDIR)),
        (Some(FileType::Dir), _) => {}
        (Some(_), _) => return Err(no(path, Errno::ENOTDIR)),
    }
    write(cx, path, bytes)
}

fn reference(name: &str) -> Result<Reference, ImageError> {
    Reference::parse(name).map_err(|error| ImageError::Reference { input: name.to_owned(), error })
}
