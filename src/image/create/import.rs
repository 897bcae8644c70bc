//! `import`: a tar of a root file system becomes an image of one layer. Read
//! once: hashed, kept, decompressed, hashed again and unpacked on the way.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::describe::{Described, History, LayerRef, describe};
use super::instruction::{self, Config};
use crate::image::archive::{is_tar, looks_like, sniff};
use crate::image::digest::Hashing;
use crate::image::layers::{self, Compression, Declared, Limits};
use crate::image::{ImageError, calls};

/// What to make.
#[derive(Clone, Debug)]
pub struct Import {
    /// An object with `architecture`, `os` and perhaps `variant`.
    pub platform: Value,
    /// `-c`.
    pub instructions: Vec<String>,
    /// `-m`.
    pub message: Option<String>,
    /// RFC 3339.
    pub created: String,
    /// The input, for messages and the history: a file's path, or `-`.
    pub name: String,
}

/// A tar that was read, staged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The layer, as a manifest names it. The diff ID of an only layer is its chain ID.
    pub layer: LayerRef,
    /// The staged blob.
    pub blob: PathBuf,
    /// The staged directory with the tree as `diff`.
    pub place: PathBuf,
    /// Bytes of its files.
    pub size: u64,
}

/// Reads a tar, plain, gzip or zstd, into a staging directory: hashed, kept, and
/// unpacked.
///
/// # Errors
/// [`ImageError::NotAnArchive`], those of unpacking.
pub fn read_tar(
    stage: &Path,
    input: impl Read,
    name: &str,
    size: Option<u64>,
    limits: &Limits,
) -> Result<Taken, ImageError> {
    let (start, compression) = sniff(input, name)?;
    let (blob, place) = (stage.join("blob"), stage.join("layer"));
    calls::mkdir(&place, 0o777).map_err(|e| ImageError::io("mkdir", &place, e))?;
    let (layer, size) = take(start, compression, &blob, &place, (name, size), limits)?;
    Ok(Taken { layer, blob, place, size })
}

/// The config and the manifest of an imported image.
///
/// # Errors
/// [`ImageError::Change`] for an instruction that is wrong.
pub fn describe_import(wanted: &Import, layer: &LayerRef) -> Result<Described, ImageError> {
    let mut config = Config::new();
    instruction::apply(&mut config, &wanted.instructions)?;
    let line = History {
        created: wanted.created.clone(),
        created_by: String::new(),
        comment: Some(wanted.message.clone().unwrap_or_else(|| format!("Imported from {}", wanted.name))),
        ..History::default()
    };
    Ok(describe(&wanted.platform, &config, std::slice::from_ref(layer), &line))
}

/// Reads all of it.
fn take(
    input: impl Read,
    compression: Compression,
    blob: &Path,
    place: &Path,
    (name, known): (&str, Option<u64>),
    limits: &Limits,
) -> Result<(LayerRef, u64), ImageError> {
    let file = calls::create(blob, 0o666).map_err(|e| ImageError::io("create", blob, e))?;
    let mut raw = Hashing::new(Tee { input, file });
    let mut limits = *limits;
    if known.is_none() {
        limits.floor = u64::MAX;
    }
    let declared = Declared {
        blob: Path::new(name),
        size: known.unwrap_or(0),
        diff_id: None,
        limits: &limits,
        name_whiteouts: 0,
    };
    let mut tar = Hashing::new(layers::decompress(compression, &mut raw));
    let first = first_block(&mut tar, compression, name)?;
    let whole = io::Cursor::new(first).chain(&mut tar);
    let unpacked =
        layers::unpack_tar(BufReader::with_capacity(256 << 10, whole), &declared, &place.join("diff"))?;
    // What stands behind the end of the tar belongs to the blob.
    let rest = |e| ImageError::io("read", name, e);
    io::copy(&mut tar, &mut io::sink()).map_err(rest)?;
    let (_, diff_id, _) = tar.finish();
    io::copy(&mut raw, &mut io::sink()).map_err(rest)?;
    let (_, digest, size) = raw.finish();
    let media_type = compression.layer_media_type().to_owned();
    let layer = LayerRef { media_type, digest, size, diff_id };
    Ok((layer, unpacked.size))
}

/// Keeps what is read in a file.
/// The first block of a tar, or a word on what it is instead.
fn first_block(tar: &mut impl Read, compression: Compression, name: &str) -> Result<Vec<u8>, ImageError> {
    let no = |reason: String| ImageError::NotATar { name: name.to_owned(), reason };
    let mut block = Vec::new();
    tar.take(512).read_to_end(&mut block).map_err(|e| match (e.raw_os_error(), compression) {
        (Some(_), _) => ImageError::io("read", name, e),
        (None, Compression::Plain) => ImageError::io("read", name, e),
        (None, Compression::Gzip) => no("it begins like gzip, and cannot be decompressed".to_owned()),
        (None, Compression::Zstd) => no("it begins like zstd, and cannot be decompressed".to_owned()),
    })?;
    // An empty tar is zeros only.
    if block.len() == 512 && (is_tar(&block) || block.iter().all(|b| *b == 0)) {
        return Ok(block);
    }
    Err(no(match compression {
        Compression::Plain => format!("it is {}", looks_like(&block)),
        _ => format!("what is compressed in it is {}", looks_like(&block)),
    }))
}

struct Tee<R> {
    input: R,
    file: File,
}

impl<R: Read> Read for Tee<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.input.read(buf)?;
        calls::write_all(&self.file, &buf[..n])?;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::image::layers::test_tar::{Tar, gzip, zstd};

    fn wanted() -> Import {
        Import {
            platform: json!({"architecture": "arm64", "os": "linux", "variant": "v8"}),
            instructions: vec!["CMD [\"/f\"]".into()],
            message: None,
            created: "2026-01-01T00:00:00Z".into(),
            name: "x.tar".into(),
        }
    }

    #[test]
    #[ignore = "root"]
    fn plain_and_compressed_are_the_same_layer() {
        let tar = Tar::new().file("f", "x").dir("d").done();
        let mut ids = Vec::new();
        for bytes in [tar.clone(), gzip(&tar), zstd(&tar)] {
            let place = tempfile::tempdir().unwrap();
            let taken = read_tar(place.path(), &bytes[..], "x.tar", None, &Limits::default()).unwrap();
            assert_eq!(std::fs::read_to_string(taken.place.join("diff/f")).unwrap(), "x");
            assert_eq!(std::fs::read(&taken.blob).unwrap(), bytes);
            assert_eq!(taken.layer.digest, crate::image::digest::of_bytes(&bytes));
            assert_eq!(taken.layer.diff_id, crate::image::digest::of_bytes(&tar));
            ids.push(describe_import(&wanted(), &taken.layer).unwrap());
        }
        assert_eq!(ids[0].id, ids[1].id, "the config does not know how its layer is compressed");
        let config: Value = serde_json::from_slice(&ids[2].config).unwrap();
        assert_eq!((&config["architecture"], &config["config"]["Cmd"]), (&"arm64".into(), &json!(["/f"])));
        assert_eq!(config["history"][0]["comment"], "Imported from x.tar");
    }

    #[test]
    #[ignore = "root"]
    fn refused() {
        let evil = Tar::new().file("../../escape", "x").done();
        let cut = Tar::new().file("f", "x").open_end().done()[..700].to_vec();
        for (what, bytes) in [
            ("empty", vec![]),
            ("text", b"hello, world".repeat(100)),
            ("xz", vec![0xfd, b'7', b'z', b'X', b'Z', 0, 1]),
            ("escape", evil),
            ("cut", cut),
        ] {
            let place = tempfile::tempdir().unwrap();
            assert!(read_tar(place.path(), &bytes[..], "x", None, &Limits::default()).is_err(), "{what}");
            assert!(!place.path().join("layer/diff").exists(), "{what}");
        }
        let mut bad = wanted();
        bad.instructions = vec!["RUN x".into()];
        let layer =
            LayerRef { media_type: String::new(), digest: String::new(), size: 0, diff_id: String::new() };
        assert!(describe_import(&bad, &layer).is_err());
    }
}
