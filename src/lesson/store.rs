//! The state of a real store: its containers' records, its images, and their layers
//! on disk.

use std::io;
use std::path::Path;

use super::dirs::look_in;
use super::state::{Container, Found, State, StateError, Status, Tree, Volume};
use super::text::LayerPath;
use crate::container::record::{self, Record};
use crate::image::ImageError;
use crate::image::store::Store;

/// A store as it is now.
#[derive(Debug)]
pub struct StoreState {
    store: Store,
    containers: Vec<Container>,
}

impl StoreState {
    /// The store at `root`, with records as just read.
    pub fn new(root: &Path, records: &[Record]) -> Self {
        StoreState {
            store: Store::open(root),
            containers: records.iter().map(|r| container(&r.dir(root), r)).collect(),
        }
    }
}

pub(super) fn tree(path: &Path) -> Tree {
    Tree(path.to_string_lossy().into_owned())
}

/// A record, with the container's directory.
pub(super) fn container(dir: &Path, record: &Record) -> Container {
    Container {
        name: record.name.clone(),
        image: record.image.clone(),
        status: match record.status {
            record::Status::Created => Status::Created,
            record::Status::Running => Status::Running,
            record::Status::Exited => Status::Exited,
        },
        upper: tree(&dir.join("upper")),
        lowers: record.layers.iter().rev().map(|l| tree(l)).collect(),
        volumes: record
            .binds()
            .into_iter()
            .map(|(source, target)| Volume { source: tree(Path::new(&source)), target })
            .collect(),
    }
}

impl State for StoreState {
    fn container(&self, name: &str) -> Result<Option<Container>, StateError> {
        Ok(self.containers.iter().find(|c| c.name == name).cloned())
    }

    fn image(&self, image: &str) -> Result<Option<Vec<Tree>>, StateError> {
        match self.store.resolve(image) {
            Ok(image) => {
                let unpacked = image.layers.iter().rev().filter(|l| l.unpacked);
                Ok(Some(unpacked.map(|l| tree(&l.dir)).collect()))
            }
            Err(ImageError::Unknown { .. }) => Ok(None),
            Err(e) => Err(StateError { what: format!("the image {image}"), source: io::Error::other(e) }),
        }
    }

    fn look(&self, tree: &Tree, path: &LayerPath) -> Result<Found, StateError> {
        look_in(Path::new(&tree.0), path)
            .map_err(|source| StateError { what: format!("{}{path}", tree.0), source })
    }
}
