//! A run on the real kernel: image, specification, plan, receipt, and the drive.

use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::args::ContainerArgs;
use super::context::{Context, is_root};
use super::error::{CliError, io};
use super::tracing::Watching;
use super::{setup, tracing};
use crate::container::receipt::{Receipt, Running};
use crate::container::record::{RECORD_VERSION, Record, Status};
use crate::container::repair::{self, KILLED};
use crate::container::{id, name};
use crate::engine::{Driver, Emitter, Journal, Outcome};
use crate::image::Image;
use crate::image::store::Pin;
use crate::kernel::linux::{LinuxKernel, host, signals};
use crate::kernel::model::ModelKernel;
use crate::kernel::{Failure, HostFacts, Slots};
use crate::plan::op::Slot;
use crate::plan::{Op, Plan, Step};
use crate::spec::build::{self, Inputs};
use crate::spec::{Dirs, Network, RunRequest, RunSpec};

/// How long the kernel may need for the links of a network namespace that ended;
/// after it the step that makes the link says that there is one.
const TAKEN_APART: Duration = Duration::from_secs(10);

/// Everything decided about a run before anything of it is done.
pub struct Prepared {
    pub spec: RunSpec,
    pub plan: Plan,
}

/// Makes specification and plan of a container of the image. Writes nothing.
pub fn prepare(
    context: &Context,
    args: &ContainerArgs,
    request: &RunRequest,
    image: &Image,
    plan_only: bool,
) -> Result<Prepared, CliError> {
    let facts = if context.model { ModelKernel::host_facts() } else { host::facts()? };
    let id = new_id(context)?;
    let name = match &args.name {
        Some(name) => {
            if !plan_only && let Ok(other) = setup::find(context, name) {
                return Err(CliError::new(format!(
                    "the name {name:?} is taken by container {}",
                    other.short_id()
                ))
                .hint(format!("remove it with `glassbox rm {name}`, or choose another name"))
                .status(125));
            }
            name.clone()
        }
        None => free_name(context, &id),
    };
    let user = setup::user(context, image, request)?;
    let dirs = Dirs {
        container: context.container_dir(&id),
        scope: context.scope.clone(),
        leases: context.leases(),
    };
    let host_name = if context.model { ModelKernel::HOST_NAME.to_owned() } else { facts_host_name() };
    let spec = build::build(Inputs {
        id,
        name,
        request,
        image,
        user,
        facts: &facts,
        bridge: context.bridge.clone(),
        dirs,
        host_name,
    })?;
    let plan = plan(&spec, &facts)?;
    Ok(Prepared { spec, plan })
}

fn plan(spec: &RunSpec, facts: &HostFacts) -> Result<Plan, CliError> {
    Ok(crate::plan::run::plan(spec, facts)?)
}

fn facts_host_name() -> String {
    nix::unistd::gethostname().map_or_else(|_| "localhost".to_owned(), |n| n.to_string_lossy().into_owned())
}

/// A new id: 64 hexadecimal digits.
pub fn new_id(context: &Context) -> Result<String, CliError> {
    // The model has no randomness of its own.
    if context.deterministic || context.model {
        let free = |n: &u64| {
            !crate::container::record::containers_dir(&context.root).join(id::deterministic(*n)).exists()
        };
        return Ok(id::deterministic((1..).find(free).unwrap_or(1)));
    }
    let mut bytes = [0u8; 32];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut f| std::io::Read::read_exact(&mut f, &mut bytes))
        .map_err(|e| io("read random bytes from", Path::new("/dev/urandom"), &e))?;
    Ok(id::from_bytes(bytes))
}

fn free_name(context: &Context, id: &str) -> String {
    let taken: Vec<String> =
        setup::records(context).unwrap_or_default().into_iter().map(|r| r.name).collect();
    (0..).map(|n| name::from_id(id, n)).find(|n| !taken.contains(n)).unwrap_or_else(|| id[..12].to_owned())
}

/// Refuses a run to who cannot make one.
pub fn allowed() -> Result<(), CliError> {
    if !is_root() {
        return Err(CliError::new(
            "running a container needs root: new namespaces, mounts, cgroups and network rules",
        )
        .hint(
            "use sudo; or add --model to run it on the modelled kernel, without privileges; \
                 running without root on the real kernel is not there yet",
        )
        .status(125));
    }
    Ok(())
}

/// Runs a container of the image to its end. The pin holds the image until the
/// record says that a container needs it.
pub fn run(
    context: &Context,
    args: &ContainerArgs,
    request: &RunRequest,
    image: Image,
    pin: Option<Pin>,
    mut watching: Watching,
) -> Result<Outcome, CliError> {
    let Prepared { spec, mut plan } = prepare(context, args, request, &image, false)?;
    if watching.tells() {
        crate::plan::run::tell_life(&mut plan);
    }
    watching.check(&plan)?;
    if context.deterministic {
        wait_for_link(&plan);
    }
    let record = record(&spec, args, request)?;
    let dir = &spec.dirs.container;
    let _signals = signals::hold();
    // From here on a cut-off run is found and undone by its receipt.
    let receipt = Receipt::write(&context.run, &plan)
        .map_err(|e| io("write the plan's receipt in", &context.run, &e))?;
    let made = std::fs::create_dir_all(dir)
        .map_err(|e| io("make the container's directory", dir, &e))
        .and_then(|()| record.save(&context.root).map_err(CliError::from));
    if let Err(e) = made {
        let _ = repair::remove_tree(dir);
        let _ = receipt.remove();
        return Err(e);
    }
    drop(pin);
    let mut journal = Keeper { receipt, running: Running::default() };
    let outcome = drive(context, &plan, &spec, &mut watching, &mut journal);
    let finished = finish(context, &spec, &outcome, journal);
    // A second Ctrl-C asked for what is done now.
    signals::take_all();
    finished.and(watching.end()).map(|()| outcome)
}

/// Waits until the link that the plan makes is free. A deterministic run has the
/// name of the one before it, and the kernel takes that one's link apart a moment
/// after its last process.
fn wait_for_link(plan: &Plan) {
    let made = |step: &Step| match &step.op {
        Op::CreateVeth { host, .. } => Some(host.clone()),
        _ => None,
    };
    let Some(link) = plan.steps.iter().find_map(made) else { return };
    let deadline = Instant::now() + TAKEN_APART;
    while nix::net::if_::if_nametoindex(link.as_str()).is_ok() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn drive(
    context: &Context,
    plan: &Plan,
    spec: &RunSpec,
    watching: &mut Watching,
    journal: &mut Keeper,
) -> Outcome {
    let mut kernel = LinuxKernel::new(&context.root);
    kernel.let_init_run_ahead(watching.unattended());
    let watch = watching.watch();
    watching.plan(plan);
    let name = crate::kernel::Kernel::name(&kernel);
    watching.with(|sink, pauser| {
        let mut emitter = Emitter::new(sink, tracing::clock(context.deterministic));
        emitter.emit(|| tracing::begin(context, name, &host::release(), plan, spec, watch));
        let driver = Driver { kernel: &mut kernel, emitter: &mut emitter, watch, pauser, journal };
        let mut outcome = driver.run(plan);
        emitter.end(&mut outcome);
        outcome
    })
}

/// The receipt goes when nothing of the plan is left; a container whose command
/// never ran goes with it.
fn finish(context: &Context, spec: &RunSpec, outcome: &Outcome, journal: Keeper) -> Result<(), CliError> {
    let dir = &spec.dirs.container;
    if outcome.kept {
        // Its command was killed by the undo.
        crate::container::record::finish(&dir.join("record.json"), KILLED)?;
    } else if outcome.failed.is_some() {
        repair::remove_tree(dir).map_err(|e| io("remove", dir, &e))?;
    }
    if !outcome.left.is_empty() {
        return Ok(());
    }
    journal.receipt.remove().map_err(|e| io("remove the receipt in", &context.run, &e))
}

/// The record of a container whose plan is about to be carried out.
pub fn record(spec: &RunSpec, args: &ContainerArgs, request: &RunRequest) -> Result<Record, CliError> {
    let network = match &spec.network {
        Network::Host => "host",
        Network::None => "none",
        Network::Bridge(_) => "bridge",
    };
    let oci = serde_json::value::to_raw_value(&spec.oci)
        .map_err(|e| CliError::new(format!("cannot write the specification as JSON: {e}")))?;
    Ok(Record {
        version: RECORD_VERSION,
        id: spec.id.clone(),
        name: spec.name.clone(),
        image: args.image.clone(),
        image_id: spec.image.id.clone(),
        layers: spec.image.layers.iter().map(|l| l.dir.clone()).collect(),
        command: spec.oci.process().as_ref().and_then(|p| p.args().clone()).unwrap_or_default(),
        requested: request.into(),
        created: Timestamp::now(),
        status: Status::Created,
        exit_code: None,
        started: None,
        finished: None,
        pid: None,
        network: network.to_owned(),
        address: None,
        ports: match &spec.network {
            Network::Bridge(b) => b.ports.clone(),
            Network::Host | Network::None => Vec::new(),
        },
        remove: spec.remove,
        oci,
    })
}

/// Keeps the run-time state on disk while the plan runs.
struct Keeper {
    receipt: Receipt,
    running: Running,
}

impl Journal for Keeper {
    fn filled(&mut self, step: &Step, slots: &Slots) -> Result<(), Failure> {
        match step.op {
            Op::Exec { .. } => {
                self.running = Running {
                    pid: slots.get(&Slot::InitPid).and_then(|v| v.text().parse().ok()),
                    address: slots.get(&Slot::Address).map(crate::trace::Value::text),
                    started: Some(Timestamp::now()),
                    ..Running::default()
                };
            }
            // A kill or a failure before the record says it must not lose it.
            Op::Supervise { .. } => {
                self.running.exit = slots.get(&Slot::ExitStatus).and_then(|v| v.text().parse().ok());
            }
            _ => return Ok(()),
        }
        self.receipt
            .running(&self.running)
            .map_err(|e| Failure::new("write the run-time state of the container", Some(e.into())))
    }

    fn interrupted(&mut self) -> Option<u8> {
        signals::take()
    }
}
