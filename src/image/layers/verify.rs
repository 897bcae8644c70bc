//! Verifies a layer without unpacking it.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use super::decompress::{self, Compression};
use super::stream::Stream;
use super::unpack::say;
use super::{Declared, Limits};
use crate::image::ImageError;

/// Decompresses a layer, and compares its digest with the diff ID.
///
/// # Errors
/// [`ImageError`], as for unpacking.
pub fn verify(blob: &Path, media_type: &str, diff_id: &str, limits: &Limits) -> Result<(), ImageError> {
    let compression = Compression::of_media_type(media_type)?;
    let file = File::open(blob).map_err(|e| ImageError::io("open", blob, e))?;
    let size = file.metadata().map_err(|e| ImageError::io("stat", blob, e))?.len();
    let layer = Declared { blob, size, diff_id: Some(diff_id), limits, name_whiteouts: 0 };
    verify_from(file, compression, &layer)
}

/// Like [`verify`], from a stream of the blob as it is stored, which is read to
/// its end.
///
/// # Errors
/// As [`verify`].
pub fn verify_from(
    blob: impl Read,
    compression: Compression,
    layer: &Declared<'_>,
) -> Result<(), ImageError> {
    let tar = BufReader::with_capacity(256 << 10, decompress::open(compression, blob));
    let stream = Stream::new(tar, layer.limits.expanded(layer.size), true);
    let (_, actual, _) = stream.finish().map_err(|e| say(e, layer))?;
    match (layer.diff_id, actual) {
        (Some(expected), Some(actual)) if expected != actual => Err(ImageError::Digest {
            what: format!("the uncompressed layer {}", layer.blob.display()),
            expected: expected.to_owned(),
            actual,
        }),
        _ => Ok(()),
    }
}
