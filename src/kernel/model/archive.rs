//! Archives of images on the modelled machine: read from their bytes, which are
//! true; unpacked onto its disk.

use std::collections::BTreeMap;
use std::io::Read;

use serde_json::{Value, json};
use tar::EntryType;

use super::world::HostEntry;
use crate::image::{Reference, digest};
use crate::plan::image::{Arriving, ArrivingLayer};

const TAR: &str = "application/vnd.oci.image.layer.v1.tar";

/// What the model holds of images on their way into its store.
#[derive(Clone, Debug, Default)]
pub(crate) struct ModelImages {
    /// Files of the archive that is open.
    pub files: BTreeMap<String, Vec<u8>>,
    /// The images it has, with their names and layers' paths.
    pub manifests: Vec<Found>,
    /// Resolved.
    pub arriving: Vec<Arriving>,
    /// Blobs by digest: layers, manifests, configs.
    pub blobs: BTreeMap<String, Vec<u8>>,
    /// What unpacking the last layer counted and converted.
    pub unpacked: Option<Unpacked>,
}

/// An image of `manifest.json`.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub names: Vec<String>,
    pub config: String,
    pub layers: Vec<String>,
}

/// What is in a layer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Unpacked {
    pub entries: Vec<HostEntry>,
    /// Entries of the tar.
    pub count: u64,
    pub tar_bytes: u64,
    pub file_bytes: u64,
    /// The tar's name of a whiteout, and the path that it hides or makes opaque.
    pub whiteouts: Vec<(String, String)>,
    pub opaque: Vec<(String, String)>,
}

/// The files of an archive.
///
/// # Errors
/// Why it cannot be read.
pub(crate) fn files(bytes: &[u8]) -> Result<BTreeMap<String, Vec<u8>>, String> {
    let mut files = BTreeMap::new();
    let mut tar = tar::Archive::new(bytes);
    for entry in tar.entries().map_err(|e| e.to_string())? {
        let mut entry = entry.map_err(|e| e.to_string())?;
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).map_err(|e| e.to_string())?;
        files.insert(path, content);
    }
    Ok(files)
}

/// The images of `manifest.json`.
///
/// # Errors
/// Why it cannot be read.
pub(crate) fn manifests(files: &BTreeMap<String, Vec<u8>>) -> Result<Vec<Found>, String> {
    let text = files.get("manifest.json").ok_or("it has no manifest.json")?;
    let items: Vec<Value> = serde_json::from_slice(text).map_err(|e| e.to_string())?;
    let list = |v: Option<&Value>| -> Vec<String> {
        let items = v.and_then(Value::as_array).cloned().unwrap_or_default();
        items.iter().filter_map(|i| i.as_str().map(str::to_owned)).collect()
    };
    let found = |item: &Value| Found {
        names: list(item.get("RepoTags"))
            .iter()
            .filter_map(|n| Reference::parse(n).ok())
            .map(|r| r.or_latest().to_string())
            .collect(),
        config: item.get("Config").and_then(Value::as_str).unwrap_or_default().to_owned(),
        layers: list(item.get("Layers")),
    };
    Ok(items.iter().map(found).collect())
}

impl ModelImages {
    /// Reads the configs and makes the manifests. `there` says whether the disk
    /// has a blob (first) or a tree (second).
    ///
    /// # Errors
    /// Why a config cannot be read, or what it lacks.
    pub fn resolve(&mut self, there: &dyn Fn(&str, bool) -> bool) -> Result<(), String> {
        for found in self.manifests.clone() {
            let config =
                self.files.get(&found.config).ok_or_else(|| format!("it lacks {:?}", found.config))?;
            let parsed: Value = serde_json::from_slice(config).map_err(|e| e.to_string())?;
            let diff_ids = parsed.pointer("/rootfs/diff_ids").and_then(Value::as_array).cloned();
            let diff_ids: Vec<String> =
                diff_ids.iter().flatten().filter_map(|d| d.as_str().map(str::to_owned)).collect();
            let mut layers = Vec::new();
            for ((path, diff_id), chain_id) in
                found.layers.iter().zip(&diff_ids).zip(digest::chain_ids(&diff_ids))
            {
                let bytes = self.files.get(path).ok_or_else(|| format!("it lacks {path:?}"))?;
                // Verified when it is taken in.
                self.blobs.insert(diff_id.clone(), bytes.clone());
                layers.push(ArrivingLayer {
                    blob: diff_id.clone(),
                    media_type: TAR.into(),
                    size: bytes.len() as u64,
                    diff_id: diff_id.clone(),
                    stored: there(diff_id, false),
                    unpacked: there(&chain_id, true),
                    chain_id,
                });
            }
            let image = digest::of_bytes(config);
            let manifest = json!({
                "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": {
                    "mediaType": "application/vnd.oci.image.config.v1+json",
                    "digest": image, "size": config.len(),
                },
                "layers": layers.iter()
                    .map(|l| json!({"mediaType": l.media_type, "digest": l.blob, "size": l.size}))
                    .collect::<Vec<_>>(),
            })
            .to_string()
            .into_bytes();
            self.blobs.insert(image.clone(), config.clone());
            let digest = digest::of_bytes(&manifest);
            self.blobs.insert(digest.clone(), manifest);
            self.arriving.push(Arriving { names: found.names, image, manifest: digest, layers });
        }
        Ok(())
    }
}

/// What a layer's tar holds, with its marks read as image-spec layer.md says.
///
/// # Errors
/// Why it cannot be read, or what the model does not know.
pub(crate) fn unpack(bytes: &[u8]) -> Result<Unpacked, String> {
    let mut out = Unpacked { tar_bytes: bytes.len() as u64, ..Unpacked::default() };
    let mut tar = tar::Archive::new(bytes);
    for entry in tar.entries().map_err(|e| e.to_string())? {
        let mut entry = entry.map_err(|e| e.to_string())?;
        out.count += 1;
        let name = String::from_utf8_lossy(&entry.path_bytes()).trim_end_matches('/').to_owned();
        let mode = entry.header().mode().map_err(|e| e.to_string())?;
        let (dir, leaf) = name.rsplit_once('/').unwrap_or(("", &name));
        let beside = |leaf: &str| if dir.is_empty() { leaf.to_owned() } else { format!("{dir}/{leaf}") };
        if leaf == ".wh..wh..opq" {
            out.entries.push(HostEntry::Opaque { path: dir.to_owned() });
            out.opaque.push((name.clone(), dir.to_owned()));
            continue;
        }
        if let Some(hidden) = leaf.strip_prefix(".wh.") {
            let path = beside(hidden);
            out.entries.push(HostEntry::Whiteout { path: path.clone() });
            out.whiteouts.push((name.clone(), path));
            continue;
        }
        let path = name.clone();
        out.entries.push(match entry.header().entry_type() {
            EntryType::Directory => HostEntry::Dir { path, mode },
            EntryType::Symlink => {
                let target = entry.link_name_bytes().unwrap_or_default();
                HostEntry::Symlink { path, target: String::from_utf8_lossy(&target).into_owned() }
            }
            EntryType::Regular => {
                let mut content = Vec::new();
                entry.read_to_end(&mut content).map_err(|e| e.to_string())?;
                out.file_bytes += content.len() as u64;
                HostEntry::File { path, mode, content }
            }
            _ => return Err(format!("the model does not know what {name:?} is")),
        });
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_resolves() {
        let mut images =
            ModelImages { files: files(&crate::image::demo::archive()).unwrap(), ..Default::default() };
        images.manifests = manifests(&images.files).unwrap();
        images.resolve(&|_, _| false).unwrap();
        let image = &images.arriving[0];
        assert_eq!(
            (image.names.as_slice(), image.layers.len()),
            (&["docker.io/library/demo:latest".to_owned()][..], 3)
        );
        let last = unpack(&images.blobs[&image.layers[2].blob]).unwrap();
        assert_eq!(last.whiteouts, [("etc/.wh.motd".to_owned(), "etc/motd".to_owned())]);
        assert_eq!(last.opaque, [("var/cache/.wh..wh..opq".to_owned(), "var/cache".to_owned())]);
    }
}
