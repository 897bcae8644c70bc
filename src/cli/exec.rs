//! `glassbox exec`

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use oci_spec::runtime::Spec;

use super::action::ActionArgs;
use super::context::{Context, is_root};
use super::error::{CliError, io};
use super::tracing::{self, Watching};
use super::{args, output, setup};
use crate::container::id;
use crate::container::receipt::{self, Joined, Receipt, Running};
use crate::container::record::{Record, Status};
use crate::engine::{Driver, Emitter, Journal, Outcome};
use crate::kernel::linux::inside::Held;
use crate::kernel::linux::recorder::Recorder;
use crate::kernel::linux::{LinuxKernel, host, signals};
use crate::kernel::{Failure, Kernel, KernelName, Slots};
use crate::plan::cgroup::PREFIX;
use crate::plan::exec::{Attached, Standing, Target};
use crate::plan::op::Slot;
use crate::plan::{Op, Plan, Step, exec};
use crate::spec::exec::{AsUser, ExecRequest};
use crate::spec::user;
use crate::trace::{Body, Kind, Value};

/// How long the container's first process may need to end after what it took with it.
const AFTER_THE_OTHERS: Duration = Duration::from_millis(200);

/// Run a command in a running container
#[derive(Debug, Args)]
#[command(
    after_help = "With --trace the steps are told, and the life of the command: the files that it and its children change, \
                  their programs and ends, refused calls, signals. What other processes of the container do is not. \
                  With -d nobody stays to tell.\n\n\
                  -d and -t exclude each other: there is no daemon that could hold the terminal's other end."
)]
pub struct ExecArgs {
    #[command(flatten)]
    action: ActionArgs,
    #[command(flatten)]
    pub wanted: WantedArgs,
}

/// Which command is to run, in which container, and how.
#[derive(Clone, Debug, Args)]
pub struct WantedArgs {
    /// Let the command run on in the background: nothing of it is shown, and nobody waits for it
    #[arg(short, long)]
    detach: bool,
    /// Set an environment variable; without a value, the one of this shell
    #[arg(short, long, value_name = "NAME[=VALUE]")]
    env: Vec<String>,
    /// Read environment variables from a file, one on each line
    #[arg(long, value_name = "FILE")]
    env_file: Vec<PathBuf>,
    /// Keep standard input open
    #[arg(short, long)]
    interactive: bool,
    /// Every capability, and no filter of system calls
    #[arg(long)]
    privileged: bool,
    /// Give the command a terminal
    #[arg(short, long)]
    tty: bool,
    /// User, by name or number, with an optional group
    #[arg(short, long, value_name = "USER[:GROUP]")]
    user: Option<String>,
    /// Working directory inside the container
    #[arg(short, long, value_name = "DIR")]
    workdir: Option<String>,
    /// Container: its name, its id or the beginning of its id
    container: String,
    /// Command and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// Everything decided before anything is done.
struct Prepared {
    record: Record,
    target: Target,
    standing: Standing,
    /// The plan by which the container was run.
    run: Plan,
    plan: Plan,
}

/// Runs the command; the status is its own, or 125, 126, 127.
pub fn run(context: &Context, args: &ExecArgs) -> Result<u8, CliError> {
    let answer = carry_out(context, args);
    answer.map_err(|e| if e.status == 1 { e.status(125) } else { e })
}

/// The plan of such a command. Nothing is done.
pub fn foresee(context: &Context, wanted: &WantedArgs) -> Result<Plan, CliError> {
    Ok(prepare(context, wanted)?.plan)
}

fn carry_out(context: &Context, args: &ExecArgs) -> Result<u8, CliError> {
    let mut watching = args.action.watching_command(context, args.wanted.tty)?;
    allowed(context)?;
    setup::repair(context)?;
    let mut prepared = prepare(context, &args.wanted)?;
    // Nobody stays to listen to what is let run on.
    if watching.tells() && !args.wanted.detach {
        crate::plan::run::tell_life(&mut prepared.plan);
    }
    watching.check(&prepared.plan)?;
    let _signals = signals::hold();
    let receipt = Receipt::write_as(&context.run, &unused_id()?, &prepared.plan)
        .map_err(|e| io("write the plan's receipt in", &context.run, &e))?;
    let mut journal = Keeper { receipt };
    let outcome = drive(context, &prepared, &mut watching, &mut journal);
    if outcome.left.is_empty() {
        journal.receipt.remove().map_err(|e| io("remove the receipt in", &context.run, &e))?;
    }
    // A second Ctrl-C asked for what is done now.
    signals::take_all();
    watching.end()?;
    tell(&prepared, &outcome);
    Ok(outcome.status)
}

fn allowed(context: &Context) -> Result<(), CliError> {
    if context.model {
        return Err(CliError::new(
            "cannot run a command in a modelled container: none runs between two commands",
        )
        .hint("a modelled machine lives only while `glassbox --model run` does: give it the command there"));
    }
    if !is_root() {
        return Err(
            CliError::new("joining a container needs root: its namespaces and its cgroups").hint("use sudo")
        );
    }
    Ok(())
}

fn prepare(context: &Context, wanted: &WantedArgs) -> Result<Prepared, CliError> {
    allowed(context)?;
    if wanted.detach && wanted.tty {
        return Err(CliError::new(
            "-d and -t exclude each other: there is no daemon that could hold the terminal's other end",
        )
        .hint("leave out -t: what runs on in the background has nobody to read from a terminal")
        .status(125));
    }
    let request = request(wanted)?;
    let record = setup::find(context, &wanted.container)?;
    let (run, state) = match receipt::held_plan(&context.run, &record.id) {
        Ok(Some(found)) if record.status == Status::Running => found,
        Ok(_) => return Err(not_running(&wanted.container, &record)),
        Err(e) => return Err(io("read the receipt in", &context.run, &e)),
    };
    let standing = Standing::of(&run);
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let target =
        Target { id: record.id.clone(), dir: text(&context.container_dir(&record.id)), state: text(&state) };
    let spec: Spec = serde_json::from_str(record.oci.get()).map_err(|e| {
        CliError::new(format!("the specification of container {} is damaged: {e}", record.short_id()))
    })?;
    let own = spec.process().clone().unwrap_or_default();
    let as_user = match &wanted.user {
        Some(name) => Some(as_user(&target, &standing, name, own.user().uid())?),
        None => None,
    };
    let here = if request.privileged { host::facts()?.capabilities } else { 0 };
    let process = crate::spec::exec::process(&own, &request, as_user.as_ref(), here)?;
    let attached = Attached { interactive: request.interactive, detach: request.detach };
    let seccomp = standing.seccomp && !request.privileged;
    let plan = exec::plan(&target, &standing, &process, seccomp, attached)?;
    Ok(Prepared { record, target, standing, run, plan })
}

fn request(wanted: &WantedArgs) -> Result<ExecRequest, CliError> {
    let mut env = Vec::new();
    for file in &wanted.env_file {
        env.extend(args::env_file(file)?);
    }
    env.extend(wanted.env.iter().filter_map(|e| args::setting(e)));
    Ok(ExecRequest {
        command: wanted.command.clone(),
        env,
        workdir: wanted.workdir.clone(),
        privileged: wanted.privileged,
        tty: wanted.tty,
        interactive: wanted.interactive && !wanted.detach,
        detach: wanted.detach,
    })
}

fn not_running(wanted: &str, record: &Record) -> CliError {
    let (how, hint) = match (record.status, record.exit_code) {
        (Status::Exited, Some(code)) => (
            format!("is not running: it exited with {code}"),
            "`glassbox ps` lists those that run; `glassbox run` starts a new one",
        ),
        (Status::Exited, None) => (
            "is not running".to_owned(),
            "`glassbox ps` lists those that run; `glassbox run` starts a new one",
        ),
        (Status::Created | Status::Running, _) => {
            ("is not running: its command is not started yet".to_owned(), "try again in a moment")
        }
    };
    CliError::new(format!("container {wanted} {how}")).hint(hint)
}

/// A user by the database that the container has now.
fn as_user(target: &Target, standing: &Standing, name: &str, own: u32) -> Result<AsUser, CliError> {
    let held = Held::open(&target.state, &target.dir, &standing.name, &mut Recorder::off())?;
    let [passwd, group] = held.users()?;
    let resolve = |name: &str| user::resolve_in("container", name, &passwd, &group);
    Ok(AsUser { user: resolve(name)?, own_home: resolve(&own.to_string())?.home })
}

/// The name of the receipt: several commands may join one container.
fn unused_id() -> Result<String, CliError> {
    let mut bytes = [0u8; 32];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut f| std::io::Read::read_exact(&mut f, &mut bytes))
        .map_err(|e| io("read random bytes from", Path::new("/dev/urandom"), &e))?;
    Ok(id::from_bytes(bytes))
}

fn drive(context: &Context, prepared: &Prepared, watching: &mut Watching, journal: &mut Keeper) -> Outcome {
    let plan = &prepared.plan;
    let mut kernel = LinuxKernel::new(&context.root);
    let watch = watching.watch();
    kernel.reap_early(watching.stops());
    watching.plan(plan);
    let told = watching.tells();
    if told {
        kernel.joins(prepared.run.clone(), watching.unattended());
    }
    let begin = || {
        let mut begin = tracing::begin_action(context, KernelName::Linux, &kernel.release(), plan, watch);
        if let Body::Begin { names, .. } = &mut begin {
            let own = prepared.standing.name.trim_start_matches(PREFIX);
            names.push(Value::volatile(Kind::Container, own));
        }
        begin
    };
    let begin = told.then(begin);
    watching.with(|sink, pauser| {
        let mut emitter = Emitter::new(sink, tracing::clock(context.deterministic));
        if let Some(begin) = begin {
            emitter.emit(|| begin);
        }
        let driver = Driver { kernel: &mut kernel, emitter: &mut emitter, watch, pauser, journal };
        let mut outcome = driver.run(plan);
        emitter.end(&mut outcome);
        outcome
    })
}

fn tell(prepared: &Prepared, outcome: &Outcome) {
    if let Some((step, failure)) = &outcome.failed {
        let error = CliError::from(failure.clone());
        output::error(&CliError { message: format!("{} (at {step})", error.message), ..error });
    }
    for (step, failure) in &outcome.left {
        output::note(&format!(
            "{step} is not done: failed to {failure}; `glassbox system repair` tries again"
        ));
    }
    if let Some(failure) = &outcome.untold {
        output::note(&format!("the command ended, but its story is not whole: failed to {failure}"));
    }
    if outcome.failed.is_none() && outcome.status == 137 && has_ended(prepared) {
        let name = &prepared.record.name;
        output::note(&format!("container {name} ended, and the kernel killed the command with it"));
    }
}

/// Whether the container is over, or will be now that its last process is.
fn has_ended(prepared: &Prepared) -> bool {
    let Target { state, dir, .. } = &prepared.target;
    let held = Held::open(state, dir, &prepared.standing.name, &mut Recorder::off());
    held.map_or(true, |held| held.ends_within(AFTER_THE_OTHERS))
}

/// Keeps on disk which process it is: a repair has nothing else to know it by.
struct Keeper {
    receipt: Receipt,
}

impl Journal for Keeper {
    fn filled(&mut self, step: &Step, slots: &Slots) -> Result<(), Failure> {
        if !matches!(step.op, Op::SpawnInside { .. }) {
            return Ok(());
        }
        let number = |slot| slots.get(&slot).map(Value::text);
        let pid = number(Slot::ProcessPid).and_then(|t| t.parse().ok());
        let born = number(Slot::ProcessBorn).and_then(|t| t.parse().ok());
        let joined = pid.zip(born).map(|(pid, born)| Joined { pid, born });
        self.receipt
            .running(&Running { joined, ..Running::default() })
            .map_err(|e| Failure::new("write down which process joins the container", Some(e.into())))
    }

    fn interrupted(&mut self) -> Option<u8> {
        signals::take()
    }
}
