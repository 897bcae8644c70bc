//! The lanes: a few threads that take layers in turn, lowest first.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use super::layer::{self, Job, same_blob};
use super::{BlobSource, Options, Outcome, Progress, Wanted};
use crate::image::calls::{Tape, Taped};
use crate::image::store::Staging;
use crate::image::{ImageError, Store};

/// Layers on their way into the store. Dropping it gives up what is not done.
pub struct Intake {
    shared: Arc<Shared>,
    lanes: Vec<JoinHandle<()>>,
}

struct Shared {
    store: Store,
    stage: Staging,
    layers: Vec<Wanted>,
    source: Arc<dyn BlobSource>,
    options: Options,
    progress: Arc<dyn Progress>,
    /// For each layer what taking it in did, where whoever began this listens.
    tapes: Vec<Tape>,
    stop: AtomicBool,
    slots: Mutex<Vec<Slot>>,
    changed: Condvar,
}

enum Slot {
    Waiting,
    Busy,
    Done(Result<Outcome, ImageError>),
}

impl Intake {
    /// Leases what the layers need, and starts taking them in.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn start(
        store: &Store,
        layers: Vec<Wanted>,
        source: Arc<dyn BlobSource>,
        options: Options,
        progress: Arc<dyn Progress>,
    ) -> Result<Self, ImageError> {
        let stage = store.stage()?;
        store.lease(&stage, layers.iter().flat_map(|l| [l.blob.digest().as_ref(), l.chain_id.as_str()]))?;
        let shared = Arc::new(Shared {
            store: store.clone(),
            stage,
            tapes: layers.iter().map(|_| Tape::here().another()).collect(),
            slots: Mutex::new(layers.iter().map(|_| Slot::Waiting).collect()),
            layers,
            source,
            options,
            progress,
            stop: AtomicBool::new(false),
            changed: Condvar::new(),
        });
        let lanes = (0..options.lanes.min(shared.layers.len()))
            .map(|_| {
                let shared = shared.clone();
                std::thread::spawn(move || while shared.one_more() {})
            })
            .collect();
        Ok(Intake { shared, lanes })
    }

    /// What became of a layer (0 is the lowest), as soon as it is known. After a
    /// failure the others are given up, and all of them return it.
    ///
    /// # Errors
    /// See [`ImageError`]. What was verified and stored stays until the next
    /// collection of garbage.
    pub fn wait(&self, index: usize) -> Result<Outcome, ImageError> {
        if self.shared.options.lanes == 0 {
            self.shared.here(index);
        }
        let mut slots = self.shared.slots();
        loop {
            match slots.get(index) {
                None => return Err(ImageError::Stopped),
                Some(Slot::Done(Err(ImageError::Stopped))) => return Err(failure(&slots)),
                Some(Slot::Done(done)) => return done.clone(),
                Some(_) => {}
            }
            slots = self.shared.changed.wait(slots).unwrap_or_else(|e| e.into_inner());
        }
    }

    /// Like [`Intake::wait`], for so long at most.
    pub fn wait_for(&self, index: usize, most: Duration) -> Option<Result<Outcome, ImageError>> {
        if self.shared.options.lanes == 0 {
            return Some(self.wait(index));
        }
        let waiting = |slots: &mut Vec<Slot>| !matches!(slots.get(index), None | Some(Slot::Done(_)));
        let found = self.shared.changed.wait_timeout_while(self.shared.slots(), most, waiting);
        let timed_out = found.map_or_else(|e| e.into_inner().1, |f| f.1).timed_out();
        (!timed_out).then(|| self.wait(index))
    }

    /// The calls that taking a layer (0 is the lowest) in has made so far.
    pub fn taped(&self, index: usize) -> Taped {
        self.shared.tapes.get(index).map(Tape::take).unwrap_or_default()
    }

    /// The layers, lowest first.
    pub fn layers(&self) -> &[Wanted] {
        &self.shared.layers
    }

    /// The staging directory: it holds the lease for as long as this lives.
    pub fn stage(&self) -> &Staging {
        &self.shared.stage
    }

    /// Gives up. What is under way ends at its next buffer.
    pub fn cancel(&self) {
        self.shared.give_up();
    }
}

impl Drop for Intake {
    fn drop(&mut self) {
        self.shared.give_up();
        for lane in self.lanes.drain(..) {
            let _ = lane.join();
        }
    }
}

/// The failure that the others were given up for.
fn failure(slots: &[Slot]) -> ImageError {
    let real = slots.iter().find_map(|s| match s {
        Slot::Done(Err(error)) if *error != ImageError::Stopped => Some(error.clone()),
        _ => None,
    });
    real.unwrap_or(ImageError::Stopped)
}

impl Shared {
    fn slots(&self) -> MutexGuard<'_, Vec<Slot>> {
        self.slots.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Takes the next layer in; whether there may be more.
    fn one_more(&self) -> bool {
        let mut slots = self.slots();
        let index = loop {
            if self.stop.load(Ordering::Relaxed) {
                return false;
            }
            if !slots.iter().any(|s| matches!(s, Slot::Waiting)) {
                return false;
            }
            match self.free(&slots) {
                Some(index) => break index,
                None => slots = self.changed.wait(slots).unwrap_or_else(|e| e.into_inner()),
            }
        };
        slots[index] = Slot::Busy;
        drop(slots);
        self.take_in(index);
        true
    }

    /// The lowest layer that waits and whose blob is not being fetched for another.
    fn free(&self, slots: &[Slot]) -> Option<usize> {
        let busy = |i: usize| {
            let same = |(j, slot): (usize, &Slot)| {
                matches!(slot, Slot::Busy) && same_blob(&self.layers[i], &self.layers[j])
            };
            slots.iter().enumerate().any(same)
        };
        (0..slots.len()).find(|i| matches!(slots[*i], Slot::Waiting) && !busy(*i))
    }

    /// Takes this layer in, in this thread, if nobody did.
    fn here(&self, index: usize) {
        let mut slots = self.slots();
        if !matches!(slots.get(index), Some(Slot::Waiting)) || self.stop.load(Ordering::Relaxed) {
            return;
        }
        slots[index] = Slot::Busy;
        drop(slots);
        self.take_in(index);
    }

    fn take_in(&self, index: usize) {
        // Whatever happens below, those who wait for this layer hear of it.
        let mut report = Report { shared: self, index, result: Err(unexpected(&self.layers[index])) };
        let job = Job {
            store: &self.store,
            stage: &self.stage,
            wanted: &self.layers[index],
            source: &*self.source,
            options: &self.options,
            index,
            progress: &*self.progress,
            stop: &self.stop,
        };
        report.result = self.tapes[index].listen(|| layer::run(&job));
    }

    fn give_up(&self) {
        self.stop.store(true, Ordering::Relaxed);
        for slot in self.slots().iter_mut().filter(|s| matches!(s, Slot::Waiting)) {
            *slot = Slot::Done(Err(ImageError::Stopped));
        }
        self.changed.notify_all();
    }
}

struct Report<'a> {
    shared: &'a Shared,
    index: usize,
    result: Result<Outcome, ImageError>,
}

impl Drop for Report<'_> {
    fn drop(&mut self) {
        let result = std::mem::replace(&mut self.result, Err(ImageError::Stopped));
        let failed = result.is_err();
        self.shared.slots()[self.index] = Slot::Done(result);
        if failed {
            self.shared.give_up();
        }
        self.shared.changed.notify_all();
    }
}

fn unexpected(layer: &Wanted) -> ImageError {
    ImageError::Layer {
        blob: layer.blob.digest().to_string().into(),
        reason: "its worker ended unexpectedly".into(),
    }
}
