//! The uncompressed stream under guard: hashed, counted, and limited, so that
//! neither a bomb nor an endless header is read into memory or onto the disk.

use std::io::{self, BufRead};

use sha2::{Digest as _, Sha256};

use crate::image::digest;

/// Long names, attributes and sparse maps of one entry together. Linux allows
/// 4 KiB for a path and 64 KiB for an attribute.
const HEADERS: u64 = 4 << 20;

/// Why a stream cannot be read on.
#[derive(Debug)]
pub enum Broken {
    /// The source failed, or a decompressor did.
    Source(io::Error),
    /// It ends too early.
    Truncated,
    /// The whole is larger than allowed.
    Expands,
    /// The headers of one entry are larger than allowed.
    Headers,
    /// It is no tar, or a broken one.
    Malformed(&'static str),
    /// One entry is refused: its name, and why.
    Entry(Vec<u8>, String),
}

/// The reader. Content is lent out of the source's own buffer, not copied.
pub struct Stream<R> {
    inner: R,
    hash: Option<Sha256>,
    bytes: u64,
    limit: u64,
    headers: u64,
}

impl<R: BufRead> Stream<R> {
    /// At most `limit` bytes in all; hashed only if someone asks for the digest.
    pub fn new(inner: R, limit: u64, hash: bool) -> Self {
        Stream { inner, hash: hash.then(Sha256::new), bytes: 0, limit, headers: HEADERS }
    }

    /// A new entry begins: its headers have their whole allowance.
    pub fn begin_headers(&mut self) {
        self.headers = HEADERS;
    }

    /// Up to `max` bytes, lent to `use_it`; their number, 0 only at the end.
    pub fn lend<E: From<Broken>>(
        &mut self,
        max: u64,
        use_it: impl FnOnce(&[u8]) -> Result<(), E>,
    ) -> Result<u64, E> {
        if max == 0 {
            return Ok(0);
        }
        loop {
            match self.inner.fill_buf() {
                Ok(_) => break,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Err(Broken::Truncated.into()),
                Err(e) => return Err(Broken::Source(e).into()),
            }
        }
        // Filled above: this call only lends the buffer again.
        let chunk = self.inner.fill_buf().map_err(Broken::Source)?;
        let n = chunk.len().min(usize::try_from(max).unwrap_or(usize::MAX));
        let chunk = &chunk[..n];
        self.bytes += n as u64;
        if self.bytes > self.limit {
            return Err(Broken::Expands.into());
        }
        if let Some(hash) = &mut self.hash {
            hash.update(chunk);
        }
        use_it(chunk)?;
        self.inner.consume(n);
        Ok(n as u64)
    }

    /// Fills `out` with header bytes; how many there were before the end.
    pub fn header(&mut self, out: &mut [u8]) -> Result<usize, Broken> {
        self.headers = self.headers.checked_sub(out.len() as u64).ok_or(Broken::Headers)?;
        let mut at = 0;
        while at < out.len() {
            let left = (out.len() - at) as u64;
            let n = self.lend::<Broken>(left, |chunk| {
                out[at..at + chunk.len()].copy_from_slice(chunk);
                Ok(())
            })?;
            if n == 0 {
                break;
            }
            at += usize::try_from(n).unwrap_or(0);
        }
        Ok(at)
    }

    /// Reads past `n` bytes.
    pub fn skip(&mut self, mut n: u64) -> Result<(), Broken> {
        while n > 0 {
            match self.lend::<Broken>(n, |_| Ok(()))? {
                0 => return Err(Broken::Truncated),
                some => n -= some,
            }
        }
        Ok(())
    }

    /// Reads the rest; whether it was zeros only, the digest of the whole if it
    /// was asked for, and the number of bytes.
    pub fn finish(mut self) -> Result<(bool, Option<String>, u64), Broken> {
        let mut zeros = true;
        loop {
            let n = self.lend::<Broken>(u64::MAX, |chunk| {
                zeros &= chunk.iter().all(|b| *b == 0);
                Ok(())
            })?;
            if n == 0 {
                break;
            }
        }
        Ok((zeros, self.hash.map(|h| digest::of_sha256(&h.finalize())), self.bytes))
    }
}
