//! An archive: opened, its manifests and configs read.

use std::fs::File;

use super::Images;
use crate::image::archive::Archive;
use crate::image::{ImageError, Store};
use crate::kernel::Failure;
use crate::kernel::linux::recorder::Recorder;
use crate::trace::{Kind, Value};

/// What was read of an archive, for the evidence.
#[derive(Clone, Debug)]
pub struct Seen {
    pub shape: &'static str,
    pub entries: u64,
    pub in_place: bool,
}

/// Opens the archive and looks at its table.
pub fn open(path: &str, store: &Store, rec: &mut Recorder, images: &mut Images) -> Result<bool, Failure> {
    let name = if path == "-" { "standard input" } else { path };
    let args = || {
        vec![
            ("dirfd", Value::from("AT_FDCWD")),
            ("pathname", Value::from(path)),
            ("flags", Value::from("O_RDONLY|O_CLOEXEC")),
        ]
    };
    let fd = |file: &File| Value::volatile(Kind::Fd, std::os::fd::AsRawFd::as_raw_fd(file));
    let file = if path == "-" {
        let stdin = std::os::fd::AsFd::as_fd(&std::io::stdin()).try_clone_to_owned();
        stdin.map(File::from).map_err(|e| ImageError::io("read", name, e))?
    } else {
        rec.read("openat", args, fd, || File::open(path))
            .map_err(|e| Failure::from(ImageError::io("open the archive", path, e)))?
    };
    // Watched, each layer is unpacked in its own step.
    let ahead = (!rec.is_on()).then_some(images.limits);
    let archive = Archive::open(store, file, name, ahead)?;
    images.seen = Some(Seen {
        shape: archive.shape().name(),
        entries: archive.entries(),
        in_place: archive.in_place(),
    });
    images.archive = Some(archive);
    Ok(true)
}

fn opened(images: &Images) -> Result<&Archive, Failure> {
    images.archive.as_ref().ok_or_else(|| Failure::new("go on: no archive is open", None))
}

/// Reads which images it has.
pub fn manifests(images: &mut Images) -> Result<bool, Failure> {
    images.manifests = Some(opened(images)?.manifests()?);
    Ok(true)
}

/// Reads their configs.
pub fn configs(images: &mut Images) -> Result<bool, Failure> {
    let (Some(archive), Some(manifests)) = (images.archive.take(), images.manifests.take()) else {
        return Err(Failure::new("go on: no manifest was read", None));
    };
    let (incoming, source) = archive.configs(manifests)?;
    (images.incoming, images.source) = (incoming, Some(source));
    Ok(true)
}
