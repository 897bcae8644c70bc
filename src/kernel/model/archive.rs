//! Archives of images on the modelled machine: read from their bytes, which are
//! true; unpacked onto its disk.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use oci_spec::image::{Descriptor, ImageIndex, ImageManifest};
use serde_json::{Value, json};

use super::steps::Asked;
use super::store::Unpacked;
#[cfg(feature = "linux")]
use crate::image::create::Described;
use crate::image::create::LayerRef;
use crate::image::index::{Collected, REF_NAME, Removed, annotation};
use crate::image::save::Chosen;
use crate::image::write::Written;
use crate::image::{Reference, digest};
use crate::plan::image::{Arriving, ArrivingLayer};

/// Media type of a layer that is not compressed.
pub(crate) const TAR: &str = "application/vnd.oci.image.layer.v1.tar";

/// Whether a blob or, with `true`, a layer's tree is in the store.
type There<'a> = dyn Fn(&str, bool) -> bool + 'a;

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
    /// What a registry was asked.
    pub asked: Asked,
    /// The digest that a name leads to in a registry.
    pub source: Option<String>,
    /// What comes in for `-`, and what goes out.
    pub input: Vec<u8>,
    pub output: Vec<u8>,
    /// A layer that was made here.
    pub staged: Option<Staged>,
    /// The images to save.
    pub chosen: Vec<Chosen>,
    /// What was removed by all steps.
    pub removed: Removed,
    /// What the last collection took away.
    pub collected: Option<Collected>,
    /// Bytes of the last archive.
    pub bytes: u64,
    /// Chain IDs of the layers that containers are made from.
    pub in_use: BTreeSet<String>,
}

/// A layer that is not in the store yet.
#[derive(Clone, Debug)]
pub(crate) struct Staged {
    /// Its tar on the modelled disk.
    pub path: String,
    /// The directory with its tree, if it is unpacked.
    pub place: Option<String>,
    pub layer: LayerRef,
    /// What went in.
    pub written: Written,
}

/// An image of `manifest.json`.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub names: Vec<String>,
    pub config: String,
    pub layers: Vec<String>,
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
    let Some(text) = files.get("manifest.json") else { return layout(files) };
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

/// The images of an OCI image layout: `index.json` and the manifests that it names.
fn layout(files: &BTreeMap<String, Vec<u8>>) -> Result<Vec<Found>, String> {
    let text = files.get("index.json").ok_or("it has neither manifest.json nor index.json")?;
    let index: ImageIndex = serde_json::from_slice(text).map_err(|e| e.to_string())?;
    let place = |d: &Descriptor| {
        let digest = d.digest().to_string();
        format!("blobs/sha256/{}", digest::hex(&digest).unwrap_or_default())
    };
    let mut all: Vec<Found> = Vec::new();
    for descriptor in index.manifests() {
        let path = place(descriptor);
        let bytes = files.get(&path).ok_or_else(|| format!("it lacks {path:?}"))?;
        let manifest: ImageManifest = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
        let config = place(manifest.config());
        let name = annotation(descriptor, REF_NAME).and_then(|n| Reference::parse(n).ok());
        let name = name.map(|r| r.or_latest().to_string());
        match all.iter_mut().find(|f| f.config == config) {
            Some(same) => same.names.extend(name),
            None => all.push(Found {
                names: name.into_iter().collect(),
                config,
                layers: manifest.layers().iter().map(place).collect(),
            }),
        }
    }
    Ok(all)
}

impl ModelImages {
    /// An image that was described, for the step that names it.
    #[cfg(feature = "linux")]
    pub fn offer(&mut self, made: &Described, names: Vec<String>) {
        self.blobs.insert(made.id.clone(), made.config.clone());
        self.blobs.insert(made.digest.clone(), made.manifest.clone());
        let (image, manifest) = (made.id.clone(), made.digest.clone());
        self.arriving = vec![Arriving { names, image, manifest, layers: Vec::new() }];
    }

    /// Reads the configs and makes the manifests. `there` says whether the disk
    /// has a blob (first) or a tree (second).
    ///
    /// # Errors
    /// Why a config cannot be read, or what it lacks.
    pub fn resolve(&mut self, there: &There<'_>) -> Result<(), String> {
        for found in self.manifests.clone() {
            let file = |path: &String| self.files.get(path).ok_or_else(|| format!("it lacks {path:?}"));
            let config = file(&found.config)?.clone();
            let mut layers = Vec::new();
            for path in &found.layers {
                let bytes = file(path)?.clone();
                let digest = digest::of_bytes(&bytes);
                layers.push((digest.clone(), bytes.len() as u64));
                // Verified when it is taken in.
                self.blobs.insert(digest, bytes);
            }
            self.arrive(found.names, &config, &layers, None, there)?;
        }
        Ok(())
    }

    /// An image whose config was read; `blobs` are digest and size of its layers. Without a
    /// manifest one is made.
    ///
    /// # Errors
    /// Why the config cannot be read, or that it names other layers.
    pub fn arrive(
        &mut self,
        names: Vec<String>,
        config: &[u8],
        blobs: &[(String, u64)],
        manifest: Option<Vec<u8>>,
        there: &There<'_>,
    ) -> Result<(), String> {
        let parsed: Value = serde_json::from_slice(config).map_err(|e| e.to_string())?;
        let diff_ids = parsed.pointer("/rootfs/diff_ids").and_then(Value::as_array).cloned();
        let diff_ids: Vec<String> =
            diff_ids.iter().flatten().filter_map(|d| d.as_str().map(str::to_owned)).collect();
        if diff_ids.len() != blobs.len() {
            return Err(format!("its config names {} layers, and it has {}", diff_ids.len(), blobs.len()));
        }
        let mut layers = Vec::new();
        for ((blob, diff_id), chain_id) in blobs.iter().zip(&diff_ids).zip(digest::chain_ids(&diff_ids)) {
            layers.push(ArrivingLayer {
                blob: blob.0.clone(),
                media_type: TAR.into(),
                size: blob.1,
                diff_id: diff_id.clone(),
                stored: there(&blob.0, false),
                unpacked: there(&chain_id, true),
                chain_id,
            });
        }
        let image = digest::of_bytes(config);
        let manifest = manifest.unwrap_or_else(|| {
            let layer =
                |l: &ArrivingLayer| json!({"mediaType": l.media_type, "digest": l.blob, "size": l.size});
            json!({
                "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": {
                    "mediaType": "application/vnd.oci.image.config.v1+json",
                    "digest": image, "size": config.len(),
                },
                "layers": layers.iter().map(layer).collect::<Vec<_>>(),
            })
            .to_string()
            .into_bytes()
        });
        let digest = digest::of_bytes(&manifest);
        self.blobs.insert(image.clone(), config.to_vec());
        self.blobs.insert(digest.clone(), manifest);
        self.arriving.push(Arriving { names, image, manifest: digest, layers });
        Ok(())
    }
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
        let mut world = crate::kernel::model::World::new();
        let last = world.unpack("/x", &images.blobs[&image.layers[2].blob]).unwrap();
        assert_eq!(last.whiteouts, [("etc/.wh.motd".to_owned(), "etc/motd".to_owned())]);
        assert_eq!(last.opaque, [("var/cache/.wh..wh..opq".to_owned(), "var/cache".to_owned())]);
    }
}
