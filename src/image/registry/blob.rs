//! Blobs: distribution-spec "Pulling blobs", with `Range` to go on where a
//! stream broke, RFC 9110 section 14.

use std::io::{self, Read};

use super::RegistryError;
use super::client::{Call, Target, refusal};
use super::manifest::protocol;
use super::options::Endpoint;
use super::repository::Repository;
use super::transport::{Answer, Payload};
use super::url::Url;
use crate::image::digest::Hashing;

/// Bytes read and thrown away at a time where a registry knows no ranges.
const SKIP: usize = 64 * 1024;

/// A blob by its descriptor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// `sha256:…`.
    pub digest: String,
    /// Bytes.
    pub size: u64,
}

impl Repository {
    /// The bytes of a blob from an offset on. The stream ends with an error if
    /// the registry sends fewer or more bytes than the descriptor says; the digest
    /// is for the caller to check, who sees all of it.
    ///
    /// # Errors
    /// When there is no such blob, or the answer is not it.
    pub fn blob(&self, blob: &Blob, offset: u64) -> Result<Box<dyn Read + Send>, RegistryError> {
        if offset > 0 && offset >= blob.size {
            // Who has all of it and wants more was sent more.
            return Err(wrong_length(
                self.registry(),
                blob,
                "the registry sends more bytes than the manifest says",
            ));
        }
        let what = format!("get blob {}", short(&blob.digest));
        let path = self.at(&format!("blobs/{}", blob.digest));
        self.read("GET", &path, range(offset), &what, |endpoint, answer| {
            stream(endpoint, answer, blob, offset, &what)
        })
    }

    /// The same from an address that a manifest names for a blob which registries
    /// do not have. That is anybody's: no credential goes there.
    ///
    /// # Errors
    /// As [`Repository::blob`]; when the address is not of `http` or `https`.
    pub fn blob_at(
        &self,
        address: &str,
        blob: &Blob,
        offset: u64,
    ) -> Result<Box<dyn Read + Send>, RegistryError> {
        let what = format!("get blob {}", short(&blob.digest));
        let url = Url::parse(address).ok_or_else(|| RegistryError::Content {
            what: format!("blob {}", short(&blob.digest)),
            host: self.registry().name.clone(),
            reason: format!(
                "the manifest says that it is at {}, which is no http or https address",
                crate::image::error::quoted(address)
            ),
        })?;
        let endpoint =
            Endpoint { origins: vec![url.origin.clone()], name: url.origin.host.clone(), mirror: false };
        let call = Call {
            method: "GET",
            target: Target::Url(&url),
            headers: range(offset),
            payload: Payload::None,
            scopes: String::new(),
            once: false,
            what: what.clone(),
        };
        stream(&endpoint, self.client.fetch(&url, &endpoint, &call)?, blob, offset, &what)
    }

    /// A small blob as a whole, verified: a config.
    ///
    /// # Errors
    /// As [`Repository::blob`]; when it is larger than `limit`, or not what its
    /// descriptor says.
    pub fn small_blob(&self, blob: &Blob, limit: u64) -> Result<Vec<u8>, RegistryError> {
        let host = self.registry().name.clone();
        let content = |reason: String| RegistryError::Content {
            what: format!("blob {}", short(&blob.digest)),
            host: host.clone(),
            reason,
        };
        if blob.size > limit {
            return Err(content(format!("it has {} bytes, more than {limit}", blob.size)));
        }
        let mut bytes: Vec<u8> = Vec::new();
        let mut attempts = self.client.options().retry.attempts;
        loop {
            let mut hashing = Hashing::new(self.blob(blob, 0)?);
            bytes.clear();
            match hashing.read_to_end(&mut bytes) {
                Ok(_) => {
                    let (_, computed, _) = hashing.finish();
                    return match computed == blob.digest {
                        true => Ok(bytes),
                        false => Err(content(format!("its digest is {computed}"))),
                    };
                }
                Err(e) if e.kind() == io::ErrorKind::InvalidData => return Err(content(e.to_string())),
                Err(e) if attempts <= 1 => {
                    return Err(RegistryError::Connect {
                        host,
                        reason: format!("the answer broke off: {}", crate::kernel::errno::io_words(&e)),
                    });
                }
                Err(_) => attempts -= 1,
            }
        }
    }

    /// Whether the registry itself has a blob: what a push asks first.
    ///
    /// # Errors
    /// When it does not say.
    pub fn has_blob(&self, blob: &str) -> Result<bool, RegistryError> {
        let endpoint = self.registry();
        let what = format!("look for blob {} in {}", short(blob), self.path());
        let call = Call {
            method: "HEAD",
            target: Target::Path(self.at(&format!("blobs/{blob}"))),
            headers: Vec::new(),
            payload: Payload::None,
            scopes: self.scopes("pull,push"),
            once: false,
            what: what.clone(),
        };
        let answer = self.client.call(endpoint, &call)?;
        match answer.status {
            200 => Ok(true),
            404 => Ok(false),
            _ => Err(refusal(&what, &endpoint.name, answer)),
        }
    }
}

/// The first digits, as Docker shows them.
pub(super) fn short(digest: &str) -> &str {
    let hex = digest.split_once(':').map_or(digest, |(_, hex)| hex);
    hex.get(..12).unwrap_or(hex)
}

/// The header that asks for the bytes from an offset on.
fn range(offset: u64) -> Vec<(&'static str, String)> {
    match offset {
        0 => Vec::new(),
        offset => vec![("range", format!("bytes={offset}-"))],
    }
}

/// The bytes of a blob from an offset on, out of an answer.
fn stream(
    endpoint: &Endpoint,
    answer: Answer,
    blob: &Blob,
    offset: u64,
    what: &str,
) -> Result<Box<dyn Read + Send>, RegistryError> {
    if !matches!(answer.status, 200 | 206 | 416) {
        return Err(refusal(what, &endpoint.name, answer));
    }
    let skip = begin(endpoint, &answer, blob, offset, what)?;
    let mut stream = Exactly { left: blob.size - offset + skip, inner: answer.into_reader() };
    skip_over(&mut stream, skip).map_err(|e| RegistryError::Connect {
        host: endpoint.name.clone(),
        reason: format!("the answer broke off: {}", crate::kernel::errno::io_words(&e)),
    })?;
    Ok(Box::new(stream))
}

/// Bytes to skip before the offset: none with a range, all of them where the
/// registry sent the whole blob.
fn begin(
    endpoint: &Endpoint,
    answer: &Answer,
    blob: &Blob,
    offset: u64,
    what: &str,
) -> Result<u64, RegistryError> {
    let skip = match (answer.status, offset) {
        (200, offset) => offset,
        (206, 1..) => {
            let from = answer.header("content-range").and_then(range_start);
            if from != Some(offset) {
                return Err(protocol(endpoint, what, "it answers with another range than the one asked for"));
            }
            0
        }
        (416, _) => return Err(wrong_length(endpoint, blob, "it has no bytes there")),
        (status, _) => {
            let reason = format!("it answers with status {status}");
            return Err(protocol(endpoint, what, &reason));
        }
    };
    let expected = blob.size - offset + skip;
    match answer.length() {
        Some(length) if length != expected => Err(wrong_length(
            endpoint,
            blob,
            &format!("the registry sends {length} bytes, not the {expected} of the manifest"),
        )),
        _ => Ok(skip),
    }
}

fn wrong_length(endpoint: &Endpoint, blob: &Blob, reason: &str) -> RegistryError {
    RegistryError::Content {
        what: format!("blob {}", short(&blob.digest)),
        host: endpoint.name.clone(),
        reason: reason.to_owned(),
    }
}

/// `bytes 100-199/200` begins at 100.
fn range_start(header: &str) -> Option<u64> {
    header.strip_prefix("bytes ")?.split_once('-')?.0.trim().parse().ok()
}

fn skip_over(stream: &mut impl Read, mut bytes: u64) -> io::Result<()> {
    let mut buffer = vec![0; SKIP.min(usize::try_from(bytes).unwrap_or(SKIP))];
    while bytes > 0 {
        let want = usize::try_from(bytes).unwrap_or(SKIP).min(buffer.len());
        match stream.read(&mut buffer[..want])? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => bytes -= n as u64,
        }
    }
    Ok(())
}

/// A stream of exactly so many bytes: fewer are `UnexpectedEof`, worth going on
/// from; more are `InvalidData`, which is not.
struct Exactly<R> {
    left: u64,
    inner: R,
}

impl<R: Read> Read for Exactly<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        if self.left == 0 {
            return match self.inner.read(&mut [0]) {
                Ok(0) | Err(_) => Ok(0),
                Ok(_) => Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "the registry sends more bytes than the manifest says",
                )),
            };
        }
        let want = usize::try_from(self.left).unwrap_or(usize::MAX).min(buf.len());
        match self.inner.read(&mut buf[..want])? {
            0 => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the connection ended too early")),
            n => {
                self.left -= n as u64;
                Ok(n)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_has_as_many_bytes_as_it_should() {
        let read = |left, bytes: &'static [u8]| {
            let mut out = Vec::new();
            let result = Exactly { left, inner: bytes }.read_to_end(&mut out);
            (out.len(), result.map_err(|e| e.kind()))
        };
        assert_eq!(read(3, b"abc"), (3, Ok(3)));
        assert_eq!(read(4, b"abc"), (3, Err(io::ErrorKind::UnexpectedEof)));
        assert_eq!(read(2, b"abc"), (2, Err(io::ErrorKind::InvalidData)));
        assert_eq!(read(0, b""), (0, Ok(0)));
    }

    #[test]
    fn ranges() {
        assert_eq!(range_start("bytes 100-199/200"), Some(100));
        assert_eq!(range_start("bytes 100-199/*"), Some(100));
        for bad in ["", "bytes */200", "items 1-2/3", "bytes x-1/2"] {
            assert_eq!(range_start(bad), None, "{bad}");
        }
    }
}
