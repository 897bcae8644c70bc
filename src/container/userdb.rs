//! An image's own `/etc/passwd` and `/etc/group`, read before anything is
//! mounted: from its layer trees, and from the blobs of layers that are not
//! unpacked yet.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use crate::image::layers::{Compression, decompress};
use crate::image::store::Store;
use crate::image::{Image, ImageError, Layer};

/// The two texts; empty where the image has no such file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Database {
    /// `/etc/passwd`.
    pub passwd: String,
    /// `/etc/group`.
    pub group: String,
}

/// Larger user databases are not read: nobody's `/etc/passwd` is.
const LIMIT: u64 = 4 << 20;

/// What one layer says of a file.
enum Says {
    Nothing,
    Text(String),
    /// Deleted, or no plain file: a symbolic link could lead anywhere.
    Gone,
}

impl Database {
    /// Each file as the uppermost layer that speaks of it has it.
    ///
    /// # Errors
    /// When the blob of a layer that is not unpacked cannot be read.
    pub fn of(store: &Store, image: &Image) -> Result<Database, ImageError> {
        let mut found: [Option<String>; 2] = [None, None];
        for layer in image.layers.iter().rev() {
            if found.iter().all(Option::is_some) {
                break;
            }
            let says = if layer.unpacked { from_tree(&layer.dir) } else { from_blob(store, layer)? };
            for (text, says) in found.iter_mut().zip(says) {
                match says {
                    _ if text.is_some() => {}
                    Says::Nothing => {}
                    Says::Text(read) => *text = Some(read),
                    Says::Gone => *text = Some(String::new()),
                }
            }
        }
        let [passwd, group] = found.map(Option::unwrap_or_default);
        Ok(Database { passwd, group })
    }
}

const NAMES: [&str; 2] = ["passwd", "group"];

fn from_tree(layer: &Path) -> [Says; 2] {
    let etc = layer.join("etc");
    match fs::symlink_metadata(&etc) {
        Ok(m) if m.is_dir() => {}
        Ok(_) => return [Says::Gone, Says::Gone],
        Err(_) => return [Says::Nothing, Says::Nothing],
    }
    NAMES.map(|name| {
        let file = etc.join(name);
        match fs::symlink_metadata(&file) {
            Ok(m) if m.is_file() && m.len() <= LIMIT => Says::Text(
                fs::read(&file).map(|t| String::from_utf8_lossy(&t).into_owned()).unwrap_or_default(),
            ),
            Ok(_) => Says::Gone,
            Err(_) => Says::Nothing,
        }
    })
}

fn from_blob(store: &Store, layer: &Layer) -> Result<[Says; 2], ImageError> {
    let path = store.blob(&layer.blob)?;
    let file = File::open(&path).map_err(|e| ImageError::io("open", &path, e))?;
    let compression = Compression::of_media_type(&layer.media_type)?;
    let mut archive = tar::Archive::new(decompress(compression, file));
    let mut says = [Says::Nothing, Says::Nothing];
    for entry in archive.entries().map_err(|e| ImageError::io("read", &path, e))? {
        let mut entry = entry.map_err(|e| ImageError::io("read", &path, e))?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let name = name.trim_start_matches("./").trim_start_matches('/').to_owned();
        for (says, wanted) in says.iter_mut().zip(NAMES) {
            if name == format!("etc/{wanted}") {
                let mut text = Vec::new();
                *says = if entry.header().entry_type().is_file()
                    && entry.by_ref().take(LIMIT).read_to_end(&mut text).is_ok()
                {
                    Says::Text(String::from_utf8_lossy(&text).into_owned())
                } else {
                    Says::Gone
                };
            } else if name == format!("etc/.wh.{wanted}") {
                *says = Says::Gone;
            }
        }
    }
    Ok(says)
}
