//! A whole recording as a file for other programs and for people: one function
//! for all formats, so that what is written live and what a replay writes is the
//! same. The events come in as they were recorded; nothing else is known.

mod cast;
mod chrome;
mod markdown;
mod mermaid;
pub(super) mod words;

use std::io::{self, Write};

use crate::narrate::Lang;
use crate::trace::record::RecordingWriter;
use crate::trace::{Event, EventSink as _};

/// A format that a recording can be written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The recording itself: a line of JSON for each event.
    Jsonl,
    /// One page with a player.
    Html,
    /// asciicast v3: the console's story over time.
    Cast,
    /// Trace Event Format: for Perfetto and `chrome://tracing`.
    Chrome,
    /// A Mermaid sequence diagram.
    Mermaid,
    /// Markdown: a report to hand out.
    Markdown,
    /// The picture of one moment.
    Svg,
}

impl Format {
    /// Every format.
    pub const ALL: [Format; 7] = [
        Format::Jsonl,
        Format::Html,
        Format::Cast,
        Format::Chrome,
        Format::Mermaid,
        Format::Markdown,
        Format::Svg,
    ];

    /// As the command line names it; also what its files end with.
    pub fn name(self) -> &'static str {
        match self {
            Format::Jsonl => "jsonl",
            Format::Html => "html",
            Format::Cast => "cast",
            Format::Chrome => "chrome.json",
            Format::Mermaid => "mmd",
            Format::Markdown => "md",
            Format::Svg => "svg",
        }
    }

    /// The format whose ending this file name has.
    pub fn of_name(file: &str) -> Option<Format> {
        let ends = |f: &Format| {
            file.strip_suffix(f.name()).is_some_and(|stem| stem.ends_with('.') && stem.len() > 1)
        };
        Format::ALL.into_iter().find(ends)
    }
}

/// How it is told.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Language of the words.
    pub lang: Lang,
    /// [`Format::Cast`]: microseconds that each thing told stays before the next
    /// one. 0 is the run's own time, in which nobody can read.
    pub pace: u64,
    /// [`Format::Svg`]: the id of a step, or a number of events; the end if `None`.
    pub at: Option<String>,
}

/// Why a recording could not be written in a format. Reads as a fragment after
/// "failed to write …: ".
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// It could not be written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// [`Options::at`] names nothing of this recording.
    #[error("the recording has no step {0:?} and not that many events")]
    NoStep(String),
}

/// Writes a recording.
pub fn write(
    events: &[Event],
    format: Format,
    options: &Options,
    out: &mut dyn Write,
) -> Result<(), ExportError> {
    match format {
        Format::Jsonl => {
            let mut writer = RecordingWriter::new(&mut *out);
            events.iter().try_for_each(|e| writer.event(e))?;
        }
        Format::Html => out.write_all(super::html::page(events, options.lang).as_bytes())?,
        Format::Cast => cast::write(events, options, out)?,
        Format::Chrome => chrome::write(events, options.lang, out)?,
        Format::Mermaid => out.write_all(mermaid::diagram(events, options.lang).as_bytes())?,
        Format::Markdown => out.write_all(markdown::report(events, options.lang).as_bytes())?,
        Format::Svg => {
            let count = moment(events, options.at.as_deref())?;
            let picture = super::picture::Picture::at(events, count);
            out.write_all(super::svg::file(&picture, options.lang).as_bytes())?;
        }
    }
    Ok(out.flush()?)
}

/// How many events lead to this moment: to the end of a step, or that many.
fn moment(events: &[Event], at: Option<&str>) -> Result<usize, ExportError> {
    use crate::trace::Body;
    let Some(at) = at else { return Ok(events.len()) };
    let of_step = |e: &Event| match &e.body {
        Body::About { step, .. }
        | Body::Done { step, .. }
        | Body::Failed { step, .. }
        | Body::Undone { step, .. } => step.0 == at,
        _ => false,
    };
    let by_number = || at.parse().ok().filter(|n| (1..=events.len()).contains(n));
    // The first end of the step: what a rollback did to it is another moment.
    let ended = events
        .iter()
        .position(|e| of_step(e) && !matches!(e.body, Body::About { .. }))
        .or_else(|| events.iter().position(of_step));
    ended.map(|n| n + 1).or_else(by_number).ok_or_else(|| ExportError::NoStep(at.to_owned()))
}

#[cfg(test)]
mod tests;
