//! An image of the store into a repository: layers, then the config, then the
//! manifest, which makes it visible there.
//!
//! What the store has as plain tars travels compressed, as Docker sends it: see
//! [`pack`]. The manifest then names the compressed blobs; the config, and so the
//! image's id, stays.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use oci_spec::image::ImageManifest;
use serde_json::{Value, json};

use super::blob::Blob;
use super::repository::Repository;
use super::upload::{Sent, Upload};
use crate::image::digest::{self, Hashing};
use crate::image::index::{Content, REF_NAME, annotation};
use crate::image::layers::Compression;
use crate::image::manifest::{LayerKind, OCI_MANIFEST};
use crate::image::{Image, ImageError, Layer, Reference, Store, calls};

/// Layers at once.
const LANES: usize = 4;

/// Hears of the layers. Called from several threads, often.
pub trait PushProgress: Send + Sync {
    /// Layer `index` (0 is the lowest) is now so.
    fn layer(&self, index: usize, state: PushState);
}

/// How far a layer is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PushState {
    /// So many bytes have been sent.
    Sending(u64),
    /// What became of it.
    Done(Sent),
    /// Its owner keeps it from registries; it is not sent.
    Foreign,
}

/// What a push made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// Digest of the manifest.
    pub digest: String,
    /// Bytes of the manifest.
    pub size: u64,
}

/// A layer compressed for its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packed {
    /// Digest of the plain tar: the blob in the store.
    pub plain: String,
    /// The compressed blob.
    pub blob: Blob,
    /// Its media type.
    pub media_type: String,
    /// The file that holds it.
    pub file: PathBuf,
}

/// The gzip form of a media type of plain layers; `None` for other layers, and for
/// those that stay where they are.
pub fn packed_type(media_type: &str) -> Option<&'static str> {
    match media_type {
        "application/vnd.oci.image.layer.v1.tar" => Some("application/vnd.oci.image.layer.v1.tar+gzip"),
        "application/vnd.docker.image.rootfs.diff.tar" => {
            Some("application/vnd.docker.image.rootfs.diff.tar.gzip")
        }
        _ => None,
    }
}

/// Compresses a plain layer of the store into a new file. Equal layers give equal
/// bytes: a registry that has them is not sent them again.
///
/// # Errors
/// When the blob cannot be read, is not what its name says, or the file cannot be
/// written.
pub fn pack(store: &Store, layer: &Layer, file: &Path) -> Result<Packed, ImageError> {
    let media_type = packed_type(&layer.media_type)
        .ok_or_else(|| ImageError::MediaType { media_type: layer.media_type.clone() })?;
    let from = store.blob(&layer.blob)?;
    let open = std::fs::File::open(&from).map_err(|e| ImageError::io("open", &from, e))?;
    let out = calls::create(file, 0o666).map_err(|e| ImageError::io("create", file, e))?;
    let mut plain = Hashing::new(open);
    let out = Hashing::new(std::io::BufWriter::with_capacity(256 << 10, calls::Written(out)));
    // No time and no name in the header: nothing but the content decides.
    let mut gzip = flate2::GzBuilder::new().write(out, flate2::Compression::default());
    let mut buffer = vec![0; 256 << 10];
    loop {
        use std::io::{Read, Write};
        let n = plain.read(&mut buffer).map_err(|e| ImageError::io("read", &from, e))?;
        if n == 0 {
            break;
        }
        gzip.write_all(&buffer[..n]).map_err(|e| ImageError::io("write", file, e))?;
    }
    let out = gzip.finish().map_err(|e| ImageError::io("write", file, e))?;
    let (mut out, digest, size) = out.finish();
    std::io::Write::flush(&mut out).map_err(|e| ImageError::io("write", file, e))?;
    let actual = plain.finish().1;
    if actual != layer.blob {
        return Err(ImageError::Digest {
            what: format!("blob {}", layer.blob),
            expected: layer.blob.clone(),
            actual,
        });
    }
    Ok(Packed {
        plain: layer.blob.clone(),
        blob: Blob { digest, size },
        media_type: media_type.to_owned(),
        file: file.to_owned(),
    })
}

/// One layer to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parcel {
    /// Digest and size.
    pub blob: Blob,
    /// Its media type.
    pub media_type: String,
    /// The file that holds it.
    pub file: PathBuf,
    mount_from: Vec<String>,
}

/// An image on its way into a repository.
pub struct Push {
    repository: Repository,
    config: (Blob, PathBuf),
    manifest: (Vec<u8>, String),
    layers: Vec<Parcel>,
    done: Mutex<Vec<Option<PushState>>>,
}

impl Push {
    /// Reads what there is to send. `packed` are the layers that were compressed.
    ///
    /// # Errors
    /// When the store lacks something.
    pub fn new(
        store: &Store,
        image: &Image,
        repository: Repository,
        packed: &[Packed],
    ) -> Result<Self, ImageError> {
        let path = store.blob(&image.manifest)?;
        let bytes = crate::image::store::disk::read(&path)?.ok_or_else(|| missing(&path))?;
        let parsed: ImageManifest = store.json_blob(&image.manifest)?;
        let media_type = parsed.media_type().as_ref().map_or(OCI_MANIFEST.to_owned(), ToString::to_string);
        let neighbours = neighbours(store, &repository)?;
        let parcel = |layer: &Layer| -> Result<Parcel, ImageError> {
            let (blob, media_type, file) = match packed.iter().find(|p| p.plain == layer.blob) {
                Some(packed) => (packed.blob.clone(), packed.media_type.clone(), packed.file.clone()),
                None => {
                    let blob = Blob { digest: layer.blob.clone(), size: layer.size };
                    (blob, layer.media_type.clone(), store.blob(&layer.blob)?)
                }
            };
            let mount_from = neighbours
                .iter()
                .filter(|(_, blobs)| blobs.contains(&blob.digest))
                .map(|(path, _)| path.clone())
                .collect();
            Ok(Parcel { blob, media_type, file, mount_from })
        };
        let layers = image.layers.iter().map(parcel).collect::<Result<Vec<_>, _>>()?;
        let changed = packed.iter().any(|p| image.layers.iter().any(|l| l.blob == p.plain));
        let manifest = if changed { renamed(&bytes, packed, &path)? } else { bytes };
        let config = Blob { digest: parsed.config().digest().to_string(), size: parsed.config().size() };
        let file = store.blob(&config.digest)?;
        Ok(Push {
            repository,
            config: (config, file),
            manifest: (manifest, media_type),
            done: Mutex::new(vec![None; layers.len()]),
            layers,
        })
    }

    /// The layers, lowest first.
    pub fn layers(&self) -> &[Parcel] {
        &self.layers
    }

    /// The config.
    pub fn config(&self) -> &Blob {
        &self.config.0
    }

    /// The manifest as it will be sent.
    pub fn manifest(&self) -> Pushed {
        Pushed { digest: digest::of_bytes(&self.manifest.0), size: self.manifest.0.len() as u64 }
    }

    /// Sends all layers, several at once. After a failure no further one begins.
    ///
    /// # Errors
    /// When the registry refuses one. What was sent before stays there, unnamed,
    /// until the registry collects its garbage.
    pub fn send_layers(&self, progress: &dyn PushProgress) -> Result<(), ImageError> {
        let next = AtomicUsize::new(0);
        let failed: Mutex<Option<ImageError>> = Mutex::new(None);
        let lane = || {
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= self.layers.len() {
                    return;
                }
                if let Err(error) = self.send_layer(index, progress) {
                    next.store(self.layers.len(), Ordering::Relaxed);
                    failed.lock().unwrap_or_else(|e| e.into_inner()).get_or_insert(error);
                    return;
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..LANES.min(self.layers.len()) {
                scope.spawn(lane);
            }
            lane();
        });
        failed.into_inner().unwrap_or_else(|e| e.into_inner()).map_or(Ok(()), Err)
    }

    /// Sends one layer (0 is the lowest), unless that was done.
    ///
    /// # Errors
    /// As [`Push::send_layers`].
    pub fn send_layer(&self, index: usize, progress: &dyn PushProgress) -> Result<PushState, ImageError> {
        let done = || self.done.lock().unwrap_or_else(|e| e.into_inner());
        if let Some(Some(state)) = done().get(index) {
            return Ok(state.clone());
        }
        let Some(layer) = self.layers.get(index) else { return Err(ImageError::Stopped) };
        let state = match LayerKind::of(&layer.media_type) {
            LayerKind::Foreign => PushState::Foreign,
            _ => {
                let tell = |bytes| progress.layer(index, PushState::Sending(bytes));
                let upload = Upload {
                    blob: &layer.blob,
                    file: &layer.file,
                    mount_from: &layer.mount_from,
                    progress: &tell,
                };
                PushState::Done(self.repository.push_blob(&upload)?)
            }
        };
        progress.layer(index, state.clone());
        done()[index] = Some(state.clone());
        Ok(state)
    }

    /// Sends the config.
    ///
    /// # Errors
    /// When the registry refuses it.
    pub fn send_config(&self) -> Result<Sent, ImageError> {
        let (blob, file) = &self.config;
        Ok(self.repository.push_blob(&Upload { blob, file, mount_from: &[], progress: &|_| {} })?)
    }

    /// Puts the manifest under a tag.
    ///
    /// # Errors
    /// When the registry refuses it.
    pub fn put_manifest(&self, tag: &str) -> Result<Pushed, ImageError> {
        let (bytes, media_type) = &self.manifest;
        let digest = self.repository.put_manifest(tag, bytes, media_type)?;
        Ok(Pushed { digest, size: bytes.len() as u64 })
    }

    /// The digest that the registry states for a tag.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn stated(&self, tag: &str) -> Result<Option<String>, ImageError> {
        Ok(self.repository.head_manifest(tag)?.and_then(|head| head.digest))
    }
}

impl std::fmt::Debug for Push {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Push").field("layers", &self.layers).finish_non_exhaustive()
    }
}

/// The manifest with the compressed layers in the place of the plain ones.
fn renamed(manifest: &[u8], packed: &[Packed], path: &Path) -> Result<Vec<u8>, ImageError> {
    let damaged = |e: serde_json::Error| ImageError::Damaged { path: path.to_owned(), reason: e.to_string() };
    let mut value: Value = serde_json::from_slice(manifest).map_err(damaged)?;
    for layer in value.get_mut("layers").and_then(Value::as_array_mut).into_iter().flatten() {
        let Some(packed) = packed.iter().find(|p| layer["digest"] == json!(p.plain)) else { continue };
        layer["digest"] = json!(packed.blob.digest);
        layer["size"] = json!(packed.blob.size);
        layer["mediaType"] = json!(packed.media_type);
    }
    serde_json::to_vec(&value).map_err(damaged)
}

fn missing(path: &Path) -> ImageError {
    ImageError::Damaged { path: path.to_owned(), reason: "the file is missing".into() }
}

/// Whether a layer is stored as a plain tar, and so compressed on its way.
pub fn is_plain(layer: &Layer) -> bool {
    packed_type(&layer.media_type).is_some()
        && Compression::of_media_type(&layer.media_type).is_ok_and(|c| c == Compression::Plain)
}

/// Other repositories of the same registry that images of this store are named
/// for, with their blobs: likely places to mount from.
fn neighbours(store: &Store, repository: &Repository) -> Result<Vec<(String, Vec<String>)>, ImageError> {
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    for descriptor in store.index()?.manifests() {
        let name = annotation(descriptor, REF_NAME).and_then(|n| Reference::parse(n).ok());
        let Some(name) = name.filter(|n| n.domain() == repository.domain() && n.path() != repository.path())
        else {
            continue;
        };
        let Ok(manifest) = store.json_blob::<ImageManifest>(descriptor.digest().as_ref()) else { continue };
        let blobs = manifest.layers().iter().map(|l| l.digest().to_string());
        match found.iter_mut().find(|(path, _)| path == name.path()) {
            Some((_, known)) => known.extend(blobs),
            None => found.push((name.path().to_owned(), blobs.collect())),
        }
    }
    Ok(found)
}
