//! Entry points for fuzzing: each takes any bytes at all. It may not panic, may
//! not take long, and checks what must hold of whatever was understood. The
//! targets in `fuzz/` call these, and so do the tests below.

use std::fs::File;
use std::io::BufReader;

use super::archive::Archive;
use super::intake::{self, Intake, Quiet};
use super::layers::{Compression, Limits, decompress, read_through};
use super::manifest::{self, Document};
use super::{ImageError, Incoming, Reference, Store, digest};

/// Small, so that no input takes long.
const LIMITS: Limits = Limits { blob_size: None, ratio: 16, floor: 1 << 20, entries: 1000, holes: 1 << 30 };

/// An image archive, loaded into a store that is thrown away.
///
/// # Panics
/// When a refused archive leaves an image, or a loaded one none.
pub fn archive(bytes: &[u8]) {
    let Ok(place) = tempfile::tempdir() else { return };
    let store = Store::open(place.path().join("store"));
    let file = place.path().join("archive.tar");
    let input = std::fs::write(&file, bytes).and_then(|()| File::open(&file));
    let Ok(input) = input else { return };
    let loaded = load(&store, input);
    let listed = store.list().unwrap_or_default();
    match loaded {
        Ok(ids) => {
            assert!(!ids.is_empty() && !listed.is_empty());
            for id in ids {
                assert_eq!(store.resolve(&id).map(|found| found.id), Ok(id));
            }
        }
        Err(error) => {
            assert!(listed.is_empty());
            assert!(error.to_string().len() < 4096, "{error}");
        }
    }
}

/// The steps of `load`, but for the unpacking; the ids of the images.
fn load(store: &Store, input: File) -> Result<Vec<String>, ImageError> {
    let archive = Archive::open(store, input, "input", None)?;
    let manifests = archive.manifests()?;
    let (images, source) = archive.configs(manifests)?;
    let layers: Vec<_> = images.iter().flat_map(|i| i.layers.clone()).collect();
    let count = layers.len();
    let options = intake::Options { unpack: false, lanes: 0, ..intake::Options::default() };
    let intake = Intake::start(store, layers, source, options, Quiet::shared())?;
    for layer in 0..count {
        intake.wait(layer)?;
    }
    Incoming::name_all(store, &images)?;
    Ok(images.iter().map(Incoming::id).collect())
}

/// A layer's tar, plain or compressed, read to its end.
///
/// # Panics
/// When a file has more bytes than the stream and its holes could give.
pub fn layer(bytes: &[u8]) {
    let tar = BufReader::new(decompress(Compression::sniff(bytes), bytes));
    if let Ok(read) = read_through(tar, bytes.len() as u64, &LIMITS) {
        assert!(read.stored <= read.stream);
        assert!(read.entries <= LIMITS.entries);
    }
}

/// A manifest, an index or a config.
///
/// # Panics
/// When what was read cannot be read again.
pub fn manifest(bytes: &[u8]) {
    if let Ok(Document::Manifest(read)) = manifest::parse(bytes, None) {
        let _ = (read.check_image(), read.foreign());
        assert!(read.config.size() <= i64::MAX as u64);
        assert!(read.layers.iter().all(|l| l.digest().to_string().contains(':')));
    }
    let mut never = |_: &oci_spec::image::Descriptor| {
        Err(ImageError::Unknown { reference: String::new(), similar: Vec::new() })
    };
    let _ = manifest::resolve("x", bytes.to_vec(), None, &manifest::Matcher::host(), &mut never);
    if let Ok(value) = manifest::parse_json(bytes) {
        let again = manifest::parse_json(value.to_string().as_bytes());
        assert_eq!(again.map(|v| v.to_string()), Ok(value.to_string()));
        let _ = (manifest::check_config(&value), manifest::check_descriptor(&value, ""));
        let _ = manifest::check_layout(&value);
    }
}

/// An image reference, and a platform.
///
/// # Panics
/// When the normal form of what was read means something else.
pub fn reference(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(read) = Reference::parse(text) {
        let read = read.or_latest();
        assert_eq!(Reference::parse(&read.to_string()).as_ref(), Ok(&read), "{text:?}");
        // Like Docker's: an image whose name is 64 digits cannot be written short.
        if digest::hex(&format!("sha256:{}", read.familiar())).is_none() {
            assert_eq!(Reference::parse(&read.familiar()).as_ref(), Ok(&read), "{text:?}");
        }
    }
    if let Ok(platform) = text.parse::<manifest::Platform>() {
        assert_eq!(platform.to_string().parse(), Ok(platform.clone()), "{text:?}");
        assert_eq!(manifest::Matcher::new(&platform).rank(&platform), Some(0));
    }
}

#[cfg(test)]
#[path = "probe_tests.rs"]
mod tests;
