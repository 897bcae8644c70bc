//! The built-in image `box`: made offline from glassbox itself, in three layers,
//! so that union, shadowing and whiteouts have something to show.
//!
//! The definition is free of the host: the modelled kernel populates itself
//! from it, and the `linux` side writes it as real layers.

mod config;
#[cfg(feature = "linux")]
mod elf;
#[cfg(feature = "linux")]
mod ensure;
mod files;
mod write;

use oci_spec::image::Arch;

use crate::image::{Image, Layer, digest};
pub use config::{BUILTIN_LABEL, config};
#[cfg(feature = "linux")]
pub use ensure::{ensure, plan_image};
pub use write::write_tar;

/// The image's full reference.
pub const REFERENCE: &str = "docker.io/library/box:latest";

/// Where the program is in the image; every program of the userland is a link to it.
pub const BINARY: &str = "bin/box";

/// A file that layer 2 brings and layer 3 deletes.
pub const DELETED: &str = "etc/box-build";

/// What a path holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A directory.
    Dir,
    /// A file with this content.
    Bytes(Vec<u8>),
    /// A symbolic link that says this.
    Symlink(String),
    /// The userland's program: on a real host a copy of the executable.
    Binary,
    /// Hides the name of the layers below.
    Whiteout,
}

/// One path of a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Relative to the root, without a leading `/`: `etc/motd`.
    pub path: String,
    /// What it holds.
    pub content: Content,
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

/// One layer of the definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuiltinLayer {
    /// `base`, `userland`, `links`.
    pub name: &'static str,
    /// For the history, as a Dockerfile would say it.
    pub created_by: String,
    /// Parents before children.
    pub entries: Vec<Entry>,
}

/// The definition, lowest layer first.
pub fn layers(programs: &[&str]) -> Vec<BuiltinLayer> {
    vec![files::base(), files::userland(), files::links(programs)]
}

/// The text of a file as the uppermost layer has it, empty if none does.
pub fn text_of(path: &str) -> String {
    let layers = layers(&[]);
    let entry = layers.iter().rev().flat_map(|l| &l.entries).find(|e| e.path == path);
    match entry.map(|e| &e.content) {
        Some(Content::Bytes(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
        _ => String::new(),
    }
}

/// What stands for the program's bytes in the modelled layers.
pub(crate) const STAND_IN: &[u8] = b"the programs of the modelled kernel\n";

/// The tar that these entries make in the model.
pub fn model_tar(entries: &[Entry]) -> Vec<u8> {
    let mut tar = Vec::new();
    // Neither memory nor the text can fail.
    let _ = write_tar(entries, &mut &*STAND_IN, STAND_IN.len() as u64, &mut tar);
    tar
}

/// Digest and bytes of the tar that these entries make in the model.
pub fn model_digest(entries: &[Entry]) -> (String, u64) {
    let mut out = digest::Hashing::new(std::io::sink());
    // Neither the sink nor the text can fail.
    let _ = write_tar(entries, &mut &*STAND_IN, STAND_IN.len() as u64, &mut out);
    let (_, digest, bytes) = out.finish();
    (digest, bytes)
}

/// The image as the modelled kernel has it. Its layers are those of
/// [`layers`], with a short text in place of the program; the digests are
/// true digests of that.
pub fn model_image(programs: &[&str]) -> Image {
    model_files(programs).0
}

/// The same with its config and its manifest.
pub fn model_files(programs: &[&str]) -> (Image, Vec<u8>, Vec<u8>) {
    let definition = layers(programs);
    let blobs: Vec<(String, u64)> = definition.iter().map(|layer| model_digest(&layer.entries)).collect();
    // The modelled machine is the same wherever it is compiled for.
    let build = digest::of_bytes(STAND_IN);
    assemble(&definition, &blobs, (&build, Arch::Amd64), |_| (std::path::PathBuf::new(), true))
}

/// The image, its config and its manifest, from the layers' digests and sizes.
/// `build` is the program's digest, and `machine` what it runs on.
/// `place` tells from a chain ID where the tree is, and whether it is there.
pub(crate) fn assemble(
    definition: &[BuiltinLayer],
    blobs: &[(String, u64)],
    (build, machine): (&str, Arch),
    place: impl Fn(&str) -> (std::path::PathBuf, bool),
) -> (Image, Vec<u8>, Vec<u8>) {
    const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
    let diff_ids: Vec<String> = blobs.iter().map(|b| b.0.clone()).collect();
    let config = config(definition, &diff_ids, build, machine);
    // A config made of plain values always serialises.
    let config_text = serde_json::to_vec(&config).unwrap_or_default();
    let id = digest::of_bytes(&config_text);
    let manifest = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": id,
            "size": config_text.len(),
        },
        "layers": blobs
            .iter()
            .map(|(digest, size)| serde_json::json!({"mediaType": LAYER, "digest": digest, "size": size}))
            .collect::<Vec<_>>(),
    });
    let manifest_text = manifest.to_string().into_bytes();
    let layers = definition
        .iter()
        .zip(blobs)
        .zip(digest::chain_ids(&diff_ids))
        .map(|((layer, (blob, size)), chain_id)| {
            let (dir, unpacked) = place(&chain_id);
            Layer {
                blob: blob.clone(),
                media_type: LAYER.to_owned(),
                size: *size,
                diff_id: blob.clone(),
                chain_id,
                dir,
                created_by: layer.created_by.clone(),
                unpacked,
            }
        })
        .collect();
    let image = Image {
        reference: REFERENCE.to_owned(),
        id,
        manifest: digest::of_bytes(&manifest_text),
        config,
        layers,
    };
    (image, config_text, manifest_text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_shows_union_shadowing_and_whiteouts() {
        let layers = layers(&["cat", "sh"]);
        let find = |i: usize, path: &str| layers[i].entries.iter().find(|e| e.path == path);
        assert_ne!(find(0, "etc/motd").unwrap().content, find(2, "etc/motd").unwrap().content);
        assert!(matches!(find(1, DELETED).unwrap().content, Content::Bytes(_)));
        assert_eq!(find(2, DELETED).unwrap().content, Content::Whiteout);
        assert_eq!(find(1, BINARY).unwrap().content, Content::Binary);
        assert_eq!(find(2, "bin/sh").unwrap().content, Content::Symlink("box".into()));
        assert_eq!(find(0, "tmp").unwrap().mode, 0o1777);
        for layer in &layers {
            let mut seen = std::collections::BTreeSet::from([""]);
            for entry in &layer.entries {
                let parent = entry.path.rsplit_once('/').map_or("", |p| p.0);
                assert!(seen.contains(parent), "{}: {} comes before its parent", layer.name, entry.path);
                assert!(seen.insert(&entry.path), "{} twice", entry.path);
            }
        }
    }

    #[test]
    fn a_directory_has_the_same_attributes_in_every_layer() {
        let mut modes = std::collections::BTreeMap::new();
        for layer in layers(&["sh"]) {
            for e in layer.entries.into_iter().filter(|e| e.content == Content::Dir) {
                let attributes = (e.mode, e.uid, e.gid);
                assert_eq!(*modes.entry(e.path.clone()).or_insert(attributes), attributes, "{}", e.path);
            }
        }
    }

    #[test]
    fn the_model_image_is_the_same_each_time() {
        let (a, b) = (model_image(&["sh"]), model_image(&["sh"]));
        assert_eq!((&a.id, &a.manifest, &a.layers), (&b.id, &b.manifest, &b.layers));
        assert_eq!(a.layers.len(), 3);
        assert_eq!(a.config.config().as_ref().unwrap().cmd().as_deref(), Some(&["sh".to_owned()][..]));
        assert_ne!(a.id, model_image(&["sh", "ls"]).id);
    }
}
