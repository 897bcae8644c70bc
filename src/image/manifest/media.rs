//! Media types: what a document or a layer says that it is.

/// An image, OCI image-spec manifest.md.
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// Several images, OCI image-spec image-index.md.
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// An image's config, OCI image-spec config.md.
pub const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// Docker's config.
pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
/// An image in Docker's schema 2.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// Several images in Docker's schema 2.
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// Docker's schema 1, signed or not.
pub(super) const SCHEMA1: &str = "application/vnd.docker.distribution.manifest.v1+";

/// What to ask a registry for, the best first.
pub const REQUEST: [&str; 4] = [OCI_INDEX, DOCKER_LIST, OCI_MANIFEST, DOCKER_MANIFEST];

/// The two kinds of documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Variety {
    Manifest,
    Index,
}

impl Variety {
    /// Of a media type; `None` if it is neither.
    pub fn of(media_type: &str) -> Option<Self> {
        match media_type {
            OCI_MANIFEST | DOCKER_MANIFEST => Some(Variety::Manifest),
            OCI_INDEX | DOCKER_LIST => Some(Variety::Index),
            _ => None,
        }
    }
}

/// Types that a server gives to whatever it does not know.
pub(super) fn says_nothing(media_type: &str) -> bool {
    matches!(
        media_type,
        "" | "application/json" | "application/octet-stream" | "text/plain" | "binary/octet-stream"
    )
}

/// Whether this is the config of an image. Docker 1.10 gave it no type.
pub(super) fn is_config(media_type: &str, docker: bool) -> bool {
    matches!(media_type, OCI_CONFIG | DOCKER_CONFIG) || docker && media_type == "application/octet-stream"
}

/// What can be done with a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayerKind {
    /// A tar, plain or compressed with gzip or zstd.
    Tar,
    /// The same, which registries may not hand out: it has addresses of its own.
    Foreign,
    /// Encrypted for someone (ocicrypt).
    Encrypted,
    /// Nothing.
    Unknown,
}

impl LayerKind {
    /// Of a layer's media type.
    pub fn of(media_type: &str) -> Self {
        if media_type.ends_with("+encrypted") {
            return LayerKind::Encrypted;
        }
        let foreign = [
            "application/vnd.oci.image.layer.nondistributable.v1.",
            "application/vnd.docker.image.rootfs.foreign.diff.",
        ];
        let own = ["application/vnd.oci.image.layer.v1.", "application/vnd.docker.image.rootfs.diff."];
        let tar = |prefix: &str| {
            media_type
                .strip_prefix(prefix)
                .is_some_and(|kind| matches!(kind, "tar" | "tar+gzip" | "tar.gzip" | "tar+zstd" | "tar.zstd"))
        };
        if own.iter().any(|p| tar(p)) {
            LayerKind::Tar
        } else if foreign.iter().any(|p| tar(p)) {
            LayerKind::Foreign
        } else {
            LayerKind::Unknown
        }
    }
}
