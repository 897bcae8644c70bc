//! Making the container's directory in a hierarchy.

use rustix::fs::{CWD, Mode, mkdirat};

use super::files;
use crate::kernel::linux::recorder::{Recorder, zero};
use crate::kernel::{Errno, Failure};
use crate::plan::op::CgroupVersion;
use crate::trace::Fact;

pub(super) fn create(
    rec: &mut Recorder,
    version: CgroupVersion,
    controllers: &[String],
    path: &str,
) -> Result<bool, Failure> {
    let cpuset = version == CgroupVersion::V1 && controllers.iter().any(|c| c == "cpuset");
    let errno = match make(rec, path, cpuset) {
        Ok(made) => return Ok(!made),
        Err(errno) => errno,
    };
    let failure = files::failure(format!("make the cgroup {path}"), errno);
    Err(match errno {
        Errno::ENOENT => {
            failure.hint("the hierarchy is not mounted there any more: see /proc/self/mountinfo")
        }
        Errno::EAGAIN => failure.hint("cgroup.max.descendants of a cgroup above is reached"),
        Errno::ENOSPC => failure
            .hint("the kernel has no id left for a memory cgroup, or a v1 cpuset parent has no cpuset.cpus"),
        _ => failure,
    })
}

/// Makes one directory; `false` when it is there already.
fn make(rec: &mut Recorder, path: &str, cpuset: bool) -> Result<bool, Errno> {
    let made = rec.call(
        "mkdirat",
        || vec![("dirfd", "AT_FDCWD".into()), ("pathname", path.into()), ("mode", "0755".into())],
        zero,
        || mkdirat(CWD, path, Mode::from_raw_mode(0o755)),
    );
    let made = match made {
        Ok(()) => true,
        Err(Errno::EEXIST) => false,
        Err(errno) => return Err(errno),
    };
    if cpuset {
        copy_cpuset(rec, path)?;
    }
    Ok(made)
}

/// A new v1 cpuset is empty and takes no process until it has CPUs and memory
/// nodes, cpuset(7): it gets its parent's.
fn copy_cpuset(rec: &mut Recorder, path: &str) -> Result<(), Errno> {
    let Some((parent, _)) = path.rsplit_once('/') else { return Err(Errno::EINVAL) };
    for file in ["cpuset.cpus", "cpuset.mems"] {
        let own = format!("{path}/{file}");
        if files::read(&own)?.is_empty() {
            let value = files::read(&format!("{parent}/{file}"))?;
            files::write(rec, &own, &value)?;
        }
    }
    Ok(())
}

pub(super) fn evidence(version: CgroupVersion, path: &str) -> Vec<Fact> {
    let mut facts = files::procs(&format!("{path}/cgroup.procs"));
    if version == CgroupVersion::V2 {
        facts.push(files::fact(&format!("{path}/cgroup.controllers")));
    }
    facts
}
