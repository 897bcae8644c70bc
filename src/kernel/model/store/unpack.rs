//! A layer's tar becomes a tree on the modelled disk, with its marks read as
//! image-spec layer.md says.

use std::collections::BTreeMap;
use std::io::Read;

use tar::{Entry, EntryType};

use crate::kernel::Errno;
use crate::kernel::model::overlay::OPAQUE;
use crate::kernel::model::vfs::{Body, Ino, New};
use crate::kernel::model::world::{DISK_SB, World};

/// What unpacking counted and converted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Unpacked {
    /// Entries of the tar.
    pub count: u64,
    pub tar_bytes: u64,
    pub file_bytes: u64,
    /// The tar's name of a whiteout, and the path that it hides or makes opaque.
    pub whiteouts: Vec<(String, String)>,
    pub opaque: Vec<(String, String)>,
}

/// Bytes of the files in a layer's tar.
///
/// # Errors
/// Why it cannot be read.
pub fn file_bytes(bytes: &[u8]) -> Result<u64, String> {
    let mut sum = 0;
    for entry in tar::Archive::new(bytes).entries().map_err(|e| e.to_string())? {
        let entry = entry.map_err(|e| e.to_string())?;
        if entry.header().entry_type() == EntryType::Regular {
            sum += entry.size();
        }
    }
    Ok(sum)
}

impl World {
    /// Unpacks a layer's tar to `dir`: complete, or not at all.
    ///
    /// # Errors
    /// Why it cannot be read, what the model does not know, or that the disk is full.
    pub(crate) fn unpack(&mut self, dir: &str, bytes: &[u8]) -> Result<Unpacked, String> {
        let done = self.unpack_into(dir, bytes);
        if done.is_err() {
            let _ = self.disk_remove(dir);
        }
        done
    }

    fn unpack_into(&mut self, dir: &str, bytes: &[u8]) -> Result<Unpacked, String> {
        if bytes.starts_with(&[0x1f, 0x8b]) || bytes.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
            return Err("it is compressed, and the modelled machine unpacks plain tars only".into());
        }
        let top = self.disk_dir(dir).map_err(|e| e.to_string())?;
        let mut out = Unpacked { tar_bytes: bytes.len() as u64, ..Unpacked::default() };
        let mut times: Vec<(Ino, i64)> = Vec::new();
        for entry in tar::Archive::new(bytes).entries().map_err(|e| e.to_string())? {
            let mut entry = entry.map_err(|e| e.to_string())?;
            out.count += 1;
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            self.unpack_entry(top, &name, &mut entry, &mut out, &mut times)
                .map_err(|e| format!("entry {name:?}: {e}"))?;
        }
        // What is put into a directory changes its time.
        let tree = self.fs.tree_mut(DISK_SB).map_err(|e| e.to_string())?;
        for (ino, mtime) in times {
            if let Ok(inode) = tree.get_mut(ino) {
                inode.mtime = mtime;
            }
        }
        Ok(out)
    }

    fn unpack_entry(
        &mut self,
        top: Ino,
        name: &str,
        entry: &mut Entry<'_, &[u8]>,
        out: &mut Unpacked,
        times: &mut Vec<(Ino, i64)>,
    ) -> Result<(), String> {
        let no = |e: Errno| e.to_string();
        let parts = parts(name)?;
        let header = entry.header();
        let number = |n: std::io::Result<u64>| n.map_err(|e| e.to_string());
        let mut new = New {
            body: Body::Dir(BTreeMap::new()),
            mode: header.mode().map_err(|e| e.to_string())?,
            uid: number(header.uid())? as u32,
            gid: number(header.gid())? as u32,
            mtime: number(header.mtime())? as i64,
        };
        let kind = header.entry_type();
        let device = (header.device_major().ok().flatten(), header.device_minor().ok().flatten());
        let device = (device.0.unwrap_or(0), device.1.unwrap_or(0));
        let Some((leaf, dirs)) = parts.split_last() else {
            let inode = self.fs.tree_mut(DISK_SB).and_then(|t| t.get_mut(top)).map_err(no)?;
            (inode.mode, inode.uid, inode.gid) = (new.mode & 0o7777, new.uid, new.gid);
            times.push((top, new.mtime));
            return Ok(());
        };
        let parent = dirs.join("/");
        let dir = self.disk_dir_below(top, &parent).map_err(no)?;
        let tree = self.fs.tree_mut(DISK_SB).map_err(no)?;
        let path = parts.join("/");
        if *leaf == ".wh..wh..opq" {
            out.opaque.push((path, parent));
            return tree.set_xattr(dir, OPAQUE, b"y").map_err(no);
        }
        let hidden = leaf.strip_prefix(".wh.");
        let leaf = hidden.unwrap_or(leaf);
        let link = String::from_utf8_lossy(&entry.link_name_bytes().unwrap_or_default()).into_owned();
        let old = tree.lookup(dir, leaf).ok();
        new.body = match kind {
            _ if hidden.is_some() => {
                let shown = if parent.is_empty() { leaf.to_owned() } else { format!("{parent}/{leaf}") };
                out.whiteouts.push((path, shown));
                new.mode = 0;
                Body::Char(0, 0)
            }
            EntryType::Directory => new.body,
            EntryType::Regular | EntryType::Continuous => {
                let mut content = Vec::new();
                entry.read_to_end(&mut content).map_err(|e| e.to_string())?;
                out.file_bytes += content.len() as u64;
                Body::File(content)
            }
            EntryType::Symlink => Body::Symlink(link.into()),
            EntryType::Link => {
                let found = self::parts(&link)?.iter().try_fold(top, |at, part| tree.lookup(at, part));
                let ino = found.map_err(|e| format!("hard link to {link:?}: {e}"))?;
                if old.is_some() {
                    tree.remove_all(dir, leaf, new.mtime).map_err(no)?;
                }
                return tree.link(ino, dir, leaf, new.mtime).map_err(no);
            }
            EntryType::Char => Body::Char(device.0, device.1),
            EntryType::Block => Body::Block(device.0, device.1),
            EntryType::Fifo => Body::Fifo,
            _ => return Err("the model does not know what it is".into()),
        };
        let is_dir = matches!(new.body, Body::Dir(_));
        let (mode, uid, gid, mtime) = (new.mode, new.uid, new.gid, new.mtime);
        let ino = match old {
            Some(ino) if is_dir && tree.dir(ino).is_ok() => ino,
            _ => {
                if old.is_some() {
                    tree.remove_all(dir, leaf, mtime).map_err(no)?;
                }
                tree.make(dir, leaf, new).map_err(no)?
            }
        };
        if is_dir {
            let inode = tree.get_mut(ino).map_err(no)?;
            (inode.mode, inode.uid, inode.gid) = (mode & 0o7777, uid, gid);
            times.push((ino, mtime));
        }
        for record in entry.pax_extensions().ok().flatten().into_iter().flatten().flatten() {
            let key = record.key().unwrap_or_default();
            if let Some(key) = key.strip_prefix("SCHILY.xattr.") {
                tree.set_xattr(ino, key, record.value_bytes()).map_err(no)?;
            }
        }
        Ok(())
    }
}

/// The components of a member's name; none for the root itself.
fn parts(name: &str) -> Result<Vec<&str>, String> {
    let parts: Vec<&str> = name.split('/').filter(|p| !p.is_empty() && *p != ".").collect();
    match parts.contains(&"..") {
        true => Err("it leads out of the layer".into()),
        false => Ok(parts),
    }
}
