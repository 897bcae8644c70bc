//! `glassbox system`

use clap::{Args, Subcommand};

use super::context::Context;
use super::error::CliError;
use super::{output, setup};

/// Look after glassbox itself
#[derive(Debug, Args)]
pub struct SystemArgs {
    #[command(subcommand)]
    command: SystemCommand,
}

#[derive(Debug, Subcommand)]
enum SystemCommand {
    /// Undo what killed or failed runs left on the host
    Repair,
}

/// Runs the command.
pub fn run(context: &Context, args: &SystemArgs) -> Result<u8, CliError> {
    match args.command {
        SystemCommand::Repair => {
            let repaired = setup::repair_all(context)?;
            let mut text = String::new();
            let mut failed = false;
            for one in &repaired {
                let id = setup::short(&one.id);
                if let Some(note) = &one.note {
                    failed = true;
                    text.push_str(&format!("{id}: {note}\n"));
                    continue;
                }
                let what = if one.removed { "removed" } else { "kept, as exited" };
                match one.action {
                    _ if one.joined => {
                        text.push_str(&format!("{id}: undone; it was a command in a container\n"))
                    }
                    true => text.push_str(&format!("{id}: undone; it was an action on images\n")),
                    false => text.push_str(&format!("{id}: undone; container {what}\n")),
                }
                for (step, failure) in &one.left {
                    failed = true;
                    text.push_str(&format!("  {step} is left: failed to {failure}\n"));
                }
            }
            if repaired.is_empty() {
                text.push_str("nothing to repair\n");
            }
            output::print(&text)?;
            Ok(u8::from(failed))
        }
    }
}
