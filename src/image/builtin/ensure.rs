//! The built-in image in a store.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use oci_spec::image::Arch;
use serde::{Deserialize, Serialize};

use super::{BUILTIN_LABEL, BuiltinLayer, Content, Entry, REFERENCE, assemble, elf, layers, write_tar};
use crate::image::digest::Hashing;
use crate::image::index::NewImage;
use crate::image::store::disk;
use crate::image::{Image, ImageError, Reference, Store};
use crate::userland::PROGRAMS;

/// What the image was made from: a cheap check, so that no run hashes the program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    size: u64,
    mtime: i64,
    mtime_nsec: i64,
    manifest: String,
}

const STAMP: &str = "box.json";

/// The image `box` of this program, made now if the store lacks it. Its layers
/// are not unpacked yet. A user's own image of that name is left alone and returned.
///
/// # Errors
/// [`ImageError::Program`] when the program cannot be put into an image; else
/// those of the store.
pub fn ensure(store: &Store, exe: &Path) -> Result<Image, ImageError> {
    if let Some(image) = present(store, exe)? {
        return Ok(image);
    }
    let stage = store.stage()?;
    let mut blobs: Vec<(String, PathBuf)> = Vec::new();
    let made = make(store, exe, |layer| {
        let path = stage.path().join(layer);
        let file = File::create(&path).map_err(|e| ImageError::io("create", &path, e))?;
        Ok((Box::new(BufWriter::new(file)) as Box<dyn Write>, path))
    })?;
    for (layer, path) in made.image.layers.iter().zip(made.files) {
        blobs.push((layer.blob.clone(), path));
    }
    let config = stage.path().join("config");
    std::fs::write(&config, &made.config).map_err(|e| ImageError::io("write", &config, e))?;
    blobs.push((made.image.id.clone(), config));
    let reference = Reference::parse(REFERENCE)
        .map_err(|error| ImageError::Reference { input: REFERENCE.into(), error })?;
    let new = NewImage {
        manifest: made.manifest,
        media_type: "application/vnd.oci.image.manifest.v1+json".into(),
        id: made.image.id.clone(),
        references: vec![reference],
    };
    store.add(&blobs, &[], &[new])?;
    let stamp = Stamp { manifest: made.image.manifest.clone(), ..made.stamp };
    // A stamp made of plain values always serialises.
    store.write_alone(STAMP, &serde_json::to_vec(&stamp).unwrap_or_default())?;
    Ok(made.image)
}

/// The same image without writing anything, for a plan.
///
/// # Errors
/// As [`ensure`].
pub fn plan_image(store: &Store, exe: &Path) -> Result<Image, ImageError> {
    match present(store, exe)? {
        Some(image) => Ok(image),
        None => Ok(make(store, exe, |_| Ok((Box::new(io::sink()) as Box<dyn Write>, PathBuf::new())))?.image),
    }
}

/// The image in the store, if it is that of this program or the user's own.
fn present(store: &Store, exe: &Path) -> Result<Option<Image>, ImageError> {
    let image = match store.resolve(REFERENCE) {
        Ok(image) => image,
        Err(ImageError::Unknown { .. }) => return Ok(None),
        Err(e) => return Err(e),
    };
    let labels = image.config.config().as_ref().and_then(|c| c.labels().as_ref());
    if !labels.is_some_and(|l| l.contains_key(BUILTIN_LABEL)) {
        return Ok(Some(image));
    }
    let stamp: Option<Stamp> =
        disk::read(&store.root().join(STAMP))?.and_then(|text| serde_json::from_slice(&text).ok());
    let now = Stamp { manifest: image.manifest.clone(), ..stamp_of(exe)? };
    Ok((stamp == Some(now)).then_some(image))
}

fn stamp_of(exe: &Path) -> Result<Stamp, ImageError> {
    let meta = std::fs::metadata(exe).map_err(|e| ImageError::io("stat", exe, e))?;
    Ok(Stamp {
        size: meta.size(),
        mtime: meta.mtime(),
        mtime_nsec: meta.mtime_nsec(),
        manifest: String::new(),
    })
}

struct Made {
    image: Image,
    config: Vec<u8>,
    manifest: Vec<u8>,
    files: Vec<PathBuf>,
    stamp: Stamp,
}

type Out = (Box<dyn Write>, PathBuf);

fn make(
    store: &Store,
    exe: &Path,
    mut open: impl FnMut(&'static str) -> Result<Out, ImageError>,
) -> Result<Made, ImageError> {
    let program = |reason: String| ImageError::Program { exe: exe.to_owned(), reason };
    let stamp = stamp_of(exe)?;
    let needed = elf::needed_files(exe).map_err(program)?;
    let mut definition = layers(PROGRAMS);
    for layer in &mut definition {
        if layer.entries.iter().any(|e| e.content == Content::Binary) {
            add_libraries(layer, &needed)?;
        }
    }
    let mut build = String::new();
    let mut blobs = Vec::new();
    let mut files = Vec::new();
    for layer in &definition {
        let (out, path) = open(layer.name)?;
        let file = File::open(exe).map_err(|e| ImageError::io("open", exe, e))?;
        let mut binary = Hashing::new(file);
        let mut out = Hashing::new(out);
        write_tar(&layer.entries, &mut binary, stamp.size, &mut out).map_err(|e| match e.raw_os_error() {
            Some(_) => store.writing("write the layers of box to", store.root(), e),
            None => program(e.to_string()),
        })?;
        if binary.bytes() > 0 {
            build = binary.finish().1;
        }
        let (_, digest, bytes) = out.finish();
        blobs.push((digest, bytes));
        files.push(path);
    }
    let place = |chain_id: &str| {
        let dir = store.layer_dir(chain_id).unwrap_or_default();
        let unpacked = dir.is_dir();
        (dir, unpacked)
    };
    let (image, config, manifest) = assemble(&definition, &blobs, (&build, Arch::default()), place);
    Ok(Made { image, config, manifest, files, stamp })
}

/// The interpreter and the libraries, with their directories, after the program.
fn add_libraries(layer: &mut BuiltinLayer, needed: &BTreeMap<String, PathBuf>) -> Result<(), ImageError> {
    for (path, host) in needed {
        for (slash, _) in path.match_indices('/') {
            let dir = &path[..slash];
            if !layer.entries.iter().any(|e| e.path == dir) {
                layer.entries.push(Entry {
                    path: dir.to_owned(),
                    content: Content::Dir,
                    mode: 0o755,
                    uid: 0,
                    gid: 0,
                });
            }
        }
        let bytes = std::fs::read(host).map_err(|e| ImageError::io("read", host, e))?;
        layer.entries.push(Entry {
            path: path.clone(),
            content: Content::Bytes(bytes),
            mode: 0o755,
            uid: 0,
            gid: 0,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::image::builtin::DELETED;

    fn static_program(dir: &Path) -> PathBuf {
        let path = dir.join("program");
        std::fs::write(&path, elf::tests::static_elf()).unwrap();
        path
    }

    #[test]
    #[ignore = "root"]
    fn three_layers_that_unpack_like_any_other() {
        let place = tempfile::tempdir().unwrap();
        let store = Store::open(place.path().join("store"));
        let exe = static_program(place.path());
        let planned = plan_image(&store, &exe).unwrap();
        assert!(!store.root().exists(), "a plan writes nothing");
        let image = ensure(&store, &exe).unwrap();
        assert_eq!(
            (&planned.id, &planned.manifest, &planned.layers),
            (&image.id, &image.manifest, &image.layers)
        );
        assert_eq!(image.layers.len(), 3);
        for layer in &image.layers {
            store.unpack(layer).unwrap();
        }
        let dir = |i: usize| &image.layers[i].dir;
        assert_eq!(std::fs::read_to_string(dir(0).join("etc/motd")).unwrap(), "box: base layer\n");
        assert_eq!(std::fs::read_to_string(dir(2).join("etc/motd")).unwrap(), "box: links layer\n");
        assert_eq!(dir(0).join("tmp").metadata().unwrap().permissions().mode() & 0o7777, 0o1777);
        assert_eq!(std::fs::read(dir(1).join("bin/box")).unwrap(), std::fs::read(&exe).unwrap());
        assert_eq!(std::fs::read_link(dir(2).join("bin/sh")).unwrap(), Path::new("box"));
        assert!(dir(1).join(DELETED).exists());
        assert_eq!(dir(2).join(DELETED).symlink_metadata().unwrap().rdev(), 0);
        let found = store.resolve("box").unwrap();
        assert!(found.layers.iter().all(|l| l.unpacked));
        assert_eq!(found.layers[1].created_by, "COPY box /bin/box");
    }

    /// Through overlayfs itself, by the layers' short names.
    #[test]
    #[ignore = "root"]
    fn the_union_of_its_layers() {
        use nix::mount::{MsFlags, mount};

        crate::image::store::tests::in_own_mounts(|place| {
            let store = Store::open(place.join("store"));
            let image = ensure(&store, &static_program(place)).unwrap();
            for layer in &image.layers {
                store.unpack(layer).unwrap();
            }
            let short: Vec<String> =
                image.layers.iter().rev().map(|l| Store::short_name(&l.chain_id)).collect();
            for dir in ["up", "work", "on"] {
                std::fs::create_dir(place.join(dir)).unwrap();
            }
            let (p, lower) = (place.display(), short.join(":"));
            let options = format!("lowerdir={lower},upperdir={p}/up,workdir={p}/work");
            nix::unistd::chdir(store.root()).unwrap();
            let on = place.join("on");
            mount(Some("overlay"), &on, Some("overlay"), MsFlags::empty(), Some(options.as_str())).unwrap();
            assert!(!on.join(DELETED).exists(), "the whiteout hides it");
            assert_eq!(std::fs::read_to_string(on.join("etc/motd")).unwrap(), "box: links layer\n");
            assert!(
                on.join("etc/passwd").exists() && on.join("bin/sh").exists() && on.join("bin/box").exists()
            );
            std::fs::write(on.join("etc/motd"), "changed").unwrap();
            std::fs::remove_file(on.join("etc/passwd")).unwrap();
            std::fs::create_dir(on.join("new")).unwrap();
            std::fs::remove_dir_all(on.join("var")).unwrap();
            std::fs::create_dir(on.join("var")).unwrap();
            let lower: Vec<PathBuf> = image.layers.iter().rev().map(|l| l.dir.clone()).collect();
            let changes = crate::image::changes::changes(&place.join("up"), &lower).unwrap();
            let told: Vec<String> =
                changes.iter().map(|c| format!("{} {}", c.kind.letter(), c.path.display())).collect();
            let want =
                ["C /etc", "C /etc/motd", "D /etc/passwd", "A /new", "C /var", "D /var/log", "D /var/tmp"];
            assert_eq!(told, want);
            nix::unistd::chdir("/").unwrap();
        });
    }

    #[test]
    fn a_changed_program_makes_a_new_image_and_the_old_one_stays() {
        let place = tempfile::tempdir().unwrap();
        let store = Store::open(place.path().join("store"));
        let exe = static_program(place.path());
        let first = ensure(&store, &exe).unwrap();
        let index = store.root().join("index.json");
        let before = std::fs::metadata(&index).unwrap().ino();
        assert_eq!(ensure(&store, &exe).unwrap().id, first.id);
        assert_eq!(std::fs::metadata(&index).unwrap().ino(), before, "nothing was written");
        let mut changed = elf::tests::static_elf();
        changed.push(1);
        std::fs::write(&exe, changed).unwrap();
        let second = ensure(&store, &exe).unwrap();
        assert_ne!(first.id, second.id);
        assert_eq!(first.layers[0].chain_id, second.layers[0].chain_id, "the base layer is shared");
        assert_eq!(store.resolve("box").unwrap().id, second.id);
        assert_eq!(store.resolve(&first.id).unwrap().id, first.id);
    }

    #[test]
    #[ignore = "root"]
    fn a_dynamic_program_starts_in_it() {
        let place = tempfile::tempdir().unwrap();
        let store = Store::open(place.path().join("store"));
        let exe = Path::new("/bin/true");
        let image = ensure(&store, exe).unwrap();
        store.unpack(&image.layers[1]).unwrap();
        let status = std::process::Command::new("/usr/sbin/chroot")
            .arg(&image.layers[1].dir)
            .arg("/bin/box")
            .status()
            .unwrap();
        assert!(status.success(), "{status}");
    }

    #[test]
    fn what_is_no_program_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let store = Store::open(place.path().join("store"));
        let script = place.path().join("script");
        std::fs::write(&script, "#!/bin/sh\n".repeat(20)).unwrap();
        let error = ensure(&store, &script).unwrap_err();
        assert!(error.to_string().contains("no ELF file"), "{error}");
        assert_eq!(store.list().unwrap(), []);
    }
}
