//! (placeholder of branch `linux`)
use crate::kernel::Failure;
use crate::kernel::linux::cx::Cx;
use crate::plan::Op;
use crate::trace::Fact;

/// Placeholder.
pub fn apply(op: &Op, _cx: &mut Cx) -> Result<bool, Failure> {
    Err(Failure::new(format!("carry out {}: not built in", op.name()), None))
}
/// Placeholder.
pub fn undo(op: &Op, _cx: &mut Cx) -> Result<(), Failure> {
    Err(Failure::new(format!("undo {}: not built in", op.name()), None))
}
/// Placeholder.
pub fn evidence(_op: &Op, _cx: &Cx) -> Vec<Fact> {
    Vec::new()
}
