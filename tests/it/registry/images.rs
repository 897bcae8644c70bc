//! Archives to load and to push: small, and with a layer of any size.

use std::io::Write;

use sha2::{Digest, Sha256};

pub fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect::<String>())
}

/// A tar with these files.
pub fn tar_of(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o755);
        header.set_cksum();
        tar.append_data(&mut header, name, *bytes).unwrap();
    }
    tar.into_inner().unwrap()
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

/// Bytes that do not compress.
pub fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    (0..len.div_ceil(8)).flat_map(|_| next().to_le_bytes()).take(len).collect()
}

/// An image as its parts.
#[derive(Clone)]
pub struct Parts {
    pub manifest: Vec<u8>,
    pub config: Vec<u8>,
    /// As stored: gzip.
    pub layers: Vec<Vec<u8>>,
}

impl Parts {
    /// Of tars, for an architecture.
    pub fn new(tars: &[Vec<u8>], architecture: &str) -> Parts {
        let layers: Vec<Vec<u8>> = tars.iter().map(|t| gzip(t)).collect();
        let config = serde_json::json!({
            "architecture": architecture, "os": "linux", "config": { "Env": ["PATH=/bin"] },
            "rootfs": { "type": "layers", "diff_ids": tars.iter().map(|t| digest(t)).collect::<Vec<_>>() },
        });
        Parts::with(config.to_string().into_bytes(), layers)
    }

    /// A manifest for whatever these are.
    pub fn with(config: Vec<u8>, layers: Vec<Vec<u8>>) -> Parts {
        let descriptors: Vec<_> = layers
            .iter()
            .map(|l| {
                serde_json::json!({
                    "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
                    "digest": digest(l), "size": l.len(),
                })
            })
            .collect();
        let manifest = serde_json::json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": digest(&config), "size": config.len(),
            },
            "layers": descriptors,
        });
        Parts { manifest: manifest.to_string().into_bytes(), config, layers }
    }

    pub fn descriptor(&self) -> serde_json::Value {
        serde_json::json!({
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": digest(&self.manifest), "size": self.manifest.len(),
        })
    }

    /// A tar of an OCI layout that gives it a name.
    pub fn archive(&self, name: &str) -> Vec<u8> {
        let mut entry = self.descriptor();
        entry["annotations"] = serde_json::json!({ "io.containerd.image.name": name });
        let index = serde_json::json!({ "schemaVersion": 2, "manifests": [entry] }).to_string();
        let blob = |b: &[u8]| format!("blobs/sha256/{}", &digest(b)[7..]);
        let mut files: Vec<(String, &[u8])> = vec![
            ("oci-layout".into(), br#"{"imageLayoutVersion":"1.0.0"}"#),
            ("index.json".into(), index.as_bytes()),
            (blob(&self.manifest), &self.manifest),
            (blob(&self.config), &self.config),
        ];
        files.extend(self.layers.iter().map(|l| (blob(l), l.as_slice())));
        let files: Vec<(&str, &[u8])> = files.iter().map(|(n, b)| (n.as_str(), *b)).collect();
        tar_of(&files)
    }
}

/// Two small layers, and one of this many bytes of noise.
pub fn small(bytes: usize) -> Parts {
    let mut tars = vec![
        tar_of(&[("etc/name", b"glass\n"), ("etc/old", b"old\n")]),
        tar_of(&[("etc/.wh.old", b""), ("top", b"2\n")]),
    ];
    if bytes > 0 {
        tars.push(tar_of(&[("noise", &noise(bytes, 7))]));
    }
    Parts::new(&tars, architecture())
}

/// As images call this machine's.
pub fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
