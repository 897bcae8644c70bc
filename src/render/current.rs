//! A step as it is being told, and which of its calls tell most.

use super::layout::Row;
use crate::narrate::{Line, Narrator};
use crate::plan::{Op, Step};
use crate::trace::{Call, Fact, Value};

/// A step under way, or held back.
#[derive(Debug)]
pub struct Current {
    pub step: Step,
    pub calls: Vec<Call>,
    pub before: Vec<Fact>,
    pub after: Vec<Fact>,
    pub micros: u64,
    pub unchanged: bool,
    pub headed: bool,
    /// What happened in the container at the end of the step.
    pub life: Vec<Row>,
}

impl Current {
    /// A step of which nothing is known yet.
    pub fn new(step: Step) -> Self {
        Current {
            step,
            calls: vec![],
            before: vec![],
            after: vec![],
            micros: 0,
            unchanged: false,
            headed: false,
            life: vec![],
        }
    }

    /// What unpacking a layer counted, where it was counted.
    pub fn unpacked(&self, narrator: &Narrator) -> Option<Line> {
        let Op::UnpackLayer { .. } = self.step.op else { return None };
        let count = |key: &str| match self.after.iter().find(|f| f.key == key)?.value {
            Value::Int(n) => Some(n),
            _ => None,
        };
        let args = [
            ("entries", count("entries")?.into()),
            ("bytes", count("bytes of files")?.into()),
            ("whiteouts", count("whiteouts")?.into()),
            ("opaque", count("opaque directories")?.into()),
        ];
        Some(narrator.say("story_unpacked", &args))
    }
}

/// The calls that changed something, what they wrote to, and in a failed step
/// those that failed.
pub fn telling_calls(calls: &[Call], failed: bool) -> Vec<&Call> {
    // What is written to tells as much as what is written.
    let written = |fd: &Value| {
        calls.iter().any(|c| c.name == "write" && c.args.first().is_some_and(|(_, to)| to == fd))
    };
    let opens = |c: &Call| c.name == "openat" && c.errno.is_none() && written(&c.result);
    calls.iter().filter(|c| c.changes || failed && c.errno.is_some() || opens(c)).collect()
}
