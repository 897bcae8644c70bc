//! How large a layer is: the bytes of its files, a file with several names once.

use std::collections::HashSet;
use std::fs::File;
use std::io::BufReader;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::decompress::{self, Compression};
use crate::image::{ImageError, Layer, Store, calls};
use rustix::io::Errno;

/// The file beside a layer's tree that says how large it is: a number and a
/// newline. Without it, or with another content, it is counted again.
const NOTE: &str = "size";

/// Of a layer of a store, as noted; else counted, from its tree, or from its blob
/// while it has none, and noted for the next one.
///
/// # Errors
/// When it cannot be read.
pub fn of_layer(store: &Store, layer: &Layer) -> Result<u64, ImageError> {
    if let Some(size) = noted(&layer.dir) {
        return Ok(size);
    }
    let size = counted(store, layer)?;
    // Who may not write counts again.
    let _ = note(&layer.dir, size);
    Ok(size)
}

/// What the note beside a tree says.
pub fn noted(tree: &Path) -> Option<u64> {
    std::fs::read_to_string(tree.with_file_name(NOTE)).ok()?.strip_suffix('\n')?.parse().ok()
}

/// Notes the size of a layer beside the place of its tree. What is noted already
/// stays.
///
/// # Errors
/// When it cannot be written.
pub fn note(tree: &Path, size: u64) -> Result<(), ImageError> {
    let path = tree.with_file_name(NOTE);
    let place = path.parent().unwrap_or(tree);
    let written = match calls::mkdir(place, 0o700) {
        Ok(()) | Err(Errno::EXIST) => calls::write_new(&path, format!("{size}\n").as_bytes()),
        Err(e) => Err(e),
    };
    match written {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(e) => Err(ImageError::io("write", path, e)),
    }
}

fn counted(store: &Store, layer: &Layer) -> Result<u64, ImageError> {
    if layer.dir.is_dir() {
        return of_tree(&layer.dir);
    }
    let path = store.blob(&layer.blob)?;
    let file = File::open(&path).map_err(|e| ImageError::io("open", &path, e))?;
    let compression = Compression::of_media_type(&layer.media_type)?;
    let tar = BufReader::with_capacity(256 << 10, decompress::open(compression, file));
    let mut archive = tar::Archive::new(tar);
    let bad = |e: std::io::Error| ImageError::Layer {
        blob: path.clone(),
        reason: crate::image::error::quoted(&e.to_string()),
    };
    let mut total = 0u64;
    for entry in archive.entries().map_err(bad)? {
        let entry = entry.map_err(bad)?;
        if entry.header().entry_type().is_file() {
            total = total.saturating_add(entry.size());
        }
    }
    Ok(total)
}

/// Of a tree.
///
/// # Errors
/// When it cannot be read.
pub fn of_tree(dir: &Path) -> Result<u64, ImageError> {
    let (mut total, mut seen) = (0u64, HashSet::new());
    let mut todo = vec![dir.to_owned()];
    while let Some(dir) = todo.pop() {
        for entry in std::fs::read_dir(&dir).map_err(|e| ImageError::io("read directory", &dir, e))? {
            let entry = entry.map_err(|e| ImageError::io("read directory", &dir, e))?;
            let meta = entry.metadata().map_err(|e| ImageError::io("stat", entry.path(), e))?;
            if meta.is_dir() {
                todo.push(entry.path());
            } else if meta.is_file() && (meta.nlink() < 2 || seen.insert((meta.dev(), meta.ino()))) {
                total = total.saturating_add(meta.len());
            }
        }
    }
    Ok(total)
}
