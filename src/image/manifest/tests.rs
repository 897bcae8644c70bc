use serde_json::json;

use super::*;
use crate::image::{ImageError, digest};

const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn descriptor(media_type: &str) -> Value {
    json!({"mediaType": media_type, "size": 1, "digest": format!("sha256:{HEX}")})
}

fn image() -> Value {
    json!({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": descriptor(OCI_CONFIG),
        "layers": [descriptor("application/vnd.oci.image.layer.v1.tar+gzip")],
    })
}

/// An index of documents, each with a platform or none.
fn index(of: &[(&[u8], &str, Option<&str>)]) -> Vec<u8> {
    let manifests: Vec<Value> = of
        .iter()
        .map(|(bytes, media_type, platform)| {
            let mut d =
                json!({"mediaType": media_type, "size": bytes.len(), "digest": digest::of_bytes(bytes)});
            if let Some(p) = platform {
                let parts: Vec<&str> = p.split('/').collect();
                d["platform"] = json!({"os": parts[0], "architecture": parts[1]});
                if let Some(v) = parts.get(2) {
                    d["platform"]["variant"] = json!(v);
                }
            }
            d
        })
        .collect();
    json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests}).to_string().into_bytes()
}

#[test]
fn refused_with_a_clear_word() {
    let with = |change: &dyn Fn(&mut Value)| {
        let mut value = image();
        change(&mut value);
        value.to_string()
    };
    let table: Vec<(&str, String, Option<&str>, &str)> = vec![
        ("no JSON", "{".into(), None, "not JSON"),
        ("more after it", "{} {}".into(), None, "not JSON"),
        ("not an object", "[]".into(), None, "no image manifest"),
        ("nothing", "{}".into(), None, "no image manifest"),
        ("a deep one", "[".repeat(100_000), None, "not JSON"),
        (
            "a key twice",
            r#"{"schemaVersion":2,"schemaVersion":2}"#.into(),
            None,
            "\"schemaVersion\" is in it twice",
        ),
        (
            "a key twice, deep",
            r#"{"layers":[{"digest":"a","digest":"b"}]}"#.into(),
            None,
            "\"digest\" is in it twice",
        ),
        ("a key in two cases", r#"{"layers":[],"Layers":[]}"#.into(), None, "\"Layers\" is in it twice"),
        ("schema 1", r#"{"schemaVersion":1,"name":"x"}"#.into(), None, "schema 1"),
        (
            "schema 1 by its type",
            "{}".into(),
            Some("application/vnd.docker.distribution.manifest.v1+prettyjws"),
            "schema 1",
        ),
        ("another version", with(&|v| v["schemaVersion"] = json!(3)), None, "schemaVersion is not 2"),
        ("two types", image().to_string(), Some(DOCKER_MANIFEST), "announced as"),
        ("both", with(&|v| v["manifests"] = json!([])), None, "at once"),
        (
            "an index by its type, a manifest by content",
            with(&|v| v["mediaType"] = json!(OCI_INDEX)),
            None,
            "at once",
        ),
        ("a config", "{}".into(), Some(OCI_CONFIG), "no image manifest or index, but"),
        (
            "a size as text",
            with(&|v| v["layers"][0]["size"] = json!("1")),
            None,
            "layers[0].size is no number",
        ),
        ("a negative size", with(&|v| v["config"]["size"] = json!(-1)), None, "config.size is no number"),
        (
            "an endless size",
            with(&|v| v["config"]["size"] = json!(u64::MAX)),
            None,
            "config.size is no number",
        ),
        ("a broken size", with(&|v| v["config"]["size"] = json!(1.5)), None, "config.size is no number"),
        ("a path as digest", with(&|v| v["config"]["digest"] = json!("sha256:../x")), None, "is no digest"),
        ("no config", with(&|v| v["config"] = Value::Null), None, "config is missing"),
        ("layers as text", with(&|v| v["layers"] = json!("x")), None, "layers is no list"),
    ];
    for (what, text, declared, reason) in table {
        let error = parse(text.as_bytes(), declared).expect_err(what);
        assert!(error.to_string().contains(reason), "{what}: {error}");
        assert!(!error.hint().is_empty());
    }
    let large = vec![b' '; usize::try_from(MAX_MANIFEST).unwrap() + 1];
    assert!(matches!(parse(&large, None), Err(ManifestError::TooLarge { .. })));
}

#[test]
fn no_image_with_a_clear_word() {
    let table = [
        ("application/vnd.oci.image.layer.v1.tar+gzip+encrypted", OCI_CONFIG, "its layer 1 is encrypted"),
        ("application/vnd.oci.image.layer.v1.tar+lzma", OCI_CONFIG, "layer 1 is of type"),
        (
            "application/octet-stream",
            "application/vnd.cncf.helm.config.v1+json",
            "artifact of type \"application/vnd.cncf",
        ),
    ];
    for (layer, config, reason) in table {
        let mut value = image();
        value["layers"][0]["mediaType"] = json!(layer);
        value["config"]["mediaType"] = json!(config);
        let Ok(Document::Manifest(m)) = parse(value.to_string().as_bytes(), None) else { panic!("{layer}") };
        let error = m.check_image().unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
    }
    let mut value = image();
    value["layers"][0]["mediaType"] = json!("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip");
    value["layers"][0]["urls"] = json!(["https://example.com/layer"]);
    let Ok(Document::Manifest(m)) = parse(value.to_string().as_bytes(), None) else { panic!() };
    m.check_image().unwrap();
    assert_eq!(m.foreign(), Some((1, &["https://example.com/layer".to_owned()][..])));
}

#[test]
fn what_a_server_says_of_everything_says_nothing() {
    let text = image().to_string();
    for declared in
        [None, Some("application/json"), Some("text/plain; charset=utf-8"), Some(OCI_MANIFEST), Some("")]
    {
        assert!(matches!(parse(text.as_bytes(), declared), Ok(Document::Manifest(_))), "{declared:?}");
    }
    let with_parameter = format!("{OCI_MANIFEST}; charset=utf-8");
    assert!(parse(text.as_bytes(), Some(&with_parameter)).is_ok());
    let mut untyped = image();
    untyped["mediaType"] = Value::Null;
    let Ok(Document::Manifest(m)) = parse(untyped.to_string().as_bytes(), Some(DOCKER_MANIFEST)) else {
        panic!()
    };
    assert_eq!(m.media_type, DOCKER_MANIFEST);
}

#[test]
fn platforms_are_written_in_many_ways() {
    let table = [
        ("linux/amd64", "linux/amd64"),
        ("Linux/x86_64", "linux/amd64"),
        ("linux/amd64/v1", "linux/amd64"),
        ("linux/amd64/v3", "linux/amd64/v3"),
        ("linux/aarch64", "linux/arm64"),
        ("linux/arm64/v8", "linux/arm64"),
        ("linux/arm", "linux/arm/v7"),
        ("linux/arm/6", "linux/arm/v6"),
        ("armhf", "linux/arm/v7"),
        ("arm64", "linux/arm64"),
        ("i386", "linux/386"),
        ("windows/amd64", "windows/amd64"),
        ("macos/arm64", "darwin/arm64"),
        ("linux/riscv64", "linux/riscv64"),
    ];
    for (text, normal) in table {
        assert_eq!(text.parse::<Platform>().unwrap().to_string(), normal, "{text}");
    }
    assert_eq!("linux".parse::<Platform>().unwrap(), Platform::host());
    for bad in ["", "/", "linux/", "amd65", "a/b/c/d", "linux/amd64 ", "linux/am d64", "lin\nux/amd64"] {
        let error = bad.parse::<Platform>().unwrap_err();
        assert!(error.hint().contains("linux/arm/v7"), "{bad:?}: {error}");
    }
}

/// For a platform, what of the offered is taken, best first.
#[test]
fn what_runs_where() {
    let all = [
        "linux/386",
        "linux/amd64",
        "linux/amd64/v2",
        "linux/amd64/v3",
        "linux/arm/v5",
        "linux/arm/v6",
        "linux/arm/v7",
        "linux/arm/v8",
        "linux/arm64",
        "linux/arm64/v8.1",
        "linux/arm64/v9",
        "windows/amd64",
        "unknown/unknown",
    ];
    let table: &[(&str, &[&str])] = &[
        ("linux/amd64", &["linux/amd64", "linux/386"]),
        ("linux/amd64/v3", &["linux/amd64/v3", "linux/amd64/v2", "linux/amd64", "linux/386"]),
        ("linux/386", &["linux/386"]),
        ("linux/arm/v7", &["linux/arm/v7", "linux/arm/v6", "linux/arm/v5"]),
        ("linux/arm/v5", &["linux/arm/v5"]),
        ("linux/arm64", &["linux/arm64", "linux/arm/v8", "linux/arm/v7", "linux/arm/v6", "linux/arm/v5"]),
        (
            "linux/arm64/v9",
            &[
                "linux/arm64/v9",
                "linux/arm64/v8.1",
                "linux/arm64",
                "linux/arm/v8",
                "linux/arm/v7",
                "linux/arm/v6",
                "linux/arm/v5",
            ],
        ),
        ("windows/amd64", &["windows/amd64"]),
    ];
    for (wanted, want) in table {
        let matcher = Matcher::new(&wanted.parse().unwrap());
        let mut got: Vec<(usize, &str)> =
            all.iter().filter_map(|p| Some((matcher.rank(&p.parse().unwrap())?, *p))).collect();
        got.sort();
        assert_eq!(got.iter().map(|g| g.1).collect::<Vec<_>>(), *want, "{wanted}");
    }
}

/// Resolves with these documents at hand.
fn resolve_with(root: &[u8], documents: &[Vec<u8>], platform: &str) -> Result<Chosen, ImageError> {
    let mut fetch = |d: &Descriptor| {
        let wanted = d.digest().to_string();
        documents
            .iter()
            .find(|b| digest::of_bytes(b) == wanted)
            .cloned()
            .ok_or(ImageError::Unknown { reference: wanted, similar: vec![] })
    };
    resolve("app", root.to_vec(), None, &Matcher::new(&platform.parse().unwrap()), &mut fetch)
}

#[test]
fn the_best_manifest_is_chosen() {
    let numbered = |n: u64| {
        let mut value = image();
        value["config"]["size"] = json!(n);
        value.to_string().into_bytes()
    };
    let (amd, x86, arm, none) = (numbered(1), numbered(2), numbered(3), numbered(4));
    let root = index(&[
        (&none, OCI_MANIFEST, None),
        (&x86, OCI_MANIFEST, Some("linux/386")),
        (&amd, OCI_MANIFEST, Some("linux/amd64")),
        (&arm, OCI_MANIFEST, Some("linux/arm/v6")),
        (b"attested", OCI_MANIFEST, Some("unknown/unknown")),
    ]);
    let all = [amd.clone(), x86, arm.clone(), none.clone()];
    for (platform, want) in [("linux/amd64", &amd), ("linux/arm/v7", &arm), ("linux/s390x", &none)] {
        assert_eq!(&resolve_with(&root, &all, platform).unwrap().bytes, want, "{platform}");
    }
    let only =
        index(&[(&amd, OCI_MANIFEST, Some("linux/amd64")), (&arm, OCI_MANIFEST, Some("linux/arm/v6"))]);
    let error = resolve_with(&only, &all, "linux/s390x").unwrap_err();
    assert_eq!(
        error.to_string(),
        "read the manifest of app: it has no image for linux/s390x, only for linux/amd64, linux/arm/v6"
    );
    assert!(error.hint().unwrap().contains("--platform"));
    let outer = index(&[(&only, OCI_INDEX, None), (&root, OCI_INDEX, None)]);
    let chosen = resolve_with(&outer, &[&all[..], &[only, root.clone()]].concat(), "linux/s390x").unwrap();
    assert_eq!(chosen.bytes, none, "the first index has nothing, the second has");
    assert_eq!(chosen.through, [digest::of_bytes(&outer), digest::of_bytes(&root)]);
}

#[test]
fn deep_wide_and_lying_indexes_end() {
    let leaf = image().to_string().into_bytes();
    let mut documents = vec![leaf.clone()];
    for _ in 0..MAX_DEPTH {
        let last = documents.last().unwrap();
        let kind = if *last == leaf { OCI_MANIFEST } else { OCI_INDEX };
        documents.push(index(&[(last, kind, None)]));
    }
    let deepest = documents.last().unwrap().clone();
    assert!(resolve_with(&deepest, &documents, "linux/amd64").is_ok());
    let deeper = index(&[(&deepest, OCI_INDEX, None)]);
    let error = resolve_with(&deeper, &documents, "linux/amd64").unwrap_err();
    assert!(error.to_string().contains("nested more than 4 deep"), "{error}");
    // Many indexes, each without an image for the platform.
    let empties: Vec<Vec<u8>> = (0..100)
        .map(|n| {
            let mut value: Value =
                serde_json::from_slice(&index(&[(&leaf, OCI_MANIFEST, Some("linux/arm64"))])).unwrap();
            value["annotations"] = json!({"n": n.to_string()});
            value.to_string().into_bytes()
        })
        .collect();
    let wide: Vec<_> = empties.iter().map(|e| (&e[..], OCI_INDEX, None)).collect();
    assert!(resolve_with(&index(&wide), &empties, "linux/amd64").is_err());
    // A source that answers every question with the same index.
    let mut same = |_: &Descriptor| Ok(deeper.clone());
    let error = resolve("app", deeper.clone(), None, &Matcher::host(), &mut same).unwrap_err();
    assert!(matches!(error, ImageError::Digest { .. } | ImageError::Size { .. }), "{error}");
    // One that is larger than any manifest is not even asked for.
    let mut huge: Value = serde_json::from_slice(&index(&[(&leaf, OCI_MANIFEST, None)])).unwrap();
    huge["manifests"][0]["size"] = json!(1u64 << 40);
    let mut never = |_: &Descriptor| -> Result<Vec<u8>, ImageError> { panic!("fetched") };
    let error =
        resolve("app", huge.to_string().into_bytes(), None, &Matcher::host(), &mut never).unwrap_err();
    assert!(error.to_string().contains("more than the"), "{error}");
}
