//! `glassbox replay`

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::PathBuf;

use clap::Args;

use super::context::Context;
use super::error::{CliError, io as io_error};
use super::tracing::{TraceLevel, width};
use crate::render::console::{Console, Options};
use crate::trace::EventSink;
use crate::trace::record::read;

/// Tell a recorded run again, just as it was told live
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// How much is told
    #[arg(long, default_value = "story", value_name = "LEVEL")]
    trace: TraceLevel,
    /// A file written by --trace-file; - is standard input
    file: PathBuf,
}

/// Runs the command. Prints the story on standard output.
pub fn run(context: &Context, args: &ReplayArgs) -> Result<u8, CliError> {
    let input: Box<dyn BufRead> = if args.file.as_os_str() == "-" {
        Box::new(io::stdin().lock())
    } else {
        Box::new(BufReader::new(File::open(&args.file).map_err(|e| io_error("open", &args.file, &e))?))
    };
    let options = Options {
        level: args.trace.level(),
        lang: context.lang,
        width: width(),
        colour: context.color,
        raw: false,
        group: true,
    };
    let mut console = Console::new(io::stdout().lock(), options);
    for event in read(input) {
        let event = event.map_err(|e| {
            CliError::new(format!("failed to read the recording {}: {e}", args.file.display()))
                .hint("record the run again with --trace-file")
        })?;
        match console.event(&event) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => return Ok(141),
            Err(e) => return Err(CliError::new(format!("cannot write to standard output: {e}"))),
        }
    }
    Ok(0)
}
