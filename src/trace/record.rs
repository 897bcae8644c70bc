//! Recordings: one JSON object per line, one line per event.
//!
//! The reader trusts nothing: what it yields is a well-formed beginning of a
//! recording, and its last item says on which line it stopped being one.

use std::io::{self, BufRead, Read as _, Write};

use serde::Serialize;

use super::{Body, Event, EventSink, Relayed, TRACE_VERSION};
use crate::plan::{Op, PLAN_VERSION, StepId};

/// Bytes of a line at which the reader gives up, rather than take all memory.
const LONGEST: u64 = 64 << 20;

/// Lines held back are written when they are this many bytes.
const HELD: usize = 256 << 10;

/// So many events are put off at most before they become lines.
const PUT_OFF: usize = 1024;

/// Writes events as lines of JSON, always whole lines at once. A killed run
/// leaves all that happened before; with [`put_off`](Self::put_off), at least all
/// that happened before it last waited for something.
#[derive(Debug)]
pub struct RecordingWriter<W: Write> {
    out: W,
    /// Events that are no lines yet; they come after the lines.
    events: Vec<Event>,
    lines: Vec<u8>,
    put_off: bool,
}

impl<W: Write> RecordingWriter<W> {
    /// Writes each event to `out` as it happens.
    pub fn new(out: W) -> Self {
        RecordingWriter { out, events: Vec::new(), lines: Vec::new(), put_off: false }
    }

    /// Writes while the run has nothing else to do; at once a failure, an undoing,
    /// the end, and that a step begins that may take long.
    pub fn put_off(self) -> Self {
        RecordingWriter { put_off: true, ..self }
    }

    /// Gives the writer back. What is put off is lost.
    pub fn into_inner(self) -> W {
        self.out
    }

    fn may_wait(&self, body: &Body) -> bool {
        let quiet = match body {
            Body::About { op, .. } => !matches!(op, Op::UnpackLayer { .. } | Op::Image(_)),
            Body::Begin { .. }
            | Body::Planned { .. }
            | Body::Call { .. }
            | Body::Observed { .. }
            | Body::Done { .. }
            | Body::Life { .. } => true,
            Body::Failed { .. } | Body::Undoing { .. } | Body::Undone { .. } | Body::End { .. } => false,
        };
        self.put_off && quiet
    }

    fn line(&mut self, event: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(Pieces(&mut self.lines), event)?;
        self.lines.push(b'\n');
        Ok(())
    }

    /// Makes lines of the events that are put off.
    fn catch_up(&mut self) -> io::Result<()> {
        std::mem::take(&mut self.events).iter().try_for_each(|event| self.line(event))
    }

    fn write(&mut self) -> io::Result<()> {
        self.catch_up()?;
        if self.lines.is_empty() {
            return Ok(());
        }
        self.out.write_all(&self.lines)?;
        self.lines.clear();
        self.out.flush()
    }
}

impl<W: Write> EventSink for RecordingWriter<W> {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        match self.put_off {
            true => self.take(event.clone()),
            false => {
                self.line(event)?;
                self.write()
            }
        }
    }

    fn take(&mut self, event: Event) -> io::Result<()> {
        let waits = self.may_wait(&event.body) && self.events.len() < PUT_OFF;
        self.events.push(event);
        if waits { Ok(()) } else { self.write() }
    }

    fn relayed(&mut self, event: &Relayed<'_>) -> io::Result<()> {
        self.catch_up()?;
        self.line(event)?;
        if self.put_off && self.lines.len() < HELD { Ok(()) } else { self.write() }
    }

    fn idle(&mut self) -> io::Result<()> {
        self.write()
    }
}

/// JSON comes in pieces of a few bytes, and most of the cost of writing it is that
/// of adding one: it is inlined where their length is known.
struct Pieces<'a>(&'a mut Vec<u8>);

impl Write for Pieces<'_> {
    #[inline(always)]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    #[inline(always)]
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match bytes {
            [byte] => self.0.push(*byte),
            _ => self.0.extend_from_slice(bytes),
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What is wrong with a recording. Reads as a fragment after "failed to read
/// the recording: ".
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The file could not be read.
    #[error("line {line}: {source}")]
    Io {
        /// Counted from 1.
        line: usize,
        /// Why.
        source: io::Error,
    },
    /// There is no event at all.
    #[error("it is empty")]
    Empty,
    /// The last line stops in the middle.
    #[error("line {line}: it is cut off in the middle of an event; the recording was not written to its end")]
    CutOff {
        /// Counted from 1.
        line: usize,
    },
    /// A line that no recording has.
    #[error("line {line}: longer than {} MiB; this is not a recording", LONGEST >> 20)]
    TooLong {
        /// Counted from 1.
        line: usize,
    },
    /// A line that is not JSON.
    #[error("line {line}: not JSON, column {column}: {what}")]
    NotJson {
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
        /// What the parser says.
        what: String,
    },
    /// JSON, but no event of ours.
    #[error("line {line}: not a glassbox event: {what}")]
    NotAnEvent {
        /// Counted from 1.
        line: usize,
        /// What the parser says.
        what: String,
    },
    /// The first event is not `begin`.
    #[error(
        "line {line}: the first event is {found:?} instead of \"begin\"; the start is missing, or this is not a recording"
    )]
    NoBegin {
        /// Counted from 1.
        line: usize,
        /// The event found.
        found: String,
    },
    /// Written by a newer glassbox.
    #[error(
        "line {line}: {what} version {found} is newer than {known}, the newest known here; replay it with the glassbox that recorded it"
    )]
    Newer {
        /// Counted from 1.
        line: usize,
        /// `trace` or `plan`.
        what: &'static str,
        /// Version found.
        found: u64,
        /// Version known.
        known: u32,
    },
    /// An event where it cannot stand.
    #[error("line {line}: {what}")]
    Order {
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        what: String,
    },
    /// No `end` event.
    #[error(
        "line {line}: the recording stops without an \"end\" event; the run was killed, or lines are missing"
    )]
    NoEnd {
        /// The last line, counted from 1.
        line: usize,
    },
}

/// Reads a recording. After an error there are no further items.
pub fn read<R: BufRead>(input: R) -> Events<R> {
    Events { input, line: 0, order: Order::default(), over: false }
}

/// The events of a recording, or what is wrong with it.
#[derive(Debug)]
pub struct Events<R> {
    input: R,
    line: usize,
    order: Order,
    over: bool,
}

impl<R: BufRead> Iterator for Events<R> {
    type Item = Result<Event, RecordingError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let item = self.step();
        self.over = !matches!(item, Some(Ok(_)));
        item
    }
}

impl<R> Events<R> {
    /// The line of the last event, counted from 1.
    pub fn line(&self) -> usize {
        self.line
    }
}

impl<R: BufRead> Events<R> {
    fn step(&mut self) -> Option<Result<Event, RecordingError>> {
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            match (&mut self.input).take(LONGEST).read_until(b'\n', &mut bytes) {
                Err(source) => return Some(Err(RecordingError::Io { line: self.line + 1, source })),
                Ok(0) => return self.at_end().map(Err),
                Ok(_) => self.line += 1,
            }
            if bytes.len() as u64 == LONGEST {
                return Some(Err(RecordingError::TooLong { line: self.line }));
            }
            if !bytes.trim_ascii().is_empty() {
                return Some(self.parse(&bytes));
            }
        }
    }

    fn at_end(&self) -> Option<RecordingError> {
        if self.order.next == 0 {
            Some(RecordingError::Empty)
        } else if !self.order.ended {
            Some(RecordingError::NoEnd { line: self.line })
        } else {
            None
        }
    }

    fn parse(&mut self, bytes: &[u8]) -> Result<Event, RecordingError> {
        let line = self.line;
        let json: serde_json::Value = serde_json::from_slice(bytes).map_err(|e| {
            if e.is_eof() && bytes.last() != Some(&b'\n') {
                return RecordingError::CutOff { line };
            }
            RecordingError::NotJson { line, column: e.column(), what: without_place(&e) }
        })?;
        if self.order.next == 0 {
            check_begin(line, &json)?;
        }
        let event: Event = serde_json::from_value(json)
            .map_err(|e| RecordingError::NotAnEvent { line, what: without_place(&e) })?;
        self.order.take(&event).map_err(|what| RecordingError::Order { line, what })?;
        Ok(event)
    }
}

/// serde_json counts lines within what it was given, which is one line of ours.
fn without_place(e: &serde_json::Error) -> String {
    let text = e.to_string();
    match text.rfind(" at line ") {
        Some(at) => text[..at].to_owned(),
        None => text,
    }
}

/// Looks at the versions before the whole is read: a newer one may hold
/// operations that this program cannot parse.
fn check_begin(line: usize, json: &serde_json::Value) -> Result<(), RecordingError> {
    let Some(name) = json.get("event").and_then(|e| e.as_str()) else {
        return Err(RecordingError::NotAnEvent { line, what: "there is no field \"event\"".into() });
    };
    if name != "begin" {
        return Err(RecordingError::NoBegin { line, found: name.to_owned() });
    }
    let versions = [
        ("trace", json.get("version"), TRACE_VERSION),
        ("plan", json.pointer("/plan/version"), PLAN_VERSION),
    ];
    for (what, found, known) in versions {
        match found.and_then(|v| v.as_u64()) {
            Some(found) if found > known.into() => {
                return Err(RecordingError::Newer { line, what, found, known });
            }
            Some(_) => {}
            None => {
                return Err(RecordingError::NotAnEvent { line, what: format!("there is no {what} version") });
            }
        }
    }
    Ok(())
}

/// What may come next.
#[derive(Debug, Default)]
struct Order {
    next: u64,
    steps: Vec<StepId>,
    open: Option<Open>,
    ended: bool,
}

#[derive(Debug, PartialEq)]
enum Open {
    Doing(StepId),
    Undoing(StepId),
}

impl Open {
    fn step(&self) -> &StepId {
        match self {
            Open::Doing(step) | Open::Undoing(step) => step,
        }
    }
}

impl Order {
    fn take(&mut self, event: &Event) -> Result<(), String> {
        if event.seq != self.next {
            return Err(format!(
                "event number {} where {} is due; lines are missing or moved",
                event.seq, self.next
            ));
        }
        if self.ended {
            return Err("an event after \"end\"".into());
        }
        self.next += 1;
        match &event.body {
            Body::Begin { plan, .. } => {
                if event.seq != 0 {
                    return Err("a second \"begin\"".into());
                }
                self.steps = plan.steps.iter().map(|s| s.id.clone()).collect();
            }
            Body::Planned { plan, .. } => self.steps.extend(plan.steps.iter().map(|s| s.id.clone())),
            Body::About { step, .. } => {
                self.known(step)?;
                self.closed(step)?;
                self.open = Some(Open::Doing(step.clone()));
            }
            Body::Undoing { step, .. } => {
                self.known(step)?;
                self.closed(step)?;
                self.open = Some(Open::Undoing(step.clone()));
            }
            Body::Call { step, .. } | Body::Observed { step, .. } => {
                if self.open.as_ref().map(Open::step) != Some(step) {
                    return Err(format!("a call or observation of step {step}, which is not under way"));
                }
            }
            Body::Done { step, .. } => {
                if self.open != Some(Open::Doing(step.clone())) {
                    return Err(format!("step {step} is done without having begun"));
                }
                self.open = None;
            }
            Body::Failed { step, .. } => {
                // An untraced init runs ahead: its failure may name a later step than the open one.
                self.known(step)?;
                self.open = None;
            }
            Body::Undone { step, .. } => {
                if self.open != Some(Open::Undoing(step.clone())) {
                    return Err(format!("step {step} is undone without having begun to be"));
                }
                self.open = None;
            }
            Body::Life { .. } => {}
            Body::End { .. } => self.ended = true,
        }
        Ok(())
    }

    fn known(&self, step: &StepId) -> Result<(), String> {
        if self.steps.contains(step) { Ok(()) } else { Err(format!("step {step} is not in the plan")) }
    }

    fn closed(&self, step: &StepId) -> Result<(), String> {
        match &self.open {
            None => Ok(()),
            Some(open) => Err(format!("step {step} begins while {} is under way", open.step())),
        }
    }
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
