//! The stream of a tar, and the content of files into it.

use std::io::Write;

use super::header::{self, Member};
use crate::image::ImageError;
use crate::image::union::{Open, shown_path};

const BUFFER: usize = 256 << 10;

/// Where the tar goes. Small things are gathered.
pub struct Out<'a, W> {
    inner: &'a mut W,
    pending: Vec<u8>,
    buffer: Vec<u8>,
}

impl<'a, W: Write> Out<'a, W> {
    pub fn new(inner: &'a mut W) -> Self {
        Out { inner, pending: Vec::with_capacity(BUFFER), buffer: vec![0; BUFFER] }
    }

    pub fn header(&mut self, member: &Member<'_>) -> Result<(), ImageError> {
        header::write(member, &mut self.pending);
        self.flush_if_full()
    }

    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), ImageError> {
        self.pending.extend_from_slice(bytes);
        self.flush_if_full()
    }

    /// Parts of a file, and zeros up to a whole block after the last.
    pub fn content(&mut self, path: &[u8], file: &dyn Open, parts: &[(u64, u64)]) -> Result<(), ImageError> {
        let mut total = 0;
        for (offset, len) in parts {
            let mut at = *offset;
            let end = offset + len;
            while at < end {
                let room = BUFFER - self.pending.len().min(BUFFER - 1);
                let want = usize::try_from(end - at).unwrap_or(usize::MAX).min(room);
                let buffer = &mut self.buffer[..want];
                let n = match file.read_at(buffer, at) {
                    Ok(0) => {
                        return Err(ImageError::Entry {
                            entry: shown_path(path),
                            reason: "it became shorter while it was read; stop what writes to it".into(),
                        });
                    }
                    Ok(n) => n,
                    Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
                    Err(e) => return Err(ImageError::io("read", shown_path(path), e)),
                };
                if self.pending.is_empty() && n >= BUFFER / 2 {
                    let written = self.inner.write_all(&self.buffer[..n]);
                    written.map_err(|e| ImageError::io("write", "the archive", e))?;
                } else {
                    self.pending.extend_from_slice(&self.buffer[..n]);
                    self.flush_if_full()?;
                }
                at += n as u64;
            }
            total += len;
        }
        header::fill(&mut self.pending, total);
        self.flush_if_full()
    }

    /// The two blocks of zeros.
    pub fn end(&mut self) -> Result<(), ImageError> {
        self.pending.extend([0; 1024]);
        self.flush()
    }

    fn flush_if_full(&mut self) -> Result<(), ImageError> {
        if self.pending.len() < BUFFER {
            return Ok(());
        }
        self.flush()
    }

    fn flush(&mut self) -> Result<(), ImageError> {
        let written = self.inner.write_all(&self.pending);
        self.pending.clear();
        written.map_err(|e| ImageError::io("write", "the archive", e))
    }
}
