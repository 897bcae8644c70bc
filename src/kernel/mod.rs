//! What can carry out a plan: the real kernel (`linux`, the only room with
//! system calls) and the modelled one (`model`, pure memory, no dependency on
//! Linux). The engine sees only the trait.

mod counts;
pub mod errno;
pub mod fold;
pub mod ledger;
#[cfg(feature = "linux")]
pub mod linux;
pub mod model;
pub mod suppliers;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::plan::op::{CgroupVersion, OverlayStyle, Slot};
use crate::plan::{Op, Plan, Step};
use crate::trace::{Call, Fact, Life, Said, Value};
pub use errno::Errno;

/// Which kernel a trace speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KernelName {
    /// The kernel of this host.
    Linux,
    /// The modelled kernel in memory.
    Model,
}

/// How closely a run is watched. Each level includes the ones before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Watch {
    /// Not at all: nothing is built, nothing is read back.
    #[default]
    Off,
    /// Calls are recorded and the result of each step is read back.
    After,
    /// The state before each step is read too.
    BeforeAndAfter,
}

/// Values that steps have filled in so far.
pub type Slots = BTreeMap<Slot, Value>;

/// What a step did, as far as it was watched.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Applied {
    /// Evidence read before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<Fact>,
    /// System calls, in order, with results.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<Call>,
    /// Evidence read after.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<Fact>,
    /// Time from start to end in the actor, microseconds; 0 when not watched.
    #[serde(default)]
    pub micros: u64,
    /// The step found its work done already (a layer, a bridge) and changed nothing;
    /// of an undo, that it left what the step did, because it is whole and of use.
    #[serde(default)]
    pub unchanged: bool,
    /// What else was read and called, where it came as JSON and was not taken apart.
    #[serde(skip)]
    pub said: Option<Box<Said>>,
}

/// Why a step failed. Reads as a fragment after "failed to …": lowercase, no
/// full stop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error, JsonSchema)]
#[error("{what}{}", .errno.map(|e| format!(": {e}")).unwrap_or_default())]
pub struct Failure {
    /// What failed, on what path or value: `mount overlay on /x`.
    pub what: String,
    /// The errno, where the kernel gave one.
    pub errno: Option<Errno>,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The exit status that this failure means for `run`: 125, 126 or 127.
    #[serde(default = "default_status")]
    pub status: u8,
}

fn default_status() -> u8 {
    125
}

impl Failure {
    /// A failure with the default status 125 and no hint.
    pub fn new(what: impl Into<String>, errno: Option<Errno>) -> Self {
        Failure { what: what.into(), errno, hint: None, status: default_status() }
    }

    /// Adds what to do next.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Sets the exit status of `run`.
    pub fn status(mut self, status: u8) -> Self {
        self.status = status;
        self
    }
}

/// What [`Kernel::observe`] looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Subject {
    Mounts,
    Namespaces,
    Cgroup,
    Network,
    Layers,
    Processes,
}

/// Hears what happens in the container while a step lasts.
pub trait Hear {
    /// It happened; to be shown at once.
    fn tell(&mut self, life: Life);

    /// The kernel waits for something else now.
    fn idle(&mut self) {}

    /// Whether the container may live on, after what was told of it. An error ends it.
    fn goes_on(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    /// Whether anybody may want to hold a process: where not, it need not be found
    /// out what a call would change.
    fn holds(&self) -> bool {
        false
    }

    /// Whether a process is to be held before what this event ([`Life::Held`])
    /// says. Asked while it is held already, so the answer has to come quickly.
    fn wants(&mut self, _life: &Life) -> bool {
        false
    }

    /// The process is held before its call; it goes on when this returns. An
    /// error ends the container.
    fn held(&mut self, _life: &Life, _kernel: &mut dyn Kernel, _slots: &Slots) -> Result<(), Failure> {
        Ok(())
    }
}

impl<F: FnMut(Life)> Hear for F {
    fn tell(&mut self, life: Life) {
        self(life);
    }
}

/// Who hears of a step's [`Life`] events.
pub type OnLife<'a> = &'a mut dyn Hear;

/// A kernel that carries out steps.
///
/// The engine calls [`begin`](Kernel::begin) once, then [`apply`](Kernel::apply)
/// for every step in order, init's steps included. A failed step is followed by
/// [`undo`](Kernel::undo) of the steps before it, last first.
pub trait Kernel {
    /// Which one it is.
    fn name(&self) -> KernelName;

    /// The release of the kernel (`uname -r`), or what stands for it.
    fn release(&self) -> String;

    /// Announces the plan. A kernel that runs init's steps in another process
    /// takes them from here.
    fn begin(&mut self, plan: &Plan, watch: Watch);

    /// Carries out one step. With [`Watch::Off`] nothing is recorded and init's
    /// steps may run ahead: the failure of one may be returned by a later call,
    /// with [`StepFailure::step`] naming the true one.
    fn apply(&mut self, step: &Step, slots: &mut Slots, life: OnLife<'_>) -> Result<Applied, StepFailure>;

    /// Reads the present state of one subject, for `inspect`.
    fn observe(&mut self, subject: Subject, slots: &Slots) -> Vec<Fact>;

    /// Takes back one operation. Idempotent: undoing what was never done, or is
    /// already undone, succeeds and reports no call that changed anything.
    fn undo(&mut self, op: &Op, slots: &Slots) -> Result<Applied, StepFailure>;
}

/// A failure and what was seen until then.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepFailure {
    /// The step that failed, when it is not the one that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<crate::plan::StepId>,
    /// Why.
    pub failure: Failure,
    /// Calls and evidence until then.
    #[serde(default)]
    pub applied: Applied,
}

impl From<Failure> for StepFailure {
    fn from(failure: Failure) -> Self {
        StepFailure { step: None, failure, applied: Applied::default() }
    }
}

/// What a planner must know of the host. Read once by the `linux` kernel; fixed
/// for the modelled one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostFacts {
    /// Hierarchies that containers use.
    pub cgroups: Vec<CgroupMount>,
    /// How an overlay is mounted here.
    pub overlay: OverlayStyle,
    /// The host's name servers' configuration, as text of `resolv.conf`.
    pub resolv_conf: String,
    /// `max` or the number of CPUs, for checking `--cpus`.
    pub cpus: u32,
    /// The capabilities that a container can be given: those of this process, as a
    /// mask by number, capabilities(7).
    pub capabilities: u64,
    /// Whether time namespaces exist.
    pub time_namespace: bool,
    /// Whether the layers of a union may be mounts that stand nowhere, which
    /// translate owners: Linux 6.15.
    pub mapped_layers: bool,
}

/// One mounted cgroup hierarchy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CgroupMount {
    /// Version.
    pub version: CgroupVersion,
    /// Where the hierarchy is mounted: `/sys/fs/cgroup/memory`.
    pub mount: String,
    /// Its controllers.
    pub controllers: Vec<String>,
}
