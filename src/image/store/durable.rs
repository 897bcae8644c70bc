//! What a power failure may take away. Nothing here waits for the disk to write
//! whole layers; instead a list, `unsynced`, says which blobs and trees came in
//! since the last sync, and in which boot of the machine. It is on the disk
//! before any of them gets its final name.
//!
//! As long as the machine runs, the kernel's cache is the truth, and the list
//! means nothing. After a reboot the list is from another boot: then every blob
//! on it is verified and removed if it is wrong, and every tree on it is removed,
//! to be unpacked again from its blob. The list goes when a later writer finds
//! it old enough for the disk to have caught up, and syncs.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::time::Duration;

use super::{Store, disk};
use crate::image::index::Content;
use crate::image::layers::remove_tree;
use crate::image::{ImageError, calls, digest};

const LIST: &str = "unsynced";
/// The kernel writes dirty pages back after 30 s; a sync is cheap then.
const OLD: Duration = Duration::from_secs(60);

/// The list, read.
struct List {
    boot: String,
    digests: BTreeSet<String>,
}

/// Identifies this boot of the machine, random(4).
fn boot() -> String {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    text.trim().to_owned()
}

impl Store {
    fn unsynced(&self) -> Result<Option<List>, ImageError> {
        let Some(text) = disk::read(&self.root().join(LIST))? else { return Ok(None) };
        // Of a list that is damaged itself nothing is known but its content.
        let text = String::from_utf8_lossy(&text);
        let mut lines = text.lines().map(str::to_owned);
        Ok(Some(List { boot: lines.next().unwrap_or_default(), digests: lines.collect() }))
    }

    /// Notes what is about to come in (digests, chain IDs), unless it is there.
    /// The store is locked.
    pub(super) fn note_unsynced<'a>(
        &self,
        digests: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), ImageError> {
        let there =
            |d: &str| self.blob(d).is_ok_and(|p| p.exists()) || self.layer_dir(d).is_ok_and(|p| p.exists());
        let mut list = self.unsynced()?.map(|l| l.digests).unwrap_or_default();
        let before = list.len();
        list.extend(digests.into_iter().filter(|d| !there(d)).map(str::to_owned));
        if list.len() == before {
            return Ok(());
        }
        let text: String = std::iter::once(boot()).chain(list).flat_map(|line| [line, "\n".into()]).collect();
        self.write(LIST, text.as_bytes())?;
        self.sync_root()
    }

    /// Notes that a tree is about to be unpacked to its place.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn expect_tree(&self, chain_id: &str) -> Result<(), ImageError> {
        let _lock = self.lock()?;
        self.note_unsynced([chain_id])
    }

    /// Lets the names in the store's directory survive a power failure.
    fn sync_root(&self) -> Result<(), ImageError> {
        let root = self.root();
        let dir = File::open(root).map_err(|e| ImageError::io("open", root, e))?;
        calls::sync(&dir, calls::Sync::All).map_err(|e| self.writing("sync", root, e.into()))
    }

    /// Whether a power failure may have damaged what is here.
    pub(super) fn is_doubtful(&self) -> bool {
        matches!(self.unsynced(), Ok(Some(list)) if list.boot != boot())
    }

    /// After a reboot: removes what did not reach the disk. The store is locked.
    pub(super) fn recover(&self) -> Result<(), ImageError> {
        let Some(list) = self.unsynced()?.filter(|l| l.boot != boot()) else { return Ok(()) };
        for name in &list.digests {
            let (Ok(blob), Ok(place)) = (self.blob(name), self.layer_place(name)) else { continue };
            remove_tree(&place)?;
            if blob.exists() && !verified(&blob, name)? {
                remove_tree(&blob)?;
            }
        }
        let path = self.root().join(LIST);
        calls::unlink(&path).map_err(|e| self.writing("remove", &path, e.into()))
    }

    /// Syncs if the list is old, and removes it. The store is locked.
    pub(super) fn settle_on_disk(&self) -> Result<(), ImageError> {
        let path = self.root().join(LIST);
        let age = path.metadata().and_then(|m| m.modified()).map(|t| t.elapsed().unwrap_or_default());
        if age.is_ok_and(|age| age > OLD) {
            self.sync_all()?;
        }
        Ok(())
    }

    /// Waits until all of the store is on the disk. The store is locked.
    fn sync_all(&self) -> Result<(), ImageError> {
        let root = self.root();
        let dir = File::open(root).map_err(|e| ImageError::io("open", root, e))?;
        calls::sync(&dir, calls::Sync::FileSystem).map_err(|e| ImageError::io("sync", root, e))?;
        let path = root.join(LIST);
        calls::unlink(&path).map_err(|e| self.writing("remove", &path, e.into()))
    }
}

fn verified(path: &std::path::Path, name: &str) -> Result<bool, ImageError> {
    let file = File::open(path).map_err(|e| ImageError::io("open", path, e))?;
    let mut hashing = digest::Hashing::new(file);
    let mut buffer = vec![0; 256 << 10];
    while hashing.read(&mut buffer).map_err(|e| ImageError::io("read", path, e))? > 0 {}
    Ok(hashing.finish().1 == name)
}

#[cfg(test)]
mod tests {
    use super::super::tests::put;
    use super::*;
    use crate::image::layers::test_tar::Tar;

    fn tar(text: &str) -> Vec<u8> {
        Tar::new().file("f", text).done()
    }

    #[test]
    fn after_a_power_failure_nothing_wrong_is_used() {
        let place = tempfile::tempdir().unwrap();
        let store = Store::open(place.path());
        let image = put(&store, &["app"], &[tar("1"), tar("2")]);
        let list = store.unsynced().unwrap().unwrap();
        assert_eq!(list.boot, boot());
        assert!(image.layers.iter().all(|l| list.digests.contains(&l.blob)));
        assert!(list.digests.contains(&image.id));
        store.expect_tree(&image.layers[0].chain_id).unwrap();
        let tree = &image.layers[0].dir;
        std::fs::create_dir_all(tree).unwrap();
        std::fs::write(tree.join("f"), "").unwrap();
        assert!(store.resolve("app").unwrap().layers[0].unpacked, "in this boot all is well");

        let path = store.root().join(LIST);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace(&boot(), "another boot")).unwrap();
        std::fs::write(store.blob(&image.layers[1].blob).unwrap(), "").unwrap();
        let after = store.resolve("app").unwrap();
        assert!(!after.layers[0].unpacked, "what is not known to be whole is unpacked again");
        assert!(store.blob(&image.layers[0].blob).unwrap().exists());
        assert!(!store.blob(&image.layers[1].blob).unwrap().exists(), "an empty blob is no blob");
        assert!(!path.exists());
        put(&store, &["app"], &[tar("1"), tar("2")]);
        assert!(store.blob(&image.layers[1].blob).unwrap().exists(), "a second load mends it");
    }

    #[test]
    fn an_old_list_goes_with_a_sync() {
        let place = tempfile::tempdir().unwrap();
        let store = Store::open(place.path());
        put(&store, &["app"], &[tar("1")]);
        let path = store.root().join(LIST);
        drop(store.stage().unwrap());
        assert!(path.exists());
        let then = std::time::SystemTime::now() - OLD - OLD;
        File::options().append(true).open(&path).unwrap().set_modified(then).unwrap();
        drop(store.stage().unwrap());
        assert!(!path.exists());
    }
}
