//! Manifests and tags: distribution-spec "Pulling manifests", "Pushing
//! Manifests", "Listing Tags".

use serde::Deserialize;

use super::RegistryError;
use super::client::{Call, Target, refusal};
use super::options::Endpoint;
use super::repository::Repository;
use super::transport::{Answer, Payload};
use super::url::Url;
use crate::image::digest;
use crate::image::manifest::{Document, MAX_MANIFEST, ManifestError, REQUEST, Variety, parse};

/// A page of tags.
const MAX_TAGS: u64 = 16 * 1024 * 1024;
/// Pages of tags; a registry that names ever another one is cut off here.
const MAX_PAGES: usize = 10_000;

/// A manifest or an index as a registry has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Byte for byte: the digest is over these.
    pub bytes: Vec<u8>,
    /// As declared, or what its content says it is.
    pub media_type: String,
    /// `sha256:…`, computed here.
    pub digest: String,
}

impl Manifest {
    /// Whether it names manifests, not layers.
    pub fn is_index(&self) -> bool {
        Variety::of(&self.media_type) == Some(Variety::Index)
    }
}

/// What HEAD tells of a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// As the registry says; not verified.
    pub digest: Option<String>,
    /// Its media type.
    pub media_type: Option<String>,
    /// Bytes.
    pub size: Option<u64>,
}

#[derive(Deserialize)]
struct Tags {
    tags: Option<Vec<String>>,
}

impl Repository {
    /// The manifest of a tag or a digest, verified as far as it can be: against
    /// the digest asked for, and against the one that the registry states.
    ///
    /// # Errors
    /// When there is none, or what came is none.
    pub fn manifest(&self, tag_or_digest: &str) -> Result<Manifest, RegistryError> {
        let what = format!("get manifest {tag_or_digest} of {}", self.path());
        let path = self.at(&format!("manifests/{tag_or_digest}"));
        self.read("GET", &path, accept(), &what, |endpoint, answer| {
            manifest(endpoint, answer, tag_or_digest, &what)
        })
    }

    /// What a tag or a digest means now, without the manifest itself. `None` if
    /// the registry has no such manifest.
    ///
    /// # Errors
    /// As [`Repository::manifest`].
    pub fn head_manifest(&self, tag_or_digest: &str) -> Result<Option<Head>, RegistryError> {
        let what = format!("look for manifest {tag_or_digest} of {}", self.path());
        let path = self.at(&format!("manifests/{tag_or_digest}"));
        let head = self.read("HEAD", &path, accept(), &what, |endpoint, answer| match answer.status {
            200 => Ok(Head {
                digest: answer.header("docker-content-digest").map(str::to_owned),
                media_type: answer.media_type(),
                size: answer.length(),
            }),
            _ => Err(refusal(&what, &endpoint.name, answer)),
        });
        match head {
            Ok(head) => Ok(Some(head)),
            Err(RegistryError::NotFound { .. }) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Puts a manifest under a tag or its digest. Its blobs have to be there.
    ///
    /// # Errors
    /// When the registry refuses it, or states another digest for it.
    pub fn put_manifest(
        &self,
        tag_or_digest: &str,
        bytes: &[u8],
        media_type: &str,
    ) -> Result<String, RegistryError> {
        let endpoint = self.registry();
        let what = format!("put manifest {tag_or_digest} of {}", self.path());
        let call = Call {
            method: "PUT",
            target: Target::Path(self.at(&format!("manifests/{tag_or_digest}"))),
            headers: vec![("content-type", media_type.to_owned())],
            payload: Payload::Bytes(bytes),
            scopes: self.scopes("pull,push"),
            once: false,
            what: what.clone(),
        };
        let answer = self.client.call(endpoint, &call)?;
        if !matches!(answer.status, 200..=202) {
            return Err(refusal(&what, &endpoint.name, answer));
        }
        let ours = digest::of_bytes(bytes);
        match answer.header("docker-content-digest") {
            Some(theirs) if theirs.starts_with("sha256:") && theirs != ours => Err(RegistryError::Content {
                what,
                host: endpoint.name.clone(),
                reason: format!("it states the digest {}, not {ours}", crate::image::error::quoted(theirs)),
            }),
            _ => Ok(ours),
        }
    }

    /// All tags, in the registry's order.
    ///
    /// # Errors
    /// When there is no such repository, or what came is no list of tags.
    pub fn tags(&self) -> Result<Vec<String>, RegistryError> {
        let what = format!("list the tags of {}", self.path());
        let mut all: Vec<String> = Vec::new();
        let mut path = self.at("tags/list");
        for _ in 0..MAX_PAGES {
            let (tags, next) = self.read("GET", &path, Vec::new(), &what, |endpoint, answer| {
                if answer.status != 200 {
                    return Err(refusal(&what, &endpoint.name, answer));
                }
                let next = next_page(&answer);
                let text = body(endpoint, answer, &what, MAX_TAGS)?;
                let tags: Tags = serde_json::from_slice(&text)
                    .map_err(|_| protocol(endpoint, &what, "its answer is not the JSON of a list of tags"))?;
                Ok((tags.tags.unwrap_or_default(), next))
            })?;
            let before = all.len();
            all.extend(tags);
            match next {
                Some(url) if all.len() > before => path = url.path,
                _ => {
                    all.dedup();
                    return Ok(all);
                }
            }
        }
        Err(protocol(self.registry(), &what, "its list of tags has no end"))
    }
}

fn accept() -> Vec<(&'static str, String)> {
    REQUEST.iter().map(|t| ("accept", (*t).to_owned())).collect()
}

fn manifest(
    endpoint: &Endpoint,
    answer: Answer,
    wanted: &str,
    what: &str,
) -> Result<Manifest, RegistryError> {
    if answer.status != 200 {
        return Err(refusal(what, &endpoint.name, answer));
    }
    let declared = answer.media_type();
    let stated = answer.header("docker-content-digest").map(str::to_owned);
    let bytes = body(endpoint, answer, what, MAX_MANIFEST)?;
    let media_type = kind(endpoint, what, declared.as_deref(), &bytes)?;
    let computed = digest::of_bytes(&bytes);
    let expected = if wanted.contains(':') { Some(wanted.to_owned()) } else { stated };
    match expected {
        Some(expected) if expected.starts_with("sha256:") && expected != computed => {
            Err(RegistryError::Content {
                what: what.trim_start_matches("get ").to_owned(),
                host: endpoint.name.clone(),
                reason: format!("its digest is {computed}, not {}", crate::image::error::quoted(&expected)),
            })
        }
        Some(expected) if wanted.contains(':') && !expected.starts_with("sha256:") => {
            Err(protocol(endpoint, what, "only sha256 digests can be verified here"))
        }
        _ => Ok(Manifest { bytes, media_type, digest: computed }),
    }
}

/// What kind of manifest it is.
fn kind(
    endpoint: &Endpoint,
    what: &str,
    declared: Option<&str>,
    bytes: &[u8],
) -> Result<String, RegistryError> {
    match parse(bytes, declared) {
        Ok(Document::Manifest(manifest)) => Ok(manifest.media_type),
        Ok(Document::Index(index)) => Ok(index.media_type),
        Err(ManifestError::Json(_)) => {
            let declared = crate::image::error::quoted(declared.unwrap_or("no known type"));
            Err(protocol(endpoint, what, &format!("its answer is {declared}, not a manifest")))
        }
        Err(error) => Err(RegistryError::Manifest {
            what: what.trim_start_matches("get ").to_owned(),
            host: endpoint.name.clone(),
            error,
        }),
    }
}

pub(super) fn body(
    endpoint: &Endpoint,
    answer: Answer,
    what: &str,
    limit: u64,
) -> Result<Vec<u8>, RegistryError> {
    match answer.read(limit) {
        Ok(Some(bytes)) => Ok(bytes),
        Ok(None) => Err(protocol(endpoint, what, &format!("its answer has more than {limit} bytes"))),
        Err(e) => Err(RegistryError::Connect {
            host: endpoint.name.clone(),
            reason: format!("the answer broke off: {}", crate::kernel::errno::io_words(&e)),
        }),
    }
}

pub(super) fn protocol(endpoint: &Endpoint, what: &str, reason: &str) -> RegistryError {
    RegistryError::Protocol { what: what.to_owned(), host: endpoint.name.clone(), reason: reason.to_owned() }
}

/// `Link: </v2/…?last=…>; rel="next"`, RFC 8288.
fn next_page(answer: &Answer) -> Option<Url> {
    let link = answer.header("link")?;
    let (target, parameters) = link.strip_prefix('<')?.split_once('>')?;
    let next = parameters.split(';').any(|p| p.trim().replace('"', "") == "rel=next");
    // The list goes on where it began.
    answer.url.join(target).filter(|url| next && url.origin == answer.url.origin)
}
