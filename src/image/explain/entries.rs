//! One layer against those below it.

use std::collections::HashSet;

use super::{Counts, Entry, Total, What, kind, size};
use crate::image::ImageError;
use crate::image::union::{Place, Says, Stack, Stat, is_dir, shown_path};

/// What the layer at `top` of a stack does to each path, sorted by path.
///
/// # Errors
/// When a tree cannot be read.
pub fn entries(stack: &Stack<'_>, top: usize) -> Result<(Vec<Entry>, Counts), ImageError> {
    let mut walk = Walk { stack, top, all: Vec::new(), counts: Counts::default(), inodes: HashSet::new() };
    let mut todo = vec![stack.root(top)];
    while let Some(place) = todo.pop() {
        walk.directory(&place, &mut todo)?;
    }
    walk.all.sort_by(|a, b| a.path.cmp(&b.path));
    Ok((walk.all, walk.counts))
}

struct Walk<'a> {
    stack: &'a Stack<'a>,
    top: usize,
    all: Vec<Entry>,
    counts: Counts,
    inodes: HashSet<(u64, u64)>,
}

impl Walk<'_> {
    fn directory(&mut self, place: &Place, todo: &mut Vec<Place>) -> Result<(), ImageError> {
        let listing = self.stack.list_top(place)?;
        if listing.opaque && place.layers.len() > 1 {
            self.behind_opaque(place, &listing.names.iter().map(|n| n.name.clone()).collect())?;
        }
        for named in &listing.names {
            let path = place.join(&named.name);
            let covers = self.covers(&named.says[1..]);
            let below = named.below();
            match &named.says[0].1 {
                Says::Hides(_) => {
                    if let Some((layer, stat)) = below {
                        self.hidden(&path, layer, stat, covers, "whiteout")?;
                    }
                }
                Says::Has(stat) => {
                    let what = match below {
                        None => What::Added,
                        Some((_, old)) if is_dir(stat) && same_dir(stat, old) => What::Same,
                        Some(_) => What::Changed,
                    };
                    self.count(what, stat);
                    if let Some((layer, old)) = below.filter(|_| what == What::Changed) {
                        self.cover(&path, layer, stat, old)?;
                    }
                    if is_dir(stat) {
                        todo.push(Place { path: path.clone(), layers: named.merged() });
                    }
                    self.all.push(entry(&path, what, stat, covers));
                }
            }
        }
        Ok(())
    }

    fn count(&mut self, what: What, stat: &Stat) {
        match what {
            What::Added => self.counts.added += 1,
            What::Changed => self.counts.changed += 1,
            What::Same => self.counts.same += 1,
            What::Hidden => self.counts.hidden += 1,
        }
        if stat.nlink < 2 || self.inodes.insert(stat.id) {
            self.counts.size += size(stat);
        }
    }

    /// What a changed path makes unreachable below: a file, or, where no directory
    /// takes the place of a directory, all that was in it.
    fn cover(&mut self, path: &[u8], layer: usize, new: &Stat, old: &Stat) -> Result<(), ImageError> {
        if !is_dir(old) {
            self.counts.shadowed += size(old);
        } else if !is_dir(new) {
            let inside = self.inside(path, layer)?;
            self.counts.shadowed += inside.iter().map(|(_, stat)| size(stat)).sum::<u64>();
        }
        Ok(())
    }

    fn hidden(
        &mut self,
        path: &[u8],
        layer: usize,
        stat: &Stat,
        covers: Vec<usize>,
        by: &'static str,
    ) -> Result<(), ImageError> {
        self.counts.hidden += 1;
        self.counts.shadowed += size(stat);
        if is_dir(stat) {
            let inside = self.inside(path, layer)?;
            self.counts.hidden += inside.len() as u64;
            self.counts.shadowed += inside.iter().map(|(_, stat)| size(stat)).sum::<u64>();
        }
        self.all.push(Entry { by: Some(by), ..entry(path, What::Hidden, stat, covers) });
        Ok(())
    }

    /// What an opaque directory hides and does not have itself.
    fn behind_opaque(&mut self, place: &Place, own: &HashSet<Vec<u8>>) -> Result<(), ImageError> {
        let below = Place { path: place.path.clone(), layers: place.layers[1..].to_vec() };
        for named in self.stack.list(&below)?.names {
            if let Some((layer, stat)) = named.shown() {
                let path = place.join(&named.name);
                if own.contains(&named.name) {
                    self.counts.shadowed += size(stat);
                } else {
                    let covers = self.covers(&named.says);
                    self.hidden(&path, layer, stat, covers, "opaque")?;
                }
            }
        }
        Ok(())
    }

    /// All that the union from this layer on shows in a directory.
    fn inside(&self, path: &[u8], layer: usize) -> Result<Vec<(Vec<u8>, Stat)>, ImageError> {
        let mut found = Vec::new();
        let Some((place, named)) = self.stack.find(layer, path)? else { return Ok(found) };
        let mut todo = vec![Place { path: place.join(&named.name), layers: named.merged() }];
        while let Some(place) = todo.pop() {
            for named in self.stack.list(&place)?.names {
                let Some((_, stat)) = named.shown() else { continue };
                let path = place.join(&named.name);
                if is_dir(stat) {
                    todo.push(Place { path: path.clone(), layers: named.merged() });
                }
                found.push((path, *stat));
            }
        }
        Ok(found)
    }

    fn covers(&self, says: &[(usize, Says)]) -> Vec<usize> {
        says.iter()
            .map(|(layer, _)| self.stack.len() - layer)
            .filter(|n| *n != self.stack.len() - self.top)
            .collect()
    }
}

/// A directory that says the same in both layers.
fn same_dir(new: &Stat, old: &Stat) -> bool {
    (new.kind, new.mode, new.uid, new.gid) == (old.kind, old.mode, old.uid, old.gid)
}

fn entry(path: &[u8], what: What, stat: &Stat, covers: Vec<usize>) -> Entry {
    Entry {
        path: shown_path(path),
        what,
        kind: kind(stat),
        size: size(stat),
        mode: format!("{:04o}", stat.mode),
        uid: stat.uid,
        gid: stat.gid,
        covers,
        by: None,
    }
}

/// What the union of this layer and all below shows.
///
/// # Errors
/// When a tree cannot be read.
pub fn total(stack: &Stack<'_>, top: usize) -> Result<Total, ImageError> {
    let mut total = Total::default();
    let mut inodes = HashSet::new();
    let mut todo = vec![stack.root(top)];
    while let Some(place) = todo.pop() {
        for named in stack.list(&place)?.names {
            let Some((_, stat)) = named.shown() else { continue };
            if is_dir(stat) {
                total.dirs += 1;
                todo.push(Place { path: place.join(&named.name), layers: named.merged() });
                continue;
            }
            total.files += 1;
            if stat.nlink < 2 || inodes.insert(stat.id) {
                total.size += size(stat);
            }
        }
    }
    Ok(total)
}
