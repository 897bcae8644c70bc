//! Verifies a layer without unpacking it.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use super::decompress::{self, Compression};
use super::members::Members;
use super::stream::{Broken, Stream};
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

/// What reading a layer without writing anything found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadThrough {
    /// Entries of the tar.
    pub entries: u64,
    /// Bytes of content, without holes.
    pub stored: u64,
    /// Bytes of the whole tar.
    pub stream: u64,
}

/// Reads every entry and its content, and keeps none of it.
///
/// # Errors
/// [`ImageError`], as for unpacking, but for names and links.
pub fn read_through(tar: impl BufRead, size: u64, limits: &Limits) -> Result<ReadThrough, ImageError> {
    let layer = Declared { blob: Path::new("input"), size, diff_id: None, limits, name_whiteouts: 0 };
    let mut members = Members::new(Stream::new(tar, limits.expanded(size), false));
    let mut read = ReadThrough::default();
    while let Some(member) = members.next().map_err(|e| say(e, &layer))? {
        read.entries += 1;
        if read.entries > limits.entries {
            return Err(say(Broken::Expands, &layer));
        }
        let count = |_, part: &[u8]| {
            read.stored += part.len() as u64;
            Ok(())
        };
        members.content::<Broken>(&member, count).map_err(|e| say(e, &layer))?;
    }
    read.stream = members.into_stream().finish().map_err(|e| say(e, &layer))?.2;
    Ok(read)
}
