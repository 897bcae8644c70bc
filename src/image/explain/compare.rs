//! How two unions differ.

use serde::Serialize;

use super::{kind, size};
use crate::image::ImageError;
use crate::image::union::{Named, Open, Place, Stack, Stat, is_dir, shown_path};

/// A path that is not the same in both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// `/etc/motd`.
    pub path: String,
    /// `added`, `changed` or `deleted`, from the first to the second.
    pub what: &'static str,
    /// What is other: `type`, `mode`, `owner`, `size`, `content`, `target`, `device`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<&'static str>,
    /// Kind of file in the second, or in the first if it is deleted.
    pub kind: &'static str,
    /// Bytes in the first, if it has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_before: Option<u64>,
    /// Bytes in the second, if it has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_after: Option<u64>,
}

impl Difference {
    /// `A`, `C` or `D`.
    pub fn letter(&self) -> char {
        match self.what {
            "added" => 'A',
            "deleted" => 'D',
            _ => 'C',
        }
    }
}

/// A side: a stack, and the layer it is looked at from.
pub type Side<'a> = (&'a Stack<'a>, usize);

/// Compares what two unions show. Times are not compared.
///
/// # Errors
/// When a tree cannot be read.
pub fn compare(a: Side<'_>, b: Side<'_>) -> Result<Vec<Difference>, ImageError> {
    let mut all = Vec::new();
    // `None` where one side has no such directory.
    let root = |side: Side<'_>| (side.1 < side.0.len()).then(|| side.0.root(side.1));
    let mut todo = vec![(root(a), root(b))];
    while let Some((left, right)) = todo.pop() {
        if same_trees(a.0, &left, b.0, &right) {
            continue;
        }
        let (old, new) = (shown(a.0, left.as_ref())?, shown(b.0, right.as_ref())?);
        let mut names: Vec<&[u8]> = old.iter().chain(&new).map(|n| n.name.as_slice()).collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            let find = |side: &[Named]| -> Option<usize> {
                side.binary_search_by(|n| n.name.as_slice().cmp(name)).ok()
            };
            let (x, y) = (find(&old).map(|i| &old[i]), find(&new).map(|i| &new[i]));
            let path = left.as_ref().or(right.as_ref()).map(|p| p.join(name)).unwrap_or_default();
            let below = |named: Option<&Named>| {
                named
                    .filter(|n| n.shown().is_some_and(|(_, s)| is_dir(s)))
                    .map(|n| Place { path: path.clone(), layers: n.merged() })
            };
            let (deep_x, deep_y) = (below(x), below(y));
            if deep_x.is_some() || deep_y.is_some() {
                todo.push((deep_x, deep_y));
            }
            all.extend(difference(a.0, x, b.0, y, &path, (&left, &right))?);
        }
    }
    all.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(all)
}

/// The names that a directory shows, sorted.
fn shown(stack: &Stack<'_>, place: Option<&Place>) -> Result<Vec<Named>, ImageError> {
    let Some(place) = place else { return Ok(Vec::new()) };
    Ok(stack.list(place)?.names.into_iter().filter(|n| n.shown().is_some()).collect())
}

/// Both sides are merged from the very same trees: nothing can differ.
fn same_trees(a: &Stack<'_>, left: &Option<Place>, b: &Stack<'_>, right: &Option<Place>) -> bool {
    match (left, right) {
        (Some(left), Some(right)) => {
            let paths = |stack: &Stack<'_>, place: &Place| -> Vec<std::path::PathBuf> {
                place.layers.iter().map(|l| stack.tree(*l).path().to_owned()).collect()
            };
            paths(a, left) == paths(b, right)
        }
        _ => false,
    }
}

fn difference(
    a: &Stack<'_>,
    x: Option<&Named>,
    b: &Stack<'_>,
    y: Option<&Named>,
    path: &[u8],
    places: (&Option<Place>, &Option<Place>),
) -> Result<Option<Difference>, ImageError> {
    let (x, y) = (x.and_then(Named::shown), y.and_then(Named::shown));
    let made = |what, changed, kind, before, after| {
        Some(Difference {
            path: shown_path(path),
            what,
            changed,
            kind,
            size_before: before,
            size_after: after,
        })
    };
    let ((old_layer, old), (new_layer, new)) = match (x, y) {
        (Some(x), Some(y)) => (x, y),
        (Some((_, old)), None) => return Ok(made("deleted", vec![], kind(old), Some(size(old)), None)),
        (None, Some((_, new))) => return Ok(made("added", vec![], kind(new), None, Some(size(new)))),
        (None, None) => return Ok(None),
    };
    if old.id == new.id {
        return Ok(None);
    }
    let mut changed = Vec::new();
    if kind(old) != kind(new) {
        changed.push("type");
    }
    if old.mode != new.mode {
        changed.push("mode");
    }
    if (old.uid, old.gid) != (new.uid, new.gid) {
        changed.push("owner");
    }
    if changed.first() != Some(&"type") {
        let name = path.rsplit(|b| *b == b'/').next().unwrap_or_default();
        let dir = |place: &Option<Place>| place.as_ref().map(|p| p.path.clone()).unwrap_or_default();
        let left = (a.tree(old_layer).dir(&dir(places.0))?, old);
        let right = (b.tree(new_layer).dir(&dir(places.1))?, new);
        if let (Some(l), Some(r)) = (left.0, right.0) {
            match kind(new) {
                "file" if size(old) != size(new) => changed.push("size"),
                "file" if !same_content(&*l.file(name)?, &*r.file(name)?)? => changed.push("content"),
                "symlink" if l.link(name)? != r.link(name)? => changed.push("target"),
                "char" | "block" if old.rdev != new.rdev => changed.push("device"),
                _ => {}
            }
        }
    }
    if changed.is_empty() {
        return Ok(None);
    }
    let sized = |stat: &Stat| Some(size(stat));
    Ok(made("changed", changed, kind(new), sized(old), sized(new)))
}

fn same_content(a: &dyn Open, b: &dyn Open) -> Result<bool, ImageError> {
    let read = |file: &dyn Open, buffer: &mut [u8], at: u64| -> Result<usize, ImageError> {
        let mut filled = 0;
        while filled < buffer.len() {
            match file.read_at(&mut buffer[filled..], at + filled as u64) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => return Err(ImageError::io("read", "a file of a layer", e)),
            }
        }
        Ok(filled)
    };
    let (mut x, mut y) = (vec![0; 64 << 10], vec![0; 64 << 10]);
    let mut at = 0;
    loop {
        let (n, m) = (read(a, &mut x, at)?, read(b, &mut y, at)?);
        if x[..n] != y[..m] {
            return Ok(false);
        }
        if n == 0 {
            return Ok(true);
        }
        at += n as u64;
    }
}
