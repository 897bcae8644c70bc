//! How large a layer is: the bytes of its files, a file with several names once.

use std::collections::HashSet;
use std::fs::File;
use std::io::BufReader;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::decompress::{self, Compression};
use crate::image::{ImageError, Layer, Store};

/// Of a layer of a store: from its tree, or from its blob while it has none.
///
/// # Errors
/// When it cannot be read.
pub fn of_layer(store: &Store, layer: &Layer) -> Result<u64, ImageError> {
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
