//! From what a name leads to, through indexes, to the manifest of the image for
//! one platform.

use oci_spec::image::Descriptor;

use super::{Document, Index, MAX_MANIFEST, Manifest, ManifestError, Matcher, Platform, Variety, parse};
use crate::image::{ImageError, digest};

/// How deep indexes may be nested. Honest ones are once.
pub const MAX_DEPTH: usize = 4;
/// How many documents are read before an image must be found.
const MAX_DOCUMENTS: usize = 32;

/// What BuildKit notes on provenance beside an image: no image itself.
const REFERENCE_TYPE: &str = "vnd.docker.reference.type";

/// The manifest that was chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct Chosen {
    /// Its digest.
    pub digest: String,
    /// Byte for byte.
    pub bytes: Vec<u8>,
    /// The same, read; it is that of an image.
    pub manifest: Manifest,
    /// Digests of the indexes that led to it, outermost first.
    pub through: Vec<String>,
    /// The platform that the index gives it.
    pub platform: Option<Platform>,
}

/// The manifests of an index that may be used, the best first: those for the
/// platform by rank, then those that do not say what they are for.
///
/// # Errors
/// [`ManifestError::NoPlatform`] if there are none.
pub fn for_platform<'a>(index: &'a Index, matcher: &Matcher) -> Result<Vec<&'a Descriptor>, ManifestError> {
    let mut fitting: Vec<(usize, &Descriptor)> = Vec::new();
    let mut found: Vec<String> = Vec::new();
    for descriptor in &index.manifests {
        let notes = descriptor.annotations().as_ref();
        let known = Variety::of(descriptor.media_type().as_ref()).is_some();
        if !known || notes.is_some_and(|n| n.contains_key(REFERENCE_TYPE)) {
            continue;
        }
        match Platform::of(descriptor) {
            None => fitting.push((usize::MAX, descriptor)),
            Some(platform) => match matcher.rank(&platform) {
                Some(rank) => fitting.push((rank, descriptor)),
                None if platform.os() == "unknown" => {}
                None => found.push(platform.to_string()),
            },
        }
    }
    if fitting.is_empty() {
        found.dedup();
        return Err(ManifestError::NoPlatform { wanted: matcher.wanted().to_string(), found });
    }
    // Stable: of equals the first one of the document.
    fitting.sort_by_key(|f| f.0);
    Ok(fitting.into_iter().map(|f| f.1).collect())
}

/// Goes from a document to the manifest for the platform. `what` is for
/// messages. `fetch` gives the bytes of a descriptor's document; they are
/// verified here, against size and digest.
///
/// # Errors
/// [`ImageError::Manifest`], [`ImageError::Digest`], [`ImageError::Size`], or
/// what `fetch` returns.
pub fn resolve(
    what: &str,
    bytes: Vec<u8>,
    declared: Option<&str>,
    matcher: &Matcher,
    fetch: &mut dyn FnMut(&Descriptor) -> Result<Vec<u8>, ImageError>,
) -> Result<Chosen, ImageError> {
    let mut walk = Walk { what, matcher, fetch, left: MAX_DOCUMENTS, through: Vec::new() };
    walk.document(bytes, declared, None)
}

struct Walk<'a> {
    what: &'a str,
    matcher: &'a Matcher,
    fetch: &'a mut dyn FnMut(&Descriptor) -> Result<Vec<u8>, ImageError>,
    left: usize,
    /// The indexes around the current document.
    through: Vec<String>,
}

impl Walk<'_> {
    fn bad(&self, error: ManifestError) -> ImageError {
        ImageError::Manifest { what: self.what.to_owned(), error }
    }

    fn document(
        &mut self,
        bytes: Vec<u8>,
        declared: Option<&str>,
        platform: Option<Platform>,
    ) -> Result<Chosen, ImageError> {
        let own = digest::of_bytes(&bytes);
        match parse(&bytes, declared).map_err(|e| self.bad(e))? {
            Document::Manifest(manifest) => {
                manifest.check_image().map_err(|e| self.bad(e))?;
                Ok(Chosen {
                    digest: own,
                    bytes,
                    manifest: *manifest,
                    through: self.through.clone(),
                    platform,
                })
            }
            Document::Index(index) => {
                self.through.push(own);
                let chosen = self.index(&index)?;
                self.through.pop();
                Ok(chosen)
            }
        }
    }

    /// The best manifest; where that is an index without one, the next best.
    fn index(&mut self, index: &Index) -> Result<Chosen, ImageError> {
        if self.through.len() > MAX_DEPTH {
            return Err(self.bad(ManifestError::Deep { limit: MAX_DEPTH }));
        }
        let mut none = None;
        for descriptor in for_platform(index, self.matcher).map_err(|e| self.bad(e))? {
            let depth = self.through.len();
            match self.descriptor(descriptor) {
                Err(error @ ImageError::Manifest { error: ManifestError::NoPlatform { .. }, .. }) => {
                    self.through.truncate(depth);
                    none = Some(error);
                }
                other => return other,
            }
        }
        // There was at least one, so there is an error.
        Err(none.unwrap_or_else(|| self.bad(ManifestError::Ambiguous)))
    }

    fn descriptor(&mut self, descriptor: &Descriptor) -> Result<Chosen, ImageError> {
        let expected = descriptor.digest().to_string();
        if self.through.contains(&expected) {
            return Err(self.bad(ManifestError::Cycle(expected)));
        }
        self.left = match self.left.checked_sub(1) {
            Some(left) => left,
            None => return Err(self.bad(ManifestError::Deep { limit: MAX_DEPTH })),
        };
        if descriptor.size() > MAX_MANIFEST {
            return Err(self.bad(ManifestError::TooLarge { bytes: descriptor.size(), limit: MAX_MANIFEST }));
        }
        let bytes = (self.fetch)(descriptor)?;
        verify(self.what, &bytes, descriptor)?;
        self.document(bytes, Some(descriptor.media_type().as_ref()), Platform::of(descriptor))
    }
}

/// Compares content with its descriptor.
fn verify(what: &str, bytes: &[u8], descriptor: &Descriptor) -> Result<(), ImageError> {
    let (expected, actual) = (descriptor.digest().to_string(), digest::of_bytes(bytes));
    if descriptor.size() != bytes.len() as u64 {
        let what = format!("the manifest {expected} of {what}");
        return Err(ImageError::Size { what, expected: descriptor.size(), actual: bytes.len() as u64 });
    }
    if expected != actual {
        return Err(ImageError::Digest { what: format!("the manifest of {what}"), expected, actual });
    }
    Ok(())
}
