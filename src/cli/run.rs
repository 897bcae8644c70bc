//! `glassbox run`

use clap::Args;

use super::args::ContainerArgs;
use super::context::Context;
use super::error::CliError;
use super::tracing::{TraceArgs, Watching};
use super::{fault, launch, model, output, pull, setup};

/// Run a command in a new container
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub struct RunArgs {
    #[command(flatten)]
    trace: TraceArgs,
    /// Make a step fail, with EIO or the errno given, and show the rollback
    #[arg(long, value_name = "STEP[=ERRNO]")]
    fail: Option<String>,
    /// Kill this process with SIGKILL before a step: for trying out the repair
    #[arg(long, value_name = "STEP", hide = true)]
    kill_at: Option<String>,
    /// When to fetch the image from its registry
    #[arg(long, value_name = "WHEN", default_value = "missing")]
    pull: pull::Policy,
    #[command(flatten)]
    from: pull::FromArgs,
    #[command(flatten)]
    container: ContainerArgs,
}

/// Runs the command; the status is the container's own, or 125, 126, 127.
pub fn run(context: &Context, args: RunArgs) -> Result<u8, CliError> {
    let request = args.container.request()?;
    let fault = fault::Fault::parse(args.fail.as_deref(), args.kill_at.as_deref())?;
    let watching = |recording| Watching::joined(context, &args.trace, request.tty, fault, recording);
    if !context.model {
        launch::allowed()?;
    }
    setup::repair(context).map_err(|e| e.status(125))?;
    let found = pull::ensure(context, &args.container.image, args.pull, &args.from, &args.trace);
    let ended = match found.map_err(|e| e.status(125))? {
        pull::Found::Failed(_told) => return Ok(125),
        pull::Found::Here(image, _, recording) if context.model => {
            model::run(context, &args.container, &request, &image, watching(recording)?)
        }
        pull::Found::Here(image, pin, recording) => {
            launch::run(context, &args.container, &request, *image, pin, watching(recording)?)
        }
    }
    .map_err(|e| if e.status == 1 { e.status(125) } else { e })?;
    if let Some((step, failure)) = &ended.failed {
        let error = CliError::from(failure.clone());
        output::error(&CliError { message: format!("{} (at {step})", error.message), ..error });
    }
    for (step, failure) in &ended.left {
        output::note(&format!(
            "{step} is not done: failed to {failure}; `glassbox system repair` tries again"
        ));
    }
    if let Some(failure) = &ended.untold {
        output::note(&format!("the command ended, but its story is not whole: failed to {failure}"));
    }
    Ok(ended.status)
}
