//! From what the user writes to a descriptor of the index. No I/O.

use oci_spec::image::{Descriptor, ImageIndex};

use super::{REF_NAME, SOURCE, annotation};
use crate::image::reference::ReferenceError;
use crate::image::{ImageError, Reference};

/// The id of the image that a descriptor leads to.
type IdOf<'a> = dyn Fn(&Descriptor) -> Result<String, ImageError> + 'a;

/// The descriptor of what the user names.
pub fn find<'i>(id_of: &IdOf<'_>, index: &'i ImageIndex, text: &str) -> Result<&'i Descriptor, ImageError> {
    let parsed = Reference::parse(text);
    if let Ok(reference) = &parsed
        && let Some(found) = by_name(index, &reference.clone().or_latest())
    {
        return Ok(found);
    }
    if let Some(prefix) = id_prefix(text) {
        let found = by_id(id_of, index, prefix)?;
        if let Some(found) = found {
            return Ok(found);
        }
    }
    match parsed {
        Ok(reference) => {
            let reference = reference.or_latest();
            Err(ImageError::Unknown { reference: reference.familiar(), similar: similar(index, &reference) })
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

fn by_id<'i>(
    id_of: &IdOf<'_>,
    index: &'i ImageIndex,
    prefix: &str,
) -> Result<Option<&'i Descriptor>, ImageError> {
    let mut found: Vec<(String, &Descriptor)> = Vec::new();
    for descriptor in index.manifests() {
        let id = id_of(descriptor)?;
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

/// The descriptor of a name, or of a name with a digest.
pub fn by_name<'a>(index: &'a ImageIndex, reference: &Reference) -> Option<&'a Descriptor> {
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
