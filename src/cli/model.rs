//! A run on the modelled kernel: the same request, specification, plan and drive,
//! on a machine in memory that boots from the modelled disk.

use std::io::{self, Read, Write};
use std::path::Path;

use jiff::Timestamp;

use super::args::ContainerArgs;
use super::context::Context;
use super::error::{CliError, io as io_error};
use super::launch::{self, Prepared};
use super::tracing::{self, Watching};
use crate::container::modelled::{self, Disk, DiskError};
use crate::container::receipt::{self, Receipt, Running};
use crate::container::record::{self, Record};
use crate::container::{repair, userdb};
use crate::engine::{Driver, Emitter, Journal, Outcome};
use crate::image::{Image, ImageError, demo};
use crate::kernel::linux::{signals, terminal};
use crate::kernel::model::{Console, HostEntry, ModelKernel, Stream, World};
use crate::kernel::{
    Applied, Errno, Failure, Kernel, KernelName, OnLife, Slots, StepFailure, Subject, Watch,
};
use crate::plan::op::Slot;
use crate::plan::{Op, Plan, Step};
use crate::spec::{RunRequest, RunSpec};
use crate::trace::Fact;
use crate::userland::FileType;

impl From<DiskError> for CliError {
    fn from(e: DiskError) -> Self {
        let hint = match &e {
            DiskError::Damaged { path, .. } => Some(format!(
                "remove the directory {} to begin with a new modelled machine; its containers go with it",
                path.parent().unwrap_or(path).display()
            )),
            DiskError::Image(e) => e.hint(),
            DiskError::Io { .. } | DiskError::Model { .. } => None,
        };
        CliError { message: format!("failed to {e}"), hint, status: 1 }
    }
}

/// The modelled disk of this store.
pub fn disk(context: &Context) -> Disk {
    Disk::open(&context.root)
}

/// A machine with the disk as it is now, and what every modelled machine has on it.
pub fn world(context: &Context) -> Result<World, CliError> {
    let mut world = disk(context).boot()?;
    furnish(&mut world)?;
    Ok(world)
}

/// The archive that every modelled machine has.
pub const DEMO: &str = "/root/demo.tar";

/// Puts the image `box` into the store, and an archive to load beside it, where they
/// are missing.
pub fn furnish(world: &mut World) -> Result<(), CliError> {
    world.offer_builtin()?;
    world.offer_registry().map_err(|e| {
        CliError::new(format!("failed to put the image demo into the modelled registry: {e}"))
    })?;
    if world.disk_entry(DEMO).is_none() {
        let archive = HostEntry::File { path: DEMO.to_owned(), mode: 0o644, content: demo::archive() };
        world.populate("/", &[archive]).map_err(|errno| DiskError::Model { path: DEMO.into(), errno })?;
    }
    Ok(())
}

/// The user database of an image, as the union of its layers shows it.
pub fn users(context: &Context, image: &Image) -> Result<userdb::Database, CliError> {
    let mut world = world(context)?;
    world.unpack_image(image)?;
    let dirs: Vec<_> = image.layers.iter().rev().map(|l| l.dir.clone()).collect();
    let stack = world.stack(&dirs)?;
    let text = |path: &str| -> Result<String, CliError> {
        let Some((_, named)) = stack.find(0, path.as_bytes())? else { return Ok(String::new()) };
        let Some((layer, stat)) = named.shown().filter(|(_, s)| s.kind == FileType::File) else {
            return Ok(String::new());
        };
        let Some(dir) = stack.tree(layer).dir(b"etc")? else { return Ok(String::new()) };
        let mut bytes = vec![0; usize::try_from(stat.size).unwrap_or(0)];
        let n = dir.file(&named.name)?.read_at(&mut bytes, 0).map_err(|e| ImageError::io("read", path, e))?;
        Ok(String::from_utf8_lossy(&bytes[..n]).into_owned())
    };
    Ok(userdb::Database { passwd: text("etc/passwd")?, group: text("etc/group")? })
}

/// What a container changed, sorted by path.
pub fn changes(context: &Context, record: &Record) -> Result<Vec<(String, char)>, CliError> {
    let upper = modelled::container_dir(&record.id).join("upper");
    let lower: Vec<String> = record.layers.iter().rev().map(|l| l.to_string_lossy().into_owned()).collect();
    let upper = upper.to_string_lossy();
    disk(context)
        .boot()?
        .changes(&upper, &lower)
        .map_err(|errno| DiskError::Model { path: upper.into_owned(), errno }.into())
}

/// Removes a container that does not run.
pub fn remove(context: &Context, id: &str) -> Result<(), CliError> {
    let path = modelled::container_dir(id).to_string_lossy().into_owned();
    let disk = disk(context);
    if disk.boot()?.disk_entry(&path).is_some() {
        disk.change(|world| {
            world.disk_remove(&path).map(drop).map_err(|errno| DiskError::Model { path: path.clone(), errno })
        })?;
    }
    let dir = record::containers_dir(&context.root).join(id);
    repair::remove_tree(&dir).map_err(|e| io_error("remove", &dir, &e))
}

/// Forgets the containers of killed commands: their machine is gone with all it
/// had in memory.
pub fn repair(context: &Context) -> Result<Vec<repair::Repaired>, CliError> {
    let failed = |e| io_error("read the receipts in", &context.run, &e);
    let mut all = Vec::new();
    for one in receipt::cut_off(&context.run).map_err(failed)? {
        if let Some(id) = &one.id {
            remove(context, id)?;
        }
        one.receipt.remove().map_err(failed)?;
        all.extend(one.id.map(|id| repair::Repaired { id, removed: true, ..repair::Repaired::default() }));
    }
    Ok(all)
}

/// Ends the command that runs a container, and its machine with it.
pub fn kill(running: &Running) {
    if let Some(pid) = running.runner {
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
    }
}

/// Runs the container to its end.
pub fn run(
    context: &Context,
    args: &ContainerArgs,
    request: &RunRequest,
    image: &Image,
    mut watching: Watching,
) -> Result<Outcome, CliError> {
    let Prepared { spec, mut plan } = launch::prepare(context, args, request, image, false)?;
    if watching.tells() {
        crate::plan::run::tell_life(&mut plan);
    }
    watching.check(&plan)?;
    let record = launch::record(&spec, args, request)?;
    let dir = record.dir(&context.root);
    std::fs::create_dir_all(&dir).map_err(|e| io_error("make the container's directory", &dir, &e))?;
    let result = carry_out(context, &plan, &spec, &record, &mut watching);
    if !matches!(&result, Ok(outcome) if stays(&spec, outcome)) {
        repair::remove_tree(&dir).map_err(|e| io_error("remove", &dir, &e))?;
    }
    watching.end().and(result)
}

fn carry_out(
    context: &Context,
    plan: &Plan,
    spec: &RunSpec,
    record: &Record,
    watching: &mut Watching,
) -> Result<Outcome, CliError> {
    let receipt = Receipt::write(&context.run, plan)
        .map_err(|e| io_error("write the plan's receipt in", &context.run, &e))?;
    let mut journal = Keeper { receipt, running: Running::default() };
    record.save(&context.root)?;
    let disk = disk(context);
    let kernel = machine(disk.boot()?, record)?;
    let mut session = Session { kernel, held: Some(signals::hold()) };
    let outcome = drive(context, plan, spec, watching, &mut session, &mut journal);
    session.held = None;
    let keep = kept(plan, spec, &outcome);
    if !keep.is_empty() {
        // Another command may have removed the image meanwhile: the container needs it.
        let below = |world: &World| -> Vec<String> {
            let dirs = record.layers.iter().map(|l| l.to_string_lossy().into_owned());
            dirs.filter(|dir| world.disk_entry(dir).is_none()).collect()
        };
        session.kernel.with_world(|machine| {
            disk.change(|world| {
                let lost = if spec.remove { Vec::new() } else { below(world) };
                keep.iter().chain(&lost).try_for_each(|path| {
                    world
                        .disk_take(machine, path)
                        .map_err(|errno| DiskError::Model { path: path.clone(), errno })
                })
            })
        })?;
    }
    if stays(spec, &outcome) {
        record.save_with(&context.root, |r| {
            r.started = journal.running.started;
            r.address.clone_from(&journal.running.address);
        })?;
        // Its command was killed by the undo.
        let status = if outcome.kept { repair::KILLED } else { outcome.status };
        record::finish(&record.dir(&context.root).join("record.json"), status)?;
    }
    journal.receipt.remove().map_err(|e| io_error("remove the receipt in", &context.run, &e))?;
    Ok(outcome)
}

/// The machine as it is before the plan: the container's directory with its record
/// is there, and the image's blobs.
fn machine(mut world: World, record: &Record) -> Result<ModelKernel, CliError> {
    let (image, entries) = modelled::image(&world);
    let dir = modelled::container_dir(&record.id).to_string_lossy().into_owned();
    let content = serde_json::to_vec(record)
        .map_err(|e| CliError::new(format!("cannot write the container's record as JSON: {e}")))?;
    let file = HostEntry::File { path: "record.json".to_owned(), mode: 0o644, content };
    world.populate(&dir, &[file]).map_err(|errno| DiskError::Model { path: dir, errno })?;
    let mut kernel = ModelKernel::new(world, console());
    for (layer, entries) in image.layers.iter().zip(entries) {
        kernel.offer_blob(&layer.blob, entries);
    }
    Ok(kernel)
}

/// The container is still there when the command has ended: what it wrote stays.
fn stays(spec: &RunSpec, outcome: &Outcome) -> bool {
    !spec.remove && (outcome.failed.is_none() || outcome.kept)
}

/// The paths of the modelled disk that a run may have changed and that stay.
fn kept(plan: &Plan, spec: &RunSpec, outcome: &Outcome) -> Vec<String> {
    let text = |p: &Path| p.to_string_lossy().into_owned();
    let mut keep: Vec<String> = plan
        .steps
        .iter()
        .filter_map(|s| match &s.op {
            Op::UnpackLayer { dir, .. } => Some(dir.clone()),
            Op::Bind { source, .. }
                if outcome.started && !source.starts_with(&text(&spec.dirs.container)) =>
            {
                Some(source.clone())
            }
            _ => None,
        })
        .collect();
    if stays(spec, outcome) {
        keep.push(text(&spec.dirs.container));
    }
    keep
}

fn drive(
    context: &Context,
    plan: &Plan,
    spec: &RunSpec,
    watching: &mut Watching,
    session: &mut Session,
    journal: &mut Keeper,
) -> Outcome {
    let watch = watching.watch();
    watching.plan(plan);
    let begin = tracing::begin(context, session.name(), &session.release(), plan, spec, watch);
    watching.with(|sink, pauser| {
        let mut emitter = Emitter::new(sink, tracing::clock(context.deterministic));
        emitter.emit(|| begin);
        let driver = Driver { kernel: session, emitter: &mut emitter, watch, pauser, journal };
        let mut outcome = driver.run(plan);
        emitter.end(&mut outcome);
        outcome
    })
}

/// Standard streams of this process. What is written comes out at once.
fn console() -> Console {
    Console {
        output: Box::new(|stream, bytes| {
            let written = match stream {
                Stream::Stdout => write_now(&mut io::stdout().lock(), bytes),
                Stream::Stderr => write_now(&mut io::stderr().lock(), bytes),
            };
            written.is_ok()
        }),
        input: Box::new(|| {
            let mut bytes = vec![0; 4096];
            match io::stdin().lock().read(&mut bytes) {
                Ok(n) if n > 0 => {
                    bytes.truncate(n);
                    Some(bytes)
                }
                _ => None,
            }
        }),
    }
}

fn write_now(out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    out.write_all(bytes)?;
    out.flush()
}

/// The kernel, with what this process does around the container's life: signals
/// end it while the command runs, and its terminal is raw for a container with one.
struct Session {
    kernel: ModelKernel,
    held: Option<signals::Held>,
}

impl Kernel for Session {
    fn name(&self) -> KernelName {
        self.kernel.name()
    }

    fn release(&self) -> String {
        self.kernel.release()
    }

    fn begin(&mut self, plan: &Plan, watch: Watch) {
        self.kernel.begin(plan, watch);
    }

    fn apply(&mut self, step: &Step, slots: &mut Slots, life: OnLife<'_>) -> Result<Applied, StepFailure> {
        let Op::Supervise { tty, interactive, .. } = step.op else {
            return self.kernel.apply(step, slots, life);
        };
        self.held = None;
        let _raw = (tty && interactive).then(terminal::Raw::enter);
        self.kernel.apply(step, slots, life)
    }

    fn observe(&mut self, subject: Subject, slots: &Slots) -> Vec<Fact> {
        self.kernel.observe(subject, slots)
    }

    fn undo(&mut self, op: &Op, slots: &Slots) -> Result<Applied, StepFailure> {
        self.kernel.undo(op, slots)
    }
}

/// Keeps the run-time state on disk while the plan runs.
struct Keeper {
    receipt: Receipt,
    running: Running,
}

impl Journal for Keeper {
    fn filled(&mut self, step: &Step, slots: &Slots) -> Result<(), Failure> {
        if !matches!(step.op, Op::Exec { .. }) {
            return Ok(());
        }
        self.running = Running {
            pid: slots.get(&Slot::InitPid).and_then(|v| v.text().parse().ok()),
            address: slots.get(&Slot::Address).map(crate::trace::Value::text),
            started: Some(Timestamp::now()),
            runner: i32::try_from(std::process::id()).ok(),
            ..Running::default()
        };
        self.receipt
            .running(&self.running)
            .map_err(|e| Failure::new("write the run-time state of the container", Some(Errno::from(e))))
    }

    fn interrupted(&mut self) -> Option<u8> {
        signals::take()
    }
}
