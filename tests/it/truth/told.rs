//! What a recording tells, one value per system call.

use glassbox::plan::{Actor, Op, StepId};
use glassbox::trace::{Body, Call, Event};

/// A call of the recording.
#[derive(Clone, Debug)]
pub struct Told {
    pub step: StepId,
    /// Who the step belongs to. The runtime may make calls for a step of init's.
    pub actor: Actor,
    pub call: Call,
}

/// The changing calls of a recording, in order.
pub fn changes(events: &[Event]) -> Vec<Told> {
    let mut actor = Actor::Runtime;
    let mut all = Vec::new();
    for event in events {
        match &event.body {
            // Init's first calls are told with its birth.
            Body::About { op: Op::Clone { .. }, .. } => actor = Actor::Init,
            Body::About { op: Op::SpawnInside { .. }, .. } => actor = Actor::Process,
            Body::About { actor: of, .. } => actor = *of,
            // Init is gone or goes with it: undoing is the runtime's.
            Body::Undoing { .. } => actor = Actor::Runtime,
            Body::Call { step, call } if call.changes => {
                all.push(Told { step: step.clone(), actor, call: call.clone() });
            }
            _ => {}
        }
    }
    all
}

impl Told {
    pub fn arg(&self, name: &str) -> Option<String> {
        self.call.args.iter().find(|(n, _)| n == name).map(|(_, v)| v.text())
    }

    /// For messages.
    pub fn line(&self) -> String {
        let args: Vec<String> = self.call.args.iter().map(|(n, v)| format!("{n}={v}")).collect();
        let errno = self.call.errno.map(|e| format!(" {}", e.name())).unwrap_or_default();
        format!("{}: {}({}) = {}{errno}", self.step, self.call.name, args.join(", "), self.call.result)
    }
}
