//! The plan as data: steps with an id, a phase, an actor and an operation.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Op;

/// Version of the plan's serialised form. A reader refuses a newer one.
pub const PLAN_VERSION: u32 = 1;

/// The chapters of a run, in the order in which the story is told. The cgroup
/// comes before the namespaces, because on v2 init is born in it (clone3 with
/// CLONE_INTO_CGROUP).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Reference, manifest, config, layers, digests, unpacking.
    Image,
    /// The host's kernel (bootfs) and the image's read-only layers (rootfs).
    Rootfs,
    /// The overlay mount and the container's writable layer.
    Union,
    /// Control groups: limits and accounting.
    Cgroup,
    /// clone3 with the new namespaces.
    Namespaces,
    /// Bridge, veth, address, route, NAT, ports.
    Network,
    /// proc, sys, dev, volumes, hosts.
    Mounts,
    /// pivot_root into the new root.
    Pivot,
    /// Ids, capabilities, seccomp, no_new_privs, masked paths.
    Security,
    /// execve of the container's command.
    Exec,
    /// The container lives: processes, copy-on-write, packets.
    Life,
    /// Status, teardown, what stays.
    Exit,
}

impl Phase {
    /// Every phase, in the order of the story.
    pub const ALL: [Phase; 12] = [
        Phase::Image,
        Phase::Rootfs,
        Phase::Union,
        Phase::Cgroup,
        Phase::Namespaces,
        Phase::Network,
        Phase::Mounts,
        Phase::Pivot,
        Phase::Security,
        Phase::Exec,
        Phase::Life,
        Phase::Exit,
    ];

    /// The phase's name as it is written in plans, breakpoints and messages.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Image => "image",
            Phase::Rootfs => "rootfs",
            Phase::Union => "union",
            Phase::Cgroup => "cgroup",
            Phase::Namespaces => "namespaces",
            Phase::Network => "network",
            Phase::Mounts => "mounts",
            Phase::Pivot => "pivot",
            Phase::Security => "security",
            Phase::Exec => "exec",
            Phase::Life => "life",
            Phase::Exit => "exit",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Who carries a step out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    /// The glassbox process on the host.
    Runtime,
    /// The cloned child, inside the new namespaces, before it becomes the
    /// container's command.
    Init,
    /// A process that joins a container which runs already, before it becomes its
    /// command.
    Process,
}

impl Actor {
    /// `runtime`, `init` or `process`.
    pub fn name(self) -> &'static str {
        match self {
            Actor::Runtime => "runtime",
            Actor::Init => "init",
            Actor::Process => "process",
        }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Names a step within its plan: the phase, a dot, and what is done, such as
/// `union.mount-overlay`. Unique in the plan; stable between runs of the same
/// command, so that a breakpoint or a recording can name it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct StepId(pub String);

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// One thing that is done, by one actor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// Unique in the plan.
    pub id: StepId,
    /// The chapter that it belongs to.
    pub phase: Phase,
    /// Who does it.
    pub actor: Actor,
    /// What is done.
    pub op: Op,
}

/// Everything that a command will do to the host, in order.
///
/// The plan is also the receipt: it is on disk before its first step, and
/// undoing it in reverse order, done or not, gives the host back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// [`PLAN_VERSION`] of the writer.
    pub version: u32,
    /// The container that the plan is about: 64 hexadecimal digits.
    pub container: String,
    /// In order of execution.
    pub steps: Vec<Step>,
}

impl Plan {
    /// The step with this id.
    pub fn step(&self, id: &StepId) -> Option<&Step> {
        self.steps.iter().find(|s| &s.id == id)
    }

    /// The steps that the process which becomes the command carries out, in order.
    pub fn init_steps(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(|s| s.actor != Actor::Runtime)
    }
}
