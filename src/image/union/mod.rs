//! Layers as overlayfs stacks them, read without a mount: which layer supplies a
//! name, which ones it shadows, what is hidden and how.
//!
//! A tree that a container is writing to is not trusted: every directory is
//! opened beneath the root of its layer without following any link.

#[cfg(feature = "linux")]
mod host;
mod tree;

use std::collections::BTreeMap;

use crate::image::ImageError;
use crate::userland::FileType;
#[cfg(feature = "linux")]
pub(crate) use host::of_stat;
pub(crate) use tree::is_ours;
pub use tree::{Attributes, Node, Open, Stat, Tree};

/// Layers, the topmost first.
pub struct Stack<'t> {
    trees: Vec<Box<dyn Tree + 't>>,
}

/// A directory of a stack: its path, and the layers that it is merged from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Without a leading `/`; empty for the root.
    pub path: Vec<u8>,
    /// Indexes of trees, the topmost first.
    pub layers: Vec<usize>,
}

impl Place {
    /// The path of a name in it.
    pub fn join(&self, name: &[u8]) -> Vec<u8> {
        match self.path.is_empty() {
            true => name.to_vec(),
            false => [&self.path[..], b"/", name].concat(),
        }
    }
}

/// What one layer says of a name.
#[derive(Clone, Debug)]
pub enum Says {
    /// It has it.
    Has(Stat),
    /// It hides what the layers below have.
    Hides(Stat),
}

/// A name in a directory, and what the layers say of it, the topmost first.
#[derive(Clone, Debug)]
pub struct Named {
    /// The last component.
    pub name: Vec<u8>,
    /// Index of the tree and what it says; never empty.
    pub says: Vec<(usize, Says)>,
}

impl Named {
    /// The file that the union shows: the layer that supplies it.
    pub fn shown(&self) -> Option<(usize, &Stat)> {
        match self.says.first() {
            Some((layer, Says::Has(stat))) => Some((*layer, stat)),
            _ => None,
        }
    }

    /// What the layers below the topmost of these show.
    pub fn below(&self) -> Option<(usize, &Stat)> {
        match self.says.get(1) {
            Some((layer, Says::Has(stat))) => Some((*layer, stat)),
            _ => None,
        }
    }

    /// The layers whose directories of this name may be merged: down to the first
    /// that has something else, or hides.
    pub fn merged(&self) -> Vec<usize> {
        self.says
            .iter()
            .take_while(|(_, says)| matches!(says, Says::Has(stat) if is_dir(stat)))
            .map(|(layer, _)| *layer)
            .collect()
    }
}

/// Whether it is a directory.
pub fn is_dir(stat: &Stat) -> bool {
    stat.kind == FileType::Dir
}

/// A directory's names, and whether its topmost layer hides all below.
#[derive(Debug)]
pub struct Listing {
    /// Sorted by name.
    pub names: Vec<Named>,
    /// The layers that really count: what is below an opaque one is left out.
    pub layers: Vec<usize>,
    /// The topmost layer's directory is opaque.
    pub opaque: bool,
}

#[cfg(feature = "linux")]
impl Stack<'static> {
    /// Opens layers that are directories of this host, given the topmost first.
    ///
    /// # Errors
    /// When one is not there.
    pub fn open(layers: &[std::path::PathBuf]) -> Result<Self, ImageError> {
        let open = |path: &std::path::PathBuf| Ok(Box::new(host::HostTree::open(path)?) as Box<dyn Tree>);
        Ok(Stack { trees: layers.iter().map(open).collect::<Result<_, ImageError>>()? })
    }
}

impl std::fmt::Debug for Stack<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.trees.iter().map(|t| t.path())).finish()
    }
}

impl<'t> Stack<'t> {
    /// Of these trees, the topmost first.
    pub fn of(trees: Vec<Box<dyn Tree + 't>>) -> Self {
        Stack { trees }
    }

    /// A layer's tree.
    pub fn tree(&self, layer: usize) -> &dyn Tree {
        &*self.trees[layer]
    }

    /// How many layers there are.
    pub fn len(&self) -> usize {
        self.trees.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.trees.is_empty()
    }

    /// The root of the union of all layers from this one downwards.
    pub fn root(&self, top: usize) -> Place {
        Place { path: Vec::new(), layers: (top..self.trees.len()).collect() }
    }

    /// Every name of a directory.
    ///
    /// # Errors
    /// When a directory cannot be read.
    pub fn list(&self, place: &Place) -> Result<Listing, ImageError> {
        let mut names: BTreeMap<Vec<u8>, Vec<(usize, Says)>> = BTreeMap::new();
        let mut listing = Listing { names: Vec::new(), layers: Vec::new(), opaque: false };
        for (nth, layer) in place.layers.iter().enumerate() {
            let Some(dir) = self.trees[*layer].dir(&place.path)? else { break };
            listing.layers.push(*layer);
            for name in dir.names()? {
                if let Some(says) = dir.says(&name)? {
                    names.entry(name).or_default().push((*layer, says));
                }
            }
            if dir.opaque() {
                listing.opaque |= nth == 0;
                break;
            }
        }
        listing.names = names.into_iter().map(|(name, says)| Named { name, says }).collect();
        Ok(listing)
    }

    /// Only the names of the topmost of its layers, with what those below say of
    /// them; they are not listed for it.
    ///
    /// # Errors
    /// When a directory cannot be read.
    pub fn list_top(&self, place: &Place) -> Result<Listing, ImageError> {
        let mut listing = Listing { names: Vec::new(), layers: Vec::new(), opaque: false };
        let mut dirs = Vec::new();
        for (nth, layer) in place.layers.iter().enumerate() {
            let Some(dir) = self.trees[*layer].dir(&place.path)? else { break };
            let opaque = dir.opaque();
            listing.layers.push(*layer);
            dirs.push((*layer, dir));
            if opaque {
                listing.opaque |= nth == 0;
                break;
            }
        }
        let Some((_, top)) = dirs.first() else { return Ok(listing) };
        for name in top.names()? {
            let mut says = Vec::new();
            for (layer, dir) in &dirs {
                says.extend(dir.says(&name)?.map(|s| (*layer, s)));
            }
            if !says.is_empty() {
                listing.names.push(Named { name, says });
            }
        }
        Ok(listing)
    }

    /// What the layers say of one path: its components are followed through
    /// directories only. `None` where no layer has it, or it is hidden.
    ///
    /// # Errors
    /// When a directory cannot be read.
    pub fn find(&self, top: usize, path: &[u8]) -> Result<Option<(Place, Named)>, ImageError> {
        let mut place = self.root(top);
        let parts: Vec<&[u8]> = path.split(|b| *b == b'/').filter(|p| !p.is_empty() && *p != b".").collect();
        let Some((last, dirs)) = parts.split_last() else { return Ok(None) };
        for part in dirs {
            let Some(named) = self.look(&place, part)? else { return Ok(None) };
            place = Place { path: place.join(part), layers: named.merged() };
            if place.layers.is_empty() {
                return Ok(None);
            }
        }
        Ok(self.look(&place, last)?.map(|named| (place, named)))
    }

    fn look(&self, place: &Place, name: &[u8]) -> Result<Option<Named>, ImageError> {
        let mut says = Vec::new();
        for layer in &place.layers {
            let Some(dir) = self.trees[*layer].dir(&place.path)? else { break };
            says.extend(dir.says(name)?.map(|s| (*layer, s)));
            if dir.opaque() {
                break;
            }
        }
        Ok((!says.is_empty()).then(|| Named { name: name.to_vec(), says }))
    }
}

/// A path of the inside, as people write it: `/etc/motd`.
pub fn shown_path(path: &[u8]) -> String {
    format!("/{}", String::from_utf8_lossy(path))
}

#[cfg(test)]
mod tests;
