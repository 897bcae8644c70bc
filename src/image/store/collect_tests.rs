use std::collections::BTreeSet;

use super::tests::put;
use super::*;
use crate::image::Reference;
use crate::image::index::{Collected, REF_NAME};
use crate::image::layers::test_tar::Tar;
use crate::image::manifest;

fn tar(text: &str) -> Vec<u8> {
    Tar::new().file("f", text).done()
}

fn unused() -> Result<BTreeSet<String>, ImageError> {
    Ok(BTreeSet::new())
}

/// A blob that nothing leads to, as a killed load leaves it.
fn orphan(store: &Store, text: &str) -> String {
    let name = digest::of_bytes(text.as_bytes());
    std::fs::write(store.blob(&name).unwrap(), text).unwrap();
    name
}

/// A tree that nothing leads to.
fn orphan_tree(store: &Store, text: &str) -> String {
    let chain = digest::of_bytes(text.as_bytes());
    std::fs::create_dir_all(store.layer_dir(&chain).unwrap()).unwrap();
    std::fs::write(store.layer_dir(&chain).unwrap().join("f"), text).unwrap();
    store.link_short(&chain).unwrap();
    chain
}

#[test]
fn what_nothing_leads_to_goes_and_all_else_stays() {
    let place = tempfile::tempdir().unwrap();
    let store = Store::open(place.path());
    let image = put(&store, &["app"], &[tar("1"), tar("2")]);
    let (blob, tree) = (orphan(&store, "garbage"), orphan_tree(&store, "tree"));
    let held = orphan_tree(&store, "of a container");
    let done = store.collect(&|| Ok(BTreeSet::from([held.clone()]))).unwrap();
    assert_eq!(done.blobs, BTreeSet::from([blob]));
    assert_eq!(done.layers, BTreeSet::from([tree.clone()]));
    assert_eq!(done.bytes, 7 + 4);
    assert!(store.layer_dir(&held).unwrap().exists());
    assert!(!store.root().join(Store::short_name(&tree)).exists());
    for name in image.layers.iter().map(|l| &l.blob).chain([&image.id, &image.manifest]) {
        assert!(store.blob(name).unwrap().exists(), "{name}");
    }
    assert_eq!(std::fs::read_dir(store.root().join("tmp")).unwrap().count(), 0);
    assert_eq!(store.collect(&|| Ok(BTreeSet::from([held.clone()]))).unwrap(), Collected::default());
}

#[test]
fn what_a_living_process_leased_stays() {
    let place = tempfile::tempdir().unwrap();
    let store = Store::open(place.path());
    let image = put(&store, &["app"], &[tar("1")]);
    let stage = store.stage().unwrap();
    let layer = &image.layers[0].blob;
    store.lease(&stage, [layer.as_str()]).unwrap();
    let removed = store.remove("app", &unused, &|_| Ok(None)).unwrap();
    assert_eq!(removed.deleted, std::slice::from_ref(&image.id));
    assert!(store.blob(layer).unwrap().exists(), "a pull has seen it");
    // A dead process leaves its directory, and nobody has it locked.
    let path = stage.path().to_owned();
    let again = store.stage().unwrap();
    assert!(path.exists());
    drop((stage, again));
    assert!(store.collect(&unused).unwrap().blobs.contains(layer));
}

#[test]
fn a_pin_is_waited_for() {
    let place = tempfile::tempdir().unwrap();
    let store = Store::open(place.path());
    assert!(store.pin().unwrap().is_none() && !store.root().join("pins").exists());
    let image = put(&store, &["app"], &[tar("1")]);
    let first = store.pin().unwrap().unwrap();
    let second = store.pin().unwrap().unwrap();
    let containers = std::sync::Mutex::new(BTreeSet::new());
    std::thread::scope(|scope| {
        let removing = scope.spawn(|| {
            let in_use = || Ok(containers.lock().unwrap().clone());
            store.remove("app", &in_use, &|_| Ok(None)).unwrap()
        });
        let resolved = store.resolve("app").unwrap();
        store.unpack(&resolved.layers[0]).unwrap();
        drop(first);
        // The container's record is written, and only then the pin goes.
        containers.lock().unwrap().insert(image.layers[0].chain_id.clone());
        drop(second);
        assert_eq!(removing.join().unwrap().deleted.first(), Some(&image.id));
    });
    assert!(image.layers[0].dir.exists());
}

#[test]
fn an_image_that_is_damaged_can_be_removed_and_hurts_no_other() {
    let place = tempfile::tempdir().unwrap();
    let store = Store::open(place.path());
    let good = put(&store, &["good"], &[tar("1"), tar("2")]);
    let bad = put(&store, &["bad"], &[tar("1"), tar("3")]);
    let garbage = orphan(&store, "garbage");
    std::fs::write(store.blob(&bad.manifest).unwrap(), "{").unwrap();
    assert_eq!(store.list().unwrap().len(), 2, "it is listed");
    let done = store.collect(&unused).unwrap();
    assert_eq!(done, Collected::default(), "nobody knows what it needs");
    let removed = store.remove("bad", &unused, &|_| Ok(None)).unwrap();
    assert_eq!(removed.untagged, ["bad:latest"]);
    assert!(!store.blob(&bad.manifest).unwrap().exists() && !store.blob(&garbage).unwrap().exists());
    assert!(!store.blob(&bad.layers[1].blob).unwrap().exists());
    assert!(good.layers.iter().all(|l| store.blob(&l.blob).unwrap().exists()));
}

#[test]
fn two_names_of_one_image_go_one_by_one() {
    let place = tempfile::tempdir().unwrap();
    let store = Store::open(place.path());
    let image = put(&store, &["app:1"], &[tar("1")]);
    store.tag("app:1", &Reference::parse("other:2").unwrap()).unwrap();
    store.tag("other:2", &Reference::parse("app:1").unwrap()).unwrap();
    assert_eq!(store.list().unwrap().len(), 2);
    let first = store.remove("app:1", &unused, &|_| Ok(None)).unwrap();
    assert_eq!((first.untagged, first.deleted), (vec!["app:1".to_owned()], vec![]));
    let last = store.remove(&image.id[7..19], &unused, &|_| Ok(None)).unwrap();
    assert_eq!((last.untagged, last.deleted.first()), (vec!["other:2".to_owned()], Some(&image.id)));
}

/// Other tools put indexes into a layout, and images without our notes.
#[test]
fn what_another_tool_put_there_is_found_and_kept() {
    let place = tempfile::tempdir().unwrap();
    let store = Store::open(place.path());
    let image = put(&store, &["app"], &[tar("1")]);
    let manifest = std::fs::read(store.blob(&image.manifest).unwrap()).unwrap();
    let platform = manifest::Platform::host();
    let index = serde_json::json!({
        "schemaVersion": 2, "mediaType": manifest::OCI_INDEX,
        "manifests": [
            {"mediaType": manifest::OCI_MANIFEST, "size": 1, "digest": digest::of_bytes(b"absent"),
             "platform": {"os": "linux", "architecture": "s390x"}},
            {"mediaType": manifest::OCI_MANIFEST, "size": manifest.len(), "digest": image.manifest,
             "platform": {"os": "linux", "architecture": platform.architecture()}},
        ],
    })
    .to_string();
    let name = orphan(&store, &index);
    let layout = serde_json::json!({
        "schemaVersion": 2,
        "manifests": [{"mediaType": manifest::OCI_INDEX, "size": index.len(), "digest": name,
                       "annotations": {REF_NAME: "latest"}}],
    });
    std::fs::write(store.root().join("index.json"), layout.to_string()).unwrap();
    let listed = store.list().unwrap();
    assert_eq!((listed[0].id.as_str(), listed[0].manifest.as_str()), (image.id.as_str(), name.as_str()));
    assert_eq!(listed[0].size, 1, "the bytes of its one file");
    assert_eq!(store.resolve(&image.id[7..19]).unwrap().manifest, image.manifest);
    assert_eq!(store.collect(&unused).unwrap(), Collected::default());
    assert_eq!(store.remove(&image.id, &unused, &|_| Ok(None)).unwrap().deleted.first(), Some(&image.id));
    assert_eq!(std::fs::read_dir(store.root().join("blobs/sha256")).unwrap().count(), 0);
}

#[test]
fn a_name_is_given_only_to_what_is_all_there() {
    let place = tempfile::tempdir().unwrap();
    let store = Store::open(place.path());
    let image = put(&store, &["app"], &[tar("1")]);
    std::fs::remove_file(store.blob(&image.layers[0].blob).unwrap()).unwrap();
    let other = Reference::parse("other").unwrap();
    let error = store.tag("app", &other).unwrap_err();
    assert!(error.to_string().contains("missing"), "{error}");
    assert_eq!(store.list().unwrap().len(), 1);
}
