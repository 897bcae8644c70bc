//! The plans of actions on images. What an image holds is known only after it
//! was looked at, so most actions are two plans, one after the other in one
//! trace: the first resolves (which image, which layers), the second transfers.

mod op;
mod send;

use std::path::Path;

pub use op::ImageOp;
pub use send::{Outgoing, OutgoingLayer, compress, push};

use super::{Actor, Op, PLAN_VERSION, Phase, Plan, Step, StepId};
use crate::image::digest;

/// An image as the first plan found it.
#[derive(Clone, Debug, PartialEq)]
pub struct Arriving {
    /// Its full references.
    pub names: Vec<String>,
    /// Digest of the config.
    pub image: String,
    /// Digest of the manifest.
    pub manifest: String,
    /// Lowest first.
    pub layers: Vec<ArrivingLayer>,
}

/// A layer of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArrivingLayer {
    /// Digest of the blob.
    pub blob: String,
    /// Media type of the blob.
    pub media_type: String,
    /// Bytes of the blob.
    pub size: u64,
    /// Digest of the uncompressed tar.
    pub diff_id: String,
    /// Digest over this layer and all below it.
    pub chain_id: String,
    /// The store has the blob.
    pub stored: bool,
    /// The store has the tree.
    pub unpacked: bool,
}

/// The first plan of `load`. `id` is the action's own, 64 hexadecimal digits;
/// `path` is `-` for standard input.
pub fn open_archive(id: &str, path: &str) -> Plan {
    let path = || path.to_owned();
    plan(
        id,
        [
            ("open-archive".to_owned(), ImageOp::OpenArchive { path: path() }),
            ("read-manifests".to_owned(), ImageOp::ReadManifests { path: path() }),
            ("read-configs".to_owned(), ImageOp::ReadConfigs { path: path() }),
        ],
    )
}

/// The first plan of `pull`: what does the name mean, and what is it made of?
/// `reference` has a tag or a digest.
pub fn ask_registry(id: &str, registry: &str, reference: &str, platform: &str) -> Plan {
    let (registry, reference, platform) =
        (|| registry.to_owned(), || reference.to_owned(), || platform.to_owned());
    let ask = ImageOp::AskRegistry { registry: registry(), reference: reference(), platform: platform() };
    let fetch = ImageOp::FetchConfig { registry: registry(), reference: reference(), platform: platform() };
    plan(id, [("ask-registry".to_owned(), ask), ("fetch-config".to_owned(), fetch)])
}

/// The second plan of `load` and of `pull`: every layer once, then the names.
/// `from` says where the layers come from; `store` is the store's directory.
pub fn take_in(id: &str, from: &str, store: &Path, images: &[Arriving]) -> Plan {
    let mut layers: Vec<&ArrivingLayer> = Vec::new();
    for layer in images.iter().flat_map(|i| &i.layers) {
        // Images of one archive share layers.
        if !layers.iter().any(|l| (&l.blob, &l.chain_id) == (&layer.blob, &layer.chain_id)) {
            layers.push(layer);
        }
    }
    let text = |path: std::path::PathBuf| path.to_string_lossy().into_owned();
    let count = u32::try_from(layers.len()).unwrap_or(u32::MAX);
    let hex = |digest: &str| digest::hex(digest).unwrap_or("none").to_owned();
    let mut steps: Vec<(String, ImageOp)> = (1..)
        .zip(layers)
        .map(|(index, layer)| {
            let op = ImageOp::TakeLayer {
                index,
                count,
                from: from.to_owned(),
                blob: layer.blob.clone(),
                media_type: layer.media_type.clone(),
                size: layer.size,
                diff_id: layer.diff_id.clone(),
                chain_id: layer.chain_id.clone(),
                file: text(store.join("blobs/sha256").join(hex(&layer.blob))),
                dir: text(store.join("layers").join(hex(&layer.chain_id)).join("diff")),
                stored: layer.stored,
                unpacked: layer.unpacked,
            };
            (format!("take-layer-{index}"), op)
        })
        .collect();
    let name = ImageOp::NameImages {
        names: images.iter().flat_map(|i| i.names.clone()).collect(),
        images: images.iter().map(|i| i.image.clone()).collect(),
        manifests: images.iter().map(|i| i.manifest.clone()).collect(),
        index: text(store.join("index.json")),
    };
    steps.push(("name-images".to_owned(), name));
    plan(id, steps)
}

/// A plan of operations on images, each with the label of its step.
pub fn plan(id: &str, ops: impl IntoIterator<Item = (String, ImageOp)>) -> Plan {
    let step = |(label, op): (String, ImageOp)| Step {
        id: StepId(format!("{}.{label}", Phase::Image)),
        phase: Phase::Image,
        actor: Actor::Runtime,
        op: Op::Image(op),
    };
    Plan { version: PLAN_VERSION, container: id.to_owned(), steps: ops.into_iter().map(step).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::order;

    fn layer(n: char, stored: bool) -> ArrivingLayer {
        let digest = |c: char| format!("sha256:{}", String::from(c).repeat(64));
        ArrivingLayer {
            blob: digest(n),
            media_type: "application/vnd.oci.image.layer.v1.tar".into(),
            size: 10,
            diff_id: digest(n),
            chain_id: digest(n),
            stored,
            unpacked: stored,
        }
    }

    #[test]
    fn a_layer_of_two_images_is_taken_once() {
        let image = |names: &[&str], layers: Vec<ArrivingLayer>| Arriving {
            names: names.iter().map(|n| (*n).to_owned()).collect(),
            image: "i".into(),
            manifest: "m".into(),
            layers,
        };
        let images = [
            image(&["a", "b"], vec![layer('1', true), layer('2', false)]),
            image(&[], vec![layer('1', true)]),
        ];
        let plan = take_in("c", "/x.tar", Path::new("/store"), &images);
        let ids: Vec<_> = plan.steps.iter().map(|s| s.id.0.as_str()).collect();
        assert_eq!(ids, ["image.take-layer-1", "image.take-layer-2", "image.name-images"]);
        order::check(&plan).unwrap();
        order::check(&open_archive("c", "-")).unwrap();
        order::check(&ask_registry("c", "docker.io", "docker.io/library/a:1", "linux/arm64")).unwrap();
        let json = serde_json::to_string(&plan).unwrap();
        assert!(json.contains(r#""op":{"op":"image","do":"take_layer","index":1"#), "{json}");
        assert_eq!(serde_json::from_str::<Plan>(&json).unwrap(), plan);
    }
}
