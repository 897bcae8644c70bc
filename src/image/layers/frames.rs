//! zstd: frame after frame, RFC 8878, each with the memory that its window takes.

use std::io::{self, BufRead, Read};

use zstd::stream::raw::{DParameter, Decoder, Operation};

use super::window::{HEADER, Held, LARGEST, Peeked, window};

/// A decoder keeps its memory from frame to frame. One that had a larger window is
/// not used again, so that what is held is what there is.
const KEPT: u64 = 1 << 20;

/// The uncompressed content of any number of frames; those that are skippable are
/// passed over.
pub(super) struct Frames<R: BufRead> {
    input: Peeked<R>,
    /// The frame that is being read.
    frame: Option<Frame>,
    /// For the next frame.
    idle: Option<Decoder<'static>>,
}

/// The decoder goes before what holds its memory.
struct Frame {
    decoder: Decoder<'static>,
    held: Held,
}

impl<R: BufRead> Frames<R> {
    pub fn new(input: R) -> Self {
        Frames { input: Peeked::new(input), frame: None, idle: None }
    }

    /// Begins the next frame; whether there is one.
    fn begin(&mut self) -> io::Result<bool> {
        if self.input.fill_buf()?.is_empty() {
            return Ok(false);
        }
        let held = Held::window(window(self.input.peek(HEADER)?))?;
        let decoder = match self.idle.take() {
            Some(decoder) => decoder,
            None => {
                let mut decoder = Decoder::new()?;
                decoder.set_parameter(DParameter::WindowLogMax(LARGEST.ilog2()))?;
                decoder
            }
        };
        self.frame = Some(Frame { decoder, held });
        Ok(true)
    }
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while !buf.is_empty() {
            if self.frame.is_none() && !self.begin()? {
                return Ok(0);
            }
            let Some(mut frame) = self.frame.take() else { return Ok(0) };
            let there = self.input.fill_buf()?;
            let at_end = there.is_empty();
            // Also without input: what the decoder has may not have fitted before.
            let done = frame.decoder.run_on_buffers(there, buf).map_err(|e| broken(&e))?;
            self.input.consume(done.bytes_read);
            match done.remaining {
                0 => self.idle = (frame.held.bytes() <= KEPT).then_some(frame.decoder),
                _ if at_end && done.bytes_written == 0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                _ => self.frame = Some(frame),
            }
            if done.bytes_written > 0 {
                return Ok(done.bytes_written);
            }
        }
        Ok(0)
    }
}

/// The library's words begin like sentences.
fn broken(error: &io::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("zstd: {}", error.to_string().to_lowercase()))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use zstd::stream::raw::CParameter;

    use super::*;

    /// A frame with this window, and bytes that repeat each other over all of it.
    fn frame(window_log: u32, bytes: usize) -> (Vec<u8>, Vec<u8>) {
        let mut seed = 1u32;
        let part: Vec<u8> = (0..1 << 20)
            .map(|_| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (seed >> 24) as u8
            })
            .collect();
        let plain: Vec<u8> = part.iter().copied().cycle().take(bytes).collect();
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
        encoder.set_parameter(CParameter::WindowLog(window_log)).unwrap();
        encoder.set_parameter(CParameter::ChecksumFlag(true)).unwrap();
        encoder.write_all(&plain).unwrap();
        (encoder.finish().unwrap(), plain)
    }

    fn read(blob: &[u8]) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        // Odd sizes: a frame may end anywhere in a buffer.
        Frames::new(io::BufReader::with_capacity(1009, blob)).read_to_end(&mut out).map(|_| out)
    }

    #[test]
    fn frames_of_all_windows_one_after_the_other() {
        let mut blob = Vec::new();
        let mut whole = Vec::new();
        for (log, bytes) in [(25, 3 << 20), (10, 70_000), (20, 0), (23, 1 << 20), (10, 1)] {
            let (packed, plain) = frame(log, bytes);
            blob.extend_from_slice(&[0x5e, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 9, 9]);
            blob.extend(packed);
            whole.extend(plain);
        }
        assert!(read(&blob).unwrap() == whole);
        for cut in [1, 3, 5, 100] {
            let error = read(&blob[..blob.len() - cut]).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{cut}: {error}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let (mut packed, _) = frame(17, 100_000);
        let last = packed.len() - 1;
        packed[last] ^= 1;
        let error = read(&packed).unwrap_err().to_string();
        assert_eq!(error, "zstd: restored data doesn't match checksum");
        let error = read(b"\x28\xb5\x2f\xfd\x04\x90").unwrap_err().to_string();
        assert!(error.contains("its window of 256 MiB"), "{error}");
        assert!(read(b"nothing of that kind").unwrap_err().to_string().starts_with("zstd: "));
    }

    /// What a decoder holds is given back with it: two of them take turns, each
    /// while the other is between two frames.
    #[test]
    fn decoders_side_by_side_come_to_their_end() {
        let (packed, plain) = frame(25, 2 << 20);
        let (two, wanted) = ([&packed[..], &packed].concat(), plain.len() * 2);
        let lanes: Vec<_> = (0..3)
            .map(|_| {
                let two = two.clone();
                std::thread::spawn(move || read(&two).unwrap().len())
            })
            .collect();
        for lane in lanes {
            assert_eq!(lane.join().unwrap(), wanted);
        }
    }
}
