//! Bytes from one thread to another, through a fixed number of buffers that go
//! round: a fast stage waits for a slow one, and memory stays bounded.

use std::io::{self, BufRead, Read};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

/// Bytes of one buffer.
pub const BUFFER: usize = 256 << 10;
/// Buffers of one pipe: 1 MiB.
const BUFFERS: usize = 4;

/// The sending end. Dropped without [`Writer::end`], the reader gets an error
/// and not an end: a stage that died must not look like a short file.
pub struct Writer {
    full: SyncSender<Vec<u8>>,
    empty: Receiver<Vec<u8>>,
}

/// The receiving end.
pub struct Reader {
    full: Receiver<Vec<u8>>,
    empty: Sender<Vec<u8>>,
    now: Vec<u8>,
    at: usize,
    ended: bool,
}

/// A new pipe.
pub fn pipe() -> (Writer, Reader) {
    let (full_in, full_out) = sync_channel(BUFFERS + 1);
    let (empty_in, empty_out) = channel();
    for _ in 0..BUFFERS {
        // Made when first used: a small layer needs one.
        let _ = empty_in.send(Vec::new());
    }
    (
        Writer { full: full_in, empty: empty_out },
        Reader { full: full_out, empty: empty_in, now: Vec::new(), at: 0, ended: false },
    )
}

impl Writer {
    /// A buffer of [`BUFFER`] bytes to fill, as soon as one is free; `None` when
    /// the reader is gone.
    pub fn buffer(&self) -> Option<Vec<u8>> {
        let mut buffer = self.empty.recv().ok()?;
        buffer.resize(BUFFER, 0);
        Some(buffer)
    }

    /// Hands over the first `len` bytes, at least one; whether there is still a
    /// reader.
    pub fn send(&self, mut buffer: Vec<u8>, len: usize) -> bool {
        buffer.truncate(len);
        // An empty buffer is the end, and only `end` says so.
        !buffer.is_empty() && self.full.send(buffer).is_ok()
    }

    /// Says that this was all.
    pub fn end(self) {
        let _ = self.full.send(Vec::new());
    }
}

impl BufRead for Reader {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at == self.now.len() && !self.ended {
            if !self.now.is_empty() {
                let _ = self.empty.send(std::mem::take(&mut self.now));
            }
            self.now = self.full.recv().map_err(|_| io::Error::other("the stage before it stopped"))?;
            self.at = 0;
            self.ended = self.now.is_empty();
        }
        Ok(&self.now[self.at..])
    }

    fn consume(&mut self, n: usize) {
        self.at = (self.at + n).min(self.now.len());
    }
}

impl Read for Reader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let there = self.fill_buf()?;
        let n = there.len().min(buf.len());
        buf[..n].copy_from_slice(&there[..n]);
        self.consume(n);
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn send(writer: &Writer, bytes: &[u8]) -> bool {
        let Some(mut buffer) = writer.buffer() else { return false };
        buffer[..bytes.len()].copy_from_slice(bytes);
        writer.send(buffer, bytes.len())
    }

    #[test]
    fn what_goes_in_comes_out() {
        let (writer, mut reader) = pipe();
        let sender = std::thread::spawn(move || {
            for n in 0..100u8 {
                assert!(send(&writer, &vec![n; 70_000]));
            }
            writer.end();
        });
        let mut all = Vec::new();
        reader.read_to_end(&mut all).unwrap();
        assert_eq!(reader.read(&mut [0; 9]).unwrap(), 0);
        sender.join().unwrap();
        assert!(
            all.len() == 7_000_000 && all.chunks(70_000).zip(0..).all(|(c, n)| c.iter().all(|b| *b == n))
        );
    }

    #[test]
    fn a_dead_writer_is_no_end_of_file() {
        let (writer, mut reader) = pipe();
        send(&writer, b"half");
        drop(writer);
        assert!(reader.read_to_end(&mut Vec::new()).is_err());
    }

    #[test]
    fn a_writer_hears_that_the_reader_is_gone() {
        let (writer, reader) = pipe();
        drop(reader);
        while writer.buffer().is_some_and(|b| writer.send(b, 1)) {}
    }
}
