//! Stopping all processes of a container without their noticing, cgroups(7):
//! `cgroup.freeze` of cgroup v2, or the freezer hierarchy of v1, where a cgroup is
//! made for it: a run does without.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::kernel::{CgroupMount, Errno, Failure};
use crate::plan::op::CgroupVersion;

/// A kernel that does not answer within this time has a process in an
/// uninterruptible system call.
const PATIENCE: Duration = Duration::from_secs(10);

/// Processes that stand still until this is dropped.
#[derive(Debug)]
pub struct Frozen {
    state: PathBuf,
    thaw: &'static str,
    /// On v1: the cgroup made for it, and where its processes go back to.
    own: Option<(PathBuf, PathBuf)>,
}

/// Freezes the container whose init has this pid.
///
/// # Errors
/// When there is no way to freeze here, or a process does not stop in time;
/// everything runs again then.
pub fn freeze(pid: i32, mounts: &[CgroupMount]) -> Result<Frozen, Failure> {
    let text = read(Path::new(&format!("/proc/{pid}/cgroup")))?;
    let v2 = mounts.iter().find(|m| m.version == CgroupVersion::V2);
    let path_of = |controller: &str| {
        text.lines().find_map(|line| {
            let mut fields = line.splitn(3, ':').skip(1);
            let names = fields.next()?;
            names.split(',').any(|n| n == controller).then(|| fields.next()).flatten()
        })
    };
    if let (Some(mount), Some(path)) = (v2, path_of("")) {
        let dir = below(&mount.mount, path);
        if path != "/" && dir.join("cgroup.freeze").exists() {
            let frozen = Frozen { state: dir.join("cgroup.freeze"), thaw: "0", own: None };
            write(&frozen.state, "1")?;
            wait(|| Ok(read(&dir.join("cgroup.events"))?.lines().any(|l| l == "frozen 1")))?;
            return Ok(frozen);
        }
    }
    let find = |name: &str| mounts.iter().find(|m| m.controllers.iter().any(|c| c == name));
    let (Some(freezer), Some(back)) = (find("freezer"), path_of("freezer")) else {
        return Err(Failure::new("pause the container: there is no freezer among the cgroups here", None)
            .hint("use --pause=false"));
    };
    // Any hierarchy in which the container has a cgroup of its own knows its processes.
    let members = ["pids", "memory", "devices", "cpu", "cpuset"].iter().find_map(|name| {
        let (mount, path) = (find(name)?, path_of(name).filter(|p| *p != "/")?);
        Some(below(&mount.mount, path).join("cgroup.procs"))
    });
    let Some(members) = members else {
        return Err(
            Failure::new("pause the container: it has no cgroup of its own", None).hint("use --pause=false")
        );
    };
    let own = below(&freezer.mount, &format!("/glassbox-pause-{pid}"));
    fs::create_dir(&own).map_err(|e| failed("mkdir", &own, e))?;
    let back = below(&freezer.mount, back);
    let frozen = Frozen { state: own.join("freezer.state"), thaw: "THAWED", own: Some((own.clone(), back)) };
    // What forks while it is moved leaves a child behind: once more, until nothing is new.
    let mut moved = std::collections::BTreeSet::new();
    loop {
        let mut news = false;
        for pid in read(&members)?.lines() {
            if moved.insert(pid.to_owned()) {
                news = true;
                match fs::write(own.join("cgroup.procs"), pid) {
                    // It ended meanwhile.
                    Err(e)
                        if Errno::from(std::io::Error::from(e.kind())) == Errno::ESRCH
                            || e.raw_os_error() == Some(3) => {}
                    Err(e) => return Err(failed("write", &own.join("cgroup.procs"), e)),
                    Ok(()) => {}
                }
            }
        }
        if !news {
            break;
        }
    }
    write(&frozen.state, "FROZEN")?;
    wait(|| Ok(read(&frozen.state)?.trim() == "FROZEN"))?;
    Ok(frozen)
}

impl Frozen {
    /// The file that says it, and what it says now.
    pub fn state(&self) -> (String, String) {
        let text = fs::read_to_string(&self.state).unwrap_or_default();
        (self.state.to_string_lossy().into_owned(), text.trim().to_owned())
    }
}

/// Lets the container of this pid run again, whoever froze it. One that was never
/// frozen, or is gone, is no error.
pub fn thaw(pid: i32, mounts: &[CgroupMount]) {
    if let Some(freezer) = mounts.iter().find(|m| m.controllers.iter().any(|c| c == "freezer")) {
        let own = below(&freezer.mount, &format!("/glassbox-pause-{pid}"));
        if own.exists() {
            let back = PathBuf::from(&freezer.mount);
            drop(Frozen { state: own.join("freezer.state"), thaw: "THAWED", own: Some((own, back)) });
        }
    }
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    let path = text.lines().find_map(|l| l.strip_prefix("0::")).filter(|p| *p != "/");
    let v2 = mounts.iter().find(|m| m.version == CgroupVersion::V2);
    if let (Some(mount), Some(path)) = (v2, path) {
        // A cgroup without the file cannot be frozen.
        let file = below(&mount.mount, path).join("cgroup.freeze");
        if file.exists() {
            let _ = fs::write(file, "0");
        }
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        // A destructor cannot report; a cgroup that is gone froze nobody.
        let _ = fs::write(&self.state, self.thaw);
        if let Some((own, back)) = &self.own {
            for _ in 0..100 {
                let pids = fs::read_to_string(own.join("cgroup.procs")).unwrap_or_default();
                for pid in pids.lines() {
                    let _ = fs::write(back.join("cgroup.procs"), pid);
                }
                if fs::remove_dir(own).is_ok() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }
}

fn below(mount: &str, path: &str) -> PathBuf {
    Path::new(mount).join(path.trim_start_matches('/'))
}

fn wait(done: impl Fn() -> Result<bool, Failure>) -> Result<(), Failure> {
    let deadline = Instant::now() + PATIENCE;
    while !done()? {
        if Instant::now() > deadline {
            return Err(Failure::new("pause the container: a process does not stop", Some(Errno::ETIMEDOUT))
                .hint("use --pause=false, or try again"));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|e| failed("read", path, e))
}

fn write(path: &Path, value: &str) -> Result<(), Failure> {
    fs::write(path, value).map_err(|e| failed("write", path, e))
}

fn failed(what: &str, path: &Path, error: std::io::Error) -> Failure {
    Failure::new(format!("{what} {}", path.display()), Some(error.into()))
}
