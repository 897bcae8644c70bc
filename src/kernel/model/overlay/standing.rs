//! What stands in the upper layer at a path, and which layers have to do with it.

use std::collections::HashMap;

use super::{Overlay, ROOT, Real, is_opaque, is_whiteout};
use crate::kernel::ledger::Role;
use crate::kernel::model::Res;
use crate::kernel::model::vfs::{Body, Ino};
use crate::kernel::model::world::Fs;

/// Changes of the upper layer since they were last asked for.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    pub touched: Vec<Touched>,
    /// Inodes of the upper layer by what they were copied from.
    pub copied: HashMap<Ino, Real>,
}

/// A path, without a leading slash.
#[derive(Debug)]
pub(crate) enum Touched {
    /// Something else stands there now, or nothing.
    Changed(String),
    /// What stood below the first is below the second now.
    Moved(String, String),
}

/// What the lower layers show at a path.
#[derive(Debug)]
pub(crate) struct Below {
    pub real: Real,
    /// The layer that has it, 0 is the uppermost.
    pub layer: usize,
    /// Others that have it, hidden by that one or merged into it.
    pub hidden: Vec<usize>,
}

/// What one layer says of a path.
struct Says {
    has: Option<Ino>,
    /// Lower layers are not asked.
    last: bool,
}

impl Overlay {
    /// From now on changes are noted.
    pub fn watch(&mut self) {
        self.watched = Some(Box::default());
    }

    /// Notes a change of a name.
    pub(super) fn touch(&mut self, dir: u64, name: &str) {
        if self.watched.is_some() {
            let path = self.path(dir, name);
            if let Some(watched) = &mut self.watched {
                watched.touched.push(Touched::Changed(path));
            }
        }
    }

    /// Notes that a directory went elsewhere.
    pub(super) fn moved(&mut self, from: (u64, &str), to: (u64, &str)) {
        if self.watched.is_some() {
            let (from, to) = (self.path(from.0, from.1), self.path(to.0, to.1));
            if let Some(watched) = &mut self.watched {
                watched.touched.push(Touched::Moved(from, to));
            }
        }
    }

    fn path(&self, dir: u64, name: &str) -> String {
        let mut parts = vec![name.to_owned()];
        let mut at = dir;
        while let Some((parent, name)) = self.name_of(at) {
            parts.push(name);
            at = parent;
        }
        parts.reverse();
        parts.join("/")
    }

    /// What stands in the upper layer at this path, and what the layers below show;
    /// `None` when nothing stands there.
    pub fn standing(&self, fs: &Fs, path: &str) -> Res<Option<(Role, Real, Option<Below>)>> {
        let tree = self.upper(fs)?;
        let (mut ino, mut hides) = (self.node(ROOT)?.upper.unwrap_or_default(), false);
        for name in path.split('/') {
            hides |= is_opaque(tree, ino);
            match tree.lookup(ino, name) {
                Ok(next) => ino = next,
                Err(_) => return Ok(None),
            }
        }
        let below = if hides { None } else { self.below(fs, path)? };
        let body = &tree.get(ino)?.body;
        let of_dir =
            |real: Real| -> Res<bool> { Ok(matches!(fs.tree(real.sb)?.get(real.ino)?.body, Body::Dir(_))) };
        let role = match body {
            body if is_whiteout(body) => Role::Whiteout,
            Body::Dir(_) => match &below {
                Some(b) if of_dir(b.real)? && is_opaque(tree, ino) => Role::Opaque,
                Some(b) if of_dir(b.real)? => Role::Copy,
                _ => Role::Created,
            },
            _ => {
                let from = self.watched.as_ref().and_then(|w| w.copied.get(&ino));
                let copied = below.as_ref().is_some_and(|b| from == Some(&b.real));
                if copied { Role::Copy } else { Role::Created }
            }
        };
        Ok(Some((role, Real { sb: self.upper_sb, ino }, below)))
    }

    /// The path of what stands only in the layers below, and what they show there.
    pub fn only_below(&self, fs: &Fs, o: u64) -> Res<Option<(String, Below)>> {
        let node = self.node(o)?;
        if node.upper.is_some() || !node.linked {
            return Ok(None);
        }
        let path = self.path(node.parent, &node.name);
        Ok(self.below(fs, &path)?.map(|below| (path, below)))
    }

    fn below(&self, fs: &Fs, path: &str) -> Res<Option<Below>> {
        let mut found: Option<Below> = None;
        for (layer, root) in self.node(ROOT)?.lower.iter().enumerate() {
            let says = says(fs, *root, path)?;
            match (says.has, &mut found) {
                (Some(ino), None) => {
                    found = Some(Below { real: Real { sb: root.sb, ino }, layer, hidden: Vec::new() });
                }
                (Some(_), Some(found)) => found.hidden.push(layer),
                (None, _) => {}
            }
            if says.last {
                break;
            }
        }
        Ok(found)
    }

    /// Every path of the upper layer, parents first, by name.
    pub fn walk_upper(&self, fs: &Fs) -> Res<Vec<String>> {
        let tree = self.upper(fs)?;
        let mut all = Vec::new();
        let mut todo = vec![(String::new(), self.node(ROOT)?.upper.unwrap_or_default())];
        while let Some((dir, ino)) = todo.pop() {
            for (name, ino) in tree.dir(ino)? {
                let path = if dir.is_empty() { name.to_string() } else { format!("{dir}/{name}") };
                if matches!(tree.get(*ino)?.body, Body::Dir(_)) {
                    todo.push((path.clone(), *ino));
                }
                all.push(path);
            }
        }
        all.sort_unstable();
        Ok(all)
    }
}

fn says(fs: &Fs, root: Real, path: &str) -> Res<Says> {
    let tree = fs.tree(root.sb)?;
    let (mut at, mut last) = (root.ino, false);
    for name in path.split('/') {
        if !matches!(tree.get(at)?.body, Body::Dir(_)) {
            return Ok(Says { has: None, last: true });
        }
        last |= is_opaque(tree, at) && at != root.ino;
        match tree.lookup(at, name) {
            Ok(next) => at = next,
            Err(_) => return Ok(Says { has: None, last }),
        }
    }
    if is_whiteout(&tree.get(at)?.body) {
        return Ok(Says { has: None, last: true });
    }
    Ok(Says { has: Some(at), last: last || is_opaque(tree, at) })
}
