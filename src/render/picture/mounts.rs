//! What is mounted in the container's mount namespace.

use serde::Serialize;

use crate::narrate::inside;
use crate::plan::Op;
use crate::plan::op::MountRole;

/// In the order in which they were mounted.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Mounts {
    /// The root is not among them: it is the union.
    pub points: Vec<MountPoint>,
    /// Paths over which something was mounted to hide them.
    pub masked: usize,
    /// Paths that were made read-only.
    pub read_only: usize,
    /// Nothing of the host's tree is left in it.
    pub pivoted: bool,
    /// The namespace has ended, and its mounts with it.
    pub ended: bool,
}

/// One mount.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MountPoint {
    /// As the container calls it.
    pub target: String,
    /// What for.
    pub role: MountRole,
    /// The file system's type; for a bind mount the path on the host.
    pub source: String,
    /// It shows something of the host.
    pub bind: bool,
    /// As mount(8) writes them.
    pub options: Vec<String>,
}

impl Mounts {
    pub(super) fn done(&mut self, op: &Op) {
        match op {
            Op::Mount { role, fstype, target, options, .. } => self.points.push(MountPoint {
                target: inside(target).to_owned(),
                role: *role,
                source: fstype.clone(),
                bind: false,
                options: options.clone(),
            }),
            Op::Bind { role, source, target, options, .. } => self.points.push(MountPoint {
                target: inside(target).to_owned(),
                role: *role,
                source: source.clone(),
                bind: true,
                options: options.clone(),
            }),
            Op::MaskPath { .. } => self.masked += 1,
            Op::ReadonlyPath { .. } => self.read_only += 1,
            Op::PivotRoot { .. } => self.pivoted = true,
            _ => {}
        }
    }
}
