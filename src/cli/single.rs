//! Actions on images whose plan is known before anything is read.

use std::sync::Arc;

use super::action::{self, ActionArgs};
use super::context::Context;
use super::error::CliError;
use crate::image::registry::{Client, Options};
use crate::kernel::Watch;
use crate::kernel::linux::LinuxKernel;
use crate::kernel::linux::images::{Asking, Making, Sending};
use crate::plan::image::{self, ImageOp};

/// Carries out the steps; the status, and what the kernel then knows.
pub fn run(
    context: &Context,
    args: &ActionArgs,
    steps: Vec<(String, ImageOp)>,
    prepare: impl FnOnce(&mut Making),
) -> Result<(u8, LinuxKernel), CliError> {
    let watching = args.watching(context)?;
    let mut kernel = action::kernel(context, &watching);
    prepare(&mut kernel.images().making);
    let plan = image::plan(&action::id(context)?, steps);
    let outcome = action::carry_out(context, watching, &mut kernel, plan, &mut [])?;
    Ok((outcome.status, kernel))
}

/// Carries out steps that ask a registry; the status, and what came of them.
pub fn ask(
    context: &Context,
    args: &ActionArgs,
    mut options: Options,
    steps: Vec<(String, ImageOp)>,
    prepare: impl FnOnce(&mut Sending),
) -> Result<(u8, Sending), CliError> {
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
    context.root.join("index.json").to_string_lossy().into_owned()
}
