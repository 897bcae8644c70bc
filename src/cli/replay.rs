//! `glassbox replay`

use std::io;
use std::path::PathBuf;

use clap::Args;

use super::context::Context;
use super::error::CliError;
use super::output;
use super::recording::{FormatName, PACE};
use super::stepper::{self, Screen};
use super::trace::{open, recording, unreadable};
use super::tracing::{TraceLevel, width};
use crate::render::console::{Console, Options};
use crate::render::export::{self, ExportError};
use crate::trace::EventSink;
use crate::trace::record::{RecordingError, read};
use crate::trace::redact::redact;

/// Tell a recorded run again, just as it was told live, or write it in another format
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// How much is told
    #[arg(long, default_value = "story", value_name = "LEVEL", conflicts_with = "to")]
    trace: TraceLevel,
    /// Write it on standard output in a format, as --trace-file writes it
    #[arg(long, value_name = "FORMAT")]
    to: Option<FormatName>,
    /// With --to svg: the moment after this step (`union.mount-overlay`), or after so many events
    #[arg(long, value_name = "STEP", requires = "to")]
    at: Option<String>,
    /// With --to cast: milliseconds that each thing told stays; 0 is the run's own time
    #[arg(long, value_name = "MS", requires = "to")]
    pace: Option<u32>,
    /// With --to: name what differs from run to run (`<pid-1>`)
    #[arg(long, requires = "to")]
    redact: bool,
    /// Step through it: full-screen on a terminal
    #[arg(long, conflicts_with = "to")]
    step: bool,
    /// A file written by --trace-file; - is standard input
    file: PathBuf,
}

/// Runs the command. Prints on standard output.
pub fn run(context: &Context, args: &ReplayArgs) -> Result<u8, CliError> {
    match args.to {
        Some(format) => convert(context, args, format),
        None if args.step => step(context, args),
        None => tell(context, args),
    }
}

fn tell(context: &Context, args: &ReplayArgs) -> Result<u8, CliError> {
    let options = Options {
        level: args.trace.level(),
        lang: context.lang,
        width: width(),
        colour: context.color,
        raw: false,
        group: true,
    };
    let mut console = Console::new(io::stdout().lock(), options);
    for event in read(open(&args.file)?) {
        let event = event.map_err(|e| unreadable(&args.file, &e))?;
        if let Some(status) = written(console.event(&event))? {
            return Ok(status);
        }
    }
    Ok(0)
}

fn convert(context: &Context, args: &ReplayArgs, format: FormatName) -> Result<u8, CliError> {
    for (given, name, only) in
        [(args.at.is_some(), "--at", FormatName::Svg), (args.pace.is_some(), "--pace", FormatName::Cast)]
    {
        if given && format != only {
            let only = only.format().name();
            return Err(CliError::new(format!("{name} is for --to {only}")).status(125));
        }
    }
    let mut events = recording(&args.file)?;
    if args.redact {
        events = redact(&events)
            .map_err(|e| CliError::new(format!("failed to redact {}: {e}", args.file.display())))?;
    }
    let options = export::Options {
        lang: context.lang,
        pace: args.pace.map_or(PACE, |ms| u64::from(ms) * 1000),
        at: args.at.clone(),
    };
    let mut out = io::BufWriter::new(io::stdout().lock());
    match export::write(&events, format.format(), &options, &mut out) {
        Ok(()) => Ok(0),
        Err(ExportError::Io(e)) => Ok(written(Err(e))?.unwrap_or(0)),
        Err(e @ ExportError::NoStep(_)) => Err(CliError::new(format!("failed to draw: {e}"))
            .hint("`glassbox replay FILE` shows the steps with their names")),
    }
}

/// The exit status where standard output was closed.
fn written(result: io::Result<()>) -> Result<Option<u8>, CliError> {
    match result {
        Ok(()) => Ok(None),
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(Some(141)),
        Err(e) => Err(CliError::new(format!("cannot write to standard output: {e}"))),
    }
}

/// Steps through the recording, forward and back.
fn step(context: &Context, args: &ReplayArgs) -> Result<u8, CliError> {
    if !Screen::available() {
        return Err(CliError::new("stepping through a recording needs a terminal")
            .hint("without --step the recording is told as a story"));
    }
    let mut events = Vec::new();
    for event in read(open(&args.file)?) {
        match event {
            Ok(event) => events.push(event),
            // What is there of a recording that was cut off can be stepped through.
            Err(e @ RecordingError::CutOff { .. }) if !events.is_empty() => {
                output::note(&format!("the recording {} is not whole: {e}", args.file.display()));
                break;
            }
            Err(e) => return Err(unreadable(&args.file, &e)),
        }
    }
    stepper::replay(context, events).map(|()| 0)
}
