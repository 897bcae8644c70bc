//! What another process said of a step, passed on in the JSON that it came in.
//! Where nobody reads it on the way to a file, it is not taken apart.

use std::io;

use serde::Serialize;
use serde_json::value::RawValue;

use super::{Body, Event, When};
use crate::plan::StepId;

/// The evidence and the calls of a step, as JSON.
#[derive(Clone, Debug, Default)]
pub struct Said {
    /// Facts read before; an array.
    pub before: Option<Box<RawValue>>,
    /// Each a call.
    pub calls: Vec<Box<RawValue>>,
    /// Facts read after; an array.
    pub after: Option<Box<RawValue>>,
}

impl PartialEq for Said {
    fn eq(&self, other: &Self) -> bool {
        fn text(value: &Option<Box<RawValue>>) -> Option<&str> {
            value.as_ref().map(|v| v.get())
        }
        let calls = |said: &Self| said.calls.iter().map(|c| c.get().to_owned()).collect::<Vec<_>>();
        text(&self.before) == text(&other.before)
            && text(&self.after) == text(&other.after)
            && calls(self) == calls(other)
    }
}

/// What is relayed.
#[derive(Clone, Copy, Debug)]
pub enum What<'a> {
    /// A call.
    Call(&'a RawValue),
    /// Facts; an array.
    Facts(When, &'a RawValue),
}

/// An event as [`Event`], of which the inner part is JSON already. Written as JSON
/// the two are the same.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Relayed<'a> {
    seq: u64,
    at: u64,
    event: &'static str,
    step: &'a StepId,
    #[serde(skip_serializing_if = "Option::is_none")]
    when: Option<When>,
    #[serde(skip_serializing_if = "Option::is_none")]
    facts: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    call: Option<&'a RawValue>,
}

impl<'a> Relayed<'a> {
    /// The event of that number and time.
    pub fn new(seq: u64, at: u64, step: &'a StepId, what: What<'a>) -> Self {
        let (event, when, facts, call) = match what {
            What::Call(call) => ("call", None, None, Some(call)),
            What::Facts(when, facts) => ("observed", Some(when), Some(facts), None),
        };
        Relayed { seq, at, event, step, when, facts, call }
    }

    /// The same with another number, and so much later.
    pub fn moved(self, seq: u64, later: u64) -> Self {
        Relayed { seq, at: self.at.saturating_add(later), ..self }
    }

    /// Microseconds since the first event.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// Takes it apart.
    pub fn event(&self) -> io::Result<Event> {
        let step = self.step.clone();
        let body = match (self.call, self.facts, self.when) {
            (Some(call), ..) => Body::Call { step, call: serde_json::from_str(call.get())? },
            (None, Some(facts), Some(when)) => {
                Body::Observed { step, when, facts: serde_json::from_str(facts.get())? }
            }
            _ => return Err(io::ErrorKind::InvalidData.into()),
        };
        Ok(Event { seq: self.seq, at: self.at, body })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Errno;
    use crate::trace::{Call, Fact, Kind, Value};

    fn call() -> Call {
        Call {
            name: "mount".into(),
            args: vec![("source".into(), "\"a\\b\"".into()), ("fd".into(), Value::volatile(Kind::Other, 3))],
            result: Value::Int(-1),
            errno: Some(Errno::EBUSY),
            micros: 7,
            changes: true,
        }
    }

    fn facts() -> Vec<Fact> {
        vec![Fact { source: "/proc".into(), key: "é".into(), value: Value::from("\n") }]
    }

    #[test]
    fn is_the_event_that_it_was() {
        let step = StepId("mounts.proc".into());
        let facts_said = serde_json::value::to_raw_value(&facts()).unwrap();
        let call_said = serde_json::value::to_raw_value(&call()).unwrap();
        for (what, body) in [
            (What::Call(&call_said), Body::Call { step: step.clone(), call: call() }),
            (
                What::Facts(When::Before, &facts_said),
                Body::Observed { step: step.clone(), when: When::Before, facts: facts() },
            ),
        ] {
            let relayed = Relayed::new(4, 5, &step, what);
            let event = Event { seq: 4, at: 5, body };
            assert_eq!(relayed.event().unwrap(), event);
            assert_eq!(serde_json::to_string(&relayed).unwrap(), serde_json::to_string(&event).unwrap());
        }
    }

    #[test]
    fn what_is_no_call_is_an_error() {
        let raw = RawValue::from_string("[]".into()).unwrap();
        let step = StepId("a.b".into());
        assert!(Relayed::new(0, 0, &step, What::Call(&raw)).event().is_err());
    }
}
