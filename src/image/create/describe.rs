//! The config and the manifest of a new image. No I/O.

use serde_json::{Map, Value, json};

use super::instruction::Config;
use crate::image::digest;

/// A layer in a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerRef {
    /// Media type of the blob.
    pub media_type: String,
    /// Its digest.
    pub digest: String,
    /// Its bytes.
    pub size: u64,
    /// Digest of the uncompressed tar.
    pub diff_id: String,
}

/// A new line of the history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// RFC 3339.
    pub created: String,
    /// `-a`.
    pub author: Option<String>,
    /// What made it, as a command.
    pub created_by: String,
    /// `-m`.
    pub comment: Option<String>,
    /// It has no layer of its own.
    pub empty_layer: bool,
}

/// Config and manifest as bytes, with their digests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// The config.
    pub config: Vec<u8>,
    /// Digest of the config: the image id.
    pub id: String,
    /// The manifest.
    pub manifest: Vec<u8>,
    /// Its digest.
    pub digest: String,
}

/// Media type of a config.
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// Media type of a manifest made here.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// Makes the config and the manifest. `base` is the config of the image it is
/// made from, with its history, or an object with `architecture` and `os`.
pub fn describe(base: &Value, config: &Config, layers: &[LayerRef], line: &History) -> Described {
    let mut whole = Map::new();
    for key in ["architecture", "os", "variant", "os.version", "os.features"] {
        whole.extend(base.get(key).filter(|v| !v.is_null()).map(|v| (key.to_owned(), v.clone())));
    }
    whole.insert("created".into(), line.created.as_str().into());
    whole.extend(line.author.as_ref().map(|a| ("author".to_owned(), a.as_str().into())));
    whole.insert("config".into(), config.clone().into());
    let diff_ids: Vec<&str> = layers.iter().map(|l| l.diff_id.as_str()).collect();
    whole.insert("rootfs".into(), json!({ "type": "layers", "diff_ids": diff_ids }));
    let mut history = base["history"].as_array().cloned().unwrap_or_default();
    let mut last = json!({ "created": line.created, "created_by": line.created_by });
    for (key, value) in [("author", &line.author), ("comment", &line.comment)] {
        if let Some(value) = value {
            last[key] = value.as_str().into();
        }
    }
    if line.empty_layer {
        last["empty_layer"] = true.into();
    }
    history.push(last);
    whole.insert("history".into(), history.into());
    let text = Value::from(whole).to_string().into_bytes();
    let id = digest::of_bytes(&text);
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": { "mediaType": CONFIG, "digest": id, "size": text.len() },
        "layers": layers
            .iter()
            .map(|l| json!({ "mediaType": oci_type(&l.media_type), "digest": l.digest, "size": l.size }))
            .collect::<Vec<_>>(),
    });
    let manifest = manifest.to_string().into_bytes();
    Described { config: text, id, digest: digest::of_bytes(&manifest), manifest }
}

/// OCI's name of a layer's media type.
fn oci_type(media_type: &str) -> &str {
    match media_type {
        "application/vnd.docker.image.rootfs.diff.tar" => "application/vnd.oci.image.layer.v1.tar",
        "application/vnd.docker.image.rootfs.diff.tar.gzip" => "application/vnd.oci.image.layer.v1.tar+gzip",
        "application/vnd.docker.image.rootfs.diff.tar.zstd" => "application/vnd.oci.image.layer.v1.tar+zstd",
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip" => {
            "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn history_and_layers_go_on() {
        let layer = |n: &str, media: &str| LayerRef {
            media_type: media.to_owned(),
            digest: digest::of_bytes(n.as_bytes()),
            size: 1,
            diff_id: digest::of_bytes(n.as_bytes()),
        };
        let base = json!({
            "architecture": "arm64", "os": "linux", "variant": "v8", "history": [{"created_by": "ADD"}],
            "rootfs": {"diff_ids": ["old"]}, "container": "left behind",
        });
        let layers = [
            layer("a", "application/vnd.docker.image.rootfs.diff.tar.gzip"),
            layer("b", "application/vnd.oci.image.layer.v1.tar"),
        ];
        let line = History {
            created: "2026-01-01T00:00:00Z".into(),
            comment: Some("why".into()),
            created_by: "sh".into(),
            ..History::default()
        };
        let config = json!({"Cmd": ["sh"]}).as_object().unwrap().clone();
        let made = describe(&base, &config, &layers, &line);
        let text: Value = serde_json::from_slice(&made.config).unwrap();
        assert_eq!((&text["variant"], &text["container"]), (&"v8".into(), &Value::Null));
        assert_eq!(text["history"][1]["comment"], "why");
        assert_eq!(text["rootfs"]["diff_ids"].as_array().unwrap().len(), 2);
        let manifest: oci_spec::image::ImageManifest = serde_json::from_slice(&made.manifest).unwrap();
        assert_eq!(
            manifest.layers()[0].media_type().to_string(),
            "application/vnd.oci.image.layer.v1.tar+gzip"
        );
        let typed: oci_spec::image::ImageConfiguration = serde_json::from_slice(&made.config).unwrap();
        assert_eq!(typed.rootfs().diff_ids().len(), 2);
        assert_eq!(describe(&base, &config, &layers, &line), made, "the same again");
    }
}
