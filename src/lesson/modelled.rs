//! The state of the modelled store: its containers' records, and the trees on the
//! modelled disk.

use std::path::Path;

use super::state::{CONTENT_LIMIT, Container, Found, State, StateError, Tree, same_image};
use super::store;
use super::text::LayerPath;
use crate::container::modelled;
use crate::container::record::Record;
use crate::image::builtin;
use crate::image::index::Content;
use crate::kernel::model::World;
use crate::userland::FileType;

/// The modelled store as it is now.
#[derive(Debug)]
pub struct ModelState {
    world: World,
    containers: Vec<Container>,
}

impl ModelState {
    /// A machine booted from the modelled disk, with records as just read.
    pub fn new(world: World, records: &[Record]) -> Self {
        let containers = records.iter().map(|r| store::container(&modelled::container_dir(&r.id), r));
        ModelState { containers: containers.collect(), world }
    }
}

impl State for ModelState {
    fn container(&self, name: &str) -> Result<Option<Container>, StateError> {
        Ok(self.containers.iter().find(|c| c.name == name).cloned())
    }

    fn image(&self, image: &str) -> Result<Option<Vec<Tree>>, StateError> {
        let found = match same_image(image, builtin::REFERENCE) {
            true => Some(modelled::image(&self.world).0),
            false => Content::resolve(&self.world, image).ok(),
        };
        let Some(image) = found else { return Ok(None) };
        let unpacked = image.layers.iter().rev().filter(|l| l.unpacked);
        Ok(Some(unpacked.map(|l| store::tree(&l.dir)).collect()))
    }

    fn look(&self, tree: &Tree, path: &LayerPath) -> Result<Found, StateError> {
        let full = Path::new(&tree.0).join(path.to_string().trim_start_matches('/'));
        let Some(entry) = self.world.disk_entry(&full.to_string_lossy()) else { return Ok(Found::Absent) };
        Ok(match entry.kind {
            _ if entry.is_whiteout() => Found::Whiteout,
            FileType::File => {
                let size = entry.content.len() as u64;
                let content = entry.content[..size.min(CONTENT_LIMIT) as usize].to_vec();
                Found::File { size, content }
            }
            FileType::Dir => Found::Dir { opaque: entry.opaque },
            FileType::Symlink => Found::Symlink { target: entry.target.to_owned() },
            FileType::Char | FileType::Block | FileType::Fifo | FileType::Socket => Found::Other,
        })
    }
}
