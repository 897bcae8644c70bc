//! The command, its life, and what is left when it ends.

use super::Builder;
use crate::plan::{Op, Phase, Step};
use crate::spec::RunSpec;

pub(super) fn exec(b: &mut Builder, spec: &RunSpec) {
    let Some(process) = spec.oci.process() else { return };
    b.init(
        Phase::Exec,
        "exec",
        Op::Exec {
            argv: process.args().clone().unwrap_or_default(),
            env: process.env().clone().unwrap_or_default(),
            cwd: process.cwd().to_string_lossy().into_owned(),
        },
    );
}

pub(super) fn life(b: &mut Builder, spec: &RunSpec) {
    let tty = spec.oci.process().as_ref().and_then(|p| p.terminal()).unwrap_or(false);
    b.runtime(Phase::Life, "supervise", Op::Supervise { tty, interactive: spec.interactive, joined: false });
    let dir = |name: &str| spec.dirs.container.join(name).to_string_lossy().into_owned();
    b.runtime(
        Phase::Life,
        "read-changes",
        Op::ReadChanges {
            upper: dir("upper"),
            lower: spec.image.layers.iter().rev().map(|l| l.dir.to_string_lossy().into_owned()).collect(),
        },
    );
    let over: Vec<Step> = b.steps.iter().filter(|s| ends_with_the_command(&s.op)).rev().cloned().collect();
    for step in over {
        let name = step.id.0.split_once('.').map_or(step.id.0.as_str(), |(_, name)| name);
        let label = format!("undo-{name}");
        b.runtime(Phase::Exit, &label, Op::Undo { step: step.id.clone(), of: Box::new(step.op.clone()) });
    }
    if spec.remove {
        let path = spec.dirs.container.to_string_lossy().into_owned();
        b.runtime(Phase::Exit, "remove-container", Op::RemoveContainer { path });
    } else {
        b.runtime(Phase::Exit, "record-exit", Op::RecordExit { record: dir("record.json") });
    }
}

/// What the container held only while it lived. Its namespaces, and with them
/// its mounts and its end of the veth pair, the kernel takes away itself; bridge
/// and base rules belong to the network; the writable layer to the container.
fn ends_with_the_command(op: &Op) -> bool {
    matches!(op, Op::CreateCgroup { .. } | Op::AllocateAddress { .. } | Op::PublishPort { .. })
}
