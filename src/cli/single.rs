//! Actions on images whose plan is known before anything is read.

use std::sync::Arc;

use super::action::{self, ActionArgs};
use super::context::Context;
use super::error::CliError;
use super::worker::Worker;
use crate::image::registry::{Client, Options};
use crate::kernel::Watch;
use crate::kernel::linux::images::{Asking, Sending};
use crate::plan::image::{self, ImageOp};

/// Carries out the steps; the status, and who did it.
pub fn run(
    context: &Context,
    args: &ActionArgs,
    steps: Vec<(String, ImageOp)>,
    prepare: impl FnOnce(&mut Worker),
) -> Result<(u8, Worker), CliError> {
    let watching = args.watching(context)?;
    let mut worker = Worker::new(context, &watching)?;
    prepare(&mut worker);
    let plan = image::plan(&action::id(context)?, steps);
    let outcome = worker.carry_out(context, watching, plan, &mut [])?;
    Ok((outcome.status, worker))
}

/// Carries out steps that ask a registry; the status, and what came of them.
pub fn ask(
    context: &Context,
    args: &ActionArgs,
    mut options: Options,
    steps: Vec<(String, ImageOp)>,
    prepare: impl FnOnce(&mut Sending),
) -> Result<(u8, Sending), CliError> {
    if context.model {
        let (status, mut worker) = run(context, args, steps, |_| {})?;
        return Ok((status, worker.answers()));
    }
    let watching = args.watching(context)?;
    options.log = watching.watch() != Watch::Off;
    let mut kernel = action::kernel(context, &watching);
    let mut asking = Asking::new(Arc::new(Client::new(options)));
    prepare(&mut asking.sending);
    kernel.images().asking = Some(asking);
    let plan = image::plan(&action::id(context)?, steps);
    let outcome = action::carry_out(context, watching, &mut kernel, plan, &mut [])?;
    let sending = kernel.images().asking.take().map(|a| a.sending).unwrap_or_default();
    Ok((outcome.status, sending))
}

/// The store's `index.json`, as operations name it.
pub fn index(context: &Context) -> String {
    context.store().join("index.json").to_string_lossy().into_owned()
}
