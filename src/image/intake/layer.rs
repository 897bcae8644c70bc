//! One layer through all stages: fetched, hashed, stored, decompressed, hashed
//! again as a tar, unpacked; each stage a thread, all at once.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::fetch::{Fetch, Fetched};
use super::pipe::{Reader, Writer, pipe};
use super::{BlobSource, Early, Options, Outcome, Progress, State, Wanted};
use crate::image::calls::Tape;
use crate::image::layers::{self, Compression, Declared, Limits, Unpacked};
use crate::image::store::Staging;
use crate::image::{ImageError, Store, digest};

/// What one layer needs.
pub struct Job<'a> {
    pub store: &'a Store,
    pub stage: &'a Staging,
    pub wanted: &'a Wanted,
    pub source: &'a dyn BlobSource,
    pub options: &'a Options,
    /// The position, for progress.
    pub index: usize,
    pub progress: &'a dyn Progress,
    pub stop: &'a AtomicBool,
}

/// Does it, and puts blob and tree in their places.
pub fn run(job: &Job<'_>) -> Result<Outcome, ImageError> {
    let wanted = job.wanted;
    let name = wanted.blob.digest().to_string();
    let place = job.store.blob(&name)?;
    let blob_there = place.exists();
    let tree = job.store.layer_dir(&wanted.chain_id)?;
    let tree_there = tree.is_dir();
    let mut outcome = Outcome { blob_there, tree_there, ..Outcome::default() };
    if blob_there && (tree_there || !job.options.unpack) {
        job.store.link_short(&wanted.chain_id)?;
        job.progress.layer(job.index, State::AlreadyThere);
        return Ok(outcome);
    }
    let started = Instant::now();
    // What the source has staged need only be moved.
    let given = (!blob_there).then(|| job.source.staged(&wanted.blob)).flatten();
    if let Some(early) = early(job, given.is_some() && !tree_there) {
        // Verified when it was staged, and unpacked from that.
        publish(job, &place, given, Some(early.tree))?;
        layers::size::note(&tree, early.unpacked.size)?;
        outcome.fetched = wanted.blob.size();
        outcome.unpacked = Some(early.unpacked);
        outcome.micros = micros(started);
        job.progress.layer(job.index, State::Done);
        return Ok(outcome);
    }
    let copy = (!blob_there && given.is_none()).then(|| job.stage.path().join(format!("blob-{}", job.index)));
    let dest = (job.options.unpack && !tree_there)
        .then(|| job.stage.path().join(format!("layer-{}", job.index)).join("diff"));
    let stored = Stored(job.store);
    let source: &dyn BlobSource = if blob_there { &stored } else { job.source };
    let unpacked = stages(job, source, copy.as_deref(), dest.as_deref(), given.is_some(), &mut outcome)?;
    outcome.micros = micros(started);
    let size = dest.is_some().then_some(unpacked.size);
    publish(job, &place, given.or(copy), dest)?;
    if let Some(size) = size {
        layers::size::note(&tree, size)?;
    }
    outcome.unpacked = job.options.unpack.then_some(unpacked).filter(|_| !tree_there);
    job.progress.layer(job.index, State::Done);
    Ok(outcome)
}

/// The tree that is there, if it is that of this layer.
fn early(job: &Job<'_>, wanted: bool) -> Option<Early> {
    if !wanted || !job.options.unpack {
        return None;
    }
    job.source.unpacked(&job.wanted.blob).filter(|e| e.diff_id == job.wanted.diff_id && e.tree.is_dir())
}

fn stages(
    job: &Job<'_>,
    source: &dyn BlobSource,
    staged: Option<&Path>,
    dest: Option<&Path>,
    verified: bool,
    outcome: &mut Outcome,
) -> Result<Unpacked, ImageError> {
    let wanted = job.wanted;
    let compression = Compression::of_media_type(wanted.blob.media_type().as_ref())?;
    let plain = compression == Compression::Plain;
    let name = wanted.blob.digest().to_string();
    if plain && name != wanted.diff_id {
        return Err(ImageError::Digest {
            what: format!("the uncompressed layer {name}"),
            expected: wanted.diff_id.clone(),
            actual: name,
        });
    }
    let halt = AtomicBool::new(false);
    let given_up = || job.stop.load(Ordering::Relaxed);
    let fetch =
        Fetch { source, blob: &wanted.blob, to: staged, hash: staged.is_some() && !plain, stop: &halt };
    let shown = |bytes| {
        if given_up() {
            halt.store(true, Ordering::Relaxed);
        }
        if staged.is_some() {
            job.progress.layer(job.index, State::Fetching { bytes });
        }
    };
    let (to_next, from_fetch) = pipe();
    std::thread::scope(|scope| {
        let tape = Tape::here();
        let (fetch, shown) = (&fetch, &shown);
        let fetching = scope.spawn(move || {
            let began = Instant::now();
            tape.listen(|| fetch.run(to_next, shown)).map(|fetched| (fetched, micros(began)))
        });
        let (tar, decompressing) =
            if plain {
                (from_fetch, None)
            } else {
                let (writer, tar) = pipe();
                (
                    tar,
                    Some(scope.spawn(move || {
                        decompress(compression, from_fetch, &writer).inspect(|()| writer.end())
                    })),
                )
            };
        let limits = Limits { blob_size: Some(wanted.blob.size()), ..job.options.limits };
        let layer = Declared {
            blob: Path::new(&name),
            size: wanted.blob.size(),
            // A plain tar whose blob is verified is verified.
            diff_id: (!(plain && verified)).then_some(wanted.diff_id.as_str()),
            limits: &limits,
            name_whiteouts: job.options.name_whiteouts,
        };
        let last = match dest {
            Some(dest) => layers::unpack_tar(tar, &layer, dest),
            None => layers::verify_from(tar, Compression::Plain, &layer).map(|()| Unpacked::default()),
        };
        // Where the digest is computed, it decides first whether the source is to
        // blame or the image.
        if last.is_err() && !fetch.hash {
            halt.store(true, Ordering::Relaxed);
        }
        let decompressed = decompressing.map_or(Ok(Ok(())), |d| d.join());
        let fetched = fetching.join();
        sort_out(job, fetched, decompressed, last, outcome)
    })
}

type Joined<T> = std::thread::Result<T>;

/// Of several stages that failed, the first in the stream is the cause, unless
/// it only stopped because a later one failed.
fn sort_out(
    job: &Job<'_>,
    fetched: Joined<Result<(Fetched, u64), ImageError>>,
    decompressed: Joined<std::io::Result<()>>,
    last: Result<Unpacked, ImageError>,
    outcome: &mut Outcome,
) -> Result<Unpacked, ImageError> {
    let (Ok(fetched), Ok(decompressed)) = (fetched, decompressed) else {
        return Err(broken(job, "a stage ended unexpectedly"));
    };
    match fetched {
        Err(ImageError::Stopped) => {
            // Given up from outside, or because of what follows.
            return Err(if job.stop.load(Ordering::Relaxed) {
                ImageError::Stopped
            } else {
                cause(job, decompressed, last)
            });
        }
        Err(error) => return Err(error),
        Ok((done, micros)) => {
            let name = job.wanted.blob.digest().to_string();
            outcome.fetch_micros = micros;
            outcome.resumed = done.resumed;
            if let Some(actual) = done.digest
                && actual != name
            {
                return Err(ImageError::Digest { what: format!("blob {name}"), expected: name, actual });
            }
        }
    }
    if decompressed.is_err() {
        return Err(cause(job, decompressed, last));
    }
    let unpacked = last?;
    outcome.fetched = if outcome.blob_there { 0 } else { job.wanted.blob.size() };
    Ok(unpacked)
}

fn cause(job: &Job<'_>, decompressed: std::io::Result<()>, last: Result<Unpacked, ImageError>) -> ImageError {
    match (decompressed, last) {
        (Err(e), _) if e.kind() != std::io::ErrorKind::BrokenPipe => broken_stream(job, &e),
        (_, Err(error)) => error,
        (Err(e), Ok(_)) => broken_stream(job, &e),
        (Ok(()), Ok(_)) => ImageError::Stopped,
    }
}

fn broken_stream(job: &Job<'_>, error: &std::io::Error) -> ImageError {
    if error.kind() == std::io::ErrorKind::UnexpectedEof {
        return broken(job, "it ends in the middle (truncated)");
    }
    broken(job, &format!("it cannot be read: {}", crate::image::error::quoted(&error.to_string())))
}

fn broken(job: &Job<'_>, reason: &str) -> ImageError {
    ImageError::Layer { blob: PathBuf::from(job.wanted.blob.digest().to_string()), reason: reason.to_owned() }
}

/// The second stage. Not in the third: unpacking waits for the disk.
fn decompress(compression: Compression, from: Reader, to: &Writer) -> std::io::Result<()> {
    let mut plain = layers::decompress(compression, from);
    loop {
        let Some(mut buffer) = to.buffer() else { return Err(std::io::ErrorKind::BrokenPipe.into()) };
        let mut n = 0;
        let mut end = false;
        while n < buffer.len() {
            match plain.read(&mut buffer[n..])? {
                0 => {
                    end = true;
                    break;
                }
                more => n += more,
            }
        }
        if n > 0 && !to.send(buffer, n) {
            return Err(std::io::ErrorKind::BrokenPipe.into());
        }
        if end {
            return Ok(());
        }
    }
}

/// Verified: into the store. Another process may have been faster; then what is
/// there stays, being the same.
fn publish(
    job: &Job<'_>,
    blob_place: &Path,
    staged: Option<PathBuf>,
    dest: Option<PathBuf>,
) -> Result<(), ImageError> {
    if let Some(staged) = &staged {
        job.store.settle(staged, blob_place)?;
    }
    if let Some(dest) = &dest {
        job.store.settle(dest, &job.store.layer_dir(&job.wanted.chain_id)?)?;
        job.store.link_short(&job.wanted.chain_id)?;
    }
    Ok(())
}

fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// The store itself, for a blob that it has and whose tree it lacks.
struct Stored<'a>(&'a Store);

impl BlobSource for Stored<'_> {
    fn open(
        &self,
        blob: &oci_spec::image::Descriptor,
        offset: u64,
    ) -> Result<Box<dyn std::io::Read + Send>, ImageError> {
        use std::io::Seek;
        let path = self.0.blob(blob.digest().as_ref())?;
        let mut file = std::fs::File::open(&path).map_err(|e| ImageError::io("open", &path, e))?;
        file.seek(std::io::SeekFrom::Start(offset)).map_err(|e| ImageError::io("seek", &path, e))?;
        Ok(Box::new(file))
    }
}

/// Two layers of one blob: the key by which they wait for each other.
pub fn same_blob(a: &Wanted, b: &Wanted) -> bool {
    a.blob.digest() == b.blob.digest() && digest::hex(a.blob.digest().as_ref()).is_some()
}
