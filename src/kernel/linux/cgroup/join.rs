//! Moving the process that becomes the command into its v1 cgroups.

use super::files;
use crate::kernel::linux::cx::Cx;
use crate::kernel::linux::evidence::text_of;
use crate::kernel::{Errno, Failure};
use crate::trace::{Fact, Kind, Value};

/// The process writes 0, for itself, to files named `tasks`: its pid of the host means nothing in its pid
/// namespace. The runtime writes the process's pid to any other.
pub(super) fn join(cx: &mut Cx, files: &[String]) -> Result<bool, Failure> {
    for file in files {
        let (pid, wrote) = if file.ends_with("/tasks") {
            (0, files::write(cx.rec, file, "0"))
        } else {
            let pid = cx.command_pid().ok_or_else(|| {
                Failure::new("join the cgroups before there is a process to put into them", None)
            })?;
            (pid, files::write_pid(cx.rec, file, pid))
        };
        wrote.map_err(|errno| {
            let failure = files::failure(format!("write pid {pid} to {file}"), errno);
            match errno {
                Errno::ESRCH => {
                    failure.hint("the container's init process is gone: its own error comes first")
                }
                Errno::ENOSPC => failure.hint("the cpuset there has no cpuset.cpus or no cpuset.mems"),
                Errno::EAGAIN => failure.hint("pids.max of the cgroup or of one above is reached"),
                _ => failure,
            }
        })?;
    }
    Ok(false)
}

/// `/proc/PID/cgroup`, one fact per hierarchy.
pub(super) fn evidence(cx: &Cx) -> Vec<Fact> {
    let Some(pid) = cx.command_pid() else { return Vec::new() };
    let path = format!("/proc/{pid}/cgroup");
    let text = text_of(&path).unwrap_or_default();
    let lines = text.lines().filter_map(|line| {
        // hierarchy-id:controllers:path, cgroups(7).
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, place) = (parts.next()?, parts.next()?);
        let key = if controllers.is_empty() { "unified" } else { controllers };
        Some(Fact { source: Value::volatile(Kind::Path, &path), key: key.to_owned(), value: place.into() })
    });
    lines.collect()
}
