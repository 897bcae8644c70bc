//! What can go wrong with images, each with what to do next.

use std::path::{Path, PathBuf};

use crate::image::manifest::ManifestError;
use crate::image::reference::ReferenceError;
use crate::kernel::{Errno, Failure};

/// What reading a blob from its source is called in [`ImageError::Io`].
#[cfg(feature = "linux")]
pub(crate) const READ_BLOB: &str = "read blob";

/// An error of this room. Each reads as a fragment after "failed to …".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// The text is not a reference.
    #[error("read reference {input:?}: {error}")]
    Reference {
        /// As given.
        input: String,
        /// Why.
        error: ReferenceError,
    },
    /// The store has no such image.
    #[error("find image {reference}: no such image in this store")]
    Unknown {
        /// As given, or normalised where it is a name.
        reference: String,
        /// Names like it that the store does have.
        similar: Vec<String>,
    },
    /// More than one image id starts so.
    #[error("find image {prefix}: {} images start so: {}", candidates.len(), candidates.join(", "))]
    Ambiguous {
        /// As given.
        prefix: String,
        /// Names (or `<none>`) with their ids.
        candidates: Vec<String>,
    },
    /// A system call failed.
    #[error("{what} {}: {errno}", path.display())]
    Io {
        /// What was done: `open`, `write`.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        errno: Errno,
    },
    /// The store cannot be written.
    #[error("write the store {}: read-only file system (EROFS)", root.display())]
    ReadOnly {
        /// The store.
        root: PathBuf,
    },
    /// The store is on a file system that overlayfs cannot write its layers to.
    #[error("use {} for writable layers: it is on {filesystem}, which cannot be the upper directory of an overlay mount", root.display())]
    NoUpper {
        /// The store.
        root: PathBuf,
        /// Such as `overlayfs`.
        filesystem: &'static str,
    },
    /// A file of the store does not say what it should.
    #[error("read {}: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Content and digest differ.
    #[error("verify {what}: digest is {actual}, not {expected}")]
    Digest {
        /// Of what.
        what: String,
        /// As declared.
        expected: String,
        /// As computed.
        actual: String,
    },
    /// Content and size differ.
    #[error("verify {what}: it has {actual} bytes, not {expected}")]
    Size {
        /// Of what.
        what: String,
        /// As declared.
        expected: u64,
        /// As found.
        actual: u64,
    },
    /// The input is no image archive at all.
    #[error("load {name}: not an image archive: {reason}")]
    NotAnArchive {
        /// The input.
        name: String,
        /// What it seems to be.
        reason: String,
    },
    /// The input is no tar of a root file system.
    #[error("import {name}: not a tar: {reason}")]
    NotATar {
        /// The input.
        name: String,
        /// What it seems to be.
        reason: String,
    },
    /// The input is an image archive with something wrong.
    #[error("load {name}: {reason}")]
    BadArchive {
        /// The input.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// A layer's tar has an entry that is refused.
    #[error("unpack layer entry {entry:?}: {reason}")]
    Entry {
        /// The entry's name, made printable.
        entry: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A layer's stream cannot be read.
    #[error("unpack layer {}: {reason}", blob.display())]
    Layer {
        /// The blob.
        blob: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A layer grows beyond its limit.
    #[error("unpack layer {}: it expands to more than {limit} bytes from {size}", blob.display())]
    Expands {
        /// The blob.
        blob: PathBuf,
        /// Bytes of the blob.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// A blob's bytes stopped coming.
    #[error("fetch blob {blob}: {reason}")]
    Fetch {
        /// Its digest.
        blob: String,
        /// What its source said.
        reason: String,
    },
    /// Given up because somebody said so.
    #[error("go on: it was given up")]
    Stopped,
    /// Nothing here can read this kind of content.
    #[error("read content of type {media_type:?}: not supported")]
    MediaType {
        /// As declared.
        media_type: String,
    },
    /// A manifest or an index cannot be used.
    #[error("read the manifest of {what}: {error}")]
    Manifest {
        /// Of which image.
        what: String,
        /// Why.
        error: ManifestError,
    },
    /// The image is for another machine.
    #[error("use image {reference}: it is for {found}, this machine is {wanted}")]
    Platform {
        /// The image.
        reference: String,
        /// What it has.
        found: String,
        /// What this machine needs.
        wanted: String,
    },
    /// Something still needs it.
    #[error("remove {what}: {why}")]
    InUse {
        /// An image or a reference.
        what: String,
        /// Who needs it.
        why: String,
        /// What to do first.
        hint: String,
    },
    /// An instruction that cannot change a config.
    #[error("apply the change {instruction:?}: {reason}")]
    Change {
        /// As given.
        instruction: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A registry refused, or its answer is not what it should be.
    #[cfg(feature = "linux")]
    #[error(transparent)]
    Registry(#[from] crate::image::registry::RegistryError),
    /// The program cannot be put into an image.
    #[error("make the image box from {}: {reason}", exe.display())]
    Program {
        /// The program.
        exe: PathBuf,
        /// Why.
        reason: String,
    },
}

impl ImageError {
    /// From an error of a file operation.
    pub fn io(what: &'static str, path: impl AsRef<Path>, errno: impl Into<Errno>) -> Self {
        ImageError::Io { what, path: path.as_ref().to_owned(), errno: errno.into() }
    }

    /// The way to where the content is failed, and may work another time: what came
    /// before is as good as it was.
    #[cfg(feature = "linux")]
    pub fn is_of_the_way(&self) -> bool {
        match self {
            ImageError::Registry(error) => error.is_of_the_way(),
            ImageError::Fetch { .. } | ImageError::Io { what: READ_BLOB, .. } => true,
            _ => false,
        }
    }

    /// What to do next, where there is something to do.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            ImageError::Reference { error: ReferenceError::Uppercase(_), .. } => {
                "write the name in lower case".into()
            }
            ImageError::Reference { .. } => {
                "a reference is NAME[:TAG] or HOST[:PORT]/NAME[:TAG][@sha256:HEX]".into()
            }
            ImageError::Unknown { similar, .. } if !similar.is_empty() => {
                format!("did you mean {}?", similar.join(" or "))
            }
            ImageError::Unknown { .. } => {
                "glassbox images lists what is there; glassbox load -i FILE adds an archive; \
                 the image box is built in"
                    .into()
            }
            ImageError::Ambiguous { .. } => "give more digits, or a name".into(),
            ImageError::Io { errno: Errno::EACCES | Errno::EPERM, .. } => {
                "run as root (sudo), or choose a store of your own with --root".into()
            }
            ImageError::Io { errno: Errno::ENOSPC | Errno::EDQUOT, .. } => {
                "free some space, or choose another place with --root".into()
            }
            ImageError::ReadOnly { .. } => "choose another place with --root or GLASSBOX_ROOT".into(),
            ImageError::NoUpper { .. } => {
                "choose a place on ext4, xfs, btrfs or tmpfs with --root or GLASSBOX_ROOT".into()
            }
            ImageError::Damaged { .. } => {
                "remove the image and load it again; if index.json itself is damaged, move the store away"
                    .into()
            }
            ImageError::Digest { .. } | ImageError::Size { .. } => {
                "the content was changed or cut on its way: fetch or save it again".into()
            }
            ImageError::NotAnArchive { .. } => {
                "give a file made by docker save, or a tar of an OCI image layout".into()
            }
            ImageError::NotATar { .. } => {
                "give a tar of a root file system, plain, gzip or zstd; glassbox load takes archives of images"
                    .into()
            }
            ImageError::BadArchive { .. } => "save the image again with the tool that made it".into(),
            ImageError::Entry { .. } | ImageError::Layer { .. } => {
                "nothing was unpacked; the image is broken or hostile: get it from somewhere else".into()
            }
            ImageError::Expands { .. } => {
                "nothing was kept; if you trust the layer, allow it more with --layer-ratio or --layer-holes".into()
            }
            ImageError::Fetch { .. } => "try again".into(),
            ImageError::MediaType { .. } => {
                "layers can be plain, gzip or zstd tar files: convert the image first".into()
            }
            ImageError::Manifest { error, .. } => error.hint().into(),
            ImageError::Platform { .. } => "get the image for this machine's architecture".into(),
            ImageError::InUse { hint, .. } => hint.clone(),
            ImageError::Change { .. } => {
                "write it as in a Dockerfile, such as -c 'CMD [\"sh\"]' or -c 'ENV NAME=value'".into()
            }
            #[cfg(feature = "linux")]
            ImageError::Registry(error) => return error.hint(),
            ImageError::Program { .. } => "use a glassbox built for this machine".into(),
            ImageError::Io { .. } | ImageError::Stopped => return None,
        })
    }
}

impl From<ImageError> for Failure {
    fn from(error: ImageError) -> Self {
        let failure = match &error {
            ImageError::Io { what, path, errno } => {
                Failure::new(format!("{what} {}", path.display()), Some(*errno))
            }
            _ => Failure::new(error.to_string(), None),
        };
        match error.hint() {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

/// Another library's message, which may quote the input: cut, and without
/// control characters.
#[cfg(feature = "linux")]
pub(crate) fn quoted(message: &str) -> String {
    message.chars().take(160).flat_map(char::escape_debug).collect::<String>().replace("\\\"", "\"")
}

/// A name from an archive for a message that escapes it: cut to a readable
/// length.
pub(crate) fn printable(name: &[u8]) -> String {
    let text = String::from_utf8_lossy(name);
    let mut out: String = text.chars().take(200).collect();
    if out.len() < text.len() {
        out.push('…');
    }
    out
}
