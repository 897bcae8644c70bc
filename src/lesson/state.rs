//! What a check may ask of the world: containers by name, images by name, and
//! what one layer's tree holds at one path.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::text::LayerPath;

/// The root of one layer's unpacked tree, or of a volume: a path on the host, real
/// or modelled.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tree(pub String);

/// How far a container's life has come; Docker's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Status {
    Created,
    Running,
    Paused,
    Exited,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Status::Created => "created",
            Status::Running => "running",
            Status::Paused => "paused",
            Status::Exited => "exited",
        })
    }
}

/// A directory of the host, or a volume, that a container shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// On the host.
    pub source: Tree,
    /// In the container, absolute.
    pub target: String,
}

/// A container as its record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// Reference of the image that it was made from.
    pub image: String,
    /// Present status.
    pub status: Status,
    /// Its writable layer.
    pub upper: Tree,
    /// Its read-only layers, uppermost first.
    pub lowers: Vec<Tree>,
    /// What is mounted over the union by the user.
    pub volumes: Vec<Volume>,
}

/// What a tree holds at a path. Nothing is followed: a symbolic link is a symbolic
/// link, and what lies beyond one is [`Found::Absent`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Absent,
    /// A regular file.
    File {
        /// Bytes.
        size: u64,
        /// Its beginning, at most [`CONTENT_LIMIT`] bytes.
        content: Vec<u8>,
    },
    /// A directory.
    Dir {
        /// It hides whatever lower layers have at this path.
        opaque: bool,
    },
    /// A symbolic link.
    Symlink {
        /// What it says.
        target: String,
    },
    /// overlayfs' mark for "deleted here".
    Whiteout,
    /// A socket, a device, a pipe.
    Other,
}

/// So much of a file is read for a check. Lessons use small texts.
pub const CONTENT_LIMIT: u64 = 1 << 20;

/// The state could not be read. That is no verdict: the learner is told.
#[derive(Debug, thiserror::Error)]
#[error("read {what}: {source}")]
pub struct StateError {
    /// The path or record.
    pub what: String,
    /// Why.
    #[source]
    pub source: std::io::Error,
}

/// The world that checks look at.
pub trait State {
    /// The container of this name.
    fn container(&self, name: &str) -> Result<Option<Container>, StateError>;

    /// The layers of the image of this name, uppermost first; those that have never
    /// been unpacked are left out.
    fn image(&self, image: &str) -> Result<Option<Vec<Tree>>, StateError>;

    /// What a tree holds at a path.
    fn look(&self, tree: &Tree, path: &LayerPath) -> Result<Found, StateError>;
}

/// Whether two references name the same image once Docker's defaults
/// (`docker.io/library/`, `:latest`) are left out.
pub fn same_image(a: &str, b: &str) -> bool {
    familiar(a) == familiar(b)
}

fn familiar(reference: &str) -> &str {
    let name = reference.strip_prefix("docker.io/").unwrap_or(reference);
    let name = name.strip_prefix("library/").unwrap_or(name);
    name.strip_suffix(":latest").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_compared_without_defaults() {
        assert!(same_image("box", "docker.io/library/box:latest"));
        assert!(same_image("box:latest", "box"));
        assert!(!same_image("box:1", "box"));
        assert!(!same_image("example.org/box", "box"));
    }
}
