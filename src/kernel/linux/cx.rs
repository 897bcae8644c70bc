//! What an operation may use while it is carried out.

use crate::kernel::Slots;
use crate::kernel::linux::recorder::Recorder;
use crate::plan::op::Slot;

/// Passed to the `apply`, `undo` and `evidence` functions of each group of
/// operations. In init it holds a copy of the slots as they were when the
/// runtime let init go.
pub struct Cx<'a> {
    /// Every changing system call goes through it.
    pub rec: &'a mut Recorder,
    /// Values filled in so far.
    pub slots: &'a mut Slots,
}

impl Cx<'_> {
    /// Init's pid as the runtime sees it, once [`crate::plan::Op::Clone`] worked.
    pub fn init_pid(&self) -> Option<i32> {
        self.slots.get(&Slot::InitPid).and_then(|v| v.text().parse().ok())
    }

    /// The pid of the process that becomes the command: init, or the one that joins it.
    pub fn command_pid(&self) -> Option<i32> {
        let process = self.slots.get(&Slot::ProcessPid).and_then(|v| v.text().parse().ok());
        process.or_else(|| self.init_pid())
    }

    /// The container's address as `a.b.c.d/len`, once allocated.
    pub fn address(&self) -> Option<String> {
        self.slots.get(&Slot::Address).map(crate::trace::Value::text)
    }
}
