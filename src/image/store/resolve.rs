//! From what the user writes to an image. On the path of every run: reads the
//! index, one manifest and one config, nothing else.

use oci_spec::image::{Descriptor, ImageIndex};

use super::{CREATED, IMAGE_ID, REF_NAME, SIZE, SOURCE, Store, annotation};
use crate::image::layers::size;
use crate::image::reference::ReferenceError;
use crate::image::{Image, ImageError, Reference};

/// One line of `images`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name; `None` for an image that lost it.
    pub reference: Option<Reference>,
    /// Digest of the config.
    pub id: String,
    /// Digest of the manifest.
    pub manifest: String,
    /// Digest that its name led to in its registry, if it was pulled: the
    /// manifest's, or that of the index it was chosen from.
    pub source: Option<String>,
    /// RFC 3339, from the config.
    pub created: Option<String>,
    /// Bytes of the files of all its layers, as Docker counts an image.
    pub size: u64,
}

impl Store {
    /// The image of this name, or whose id starts so.
    ///
    /// # Errors
    /// [`ImageError::Reference`], [`ImageError::Unknown`], [`ImageError::Ambiguous`],
    /// or what is wrong with the store's files.
    pub fn resolve(&self, text: &str) -> Result<Image, ImageError> {
        if self.is_doubtful() {
            // Taking the lock mends it. Who may not write reads what there is.
            let _ = self.lock();
        }
        let index = self.index()?;
        let found = self.find(&index, text)?;
        let digest = found.digest().to_string();
        let name = match annotation(found, REF_NAME) {
            Some(name) => name.to_owned(),
            None => annotation(found, IMAGE_ID).unwrap_or(&digest).to_owned(),
        };
        self.image(&name, &digest)
    }

    /// All images, sorted by name, the nameless last.
    ///
    /// # Errors
    /// What is wrong with the store's files.
    pub fn list(&self) -> Result<Vec<Listed>, ImageError> {
        let mut all: Vec<Listed> = self.index()?.manifests().iter().map(|d| self.listed(d)).collect();
        all.sort_by(|a, b| {
            (a.reference.is_none(), &a.reference, &a.id).cmp(&(b.reference.is_none(), &b.reference, &b.id))
        });
        Ok(all)
    }

    /// The digest that a name led to in its registry when it was pulled; `None` for
    /// a name that is not here, or that came in another way.
    ///
    /// # Errors
    /// What is wrong with the store's files.
    pub fn source_of(&self, reference: &Reference) -> Result<Option<String>, ImageError> {
        let index = self.index()?;
        let found = by_name(&index, reference);
        Ok(found.and_then(|d| annotation(d, SOURCE)).map(str::to_owned))
    }

    /// From the notes in the index; what another tool put there lacks them, and
    /// is read. What cannot be read is listed too, so that it can be removed.
    fn listed(&self, descriptor: &Descriptor) -> Listed {
        let manifest = descriptor.digest().to_string();
        let name = annotation(descriptor, REF_NAME);
        let mut listed = Listed {
            reference: name.and_then(|n| Reference::parse(n).ok()),
            id: annotation(descriptor, IMAGE_ID).unwrap_or(&manifest).to_owned(),
            source: annotation(descriptor, SOURCE).map(str::to_owned),
            created: annotation(descriptor, CREATED).map(str::to_owned),
            size: 0,
            manifest,
        };
        match annotation(descriptor, SIZE).and_then(|size| size.parse().ok()) {
            Some(size) => listed.size = size,
            None => {
                if let Ok(image) = self.image("", &listed.manifest) {
                    listed.id = image.id;
                    listed.created = image.config.created().clone();
                    listed.size = image.layers.iter().map(|l| size::noted(&l.dir).unwrap_or(l.size)).sum();
                }
            }
        }
        listed
    }

    /// The descriptor of what the user names.
    pub(super) fn find<'a>(&self, index: &'a ImageIndex, text: &str) -> Result<&'a Descriptor, ImageError> {
        let parsed = Reference::parse(text);
        if let Ok(reference) = &parsed
            && let Some(found) = by_name(index, &reference.clone().or_latest())
        {
            return Ok(found);
        }
        if let Some(prefix) = id_prefix(text) {
            let found = self.by_id(index, prefix)?;
            if let Some(found) = found {
                return Ok(found);
            }
        }
        match parsed {
            Ok(reference) => {
                let reference = reference.or_latest();
                Err(ImageError::Unknown {
                    reference: reference.familiar(),
                    similar: similar(index, &reference),
                })
            }
            Err(ReferenceError::LooksLikeId(id)) => {
                Err(ImageError::Unknown { reference: id, similar: Vec::new() })
            }
            Err(_) if id_prefix(text).is_some() => {
                Err(ImageError::Unknown { reference: text.to_owned(), similar: Vec::new() })
            }
            Err(error) => Err(ImageError::Reference { input: text.to_owned(), error }),
        }
    }

    fn by_id<'a>(&self, index: &'a ImageIndex, prefix: &str) -> Result<Option<&'a Descriptor>, ImageError> {
        let mut found: Vec<(String, &Descriptor)> = Vec::new();
        for descriptor in index.manifests() {
            let id = self.id_of(descriptor)?;
            let hit = |d: &str| d.strip_prefix("sha256:").is_some_and(|hex| hex.starts_with(prefix));
            if hit(&id) || (prefix.len() == 64 && hit(descriptor.digest().as_ref())) {
                found.push((id, descriptor));
            }
        }
        // Several names of one image are no ambiguity.
        found.sort_by_key(|(id, d)| (id.clone(), annotation(d, REF_NAME).map(str::to_owned)));
        if found.iter().any(|(id, _)| *id != found[0].0) {
            let candidates = found
                .iter()
                .map(|(id, d)| {
                    format!("{} ({})", familiar(d).unwrap_or("<none>".into()), &id[..19.min(id.len())])
                })
                .collect();
            return Err(ImageError::Ambiguous { prefix: prefix.to_owned(), candidates });
        }
        Ok(found.first().map(|(_, d)| *d))
    }

    /// The image id of a descriptor; a layout made by another tool lacks our note.
    pub(super) fn id_of(&self, descriptor: &Descriptor) -> Result<String, ImageError> {
        if let Some(id) = annotation(descriptor, IMAGE_ID) {
            return Ok(id.to_owned());
        }
        let (_, manifest) = self.manifest(descriptor.digest().as_ref())?;
        Ok(manifest.config.digest().to_string())
    }
}

fn by_name<'a>(index: &'a ImageIndex, reference: &Reference) -> Option<&'a Descriptor> {
    index.manifests().iter().find(|d| match (annotation(d, REF_NAME), reference.digest()) {
        (Some(name), None) => name == reference.to_string(),
        // By digest: the name must be that of the image, the tag does not count.
        (Some(name), Some(digest)) => {
            (d.digest().as_ref() == digest || annotation(d, SOURCE) == Some(digest))
                && Reference::parse(name).is_ok_and(|n| n.name() == reference.name())
        }
        (None, _) => false,
    })
}

fn id_prefix(text: &str) -> Option<&str> {
    let hex = text.strip_prefix("sha256:").unwrap_or(text);
    let fits = (1..=64).contains(&hex.len())
        && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    fits.then_some(hex)
}

fn familiar(descriptor: &Descriptor) -> Option<String> {
    Reference::parse(annotation(descriptor, REF_NAME)?).ok().map(|r| r.familiar())
}

/// Names in the store that the user may have meant: the same repository with
/// another tag, or the same last part, or one letter away.
fn similar(index: &ImageIndex, wanted: &Reference) -> Vec<String> {
    let last = |r: &Reference| r.path().rsplit('/').next().unwrap_or_default().to_owned();
    let mut names: Vec<String> = index
        .manifests()
        .iter()
        .filter_map(|d| Reference::parse(annotation(d, REF_NAME)?).ok())
        .filter(|r| last(r) == last(wanted) || one_away(&last(r), &last(wanted)))
        .map(|r| r.familiar())
        .collect();
    names.sort();
    names.dedup();
    names.truncate(3);
    names
}

/// One letter more, less, or other.
fn one_away(a: &str, b: &str) -> bool {
    let same_start = a.bytes().zip(b.bytes()).take_while(|(x, y)| x == y).count();
    let (a, b) = (&a.as_bytes()[same_start..], &b.as_bytes()[same_start..]);
    let skip = |s: &[u8]| s.get(1..).map(<[u8]>::to_vec).unwrap_or_default();
    skip(a) == skip(b) || skip(a) == b || a == skip(b)
}
