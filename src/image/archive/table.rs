//! The files of an archive and where their bytes are. A tar on disk is read in
//! place: only its headers are looked at. A stream, or a compressed file, is
//! read once: every file goes to a staging directory under a number, hashed on
//! its way, and becomes a blob of the store by being moved.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, Write};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use tar::{Archive, Entry, EntryType};

use super::ahead::Ahead;
use super::start;
use crate::image::digest::Hashing;
use crate::image::error::quoted;
use crate::image::intake::Early;
use crate::image::layers::{Limits, name};
use crate::image::store::Staging;
use crate::image::{ImageError, Store, calls, digest};

/// Headers of one archive; as for layers.
const MAX_ENTRIES: u64 = 1_000_000;

/// A file of the archive.
#[derive(Clone, Debug)]
pub struct Place {
    /// The archive itself, or a file of its own.
    pub file: Arc<File>,
    /// Where it begins in that.
    pub offset: u64,
    /// Bytes.
    pub size: u64,
    /// Digest of its content, where it was computed on the way.
    pub digest: Option<String>,
    /// The staged file, for what came from a stream.
    pub staged: Option<PathBuf>,
    /// Its tree, where it was unpacked meanwhile.
    pub early: Option<Arc<Early>>,
}

/// All files of an archive.
pub struct Table {
    name: String,
    files: BTreeMap<String, Place>,
    /// Entries of the tar.
    pub entries: u64,
    /// Read from its place, not from a stream.
    pub in_place: bool,
    /// Holds what came from a stream, for as long as it may be read.
    stage: Option<Staging>,
}

impl Table {
    /// The table of an archive. A seekable, uncompressed file is read in place.
    pub fn read(store: &Store, file: File, name: &str, ahead: Option<Limits>) -> Result<Self, ImageError> {
        let mut table =
            Table { name: name.to_owned(), files: BTreeMap::new(), entries: 0, in_place: false, stage: None };
        let here = (&file).stream_position().ok();
        let mut block = [0; 512];
        let is_file = file.metadata().is_ok_and(|m| m.is_file());
        if let Some(here) = here.filter(|_| is_file)
            && file.read_exact_at(&mut block, here).is_ok()
            && start::is_tar(&block)
        {
            table.in_place = true;
            table.scan(file)?;
        } else {
            // An input that is no archive does not even make a store.
            let input = start::begin(file, name)?;
            table.fill(input, store.stage()?, ahead.map(Ahead::start))?;
        }
        Ok(table)
    }

    /// Looks at the headers, and passes over the content.
    fn scan(&mut self, file: File) -> Result<(), ImageError> {
        let size = file.metadata().map_err(|e| start::read_error(&e, &self.name))?.len();
        let base = (&file).stream_position().map_err(|e| start::read_error(&e, &self.name))?;
        let shared = Arc::new(file);
        let mut links = Vec::new();
        let mut archive = Archive::new(&*shared);
        for entry in archive.entries_with_seek().map_err(|e| self.stream(&e))? {
            let entry = entry.map_err(|e| self.stream(&e))?;
            let Some(path) = self.file_of(&entry, &mut links)? else { continue };
            let place = Place {
                file: shared.clone(),
                offset: base + entry.raw_file_position(),
                size: entry.size(),
                digest: None,
                staged: None,
                early: None,
            };
            if place.offset.checked_add(place.size).is_none_or(|end| end > size) {
                return Err(self.bad("it ends in the middle (truncated)"));
            }
            self.put(path, place)?;
        }
        self.link(links);
        self.nothing_more(BufReader::new(archive.into_inner()))
    }

    /// Reads all of it into a staging directory.
    fn fill(
        &mut self,
        input: Box<dyn Read + '_>,
        stage: Staging,
        ahead: Option<Ahead>,
    ) -> Result<(), ImageError> {
        let mut links = Vec::new();
        let mut archive = Archive::new(input);
        for entry in archive.entries().map_err(|e| self.stream(&e))? {
            let mut entry = entry.map_err(|e| self.stream(&e))?;
            let Some(path) = self.file_of(&entry, &mut links)? else { continue };
            let to = stage.path().join(format!("file-{}", self.entries));
            let size = entry.size();
            let place = self.keep(&mut entry, to, size)?;
            if let (Some(ahead), Some(file), Some(digest)) = (&ahead, &place.staged, &place.digest) {
                ahead.add(file, size, digest);
            }
            self.put(path, place)?;
        }
        self.nothing_more(archive.into_inner())?;
        let mut early = ahead.map(Ahead::finish).unwrap_or_default();
        for place in self.files.values_mut() {
            place.early = place.staged.as_ref().and_then(|f| early.remove(f)).map(Arc::new);
        }
        self.link(links);
        self.stage = Some(stage);
        Ok(())
    }

    /// The path of an entry that is a file; a link is noted.
    fn file_of<R: Read>(
        &mut self,
        entry: &Entry<'_, R>,
        links: &mut Vec<(String, String)>,
    ) -> Result<Option<String>, ImageError> {
        self.entries += 1;
        if self.entries > MAX_ENTRIES {
            return Err(self.bad("it has too many entries"));
        }
        let path = self.path(&entry.path_bytes())?;
        match entry.header().entry_type() {
            EntryType::Regular | EntryType::Continuous => Ok(Some(path)),
            kind @ (EntryType::Symlink | EntryType::Link) => {
                let target = entry.link_name_bytes().unwrap_or_default().into_owned();
                let target = String::from_utf8_lossy(&target).into_owned();
                // docker save links layers that images share.
                let parent = path.rsplit_once('/').map_or("", |p| p.0);
                let full = match kind {
                    EntryType::Symlink => format!("{parent}/{target}"),
                    _ => target,
                };
                links.push((path, self.path(full.as_bytes())?));
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    fn put(&mut self, path: String, place: Place) -> Result<(), ImageError> {
        if self.files.contains_key(&path) {
            return Err(self.bad(&format!("it has two files {path:?}")));
        }
        self.files.insert(path, place);
        Ok(())
    }

    fn keep(&self, entry: &mut impl Read, to: PathBuf, size: u64) -> Result<Place, ImageError> {
        let made = calls::create(&to, 0o666).map_err(|e| ImageError::io("create", &to, e))?;
        let mut out = Hashing::new(calls::Written(made));
        let mut buf = vec![0; 256 << 10];
        loop {
            match entry.read(&mut buf).map_err(|e| self.stream(&e))? {
                0 => break,
                n => out.write_all(&buf[..n]).map_err(|e| ImageError::io("write", &to, e))?,
            }
        }
        let (file, digest, bytes) = out.finish();
        if bytes != size {
            return Err(self.bad("it ends in the middle (truncated)"));
        }
        drop(file);
        let file = File::open(&to).map_err(|e| ImageError::io("open", &to, e))?;
        Ok(Place {
            file: Arc::new(file),
            offset: 0,
            size,
            digest: Some(digest),
            staged: Some(to),
            early: None,
        })
    }

    fn link(&mut self, links: Vec<(String, String)>) {
        for (path, target) in links {
            if let Some(file) = self.files.get(&target).cloned() {
                self.files.insert(path, file);
            }
        }
    }

    fn nothing_more(&self, mut rest: impl Read) -> Result<(), ImageError> {
        let mut buf = vec![0; 64 << 10];
        loop {
            match rest.read(&mut buf).map_err(|e| self.stream(&e))? {
                0 => return Ok(()),
                n if buf[..n].iter().all(|b| *b == 0) => {}
                _ => return Err(self.bad("there is more after the end of the archive")),
            }
        }
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

    /// The archive, for messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it has this file.
    pub fn has(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    /// A file by its path in the archive.
    pub fn file(&self, path: &str) -> Result<&Place, ImageError> {
        let clean = self.path(path.as_bytes())?;
        self.files.get(&clean).ok_or_else(|| self.bad(&format!("it lacks {path:?}")))
    }

    /// The digest that a path's last part is, `HEX` or `HEX.json`.
    pub fn named(path: &str) -> Option<String> {
        let stem = path.rsplit('/').next().unwrap_or_default();
        let digest = format!("sha256:{}", stem.strip_suffix(".json").unwrap_or(stem));
        digest::hex(&digest).is_some().then_some(digest)
    }

    /// A small file's content. A name that holds a digest must be true.
    pub fn text(&self, path: &str, limit: u64) -> Result<Vec<u8>, ImageError> {
        let place = self.file(path)?;
        if place.size > limit {
            return Err(self.bad(&format!("{path:?} in it is larger than {} MiB", limit >> 20)));
        }
        let mut text = vec![0; usize::try_from(place.size).unwrap_or(0)];
        place.file.read_exact_at(&mut text, place.offset).map_err(|e| start::read_error(&e, &self.name))?;
        if let Some(expected) = Table::named(path) {
            let actual = digest::of_bytes(&text);
            if actual != expected {
                return Err(ImageError::Digest {
                    what: format!("{path:?} of {}", self.name),
                    expected,
                    actual,
                });
            }
        }
        Ok(text)
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
            Some(_) => start::read_error(error, &self.name),
            None => self.bad(&format!("it cannot be read: {}", quoted(&text))),
        }
    }
}

impl Place {
    /// Its bytes from `offset` on, without a position that others share.
    pub fn reader(&self, offset: u64) -> impl Read + Send + use<> {
        Slice {
            file: self.file.clone(),
            at: self.offset + offset.min(self.size),
            end: self.offset + self.size,
        }
    }

    /// Its digest, computed now unless it was before.
    pub fn digest(&self, table: &Table) -> Result<String, ImageError> {
        if let Some(digest) = &self.digest {
            return Ok(digest.clone());
        }
        let mut hash = Hashing::new(std::io::sink());
        std::io::copy(&mut self.reader(0), &mut hash).map_err(|e| start::read_error(&e, &table.name))?;
        Ok(hash.finish().1)
    }
}

struct Slice {
    file: Arc<File>,
    at: u64,
    end: u64,
}

impl Read for Slice {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        let n = buf.len().min(left);
        let n = self.file.read_at(&mut buf[..n], self.at)?;
        self.at += n as u64;
        Ok(n)
    }
}
