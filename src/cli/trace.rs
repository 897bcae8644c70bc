//! `glassbox trace`

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::context::Context;
use super::error::{CliError, io as io_error};
use super::output;
use crate::narrate::Narrator;
use crate::render::difference;
use crate::render::layout::layout;
use crate::render::paint::Paint;
use crate::trace::record::read;
use crate::trace::{Event, check, diff, schema};

/// Check and compare recordings, and show the shape of their events
#[derive(Debug, Args)]
pub struct TraceCommand {
    #[command(subcommand)]
    command: Trace,
}

#[derive(Debug, Subcommand)]
enum Trace {
    /// Check that a recording is whole: every event well-formed and in its place, every step ended
    ///
    /// The exit status is 0 for a whole recording and 1 for any other.
    Check {
        /// A file written by --trace-file; - is standard input
        file: PathBuf,
    },
    /// Show what differs between two recordings, step by step
    ///
    /// Values that differ from run to run (pids, ids, addresses) are alike when they are of one
    /// kind. Times never count. The exit status is 0 when nothing differs, 1 when something
    /// does, and 2 when a recording cannot be read.
    Diff {
        /// A file written by --trace-file; - is standard input
        first: PathBuf,
        /// Another
        second: PathBuf,
    },
    /// Print the JSON Schema of an event
    Schema,
}

/// Runs the command.
pub fn run(context: &Context, args: &TraceCommand) -> Result<u8, CliError> {
    match &args.command {
        Trace::Check { file } => check_one(context, file),
        Trace::Diff { first, second } => differ(context, [first, second]),
        Trace::Schema => {
            let text = serde_json::to_string_pretty(&schema::schema())
                .map_err(|e| CliError::new(format!("failed to write the schema: {e}")))?;
            output::print(&(text + "\n"))?;
            Ok(0)
        }
    }
}

fn check_one(context: &Context, file: &Path) -> Result<u8, CliError> {
    let (counts, problems) = check::check(open(file)?);
    if let Some((last, rest)) = problems.split_last() {
        for problem in rest {
            output::plain(&format!("glassbox: {}: {problem}", file.display()));
        }
        return Err(CliError::new(format!("{}: {last}", file.display())));
    }
    let args = [
        ("file", file.display().to_string().into()),
        ("events", counts.events.into()),
        ("steps", counts.steps.into()),
        ("calls", counts.calls.into()),
        ("failed", counts.failed.into()),
        ("undone", counts.undone.into()),
    ];
    let line = Narrator::new(context.lang).say("check_whole", &args);
    let paint = Paint { colour: context.color && io::stdout().is_terminal(), raw: false };
    output::print(&paint.text(&[line]))?;
    Ok(0)
}

fn differ(context: &Context, files: [&Path; 2]) -> Result<u8, CliError> {
    if files.iter().all(|f| f.as_os_str() == "-") {
        return Err(CliError::new("both recordings are standard input")
            .hint("give one of them as a file")
            .status(2));
    }
    let [first, second] = files;
    let events = [recording(first).map_err(|e| e.status(2))?, recording(second).map_err(|e| e.status(2))?];
    let difference = diff::diff(&events[0], &events[1])
        .map_err(|e| CliError::new(format!("failed to compare the recordings: {e}")).status(2))?;
    let names = files.map(|f| f.display().to_string());
    let rows = difference::rows(&difference, [&names[0], &names[1]], &Narrator::new(context.lang));
    let terminal = io::stdout().is_terminal();
    let width = if terminal { super::tracing::width() } else { 120 };
    let paint = Paint { colour: context.color && terminal, raw: false };
    output::print(&paint.text(&layout(&rows, width)))
        .map_err(|e| CliError { status: e.status.max(2), ..e })?;
    Ok(u8::from(!difference.is_empty()))
}

/// Opens a recording.
pub fn open(file: &Path) -> Result<Box<dyn BufRead>, CliError> {
    Ok(match file.as_os_str() == "-" {
        true => Box::new(io::stdin().lock()),
        false => Box::new(BufReader::new(File::open(file).map_err(|e| io_error("open", file, &e))?)),
    })
}

/// All events of a recording, which has to be whole.
pub fn recording(file: &Path) -> Result<Vec<Event>, CliError> {
    read(open(file)?).collect::<Result<_, _>>().map_err(|e| unreadable(file, &e))
}

/// What is wrong with a recording.
pub fn unreadable(file: &Path, error: &crate::trace::record::RecordingError) -> CliError {
    CliError::new(format!("failed to read the recording {}: {error}", file.display()))
        .hint("record the run again with --trace-file")
}
