//! Content digests (`sha256:…`) and the chain ID of image-spec config.md.

use std::io::{self, Read, Write};

use sha2::{Digest as _, Sha256};

/// `sha256:` and the digest of the bytes.
pub fn of_bytes(bytes: &[u8]) -> String {
    of_sha256(&Sha256::digest(bytes))
}

/// The 64 hexadecimal digits of a well-formed `sha256:` digest. Anything else
/// is `None`: the result is safe as a file name.
pub fn hex(digest: &str) -> Option<&str> {
    let hex = digest.strip_prefix("sha256:")?;
    let fits = hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    fits.then_some(hex)
}

/// The chain IDs of a stack of layers, lowest first: that of the lowest layer
/// is its diff ID, every other is the digest of the chain below, a space and
/// its own diff ID.
pub fn chain_ids<S: AsRef<str>>(diff_ids: &[S]) -> Vec<String> {
    let mut chain: Vec<String> = Vec::with_capacity(diff_ids.len());
    for diff in diff_ids {
        let diff = diff.as_ref();
        chain.push(match chain.last() {
            None => diff.to_owned(),
            Some(below) => of_bytes(format!("{below} {diff}").as_bytes()),
        });
    }
    chain
}

/// `sha256:` and the hexadecimal digits of a finished hash.
pub(crate) fn of_sha256(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(71);
    text.push_str("sha256:");
    for byte in bytes {
        for nibble in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
        }
    }
    text
}

/// Hashes and counts what passes through it, in either direction.
pub struct Hashing<T> {
    inner: T,
    hash: Sha256,
    bytes: u64,
}

impl<T> Hashing<T> {
    /// Around a reader or a writer.
    pub fn new(inner: T) -> Self {
        Hashing { inner, hash: Sha256::new(), bytes: 0 }
    }

    /// Bytes that went through so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The inner one, the digest and the number of bytes.
    pub fn finish(self) -> (T, String, u64) {
        (self.inner, of_sha256(&self.hash.finalize()), self.bytes)
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.hash.update(&buf[..n]);
        self.bytes += n as u64;
        Ok(n)
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let n = self.inner.write(buf)?;
        self.hash.update(&buf[..n]);
        self.bytes += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_of_known_texts() {
        assert_eq!(
            of_bytes(b"{}"),
            "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
        );
        let mut hashing = Hashing::new(io::sink());
        hashing.write_all(b"{}").unwrap();
        let (_, digest, bytes) = hashing.finish();
        assert_eq!((digest, bytes), (of_bytes(b"{}"), 2));
    }

    #[test]
    fn only_a_digest_becomes_a_file_name() {
        assert_eq!(hex(&of_bytes(b"")).map(str::len), Some(64));
        for bad in ["", "sha256:", "sha256:../../etc", "md5:0123", "sha256:ABCD"] {
            assert_eq!(hex(bad), None, "{bad}");
        }
        assert_eq!(hex(&of_bytes(b"").to_uppercase()), None);
    }

    #[test]
    fn chain_ids_follow_the_specification() {
        let (a, b, c) = (of_bytes(b"a"), of_bytes(b"b"), of_bytes(b"c"));
        let chain = chain_ids(&[&a, &b, &c]);
        assert_eq!(chain[0], a);
        assert_eq!(chain[1], of_bytes(format!("{a} {b}").as_bytes()));
        assert_eq!(chain[2], of_bytes(format!("{} {c}", chain[1]).as_bytes()));
        assert!(chain_ids::<String>(&[]).is_empty());
    }
}
