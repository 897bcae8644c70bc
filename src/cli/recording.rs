//! `--trace-file`, `--trace-format`, `--redact`: where the events of a command
//! are written, and as what.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::error::{CliError, io as io_error};
use super::joined::Joined;
use super::output;
use crate::narrate::Lang;
use crate::render::export::{self, ExportError, Format};
use crate::trace::record::RecordingWriter;
use crate::trace::redact::redact;
use crate::trace::{Body, Event, EventSink, Relayed};

/// Microseconds that a thing told stays on the screen of an asciicast.
pub const PACE: u64 = 700_000;

/// Where the events of a command are written.
#[derive(Clone, Debug, Default, Args)]
pub struct RecordArgs {
    /// Record the events in a file; - is standard output. The file's ending chooses the format
    /// (see --trace-format); any other is jsonl. What the kernel says before each step is recorded
    /// too with --trace=full
    #[arg(long, value_name = "FILE")]
    trace_file: Option<PathBuf>,
    /// Format of the trace file, whatever its ending. All but jsonl are written at the end
    #[arg(long, value_name = "FORMAT", requires = "trace_file")]
    trace_format: Option<FormatName>,
    /// Name what differs from run to run (`<pid-1>`) in the trace file, which is then written at the end
    #[arg(long, requires = "trace_file")]
    redact: bool,
}

/// `--trace-format`, `--to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FormatName {
    /// JSON Lines: the recording itself, which replay reads.
    Jsonl,
    /// A page with a player, for any browser, without a network.
    Html,
    /// asciicast v3, for asciinema.
    Cast,
    /// Trace Event Format, for Perfetto and chrome://tracing.
    #[value(name = "chrome.json", alias = "chrome")]
    Chrome,
    /// A Mermaid sequence diagram.
    #[value(alias = "mermaid")]
    Mmd,
    /// Markdown: a report.
    #[value(alias = "markdown")]
    Md,
    /// The picture of one moment.
    Svg,
}

impl FormatName {
    /// The format of this name.
    pub fn format(self) -> Format {
        match self {
            FormatName::Jsonl => Format::Jsonl,
            FormatName::Html => Format::Html,
            FormatName::Cast => Format::Cast,
            FormatName::Chrome => Format::Chrome,
            FormatName::Mmd => Format::Mermaid,
            FormatName::Md => Format::Markdown,
            FormatName::Svg => Format::Svg,
        }
    }
}

impl RecordArgs {
    /// There is to be a recording.
    pub fn is_on(&self) -> bool {
        self.trace_file.is_some()
    }

    /// It goes to a file, not to standard output.
    pub fn in_a_file(&self) -> bool {
        self.trace_file.as_ref().is_some_and(|path| path.as_os_str() != "-")
    }

    fn format(&self, path: &Path) -> Format {
        let by_ending = || path.file_name().and_then(|name| Format::of_name(&name.to_string_lossy()));
        self.trace_format.map(FormatName::format).or_else(by_ending).unwrap_or(Format::Jsonl)
    }
}

/// Takes the events of one command.
pub enum Recorder {
    /// As they happen: what a killed command leaves is a beginning.
    Lines(RecordingWriter<Box<dyn Write>>),
    /// All at the end: a killed command leaves nothing.
    Whole(Whole),
    /// One part of a recording of several.
    Part(Joined),
}

impl Recorder {
    /// Opens what was asked for. `put_off`: nobody waits for a line.
    pub fn open(lang: Lang, args: &RecordArgs, put_off: bool) -> Result<Option<Recorder>, CliError> {
        let Some(path) = &args.trace_file else { return Ok(None) };
        let format = args.format(path);
        let to_screen = path.as_os_str() == "-";
        if format != Format::Jsonl || args.redact {
            if !to_screen && (replaceable(path) || path.is_dir()) {
                // What cannot be written is found out before the command, not after it.
                beside(path).map_err(|e| io_error("create the trace file", path, &e).status(125))?;
            }
            let options = export::Options { lang, pace: PACE, at: None };
            let path = path.clone();
            return Ok(Some(Recorder::Whole(Whole {
                events: Vec::new(),
                path,
                format,
                options,
                redact: args.redact,
                written: false,
            })));
        }
        let writer = match to_screen {
            true => RecordingWriter::new(Box::new(io::stdout()) as Box<dyn Write>),
            false => {
                let file = File::create(path)
                    .map_err(|e| io_error("create the trace file", path, &e).status(125))?;
                RecordingWriter::new(Box::new(file) as Box<dyn Write>)
            }
        };
        Ok(Some(Recorder::Lines(if put_off { writer.put_off() } else { writer })))
    }
}

impl EventSink for Recorder {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        match self {
            Recorder::Lines(writer) => writer.event(event),
            Recorder::Whole(whole) => whole.event(event),
            Recorder::Part(part) => part.event(event),
        }
    }

    fn take(&mut self, event: Event) -> io::Result<()> {
        match self {
            Recorder::Lines(writer) => writer.take(event),
            Recorder::Whole(whole) => whole.take(event),
            Recorder::Part(part) => part.take(event),
        }
    }

    fn idle(&mut self) -> io::Result<()> {
        match self {
            Recorder::Lines(writer) => writer.idle(),
            Recorder::Whole(whole) => whole.idle(),
            Recorder::Part(part) => part.idle(),
        }
    }

    fn relayed(&mut self, event: &Relayed<'_>) -> io::Result<()> {
        match self {
            Recorder::Lines(writer) => writer.relayed(event),
            Recorder::Whole(whole) => whole.relayed(event),
            Recorder::Part(part) => part.relayed(event),
        }
    }
}

/// Keeps the events until the last one.
pub struct Whole {
    events: Vec<Event>,
    path: PathBuf,
    format: Format,
    options: export::Options,
    redact: bool,
    written: bool,
}

impl EventSink for Whole {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        self.take(event.clone())
    }

    fn take(&mut self, event: Event) -> io::Result<()> {
        let last = matches!(event.body, Body::End { .. });
        self.events.push(event);
        if !last {
            return Ok(());
        }
        self.written = true;
        let mut events = std::mem::take(&mut self.events);
        if self.redact {
            events = redact(&events)?;
        }
        if self.path.as_os_str() == "-" {
            return in_format(&events, self.format, &self.options, &mut io::stdout().lock());
        }
        if !replaceable(&self.path) {
            return in_format(&events, self.format, &self.options, &mut File::create(&self.path)?);
        }
        let mut file = beside(&self.path)?;
        in_format(&events, self.format, &self.options, &mut io::BufWriter::new(file.as_file_mut()))?;
        file.persist(target(&self.path))?;
        Ok(())
    }
}

impl Drop for Whole {
    fn drop(&mut self) {
        if !self.written && !self.events.is_empty() {
            let path = self.path.display();
            output::note(&format!("{path} was not written: the command stopped before its last event"));
        }
    }
}

fn in_format(
    events: &[Event],
    format: Format,
    options: &export::Options,
    out: &mut dyn Write,
) -> io::Result<()> {
    export::write(events, format, options, out).map_err(|e| match e {
        ExportError::Io(e) => e,
        other => io::Error::other(other),
    })
}

/// A file that is not there, or may be replaced by another; not a pipe or a device.
fn replaceable(path: &Path) -> bool {
    fs::metadata(path).map_or(true, |m| m.is_file())
}

/// Where the file is, when its name is a link.
fn target(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// A file beside it that vanishes unless it takes its place.
fn beside(path: &Path) -> io::Result<tempfile::NamedTempFile> {
    let path = target(path);
    if path.is_dir() {
        return Err(io::Error::from_raw_os_error(21));
    }
    let dir = path.parent().filter(|d| !d.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let builder = &mut tempfile::Builder::new();
    builder.prefix(".glassbox-trace-").permissions(Permissions::from_mode(0o666)).tempfile_in(dir)
}
