//! `--trace`, `--trace-file`, `--step`: who listens to the events of a run.

use std::io::{self, IsTerminal, Write};
use std::time::Instant;

use clap::{Args, ValueEnum};

use super::context::Context;
use super::error::CliError;
use super::fault::Fault;
use super::joined::Joined;
use super::recording::{RecordArgs, Recorder};
use super::step::Stepper;
use super::stepper::{Live, Screen};
use crate::engine::{Decision, Pauser};
use crate::kernel::linux::other_names;
use crate::kernel::{Failure, Kernel, KernelName, Slots, Watch};
use crate::plan::{Op, Plan, Step, StepId};
use crate::render::console::{Console, Level, Options};
use crate::spec::RunSpec;
use crate::trace::{Body, Event, EventSink, Kind, Life, Relayed, TRACE_VERSION, Value};

/// How a command is watched.
#[derive(Clone, Debug, Default, Args)]
pub struct TraceArgs {
    /// Tell the story on standard error: story, syscalls or full
    #[arg(long, value_name = "LEVEL", num_args = 0..=1, require_equals = true, default_missing_value = "story")]
    trace: Option<TraceLevel>,
    #[command(flatten)]
    record: RecordArgs,
    /// Stop before each step and ask: full-screen on a terminal, else line by line
    #[arg(long, value_name = "MODE", num_args = 0..=1, require_equals = true, default_missing_value = "auto")]
    step: Option<StepMode>,
}

impl TraceArgs {
    /// Opens the trace file that was asked for.
    pub fn recorder(&self, context: &Context) -> Result<Option<Recorder>, CliError> {
        let told = self.trace.is_some() || self.step.is_some();
        Recorder::open(context.lang, &self.record, !told && self.record.in_a_file())
    }

    /// Somebody looks on, or it is recorded.
    pub fn is_on(&self) -> bool {
        self.trace.is_some() || self.record.is_on() || self.step.is_some()
    }

    /// The user is asked before each step.
    pub fn steps(&self) -> bool {
        self.step.is_some()
    }
}

/// How much is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TraceLevel {
    /// What happens and why, with the calls and evidence that matter.
    Story,
    /// Every system call, decoded.
    Syscalls,
    /// Also evidence before and after, the command by hand, the man page.
    Full,
}

impl TraceLevel {
    /// The renderer's word for it.
    pub fn level(self) -> Level {
        match self {
            TraceLevel::Story => Level::Story,
            TraceLevel::Syscalls => Level::Syscalls,
            TraceLevel::Full => Level::Full,
        }
    }
}

/// Where the stepper asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StepMode {
    /// Full-screen on a terminal, else line by line.
    Auto,
    /// On the whole screen of a terminal.
    Full,
    /// Line by line.
    Line,
}

impl StepMode {
    /// Whether it is the full-screen stepper, here.
    pub fn is_full(self) -> Result<bool, CliError> {
        match self {
            StepMode::Line => Ok(false),
            StepMode::Auto => Ok(Screen::available()),
            StepMode::Full if Screen::available() => Ok(true),
            StepMode::Full => Err(CliError::new("the full-screen stepper needs a terminal")
                .hint("use --step=line to step by commands from standard input")
                .status(125)),
        }
    }
}

/// Columns of the terminal on standard error.
pub fn width() -> usize {
    rustix::termios::tcgetwinsize(io::stderr()).map_or(80, |w| usize::from(w.ws_col)).clamp(40, 120)
}

type Story = Console<Box<dyn Write>>;

/// Everyone who listens to one run.
pub struct Watching {
    tee: Option<Tee>,
    pauser: Chain,
    watch: Watch,
    unattended: bool,
    each_call: bool,
}

impl Watching {
    /// Opens the trace file, and refuses what cannot go together.
    pub fn new(
        context: &Context,
        args: &TraceArgs,
        tty: bool,
        fault: Option<Fault>,
    ) -> Result<Self, CliError> {
        Self::joined(context, args, tty, fault, None)
    }

    /// The same, where a recording may have been opened before.
    pub fn joined(
        context: &Context,
        args: &TraceArgs,
        tty: bool,
        fault: Option<Fault>,
        recording: Option<Joined>,
    ) -> Result<Self, CliError> {
        let full = args.step.map(StepMode::is_full).transpose()?;
        let live = (full == Some(true)).then(|| Live::new(context));
        let level = args.trace.or(args.step.map(|_| TraceLevel::Story)).or_else(|| {
            // Without the story a rollback that was asked for could not be seen.
            matches!(fault, Some(Fault::Fail(..)))
                .then_some(TraceLevel::Story)
                .filter(|_| io::stderr().is_terminal())
        });
        // Nobody looks on or stops between two steps: only the record has to be right.
        let unattended = level.is_none() && fault.is_none() && args.record.in_a_file();
        let file = match recording {
            Some(joined) => Some(Recorder::Part(joined)),
            None => Recorder::open(context.lang, &args.record, unattended)?,
        };
        // A story counts what a record, or a longer one, has one by one.
        let each_call = file.is_some() || live.is_some() || level.is_some_and(|l| l != TraceLevel::Story);
        // The full-screen stepper tells the story itself.
        let screen = level.filter(|_| live.is_none()).map(|level| {
            Console::new(
                Box::new(io::stderr()) as Box<dyn Write>,
                Options {
                    level: level.level(),
                    lang: context.lang,
                    width: width(),
                    colour: context.color,
                    raw: false,
                    group: args.step.is_none(),
                },
            )
        });
        let watch = match level {
            level if live.is_some() || level == Some(TraceLevel::Full) => Watch::BeforeAndAfter,
            Some(_) => Watch::After,
            None if file.is_some() || fault.is_some() => Watch::After,
            None => Watch::Off,
        };
        // The container's terminal is raw while its command lives.
        let raw = tty && io::stdin().is_terminal();
        let tee = (file.is_some() || screen.is_some() || live.is_some()).then(|| Tee {
            file,
            screen,
            live: live.clone(),
            raw,
        });
        let stepper = (full == Some(false)).then(|| Stepper::new(context));
        Ok(Watching {
            tee,
            pauser: Chain { stepper, live, fault, found: false },
            watch,
            unattended,
            each_call,
        })
    }

    /// Refuses a fault at a step that the plan does not have.
    pub fn check(&self, plan: &Plan) -> Result<(), CliError> {
        self.pauser.fault.as_ref().map_or(Ok(()), |f| f.check(plan))
    }

    /// How closely the kernel has to look.
    pub fn watch(&self) -> Watch {
        self.watch
    }

    /// Whether anybody is told what happens.
    pub fn tells(&self) -> bool {
        self.tee.is_some()
    }

    /// Whether somebody may stop between two steps.
    pub fn stops(&self) -> bool {
        self.pauser.stops()
    }

    /// The run is over and all that it leaves is in place: the full-screen stepper
    /// stays until the user leaves it.
    pub fn end(&mut self) -> Result<(), CliError> {
        self.pauser.live.as_ref().map_or(Ok(()), Live::end)
    }

    /// Whether the steps are only recorded, in a file: init need not wait for a
    /// word before each of its own.
    pub fn unattended(&self) -> bool {
        self.unattended
    }

    /// Every system call is wanted, also where there are thousands of a kind.
    pub fn each_call(&self) -> bool {
        self.each_call
    }

    /// Tells the stepper the plan.
    pub fn plan(&mut self, plan: &Plan) {
        if let Some(stepper) = &mut self.pauser.stepper {
            stepper.plan(plan);
        }
    }

    /// Lends the listeners to the engine.
    pub fn with<R>(
        &mut self,
        work: impl FnOnce(Option<&mut dyn EventSink>, Option<&mut dyn Pauser>) -> R,
    ) -> R {
        let sink = self.tee.as_mut().map(|t| t as &mut dyn EventSink);
        let pauser = self.pauser.stops().then_some(&mut self.pauser as &mut dyn Pauser);
        work(sink, pauser)
    }
}

/// The trace file and the screen.
struct Tee {
    file: Option<Recorder>,
    screen: Option<Story>,
    live: Option<Live>,
    raw: bool,
}

impl EventSink for Tee {
    fn take(&mut self, event: Event) -> io::Result<()> {
        match self {
            Tee { file: Some(file), screen: None, live: None, .. } => file.take(event),
            _ => self.event(&event),
        }
    }

    fn idle(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), Recorder::idle)
    }

    fn relayed(&mut self, event: &Relayed<'_>) -> io::Result<()> {
        match self {
            Tee { file: Some(file), screen: None, live: None, .. } => file.relayed(event),
            _ => self.take(event.event()?),
        }
    }

    fn event(&mut self, event: &Event) -> io::Result<()> {
        if let Some(file) = &mut self.file {
            file.event(event)?;
        }
        if let Some(live) = &mut self.live {
            live.event(event)?;
        }
        if let Some(screen) = &mut self.screen {
            screen.event(event)?;
            if self.raw {
                match &event.body {
                    Body::About { op: Op::Supervise { tty: true, .. }, .. } => screen.set_raw(true),
                    Body::Done { step, .. } | Body::Failed { step, .. } if step.0 == "life.supervise" => {
                        screen.set_raw(false);
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

/// First the user, then the fault.
struct Chain {
    stepper: Option<Stepper>,
    live: Option<Live>,
    fault: Option<Fault>,
    /// The fault's step is in one of the plans so far.
    found: bool,
}

impl Chain {
    fn stops(&self) -> bool {
        self.stepper.is_some() || self.live.is_some() || self.fault.is_some()
    }
}

impl Pauser for Chain {
    fn plan(&mut self, plan: &Plan, last: bool) -> Result<(), Failure> {
        if let Some(stepper) = &mut self.stepper {
            stepper.plan(plan);
        }
        if let Some(fault) = &self.fault {
            let (Fault::Fail(id, _) | Fault::Kill(id)) = fault;
            self.found |= plan.step(id).is_some();
            if last && !self.found {
                return Err(Failure::new(format!("go on: the plans have no step {id}"), None)
                    .hint("--trace shows the steps with their names"));
            }
        }
        Ok(())
    }

    fn before(&mut self, step: &Step, kernel: &mut dyn Kernel, slots: &Slots) -> Result<Decision, Failure> {
        if let Some(stepper) = &mut self.stepper
            && stepper.before(step, kernel, slots)? == Decision::Quit
        {
            return Ok(Decision::Quit);
        }
        if let Some(live) = &mut self.live
            && live.before(step, kernel, slots)? == Decision::Quit
        {
            return Ok(Decision::Quit);
        }
        self.fault.as_mut().map_or(Ok(Decision::Go), |f| f.before(step, kernel, slots))
    }

    fn wants(&mut self, life: &Life) -> bool {
        self.stepper.as_mut().is_some_and(|s| s.wants(life))
            || self.live.as_mut().is_some_and(|l| l.wants(life))
    }

    fn goes_on(&mut self) -> Result<(), Failure> {
        self.live.as_mut().map_or(Ok(()), Pauser::goes_on)
    }

    fn held(&mut self, life: &Life, kernel: &mut dyn Kernel, slots: &Slots) -> Result<(), Failure> {
        match (&mut self.stepper, &mut self.live) {
            (Some(stepper), _) => stepper.held(life, kernel, slots),
            (None, Some(live)) => live.held(life, kernel, slots),
            (None, None) => Ok(()),
        }
    }

    fn after(&mut self, step: &Step, kernel: &mut dyn Kernel, slots: &Slots) -> Result<(), Failure> {
        self.live.as_mut().map_or(Ok(()), |l| l.after(step, kernel, slots))
    }

    fn failed(&mut self, step: &StepId, failure: &Failure, kernel: &mut dyn Kernel, slots: &Slots) {
        if let Some(live) = &mut self.live {
            live.failed(step, failure, kernel, slots);
        }
    }
}

/// Microseconds since now; a deterministic clock only counts.
pub fn clock(deterministic: bool) -> impl Fn() -> u64 {
    let start = Instant::now();
    let counting = crate::play::counting();
    move || if deterministic { counting() } else { start.elapsed().as_micros() as u64 }
}

/// The first event.
pub fn begin(
    context: &Context,
    kernel: KernelName,
    release: &str,
    plan: &Plan,
    spec: &RunSpec,
    watch: Watch,
) -> Body {
    let mut names = Vec::new();
    let command = command(&mut names);
    let places: [&std::path::Path; 2] = [&context.run, &context.root];
    if kernel == KernelName::Linux {
        names.extend(other_names(&places).into_iter().map(|name| Value::volatile(Kind::Path, name)));
    }
    crate::play::begin(spec, plan, places, (kernel, release), (command, names), watch)
}

/// The command line; its places are added to the names.
fn command(names: &mut Vec<Value>) -> Vec<String> {
    let command = masked(std::env::args().skip(1).collect());
    names.extend(places(&command).map(|place| Value::volatile(Kind::Path, place)));
    command
}

/// A password on the command line is in no trace.
fn masked(mut command: Vec<String>) -> Vec<String> {
    if !command.iter().any(|a| a == "login") {
        return command;
    }
    let mut next = false;
    for arg in &mut command {
        if std::mem::take(&mut next) {
            "…".clone_into(arg);
        } else if arg == "-p" || arg == "--password" {
            next = true;
        } else if let Some(flag) =
            ["--password=", "-p"].iter().find(|f| arg.starts_with(**f) && *arg != "--password-stdin")
        {
            *arg = format!("{flag}…");
        }
    }
    command
}

/// The first event of an action on images.
pub fn begin_action(context: &Context, kernel: KernelName, release: &str, plan: &Plan, watch: Watch) -> Body {
    let path = |p: &std::path::Path| Value::volatile(Kind::Path, p.to_string_lossy());
    let mut names = vec![Value::volatile(Kind::Container, &plan.container)];
    names.extend([path(&context.run), path(&context.root)]);
    names.extend(names_of(plan));
    Body::Begin {
        version: TRACE_VERSION,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        kernel,
        release: Value::volatile(Kind::Release, release),
        command: command(&mut names),
        watch,
        plan: plan.clone(),
        names,
    }
}

/// What differs from run to run in a plan of operations on images.
pub fn names_of(plan: &Plan) -> Vec<Value> {
    let digests = plan.steps.iter().flat_map(|step| match &step.op {
        Op::Image(op) => op.digests(),
        _ => Vec::new(),
    });
    digests.map(|d| Value::volatile(Kind::Digest, d)).collect()
}

/// The paths on the command line that belong to this machine and not to the run.
fn places(command: &[String]) -> impl Iterator<Item = &str> {
    const FLAGS: [&str; 4] = ["--root", "--run-root", "--trace-file", "--env-file"];
    // Elsewhere `-i` has no value.
    let loads = command.iter().any(|a| a == "load");
    let names = move |flag: &str| FLAGS.contains(&flag) || loads && ["--input", "-i"].contains(&flag);
    let next = command.iter().skip(1).map(Some).chain([None]);
    command.iter().zip(next).filter_map(move |(arg, next)| match arg.split_once('=') {
        Some((flag, value)) if names(flag) => Some(value),
        _ => next.map(String::as_str).filter(|_| names(arg)),
    })
}

#[cfg(test)]
mod tests {
    use super::{masked, places};

    #[test]
    fn only_what_is_a_place_is_named_as_one() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        for (typed, wanted) in [
            ("--root /a exec -i one cat", &["/a"][..]),
            ("exec --env-file /b/env one cat", &["/b/env"]),
            ("load -i /c.tar --trace-file=/d.jsonl", &["/c.tar", "/d.jsonl"]),
            ("run -i box cat", &[]),
        ] {
            assert_eq!(places(&words(typed)).collect::<Vec<_>>(), wanted, "{typed}");
        }
    }

    #[test]
    fn passwords_are_masked() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        for (typed, shown) in [
            ("login -u ann -p geheim host", "login -u ann -p … host"),
            ("login --password=geheim", "login --password=…"),
            ("login -pgeheim host", "login -p… host"),
            ("login --password-stdin -u p", "login --password-stdin -u p"),
            ("run -p 80:80 box", "run -p 80:80 box"),
        ] {
            assert_eq!(masked(words(typed)), words(shown));
        }
    }
}
