//! Numbers and times events and hands them to the sinks, if there are any.

use super::Outcome;
use crate::kernel::Failure;
use crate::kernel::errno::io_words;
use crate::plan::StepId;
use crate::trace::{Body, Event, EventSink, Relayed, What};

/// Hands events on. Without a sink it builds none: the body is a closure.
pub struct Emitter<'a> {
    sink: Option<&'a mut dyn EventSink>,
    clock: Box<dyn Fn() -> u64>,
    seq: u64,
    broken: Option<std::io::Error>,
}

impl<'a> Emitter<'a> {
    /// `clock` gives microseconds since the first event.
    pub fn new(sink: Option<&'a mut dyn EventSink>, clock: impl Fn() -> u64 + 'static) -> Self {
        Emitter { sink, clock: Box::new(clock), seq: 0, broken: None }
    }

    /// Emits one event.
    pub fn emit(&mut self, body: impl FnOnce() -> Body) {
        let Some(sink) = &mut self.sink else { return };
        if self.broken.is_some() {
            return;
        }
        let event = Event { seq: self.seq, at: (self.clock)(), body: body() };
        self.seq += 1;
        self.broken = sink.take(event).err();
    }

    /// The run waits for something.
    pub fn idle(&mut self) {
        if let (Some(sink), None) = (&mut self.sink, &self.broken) {
            self.broken = sink.idle().err();
        }
    }

    /// Emits an event of the step in the JSON that it came in.
    pub fn relay(&mut self, step: &StepId, what: What<'_>) {
        let Some(sink) = &mut self.sink else { return };
        if self.broken.is_some() {
            return;
        }
        let event = Relayed::new(self.seq, (self.clock)(), step, what);
        self.seq += 1;
        self.broken = sink.relayed(&event).err();
    }

    /// Emits the last event, with which some sinks write all they heard.
    pub fn end(&mut self, outcome: &mut Outcome) {
        let status = outcome.status;
        self.emit(|| Body::End { status });
        if outcome.untold.is_none() {
            outcome.untold = self.check().err();
        }
    }

    /// The first error of a sink, as the failure of the step being told.
    pub fn check(&self) -> Result<(), Failure> {
        match &self.broken {
            None => Ok(()),
            Some(e) => Err(Failure::new(format!("write the trace: {}", io_words(e)), None).hint(
                "check that the trace file's directory exists and has room, or leave --trace-file out",
            )),
        }
    }
}
