//! Actions on images whose plan is known before anything is read.

use super::action::{self, ActionArgs};
use super::context::Context;
use super::error::CliError;
use crate::kernel::linux::LinuxKernel;
use crate::kernel::linux::images::Making;
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

/// The store's `index.json`, as operations name it.
pub fn index(context: &Context) -> String {
    context.root.join("index.json").to_string_lossy().into_owned()
}
