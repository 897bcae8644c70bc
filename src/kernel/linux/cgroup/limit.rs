//! Writing one limit into its file.

use super::files;
use crate::kernel::linux::recorder::Recorder;
use crate::kernel::{Errno, Failure};
use crate::plan::op::Limit;

pub(super) fn set(rec: &mut Recorder, limit: Limit, file: &str, value: &str) -> Result<bool, Failure> {
    if limit == Limit::Controllers && enabled(file, value) {
        return Ok(true);
    }
    match files::write(rec, file, value) {
        Ok(()) => Ok(false),
        // Without a swap area there is nothing to limit, and often no file.
        Err(Errno::ENOENT) if limit == Limit::Swap && !has_swap() => Ok(true),
        Err(errno) => Err(explain(limit, file, value, errno)),
    }
}

/// Whether every `+name` of `value` is in the file.
fn enabled(file: &str, value: &str) -> bool {
    let Ok(now) = files::read(file) else { return false };
    value.split_whitespace().all(|c| now.split_whitespace().any(|n| Some(n) == c.strip_prefix('+')))
}

fn has_swap() -> bool {
    // The first line is a heading.
    std::fs::read_to_string("/proc/swaps").is_ok_and(|text| text.lines().count() > 1)
}

fn explain(limit: Limit, file: &str, value: &str, errno: Errno) -> Failure {
    let failure = files::failure(format!("write {value:?} to {file}"), errno);
    let above = file.rsplit_once('/').map_or("/", |(dir, _)| dir);
    let hint = match (limit, errno) {
        (Limit::Controllers, Errno::EBUSY) => format!(
            "processes live in the cgroup {above} itself, and cgroup v2 then passes no controllers on: \
             move them to a child (mkdir {above}/init; for p in $(cat {above}/cgroup.procs); do echo $p > {above}/init/cgroup.procs; done)"
        ),
        (Limit::Controllers, Errno::ENOENT | Errno::EINVAL) => {
            format!("{above}/cgroup.controllers lists the controllers that are there")
        }
        (Limit::Swap, Errno::ENOENT) => {
            "this kernel does not count swap: boot it with swapaccount=1, or leave swap unlimited (memory-swap -1)"
                .to_owned()
        }
        (_, Errno::ENOENT) => {
            format!("the controller is not enabled for {above}: see cgroup.controllers there, or /proc/cgroups")
        }
        (Limit::Memory | Limit::Swap, Errno::EBUSY) => {
            "the processes in the cgroup use more than that already and the rest cannot be reclaimed".to_owned()
        }
        (Limit::CpusetCpus, Errno::EINVAL | Errno::ERANGE | Errno::EACCES) => {
            "only CPUs that the cgroup above may use: see cpuset.cpus there and /sys/devices/system/cpu/online".to_owned()
        }
        (Limit::CpusetMems, Errno::EINVAL | Errno::ERANGE | Errno::EACCES) => {
            "only memory nodes that the cgroup above may use: see cpuset.mems there".to_owned()
        }
        (Limit::CpuQuota | Limit::CpuPeriod, Errno::EINVAL) => {
            "a cgroup above has a smaller quota, or the period is not between 1000 and 1000000".to_owned()
        }
        _ => return failure,
    };
    failure.hint(hint)
}
