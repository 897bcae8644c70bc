//! Who carries out an action on images: the kernel of this host, or a modelled
//! machine, whose disk then keeps what was done.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::path::PathBuf;

use super::action::{self, Next};
use super::context::Context;
use super::error::{CliError, io};
use super::tracing::Watching;
use super::{commit, model, single};
use crate::container::modelled::{Disk, DiskError};
use crate::container::record;
use crate::engine::Outcome;
use crate::image::create::{Described, LayerRef};
use crate::image::index::Removed;
use crate::image::layers::Limits;
use crate::image::manifest::OCI_MANIFEST;
use crate::image::registry::Manifest;
use crate::image::registry::search::Hit;
use crate::image::save::Chosen;
use crate::image::{Incoming, Reference};
use crate::kernel::linux::LinuxKernel;
use crate::kernel::linux::images::Sending;
use crate::kernel::model::{Before, Console, ModelKernel};
use crate::kernel::{Applied, Kernel, KernelName, OnLife, Slots, StepFailure, Subject, Watch};
use crate::plan::image::{Arriving, ImageOp};
use crate::plan::{Op, Plan, Step};
use crate::trace::Fact;

/// A kernel for actions on images.
pub enum Worker {
    Real(Box<LinuxKernel>),
    Model(Box<Machine>),
}

/// A modelled machine for one action.
pub struct Machine {
    kernel: ModelKernel,
    disk: Disk,
    /// Where the containers' records are.
    root: PathBuf,
    before: Before,
    /// Files beside the store that stay.
    files: Vec<String>,
}

impl Worker {
    /// The one that the context asks for.
    pub fn new(context: &Context, watching: &Watching) -> Result<Worker, CliError> {
        match context.model {
            true => Worker::model(context),
            false => Ok(Worker::Real(Box::new(action::kernel(context, watching)))),
        }
    }

    /// A modelled machine.
    pub fn model(context: &Context) -> Result<Worker, CliError> {
        let disk = model::disk(context);
        let mut world = disk.boot()?;
        let before = world.before()?;
        model::furnish(&mut world)?;
        let console = Console { output: Box::new(|_, _| true), input: Box::new(|| None) };
        let mut kernel = ModelKernel::new(world, console);
        kernel.images().in_use = record::layers_in_use(&context.root)?;
        let root = context.root.clone();
        Ok(Worker::Model(Box::new(Machine { kernel, disk, root, before, files: Vec::new() })))
    }

    /// Carries out plans as [`action::carry_out`] does. The modelled disk keeps what
    /// they did, if they did it.
    pub fn carry_out(
        &mut self,
        context: &Context,
        watching: Watching,
        first: Plan,
        next: &mut [Next<'_, Worker>],
    ) -> Result<Outcome, CliError> {
        let outcome = action::carry_out(context, watching, self, first, next)?;
        if let (Worker::Model(machine), None) = (self, &outcome.failed) {
            machine.keep()?;
        }
        Ok(outcome)
    }

    /// What standard input has, for steps that read from `-`.
    pub fn feed(&mut self, path: &str) -> Result<(), CliError> {
        if let (Worker::Model(machine), "-") = (self, path) {
            let read = std::io::stdin().lock().read_to_end(&mut machine.kernel.images().input);
            read.map_err(|e| io("read", std::path::Path::new("standard input"), &e))?;
        }
        Ok(())
    }

    /// How far a layer may grow; on the modelled disk as far as there is room.
    pub fn limit(&mut self, limits: Limits) {
        if let Worker::Real(kernel) = self {
            kernel.images().limits = limits;
        }
    }

    /// A file that a step writes, and that stays.
    pub fn writes(&mut self, path: &str) {
        if let (Worker::Model(machine), false) = (self, path == "-") {
            machine.files.push(path.to_owned());
        }
    }

    /// The images to save.
    pub fn choose(&mut self, chosen: Vec<Chosen>) {
        match self {
            Worker::Real(kernel) => kernel.images().making.chosen = chosen,
            Worker::Model(machine) => machine.kernel.images().chosen = chosen,
        }
    }

    /// Blobs and layers that must not be collected meanwhile; nobody collects on a
    /// machine that is this action's own.
    pub fn hold(&mut self, keep: Vec<String>) {
        if let Worker::Real(kernel) = self {
            kernel.images().making.keep = keep;
        }
    }

    /// The layer that was made or read, and how many entries went into it.
    pub fn layer(&mut self) -> Option<(LayerRef, u64)> {
        match self {
            Worker::Real(kernel) => {
                let making = &kernel.images().making;
                let written = making.layer.as_ref().map(|l| (l.reference(), l.written.entries));
                written.or_else(|| making.tar.as_ref().map(|t| (t.layer.clone(), 0)))
            }
            Worker::Model(machine) => {
                machine.kernel.images().staged.as_ref().map(|s| (s.layer.clone(), s.written.entries))
            }
        }
    }

    /// Gives the described image to the step that names it, which this is.
    pub fn offer(&mut self, context: &Context, made: &Described, name: Option<Reference>) -> ImageOp {
        let incoming = commit::incoming(made, name);
        let op = ImageOp::NameImages {
            names: incoming.references.iter().map(ToString::to_string).collect(),
            images: vec![incoming.id()],
            manifests: vec![incoming.digest()],
            index: single::index(context),
        };
        match self {
            Worker::Real(kernel) => kernel.images().incoming = vec![incoming],
            Worker::Model(machine) => {
                let names = incoming.references.iter().map(ToString::to_string).collect();
                machine.kernel.images().offer(made, names);
            }
        }
        op
    }

    /// Ids of the images that came in.
    pub fn ids(&mut self) -> Vec<String> {
        match self {
            Worker::Real(kernel) => kernel.images().incoming.iter().map(Incoming::id).collect(),
            Worker::Model(machine) => machine.kernel.arriving().iter().map(|a| a.image.clone()).collect(),
        }
    }

    /// The images that a modelled archive or registry has.
    pub fn arriving(&self) -> &[Arriving] {
        match self {
            Worker::Real(_) => &[],
            Worker::Model(machine) => machine.kernel.arriving(),
        }
    }

    /// What a modelled registry answered, as a real one's answers are held.
    pub fn answers(&mut self) -> Sending {
        let mut sending = Sending::default();
        if let Worker::Model(machine) = self {
            let asked = std::mem::take(&mut machine.kernel.images().asked);
            let hit = |name: String| Hit {
                is_official: !name.contains('/'),
                name,
                description: None,
                star_count: 0,
                is_automated: false,
            };
            sending.hits = asked.hits.into_iter().map(hit).collect();
            sending.config = asked.config;
            let manifest = |(digest, bytes)| Manifest { bytes, media_type: OCI_MANIFEST.to_owned(), digest };
            sending.manifests = asked.manifest.into_iter().map(manifest).collect();
        }
        sending
    }

    /// What was removed by all steps.
    pub fn removed(&mut self) -> Removed {
        match self {
            Worker::Real(kernel) => std::mem::take(&mut kernel.images().making.removed),
            Worker::Model(machine) => std::mem::take(&mut machine.kernel.images().removed),
        }
    }
}

impl Machine {
    /// Does to the disk what was done to the machine's, and writes what goes out.
    fn keep(&mut self) -> Result<(), CliError> {
        let (root, before, files) = (&self.root, &self.before, &self.files);
        let damaged = |e: record::RecordError| DiskError::Damaged {
            path: record::containers_dir(root),
            reason: e.to_string(),
        };
        let disk = &self.disk;
        self.kernel.with_world(|machine| {
            disk.change(|world| {
                // Asked again: a container may have been made meanwhile.
                let in_use: BTreeSet<String> = record::layers_in_use(root).map_err(damaged)?;
                world.take_store(machine, before, &in_use)?;
                files.iter().try_for_each(|path| {
                    world
                        .disk_take(machine, path)
                        .map_err(|errno| DiskError::Model { path: path.clone(), errno })
                })
            })
        })?;
        let output = std::mem::take(&mut self.kernel.images().output);
        let mut out = std::io::stdout().lock();
        match out.write_all(&output).and_then(|()| out.flush()) {
            Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => {
                Err(CliError::new("standard output was closed").status(141))
            }
            other => other.map_err(|e| io("write", std::path::Path::new("standard output"), &e)),
        }
    }
}

impl Worker {
    fn kernel(&self) -> &dyn Kernel {
        match self {
            Worker::Real(kernel) => &**kernel,
            Worker::Model(machine) => &machine.kernel,
        }
    }

    fn kernel_mut(&mut self) -> &mut dyn Kernel {
        match self {
            Worker::Real(kernel) => &mut **kernel,
            Worker::Model(machine) => &mut machine.kernel,
        }
    }
}

impl Kernel for Worker {
    fn name(&self) -> KernelName {
        self.kernel().name()
    }

    fn release(&self) -> String {
        self.kernel().release()
    }

    fn begin(&mut self, plan: &Plan, watch: Watch) {
        self.kernel_mut().begin(plan, watch);
    }

    fn apply(&mut self, step: &Step, slots: &mut Slots, life: OnLife<'_>) -> Result<Applied, StepFailure> {
        self.kernel_mut().apply(step, slots, life)
    }

    fn observe(&mut self, subject: Subject, slots: &Slots) -> Vec<Fact> {
        self.kernel_mut().observe(subject, slots)
    }

    fn undo(&mut self, op: &Op, slots: &Slots) -> Result<Applied, StepFailure> {
        self.kernel_mut().undo(op, slots)
    }
}
