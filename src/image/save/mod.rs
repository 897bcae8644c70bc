//! `save`: images into an archive that this and other engines load. Two forms are
//! an OCI image layout in a tar, one of them with the `manifest.json` of `docker
//! save` beside it; the third is the form that was before: [`older`]. The same
//! images make the same bytes.

mod older;

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::path::Path;

use serde_json::{Value, json};

use crate::image::index::{Content, REF_NAME, missing};
use crate::image::write::header::{self, Kind, Member};
use crate::image::{Image, ImageError, Reference, digest};
use crate::kernel::Errno;

/// Form of the archive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// What `docker save` writes since version 25, and older ones load.
    #[default]
    Docker,
    /// What it wrote until then, and every engine loads: layers are plain tars.
    DockerArchive,
    /// A tar of an OCI image layout.
    Oci,
}

impl Format {
    /// As `--format` and operations name it.
    pub fn name(self) -> &'static str {
        match self {
            Format::Docker => "docker",
            Format::DockerArchive => "docker-archive",
            Format::Oci => "oci-archive",
        }
    }

    /// Of this name; the default for a name that is not known.
    pub fn of_name(name: &str) -> Self {
        let all = [Format::Docker, Format::DockerArchive, Format::Oci];
        all.into_iter().find(|f| f.name() == name).unwrap_or_default()
    }
}

/// An image, and the names that the archive gives it.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// The image.
    pub image: Image,
    /// None for one that is known by its id.
    pub references: Vec<Reference>,
}

/// What went into an archive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Saved {
    /// Blobs; those that images share once.
    pub blobs: u64,
    /// Bytes of the archive.
    pub bytes: u64,
}

/// Writes the archive.
///
/// # Errors
/// When a blob is missing or damaged, or the output cannot be written.
pub fn save(
    store: &dyn Content,
    chosen: &[Chosen],
    format: Format,
    out: &mut impl Write,
) -> Result<Saved, ImageError> {
    let mut tar = Tar { out, saved: Saved::default() };
    match format {
        Format::DockerArchive => older::write(store, chosen, &mut tar)?,
        Format::Docker | Format::Oci => layout(store, chosen, format, &mut tar)?,
    }
    tar.write(&[0; 1024])?;
    tar.out.flush().map_err(|e| writing(&e))?;
    Ok(tar.saved)
}

/// An OCI image layout.
fn layout<W: Write>(
    store: &dyn Content,
    chosen: &[Chosen],
    format: Format,
    tar: &mut Tar<'_, W>,
) -> Result<(), ImageError> {
    let mut blobs: BTreeMap<String, u64> = BTreeMap::new();
    let mut index = Vec::new();
    let mut manifest = Vec::new();
    for one in chosen {
        let image = &one.image;
        let media_type = media_type(store, &image.manifest)?;
        let size = |blob: &str| -> Result<u64, ImageError> { Ok(store.bytes_of(blob)?.len() as u64) };
        let whole = size(&image.manifest)?;
        blobs.insert(image.manifest.clone(), whole);
        blobs.insert(image.id.clone(), size(&image.id)?);
        for layer in &image.layers {
            blobs.insert(layer.blob.clone(), layer.size);
        }
        let plain = || json!({ "mediaType": media_type, "digest": image.manifest, "size": whole });
        if one.references.is_empty() {
            index.push(plain());
        }
        for reference in &one.references {
            let mut descriptor = plain();
            let name = reference.to_string();
            descriptor["annotations"] = json!({ "io.containerd.image.name": name, REF_NAME: name });
            index.push(descriptor);
        }
        let place = |blob: &str| format!("blobs/sha256/{}", digest::hex(blob).unwrap_or_default());
        let tags: Vec<String> = one.references.iter().map(Reference::familiar).collect();
        manifest.push(json!({
            "Config": place(&image.id),
            "RepoTags": if tags.is_empty() { Value::Null } else { tags.into() },
            "Layers": image.layers.iter().map(|l| place(&l.blob)).collect::<Vec<_>>(),
        }));
    }
    tar.member("blobs/", Kind::Dir, 0, "")?;
    tar.member("blobs/sha256/", Kind::Dir, 0, "")?;
    for (blob, size) in &blobs {
        tar.blob(store, blob, *size)?;
    }
    let index = json!({ "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": index });
    tar.text("index.json", index.to_string().as_bytes())?;
    if format == Format::Docker {
        tar.text("manifest.json", Value::from(manifest).to_string().as_bytes())?;
    }
    tar.text("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)
}

/// The manifest's media type: its own word, or OCI's.
fn media_type(store: &dyn Content, manifest: &str) -> Result<String, ImageError> {
    let manifest = store.document(manifest)?;
    let own = manifest["mediaType"].as_str();
    Ok(own.unwrap_or("application/vnd.oci.image.manifest.v1+json").to_owned())
}

struct Tar<'a, W> {
    out: &'a mut W,
    saved: Saved,
}

impl<W: Write> Tar<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), ImageError> {
        self.saved.bytes += bytes.len() as u64;
        self.out.write_all(bytes).map_err(|e| writing(&e))
    }

    fn member(&mut self, path: &str, kind: Kind, size: u64, link: &str) -> Result<(), ImageError> {
        let member = Member {
            path: path.as_bytes(),
            kind,
            mode: match kind {
                Kind::Dir => 0o755,
                Kind::Symlink => 0o777,
                _ => 0o644,
            },
            uid: 0,
            gid: 0,
            mtime: (0, 0),
            stored: size,
            sparse: None,
            link: link.as_bytes(),
            device: (0, 0),
            attributes: &[],
        };
        let mut bytes = Vec::with_capacity(512);
        header::write(&member, &mut bytes);
        self.write(&bytes)
    }

    fn text(&mut self, path: &str, text: &[u8]) -> Result<(), ImageError> {
        self.member(path, Kind::File, text.len() as u64, "")?;
        let mut padded = text.to_vec();
        header::fill(&mut padded, text.len() as u64);
        self.write(&padded)
    }

    fn blob(&mut self, store: &dyn Content, blob: &str, size: u64) -> Result<(), ImageError> {
        let path = store.blob(blob)?;
        let file = store.open(&path)?.ok_or_else(|| missing(path.clone(), "a manifest"))?;
        let name = digest::hex(blob).unwrap_or_default();
        self.content(&format!("blobs/sha256/{name}"), file, size, blob, &path)
    }

    /// A member of so many bytes, read from `source`, whose digest has to be this.
    /// What leaves the store is as true as what came in.
    fn content(
        &mut self,
        name: &str,
        source: impl Read,
        size: u64,
        digest: &str,
        path: &Path,
    ) -> Result<(), ImageError> {
        self.member(name, Kind::File, size, "")?;
        let mut content = digest::Hashing::new(source.take(size));
        let mut buffer = vec![0; 256 << 10];
        loop {
            match content.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => self.write(&buffer[..n])?,
                Err(e) => return Err(ImageError::io("read", path, e)),
            }
        }
        let (_, actual, bytes) = content.finish();
        let what = || path.display().to_string();
        if bytes != size {
            return Err(ImageError::Size { what: what(), expected: size, actual: bytes });
        }
        if actual != digest {
            return Err(ImageError::Digest { what: what(), expected: digest.to_owned(), actual });
        }
        let mut rest = Vec::new();
        header::fill(&mut rest, size);
        self.saved.blobs += 1;
        self.write(&rest)
    }
}

fn writing(error: &io::Error) -> ImageError {
    ImageError::io("write", "the archive", Errno(error.raw_os_error().unwrap_or(Errno::EIO.0)))
}
