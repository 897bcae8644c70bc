//! The uncompressed stream under guard: hashed, counted, and limited, so that
//! neither a bomb nor an endless header is read into memory or onto the disk.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

use crate::image::digest::Hashing;

/// Long names and attributes of one entry together. Linux allows 4 KiB for a
/// path and 64 KiB for an attribute.
const HEADERS: u64 = 4 << 20;

/// Shared between the reader, which the tar iterator owns, and the unpacker.
#[derive(Clone)]
pub struct Guard(Rc<State>);

struct State {
    bytes: Cell<u64>,
    limit: u64,
    headers: Cell<Option<u64>>,
    tripped: Cell<Option<Trip>>,
}

/// Which limit stopped the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trip {
    /// The whole is too large.
    Expands,
    /// The headers of one entry are.
    Headers,
}

impl Guard {
    /// At most `limit` bytes in all.
    pub fn new(limit: u64) -> Self {
        Guard(Rc::new(State {
            bytes: Cell::new(0),
            limit,
            headers: Cell::new(None),
            tripped: Cell::new(None),
        }))
    }

    /// The next bytes are headers, until [`Guard::content`].
    pub fn headers(&self) {
        self.0.headers.set(Some(HEADERS));
    }

    /// The next bytes are content.
    pub fn content(&self) {
        self.0.headers.set(None);
    }

    /// Why the stream was stopped, if it was.
    pub fn tripped(&self) -> Option<Trip> {
        self.0.tripped.get()
    }

    fn count(&self, n: u64) -> io::Result<()> {
        let trip = |why| {
            self.0.tripped.set(Some(why));
            Err(io::Error::other("limit reached"))
        };
        let bytes = self.0.bytes.get().saturating_add(n);
        self.0.bytes.set(bytes);
        if bytes > self.0.limit {
            return trip(Trip::Expands);
        }
        if let Some(left) = self.0.headers.get() {
            let Some(left) = left.checked_sub(n) else { return trip(Trip::Headers) };
            self.0.headers.set(Some(left));
        }
        Ok(())
    }
}

/// The reader.
pub struct Guarded<R> {
    inner: Hashing<R>,
    guard: Guard,
}

impl<R: Read> Guarded<R> {
    /// Reads under `guard`.
    pub fn new(inner: R, guard: Guard) -> Self {
        Guarded { inner: Hashing::new(inner), guard }
    }

    /// Reads the rest; whether it was zeros only; the digest of the whole.
    pub fn finish(mut self) -> io::Result<(bool, String, u64)> {
        self.guard.content();
        let mut zeros = true;
        let mut buf = vec![0; 64 << 10];
        loop {
            match self.read(&mut buf)? {
                0 => break,
                n => zeros &= buf[..n].iter().all(|b| *b == 0),
            }
        }
        let (_, digest, bytes) = self.inner.finish();
        Ok((zeros, digest, bytes))
    }
}

impl<R: Read> Read for Guarded<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.guard.count(n as u64)?;
        Ok(n)
    }
}
