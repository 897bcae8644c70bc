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

/// What a manifest may have at most; the distribution project's own limit.
pub const MAX_MANIFEST: u64 = 4 * 1024 * 1024;
/// A page of tags.
const MAX_TAGS: u64 = 16 * 1024 * 1024;
/// Pages of tags; a registry that names ever another one is cut off here.
const MAX_PAGES: usize = 10_000;

/// OCI and Docker, one image.
pub const IMAGE_TYPES: [&str; 2] =
    ["application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json"];
/// OCI and Docker, one for each platform.
pub const INDEX_TYPES: [&str; 2] =
    ["application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"];
/// What registries said before there were layers with a media type.
const OBSOLETE: &str = "application/vnd.docker.distribution.manifest.v1+";

/// A manifest or an index as a registry has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Byte for byte: the digest is over these.
    pub bytes: Vec<u8>,
    /// One of [`IMAGE_TYPES`] or [`INDEX_TYPES`].
    pub media_type: String,
    /// `sha256:…`, computed here.
    pub digest: String,
}

impl Manifest {
    /// Whether it names manifests, not layers.
    pub fn is_index(&self) -> bool {
        INDEX_TYPES.contains(&self.media_type.as_str())
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
    IMAGE_TYPES.iter().chain(&INDEX_TYPES).map(|t| ("accept", (*t).to_owned())).collect()
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
    let media_type = kind(declared.as_deref(), &bytes).map_err(|reason| protocol(endpoint, what, &reason))?;
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

/// What kind of manifest it is: by the header, or by its own word where the
/// header says nothing useful.
fn kind(declared: Option<&str>, bytes: &[u8]) -> Result<String, String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Peek {
        schema_version: Option<u64>,
        media_type: Option<String>,
        manifests: Option<serde::de::IgnoredAny>,
    }
    let known = |t: &str| IMAGE_TYPES.contains(&t) || INDEX_TYPES.contains(&t);
    let peek: Peek = serde_json::from_slice(bytes).map_err(|_| match declared {
        Some(declared) => format!("its answer is {}, not a manifest", crate::image::error::quoted(declared)),
        None => "its answer is not JSON".to_owned(),
    })?;
    if peek.schema_version == Some(1) || declared.is_some_and(|d| d.starts_with(OBSOLETE)) {
        return Err("it only has a manifest of schema 1, which is obsolete: push the image again".into());
    }
    let own = peek.media_type.filter(|t| known(t));
    match declared.filter(|d| known(d)) {
        Some(declared) if own.as_deref().is_some_and(|own| own != declared) => {
            Err(format!("its manifest says {}, its header {declared}", own.unwrap_or_default()))
        }
        Some(declared) => Ok(declared.to_owned()),
        None => match own {
            Some(own) => Ok(own),
            None if peek.schema_version == Some(2) => {
                Ok(if peek.manifests.is_some() { INDEX_TYPES[0] } else { IMAGE_TYPES[0] }.to_owned())
            }
            None => Err(format!(
                "its answer of type {} is not a manifest",
                crate::image::error::quoted(declared.unwrap_or("unknown"))
            )),
        },
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_of_a_manifest() {
        let oci = IMAGE_TYPES[0];
        for (declared, bytes, expected) in [
            (Some(oci), r#"{"schemaVersion":2}"#, Ok(oci)),
            (Some("application/json"), r#"{"schemaVersion":2,"manifests":[]}"#, Ok(INDEX_TYPES[0])),
            (None, r#"{"schemaVersion":2,"layers":[]}"#, Ok(oci)),
            (
                Some("application/octet-stream"),
                r#"{"mediaType":"application/vnd.docker.distribution.manifest.v2+json"}"#,
                Ok(IMAGE_TYPES[1]),
            ),
            (Some("text/html"), "<html>", Err("text/html")),
            (None, "<html>", Err("not JSON")),
            (Some(oci), r#"{"schemaVersion":1}"#, Err("schema 1")),
            (
                Some(oci),
                r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json"}"#,
                Err("its header"),
            ),
            (Some("application/json"), r#"{"a":1}"#, Err("not a manifest")),
        ] {
            match (kind(declared, bytes.as_bytes()), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{bytes}"),
                (Err(found), Err(words)) => assert!(found.contains(words), "{found}"),
                (found, expected) => panic!("{bytes}: {found:?}, not {expected:?}"),
            }
        }
    }
}
