//! The plans of what goes out: an image to a registry.

use super::{ImageOp, plan};
use crate::plan::Plan;

/// An image as it will be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// `docker.io`, `HOST[:PORT]`.
    pub registry: String,
    /// Path of the repository there.
    pub repository: String,
    /// Full reference, with a tag.
    pub reference: String,
    /// Lowest first.
    pub layers: Vec<OutgoingLayer>,
    /// Digest and size of the config.
    pub config: (String, u64),
    /// Digest and size of the manifest.
    pub manifest: (String, u64),
}

/// A layer of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutgoingLayer {
    /// Digest of the blob.
    pub blob: String,
    /// Its media type.
    pub media_type: String,
    /// Its size.
    pub size: u64,
    /// The file that holds it.
    pub file: String,
    /// Its owner keeps it from registries: it is not sent.
    pub foreign: bool,
}

/// The first plan of `push`, where layers are stored as plain tars: `plain` are
/// those, as position from 1, digest and size; `count` is the number of all.
pub fn compress(id: &str, plain: &[(u32, String, u64)], count: usize) -> Plan {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    let step = |(index, blob, size): &(u32, String, u64)| {
        let op = ImageOp::CompressLayer { index: *index, count, blob: blob.clone(), size: *size };
        (format!("compress-layer-{index}"), op)
    };
    plan(id, plain.iter().map(step))
}

/// The plan that sends: blobs first, the manifest last.
pub fn push(id: &str, image: &Outgoing) -> Plan {
    let (registry, repository) = (|| image.registry.clone(), || image.repository.clone());
    let count = u32::try_from(image.layers.len()).unwrap_or(u32::MAX);
    let layers = (1..).zip(&image.layers).map(|(index, layer)| {
        let op = ImageOp::PushLayer {
            index,
            count,
            registry: registry(),
            repository: repository(),
            blob: layer.blob.clone(),
            media_type: layer.media_type.clone(),
            size: layer.size,
            file: layer.file.clone(),
            foreign: layer.foreign,
        };
        (format!("push-layer-{index}"), op)
    });
    let mut steps: Vec<(String, ImageOp)> = layers.collect();
    let (blob, size) = image.config.clone();
    let config = ImageOp::PushConfig { registry: registry(), repository: repository(), blob, size };
    steps.push(("push-config".to_owned(), config));
    let (manifest, size) = image.manifest.clone();
    let put =
        ImageOp::PutManifest { registry: registry(), reference: image.reference.clone(), manifest, size };
    steps.push(("put-manifest".to_owned(), put));
    plan(id, steps)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::order;

    #[test]
    fn the_manifest_comes_last() {
        let layer = OutgoingLayer {
            blob: "sha256:1".into(),
            media_type: "application/vnd.oci.image.layer.v1.tar+gzip".into(),
            size: 7,
            file: "/f".into(),
            foreign: false,
        };
        let image = Outgoing {
            registry: "registry.example".into(),
            repository: "team/app".into(),
            reference: "registry.example/team/app:1".into(),
            layers: vec![layer.clone(), layer],
            config: ("sha256:c".into(), 2),
            manifest: ("sha256:m".into(), 3),
        };
        let plan = push("c", &image);
        let ids: Vec<_> = plan.steps.iter().map(|s| s.id.0.as_str()).collect();
        assert_eq!(
            ids,
            ["image.push-layer-1", "image.push-layer-2", "image.push-config", "image.put-manifest"]
        );
        order::check(&plan).unwrap();
        let packing = compress("c", &[(2, "sha256:2".into(), 9)], 2);
        assert_eq!(packing.steps[0].id.0, "image.compress-layer-2");
        order::check(&packing).unwrap();
    }
}
