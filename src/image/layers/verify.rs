//! Verifies a layer without unpacking it.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::Limits;
use super::decompress::{self, Compression};
use super::stream::{Guard, Guarded, Trip};
use crate::image::ImageError;

/// Decompresses a layer, and compares its digest with the diff ID.
///
/// # Errors
/// [`ImageError`], as for unpacking.
pub fn verify(blob: &Path, media_type: &str, diff_id: &str, limits: &Limits) -> Result<(), ImageError> {
    let compression = Compression::of_media_type(media_type)?;
    let file = File::open(blob).map_err(|e| ImageError::io("open", blob, e))?;
    let size = file.metadata().map_err(|e| ImageError::io("stat", blob, e))?.len();
    verify_stream(decompress::open(compression, file), blob, size, diff_id, limits)
}

/// Like [`verify`], of the uncompressed tar as it comes. `blob` names it in
/// messages, `size` is that of the blob.
///
/// # Errors
/// As [`verify`].
pub fn verify_stream(
    tar: impl Read,
    blob: &Path,
    size: u64,
    diff_id: &str,
    limits: &Limits,
) -> Result<(), ImageError> {
    let limit = limits.expanded(size);
    let guard = Guard::new(limit);
    let stream = Guarded::new(tar, guard.clone());
    let (_, actual, _) = stream.finish().map_err(|e| match guard.tripped() {
        Some(Trip::Expands) => ImageError::Expands { blob: blob.to_owned(), size, limit },
        _ => ImageError::Layer { blob: blob.to_owned(), reason: crate::image::error::quoted(&e.to_string()) },
    })?;
    if actual != diff_id {
        return Err(ImageError::Digest {
            what: format!("the uncompressed layer {}", blob.display()),
            expected: diff_id.to_owned(),
            actual,
        });
    }
    Ok(())
}
