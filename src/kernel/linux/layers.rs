//! What is read before anything is mounted: the image, its layers, the host's
//! kernel; and what is read at the end: the changes.

use std::path::{Path, PathBuf};

use super::state::State;
use crate::image::Store;
use crate::image::layers::{self as image, Limits};
use crate::image::{changes, digest};
use crate::kernel::{Errno, Failure, counts};
use crate::plan::Op;
use crate::trace::{Fact, Kind, Value};

fn blob(store: &Path, wanted: &str) -> Result<PathBuf, Failure> {
    let hex = digest::hex(wanted)
        .ok_or_else(|| Failure::new(format!("find {wanted}: it is no sha256 digest"), None))?;
    Ok(store.join("blobs/sha256").join(hex))
}

/// Carries out the reading operations and the unpacking of a layer.
pub fn apply(op: &Op, state: &mut State) -> Result<bool, Failure> {
    let store = state.store.as_path();
    match op {
        Op::ReadImage { reference, image, manifest, .. } => {
            for (what, wanted) in [("manifest", manifest), ("config", image)] {
                let path = blob(store, wanted)?;
                let bad = |why: String| {
                    Failure::new(format!("read the {what} of {reference}: {why}"), None)
                        .hint("load the image again")
                };
                let bytes = std::fs::read(&path).map_err(|e| {
                    Failure::new(
                        format!("read the {what} of {reference} at {}", path.display()),
                        Some(e.into()),
                    )
                    .hint("load the image again")
                })?;
                let found = digest::of_bytes(&bytes);
                if found != *wanted {
                    return Err(bad(format!("its digest is {found}, not {wanted}")));
                }
                serde_json::from_slice::<serde::de::IgnoredAny>(&bytes)
                    .map_err(|e| bad(format!("it is not JSON: {e}")))?;
            }
            Ok(true)
        }
        Op::UnpackLayer { blob: packed, media_type, size, diff_id, dir, .. } => {
            let blob = blob(store, packed)?;
            let limits = Limits { blob_size: Some(*size), ..state.images.limits };
            // The one place that unpacks: the image room does it, resolving
            // every name beneath the tree's own directory.
            let tree = Path::new(dir);
            if let Some((store, chain_id)) = Store::of_layer_dir(tree).filter(|_| !tree.exists()) {
                store.expect_tree(&chain_id)?;
            }
            let done = image::unpack(&blob, media_type, diff_id, tree, &limits)?;
            let existed = done.existed;
            if !existed {
                image::size::note(tree, done.size)?;
            }
            state.unpacked = (!existed).then_some(done);
            Ok(existed)
        }
        Op::UseLayer { dir, diff_id, .. } => match rustix::fs::stat(dir.as_str()) {
            Ok(s) if rustix::fs::FileType::from_raw_mode(s.st_mode).is_dir() => Ok(true),
            Ok(_) => Err(gone(dir, diff_id, Errno::ENOTDIR)),
            Err(e) => Err(gone(dir, diff_id, e.into())),
        },
        // Read for evidence: unwatched there is nothing to do.
        Op::ReadHostKernel | Op::LookForKernel { .. } => Ok(true),
        Op::ReadChanges { .. } => Ok(true),
        _ => Err(super::dispatch::misplaced(op)),
    }
}

fn gone(dir: &str, diff_id: &str, errno: Errno) -> Failure {
    Failure::new(format!("use layer {diff_id} at {dir}"), Some(errno)).hint("load the image again")
}

/// What there is to say of a layer's or the host's kernel.
pub fn evidence(op: &Op, state: &State) -> Vec<Fact> {
    let store = state.store.as_path();
    let fact = |source: &str, key: &str, value: Value| Fact {
        source: Value::from(source),
        key: key.to_owned(),
        value,
    };
    match op {
        Op::ReadImage { image, manifest, .. } => [("manifest", manifest), ("config", image)]
            .into_iter()
            .filter_map(|(key, wanted)| {
                let path = blob(store, wanted).ok()?;
                let bytes = std::fs::read(&path).ok()?;
                Some(fact(
                    &path.to_string_lossy(),
                    &format!("{key} digest"),
                    Value::volatile(Kind::Digest, digest::of_bytes(&bytes)),
                ))
            })
            .collect(),
        Op::UnpackLayer { dir, .. } => {
            let mut facts = top(dir);
            // Counted while unpacking; nothing was, if the tree is not there.
            if let Some(done) = state.unpacked.as_ref().filter(|_| !facts.is_empty()) {
                facts.extend(counts(dir, done));
            }
            facts
        }
        Op::UseLayer { dir, .. } => top(dir),
        Op::ReadHostKernel => {
            let uname = rustix::system::uname();
            let text = |s: &std::ffi::CStr| s.to_string_lossy().into_owned();
            vec![
                fact("uname(2)", "sysname", Value::Text(text(uname.sysname()))),
                fact("uname(2)", "release", Value::volatile(Kind::Release, text(uname.release()))),
                fact("uname(2)", "version", Value::volatile(Kind::Release, text(uname.version()))),
                fact("uname(2)", "machine", Value::Text(text(uname.machine()))),
            ]
        }
        Op::LookForKernel { layers } => layers.iter().flat_map(|l| bootable(l)).collect(),
        Op::ReadChanges { upper, lower } => {
            let lower: Vec<PathBuf> = lower.iter().map(PathBuf::from).collect();
            let found = changes::changes(Path::new(upper), &lower).unwrap_or_default();
            found
                .iter()
                .map(|c| fact(upper, &c.path.to_string_lossy(), Value::Text(c.kind.letter().to_string())))
                .collect()
        }
        _ => Vec::new(),
    }
}

/// The names in a layer's root.
fn top(dir: &str) -> Vec<Fact> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let mut names: Vec<String> =
        entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    vec![Fact { source: dir.into(), key: "its root".to_owned(), value: Value::Text(names.join(" ")) }]
}

/// What unpacking counted.
pub(super) fn counts(dir: &str, done: &image::Unpacked) -> Vec<Fact> {
    counts::unpacked(
        dir,
        counts::Unpacked {
            entries: done.entries,
            tar_bytes: done.tar_bytes,
            file_bytes: done.file_bytes,
            whiteouts: done.whiteouts,
            opaque_dirs: done.opaque_dirs,
            skipped_xattrs: done.skipped_xattrs,
        },
    )
}

/// What of the things that boot a machine is in a layer's tree.
fn bootable(layer: &str) -> Vec<Fact> {
    ["boot", "vmlinuz", "initrd.img", "lib/modules", "usr/lib/modules"]
        .into_iter()
        .map(|name| {
            let path = format!("{layer}/{name}");
            // Not following links: in a layer they lead into the host.
            let value = match std::fs::symlink_metadata(&path) {
                Err(e) => Errno::from(e).words().to_owned(),
                Ok(meta) if meta.is_dir() => match std::fs::read_dir(&path).map(Iterator::count) {
                    Ok(0) => "an empty directory".to_owned(),
                    Ok(n) => format!("a directory with {n} entries"),
                    Err(e) => Errno::from(e).words().to_owned(),
                },
                Ok(meta) => format!("a file of {} bytes", meta.len()),
            };
            Fact { source: Value::Text(path), key: format!("/{name}"), value: Value::Text(value) }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_with_another_digest_is_refused() {
        let store = tempfile::tempdir().unwrap();
        let put = |text: &str| {
            let digest = digest::of_bytes(text.as_bytes());
            let path = blob(store.path(), &digest).unwrap();
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
            digest
        };
        let (manifest, image) = (put("{\"m\":1}"), put("{\"c\":1}"));
        let op = Op::ReadImage { reference: "x".to_owned(), image: image.clone(), manifest, layers: 0 };
        let mut state = State { store: store.path().to_owned(), ..State::default() };
        assert!(apply(&op, &mut state).unwrap());
        assert_eq!(evidence(&op, &state).len(), 2);
        std::fs::write(blob(store.path(), &image).unwrap(), "{}").unwrap();
        let failure = apply(&op, &mut state).unwrap_err();
        assert!(failure.what.contains("its digest is"), "{failure}");
    }

    #[test]
    fn a_layer_without_a_kernel_says_so() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("boot")).unwrap();
        let facts = bootable(dir.path().to_str().unwrap());
        let of = |key: &str| facts.iter().find(|f| f.key == key).unwrap().value.text();
        assert_eq!(of("/boot"), "an empty directory");
        assert_eq!(of("/vmlinuz"), "no such file or directory");
    }
}
