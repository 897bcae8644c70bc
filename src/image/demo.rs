//! An image made in memory, for showing how images are handled without having
//! one: three small layers, of which the third deletes a file, hides a directory
//! and changes a file of the ones below. Its digests are true digests of its bytes.

use serde_json::json;
use tar::{Builder, EntryType, Header};

use super::digest;

/// The name that it has in its archive.
pub const NAME: &str = "demo:latest";

/// What a layer's tar holds.
enum Part {
    Dir(&'static str),
    File(&'static str, &'static str),
    Link(&'static str, &'static str),
}

fn layers() -> [(&'static str, Vec<Part>); 3] {
    use Part::{Dir, File, Link};
    [
        (
            "COPY base /",
            vec![
                Dir("etc"),
                File("etc/motd", "welcome\n"),
                File("etc/os-release", "NAME=demo\nID=demo\n"),
                Dir("var"),
                Dir("var/cache"),
                File("var/cache/index", "a long list of packages\n"),
            ],
        ),
        (
            "RUN install",
            vec![
                Dir("usr"),
                Dir("usr/bin"),
                File("usr/bin/hello", "#!/bin/sh\necho hello\n"),
                Link("usr/bin/hi", "hello"),
            ],
        ),
        (
            "RUN clean",
            vec![
                // A whiteout: /etc/motd of the layers below is gone.
                File("etc/.wh.motd", ""),
                File("etc/os-release", "NAME=demo\nID=demo\nVERSION_ID=2\n"),
                // An opaque directory: everything below is hidden.
                Dir("var/cache"),
                File("var/cache/.wh..wh..opq", ""),
            ],
        ),
    ]
}

fn tar(parts: &[(EntryType, &str, &[u8], u32)]) -> Vec<u8> {
    let mut tar = Builder::new(Vec::new());
    for (kind, path, content, mode) in parts {
        let mut header = Header::new_gnu();
        header.set_entry_type(*kind);
        header.set_mode(*mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        // Writing to memory does not fail, and the names are short.
        let _ = if *kind == EntryType::Symlink {
            header.set_size(0);
            tar.append_link(&mut header, path, String::from_utf8_lossy(content).as_ref())
        } else {
            header.set_size(content.len() as u64);
            tar.append_data(&mut header, path, *content)
        };
    }
    tar.into_inner().unwrap_or_default()
}

fn layer(parts: &[Part]) -> Vec<u8> {
    let entries: Vec<_> = parts
        .iter()
        .map(|part| match part {
            Part::Dir(path) => (EntryType::Directory, *path, &b""[..], 0o755),
            Part::File(path, text) if path.starts_with("usr/bin/") => {
                (EntryType::Regular, *path, text.as_bytes(), 0o755)
            }
            Part::File(path, text) => (EntryType::Regular, *path, text.as_bytes(), 0o644),
            Part::Link(path, to) => (EntryType::Symlink, *path, to.as_bytes(), 0o777),
        })
        .collect();
    tar(&entries)
}

/// The image as `docker save` would write it.
pub fn archive() -> Vec<u8> {
    let layers = layers();
    let tars: Vec<Vec<u8>> = layers.iter().map(|(_, parts)| layer(parts)).collect();
    let diff_ids: Vec<String> = tars.iter().map(|t| digest::of_bytes(t)).collect();
    let history: Vec<_> = layers.iter().map(|(by, _)| json!({"created_by": by})).collect();
    let config = json!({
        "architecture": "amd64", "os": "linux", "created": "1970-01-01T00:00:00Z",
        "config": {"Cmd": ["hello"]},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
        "history": history,
    })
    .to_string();
    let name = |digest: &str, end: &str| format!("{}{end}", digest::hex(digest).unwrap_or_default());
    let config_name = name(&digest::of_bytes(config.as_bytes()), ".json");
    let paths: Vec<String> = diff_ids.iter().map(|d| name(d, "/layer.tar")).collect();
    let manifest = json!([{"Config": config_name, "RepoTags": [NAME], "Layers": paths}]).to_string();
    let mut parts: Vec<(EntryType, &str, &[u8], u32)> =
        paths.iter().zip(&tars).map(|(p, t)| (EntryType::Regular, p.as_str(), t.as_slice(), 0o644)).collect();
    parts.push((EntryType::Regular, &config_name, config.as_bytes(), 0o644));
    parts.push((EntryType::Regular, "manifest.json", manifest.as_bytes(), 0o644));
    tar(&parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_same_each_time() {
        let bytes = archive();
        assert_eq!(bytes, archive());
        let mut tar = tar::Archive::new(&bytes[..]);
        let names: Vec<_> =
            tar.entries().unwrap().map(|e| e.unwrap().path().unwrap().display().to_string()).collect();
        assert_eq!(names.len(), 5);
        assert_eq!(names[4], "manifest.json");
    }
}
