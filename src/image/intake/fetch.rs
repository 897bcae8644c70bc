//! The first stage: a blob's bytes from their source, hashed and stored on the
//! way, and handed on.

use std::io::{ErrorKind, Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use oci_spec::image::Descriptor;

use super::BlobSource;
use super::pipe::{BUFFER, Writer};
use crate::image::ImageError;
use crate::image::calls;
use crate::image::digest::Hashing;
use crate::image::error::{READ_BLOB, quoted};

/// Streams that broke in a row without a byte in between.
const RETRIES: u32 = 5;

/// How one blob is fetched.
pub struct Fetch<'a> {
    pub source: &'a dyn BlobSource,
    pub blob: &'a Descriptor,
    /// Where it is stored; `None` when the store has it and this only reads it.
    pub to: Option<&'a Path>,
    /// Hash here. Not for a plain tar: its reader does, and the digests are one.
    pub hash: bool,
    /// Set when the whole is given up.
    pub stop: &'a AtomicBool,
}

/// What became of it.
pub struct Fetched {
    /// Digest of the bytes, where it was asked for.
    pub digest: Option<String>,
    /// Streams that were opened again.
    pub resumed: u32,
}

impl Fetch<'_> {
    /// Reads all of it. A reader that has seen enough does not end it: the
    /// digest is over the whole blob.
    pub fn run(&self, writer: Writer, progress: &dyn Fn(u64)) -> Result<Fetched, ImageError> {
        let file = match self.to {
            Some(to) => Some(calls::create(to, 0o666).map_err(|e| ImageError::io("create", to, e))?),
            None => None,
        };
        let mut hash = Hashing::new(std::io::sink());
        let mut writer = Some(writer);
        let mut spare: Option<Vec<u8>> = None;
        let (mut at, size) = (0u64, self.blob.size());
        let (mut resumed, mut in_a_row) = (0, 0);
        let mut stream = self.source.open(self.blob, 0)?;
        loop {
            let free = spare.take().or_else(|| writer.as_ref().and_then(Writer::buffer));
            let mut buffer = free.unwrap_or_else(|| {
                writer = None;
                vec![0; BUFFER]
            });
            if self.stop.load(Ordering::Relaxed) {
                return Err(ImageError::Stopped);
            }
            let (n, broken) = fill(&mut *stream, &mut buffer);
            if at + n as u64 > size {
                // The rest of an endless stream is nobody's.
                return Err(self.size(at + n as u64));
            }
            if self.hash {
                let _ = hash.write(&buffer[..n]);
            }
            if let (Some(file), Some(to)) = (&file, self.to) {
                calls::write_all(file, &buffer[..n]).map_err(|e| ImageError::io("write", to, e))?;
            }
            at += n as u64;
            progress(at);
            match &writer {
                Some(writer) if n > 0 => {
                    writer.send(buffer, n);
                }
                _ => spare = Some(buffer),
            }
            let Some(broken) = broken else { continue };
            if at == size && broken.is_none() {
                break;
            }
            in_a_row = if n > 0 { 0 } else { in_a_row + 1 };
            if !self.source.resumable() || in_a_row == RETRIES {
                return Err(match broken {
                    Some(error) => self.read(&error),
                    None => self.size(at),
                });
            }
            resumed += 1;
            stream = self.source.open(self.blob, at)?;
        }
        if let Some(writer) = writer {
            writer.end();
        }
        Ok(Fetched { digest: self.hash.then(|| hash.finish().1), resumed })
    }

    fn size(&self, actual: u64) -> ImageError {
        ImageError::Size { what: format!("blob {}", self.blob.digest()), expected: self.blob.size(), actual }
    }

    fn read(&self, error: &std::io::Error) -> ImageError {
        match error.raw_os_error() {
            Some(errno) => {
                ImageError::io(READ_BLOB, self.blob.digest().to_string(), crate::kernel::Errno(errno))
            }
            None => {
                ImageError::Fetch { blob: self.blob.digest().to_string(), reason: quoted(&error.to_string()) }
            }
        }
    }
}

/// Fills the buffer. The second value is set at the end of the stream: with the
/// error that ended it, or none.
fn fill(stream: &mut dyn Read, buffer: &mut [u8]) -> (usize, Option<Option<std::io::Error>>) {
    let mut n = 0;
    while n < buffer.len() {
        match stream.read(&mut buffer[n..]) {
            Ok(0) => return (n, Some(None)),
            Ok(more) => n += more,
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return (n, Some(Some(e))),
        }
    }
    (n, None)
}
