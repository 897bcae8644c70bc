//! A tree as JSON, so that a later command finds what an earlier one left.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::tree::{Inode, ROOT};
use super::{Body, Ino, Tree};

/// Version of the format; a reader refuses any other.
const VERSION: u32 = 1;

/// Why saved bytes are no tree.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// Not the JSON that was expected.
    #[error("parse the saved model: {0}")]
    Json(#[from] serde_json::Error),
    /// Written by another version.
    #[error("read the saved model: its version is {0}, not {VERSION}")]
    Version(u32),
    /// Inodes that do not fit together.
    #[error("read the saved model: {0}")]
    Broken(&'static str),
}

#[derive(Serialize, Deserialize)]
struct Saved {
    version: u32,
    inodes: Vec<SavedInode>,
}

#[derive(Serialize, Deserialize)]
struct SavedInode {
    ino: Ino,
    #[serde(flatten)]
    body: SavedBody,
    mode: u32,
    uid: u32,
    gid: u32,
    mtime: i64,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    xattrs: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum SavedBody {
    Text { text: String },
    Bytes { hex: String },
    Dir { entries: BTreeMap<String, Ino> },
    Symlink { target: String },
    Char { major: u32, minor: u32 },
    Block { major: u32, minor: u32 },
    Fifo,
    Socket,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, b| {
        for digit in [b >> 4, b & 15] {
            text.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
        }
        text
    })
}

fn unhex(text: &str) -> Result<Vec<u8>, LoadError> {
    let digits: Option<Vec<u8>> = text.chars().map(|c| c.to_digit(16).map(|d| d as u8)).collect();
    match digits {
        Some(d) if d.len() % 2 == 0 => Ok(d.chunks(2).map(|p| p[0] << 4 | p[1]).collect()),
        _ => Err(LoadError::Broken("a file's bytes are no hexadecimal text")),
    }
}

fn save_body(body: &Body) -> SavedBody {
    match body {
        Body::File(data) => match std::str::from_utf8(data) {
            Ok(text) => SavedBody::Text { text: text.to_owned() },
            Err(_) => SavedBody::Bytes { hex: hex(data) },
        },
        Body::Dir(map) => SavedBody::Dir { entries: map.iter().map(|(n, i)| (n.to_string(), *i)).collect() },
        Body::Symlink(text) => SavedBody::Symlink { target: text.to_string() },
        Body::Char(major, minor) => SavedBody::Char { major: *major, minor: *minor },
        Body::Block(major, minor) => SavedBody::Block { major: *major, minor: *minor },
        Body::Fifo => SavedBody::Fifo,
        Body::Socket => SavedBody::Socket,
    }
}

fn load_body(body: SavedBody) -> Result<Body, LoadError> {
    Ok(match body {
        SavedBody::Text { text } => Body::File(text.into_bytes()),
        SavedBody::Bytes { hex } => Body::File(unhex(&hex)?),
        SavedBody::Dir { entries } => {
            if entries.keys().any(|n| n.is_empty() || n.contains('/') || n == "." || n == "..") {
                return Err(LoadError::Broken("a directory holds a name that cannot be"));
            }
            Body::Dir(entries.into_iter().map(|(n, i)| (n.into_boxed_str(), i)).collect())
        }
        SavedBody::Symlink { target } => Body::Symlink(target.into_boxed_str()),
        SavedBody::Char { major, minor } => Body::Char(major, minor),
        SavedBody::Block { major, minor } => Body::Block(major, minor),
        SavedBody::Fifo => Body::Fifo,
        SavedBody::Socket => Body::Socket,
    })
}

impl Tree {
    /// The tree as JSON. Inodes without a name are left out.
    pub(crate) fn to_json(&self) -> Vec<u8> {
        let inodes = self
            .slots()
            .iter()
            .enumerate()
            .filter_map(|(ino, inode)| Some((ino as Ino, inode.as_ref()?)))
            .filter(|(_, inode)| inode.nlink > 0)
            .map(|(ino, inode)| SavedInode {
                ino,
                body: save_body(&inode.body),
                mode: inode.mode,
                uid: inode.uid,
                gid: inode.gid,
                mtime: inode.mtime,
                xattrs: inode
                    .xattrs
                    .iter()
                    .flat_map(|x| x.iter())
                    .map(|(k, v)| (k.clone(), hex(v)))
                    .collect(),
            })
            .collect();
        serde_json::to_vec(&Saved { version: VERSION, inodes }).unwrap_or_default()
    }

    /// The tree from JSON; link counts and parents are derived, not believed.
    pub(crate) fn from_json(bytes: &[u8], fstype: &'static str, limit: u64) -> Result<Tree, LoadError> {
        let saved: Saved = serde_json::from_slice(bytes)?;
        if saved.version != VERSION {
            return Err(LoadError::Version(saved.version));
        }
        let count = saved.inodes.len();
        // Numbers are dense but for holes; a far one would only eat memory.
        let max = saved.inodes.iter().map(|i| i.ino).max().unwrap_or(0) as usize;
        if max > count.saturating_mul(16) + 4096 {
            return Err(LoadError::Broken("an inode number is out of range"));
        }
        let mut slots: Vec<Option<Inode>> = vec![None; max + 1];
        for s in saved.inodes {
            let mut xattrs = BTreeMap::new();
            for (k, v) in s.xattrs {
                xattrs.insert(k, unhex(&v)?);
            }
            let body = load_body(s.body)?;
            slots[s.ino as usize] = Some(Inode {
                nlink: if matches!(body, Body::Dir(_)) { 2 } else { 0 },
                body,
                mode: s.mode & 0o7777,
                uid: s.uid,
                gid: s.gid,
                mtime: s.mtime,
                parent: 0,
                opens: 0,
                xattrs: (!xattrs.is_empty()).then_some(xattrs),
            });
        }
        connect(&mut slots)?;
        Ok(Tree::from_slots(fstype, slots, limit))
    }
}

/// Fills in link counts and parents; every inode must hang below the root once.
fn connect(slots: &mut [Option<Inode>]) -> Result<(), LoadError> {
    match slots.get_mut(ROOT as usize).and_then(Option::as_mut) {
        Some(root) if matches!(root.body, Body::Dir(_)) => root.parent = ROOT,
        _ => return Err(LoadError::Broken("there is no root directory")),
    }
    let mut stack = vec![ROOT];
    while let Some(dir) = stack.pop() {
        let children: Vec<Ino> = match slots[dir as usize].as_ref().map(|i| &i.body) {
            Some(Body::Dir(map)) => map.values().copied().collect(),
            _ => continue,
        };
        for ino in children {
            let Some(inode) = slots.get_mut(ino as usize).and_then(Option::as_mut) else {
                return Err(LoadError::Broken("a name leads to no inode"));
            };
            if matches!(inode.body, Body::Dir(_)) {
                if inode.parent != 0 {
                    return Err(LoadError::Broken("a directory has two names"));
                }
                inode.parent = dir;
                stack.push(ino);
                if let Some(parent) = &mut slots[dir as usize] {
                    parent.nlink += 1;
                }
            } else {
                inode.nlink += 1;
            }
        }
    }
    for slot in slots.iter_mut() {
        let lost = |i: &Inode| i.parent == 0 && (matches!(i.body, Body::Dir(_)) || i.nlink == 0);
        if slot.as_ref().is_some_and(lost) {
            *slot = None;
        }
    }
    Ok(())
}
