//! An image's own `/etc/passwd` and `/etc/group`, read from its layer trees
//! before they are mounted.

use std::fs;
use std::path::{Path, PathBuf};

/// The text of `etc/NAME` in the uppermost layer that has it; empty if none
/// does, or if it is whited out or no plain file (a symbolic link could lead
/// anywhere on the host).
pub fn read(layers: &[PathBuf], name: &str) -> String {
    for layer in layers.iter().rev() {
        let etc = layer.join("etc");
        match fs::symlink_metadata(&etc) {
            Ok(m) if m.is_dir() => {}
            Ok(_) => return String::new(),
            Err(_) => continue,
        }
        let file = etc.join(name);
        match fs::symlink_metadata(&file) {
            Ok(m) if m.is_file() => return read_file(&file),
            Ok(_) => return String::new(),
            Err(_) => continue,
        }
    }
    String::new()
}

fn read_file(path: &Path) -> String {
    fs::read(path).map(|t| String::from_utf8_lossy(&t).into_owned()).unwrap_or_default()
}
