//! Reads an archive once, whatever the order of its entries: every file goes to
//! the staging directory under a number, hashed on its way.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use tar::{Archive, EntryType};

use crate::image::digest::Hashing;
use crate::image::error::quoted;
use crate::image::layers::{Compression, decompress, name};
use crate::image::{ImageError, digest};
use crate::kernel::Errno;

/// JSON files are small; a larger one is not read into memory.
const MAX_JSON: u64 = 16 << 20;
/// Headers of one entry; as for layers.
const MAX_ENTRIES: u64 = 1_000_000;

/// A file of the archive.
#[derive(Clone, Debug)]
pub struct Spooled {
    /// Where it is now.
    pub path: PathBuf,
    /// Digest of its content.
    pub digest: String,
    /// Bytes.
    pub size: u64,
}

/// All files of the archive.
pub struct Spool {
    name: String,
    files: BTreeMap<String, Spooled>,
    by_digest: BTreeMap<String, Spooled>,
}

/// The start of the input, looked at: a stream of the uncompressed tar.
pub fn begin<'a>(input: impl Read + 'a, name: &str) -> Result<Box<dyn Read + 'a>, ImageError> {
    let no = |reason: &str| ImageError::NotAnArchive { name: name.to_owned(), reason: reason.to_owned() };
    let mut input = input;
    let mut start = Vec::new();
    (&mut input).take(6).read_to_end(&mut start).map_err(|e| read_error(&e, name))?;
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
    let mut tar = decompress(compression, std::io::Cursor::new(start).chain(input));
    let mut block = Vec::new();
    (&mut tar).take(512).read_to_end(&mut block).map_err(|e| match compression {
        Compression::Plain => read_error(&e, name),
        _ => no(&format!("it cannot be decompressed: {}", quoted(&e.to_string()))),
    })?;
    if !is_tar(&block) {
        return Err(no("it is no tar file"));
    }
    Ok(Box::new(BufReader::with_capacity(256 << 10, std::io::Cursor::new(block).chain(tar))))
}

/// The first block is a header with a right checksum.
fn is_tar(block: &[u8]) -> bool {
    let Ok(block) = <&[u8; 512]>::try_from(block) else { return false };
    let header = tar::Header::from_byte_slice(block);
    let sum: u32 =
        block.iter().enumerate().map(|(i, b)| if (148..156).contains(&i) { 32 } else { u32::from(*b) }).sum();
    header.cksum().is_ok_and(|stored| stored == sum)
}

fn read_error(error: &std::io::Error, name: &str) -> ImageError {
    match error.raw_os_error() {
        Some(errno) => ImageError::Io { what: "read", path: PathBuf::from(name), errno: Errno(errno) },
        None => ImageError::BadArchive { name: name.to_owned(), reason: quoted(&error.to_string()) },
    }
}

impl Spool {
    /// Reads all of it.
    pub fn fill(input: Box<dyn Read + '_>, name: &str, stage: &Path) -> Result<Self, ImageError> {
        let mut spool = Spool { name: name.to_owned(), files: BTreeMap::new(), by_digest: BTreeMap::new() };
        let mut links: Vec<(String, String)> = Vec::new();
        let mut archive = Archive::new(input);
        let mut count = 0;
        for entry in archive.entries().map_err(|e| spool.stream(&e))? {
            let mut entry = entry.map_err(|e| spool.stream(&e))?;
            count += 1;
            if count > MAX_ENTRIES {
                return Err(spool.bad("it has too many entries"));
            }
            let path = spool.path(&entry.path_bytes())?;
            match entry.header().entry_type() {
                EntryType::Regular | EntryType::Continuous => {
                    let to = stage.join(format!("file-{count}"));
                    let size = entry.size();
                    let file = spool.put(&mut entry, &to, size)?;
                    spool.by_digest.insert(file.digest.clone(), file.clone());
                    if spool.files.insert(path.clone(), file).is_some() {
                        return Err(spool.bad(&format!("it has two files {path:?}")));
                    }
                }
                kind @ (EntryType::Symlink | EntryType::Link) => {
                    let target = entry.link_name_bytes().unwrap_or_default().into_owned();
                    let target = String::from_utf8_lossy(&target).into_owned();
                    // docker save links layers that images share.
                    let parent = path.rsplit_once('/').map_or("", |p| p.0);
                    let full = match kind {
                        EntryType::Symlink => format!("{parent}/{target}"),
                        _ => target,
                    };
                    links.push((path, spool.path(full.as_bytes())?));
                }
                _ => {}
            }
        }
        for (path, target) in links {
            if let Some(file) = spool.files.get(&target).cloned() {
                spool.files.insert(path, file);
            }
        }
        let mut rest = archive.into_inner();
        let mut buf = vec![0; 64 << 10];
        loop {
            match rest.read(&mut buf).map_err(|e| spool.stream(&e))? {
                0 => break,
                n if buf[..n].iter().all(|b| *b == 0) => {}
                _ => return Err(spool.bad("there is more after the end of the archive")),
            }
        }
        Ok(spool)
    }

    fn put(&self, entry: &mut impl Read, to: &Path, size: u64) -> Result<Spooled, ImageError> {
        let mut out = Hashing::new(File::create_new(to).map_err(|e| ImageError::io("create", to, e))?);
        let mut buf = vec![0; 128 << 10];
        loop {
            match entry.read(&mut buf).map_err(|e| self.stream(&e))? {
                0 => break,
                n => out.write_all(&buf[..n]).map_err(|e| ImageError::io("write", to, e))?,
            }
        }
        let (_, digest, bytes) = out.finish();
        if bytes != size {
            return Err(self.bad("it ends in the middle (truncated)"));
        }
        Ok(Spooled { path: to.to_owned(), digest, size: bytes })
    }

    fn path(&self, raw: &[u8]) -> Result<String, ImageError> {
        let shown = crate::image::error::printable(raw);
        match name::parse(raw) {
            Ok(name::Name::Root) => Ok(String::new()),
            Ok(name::Name::Path { parent, leaf }) => {
                let full = if parent.is_empty() { leaf } else { [&parent[..], b"/", &leaf].concat() };
                String::from_utf8(full).map_err(|_| self.bad(&format!("the name {shown:?} is not text")))
            }
            Err(reason) => Err(self.bad(&format!("entry {shown:?}: {reason}"))),
        }
    }

    /// Whether it has this file.
    pub fn has(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    /// A file by its path in the archive. A name that holds a digest must be true.
    pub fn file(&self, path: &str) -> Result<&Spooled, ImageError> {
        let clean = self.path(path.as_bytes())?;
        let file = self.files.get(&clean).ok_or_else(|| self.bad(&format!("it lacks {path:?}")))?;
        let stem = clean.rsplit('/').next().unwrap_or_default();
        let stem = stem.strip_suffix(".json").unwrap_or(stem);
        let expected = format!("sha256:{stem}");
        if digest::hex(&expected).is_some() && expected != file.digest {
            return Err(ImageError::Digest {
                what: format!("{path:?} of {}", self.name),
                expected,
                actual: file.digest.clone(),
            });
        }
        Ok(file)
    }

    /// A file by its digest: of `blobs/sha256`, verified, or any of that content.
    pub fn blob(&self, blob: &str) -> Result<&Spooled, ImageError> {
        let Some(hex) = digest::hex(blob) else {
            return Err(self.bad(&format!("{blob:?} is no sha256 digest")));
        };
        match self.by_digest.get(blob) {
            Some(file) => Ok(file),
            None => self.file(&format!("blobs/sha256/{hex}")),
        }
    }

    /// A small JSON file.
    pub fn json<T: DeserializeOwned>(&self, file: &Spooled) -> Result<T, ImageError> {
        let text = self.text(file)?;
        serde_json::from_slice(&text).map_err(|e| {
            let name = self.files.iter().find(|(_, f)| f.path == file.path).map_or("", |f| f.0);
            self.bad(&format!("{name:?} in it cannot be read: {}", quoted(&e.to_string())))
        })
    }

    /// A small file's content.
    pub fn text(&self, file: &Spooled) -> Result<Vec<u8>, ImageError> {
        if file.size > MAX_JSON {
            return Err(self.bad("a JSON file in it is larger than 16 MiB"));
        }
        std::fs::read(&file.path).map_err(|e| ImageError::io("read", &file.path, e))
    }

    /// An error of the archive.
    pub fn bad(&self, reason: &str) -> ImageError {
        ImageError::BadArchive { name: self.name.clone(), reason: reason.to_owned() }
    }

    fn stream(&self, error: &std::io::Error) -> ImageError {
        let text = error.to_string();
        if error.kind() == std::io::ErrorKind::UnexpectedEof
            || text.contains("entire block")
            || text.contains("unexpected EOF")
        {
            return self.bad("it ends in the middle (truncated)");
        }
        match error.raw_os_error() {
            Some(_) => read_error(error, &self.name),
            None => self.bad(&format!("it cannot be read: {}", quoted(&text))),
        }
    }
}
