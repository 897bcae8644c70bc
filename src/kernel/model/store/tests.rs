use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::*;
use crate::image::builtin::REFERENCE;
use crate::image::index::{Content, NewImage, name_image, take_names};
use crate::image::manifest::OCI_MANIFEST;
use crate::image::write;
use crate::image::{Reference, digest};

fn furnished() -> World {
    let mut world = World::new();
    world.offer_builtin().unwrap();
    world
}

/// Gives `box` one more name.
fn tag(world: &mut World, name: &str) {
    let image = Content::resolve(world, REFERENCE).unwrap();
    let name = Reference::parse(name).unwrap().or_latest();
    let new = NewImage {
        manifest: world.bytes_of(&image.manifest).unwrap(),
        media_type: OCI_MANIFEST.into(),
        id: image.id,
        references: vec![name.clone()],
    };
    let mut index = world.index().unwrap();
    let notes = world.notes(&image.manifest).unwrap();
    name_image(&mut index, &image.manifest, &new, &notes, &[name.to_string()]).unwrap();
    world.put_index(&index).unwrap();
}

/// Takes a name away, and all content with it.
fn remove(world: &mut World, name: &str) {
    let mut index = world.index().unwrap();
    let found = world.find(&index, name).unwrap().clone();
    take_names(&mut index, &found, name, &mut Default::default());
    world.put_index(&index).unwrap();
    if index.manifests().is_empty() {
        world.disk_remove("/var/lib/glassbox/blobs").unwrap();
    }
}

fn names(world: &World) -> Vec<String> {
    Content::list(world).unwrap().iter().filter_map(|l| Some(l.reference.as_ref()?.familiar())).collect()
}

#[test]
fn the_builtin_image_is_whole_and_offered_once() {
    let mut world = furnished();
    let image = Content::resolve(&world, "box").unwrap();
    let made = crate::image::builtin::model_image(crate::userland::PROGRAMS);
    assert_eq!((&image.id, &image.manifest, &image.config), (&made.id, &made.manifest, &made.config));
    let before = world.save();
    world.offer_builtin().unwrap();
    assert_eq!(world.save(), before);
    world.unpack_image(&image).unwrap();
    let (mut other, layer) = (World::new(), &image.layers[1]);
    let definition = crate::image::builtin::layers(crate::userland::PROGRAMS);
    other.add_layer("/x", &definition[1].entries).unwrap();
    let stacks = (world.stack(std::slice::from_ref(&layer.dir)), other.stack(&[PathBuf::from("/x")]));
    let differences = crate::image::explain::compare((&stacks.0.unwrap(), 0), (&stacks.1.unwrap(), 0));
    // From the tar the same as from the definition.
    assert_eq!(differences.unwrap(), []);
}

#[test]
fn what_two_actions_did_stands_side_by_side() {
    let none = BTreeSet::new();
    let mut disk = furnished();
    let before = disk.before().unwrap();
    let machine = |names: &[&str], gone: &[&str]| {
        let mut world = World::load(&disk.save()).unwrap();
        names.iter().for_each(|name| tag(&mut world, name));
        gone.iter().for_each(|name| remove(&mut world, name));
        world
    };
    let (a, b, c) = (machine(&["a:1", "same"], &[]), machine(&["b:1", "same"], &[]), machine(&[], &["box"]));
    disk.take_store(&a, &before, &none).unwrap();
    // It saw one name only, and removed the content with it: that is still needed.
    disk.take_store(&c, &before, &none).unwrap();
    disk.take_store(&b, &before, &none).unwrap();
    assert_eq!(names(&disk), ["a:1", "b:1", "same:latest"]);
    let image = Content::resolve(&disk, "a:1").unwrap();
    assert!(image.layers.iter().all(|l| disk.bytes_of(&l.blob).is_ok()));
    // The other way about: the content is gone, and comes back with a name.
    let mut disk = furnished();
    disk.take_store(&c, &before, &none).unwrap();
    assert!(names(&disk).is_empty() && disk.disk_names("/var/lib/glassbox/blobs/sha256").is_empty());
    disk.take_store(&b, &before, &none).unwrap();
    assert_eq!(names(&disk), ["b:1", "same:latest"]);
    let image = Content::resolve(&disk, "same").unwrap();
    assert!(image.layers.iter().all(|l| disk.bytes_of(&l.blob).is_ok()));
}

#[test]
fn a_layer_goes_there_and_back() {
    let mut world = World::new();
    let entries = [
        HostEntry::Dir { path: "up/d".into(), mode: 0o1770 },
        HostEntry::File { path: "up/d/f".into(), mode: 0o4755, content: b"text".to_vec() },
        HostEntry::Hardlink { path: "up/d/g".into(), to: "up/d/f".into() },
        HostEntry::Symlink { path: "up/l".into(), target: "d/f".into() },
        HostEntry::Whiteout { path: "up/gone".into() },
        HostEntry::Dir { path: "up/o".into(), mode: 0o755 },
        HostEntry::Opaque { path: "up/o".into() },
        HostEntry::File { path: "low/gone".into(), mode: 0o644, content: Vec::new() },
        HostEntry::File { path: "low/o/hidden".into(), mode: 0o644, content: Vec::new() },
    ];
    world.populate("/", &entries).unwrap();
    let dirs = ["/up", "/low"].map(PathBuf::from);
    let mut tar = Vec::new();
    let written = write::layer(&world.stack(&dirs).unwrap(), &mut tar).unwrap();
    assert_eq!((written.whiteouts, written.opaque_dirs, written.hard_links), (1, 1, 1));
    let done = world.unpack("/again", &tar).unwrap();
    assert_eq!((done.whiteouts.len(), done.opaque.len(), done.file_bytes), (1, 1, 4));
    let mut second = Vec::new();
    write::layer(&world.stack(&["/again", "/low"].map(PathBuf::from)).unwrap(), &mut second).unwrap();
    assert_eq!(digest::of_bytes(&tar), digest::of_bytes(&second), "the same bytes");
    assert_eq!(world.tree_size(Path::new("/again")).unwrap(), 4, "a file with two names counts once");
}

#[test]
fn a_bad_tar_leaves_nothing() {
    let mut world = World::new();
    let tar = |path: &str, kind: tar::EntryType, link: &str| {
        let mut header = tar::Header::new_gnu();
        // Names that the builder would refuse.
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_entry_type(kind);
        header.set_size(0);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_link_name(link).unwrap();
        header.set_cksum();
        let mut tar = tar::Builder::new(Vec::new());
        tar.append(&header, std::io::empty()).unwrap();
        tar.into_inner().unwrap()
    };
    for (bytes, words) in [
        (tar("../escape", tar::EntryType::Regular, "x"), "leads out of the layer"),
        (tar("link", tar::EntryType::Link, "nowhere"), "no such file"),
        (b"\x1f\x8b\x08".to_vec(), "compressed"),
        (b"text".repeat(200), "entry"),
    ] {
        let error = world.unpack("/layer", &bytes).unwrap_err();
        assert!(error.contains(words) || words == "entry", "{error}");
        assert!(world.disk_entry("/layer").is_none());
    }
}
