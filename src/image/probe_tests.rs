//! The entry points over seeds and mutations of them, the same ones every time.

use super::*;
use crate::image::digest;
use crate::image::layers::test_tar::{Tar, gzip, zstd};

/// A small generator with a fixed start, xorshift64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % n.max(1) as u64).unwrap()
    }
}

/// Changes, removes, repeats, cuts, and mixes with another seed.
fn mutate(seeds: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = seeds[dice.below(seeds.len())].clone();
    for _ in 0..=dice.below(4) {
        let at = dice.below(bytes.len());
        let len = dice.below(40).min(bytes.len() - at);
        match dice.below(7) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..at + len)),
            2 => {
                let again = bytes[at..at + len].to_vec();
                bytes.splice(at..at, again);
            }
            3 => {
                let other = &seeds[dice.below(seeds.len())];
                let from = dice.below(other.len());
                let part = other[from..(from + 64).min(other.len())].to_vec();
                bytes.splice(at..at, part);
            }
            4 => bytes.splice(at..at, b"0123456789-.{}[]\"/:=\\\0\xff".iter().copied()).for_each(drop),
            5 if !bytes.is_empty() => bytes[at] = b"\0\xff9/.\"-=7"[dice.below(9)],
            _ if !bytes.is_empty() => bytes[at] ^= 1 << dice.below(8),
            _ => {}
        }
    }
    bytes
}

fn run(seeds: &[Vec<u8>], rounds: usize, probe: impl Fn(&[u8])) {
    for seed in seeds {
        probe(seed);
    }
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    for _ in 0..rounds {
        probe(&mutate(seeds, &mut dice));
    }
}

fn tar() -> Vec<u8> {
    Tar::new()
        .dir("d")
        .file("d/f", "content")
        .symlink("d/l", "f")
        .link("h", "d/f")
        .pax(&[("path", b"p"), ("size", b"7"), ("mtime", b"1.5"), ("SCHILY.xattr.user.a", b"b")])
        .file("x", "content")
        .pax(&[
            ("GNU.sparse.major", b"1"),
            ("GNU.sparse.minor", b"0"),
            ("GNU.sparse.name", b"s"),
            ("GNU.sparse.realsize", b"9000"),
        ])
        .file("GNUSparseFile.0/s", &format!("1\n0\n8\n{:506}12345678", ""))
        .file(&"long/".repeat(40), "")
        .file("etc/.wh.gone", "")
        .entry(b'3', "null", 0o666, "", b"")
        .done()
}

/// What docker save and an OCI layout look like.
fn archives() -> Vec<Vec<u8>> {
    let layer = Tar::new().file("f", "x").done();
    let diff = digest::of_bytes(&layer);
    let config = format!(
        r#"{{"architecture":"amd64","os":"linux","rootfs":{{"type":"layers","diff_ids":["{diff}"]}}}}"#
    );
    let id = digest::of_bytes(config.as_bytes());
    let docker = Tar::new()
        .file("c.json", &config)
        .entry(b'0', "l/layer.tar", 0o644, "", &layer)
        .file("manifest.json", r#"[{"Config":"c.json","RepoTags":["app:1"],"Layers":["l/layer.tar"]}]"#)
        .done();
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","config":{{"mediaType":"{}","digest":"{id}","size":{}}},"layers":[{{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"{diff}","size":{}}}]}}"#,
        manifest::OCI_MANIFEST,
        manifest::OCI_CONFIG,
        config.len(),
        layer.len(),
    );
    let name = digest::of_bytes(manifest.as_bytes());
    let index = format!(
        r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"{}","digest":"{name}","size":{},"annotations":{{"io.containerd.image.name":"app:2"}}}}]}}"#,
        manifest::OCI_MANIFEST,
        manifest.len(),
    );
    let place = |digest: &str| format!("blobs/sha256/{}", &digest[7..]);
    let oci = Tar::new()
        .file("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#)
        .file("index.json", &index)
        .file(&place(&name), &manifest)
        .file(&place(&id), &config)
        .entry(b'0', &place(&diff), 0o644, "", &layer)
        .done();
    vec![gzip(&docker), docker, oci]
}

#[test]
fn layers() {
    let tar = tar();
    run(&[gzip(&tar), zstd(&tar), tar], 4000, layer);
}

#[test]
fn archives_of_images() {
    run(&archives(), 150, archive);
}

#[test]
fn manifests() {
    let seeds = [
        r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":2},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":3,"urls":["https://a/b"],"annotations":{"a":"b"}}]}"#,
        r#"{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.list.v2+json","manifests":[{"mediaType":"application/vnd.docker.distribution.manifest.v2+json","digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":2,"platform":{"os":"linux","architecture":"arm","variant":"v7"}}]}"#,
        r#"{"architecture":"amd64","os":"linux","created":"2026-01-01T00:00:00Z","config":{"Env":["A=b"],"Volumes":{"/v":{}},"Labels":{"a":"b"}},"rootfs":{"type":"layers","diff_ids":["sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"]},"history":[{"created_by":"x","empty_layer":true}]}"#,
        r#"{"schemaVersion":1,"name":"x","fsLayers":[]}"#,
        "[1,-2,3.5e300,true,null,\"\\u00e9\"]",
        // A number that is read and written as another one, unless care is taken.
        r#"{"schemaVersion":2,"history":[88800000000000000000000000000000000000000000000000000000000000000000000000000010248191152060862007]}"#,
    ];
    run(&seeds.map(|s| s.as_bytes().to_vec()), 6000, manifest);
}

#[test]
fn references() {
    let seeds = [
        "app",
        "library/app:1.0",
        "localhost:5000/a/b:t",
        "[::1]:5000/x",
        "docker.io/library/app",
        "a__b/c--d.e_f",
        "app@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "linux/arm64/v8",
        "linux/amd64/v3",
        "Host/app:T",
        "index.docker.io/app",
        "arm64/v9.2",
        "xn--n3h.com/app",
    ];
    run(&seeds.map(|s| s.as_bytes().to_vec()), 40_000, reference);
}
