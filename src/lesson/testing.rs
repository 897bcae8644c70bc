//! A state for tests: records made by hand, trees on disk.

use std::collections::BTreeMap;
use std::path::Path;

use super::dirs::look_in;
use super::state::{Container, Found, State, StateError, Tree, same_image};
use super::text::LayerPath;

/// Containers and images as told; their trees are on disk.
#[derive(Clone, Debug, Default)]
pub struct DirState {
    /// Every container.
    pub containers: Vec<Container>,
    /// Every image by reference: its unpacked layers, uppermost first.
    pub images: BTreeMap<String, Vec<Tree>>,
}

impl State for DirState {
    fn container(&self, name: &str) -> Result<Option<Container>, StateError> {
        Ok(self.containers.iter().find(|c| c.name == name).cloned())
    }

    fn image(&self, image: &str) -> Result<Option<Vec<Tree>>, StateError> {
        Ok(self.images.iter().find(|(name, _)| same_image(name, image)).map(|(_, layers)| layers.clone()))
    }

    fn look(&self, tree: &Tree, path: &LayerPath) -> Result<Found, StateError> {
        look_in(Path::new(&tree.0), path)
            .map_err(|source| StateError { what: format!("{}{path}", tree.0), source })
    }
}
