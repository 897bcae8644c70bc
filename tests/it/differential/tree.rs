//! A writable layer as lines: path, type, mode, owner, and what it holds.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use glassbox::image::digest;
use glassbox::kernel::model::World;
use glassbox::userland::FileType;

/// Names the hard links of a tree by the first path that has the inode.
#[derive(Default)]
struct Links(BTreeMap<u64, String>);

impl Links {
    fn of(&mut self, ino: u64, path: &str) -> String {
        match self.0.get(&ino) {
            Some(first) => format!(" = {first}"),
            None => {
                self.0.insert(ino, path.to_owned());
                String::new()
            }
        }
    }
}

fn line(path: &str, kind: char, mode: u32, owner: (u32, u32), rest: &str) -> String {
    format!("{path} {kind} {mode:04o} {}:{}{rest}", owner.0, owner.1)
}

/// Name servers are the host's own.
fn content(path: &str, bytes: &[u8]) -> String {
    if path.ends_with("/resolv.conf") {
        return " <name servers>".to_owned();
    }
    format!(" {} bytes {}", bytes.len(), &digest::of_bytes(bytes)[..19])
}

fn device(kind: char, numbers: (u32, u32)) -> (char, String) {
    (kind, format!(" {}:{}", numbers.0, numbers.1))
}

/// Of a directory of this host.
pub fn real(upper: &Path) -> Vec<String> {
    let (mut lines, mut links) = (Vec::new(), Links::default());
    real_below(upper, "", &mut lines, &mut links);
    lines
}

fn real_below(dir: &Path, at: &str, lines: &mut Vec<String>, links: &mut Links) {
    let meta = fs::symlink_metadata(dir).unwrap();
    let kind = meta.file_type();
    let rdev = (rustix::fs::major(meta.rdev()), rustix::fs::minor(meta.rdev()));
    let (letter, mut rest) = if kind.is_dir() {
        let mut value = [0u8; 8];
        let found = rustix::fs::lgetxattr(dir, "trusted.overlay.opaque", &mut value);
        ('d', if found == Ok(1) && value[0] == b'y' { " opaque".to_owned() } else { String::new() })
    } else if kind.is_symlink() {
        ('l', format!(" -> {}", fs::read_link(dir).unwrap().display()))
    } else if kind.is_char_device() && rdev == (0, 0) {
        ('w', String::new())
    } else if kind.is_char_device() {
        device('c', rdev)
    } else if kind.is_block_device() {
        device('b', rdev)
    } else if kind.is_fifo() {
        ('p', String::new())
    } else if kind.is_file() {
        ('f', content(at, &fs::read(dir).unwrap()))
    } else {
        ('s', String::new())
    };
    if !matches!(letter, 'd' | 'w') {
        rest.push_str(&links.of(meta.ino(), at));
    }
    push(lines, at, letter, meta.mode() & 0o7777, (meta.uid(), meta.gid()), &rest);
    if letter == 'd' {
        let mut names: Vec<_> = fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        for name in names {
            let name = name.to_string_lossy();
            real_below(&dir.join(&*name), &format!("{at}/{name}"), lines, links);
        }
    }
}

/// Of a container of a saved model.
pub fn model(world: &Path, id: &str) -> Vec<String> {
    let world = World::load(&fs::read(world).unwrap()).unwrap();
    let upper = format!("/var/lib/glassbox/containers/{id}/upper");
    let (mut lines, mut links) = (Vec::new(), Links::default());
    model_below(&world, &upper, "", &mut lines, &mut links);
    lines
}

fn model_below(world: &World, upper: &str, at: &str, lines: &mut Vec<String>, links: &mut Links) {
    let path = format!("{upper}{at}");
    let entry = world.disk_entry(&path).unwrap_or_else(|| panic!("{path} is not on the modelled disk"));
    let (letter, mut rest) = match entry.kind {
        _ if entry.is_whiteout() => ('w', String::new()),
        FileType::Dir => ('d', if entry.opaque { " opaque".to_owned() } else { String::new() }),
        FileType::Symlink => ('l', format!(" -> {}", entry.target)),
        FileType::Char => device('c', entry.rdev),
        FileType::Block => device('b', entry.rdev),
        FileType::Fifo => ('p', String::new()),
        FileType::File => ('f', content(at, entry.content)),
        FileType::Socket => ('s', String::new()),
    };
    if !matches!(letter, 'd' | 'w') {
        rest.push_str(&links.of(entry.ino, at));
    }
    push(lines, at, letter, entry.mode, (entry.uid, entry.gid), &rest);
    if letter == 'd' {
        for name in world.disk_names(&path) {
            model_below(world, upper, &format!("{at}/{name}"), lines, links);
        }
    }
}

fn push(lines: &mut Vec<String>, at: &str, letter: char, mode: u32, owner: (u32, u32), rest: &str) {
    let path = if at.is_empty() { "/" } else { at };
    lines.push(match letter {
        // A whiteout has no mode or owner that anybody sees.
        'w' => format!("{path} whiteout"),
        _ => line(path, letter, mode, owner, rest),
    });
}
