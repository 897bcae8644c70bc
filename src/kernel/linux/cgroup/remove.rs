//! Removing the container's directory, and whatever still lives in it.

use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, CWD, unlinkat};

use super::files;
use crate::kernel::linux::recorder::{Recorder, zero};
use crate::kernel::{Errno, Failure};
use crate::plan::op::CgroupVersion;
use crate::trace::{Kind, Value};

/// How long killed processes may take to go.
const DEADLINE: Duration = Duration::from_secs(10);

pub(super) fn remove(rec: &mut Recorder, version: CgroupVersion, path: &str) -> Result<(), Failure> {
    remove_by(rec, version, path, Instant::now() + DEADLINE)
}

fn remove_by(
    rec: &mut Recorder,
    version: CgroupVersion,
    path: &str,
    deadline: Instant,
) -> Result<(), Failure> {
    let mut pause = Duration::from_micros(200);
    let mut killed = false;
    loop {
        match rmdir(rec, path) {
            Ok(()) | Err(Errno::ENOENT) => return Ok(()),
            Err(Errno::EBUSY | Errno::ENOTEMPTY) => {}
            Err(errno) => return Err(files::failure(format!("remove the cgroup {path}"), errno)),
        }
        if Instant::now() > deadline {
            return Err(still_there(path));
        }
        // v2 kills the tree at once and for good; on v1 a fork may slip through each round.
        if version == CgroupVersion::V1 || !killed {
            kill(rec, version, path)?;
        }
        for child in children(path) {
            remove_by(rec, version, &child, deadline)?;
        }
        // Killed processes leave at their own pace, and nothing wakes us on v1.
        if killed {
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(20));
        }
        killed = true;
    }
}

fn rmdir(rec: &mut Recorder, path: &str) -> Result<(), Errno> {
    rec.call(
        "unlinkat",
        || vec![("dirfd", "AT_FDCWD".into()), ("pathname", path.into()), ("flags", "AT_REMOVEDIR".into())],
        zero,
        || unlinkat(CWD, path, AtFlags::REMOVEDIR),
    )
}

fn kill(rec: &mut Recorder, version: CgroupVersion, path: &str) -> Result<(), Failure> {
    if version == CgroupVersion::V2 {
        match files::write(rec, &format!("{path}/cgroup.kill"), "1") {
            Ok(()) => return Ok(()),
            // Before Linux 5.14 there is no such file: one by one, as on v1.
            Err(Errno::ENOENT | Errno::EOPNOTSUPP) => {}
            Err(errno) => return Err(files::failure(format!("kill the processes in {path}"), errno)),
        }
    }
    // Where tasks are counted, none may be born any more.
    let _ =
        files::read(&format!("{path}/pids.max")).map(|_| files::write(rec, &format!("{path}/pids.max"), "0"));
    let own = std::process::id() as i32;
    for pid in members(path) {
        if pid == own {
            return Err(Failure::new(format!("remove the cgroup {path}: glassbox itself runs in it"), None)
                .hint("run the command from outside the container"));
        }
        let sent = rec.call(
            "kill",
            || vec![("pid", Value::volatile(Kind::Pid, pid)), ("sig", "SIGKILL".into())],
            zero,
            || nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL),
        );
        match sent {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(errno) => return Err(files::failure(format!("kill process {pid} in {path}"), errno)),
        }
    }
    Ok(())
}

/// The processes in the cgroup itself. A process of another pid namespace reads
/// as 0, which kill(2) takes for the caller's own group: those are left out.
fn members(path: &str) -> Vec<i32> {
    let text = files::read(&format!("{path}/cgroup.procs")).unwrap_or_default();
    text.lines().filter_map(|l| l.parse().ok()).filter(|pid| *pid > 0).collect()
}

fn children(path: &str) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(path) else { return Vec::new() };
    entries
        .flatten()
        .filter(|e| e.file_type().is_ok_and(|t| t.is_dir()))
        .filter_map(|e| e.path().to_str().map(str::to_owned))
        .collect()
}

fn still_there(path: &str) -> Failure {
    let pids: Vec<_> = members(path).iter().map(i32::to_string).collect();
    let failure = Failure::new(format!("remove the cgroup {path}"), Some(Errno::EBUSY));
    if pids.is_empty() {
        failure.hint(
            "it holds no process of this pid namespace: run the command where the container was started",
        )
    } else {
        failure.hint(format!(
            "killed, but not gone: {}; see their state in /proc/PID/status (D waits for a device)",
            pids.join(" ")
        ))
    }
}
