//! Images made, named, saved and removed on this host.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::image::create::{self, NewLayer, Taken};
use crate::image::index::{Collected, Removed};
use crate::image::layers::{Limits, size};
use crate::image::save::{self, Chosen, Format};
use crate::image::store::Staging;
use crate::image::union::Stack;
use crate::image::{ImageError, Reference, Store, write};
use crate::kernel::Failure;
use crate::kernel::linux::cgroup::{self, Frozen};
use crate::kernel::linux::host;
use crate::plan::image::ImageOp;

/// What is held between the steps of such an action.
#[derive(Debug, Default)]
pub struct Making {
    /// Digests and chain IDs that must not be collected meanwhile.
    pub keep: Vec<String>,
    /// The images to save.
    pub chosen: Vec<Chosen>,
    /// A layer written from a container, staged.
    pub layer: Option<NewLayer>,
    /// A tar that was read, staged.
    pub tar: Option<Taken>,
    /// What was removed by all steps.
    pub removed: Removed,
    /// What the last collection took away.
    pub collected: Option<Collected>,
    /// Bytes written outside of the store.
    pub bytes: u64,
    pub(super) stage: Option<Staging>,
    pub(super) frozen: Option<Frozen>,
}

/// Carries an operation out; `true` when its work was done before.
pub fn apply(op: &ImageOp, store: &Store, limits: &Limits, making: &mut Making) -> Result<bool, Failure> {
    match op {
        ImageOp::FreezeContainer { pid, .. } => {
            making.frozen = Some(cgroup::freeze(*pid, &host::facts()?.cgroups)?);
        }
        ImageOp::ThawContainer { .. } => making.frozen = None,
        ImageOp::WriteLayer { upper, lower, .. } => {
            let stage = staged(store, making)?;
            let layers: Vec<PathBuf> = std::iter::once(upper).chain(lower).map(PathBuf::from).collect();
            making.layer = Some(create::write_layer(&layers, &stage.join("layer"))?);
        }
        ImageOp::ImportTar { path } => {
            let stage = staged(store, making)?;
            making.tar = Some(match path.as_str() {
                "-" => create::read_tar(&stage, std::io::stdin().lock(), "-", None, limits)?,
                path => {
                    let file = std::fs::File::open(path).map_err(|e| ImageError::io("open", path, e))?;
                    let size = file.metadata().ok().filter(std::fs::Metadata::is_file).map(|m| m.len());
                    create::read_tar(&stage, file, path, size, limits)?
                }
            });
        }
        ImageOp::StoreLayer { blob, chain_id, dir, .. } => {
            let missing = || Failure::new("go on: no layer is staged", None);
            let (file, place) = match (&making.layer, &making.tar) {
                (Some(layer), _) => (layer.path.clone(), None),
                (None, Some(tar)) => (tar.blob.clone(), Some(tar.place.clone())),
                (None, None) => return Err(missing()),
            };
            let trees: Vec<(String, PathBuf)> =
                place.filter(|_| dir.is_some()).map(|p| (chain_id.clone(), p)).into_iter().collect();
            let size = match (&making.layer, &making.tar) {
                (Some(layer), _) => layer.written.size,
                (None, Some(tar)) => tar.size,
                (None, None) => return Err(missing()),
            };
            store.add(&[(blob.clone(), file)], &trees, &[])?;
            size::note(&store.layer_dir(chain_id)?, size)?;
        }
        ImageOp::TagImage { manifest, name, .. } => store.tag(manifest, &reference(name)?)?,
        ImageOp::RemoveImage { wanted, keep, .. } => {
            let removed = match keep {
                true => store.untag(wanted)?,
                false => store.remove(wanted, &super::layers::in_use(store), &super::layers::runs(store))?,
            };
            making.removed.add(removed);
        }
        ImageOp::CollectGarbage { .. } => {
            let collected = store.collect(&super::layers::in_use(store))?;
            making.removed.bytes += collected.bytes;
            let nothing = collected.blobs.is_empty() && collected.layers.is_empty();
            making.collected = Some(collected);
            return Ok(nothing);
        }
        ImageOp::SaveImages { path, shape, .. } => {
            let format = Format::of_name(shape);
            let chosen = std::mem::take(&mut making.chosen);
            making.bytes = out(path, |mut out| save::save(store, &chosen, format, &mut out).map(drop))?;
            making.chosen = chosen;
        }
        ImageOp::ExportTree { layers, path, .. } => {
            let layers: Vec<PathBuf> = layers.iter().map(PathBuf::from).collect();
            let stack = Stack::open(&layers)?;
            making.bytes = out(path, |mut out| write::merged(&stack, &mut out).map(drop))?;
        }
        other => return Err(Failure::new(format!("do {} here", other.name()), None)),
    }
    Ok(false)
}

/// Takes an operation back, also in a process that did not do it.
pub fn undo(op: &ImageOp, store: &Store, making: &mut Making) -> Result<(), Failure> {
    match op {
        ImageOp::FreezeContainer { pid, .. } => {
            making.frozen = None;
            cgroup::thaw(*pid, &host::facts()?.cgroups);
            Ok(())
        }
        ImageOp::TagImage { manifest, name, before, .. } => {
            // Only what this step did: the name may mean another image by now.
            if store.resolve(name).is_ok_and(|i| i.manifest == *manifest) {
                match before {
                    Some(before) => store.tag(before, &reference(name)?)?,
                    None => drop(store.untag(name)?),
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// The staging directory of this action; it holds a lease on what must stay.
pub(super) fn staged(store: &Store, making: &mut Making) -> Result<PathBuf, Failure> {
    let stage = store.stage()?;
    store.lease(&stage, making.keep.iter().map(String::as_str))?;
    let path = stage.path().to_owned();
    making.stage = Some(stage);
    Ok(path)
}

fn reference(name: &str) -> Result<Reference, Failure> {
    let parsed = Reference::parse(name);
    parsed.map_err(|error| ImageError::Reference { input: name.to_owned(), error }.into())
}

/// Counts what passes.
struct Counted<'a> {
    inner: &'a mut dyn Write,
    bytes: u64,
}

impl Write for Counted<'_> {
    fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
        let n = self.inner.write(buf)?;
        self.bytes += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}

/// What writes.
type Work<'a> = Box<dyn FnOnce(&mut dyn Write) -> Result<(), ImageError> + 'a>;

/// Writes to a file that appears when it is complete, to a device or a pipe as it
/// is, or with `-` to standard output. Gives the bytes.
pub fn out(
    path: &str,
    work: impl FnOnce(&mut dyn Write) -> Result<(), ImageError>,
) -> Result<u64, ImageError> {
    let through = |inner: &mut dyn Write, work: Work<'_>| {
        let mut counted = Counted { inner, bytes: 0 };
        work(&mut counted)?;
        counted.flush().map_err(|e| ImageError::io("write", path, e))?;
        Ok(counted.bytes)
    };
    if path == "-" {
        let mut out = std::io::BufWriter::with_capacity(256 << 10, std::io::stdout().lock());
        return through(&mut out, Box::new(work));
    }
    let at = Path::new(path);
    if at.symlink_metadata().is_ok_and(|m| !m.is_file()) {
        let mut file =
            std::fs::File::options().write(true).open(at).map_err(|e| ImageError::io("open", at, e))?;
        return through(&mut file, Box::new(work));
    }
    let dir = at.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new()
        .prefix(".glassbox-")
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .tempfile_in(dir)
        .map_err(|e| ImageError::io("write into", dir, e))?;
    let bytes = through(file.as_file_mut(), Box::new(work))?;
    file.persist(at).map_err(|e| ImageError::io("write", at, e.error))?;
    Ok(bytes)
}
