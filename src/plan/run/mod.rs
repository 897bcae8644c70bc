//! The plan of `run`: from a specification to the whole story, first layer to
//! last teardown. A file per part of the story.

mod image;
mod life;
mod mounts;
mod namespaces;
mod network;
pub(super) mod security;

use crate::kernel::{Failure, HostFacts};
use crate::plan::order;
use crate::plan::{Actor, Op, PLAN_VERSION, Phase, Plan, Step, StepId};
use crate::spec::RunSpec;

/// Makes the plan of one run. Nothing is read and nothing is done.
pub fn plan(spec: &RunSpec, facts: &HostFacts) -> Result<Plan, Failure> {
    let mut builder = Builder::default();
    image::layers(&mut builder, spec);
    image::kernel(&mut builder, spec);
    image::union(&mut builder, spec, facts);
    let cgroup = namespaces::cgroup(&mut builder, spec, facts)?;
    namespaces::clone(&mut builder, spec, &cgroup);
    network::outside(&mut builder, spec);
    network::inside(&mut builder, spec);
    namespaces::join(&mut builder, spec, &cgroup);
    mounts::mounts(&mut builder, spec, facts, &cgroup);
    mounts::pivot(&mut builder, spec);
    security::security(&mut builder, spec);
    life::exec(&mut builder, spec);
    life::life(&mut builder, spec);
    let plan = Plan { version: PLAN_VERSION, container: spec.id.clone(), steps: builder.steps };
    order::check(&plan).map_err(|e| {
        Failure::new(e.to_string(), None).hint("this is a defect of glassbox: please report it")
    })?;
    Ok(plan)
}

/// Has the filter of a run or of an exec ask glassbox, so that the life of the container can
/// be told. A process without a filter gets one that refuses nothing.
pub fn tell_life(plan: &mut Plan) {
    use crate::plan::op::SeccompProfile;
    for step in &mut plan.steps {
        if let Op::LoadSeccomp { told, .. } = &mut step.op {
            *told = true;
            return;
        }
    }
    // Loaded while init may.
    let Some(at) = plan.steps.iter().position(|s| matches!(s.op, Op::SetUser { .. })) else { return };
    let op = Op::LoadSeccomp { profile: SeccompProfile::Unconfined, told: true };
    let id = StepId("security.watch-calls".to_owned());
    let actor = plan.steps[at].actor;
    plan.steps.insert(at, Step { id, phase: Phase::Security, actor, op });
}

/// Collects steps and gives them unique ids.
#[derive(Default)]
struct Builder {
    steps: Vec<Step>,
}

impl Builder {
    /// Adds a step named `phase.label`; a repeated name gets a number.
    fn add(&mut self, phase: Phase, actor: Actor, label: &str, op: Op) -> StepId {
        let base = format!("{}.{label}", phase.name());
        let mut id = base.clone();
        let mut n = 1;
        while self.steps.iter().any(|s| s.id.0 == id) {
            n += 1;
            id = format!("{base}-{n}");
        }
        let id = StepId(id);
        self.steps.push(Step { id: id.clone(), phase, actor, op });
        id
    }

    fn runtime(&mut self, phase: Phase, label: &str, op: Op) -> StepId {
        self.add(phase, Actor::Runtime, label, op)
    }

    fn init(&mut self, phase: Phase, label: &str, op: Op) -> StepId {
        self.add(phase, Actor::Init, label, op)
    }
}

/// A path as the label of a step: `/dev/pts` -> `dev-pts`.
fn label(path: &str) -> String {
    path.trim_matches('/').replace('/', "-")
}

/// Where the container's file systems are put together, on the host.
fn rootfs(spec: &RunSpec) -> String {
    spec.dirs.container.join("rootfs").to_string_lossy().into_owned()
}

/// A path inside the container as seen from outside, before the pivot.
fn inside(spec: &RunSpec, path: &str) -> String {
    format!("{}/{}", rootfs(spec), path.trim_start_matches('/'))
}
