//! The layers of an archive, unpacked or verified side by side: each is a tree
//! of its own.

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::image::ImageError;
use crate::image::layers::{self, Limits};

/// One layer.
pub(super) struct Job {
    pub blob: PathBuf,
    pub media_type: String,
    pub size: u64,
    pub diff_id: String,
    pub chain_id: String,
    /// Where it is unpacked; `None` to verify it only.
    pub dest: Option<PathBuf>,
}

/// Does all jobs, and stops taking new ones after a failure. Of several
/// failures the one of the lowest layer is returned.
pub(super) fn run(jobs: &[Job]) -> Result<(), ImageError> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(jobs.len());
    let next = AtomicUsize::new(0);
    let failed: Mutex<Vec<(usize, ImageError)>> = Mutex::new(Vec::new());
    let work = || {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(job) = jobs.get(at) else { return };
            if let Err(error) = one(job) {
                next.store(jobs.len(), Ordering::Relaxed);
                failed.lock().unwrap_or_else(|e| e.into_inner()).push((at, error));
                return;
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
    let mut failed = failed.into_inner().unwrap_or_else(|e| e.into_inner());
    failed.sort_by_key(|f| f.0);
    match failed.into_iter().next() {
        Some((_, error)) => Err(error),
        None => Ok(()),
    }
}

fn one(job: &Job) -> Result<(), ImageError> {
    let limits = Limits::for_blob(job.size);
    match &job.dest {
        Some(dest) => layers::unpack(&job.blob, &job.media_type, &job.diff_id, dest, &limits).map(drop),
        None => layers::verify(&job.blob, &job.media_type, &job.diff_id, &limits),
    }
}
