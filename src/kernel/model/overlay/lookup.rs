//! Merged lookup: the upper layer first, then each lower one, until a file, a
//! whiteout or an opaque directory ends the search.

use super::{ONode, Overlay, Real, is_opaque, is_whiteout};
use crate::kernel::Errno;
use crate::kernel::model::Res;
use crate::kernel::model::vfs::{Body, Ino};
use crate::kernel::model::world::Fs;

impl Overlay {
    pub fn lookup(&mut self, fs: &Fs, dir: u64, name: &str) -> Res<u64> {
        let node = self.node(dir)?;
        if !node.dir {
            return Err(Errno::ENOTDIR);
        }
        if let Some(o) = node.children.get(name) {
            return Ok(*o);
        }
        let Some((is_dir, upper, lower)) = self.search(fs, dir, name)? else { return Err(Errno::ENOENT) };
        let known = upper.filter(|_| !is_dir).and_then(|ino| self.by_upper.get(&ino).copied());
        let o = match known {
            Some(o) => o,
            None => self.add(ONode {
                parent: dir,
                name: name.into(),
                dir: is_dir,
                upper,
                lower,
                children: Default::default(),
                opens: 0,
                linked: true,
            }),
        };
        self.node_mut(dir)?.children.insert(name.into(), o);
        Ok(o)
    }

    /// (is a directory, inode in the upper layer, inodes below).
    #[allow(clippy::type_complexity)]
    fn search(&self, fs: &Fs, dir: u64, name: &str) -> Res<Option<(bool, Option<Ino>, Vec<Real>)>> {
        let node = self.node(dir)?;
        let mut upper = None;
        if let Some(above) = node.upper {
            let tree = self.upper(fs)?;
            if let Ok(ino) = tree.lookup(above, name) {
                let body = &tree.get(ino)?.body;
                if is_whiteout(body) {
                    return Ok(None);
                }
                if !matches!(body, Body::Dir(_)) {
                    return Ok(Some((false, Some(ino), Vec::new())));
                }
                upper = Some(ino);
                if is_opaque(tree, ino) {
                    return Ok(Some((true, upper, Vec::new())));
                }
            }
        }
        let mut lower = Vec::new();
        for layer in &node.lower {
            let tree = fs.tree(layer.sb)?;
            let Ok(ino) = tree.lookup(layer.ino, name) else { continue };
            let body = &tree.get(ino)?.body;
            if is_whiteout(body) {
                break;
            }
            if !matches!(body, Body::Dir(_)) {
                if upper.is_none() && lower.is_empty() {
                    return Ok(Some((false, None, vec![Real { sb: layer.sb, ino }])));
                }
                break;
            }
            lower.push(Real { sb: layer.sb, ino });
            if is_opaque(tree, ino) {
                break;
            }
        }
        Ok((upper.is_some() || !lower.is_empty()).then_some((true, upper, lower)))
    }

    /// Whether a lower layer would show this name if the upper one did not.
    pub(super) fn lower_has(&self, fs: &Fs, dir: u64, name: &str) -> Res<bool> {
        for layer in &self.node(dir)?.lower {
            let tree = fs.tree(layer.sb)?;
            if let Ok(ino) = tree.lookup(layer.ino, name) {
                return Ok(!is_whiteout(&tree.get(ino)?.body));
            }
        }
        Ok(false)
    }
}
