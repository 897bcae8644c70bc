//! The container as far as the events so far have built it: a pure fold that
//! renderers draw. Nothing is in it that an event did not say: a part appears
//! with the `Done` of its step, and goes when the step is taken back.
//!
//! [`Picture::at`] gives the state after any number of events, which is how
//! time travel works; [`compare`] tells two states apart.

mod cgroup;
mod compare;
mod layers;
mod mounts;
mod namespaces;
mod network;
mod processes;
mod progress;

use serde::Serialize;

use crate::kernel::{KernelName, Slots};
use crate::plan::Op;
use crate::plan::op::Slot;
use crate::trace::{Body, Call, Event, Fact, Life, Value};

pub use cgroup::{Cgroup, Group, LimitSet};
pub use compare::{Change, Item, Topic, compare};
pub use layers::{Entry, Layer, Layers, Union, What, Writable};
pub use mounts::{MountPoint, Mounts};
pub use namespaces::{Namespace, Namespaces};
pub use network::{Bridge, Network, PortMap, Rule, Veth};
pub use processes::{Process, ProcessState, Processes};
pub use progress::{Progress, State, StepView, Undo};

/// The state after some events.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Picture {
    /// Events that led here.
    pub seen: usize,
    /// Which kernel did it; known with the first event.
    pub kernel: Option<KernelName>,
    /// Its release.
    pub release: Option<Value>,
    /// The command line, without the program's name.
    pub command: Vec<String>,
    /// The container that the plan is about.
    pub container: String,
    /// The steps: how far each one is, and what was seen of it.
    pub progress: Progress,
    /// The image's layers, the writable one, and their union.
    pub layers: Layers,
    /// Own or shared with the host.
    pub namespaces: Namespaces,
    /// What is mounted in the container.
    pub mounts: Mounts,
    /// Bridge, veth pair, addresses, routes, translation.
    pub network: Network,
    /// Limits and use.
    pub cgroup: Cgroup,
    /// Inside and outside.
    pub processes: Processes,
    /// Values that steps have filled in.
    pub slots: Slots,
    /// The exit status of the command, after the last event.
    pub status: Option<u8>,
}

impl Picture {
    /// The state after the first `count` events; all of them, if there are fewer.
    pub fn at(events: &[Event], count: usize) -> Picture {
        let mut picture = Picture::default();
        for event in events.iter().take(count) {
            picture.event(event);
        }
        picture
    }

    /// Takes one more event in.
    pub fn event(&mut self, event: &Event) {
        self.seen += 1;
        match &event.body {
            Body::Begin { kernel, release, command, plan, .. } => {
                self.kernel = Some(*kernel);
                self.release = Some(release.clone());
                self.command.clone_from(command);
                self.container.clone_from(&plan.container);
                self.progress.planned(plan);
            }
            Body::Planned { plan, .. } => {
                self.container.clone_from(&plan.container);
                self.progress.planned(plan);
            }
            Body::Done { step, filled, .. } => {
                self.slots.extend(filled.iter().map(|(slot, value)| (*slot, value.clone())));
                if let Some(view) = self.progress.done(step, &event.body) {
                    let (op, facts, changed) =
                        (view.step.op.clone(), view.after.clone(), changed(&view.calls));
                    self.done(&op, &facts, changed);
                }
            }
            Body::Undone { step, kept: true, .. } => self.progress.kept(step),
            Body::Undone { step, failure, .. } => {
                let view = self.progress.undone(step, failure.as_ref());
                if let Some(view) = view.filter(|_| failure.is_none()) {
                    let op = view.step.op.clone();
                    let changed = view.undo.as_ref().is_some_and(|u| changed(&u.calls));
                    self.undone(&op, changed);
                }
            }
            Body::Life { life } => {
                self.progress.life(life);
                self.life(life);
            }
            Body::End { status } => self.status = Some(*status),
            Body::About { .. }
            | Body::Call { .. }
            | Body::Observed { .. }
            | Body::Failed { .. }
            | Body::Undoing { .. } => self.progress.event(self.seen, &event.body),
        }
    }

    fn done(&mut self, op: &Op, facts: &[Fact], changed: bool) {
        match op {
            Op::Undo { of, .. } => self.undone(of, changed),
            Op::Supervise { joined, .. } => {
                self.layers.done(op, facts);
                self.processes.done(op, facts, &self.slots);
                self.cgroup.done(op, facts);
                if !joined {
                    self.container_ended();
                }
            }
            _ => {
                self.layers.done(op, facts);
                self.namespaces.done(op, facts);
                self.mounts.done(op);
                self.network.done(op, facts, &self.slots);
                self.cgroup.done(op, facts);
                self.processes.done(op, facts, &self.slots);
            }
        }
    }

    /// `changed`: the undo made a call that changed something.
    fn undone(&mut self, op: &Op, changed: bool) {
        self.layers.undone(op);
        self.network.undone(op, changed);
        self.cgroup.undone(op);
        match op {
            Op::Clone { .. } => {
                self.processes.killed();
                self.container_ended();
            }
            Op::SpawnInside { .. } => self.processes.killed(),
            _ => {}
        }
    }

    /// With the last process go its namespaces, and with them what is in them:
    /// the mounts, and the container's end of the veth pair with the other one;
    /// namespaces(7), veth(4).
    fn container_ended(&mut self) {
        self.namespaces.ended = true;
        self.mounts.ended = true;
        self.network.inside_ended();
    }

    fn life(&mut self, life: &Life) {
        self.processes.life(life);
        self.layers.life(life);
    }

    /// The address of the container, `a.b.c.d/len`.
    pub fn address(&self) -> Option<&Value> {
        self.slots.get(&Slot::Address)
    }
}

/// The value of the fact with this key.
fn fact<'a>(facts: &'a [Fact], key: &str) -> Option<&'a Value> {
    facts.iter().find(|f| f.key == key).map(|f| &f.value)
}

fn changed(calls: &[Call]) -> bool {
    calls.iter().any(|c| c.changes && c.errno.is_none())
}

#[cfg(test)]
mod tests;
