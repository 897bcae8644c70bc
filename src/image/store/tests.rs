use std::collections::BTreeSet;
use std::path::PathBuf;

use super::*;
use crate::image::index::{NewImage, Removed};
use crate::image::layers::test_tar::Tar;
use crate::image::{Image, Reference};

/// Puts an image with these layers into a store.
pub fn put(store: &Store, names: &[&str], tars: &[Vec<u8>]) -> Image {
    let stage = store.stage().unwrap();
    let mut blobs: Vec<(String, PathBuf)> = Vec::new();
    let mut blob = |bytes: &[u8]| {
        let path = stage.path().join(blobs.len().to_string());
        std::fs::write(&path, bytes).unwrap();
        blobs.push((digest::of_bytes(bytes), path));
        digest::of_bytes(bytes)
    };
    let diffs: Vec<String> = tars.iter().map(|t| blob(t)).collect();
    let config = serde_json::json!({
        "architecture": "amd64", "os": "linux", "config": {"Cmd": ["sh"]},
        "rootfs": {"type": "layers", "diff_ids": diffs},
        "history": [{"created_by": "RUN one"}, {"created_by": "ENV x", "empty_layer": true}, {"created_by": "RUN two"}],
    });
    let config = config.to_string();
    let id = blob(config.as_bytes());
    let layers: Vec<_> = tars
        .iter()
        .map(|t| {
            serde_json::json!({"mediaType": "application/vnd.oci.image.layer.v1.tar", "size": t.len(), "digest": digest::of_bytes(t)})
        })
        .collect();
    let manifest = serde_json::json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "size": config.len(), "digest": id},
        "layers": layers,
    });
    let references = names.iter().map(|n| Reference::parse(n).unwrap().or_latest()).collect();
    let new = NewImage {
        manifest: manifest.to_string().into_bytes(),
        media_type: "application/vnd.oci.image.manifest.v1+json".into(),
        id: id.clone(),
        references,
    };
    store.add(&blobs, &[], &[new]).unwrap();
    store.resolve(&id).unwrap()
}

fn tar(text: &str) -> Vec<u8> {
    Tar::new().file("f", text).done()
}

#[test]
fn an_absent_store_is_empty_and_nothing_is_made_by_reading() {
    let place = tempfile::tempdir().unwrap();
    let store = Store::open(place.path().join("store"));
    assert_eq!(store.list().unwrap(), []);
    let error = store.resolve("box").unwrap_err();
    assert_eq!(error.to_string(), "find image box:latest: no such image in this store");
    assert!(error.hint().unwrap().contains("glassbox load"));
    assert!(!store.root().exists());
}

#[test]
fn found_by_name_digest_and_id() {
    let place = tempfile::tempdir().unwrap();
    let store = Store::open(place.path());
    let image = put(&store, &["app:1", "host:5000/app"], &[tar("1"), tar("2")]);
    assert_eq!(
        image.layers.iter().map(|l| l.created_by.as_str()).collect::<Vec<_>>(),
        ["RUN one", "RUN two"]
    );
    assert_eq!(image.layers[0].chain_id, image.layers[0].diff_id);
    assert!(!image.layers[1].unpacked);
    assert_eq!(
        Store::of_layer_dir(&image.layers[1].dir),
        Some((store.clone(), image.layers[1].chain_id.clone()))
    );
    let hex = digest::hex(&image.id).unwrap();
    for text in [
        "app:1",
        "docker.io/library/app:1",
        "host:5000/app",
        &format!("app@{}", image.manifest),
        &image.id,
        hex,
        &hex[..12],
        &image.manifest,
    ] {
        assert_eq!(store.resolve(text).unwrap().id, image.id, "{text}");
    }
    for text in ["app", "app:2", "other/app:1", "ffffffffffff"] {
        assert!(matches!(store.resolve(text), Err(ImageError::Unknown { .. })), "{text}");
    }
    assert!(store.resolve("ap").unwrap_err().hint().unwrap().contains("app:1"), "a near name is offered");
    assert!(matches!(store.resolve("App"), Err(ImageError::Reference { .. })));
}

#[test]
fn an_ambiguous_prefix_lists_the_candidates() {
    let place = tempfile::tempdir().unwrap();
    let store = Store::open(place.path());
    // 17 images: two ids share their first digit.
    let images: Vec<Image> =
        (0..17).map(|i| put(&store, &[&format!("i:{i}")], &[tar(&i.to_string())])).collect();
    let digit = |i: &Image| digest::hex(&i.id).unwrap()[..1].to_owned();
    let twice = images.iter().find(|a| images.iter().filter(|b| digit(a) == digit(b)).count() > 1).unwrap();
    let Err(ImageError::Ambiguous { candidates, .. }) = store.resolve(&digit(twice)) else { panic!() };
    assert!(candidates.len() > 1 && candidates[0].starts_with("i:"), "{candidates:?}");
}

#[test]
fn a_name_moves_and_its_old_image_stays_nameless() {
    let place = tempfile::tempdir().unwrap();
    let store = Store::open(place.path());
    let old = put(&store, &["app"], &[tar("old")]);
    let new = put(&store, &["app"], &[tar("new")]);
    assert_eq!(store.resolve("app").unwrap().id, new.id);
    assert_eq!(store.resolve(&old.id).unwrap().reference, old.id);
    let list = store.list().unwrap();
    assert_eq!(list.iter().map(|l| l.reference.is_some()).collect::<Vec<_>>(), [true, false]);
    store.tag(&old.id, &Reference::parse("app:old").unwrap()).unwrap();
    assert_eq!(store.list().unwrap().iter().filter(|l| l.reference.is_none()).count(), 0);
}

#[test]
#[ignore = "root"]
fn removal_keeps_what_others_need() {
    let place = tempfile::tempdir().unwrap();
    let store = Store::open(place.path());
    let a = put(&store, &["a", "a:2"], &[tar("base"), tar("a")]);
    let b = put(&store, &["b"], &[tar("base"), tar("b")]);
    for layer in a.layers.iter().chain(&b.layers) {
        store.unpack(layer).unwrap();
        assert!(store.root().join(Store::short_name(&layer.chain_id)).join("f").exists());
    }
    let none = || Ok(BTreeSet::new());
    assert_eq!(
        store.remove("a:2", &none, &|_| Ok(None)).unwrap(),
        Removed { untagged: vec!["a:2".into()], ..Removed::default() }
    );
    let gone = store.remove("a", &none, &|_| Ok(None)).unwrap();
    assert_eq!(gone.deleted, [a.id.clone(), a.layers[1].chain_id.clone()]);
    assert!(a.layers[0].dir.exists() && !a.layers[1].dir.exists());
    assert!(!store.blob(&a.id).unwrap().exists());
    let held = BTreeSet::from([b.layers[1].chain_id.clone()]);
    store.remove(&b.id, &|| Ok(held.clone()), &|_| Ok(None)).unwrap();
    assert!(b.layers[1].dir.exists(), "a container uses it");
    assert!(!b.layers[0].dir.exists());
    assert_eq!(store.list().unwrap(), []);
}

#[test]
fn an_image_that_runs_meanwhile_loses_its_name_only() {
    let place = tempfile::tempdir().unwrap();
    let store = Store::open(place.path());
    let image = put(&store, &["app"], &[tar("1")]);
    let runs = |id: &str| Ok((id == image.id).then(|| "c0ffee".to_owned()));
    let none = || Ok(BTreeSet::new());
    let refused = store.remove(&image.id, &none, &runs).unwrap_err();
    assert!(matches!(refused, ImageError::InUse { .. }), "{refused}");
    assert!(store.resolve("app").is_ok(), "nothing is taken away");
    store.remove("app", &none, &runs).unwrap();
    assert!(store.resolve("app").is_err());
    assert!(store.resolve(&image.id).is_ok());
}

#[test]
fn damage_is_named() {
    let place = tempfile::tempdir().unwrap();
    let store = Store::open(place.path());
    let image = put(&store, &["a"], &[tar("1")]);
    let table = [
        (store.blob(&image.id).unwrap(), &b"{"[..]),
        (store.blob(&image.manifest).unwrap(), b"{\"config\": 1}"),
        (store.root().join("index.json"), b"[]"),
    ];
    for (path, text) in table {
        let good = std::fs::read(&path).unwrap();
        std::fs::write(&path, text).unwrap();
        let error = store.resolve("a").unwrap_err();
        assert!(matches!(&error, ImageError::Damaged { path: p, .. } if *p == path), "{error}");
        std::fs::write(&path, good).unwrap();
    }
    std::fs::remove_file(store.blob(&image.id).unwrap()).unwrap();
    assert!(store.resolve("a").unwrap_err().to_string().contains("missing"));
}

#[test]
fn what_a_dead_process_left_is_swept() {
    let place = tempfile::tempdir().unwrap();
    let store = Store::open(place.path());
    let alive = store.stage().unwrap();
    let dead = store.root().join("tmp/stage-dead");
    std::fs::create_dir(&dead).unwrap();
    std::fs::write(dead.join("x"), "x").unwrap();
    let second = store.stage().unwrap();
    assert!(alive.path().exists() && second.path().exists() && !dead.exists());
    let path = alive.path().to_owned();
    drop(alive);
    assert!(!path.exists());
}

/// Runs in a mount namespace of its own: unshare(2) is per thread.
pub fn in_own_mounts(test: impl FnOnce(&Path) + Send) {
    use nix::mount::{MsFlags, mount};
    use nix::sched::{CloneFlags, unshare};

    let place = tempfile::tempdir().unwrap();
    std::thread::scope(|s| {
        s.spawn(|| {
            unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_FS).unwrap();
            let none: Option<&str> = None;
            mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).unwrap();
            mount(Some("tmpfs"), place.path(), Some("tmpfs"), MsFlags::empty(), none).unwrap();
            test(place.path());
        });
    });
}

#[test]
#[ignore = "root"]
fn a_read_only_place_and_an_overlay_are_named() {
    use nix::mount::{MsFlags, mount};

    let none: Option<&str> = None;
    in_own_mounts(|place| {
        let store = Store::open(place.join("store"));
        put(&store, &["a"], &[tar("1")]);
        store.check_upper().unwrap();
        mount(none, place, none, MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY, none).unwrap();
        assert!(store.resolve("a").is_ok(), "reading still works");
        let read_only = ImageError::ReadOnly { root: store.root().to_owned() };
        assert_eq!(store.check_upper().unwrap_err(), read_only);
        assert_eq!(store.stage().unwrap_err(), read_only);
        assert_eq!(store.remove("a", &|| Ok(BTreeSet::new()), &|_| Ok(None)).unwrap_err(), read_only);
        let new = Store::open(place.join("new"));
        assert_eq!(new.stage().unwrap_err(), ImageError::ReadOnly { root: new.root().to_owned() });
        assert!(read_only.hint().unwrap().contains("--root"));
    });
    in_own_mounts(|place| {
        for dir in ["low", "up", "work", "on"] {
            std::fs::create_dir(place.join(dir)).unwrap();
        }
        let p = place.display();
        let options = format!("lowerdir={p}/low,upperdir={p}/up,workdir={p}/work");
        mount(Some("overlay"), &place.join("on"), Some("overlay"), MsFlags::empty(), Some(options.as_str()))
            .unwrap();
        let store = Store::open(place.join("on/deep/store"));
        let error = store.check_upper().unwrap_err();
        assert!(error.to_string().contains("it is on overlayfs"), "{error}");
    });
}
