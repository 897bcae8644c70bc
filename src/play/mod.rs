//! A whole run on the modelled kernel as one call: a request goes in, events and
//! output come out. For places without a command line: the player in the book,
//! compiled for WebAssembly, and measurements. Everything is deterministic.

mod begin;
mod request;

use std::cell::{Cell, RefCell};
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::rc::Rc;

pub use begin::begin;
pub use request::Request;

use crate::container::{id, name};
use crate::engine::{Driver, Emitter, Journal, Outcome};
use crate::image::builtin::{self, Entry};
use crate::image::{Image, digest};
use crate::kernel::model::{Console, ModelKernel, STORE, Stream, World};
use crate::kernel::{Failure, Kernel, Slots};
use crate::plan::Step;
use crate::spec::build::{self, Inputs};
use crate::spec::{BridgeNetwork, Dirs, RunRequest, RunSpec, SpecError, user};
use crate::trace::{Body, Event, EventSink};
use crate::userland::PROGRAMS;

/// Where a run on the model keeps what must not outlive the machine.
const RUN: &str = "/run/glassbox";

/// What a container wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The number of the last event before it.
    pub after: u64,
    /// Standard output or standard error.
    pub stream: Stream,
    /// What was written at once.
    pub bytes: Vec<u8>,
}

/// What a run was.
#[derive(Clone, Debug)]
pub struct Played {
    /// From `begin` to `end`.
    pub events: Vec<Event>,
    /// In the order in which it came.
    pub output: Vec<Written>,
    /// The exit status of `run`.
    pub status: u8,
    /// The disk as the run left it, for [`Request::disk`] of a later one.
    pub disk: Vec<u8>,
}

impl Played {
    /// All that went to one stream.
    pub fn text(&self, stream: Stream) -> Vec<u8> {
        self.output.iter().filter(|w| w.stream == stream).flat_map(|w| w.bytes.iter().copied()).collect()
    }
}

/// The built-in image as this machine has it, and what its layers hold.
pub fn image(world: &World) -> (Image, Vec<Vec<Entry>>) {
    let mut image = builtin::model_image(PROGRAMS);
    for layer in &mut image.layers {
        let hex = digest::hex(&layer.chain_id).unwrap_or_default();
        layer.dir = Path::new(STORE).join("layers").join(hex).join("diff");
        layer.unpacked = world.disk_entry(&layer.dir.to_string_lossy()).is_some();
    }
    (image, builtin::layers(PROGRAMS).into_iter().map(|l| l.entries).collect())
}

/// The directory of a container on the modelled disk.
pub fn container_dir(id: &str) -> PathBuf {
    Path::new(STORE).join("containers").join(id)
}

/// The default network of a store that is the machine's only one.
pub fn network() -> BridgeNetwork {
    BridgeNetwork {
        bridge: "glass0".to_owned(),
        table: "glassbox".to_owned(),
        subnet: Ipv4Addr::new(10, 189, 0, 0),
        prefix: 16,
        gateway: Ipv4Addr::new(10, 189, 0, 1),
        ports: Vec::new(),
    }
}

/// Carries a request out, from the image to the end of the container.
///
/// # Errors
/// A request that cannot be met, or a disk that was not saved by a run. A step
/// that fails is no error: the events tell it, and the status is 125 to 127.
pub fn run(request: &Request) -> Result<Played, SpecError> {
    let wanted = request.run()?;
    let mut world = match &request.disk {
        None => World::new(),
        Some(disk) => {
            World::load(disk.as_bytes()).map_err(|e| SpecError::new(format!("cannot use this disk: {e}")))?
        }
    };
    let (image, entries) = image(&world);
    let spec = specification(&world, &wanted, &image)?;
    let plan = crate::plan::run::plan(&spec, &ModelKernel::host_facts())
        .map_err(|failure| SpecError { message: format!("failed to {failure}"), hint: failure.hint })?;
    let dir = spec.dirs.container.to_string_lossy().into_owned();
    world.populate(&dir, &[]).map_err(|e| SpecError::new(format!("cannot make {dir}: {e}")))?;

    let seq = Rc::new(Cell::new(0));
    let output: Rc<RefCell<Vec<Written>>> = Rc::default();
    let mut kernel = ModelKernel::new(world, console(request, &seq, &output));
    for (layer, entries) in image.layers.iter().zip(entries) {
        kernel.offer_blob(&layer.blob, entries);
    }
    let watch = request.watch;
    let told = begin(
        &spec,
        &plan,
        [Path::new(RUN), Path::new(STORE)],
        (kernel.name(), &kernel.release()),
        (Vec::new(), Vec::new()),
        watch,
    );
    let mut sink = Keep { events: Vec::new(), seq };
    let mut emitter = Emitter::new(Some(&mut sink), counting());
    emitter.emit(|| told);
    let driver =
        Driver { kernel: &mut kernel, emitter: &mut emitter, watch, pauser: None, journal: &mut NoDisk };
    let outcome: Outcome = driver.run(&plan);
    emitter.emit(|| Body::End { status: outcome.status });
    let output = output.take();
    Ok(Played { events: sink.events, output, status: outcome.status, disk: kernel.save() })
}

/// A clock that counts the times it is asked.
pub fn counting() -> impl Fn() -> u64 {
    let count = Cell::new(0);
    move || {
        count.set(count.get() + 1);
        count.get()
    }
}

fn specification(world: &World, request: &RunRequest, image: &Image) -> Result<RunSpec, SpecError> {
    let taken = |id: &str| world.disk_entry(&container_dir(id).to_string_lossy()).is_some();
    let id = (1..).map(id::deterministic).find(|id| !taken(id)).unwrap_or_default();
    let name = name::from_id(&id, 0);
    let wanted = match &request.user {
        Some(user) => user.clone(),
        None => image.config.config().as_ref().and_then(|c| c.user().clone()).unwrap_or_default(),
    };
    let user = user::resolve(&wanted, &builtin::text_of("etc/passwd"), &builtin::text_of("etc/group"))?;
    let bridge = network();
    let dirs = Dirs {
        container: container_dir(&id),
        scope: String::new(),
        leases: Path::new(RUN).join("networks").join(&bridge.bridge).join("leases"),
    };
    build::build(Inputs {
        id,
        name,
        request,
        image,
        user,
        facts: &ModelKernel::host_facts(),
        bridge,
        dirs,
        host_name: ModelKernel::HOST_NAME.to_owned(),
    })
}

fn console(request: &Request, seq: &Rc<Cell<u64>>, output: &Rc<RefCell<Vec<Written>>>) -> Console {
    let mut input = Some(request.input.clone().into_bytes()).filter(|i| !i.is_empty());
    let (seq, output) = (seq.clone(), output.clone());
    Console {
        output: Box::new(move |stream, bytes| {
            output.borrow_mut().push(Written { after: seq.get(), stream, bytes: bytes.to_vec() });
            true
        }),
        input: Box::new(move || input.take()),
    }
}

/// Keeps every event.
struct Keep {
    events: Vec<Event>,
    seq: Rc<Cell<u64>>,
}

impl EventSink for Keep {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        self.take(event.clone())
    }

    fn take(&mut self, event: Event) -> io::Result<()> {
        self.seq.set(event.seq);
        self.events.push(event);
        Ok(())
    }
}

/// Nothing outlives the call, so there is nothing to keep beside it.
struct NoDisk;

impl Journal for NoDisk {
    fn filled(&mut self, _step: &Step, _slots: &Slots) -> Result<(), Failure> {
        Ok(())
    }

    fn interrupted(&mut self) -> Option<u8> {
        None
    }
}

#[cfg(test)]
mod tests;
