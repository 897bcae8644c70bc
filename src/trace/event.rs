//! The events: what the engine says, and all that a renderer may know.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Life, Relayed, Value};
use crate::kernel::{Errno, Failure, KernelName, Watch};
use crate::plan::op::Slot;
use crate::plan::{Actor, Op, Phase, Plan, StepId};

/// Version of the event format. A reader refuses a newer one.
pub const TRACE_VERSION: u32 = 1;

/// One event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// Counts from 0 within the recording.
    pub seq: u64,
    /// Microseconds since the first event.
    pub at: u64,
    /// What happened.
    #[serde(flatten)]
    pub body: Body,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Body {
    /// The first event of a recording.
    Begin {
        /// [`TRACE_VERSION`] of the writer.
        version: u32,
        /// Version of glassbox.
        program: String,
        /// Which kernel did it.
        kernel: KernelName,
        /// Its release.
        release: Value,
        /// The command line, without the program's name.
        command: Vec<String>,
        /// How closely it was watched.
        watch: Watch,
        /// What is to be done.
        plan: Plan,
        /// Volatile values known from the start (container id, store root, links…).
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        names: Vec<Value>,
    },
    /// What was found so far tells what is to be done next: a second plan.
    Planned {
        /// Its steps come after those of the plan before.
        plan: Plan,
        /// Volatile values that are known now.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        names: Vec<Value>,
    },
    /// A step is about to start. Nothing has been done yet.
    About {
        /// Which.
        step: StepId,
        /// Its chapter.
        phase: Phase,
        /// Who will do it.
        actor: Actor,
        /// What will be done.
        op: Op,
    },
    /// A system call was made.
    Call {
        /// Within this step.
        step: StepId,
        /// The call.
        call: Call,
    },
    /// Evidence was read from the kernel.
    Observed {
        /// Within this step.
        step: StepId,
        /// Before or after the step's calls.
        when: When,
        /// What was read.
        facts: Vec<Fact>,
    },
    /// The step worked.
    Done {
        /// Which.
        step: StepId,
        /// Microseconds, in the actor.
        micros: u64,
        /// The work had been done before; nothing changed.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        unchanged: bool,
        /// Values that it filled in.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        filled: BTreeMap<Slot, Value>,
    },
    /// The step did not work.
    Failed {
        /// Which.
        step: StepId,
        /// Why.
        failure: Failure,
    },
    /// A step that had been done, or may have been, is about to be taken back.
    Undoing {
        /// Which.
        step: StepId,
        /// Its operation.
        op: Op,
    },
    /// It was taken back, or there was nothing to take back, or it could not be.
    Undone {
        /// Which.
        step: StepId,
        /// Why it could not be.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failure: Option<Failure>,
        /// What it did was left as it is, because it is whole and of use.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        kept: bool,
    },
    /// Something happened inside the container, or is held before it happens.
    Life {
        /// What.
        life: Life,
    },
    /// The last event.
    End {
        /// The exit status of the command.
        status: u8,
    },
}

/// Before or after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum When {
    Before,
    After,
}

/// A system call, decoded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Call {
    /// The call's name as in section 2 of the manual; for a netlink request
    /// `sendto`, with the request as an argument.
    pub name: String,
    /// Name and value of each argument, in the call's order.
    pub args: Vec<(String, Value)>,
    /// What it returned; a volatile value where that is one (pid, fd).
    pub result: Value,
    /// The error, when it failed. The result is then -1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errno: Option<Errno>,
    /// Microseconds in the call.
    pub micros: u64,
    /// It changes the state of the kernel or of a file system (the others only read).
    pub changes: bool,
}

/// One piece of evidence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Fact {
    /// Where it was read: `/proc/self/mountinfo`, `netlink RTM_GETLINK`, `stat(2)`….
    pub source: Value,
    /// What it says of: `upper`, `mount /proc`, `ns pid`, `memory.max`….
    pub key: String,
    /// What was read.
    pub value: Value,
}

/// Takes events as they happen: a recorder, a renderer, a stepper.
pub trait EventSink {
    /// Takes one event. An error ends the run, and undoes it.
    fn event(&mut self, event: &Event) -> std::io::Result<()>;

    /// Takes one event for good: who keeps it need not copy it.
    fn take(&mut self, event: Event) -> std::io::Result<()> {
        self.event(&event)
    }

    /// The run waits for something: what was put off can be done now.
    fn idle(&mut self) -> std::io::Result<()> {
        Ok(())
    }

    /// Takes one event in the JSON that it came in. Who only writes it down need not
    /// take it apart.
    fn relayed(&mut self, event: &Relayed<'_>) -> std::io::Result<()> {
        self.take(event.event()?)
    }
}
