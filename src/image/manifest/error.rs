//! What can be wrong with a manifest or an index.

/// Each reads as a fragment after "read the manifest of …: ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Larger than any honest one.
    #[error("it has {bytes} bytes, more than the {limit} that are allowed")]
    TooLarge {
        /// Its size.
        bytes: u64,
        /// What is allowed.
        limit: u64,
    },
    /// No JSON.
    #[error("it is not JSON: {0}")]
    Json(String),
    /// Readers differ in which of the two they take.
    #[error("the key {0:?} is in it twice")]
    Duplicate(String),
    /// A field is not as specified.
    #[error("its field {path} {reason}")]
    Field {
        /// `layers[2].digest`.
        path: String,
        /// `is missing`, `is no text`.
        reason: String,
    },
    /// Docker's old format.
    #[error("it is in Docker's schema 1, which is no longer supported")]
    Schema1,
    /// The media type is that of something else.
    #[error("it is no image manifest or index{}", of_type(media_type))]
    NoManifest {
        /// What it says; empty if nothing.
        media_type: String,
    },
    /// Declared as one thing, and another by itself.
    #[error("it was announced as {declared:?} and says itself that it is {own:?}")]
    TwoTypes {
        /// By the descriptor or the server.
        declared: String,
        /// By its `mediaType`.
        own: String,
    },
    /// Image and index at once.
    #[error("it is a manifest and an index at once")]
    Ambiguous,
    /// Content for something else than containers.
    #[error("it is an artifact of type {kind:?}, not a container image")]
    Artifact {
        /// Its artifact type, or its config's media type.
        kind: String,
    },
    /// A layer needs a key.
    #[error("its layer {number} is encrypted")]
    Encrypted {
        /// From 1, lowest first.
        number: usize,
    },
    /// A layer is of an unknown type.
    #[error("its layer {number} is of type {media_type:?}, which cannot be unpacked")]
    Layer {
        /// From 1, lowest first.
        number: usize,
        /// As declared.
        media_type: String,
    },
    /// Index in index in index.
    #[error("its indexes are nested more than {limit} deep")]
    Deep {
        /// How deep is allowed.
        limit: usize,
    },
    /// An index that contains itself.
    #[error("its index {0} contains itself")]
    Cycle(String),
    /// Nothing for the platform.
    #[error("it has no image for {wanted}, only for {}", if found.is_empty() { "none that is named".to_owned() } else { found.join(", ") })]
    NoPlatform {
        /// As asked for, or this machine's.
        wanted: String,
        /// What there is.
        found: Vec<String>,
    },
    /// Not a platform.
    #[error("{0:?} is not a platform")]
    Platform(String),
}

fn of_type(media_type: &str) -> String {
    if media_type.is_empty() { String::new() } else { format!(", but {media_type:?}") }
}

impl ManifestError {
    /// What to do next.
    pub fn hint(&self) -> &'static str {
        match self {
            ManifestError::Schema1 => {
                "ask its publisher to push it again with a tool of this decade; \
                 skopeo 1.9 can copy it: skopeo copy --format v2s2 docker://… docker-archive:…"
            }
            ManifestError::Artifact { .. } => "fetch it with the tool that made it, such as oras or helm",
            ManifestError::Encrypted { .. } => {
                "decrypt it first: skopeo copy --decryption-key KEY docker://… oci-archive:…"
            }
            ManifestError::Layer { .. } => "layers can be plain, gzip or zstd tar files",
            ManifestError::NoPlatform { .. } => "choose one of these with --platform OS/ARCH[/VARIANT]",
            ManifestError::Platform(_) => {
                "write it as OS/ARCH[/VARIANT], such as linux/arm64 or linux/arm/v7"
            }
            _ => "the content was changed on its way, or the tool that wrote it is broken: get it again",
        }
    }
}
