//! One recording of a command that is two actions, each with its own events: the
//! pull that a `run` begins with, and the run. The second begin is written as the
//! plan that follows from what was done before.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::Instant;

use super::context::Context;
use super::error::CliError;
use super::recording::Recorder;
use super::tracing::TraceArgs;
use crate::trace::{Body, Event, EventSink, Relayed};

/// A recording of several parts, shared by those who tell them one after the other.
#[derive(Clone)]
pub struct Joined(Rc<RefCell<Parts>>);

struct Parts {
    to: Recorder,
    /// Of the next event.
    seq: u64,
    /// Of the last event.
    at: u64,
    /// When the part that is told began.
    base: u64,
    /// The first event's moment; none where time is only counted.
    clock: Option<Instant>,
    /// Another part follows, if this one ends well.
    more: bool,
    ended: bool,
}

impl Joined {
    /// Opens the trace file that was asked for, with a first part that another will
    /// follow.
    pub fn open(context: &Context, args: &TraceArgs) -> Result<Option<Joined>, CliError> {
        let Some(to) = args.recorder(context)? else { return Ok(None) };
        let clock = (!context.deterministic).then(Instant::now);
        let parts = Parts { to, seq: 0, at: 0, base: 0, clock, more: true, ended: false };
        Ok(Some(Joined(Rc::new(RefCell::new(parts)))))
    }

    /// The part that comes is the last.
    pub fn last(&self) {
        self.0.borrow_mut().more = false;
    }
}

impl Parts {
    /// The event as one of the whole; `None` for the end of a part that is not the end.
    fn place(&mut self, event: Event) -> Option<Event> {
        let body = match event.body {
            Body::Begin { plan, names, .. } if self.seq > 0 => {
                // Counted time goes on where it was.
                let now = self.clock.map(|c| u64::try_from(c.elapsed().as_micros()).unwrap_or(u64::MAX));
                self.base = now.unwrap_or(0).max(self.at + 1);
                Body::Planned { plan, names }
            }
            Body::End { status: 0 } if self.more => return None,
            body => body,
        };
        self.ended = matches!(body, Body::End { .. });
        let event = Event { seq: self.seq, at: self.base.saturating_add(event.at), body };
        self.seq += 1;
        self.at = event.at;
        Some(event)
    }
}

impl EventSink for Joined {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        self.take(event.clone())
    }

    fn take(&mut self, event: Event) -> io::Result<()> {
        let mut parts = self.0.borrow_mut();
        match parts.place(event) {
            Some(event) => parts.to.take(event),
            None => parts.to.idle(),
        }
    }

    fn idle(&mut self) -> io::Result<()> {
        self.0.borrow_mut().to.idle()
    }

    fn relayed(&mut self, event: &Relayed<'_>) -> io::Result<()> {
        let mut parts = self.0.borrow_mut();
        let event = event.moved(parts.seq, parts.base);
        parts.seq += 1;
        parts.at = event.at();
        parts.to.relayed(&event)
    }
}

impl Drop for Parts {
    /// The part that was to follow did not come: the command failed between the two,
    /// which it told, and which is 125 of a run.
    fn drop(&mut self) {
        if self.seq > 0 && !self.ended {
            let end = Event { seq: self.seq, at: self.at, body: Body::End { status: 125 } };
            let _ = self.to.take(end);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{KernelName, Watch};
    use crate::plan::{PLAN_VERSION, Plan};
    use crate::trace::record::{RecordingWriter, read};
    use crate::trace::{TRACE_VERSION, Value};

    /// What is written, also after all who write are gone.
    #[derive(Clone, Default)]
    struct Kept(Rc<RefCell<Vec<u8>>>);

    impl io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn begin() -> Body {
        Body::Begin {
            version: TRACE_VERSION,
            program: "0".into(),
            kernel: KernelName::Model,
            release: Value::from("r"),
            command: vec![],
            watch: Watch::After,
            plan: Plan { version: PLAN_VERSION, container: "c".into(), steps: vec![] },
            names: vec![],
        }
    }

    fn tell(joined: &mut Joined, bodies: Vec<Body>) {
        for (seq, body) in (0..).zip(bodies) {
            joined.take(Event { seq, at: seq * 10, body }).unwrap();
        }
    }

    fn told(parts: &[Vec<Body>]) -> Vec<(u64, u64, &'static str)> {
        let kept = Kept::default();
        let to = Recorder::Lines(RecordingWriter::new(Box::new(kept.clone()) as Box<dyn io::Write>));
        let parts_of = Parts { to, seq: 0, at: 0, base: 0, clock: None, more: true, ended: false };
        let mut joined = Joined(Rc::new(RefCell::new(parts_of)));
        for (at, part) in parts.iter().enumerate() {
            if at + 1 == parts.len() && at > 0 {
                joined.last();
            }
            tell(&mut joined.clone(), part.clone());
        }
        joined.idle().unwrap();
        drop(joined);
        let bytes = kept.0.borrow().clone();
        let events: Result<Vec<Event>, _> = read(&bytes[..]).collect();
        let word = |body: &Body| match body {
            Body::Begin { .. } => "begin",
            Body::Planned { .. } => "planned",
            Body::End { status: 0 } => "end",
            Body::End { .. } => "end badly",
            _ => "other",
        };
        events.unwrap().iter().map(|e| (e.seq, e.at, word(&e.body))).collect()
    }

    #[test]
    fn two_parts_are_one_recording() {
        let whole = told(&[vec![begin(), Body::End { status: 0 }], vec![begin(), Body::End { status: 0 }]]);
        assert_eq!(whole, [(0, 0, "begin"), (1, 1, "planned"), (2, 11, "end")]);
    }

    #[test]
    fn a_part_that_fails_is_the_last() {
        let whole = told(&[vec![begin(), Body::End { status: 1 }]]);
        assert_eq!(whole, [(0, 0, "begin"), (1, 10, "end badly")]);
    }

    #[test]
    fn what_does_not_come_is_no_missing_end() {
        let whole = told(&[vec![begin(), Body::End { status: 0 }]]);
        assert_eq!(whole, [(0, 0, "begin"), (1, 0, "end badly")]);
    }
}
