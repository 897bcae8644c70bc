//! Actions on images: a plan, what it finds out, and the plan that follows from
//! that, in one trace. `load` is the model for the others.

use clap::Args;

use super::context::Context;
use super::error::{CliError, io};
use super::fault::Fault;
use super::tracing::{self, TraceArgs, Watching};
use super::{output, setup};
use crate::container::receipt::Receipt;
use crate::engine::{Driver, Emitter, Journal, Outcome, leaves_something};
use crate::image::Store;
use crate::kernel::linux::images::Images;
use crate::kernel::linux::{LinuxKernel, signals};
use crate::kernel::{Failure, Kernel, Slots, Watch};
use crate::plan::image::Arriving;
use crate::plan::{Plan, Step, order};
use crate::trace::Body;

/// The flags by which an action on images is watched, stepped through and tried.
#[derive(Debug, Default, Args)]
pub struct ActionArgs {
    #[command(flatten)]
    trace: TraceArgs,
    /// Make a step fail, with EIO or the errno given, and show the rollback
    #[arg(long, value_name = "STEP[=ERRNO]")]
    fail: Option<String>,
    /// Kill this process with SIGKILL before a step: for trying out the repair
    #[arg(long, value_name = "STEP", hide = true)]
    kill_at: Option<String>,
}

impl ActionArgs {
    /// Opens the listeners.
    pub fn watching(&self, context: &Context) -> Result<Watching, CliError> {
        let fault = Fault::parse(self.fail.as_deref(), self.kill_at.as_deref())?;
        Watching::new(context, &self.trace, false, fault).map_err(|e| e.status(1))
    }

    /// Opens the listeners of a command that has a terminal, perhaps, and whose own
    /// status is this one's.
    pub fn watching_command(&self, context: &Context, tty: bool) -> Result<Watching, CliError> {
        let fault = Fault::parse(self.fail.as_deref(), self.kill_at.as_deref())?;
        Watching::new(context, &self.trace, tty, fault)
    }

    /// Somebody looks on, records, stops, or tries a fault out.
    pub fn is_watched(&self) -> bool {
        self.trace.is_on() || self.fail.is_some() || self.kill_at.is_some()
    }

    /// The user is asked before each step.
    pub fn steps(&self) -> bool {
        self.trace.steps()
    }
}

/// A kernel for actions on the images of the real store, told how it is watched.
pub fn kernel(context: &Context, watching: &Watching) -> LinuxKernel {
    let mut kernel = LinuxKernel::new(&context.root);
    let images = kernel.images();
    // What runs ahead would be there before the step that is asked about.
    images.ahead = !watching.stops() && watching.watch() != Watch::BeforeAndAfter;
    images.limits = context.limits;
    images.each_call = watching.each_call();
    images.name_whiteouts = if watching.watch() == Watch::Off { 0 } else { 8 };
    kernel
}

/// A new id for an action: its receipt has that name.
pub fn id(context: &Context) -> Result<String, CliError> {
    super::launch::new_id(context)
}

/// The plan that follows from what a kernel found.
pub type Next<'a, K> = &'a mut dyn FnMut(&mut K) -> Result<Plan, Failure>;

/// Carries out `first`, and then each of the plans that `next` makes. What they
/// leave behind has a receipt while they run. A failure is told here; the outcome's
/// status is then not 0.
pub fn carry_out<K: Kernel>(
    context: &Context,
    mut watching: Watching,
    kernel: &mut K,
    first: Plan,
    next: &mut [Next<'_, K>],
) -> Result<Outcome, CliError> {
    setup::repair(context)?;
    let watch = watching.watch();
    let begin = tracing::begin_action(context, kernel.name(), &kernel.release(), &first, watch);
    let result = watching.with(|sink, mut pauser| {
        let mut emitter = Emitter::new(sink, tracing::clock(context.deterministic));
        emitter.emit(|| begin);
        let mut plan = first;
        let mut done = 0;
        let mut outcome = loop {
            order::check(&plan).map_err(defect)?;
            if let Some(pauser) = &mut pauser {
                pauser.plan(&plan, done == next.len())?;
            }
            let receipt = receipt(context, &plan)?;
            // Where nothing is left behind, Ctrl-C may end it at once: it can be waiting
            // for a stream.
            let held = receipt.as_ref().map(|_| signals::hold());
            let mut journal = Interrupts;
            let driver = Driver {
                kernel: &mut *kernel,
                emitter: &mut emitter,
                watch,
                pauser: match &mut pauser {
                    Some(pauser) => Some(&mut **pauser),
                    None => None,
                },
                journal: &mut journal,
            };
            let mut outcome = driver.run(&plan);
            if held.is_some() {
                // A second Ctrl-C asked for what is done now.
                signals::take_all();
            }
            if let Some(receipt) = receipt.filter(|_| outcome.left.is_empty()) {
                receipt.remove().map_err(|e| io("remove the receipt in", &context.run, &e))?;
            }
            if outcome.failed.is_some() {
                outcome.status = if outcome.status == 125 { 1 } else { outcome.status };
                break outcome;
            }
            let Some(make) = next.get_mut(done) else { break outcome };
            done += 1;
            plan = make(kernel)?;
            emitter.emit(|| Body::Planned { plan: plan.clone(), names: tracing::names_of(&plan) });
        };
        emitter.end(&mut outcome);
        Ok::<_, CliError>(outcome)
    });
    let result = watching.end().and(result);
    // 125 is what `run` says; other commands say 1.
    let outcome = result.map_err(|e| if e.status == 125 { e.status(1) } else { e })?;
    tell(&outcome);
    Ok(outcome)
}

/// All steps of an action whose first plan only reads, without the others being
/// done. What has to be kept while it is read is kept beside the store.
pub fn foresee(
    context: &Context,
    first: Plan,
    prepare: impl FnOnce(&mut Images),
    next: impl FnOnce(&[Arriving]) -> Plan,
) -> Result<Plan, CliError> {
    let aside = tempfile::tempdir().map_err(|e| io("make a directory in", &std::env::temp_dir(), &e))?;
    let mut kernel = LinuxKernel::new(aside.path());
    prepare(kernel.images());
    foresee_on(&mut kernel, first, |kernel| next(&kernel.images().arriving(&Store::open(&context.root))))
}

/// The same with a kernel whose store may be looked at.
pub fn foresee_on<K: Kernel>(
    kernel: &mut K,
    first: Plan,
    next: impl FnOnce(&mut K) -> Plan,
) -> Result<Plan, CliError> {
    kernel.begin(&first, Watch::Off);
    let mut slots = Slots::new();
    for step in &first.steps {
        let done = kernel.apply(step, &mut slots, &mut |_| {});
        done.map_err(|e| CliError::from(e.failure).status(1))?;
    }
    let mut all = first;
    all.steps.extend(next(kernel).steps);
    Ok(all)
}

/// The plan on disk, if it would leave anything behind; the modelled machine is
/// gone with its process.
fn receipt(context: &Context, plan: &Plan) -> Result<Option<Receipt>, CliError> {
    if context.model || !plan.steps.iter().any(|s| leaves_something(&s.op)) {
        return Ok(None);
    }
    let written = Receipt::write(&context.run, plan);
    written.map(Some).map_err(|e| io("write the plan's receipt in", &context.run, &e))
}

fn tell(outcome: &Outcome) {
    if let Some((step, failure)) = &outcome.failed {
        let error = CliError::from(failure.clone());
        let at = if step.0.is_empty() { String::new() } else { format!(" (at {step})") };
        output::error(&CliError { message: format!("{}{at}", error.message), ..error });
    }
    for (step, failure) in &outcome.left {
        output::note(&format!(
            "{step} is not undone: failed to {failure}; `glassbox system repair` tries again"
        ));
    }
    if let Some(failure) = &outcome.untold {
        output::note(&format!("it is done, but its story is not whole: failed to {failure}"));
    }
}

fn defect(error: order::OrderError) -> CliError {
    CliError::new(error.to_string()).hint("this is a defect of glassbox: please report it")
}

/// Nothing is kept but the receipt; a Ctrl-C undoes.
struct Interrupts;

impl Journal for Interrupts {
    fn filled(&mut self, _: &Step, _: &Slots) -> Result<(), Failure> {
        Ok(())
    }

    fn interrupted(&mut self) -> Option<u8> {
        signals::take()
    }
}
