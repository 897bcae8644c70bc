//! (placeholder of branch `linux`)
use crate::kernel::Failure;
use crate::kernel::linux::recorder::Recorder;
use crate::plan::op::SeccompProfile;

/// Placeholder.
pub fn load(_profile: &SeccompProfile, _rec: &mut Recorder) -> Result<(), Failure> {
    Err(Failure::new("load the system call filter: not built in", None))
}
