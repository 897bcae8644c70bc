//! An archive or a registry: what it has, and its layers taken in.

use super::super::{Cx, at_cwd, zero};
use super::{registry, write};
use crate::image::digest;
use crate::image::index::Content;
use crate::kernel::model::archive;
use crate::kernel::{Errno, Failure};
use crate::trace::Value;
use crate::userland::FileType;

/// Bytes of an archive: a file of the modelled disk, or what came in for `-`.
pub fn bytes(path: &str, what: &str, cx: &mut Cx<'_>) -> Result<Vec<u8>, Failure> {
    if path == "-" {
        return Ok(std::mem::take(&mut cx.carried.images.input));
    }
    let shown = path.to_owned();
    cx.read(
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
        Failure::new(format!("open {what} {path}"), Some(e)).hint(
            "a path is one of the modelled disk, which begins with the archive /root/demo.tar; a file of \
             this host comes in through a pipe, as -",
        )
    })
}

pub fn open(path: &str, cx: &mut Cx<'_>) -> Result<bool, Failure> {
    let bytes = bytes(path, "the archive", cx)?;
    cx.carried.images.files = archive::files(&bytes).map_err(|e| bad(path, &e))?;
    Ok(true)
}

pub fn manifests(path: &str, cx: &mut Cx<'_>) -> Result<bool, Failure> {
    let images = &mut cx.carried.images;
    images.manifests = archive::manifests(&images.files).map_err(|e| bad(path, &e))?;
    Ok(true)
}

pub fn configs(path: &str, cx: &mut Cx<'_>) -> Result<bool, Failure> {
    let mut images = std::mem::take(&mut cx.carried.images);
    let resolved = images.resolve(&|digest, tree| there(cx, digest, tree));
    cx.carried.images = images;
    resolved.map_err(|e| bad(path, &e))?;
    Ok(true)
}

/// An image of a registry, whose layers are not fetched yet.
pub fn arrive(
    cx: &mut Cx<'_>,
    names: Vec<String>,
    config: &[u8],
    layers: &[(String, u64)],
    manifest: Vec<u8>,
) -> Result<(), Failure> {
    let mut images = std::mem::take(&mut cx.carried.images);
    let what = names.join(" ");
    let arrived =
        images.arrive(names, config, layers, Some(manifest), &|digest, tree| there(cx, digest, tree));
    cx.carried.images = images;
    arrived.map_err(|e| Failure::new(format!("read the config of {what}: {e}"), None))
}

/// Whether the store has a blob, or a layer's tree.
fn there(cx: &Cx<'_>, digest: &str, tree: bool) -> bool {
    match tree {
        true => cx.w.layer_dir(digest).is_ok_and(|dir| cx.w.has_tree(&dir)),
        false => Content::blob(cx.w, digest).is_ok_and(|p| cx.w.disk_entry(&p.to_string_lossy()).is_some()),
    }
}

pub fn take(cx: &mut Cx<'_>, blob: &str, diff_id: &str, file: &str, dir: &str) -> Result<bool, Failure> {
    let (stored, there) = (cx.w.disk_entry(file).is_some(), cx.w.disk_entry(dir).is_some());
    if stored && there {
        return Ok(true);
    }
    let what = || format!("take in layer {blob}");
    // What is not of an archive is of the registry.
    let bytes = match cx.carried.images.blobs.get(blob).cloned() {
        Some(bytes) => bytes,
        None => registry::read(cx, blob)?,
    };
    let found = digest::of_bytes(&bytes);
    if found != blob || found != diff_id {
        return Err(Failure::new(format!("{}: its digest is {found}", what()), None));
    }
    write(cx, file, bytes.clone())?;
    unpack(cx, dir, &bytes, what)?;
    Ok(false)
}

/// Unpacks a layer's tar, complete or not at all.
pub fn unpack(cx: &mut Cx<'_>, dir: &str, bytes: &[u8], what: impl Fn() -> String) -> Result<(), Failure> {
    let shown = dir.to_owned();
    let mut why = String::new();
    let done = cx.call(
        "mkdirat",
        || vec![("dirfd", at_cwd()), ("pathname", shown.into()), ("mode", "0755".into())],
        zero,
        |w, _| {
            w.unpack(dir, bytes).map_err(|e| {
                why = e;
                Errno::EINVAL
            })
        },
    );
    let unpacked = done.map_err(|_| Failure::new(format!("{}: {why}", what()), None))?;
    cx.carried.images.unpacked = Some(unpacked);
    Ok(())
}

fn bad(path: &str, reason: &str) -> Failure {
    Failure::new(format!("load {path}: {reason}"), None)
}
