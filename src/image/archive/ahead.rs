//! Layers of a stream, unpacked while the rest of it still comes. Which files are
//! layers is said by a list that most archives have at their end, so every file
//! that is a tar is unpacked, beside the staged files. What turns out to be no
//! layer, or another one than its image says, goes with them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use super::start::{is_tar, sniff};
use crate::image::digest::Hashing;
use crate::image::intake::Early;
use crate::image::layers::{self, Compression, Declared, Limits};

/// Files at once, beside the thread that reads the stream.
const LANES: usize = 2;

/// Files that are being unpacked.
pub struct Ahead {
    jobs: Option<Sender<Job>>,
    lanes: Vec<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
    done: Arc<Mutex<BTreeMap<PathBuf, Early>>>,
}

/// A staged file, whole.
struct Job {
    file: PathBuf,
    size: u64,
    digest: String,
}

impl Ahead {
    /// Lanes that wait for files. No tree becomes larger than these limits allow.
    pub fn start(limits: Limits) -> Self {
        let (jobs, waiting) = channel();
        let waiting = Arc::new(Mutex::new(waiting));
        let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let lane = |_| {
            let (waiting, stop, done) = (waiting.clone(), stop.clone(), Arc::clone(&done));
            std::thread::spawn(move || lane(&waiting, &limits, &stop, &done))
        };
        let lanes = (0..LANES).map(lane).collect();
        Ahead { jobs: Some(jobs), lanes, stop, done }
    }

    /// Unpacks this file, when a lane is free, if it is a tar.
    pub fn add(&self, file: &Path, size: u64, digest: &str) {
        if let Some(jobs) = &self.jobs {
            // Without a lane nothing is ahead; its step does the work.
            let _ = jobs.send(Job { file: file.to_owned(), size, digest: digest.to_owned() });
        }
    }

    /// Waits for all of them; the trees, by their files.
    pub fn finish(mut self) -> BTreeMap<PathBuf, Early> {
        self.join();
        std::mem::take(&mut *self.done.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn join(&mut self) {
        drop(self.jobs.take());
        for lane in self.lanes.drain(..) {
            let _ = lane.join();
        }
    }
}

impl Drop for Ahead {
    /// Given up: nothing is written any more when this returns.
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.join();
    }
}

fn lane(
    waiting: &Mutex<Receiver<Job>>,
    limits: &Limits,
    stop: &Arc<AtomicBool>,
    done: &Mutex<BTreeMap<PathBuf, Early>>,
) {
    loop {
        let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = next else { return };
        if stop.load(Ordering::Relaxed) {
            continue;
        }
        // What cannot be unpacked is told by the step of its layer, if it is one.
        if let Some(early) = unpack(&job, limits, stop) {
            done.lock().unwrap_or_else(PoisonError::into_inner).insert(job.file, early);
        }
    }
}

fn unpack(job: &Job, limits: &Limits, stop: &Arc<AtomicBool>) -> Option<Early> {
    let file = Stoppable { inner: File::open(&job.file).ok()?, stop: stop.clone() };
    let (input, compression) = sniff(file, "").ok()?;
    let plain = compression == Compression::Plain;
    let mut tar = layers::decompress(compression, input);
    let mut block = Vec::new();
    (&mut tar).take(512).read_to_end(&mut block).ok().filter(|_| is_tar(&block))?;
    let whole = io::Cursor::new(block).chain(tar);
    let tree = job.file.with_extension("tree").join("diff");
    let limits = Limits { blob_size: Some(job.size), ..*limits };
    let declared =
        Declared { blob: &job.file, size: job.size, diff_id: None, limits: &limits, name_whiteouts: 0 };
    // A plain tar was hashed when it was staged.
    let (unpacked, diff_id) = if plain {
        let tar = BufReader::with_capacity(256 << 10, whole);
        (layers::unpack_tar(tar, &declared, &tree).ok()?, job.digest.clone())
    } else {
        let mut hashing = Hashing::new(whole);
        let tar = BufReader::with_capacity(256 << 10, &mut hashing);
        (layers::unpack_tar(tar, &declared, &tree).ok()?, hashing.finish().1)
    };
    Some(Early { tree, diff_id, unpacked })
}

/// Ends with an error when it is to stop.
struct Stoppable<R> {
    inner: R,
    stop: Arc<AtomicBool>,
}

impl<R: Read> Read for Stoppable<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(io::Error::other("given up"));
        }
        self.inner.read(buf)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::digest;
    use crate::image::layers::test_tar::{Tar, gzip};

    #[test]
    fn tars_become_trees_and_nothing_else_does() {
        let place = tempfile::tempdir().unwrap();
        let tar = Tar::new().file("f", "content").done();
        let ahead = Ahead::start(Limits::default());
        let put = |name: &str, bytes: &[u8]| {
            let file = place.path().join(name);
            std::fs::write(&file, bytes).unwrap();
            ahead.add(&file, bytes.len() as u64, &digest::of_bytes(bytes));
            file
        };
        let (plain, packed) = (put("1", &tar), put("2", &gzip(&tar)));
        put("3", b"{\"json\": true}");
        put("4", &Tar::new().file("../out", "").done());
        // In the middle of the content.
        put("5", &tar[..515]);
        let done = ahead.finish();
        assert_eq!(done.keys().collect::<Vec<_>>(), [&plain, &packed]);
        for early in done.values() {
            assert_eq!(early.diff_id, digest::of_bytes(&tar));
            assert_eq!(std::fs::read_to_string(early.tree.join("f")).unwrap(), "content");
            assert_eq!(early.unpacked.entries, 1);
        }
        assert!(!place.path().join("out").exists());
    }

    #[test]
    fn given_up_it_leaves_its_lanes() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("1");
        std::fs::write(&file, Tar::new().file("f", &"x".repeat(5_000_000)).done()).unwrap();
        let ahead = Ahead::start(Limits::default());
        ahead.add(&file, 5_000_000, "");
        drop(ahead);
        place.close().unwrap();
    }
}
