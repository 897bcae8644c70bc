//! Sending blobs: distribution-spec "Pushing blobs": mounted from another
//! repository of the same registry, sent in one request, or in pieces; what broke
//! goes on where the registry says it stopped.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use super::RegistryError;
use super::blob::{Blob, short};
use super::client::{Call, Target, refusal};
use super::manifest::protocol;
use super::repository::Repository;
use super::transport::{Answer, Payload};
use super::url::{Url, encode};

/// Pieces where the whole was refused as too large (413) or broke.
const PIECE: u64 = 8 * 1024 * 1024;

/// What to send, and who wants to know.
pub struct Upload<'a> {
    /// Its digest and size.
    pub blob: &'a Blob,
    /// The file that holds it.
    pub file: &'a Path,
    /// Repositories of the same registry that may have it: `library/debian`.
    pub mount_from: &'a [String],
    /// Told how many bytes have been sent in all; they may fall back.
    pub progress: &'a (dyn Fn(u64) + Sync),
}

/// How a blob came to be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// It was there before.
    There,
    /// Mounted from this repository; nothing was sent.
    Mounted(String),
    /// Sent.
    Sent,
}

impl Repository {
    /// Makes a blob be there.
    ///
    /// # Errors
    /// When the registry refuses it, or the file is not what it should be.
    pub fn push_blob(&self, upload: &Upload<'_>) -> Result<Sent, RegistryError> {
        if self.has_blob(&upload.blob.digest)? {
            return Ok(Sent::There);
        }
        let mut from = upload.mount_from.iter().filter(|r| *r != self.path());
        let session = loop {
            match from.next() {
                Some(repository) => match self.begin(upload, Some(repository))? {
                    Begun::Mounted => return Ok(Sent::Mounted(repository.clone())),
                    // The registry has begun an upload in its place.
                    Begun::Session(session) => break session,
                    Begun::Refused => {}
                },
                None => match self.begin(upload, None)? {
                    Begun::Session(session) => break session,
                    Begun::Mounted | Begun::Refused => {
                        return Err(protocol(self.registry(), &what(upload), "it begins no upload"));
                    }
                },
            }
        };
        self.send(upload, session).map(|()| Sent::Sent)
    }

    fn begin(&self, upload: &Upload<'_>, from: Option<&str>) -> Result<Begun, RegistryError> {
        let endpoint = self.registry();
        let mut path = self.at("blobs/uploads/");
        let mut scopes = self.scopes("pull,push");
        if let Some(from) = from {
            path.push_str(&format!("?mount={}&from={}", encode(&upload.blob.digest), encode(from)));
            scopes.push_str(&format!(" repository:{from}:pull"));
        }
        let answer = self.client.call(
            endpoint,
            &Call {
                method: "POST",
                target: Target::Path(path),
                headers: Vec::new(),
                payload: Payload::Bytes(&[]),
                scopes,
                once: false,
                what: what(upload),
            },
        );
        let answer = match answer {
            // Without a right to read there, there is no mounting.
            Err(RegistryError::Unauthorized { .. } | RegistryError::Denied { .. }) if from.is_some() => {
                return Ok(Begun::Refused);
            }
            answer => answer?,
        };
        match answer.status {
            201 if from.is_some() => Ok(Begun::Mounted),
            202 => Ok(Begun::Session(self.session(upload, &answer)?)),
            401..=404 if from.is_some() => Ok(Begun::Refused),
            _ => Err(refusal(&what(upload), &endpoint.name, answer)),
        }
    }

    /// Where to go on, by the answer to what was sent before.
    fn session(&self, upload: &Upload<'_>, answer: &Answer) -> Result<Session, RegistryError> {
        let location = answer.header("location").and_then(|l| answer.url.join(l));
        let location = location
            .ok_or_else(|| protocol(self.registry(), &what(upload), "it does not say where to send to"))?;
        let least = answer.header("oci-chunk-min-length").and_then(|v| v.parse().ok()).unwrap_or(0);
        Ok(Session { location, least })
    }

    fn send(&self, upload: &Upload<'_>, mut session: Session) -> Result<(), RegistryError> {
        let options = self.client.options();
        let mut piece = options.upload_chunk.filter(|c| *c < upload.blob.size);
        let mut offset = 0;
        let mut attempts = 1;
        loop {
            let step = match piece {
                None => self.whole(upload, &session),
                Some(piece) if offset < upload.blob.size => {
                    self.piece(upload, &session, offset, piece.max(session.least))
                }
                Some(_) => self.close(upload, &session),
            };
            match step? {
                Step::Done => return Ok(()),
                Step::Next(next, there) => {
                    (session, offset) = (next, there);
                    attempts = 1;
                }
                Step::TooLarge if piece.is_none_or(|p| p > PIECE) && session.least <= PIECE => {
                    piece = Some(PIECE);
                    (session, offset) = (self.again(upload)?, 0);
                }
                Step::TooLarge => {
                    let reason = "it takes no piece of a size that it allows";
                    return Err(protocol(self.registry(), &what(upload), reason));
                }
                Step::Broken(error) => {
                    if attempts >= options.retry.attempts {
                        return Err(error);
                    }
                    std::thread::sleep(options.retry.first * attempts);
                    attempts += 1;
                    // What arrived stays: only the rest is sent, in pieces.
                    (session, offset) = match self.status(upload, &session) {
                        Some((session, offset)) if offset <= upload.blob.size => {
                            piece = piece.or((offset > 0).then_some(PIECE.max(upload.blob.size / 8)));
                            (session, offset)
                        }
                        _ => (self.again(upload)?, 0),
                    };
                    (upload.progress)(offset);
                }
            }
        }
    }

    fn again(&self, upload: &Upload<'_>) -> Result<Session, RegistryError> {
        match self.begin(upload, None)? {
            Begun::Session(session) => Ok(session),
            Begun::Mounted | Begun::Refused => {
                Err(protocol(self.registry(), &what(upload), "it begins no upload"))
            }
        }
    }

    /// All of it, and the end of the upload, in one request.
    fn whole(&self, upload: &Upload<'_>, session: &Session) -> Result<Step, RegistryError> {
        let url = session.location.clone().with_query("digest", &upload.blob.digest);
        let headers = vec![("content-type", "application/octet-stream".to_owned())];
        let range = (0, upload.blob.size);
        let answer = match self.put("PUT", &url, headers, upload, Some(range))? {
            Ok(answer) => answer,
            Err(error) => return Ok(Step::Broken(error)),
        };
        self.judge(upload, answer, None)
    }

    fn piece(
        &self,
        upload: &Upload<'_>,
        session: &Session,
        offset: u64,
        piece: u64,
    ) -> Result<Step, RegistryError> {
        let end = offset.saturating_add(piece).min(upload.blob.size);
        let headers = vec![
            ("content-type", "application/octet-stream".to_owned()),
            ("content-range", format!("{offset}-{}", end - 1)),
        ];
        let answer = match self.put("PATCH", &session.location, headers, upload, Some((offset, end)))? {
            Ok(answer) => answer,
            Err(error) => return Ok(Step::Broken(error)),
        };
        self.judge(upload, answer, Some(end))
    }

    fn close(&self, upload: &Upload<'_>, session: &Session) -> Result<Step, RegistryError> {
        let url = session.location.clone().with_query("digest", &upload.blob.digest);
        match self.put("PUT", &url, Vec::new(), upload, None)? {
            Ok(answer) => self.judge(upload, answer, None),
            Err(error) => Ok(Step::Broken(error)),
        }
    }

    /// What an answer to bytes means. `end` is what a piece should have reached.
    fn judge(&self, upload: &Upload<'_>, answer: Answer, end: Option<u64>) -> Result<Step, RegistryError> {
        let endpoint = self.registry();
        match (answer.status, end) {
            (201 | 204, None) => match answer.header("docker-content-digest") {
                Some(theirs) if theirs != upload.blob.digest && theirs.starts_with("sha256:") => {
                    Err(RegistryError::Content {
                        what: what(upload),
                        host: endpoint.name.clone(),
                        reason: "it states another digest for what it received".into(),
                    })
                }
                _ => Ok(Step::Done),
            },
            (202 | 204, Some(end)) => {
                let there = answer.header("range").and_then(received).unwrap_or(end);
                Ok(Step::Next(self.session(upload, &answer)?, there.min(end)))
            }
            (413, _) => Ok(Step::TooLarge),
            // Gone or out of step: the status tells, or it begins anew.
            (404 | 408 | 416 | 429 | 500.., _) => {
                Ok(Step::Broken(refusal(&what(upload), &endpoint.name, answer)))
            }
            _ => Err(refusal(&what(upload), &endpoint.name, answer)),
        }
    }

    /// How far the registry is: `Range: 0-N` of the upload's own URL.
    fn status(&self, upload: &Upload<'_>, session: &Session) -> Option<(Session, u64)> {
        let call = Call {
            method: "GET",
            target: Target::Url(&session.location),
            headers: Vec::new(),
            payload: Payload::None,
            scopes: self.scopes("pull,push"),
            once: false,
            what: what(upload),
        };
        let answer = self.client.call(self.registry(), &call).ok().filter(|a| a.status == 204)?;
        let offset = answer.header("range").and_then(received)?;
        Some((self.session(upload, &answer).ok()?, offset))
    }

    /// Sends a range of the file. The inner error is one of the connection.
    fn put(
        &self,
        method: &'static str,
        url: &Url,
        headers: Vec<(&'static str, String)>,
        upload: &Upload<'_>,
        range: Option<(u64, u64)>,
    ) -> Result<Result<Answer, RegistryError>, RegistryError> {
        let open = || -> io::Result<Box<dyn Read + '_>> {
            let (from, to) = range.unwrap_or_default();
            let mut file = File::open(upload.file)?;
            file.seek(SeekFrom::Start(from))?;
            Ok(Box::new(Counting { inner: file.take(to - from), at: from, progress: upload.progress }))
        };
        let payload = match range {
            Some((from, to)) => Payload::Stream(to - from, &open),
            None => Payload::Bytes(&[]),
        };
        let call = Call {
            method,
            target: Target::Url(url),
            headers,
            payload,
            scopes: self.scopes("pull,push"),
            once: true,
            what: what(upload),
        };
        match self.client.call(self.registry(), &call) {
            Ok(answer) => Ok(Ok(answer)),
            Err(error @ RegistryError::Connect { .. }) => Ok(Err(error)),
            Err(error) => Err(error),
        }
    }
}

/// Tells how far it was read.
struct Counting<'a, R> {
    inner: R,
    at: u64,
    progress: &'a (dyn Fn(u64) + Sync),
}

impl<R: Read> Read for Counting<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.at += n as u64;
        (self.progress)(self.at);
        Ok(n)
    }
}

enum Begun {
    Mounted,
    Session(Session),
    Refused,
}

struct Session {
    location: Url,
    /// The smallest piece that the registry takes, but for the last.
    least: u64,
}

enum Step {
    Done,
    Next(Session, u64),
    TooLarge,
    Broken(RegistryError),
}

fn what(upload: &Upload<'_>) -> String {
    format!("send blob {}", short(&upload.blob.digest))
}

/// `Range: 0-99` are 100 bytes. A new upload says `0-0`, as does one with a
/// single byte: nothing is lost by sending that again.
fn received(header: &str) -> Option<u64> {
    let range = header.trim().trim_start_matches("bytes=");
    match range.strip_prefix("0-")?.parse::<u64>().ok()? {
        0 => Some(0),
        last => last.checked_add(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_been_received() {
        for (header, bytes) in
            [("0-0", Some(0)), ("0-99", Some(100)), ("bytes=0-9", Some(10)), ("5-9", None), ("", None)]
        {
            assert_eq!(received(header), bytes, "{header}");
        }
    }
}
