//! The window of a zstd frame: how much of what was decompressed the decoder has
//! to keep, RFC 8878 section 3.1.1.1. It is what the input asks for, so it is
//! bounded, and all decoders of the process together are.

use std::io::{self, BufRead, Read};
use std::sync::{Condvar, Mutex, PoisonError};

/// Largest window of one frame. zstd itself asks for 8 MiB up to level 19; the
/// encoders of image builders for up to 32 MiB.
pub(super) const LARGEST: u64 = 32 << 20;
/// What all windows that are in use may have together.
const TOGETHER: u64 = 32 << 20;
/// A frame's header with its magic number, at most.
pub(super) const HEADER: usize = 18;

/// The window that a frame's header asks for; 0 where it is no header of a frame,
/// as the decoder will say itself.
pub(super) fn window(header: &[u8]) -> u64 {
    let [0x28, 0xb5, 0x2f, 0xfd, descriptor, rest @ ..] = header else { return 0 };
    let single = descriptor & 0x20 != 0;
    if !single {
        let Some(byte) = rest.first() else { return 0 };
        let base = 1u64 << (10 + (byte >> 3));
        return base + base / 8 * u64::from(byte & 7);
    }
    // The window is the content, whose size stands behind the dictionary's id.
    let dictionary = [0, 1, 2, 4][usize::from(descriptor & 3)];
    let (bytes, add) = match descriptor >> 6 {
        0 => (1, 0),
        1 => (2, 256),
        2 => (4, 0),
        _ => (8, 0),
    };
    let Some(field) = rest.get(dictionary..dictionary + bytes) else { return 0 };
    field.iter().rev().fold(0u64, |n, byte| n << 8 | u64::from(*byte)).saturating_add(add)
}

/// What is in use by all decoders.
static IN_USE: Mutex<u64> = Mutex::new(0);
static FREED: Condvar = Condvar::new();

/// A window's share of the memory, given back when dropped.
#[derive(Debug)]
pub(super) struct Held(u64);

impl Held {
    /// Waits until there is room for it. A decoder holds one at a time, so that the
    /// others always come to their end.
    ///
    /// # Errors
    /// When it is larger than any may be.
    pub fn window(window: u64) -> io::Result<Self> {
        if window > LARGEST {
            let reason = format!(
                "zstd: its window of {} MiB is larger than {} MiB: compress it again without --long or --ultra",
                window.div_ceil(1 << 20),
                LARGEST >> 20
            );
            return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
        }
        let mut in_use = IN_USE.lock().unwrap_or_else(PoisonError::into_inner);
        while *in_use + window > TOGETHER {
            in_use = FREED.wait(in_use).unwrap_or_else(PoisonError::into_inner);
        }
        *in_use += window;
        Ok(Held(window))
    }

    /// Bytes of it.
    pub fn bytes(&self) -> u64 {
        self.0
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        *IN_USE.lock().unwrap_or_else(PoisonError::into_inner) -= self.0;
        FREED.notify_all();
    }
}

/// A reader whose next bytes can be looked at.
pub(super) struct Peeked<R> {
    inner: R,
    seen: Vec<u8>,
    at: usize,
}

impl<R: BufRead> Peeked<R> {
    pub fn new(inner: R) -> Self {
        Peeked { inner, seen: Vec::new(), at: 0 }
    }

    /// The next bytes; fewer than `n` at the end only.
    pub fn peek(&mut self, n: usize) -> io::Result<&[u8]> {
        self.seen.drain(..self.at);
        self.at = 0;
        let missing = n.saturating_sub(self.seen.len()) as u64;
        (&mut self.inner).take(missing).read_to_end(&mut self.seen)?;
        Ok(&self.seen)
    }
}

impl<R: BufRead> BufRead for Peeked<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at < self.seen.len() { Ok(&self.seen[self.at..]) } else { self.inner.fill_buf() }
    }

    fn consume(&mut self, n: usize) {
        if self.at < self.seen.len() { self.at += n } else { self.inner.consume(n) }
    }
}

impl<R: BufRead> Read for Peeked<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.at == self.seen.len() {
            return self.inner.read(buf);
        }
        let n = (&self.seen[self.at..]).read(buf)?;
        self.at += n;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_as_headers_say_them() {
        let magic = [0x28, 0xb5, 0x2f, 0xfd];
        for (rest, wanted) in [
            (&[0x00, 0x58][..], 2 << 20),
            (&[0x04, 0x68], 8 << 20),
            (&[0x04, 0x69], 9 << 20),
            (&[0x00, 0x88], 128 << 20),
            (&[0x20, 0x07], 7),
            (&[0x60, 0x00, 0x01], 512),
            (&[0x61, 0xff, 0x00, 0x01], 512),
            (&[0xa0, 0, 0, 0, 1], 16 << 20),
            (&[0xe0, 0, 0, 0, 0, 1, 0, 0, 0], 1 << 32),
            (&[0xe0, 0], 0),
            (&[], 0),
        ] {
            assert_eq!(window(&[&magic, rest].concat()), wanted, "{rest:x?}");
        }
        assert_eq!(window(b"no frame"), 0);
    }

    #[test]
    fn too_large_a_window_is_refused_with_a_word() {
        let error = Held::window(LARGEST + 1).unwrap_err().to_string();
        assert!(error.contains("33 MiB") && error.contains("--long"), "{error}");
        let (one, more) = (Held::window(TOGETHER).unwrap(), std::thread::spawn(|| Held::window(9)));
        drop(one);
        assert!(more.join().unwrap().is_ok());
    }

    #[test]
    fn what_was_looked_at_is_read_too() {
        let mut peeked = Peeked::new(&b"0123456789"[..]);
        assert_eq!(peeked.peek(4).unwrap(), b"0123");
        let mut three = [0; 3];
        peeked.read_exact(&mut three).unwrap();
        assert_eq!(peeked.peek(4).unwrap(), b"3456");
        let mut rest = String::new();
        peeked.read_to_string(&mut rest).unwrap();
        assert_eq!((three, rest.as_str()), (*b"012", "3456789"));
    }
}
