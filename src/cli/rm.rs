//! `glassbox rm`

use clap::Args;

use super::context::Context;
use super::error::{CliError, io};
use super::{model, output, setup};
use crate::container::record::{self, RecordError, Status};
use crate::container::{id, repair};

/// Remove containers, with what they wrote
#[derive(Debug, Args)]
pub struct RmArgs {
    /// Also a running container (it is killed), and no error for one that is not there
    #[arg(short, long)]
    force: bool,
    /// Names, ids or beginnings of ids
    #[arg(required = true)]
    containers: Vec<String>,
}

/// Runs the command. Goes on past errors; the status is 1 if there was one.
pub fn run(context: &Context, args: &RmArgs) -> Result<u8, CliError> {
    setup::repair(context)?;
    let mut failed = false;
    for wanted in &args.containers {
        match one(context, wanted, args.force) {
            Ok(()) => output::print(&format!("{wanted}\n"))?,
            Err(e) => {
                output::error(&e);
                failed = true;
            }
        }
    }
    Ok(u8::from(failed))
}

/// Removes one container.
pub fn one(context: &Context, wanted: &str, force: bool) -> Result<(), CliError> {
    let record = match setup::find(context, wanted) {
        Ok(record) => record,
        Err(RecordError::Unknown(_)) if force => return damaged(context, wanted),
        Err(e) => return Err(e.into()),
    };
    if record.status != Status::Exited {
        if !force {
            return Err(CliError::new(format!("cannot remove {wanted}: it is running"))
                .hint("end its command first, or use `glassbox rm -f`, which kills it"));
        }
        setup::kill_and_wait(context, &record)?;
    }
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
