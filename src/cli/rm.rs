//! `glassbox rm`

use std::path::Path;

use clap::Args;

use super::action::{self, ActionArgs};
use super::context::Context;
use super::error::{CliError, io};
use super::{model, output, setup};
use crate::container::record::{self, Record, RecordError, Status};
use crate::container::{id, repair};
use crate::kernel::model::{Console, ModelKernel};
use crate::plan::container::{self, Changes};

/// Remove containers, with what they wrote
#[derive(Debug, Args)]
pub struct RmArgs {
    /// Also a running container (it is killed), and no error for one that is not there
    #[arg(short, long)]
    force: bool,
    #[command(flatten)]
    action: ActionArgs,
    /// Names, ids or beginnings of ids
    #[arg(required = true)]
    containers: Vec<String>,
}

/// Runs the command. Goes on past errors; the status is 1 if there was one.
pub fn run(context: &Context, args: &RmArgs) -> Result<u8, CliError> {
    setup::repair(context)?;
    if args.containers.len() > 1 && args.action.is_watched() {
        return Err(CliError::new("only one removal at a time can be watched")
            .hint("remove the containers one by one, or leave the flags of the trace out"));
    }
    let mut failed = false;
    for wanted in &args.containers {
        match watched(context, wanted, args) {
            Ok(0) => output::print(&format!("{wanted}\n"))?,
            Ok(_) => failed = true,
            Err(e) => {
                output::error(&e);
                failed = true;
            }
        }
    }
    Ok(u8::from(failed))
}

/// Removes one container; the status is not 0 when that failed, and was told.
fn watched(context: &Context, wanted: &str, args: &RmArgs) -> Result<u8, CliError> {
    let Some(record) = ended(context, wanted, args.force)? else { return Ok(0) };
    if !args.action.is_watched() {
        return remove(context, &record).map(|()| 0);
    }
    let watching = args.action.watching(context)?;
    let dir = context.container_dir(&record.id);
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let changes = Changes {
        upper: text(&dir.join("upper")),
        lower: record.layers.iter().rev().map(|l| text(l)).collect(),
    };
    let plan = container::remove(&record.id, &text(&dir), Some(changes));
    watching.check(&plan)?;
    if !context.model {
        let mut kernel = action::kernel(context, &watching);
        return Ok(action::carry_out(context, watching, &mut kernel, plan, &mut [])?.status);
    }
    let mut kernel = ModelKernel::new(model::disk(context).boot()?, nobody());
    let outcome = action::carry_out(context, watching, &mut kernel, plan, &mut [])?;
    if outcome.failed.is_none() {
        // The machine was in memory: what it did is kept on its disk.
        remove(context, &record)?;
    }
    Ok(outcome.status)
}

/// Removes one container.
pub fn one(context: &Context, wanted: &str, force: bool) -> Result<(), CliError> {
    ended(context, wanted, force)?.map_or(Ok(()), |record| remove(context, &record))
}

/// The record of a container that has ended, if need be just now. `None`: nothing
/// is left to remove.
fn ended(context: &Context, wanted: &str, force: bool) -> Result<Option<Record>, CliError> {
    let record = match setup::find(context, wanted) {
        Ok(record) => record,
        Err(RecordError::Unknown(_)) if force => return damaged(context, wanted).map(|()| None),
        Err(e) => return Err(e.into()),
    };
    if record.status != Status::Exited {
        if !force {
            return Err(CliError::new(format!("cannot remove {wanted}: it is running"))
                .hint("end its command first, or use `glassbox rm -f`, which kills it"));
        }
        setup::kill_and_wait(context, &record)?;
    }
    Ok(Some(record))
}

/// No process runs on the machine.
fn nobody() -> Console {
    Console { output: Box::new(|_, _| true), input: Box::new(|| None) }
}

fn remove(context: &Context, record: &Record) -> Result<(), CliError> {
    if context.model {
        return model::remove(context, &record.id);
    }
    let dir = record.dir(&context.root);
    repair::remove_tree(&dir).map_err(|e| io("remove", &dir, &e))
}

/// With `--force` a container whose record cannot be read goes by its full id.
fn damaged(context: &Context, wanted: &str) -> Result<(), CliError> {
    if wanted.len() != 64 || !id::is_prefix(wanted) {
        return Ok(());
    }
    let dir = record::containers_dir(&context.root).join(wanted);
    repair::remove_tree(&dir).map_err(|e| io("remove", &dir, &e))
}
