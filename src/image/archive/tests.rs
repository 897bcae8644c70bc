use super::*;
use crate::image::digest;
use crate::image::intake::{Intake, Options, Quiet};
use crate::image::layers::test_tar::{Tar, gzip, zstd};
use crate::image::manifest::OCI_MANIFEST;

/// An image that was loaded.
#[derive(Clone, Debug, PartialEq)]
struct Loaded {
    references: Vec<Reference>,
    id: String,
    manifest: String,
}

/// The steps of `load`, without plan and kernel.
fn load(store: &Store, input: File, unpack: bool) -> Result<Vec<Loaded>, ImageError> {
    let archive = Archive::open(store, input, "x.tar", Some(crate::image::layers::Limits::default()))?;
    let manifests = archive.manifests()?;
    let (images, source) = archive.configs(manifests)?;
    let layers: Vec<_> = images.iter().flat_map(|i| i.layers.clone()).collect();
    let count = layers.len();
    let options = Options { unpack, ..Options::default() };
    let intake = Intake::start(store, layers, source, options, Quiet::shared())?;
    let done: Result<Vec<_>, _> = (0..count).map(|i| intake.wait(i)).collect();
    if let Err(error) = done {
        drop(intake);
        let digests: Vec<_> = images.iter().flat_map(|i| &i.layers).collect();
        let blobs: Vec<&str> = digests.iter().map(|l| l.blob.digest().as_ref()).collect();
        let chains: Vec<&str> = digests.iter().map(|l| l.chain_id.as_str()).collect();
        let mut remove = |path: &std::path::Path| crate::image::layers::remove_tree(path);
        store.discard(&blobs, &chains, &|| Ok(Default::default()), &mut remove)?;
        return Err(error);
    }
    Incoming::name_all(store, &images)?;
    Ok(images
        .into_iter()
        .map(|i| Loaded { id: i.id(), manifest: i.digest(), references: i.references })
        .collect())
}

/// The reading end of a pipe with these bytes.
fn piped(bytes: &[u8]) -> File {
    let (read, mut write) = std::io::pipe().unwrap();
    let bytes = bytes.to_vec();
    std::thread::spawn(move || std::io::Write::write_all(&mut write, &bytes));
    File::from(std::os::fd::OwnedFd::from(read))
}

struct Bench {
    place: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        Bench { place: tempfile::tempdir().unwrap() }
    }

    fn store(&self) -> Store {
        Store::open(self.place.path().join("store"))
    }

    /// From a file; what it says must be what a stream of the same bytes says.
    fn load(&self, bytes: &[u8]) -> Result<Vec<Loaded>, ImageError> {
        let path = self.place.path().join("x.tar");
        std::fs::write(&path, bytes).unwrap();
        let file = load(&self.store(), File::open(&path).unwrap(), true);
        let other = Store::open(self.place.path().join("streamed"));
        let stream = load(&other, piped(bytes), true);
        match (&file, &stream) {
            (Ok(a), Ok(b)) => assert_eq!(a, b),
            (Err(_), Err(_)) => {}
            (a, b) => panic!("from a file {a:?}, from a stream {b:?}"),
        }
        file
    }

    /// Neither blobs nor layers nor staged files.
    fn clean(&self) -> bool {
        ["blobs/sha256", "layers", "l", "tmp"].iter().all(|dir| {
            std::fs::read_dir(self.store().root().join(dir)).map_or(true, |mut d| d.next().is_none())
        }) && self.store().list().unwrap().is_empty()
    }
}

fn layer(text: &str) -> Vec<u8> {
    Tar::new().file("f", text).done()
}

fn config(tars: &[&[u8]]) -> String {
    let diffs: Vec<String> = tars.iter().map(|t| digest::of_bytes(t)).collect();
    serde_json::json!({
        "architecture": "amd64", "os": "linux", "created": "2020-01-01T00:00:00Z",
        "config": {"Cmd": ["sh"], "Volumes": null, "ExposedPorts": null, "Labels": null, "Hostname": ""},
        "container_config": {}, "docker_version": "20.10",
        "rootfs": {"type": "layers", "diff_ids": diffs},
    })
    .to_string()
}

fn hex(bytes: &[u8]) -> String {
    digest::hex(&digest::of_bytes(bytes)).unwrap().to_owned()
}

/// As `docker save` wrote it for years; the second layer is a link to a shared one.
fn docker_old(tags: &str) -> Tar {
    let (a, b) = (layer("a"), layer("b"));
    let config = config(&[&a, &b]);
    let name = format!("{}.json", hex(config.as_bytes()));
    let manifest =
        format!(r#"[{{"Config":"{name}","RepoTags":{tags},"Layers":["one/layer.tar","two/layer.tar"]}}]"#);
    Tar::new()
        .dir("one/")
        .entry(b'0', "one/layer.tar", 0o644, "", &a)
        .file("one/VERSION", "1.0")
        .symlink("two/layer.tar", "../shared/layer.tar")
        .entry(b'0', "shared/layer.tar", 0o644, "", &b)
        .file(&name, &config)
        .file("manifest.json", &manifest)
        .file("repositories", "{}")
}

struct Oci {
    layers: Vec<(Vec<u8>, &'static str)>,
    config: String,
    annotations: String,
    spoil: fn(&mut serde_json::Value),
}

impl Oci {
    fn new() -> Self {
        let (a, b) = (layer("a"), layer("b"));
        Oci {
            config: config(&[&a, &b]),
            layers: vec![(gzip(&a), "tar+gzip"), (zstd(&b), "tar+zstd")],
            annotations: r#"{"org.opencontainers.image.ref.name": "host.example/app:1"}"#.into(),
            spoil: |_| {},
        }
    }

    fn tar(&self) -> Tar {
        let mut tar = Tar::new().file("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#);
        let blob = |tar: Tar, bytes: &[u8]| {
            tar.entry(b'0', &format!("blobs/sha256/{}", hex(bytes)), 0o644, "", bytes)
        };
        let mut layers = Vec::new();
        for (bytes, kind) in &self.layers {
            tar = blob(tar, bytes);
            layers.push(serde_json::json!({
                "mediaType": format!("application/vnd.oci.image.layer.v1.{kind}"),
                "digest": digest::of_bytes(bytes), "size": bytes.len(),
            }));
        }
        tar = blob(tar, self.config.as_bytes());
        let mut manifest = serde_json::json!({
            "schemaVersion": 2, "mediaType": OCI_MANIFEST, "layers": layers,
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": digest::of_bytes(self.config.as_bytes()), "size": self.config.len()},
        });
        (self.spoil)(&mut manifest);
        let manifest = manifest.to_string();
        tar = blob(tar, manifest.as_bytes());
        let index = format!(
            r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"{OCI_MANIFEST}","digest":"{}","size":{},"annotations":{}}}]}}"#,
            digest::of_bytes(manifest.as_bytes()),
            manifest.len(),
            self.annotations,
        );
        tar.file("index.json", &index)
    }
}

#[test]
#[ignore = "root"]
fn the_three_shapes_plain_and_compressed() {
    let docker = docker_old(r#"["app:1","host:5000/app:2"]"#).done();
    let oci = Oci::new().tar().done();
    let names = |l: &Loaded| l.references.iter().map(Reference::familiar).collect::<Vec<_>>();
    for (what, bytes, want) in [
        ("docker", docker.clone(), vec!["app:1", "host:5000/app:2"]),
        ("docker gzip", gzip(&docker), vec!["app:1", "host:5000/app:2"]),
        ("docker zstd", zstd(&docker), vec!["app:1", "host:5000/app:2"]),
        ("docker nameless", docker_old("null").done(), vec![]),
        ("oci", oci.clone(), vec!["host.example/app:1"]),
        ("oci gzip", gzip(&oci), vec!["host.example/app:1"]),
    ] {
        let bench = Bench::new();
        let loaded = bench.load(&bytes).unwrap_or_else(|e| panic!("{what}: {e}"));
        assert_eq!(names(&loaded[0]), want, "{what}");
        let store = bench.store();
        let image = store.resolve(&loaded[0].id).unwrap();
        assert_eq!(image.manifest, loaded[0].manifest);
        for (layer, text) in image.layers.iter().zip(["a", "b"]) {
            assert!(layer.unpacked, "{what}");
            assert_eq!(std::fs::read_to_string(layer.dir.join("f")).unwrap(), text, "{what}");
        }
        // What an honest peer would check of our layout.
        for entry in std::fs::read_dir(store.root().join("blobs/sha256")).unwrap().flatten() {
            assert_eq!(hex(&std::fs::read(entry.path()).unwrap()), entry.file_name().to_str().unwrap());
        }
        assert_eq!(std::fs::read_dir(store.root().join("tmp")).unwrap().count(), 0, "{what}");
        assert_eq!(bench.load(&bytes).unwrap(), loaded, "{what}, again");
        assert_eq!(store.list().unwrap().len(), want.len().max(1), "{what}");
    }
}

#[test]
fn unpacking_can_wait() {
    let bench = Bench::new();
    let loaded = load(&bench.store(), piped(&Oci::new().tar().done()), false).unwrap();
    assert!(bench.store().resolve(&loaded[0].id).unwrap().layers.iter().all(|l| !l.unpacked));
}

#[test]
#[ignore = "root"]
fn a_tag_alone_is_no_name() {
    let bench = Bench::new();
    let mut oci = Oci::new();
    oci.annotations = r#"{"org.opencontainers.image.ref.name": "latest"}"#.into();
    assert!(bench.load(&oci.tar().done()).unwrap()[0].references.is_empty());
    oci.annotations = r#"{"org.opencontainers.image.ref.name": "latest", "io.containerd.image.name": "docker.io/library/app:latest"}"#.into();
    assert_eq!(bench.load(&oci.tar().done()).unwrap()[0].references[0].familiar(), "app:latest");
    assert_eq!(bench.store().list().unwrap().len(), 1, "the nameless one got its name");
}

#[test]
#[ignore = "root"]
fn refused_and_nothing_left() {
    let docker = docker_old(r#"["app:1"]"#).done();
    let oci = Oci::new();
    let swap = |tar: Vec<u8>, from: &str, to: &str| {
        assert_eq!(from.len(), to.len());
        let at = tar.windows(from.len()).position(|w| w == from.as_bytes()).unwrap();
        let mut tar = tar;
        tar[at..at + to.len()].copy_from_slice(to.as_bytes());
        tar
    };
    let wrong_diff = Oci { config: config(&[&layer("a"), &layer("z")]), ..Oci::new() };
    let evil = Tar::new().symlink("l", "/etc").file("l/passwd", "x").done();
    let escape = Oci { config: config(&[&evil]), layers: vec![(gzip(&evil), "tar+gzip")], ..Oci::new() };
    let table: Vec<(&str, Vec<u8>, &str)> = vec![
        ("empty", vec![], "it is empty"),
        ("text", b"hello world".to_vec(), "no tar file"),
        ("long text", b"hello world\n".repeat(100), "no tar file"),
        ("xz", b"\xfd7zXZ\0and so on".to_vec(), "compressed with xz"),
        ("zip", b"PK\x03\x04and so on".to_vec(), "zip"),
        ("gzip of text", gzip(b"hello"), "no tar file"),
        ("broken gzip", gzip(&docker)[..40].to_vec(), "decompressed"),
        ("a tar of files", layer("x"), "without manifest.json"),
        ("cut", docker[..docker.len() / 2].to_vec(), "truncated"),
        ("cut gzip", gzip(&docker)[..300].to_vec(), ""),
        ("more after the end", [docker.clone(), b"more".repeat(200)].concat(), "after the end"),
        ("gzip and more", [gzip(&docker), b"more".repeat(200)].concat(), ""),
        ("no images", Tar::new().file("manifest.json", "[]").done(), "no image"),
        ("manifest is no JSON", Tar::new().file("manifest.json", "{").done(), "cannot be read"),
        ("manifest of another kind", Tar::new().file("manifest.json", r#"{"a":1}"#).done(), "cannot be read"),
        (
            "no config",
            Tar::new().file("manifest.json", r#"[{"Config":"c.json","Layers":[]}]"#).done(),
            "it lacks \"c.json\"",
        ),
        (
            "config outside",
            Tar::new().file("manifest.json", r#"[{"Config":"../../etc/passwd","Layers":[]}]"#).done(),
            "leads out",
        ),
        ("changed layer", swap(docker.clone(), "a\0\0\0\0\0\0\0\0\0", "z\0\0\0\0\0\0\0\0\0"), "digest is"),
        ("changed config", swap(docker.clone(), "2020-01-01", "2021-01-01"), "digest is"),
        ("changed blob", swap(oci.tar().done(), "2020-01-01", "2021-01-01"), "digest is"),
        ("bad name", docker_old(r#"["App:1"]"#).done(), "lowercase"),
        ("wrong diff id", wrong_diff.tar().done(), "digest is"),
        ("layer that escapes", escape.tar().done(), "symbolic link"),
        (
            "layers missing in the manifest",
            Oci { spoil: |m| m["layers"] = serde_json::json!([]), ..Oci::new() }.tar().done(),
            "layers is empty",
        ),
        (
            "wrong size",
            Oci { spoil: |m| m["layers"][0]["size"] = 1.into(), ..Oci::new() }.tar().done(),
            "bytes, not 1",
        ),
        (
            "absent blob",
            Oci { spoil: |m| m["layers"][0]["digest"] = digest::of_bytes(b"absent").into(), ..Oci::new() }
                .tar()
                .done(),
            "it lacks",
        ),
        (
            "digest that is a path",
            Oci { spoil: |m| m["layers"][0]["digest"] = "sha256:../../x".into(), ..Oci::new() }.tar().done(),
            "is no digest",
        ),
        (
            "encrypted layer",
            Oci {
                spoil: |m| {
                    m["layers"][0]["mediaType"] =
                        "application/vnd.oci.image.layer.v1.tar+gzip+encrypted".into()
                },
                ..Oci::new()
            }
            .tar()
            .done(),
            "is encrypted",
        ),
        ("two files of one name", docker_old("null").file("manifest.json", "[]").done(), "two files"),
    ];
    for (what, bytes, reason) in table {
        let bench = Bench::new();
        let error = bench.load(&bytes).expect_err(what);
        assert!(error.to_string().contains(reason), "{what}: {error}");
        assert!(error.hint().is_some(), "{what}: {error}");
        assert!(bench.clean(), "{what} left something");
    }
}

#[test]
#[ignore = "root"]
fn another_machine() {
    let manifest = r#"{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json",
        "digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":0,
        "platform":{"architecture":"s390x","os":"linux"}}]}"#;
    let index = format!(
        r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"application/vnd.oci.image.index.v1+json","digest":"{}","size":{}}}]}}"#,
        digest::of_bytes(manifest.as_bytes()),
        manifest.len(),
    );
    let tar = Tar::new()
        .entry(b'0', &format!("blobs/sha256/{}", hex(manifest.as_bytes())), 0o644, "", manifest.as_bytes())
        .file("index.json", &index);
    let bench = Bench::new();
    let error = bench.load(&tar.done()).unwrap_err();
    assert!(error.to_string().ends_with("only for linux/s390x"), "{error}");
    assert!(bench.clean());
}
