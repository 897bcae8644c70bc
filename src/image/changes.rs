//! What a container changed: its writable layer, read against the layers below,
//! as `docker diff` tells it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::Metadata;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::image::ImageError;

/// How a path changed. The letter is Docker's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChangeKind {
    /// `C`.
    Modified,
    /// `A`.
    Added,
    /// `D`.
    Deleted,
}

impl ChangeKind {
    /// `C`, `A` or `D`.
    pub fn letter(self) -> char {
        match self {
            ChangeKind::Modified => 'C',
            ChangeKind::Added => 'A',
            ChangeKind::Deleted => 'D',
        }
    }
}

/// One changed path, absolute inside the container.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// `/etc/motd`.
    pub path: PathBuf,
    /// How.
    pub kind: ChangeKind,
}

/// Compares a writable layer with the layers below it, uppermost first. Sorted
/// by path. What a new directory holds is listed too.
///
/// # Errors
/// [`ImageError::Io`] when a tree cannot be read.
pub fn changes(upper: &Path, lower: &[PathBuf]) -> Result<Vec<Change>, ImageError> {
    let mut all = Vec::new();
    let below: Vec<PathBuf> = lower.to_vec();
    let mut todo = vec![(PathBuf::from("/"), upper.to_owned(), below)];
    while let Some((at, dir, below)) = todo.pop() {
        // Everything below an opaque directory is hidden; names that are not
        // written anew are gone.
        let own = read_dir(&dir)?;
        if !below.is_empty() && is_opaque(&dir) {
            for name in merged_names(&below)?.into_keys().filter(|n| !own.contains_key(n)) {
                all.push(Change { path: at.join(name), kind: ChangeKind::Deleted });
            }
        }
        for (name, meta) in own {
            let path = at.join(&name);
            let old = find_below(&below, &name)?;
            if is_whiteout(&meta) {
                // A whiteout of something that exists in the upper layer only
                // is left behind by a rename; it hides nothing.
                if old.is_some() {
                    all.push(Change { path, kind: ChangeKind::Deleted });
                }
                continue;
            }
            let kind = match &old {
                None => ChangeKind::Added,
                Some(_) => ChangeKind::Modified,
            };
            if meta.is_dir() {
                let deeper = match &old {
                    Some(old) if old.is_dir() => dirs_below(&below, &name)?,
                    _ => Vec::new(),
                };
                todo.push((path.clone(), dir.join(&name), deeper));
            }
            all.push(Change { path, kind });
        }
    }
    all.sort();
    Ok(all)
}

fn is_whiteout(meta: &Metadata) -> bool {
    meta.file_type().is_char_device() && meta.rdev() == 0
}

fn is_opaque(dir: &Path) -> bool {
    let mut value = [0u8; 4];
    ["trusted.overlay.opaque", "user.overlay.opaque"].iter().any(|name| {
        matches!(rustix::fs::lgetxattr(dir, *name, &mut value[..]), Ok(n) if n > 0 && value[0] == b'y')
    })
}

fn read_dir(dir: &Path) -> Result<BTreeMap<OsString, Metadata>, ImageError> {
    let mut names = BTreeMap::new();
    for entry in std::fs::read_dir(dir).map_err(|e| ImageError::io("read directory", dir, e))? {
        let entry = entry.map_err(|e| ImageError::io("read directory", dir, e))?;
        let meta = entry.metadata().map_err(|e| ImageError::io("stat", entry.path(), e))?;
        names.insert(entry.file_name(), meta);
    }
    Ok(names)
}

/// The topmost file of this name in the layers below, unless it is hidden.
fn find_below(below: &[PathBuf], name: &OsString) -> Result<Option<Metadata>, ImageError> {
    for (n, dir) in below.iter().enumerate() {
        match dir.join(name).symlink_metadata() {
            Ok(meta) if is_whiteout(&meta) => return Ok(None),
            Ok(meta) => return Ok(Some(meta)),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => return Err(ImageError::io("stat", dir.join(name), e)),
        }
        // Of the lowest it does not matter what it would hide.
        if n + 1 < below.len() && is_opaque(dir) {
            return Ok(None);
        }
    }
    Ok(None)
}

/// The directories of this name that the union shows merged.
fn dirs_below(below: &[PathBuf], name: &OsString) -> Result<Vec<PathBuf>, ImageError> {
    let mut dirs = Vec::new();
    for (n, dir) in below.iter().enumerate() {
        let path = dir.join(name);
        match path.symlink_metadata() {
            Ok(meta) if meta.is_dir() => dirs.push(path.clone()),
            // A whiteout or a file: nothing of the layers below it shows.
            Ok(_) => break,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => return Err(ImageError::io("stat", path, e)),
        }
        if n + 1 < below.len() && (is_opaque(&path) || is_opaque(dir)) {
            break;
        }
    }
    Ok(dirs)
}

fn merged_names(below: &[PathBuf]) -> Result<BTreeMap<OsString, ()>, ImageError> {
    let mut names = BTreeMap::new();
    let mut hidden = std::collections::BTreeSet::new();
    for dir in below {
        for (name, meta) in read_dir(dir)? {
            if is_whiteout(&meta) {
                hidden.insert(name);
            } else if !hidden.contains(&name) {
                names.insert(name, ());
            }
        }
        if is_opaque(dir) {
            break;
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use rustix::fs::{CWD, FileType, Mode, XattrFlags};

    use super::*;

    struct Layers {
        place: tempfile::TempDir,
    }

    impl Layers {
        fn path(&self, name: &str) -> PathBuf {
            self.place.path().join(name)
        }

        fn file(&self, name: &str) {
            let path = self.path(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x").unwrap();
        }

        fn whiteout(&self, name: &str) {
            let path = self.path(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            rustix::fs::mknodat(CWD, path, FileType::CharacterDevice, Mode::empty(), 0).unwrap();
        }

        fn opaque(&self, name: &str) {
            std::fs::create_dir_all(self.path(name)).unwrap();
            rustix::fs::setxattr(self.path(name), "trusted.overlay.opaque", b"y", XattrFlags::empty())
                .unwrap();
        }

        fn changes(&self, lower: &[&str]) -> Vec<String> {
            let lower: Vec<PathBuf> = lower.iter().map(|l| self.path(l)).collect();
            let all = changes(&self.path("up"), &lower).unwrap();
            all.iter().map(|c| format!("{} {}", c.kind.letter(), c.path.display())).collect()
        }
    }

    #[test]
    #[ignore = "root"]
    fn added_changed_deleted() {
        let l = Layers { place: tempfile::tempdir().unwrap() };
        for name in ["low/etc/motd", "low/etc/gone", "mid/etc/again", "low/var/a/b", "low/opt/x", "low/opt/y"]
        {
            l.file(name);
        }
        // Deleted by a layer of the image: the container's new one is added.
        l.whiteout("mid/etc/gone");
        l.file("up/etc/gone");
        l.file("up/etc/motd");
        l.whiteout("up/etc/again");
        l.file("up/root/new/deep");
        l.whiteout("up/var");
        l.opaque("up/opt");
        l.file("up/opt/x");
        l.file("up/opt/z");
        l.whiteout("up/tmp-left-by-rename");
        let want = [
            "C /etc",
            "D /etc/again",
            "A /etc/gone",
            "C /etc/motd",
            "C /opt",
            "C /opt/x",
            "D /opt/y",
            "A /opt/z",
            "A /root",
            "A /root/new",
            "A /root/new/deep",
            "D /var",
        ];
        assert_eq!(l.changes(&["mid", "low"]), want);
    }

    #[test]
    #[ignore = "root"]
    fn what_layers_hide_from_each_other() {
        let l = Layers { place: tempfile::tempdir().unwrap() };
        l.file("low/d/old");
        l.file("low/f");
        l.opaque("mid/d");
        l.file("mid/d/new");
        l.file("mid/f/is-a-directory-now");
        l.file("up/d/old");
        l.file("up/d/new");
        l.file("up/f/is-a-directory-now");
        assert_eq!(
            l.changes(&["mid", "low"]),
            ["C /d", "C /d/new", "A /d/old", "C /f", "C /f/is-a-directory-now"]
        );
    }

    #[test]
    #[ignore = "root"]
    fn nothing() {
        let l = Layers { place: tempfile::tempdir().unwrap() };
        std::fs::create_dir(l.path("up")).unwrap();
        l.file("low/a");
        assert!(l.changes(&["low"]).is_empty());
    }
}
