//! `import`: a tar of a root file system becomes an image of one layer. Read
//! once: hashed, kept, decompressed, hashed again and unpacked on the way.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Write};
use std::path::Path;

use serde_json::Value;

use super::describe::{Described, History, LayerRef, MANIFEST, describe};
use super::instruction::{self, Config};
use crate::image::digest::Hashing;
use crate::image::layers::{self, Compression, Declared, Limits};
use crate::image::store::NewImage;
use crate::image::{ImageError, Reference, Store};

/// What to make.
#[derive(Clone, Debug)]
pub struct Import {
    /// Its name, if it gets one.
    pub reference: Option<Reference>,
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
    /// The input's bytes, where they are known: bounds what it may expand to.
    pub size: Option<u64>,
}

/// Imports a tar, plain, gzip or zstd.
///
/// # Errors
/// [`ImageError::NotAnArchive`], those of unpacking, those of the store. Nothing
/// is left in the store then.
pub fn import(store: &Store, input: impl Read, wanted: &Import) -> Result<Described, ImageError> {
    let mut config = Config::new();
    instruction::apply(&mut config, &wanted.instructions)?;
    let (start, compression) = begin(input, &wanted.name)?;
    let stage = store.stage()?;
    let blob = stage.path().join("blob");
    let place = stage.path().join("layer");
    std::fs::create_dir(&place).map_err(|e| ImageError::io("mkdir", &place, e))?;
    let (layer, chain_id) = take(start, compression, &blob, &place, wanted)?;
    let line = History {
        created: wanted.created.clone(),
        created_by: String::new(),
        comment: Some(wanted.message.clone().unwrap_or_else(|| format!("Imported from {}", wanted.name))),
        ..History::default()
    };
    let made = describe(&wanted.platform, &config, std::slice::from_ref(&layer), &line);
    let config_file = stage.path().join("config");
    std::fs::write(&config_file, &made.config).map_err(|e| ImageError::io("write", &config_file, e))?;
    let image = NewImage {
        manifest: made.manifest.clone(),
        media_type: MANIFEST.to_owned(),
        id: made.id.clone(),
        references: wanted.reference.clone().map(Reference::or_latest).into_iter().collect(),
    };
    let blobs = [(layer.digest, blob), (made.id.clone(), config_file)];
    let unpacked = store.layer_dir(&chain_id)?.is_dir();
    let layers = if unpacked { Vec::new() } else { vec![(chain_id, place)] };
    store.add(&blobs, &layers, &[image])?;
    Ok(made)
}

/// The input with its start in front.
type Begun<R> = io::Chain<Cursor<Vec<u8>>, R>;

/// The start of the input, looked at.
fn begin<R: Read>(mut input: R, name: &str) -> Result<(Begun<R>, Compression), ImageError> {
    let no = |reason: &str| ImageError::NotAnArchive { name: name.to_owned(), reason: reason.to_owned() };
    let mut start = Vec::new();
    (&mut input).take(6).read_to_end(&mut start).map_err(|e| ImageError::io("read", name, e))?;
    match start.as_slice() {
        [] => return Err(no("it is empty")),
        [0xfd, b'7', b'z', ..] => return Err(no("it is compressed with xz; decompress it first (xz -d)")),
        [b'B', b'Z', b'h', ..] => {
            return Err(no("it is compressed with bzip2; decompress it first (bzip2 -d)"));
        }
        [b'P', b'K', 3, 4, ..] => return Err(no("it is a zip file")),
        _ => {}
    }
    let compression = Compression::sniff(&start);
    Ok((Cursor::new(start).chain(input), compression))
}

/// Reads all of it; the layer, and the chain ID, which is the diff ID of an only layer.
fn take(
    input: impl Read,
    compression: Compression,
    blob: &Path,
    place: &Path,
    wanted: &Import,
) -> Result<(LayerRef, String), ImageError> {
    let file = File::create_new(blob).map_err(|e| ImageError::io("create", blob, e))?;
    let mut raw = Hashing::new(Tee { input, file });
    let mut limits = Limits::default();
    if wanted.size.is_none() {
        limits.floor = u64::MAX;
    }
    let declared = Declared {
        blob: Path::new(&wanted.name),
        size: wanted.size.unwrap_or(0),
        diff_id: None,
        limits: &limits,
        name_whiteouts: 0,
    };
    let mut tar = Hashing::new(layers::decompress(compression, &mut raw));
    layers::unpack_tar(BufReader::with_capacity(256 << 10, &mut tar), &declared, &place.join("diff"))?;
    // What stands behind the end of the tar belongs to the blob.
    let rest = |e| ImageError::io("read", &wanted.name, e);
    io::copy(&mut tar, &mut io::sink()).map_err(rest)?;
    let (_, diff_id, _) = tar.finish();
    io::copy(&mut raw, &mut io::sink()).map_err(rest)?;
    let (_, digest, size) = raw.finish();
    let media_type = compression.layer_media_type().to_owned();
    Ok((LayerRef { media_type, digest, size, diff_id: diff_id.clone() }, diff_id))
}

/// Keeps what is read in a file.
struct Tee<R> {
    input: R,
    file: File,
}

impl<R: Read> Read for Tee<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.input.read(buf)?;
        self.file.write_all(&buf[..n])?;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::image::layers::test_tar::{Tar, gzip, zstd};

    fn wanted(name: Option<&str>) -> Import {
        Import {
            reference: name.map(|n| Reference::parse(n).unwrap()),
            platform: json!({"architecture": "arm64", "os": "linux", "variant": "v8"}),
            instructions: vec!["CMD [\"/f\"]".into()],
            message: None,
            created: "2026-01-01T00:00:00Z".into(),
            name: "x.tar".into(),
            size: None,
        }
    }

    #[test]
    #[ignore = "root"]
    fn plain_and_compressed_are_the_same_layer() {
        let place = tempfile::tempdir().unwrap();
        let store = Store::open(place.path());
        let tar = Tar::new().file("f", "x").dir("d").done();
        let images: Vec<_> = [tar.clone(), gzip(&tar), zstd(&tar)]
            .iter()
            .map(|bytes| {
                let made = import(&store, &bytes[..], &wanted(Some("app:1"))).unwrap();
                store.resolve(&made.id).unwrap()
            })
            .collect();
        assert!(
            images.iter().all(|i| i.layers[0].unpacked && i.layers[0].diff_id == images[0].layers[0].diff_id)
        );
        assert_eq!(std::fs::read_to_string(images[0].layers[0].dir.join("f")).unwrap(), "x");
        assert_eq!(images[0].id, images[1].id, "the config does not know how its layer is compressed");
        assert_eq!(images[1].config.architecture().to_string(), "arm64");
        assert_eq!(
            images[2].config.history().as_ref().unwrap()[0].comment().as_deref(),
            Some("Imported from x.tar")
        );
        assert_eq!(std::fs::read_dir(place.path().join("tmp")).unwrap().count(), 0);
    }

    #[test]
    #[ignore = "root"]
    fn refused_and_nothing_left() {
        let place = tempfile::tempdir().unwrap();
        let store = Store::open(place.path());
        let evil = Tar::new().file("../../escape", "x").done();
        let cut = Tar::new().file("f", "x").open_end().done()[..700].to_vec();
        let mut bad = wanted(None);
        bad.instructions = vec!["RUN x".into()];
        for (what, bytes, wanted) in [
            ("empty", vec![], wanted(None)),
            ("text", b"hello, world".repeat(100), wanted(None)),
            ("xz", vec![0xfd, b'7', b'z', b'X', b'Z', 0, 1], wanted(None)),
            ("escape", evil, wanted(None)),
            ("cut", cut, wanted(None)),
            ("instruction", Tar::new().done(), bad),
        ] {
            assert!(import(&store, &bytes[..], &wanted).is_err(), "{what}");
            assert_eq!(store.list().unwrap(), [], "{what}");
            let left = |dir: &str| std::fs::read_dir(place.path().join(dir)).map_or(0, |d| d.count());
            assert_eq!(left("tmp") + left("layers") + left("blobs/sha256"), 0, "{what}");
        }
    }
}
