//! gzip and zstd, any number of members or frames, as one reader.

use std::io::{BufReader, Read};

use flate2::bufread::MultiGzDecoder;

use super::frames::Frames;
use crate::image::ImageError;

/// How a blob or an archive is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Compression {
    Plain,
    Gzip,
    Zstd,
}

impl Compression {
    /// Of a layer with this media type, OCI's or Docker's.
    ///
    /// # Errors
    /// When the type is no layer that can be read here.
    pub fn of_media_type(media_type: &str) -> Result<Self, ImageError> {
        let kind = media_type
            .strip_prefix("application/vnd.oci.image.layer.v1.")
            .or_else(|| media_type.strip_prefix("application/vnd.oci.image.layer.nondistributable.v1."))
            .or_else(|| media_type.strip_prefix("application/vnd.docker.image.rootfs.diff."))
            .or_else(|| media_type.strip_prefix("application/vnd.docker.image.rootfs.foreign.diff."));
        match kind {
            Some("tar") => Ok(Compression::Plain),
            Some("tar+gzip" | "tar.gzip") => Ok(Compression::Gzip),
            Some("tar+zstd" | "tar.zstd") => Ok(Compression::Zstd),
            _ => Err(ImageError::MediaType { media_type: media_type.to_owned() }),
        }
    }

    /// The OCI media type of a layer compressed so.
    pub fn layer_media_type(self) -> &'static str {
        match self {
            Compression::Plain => "application/vnd.oci.image.layer.v1.tar",
            Compression::Gzip => "application/vnd.oci.image.layer.v1.tar+gzip",
            Compression::Zstd => "application/vnd.oci.image.layer.v1.tar+zstd",
        }
    }

    /// By the first bytes of the content.
    pub fn sniff(start: &[u8]) -> Self {
        match start {
            [0x1f, 0x8b, ..] => Compression::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Compression::Zstd,
            // A skippable frame: some tools put an index of their own first.
            [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Compression::Zstd,
            _ => Compression::Plain,
        }
    }
}

/// A reader of the uncompressed content.
pub fn open<'a, R: Read + 'a>(compression: Compression, input: R) -> Box<dyn Read + 'a> {
    let input = BufReader::with_capacity(256 << 10, input);
    match compression {
        Compression::Plain => Box::new(input),
        Compression::Gzip => Box::new(MultiGzDecoder::new(input)),
        Compression::Zstd => Box::new(Frames::new(input)),
    }
}
