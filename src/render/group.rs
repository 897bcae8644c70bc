//! Which alike steps are told as one.

use crate::narrate::inside;
use crate::plan::{Op, Step};

/// From how many on steps of this kind are told as one; `None` is never.
pub(super) fn group_from(op: &Op) -> Option<usize> {
    match op {
        Op::MakeDir { .. }
        | Op::MakeNode { .. }
        | Op::MakeSymlink { .. }
        | Op::MaskPath { .. }
        | Op::ReadonlyPath { .. } => Some(3),
        // A handful of layers is worth being told one by one.
        Op::UseLayer { .. } => Some(6),
        _ => None,
    }
}

/// Whether two steps are told together.
pub(super) fn same_group(a: &Step, b: &Step) -> bool {
    a.phase == b.phase && a.actor == b.actor && a.op.name() == b.op.name()
}

/// The name of one step within its group.
pub(super) fn member(op: &Op) -> String {
    let last = |path: &str| path.rsplit('/').next().unwrap_or(path).to_owned();
    match op {
        Op::MaskPath { path } | Op::ReadonlyPath { path } => inside(path).to_owned(),
        Op::MakeDir { path, .. } | Op::MakeNode { path, .. } | Op::MakeSymlink { path, .. } => last(path),
        Op::UseLayer { index, .. } => index.to_string(),
        _ => op.name().to_owned(),
    }
}
