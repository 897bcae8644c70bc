//! Joining a container that runs: its first process is found and held, a further one
//! is made in its pid namespace, and that enters the other namespaces.
//!
//! A pid may be another's by the time that it is used. So a pidfd is opened first,
//! and what `/proc/PID` says is taken only if that process still lives afterwards:
//! until then nobody else had its number.

use std::collections::BTreeSet;
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use nix::sched::CloneFlags;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{FileType, OFlags};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde::Deserialize;

use super::calls::{self, CWD, fail, fd_value};
use super::cx::Cx;
use super::evidence::{fact, namespace_facts, text_of};
use super::recorder::{Recorder, zero};
use super::state::State;
use super::{init, remnant, supervise};
use crate::kernel::{Errno, Failure, Slots};
use crate::plan::op::{Ns, Slot};
use crate::trace::{Fact, Kind, Value};

/// Larger user databases are not read: nobody's `/etc/passwd` is.
const LIMIT: u64 = 4 << 20;

/// What is read of a container's run-time state.
#[derive(Deserialize)]
struct Running {
    pid: Option<i32>,
}

/// The first process of a container that runs.
#[derive(Debug)]
pub struct Held {
    pid: i32,
    pidfd: OwnedFd,
}

impl Held {
    /// Finds it by the file of the container's run-time state, and makes sure that it is
    /// the container's: the first of its pid namespace, and in the container's cgroup or
    /// with the mounts of the container whose directory is given.
    ///
    /// # Errors
    /// When the container has ended, or was never so far.
    pub fn open(file: &str, container: &str, cgroup: &str, rec: &mut Recorder) -> Result<Held, Failure> {
        let gone = |errno| {
            Failure::new("find the first process of the container: it does not run", errno)
                .hint("`glassbox ps` lists the containers that run")
        };
        let text = std::fs::read(file).map_err(|e| gone(Some(Errno::from(e))))?;
        let running: Option<Running> = serde_json::from_slice(&text).ok();
        let Some(raw) = running.and_then(|r| r.pid).and_then(Pid::from_raw) else { return Err(gone(None)) };
        let pid = raw.as_raw_nonzero().get();
        let pidfd = rec
            .read(
                "pidfd_open",
                || vec![("pid", Value::volatile(Kind::Pid, pid)), ("flags", Value::Int(0))],
                calls::made_fd,
                || pidfd_open(raw, PidfdFlags::empty()),
            )
            .map_err(|e| if e == Errno::ESRCH { gone(None) } else { gone(Some(e)) })?;
        let held = Held { pid, pidfd };
        let its_own = first_of_its_namespace(pid) && (in_cgroup(pid, cgroup) || has_mounts(pid, container));
        // Only now is it known of whom this was said.
        if !its_own || !held.lives() {
            return Err(gone(None));
        }
        Ok(held)
    }

    /// Whether it has not ended.
    pub fn lives(&self) -> bool {
        lives(&self.pidfd)
    }

    /// Whether it ends in the time given.
    pub fn ends_within(&self, time: Duration) -> bool {
        let time = rustix::event::Timespec {
            tv_sec: time.as_secs().cast_signed(),
            tv_nsec: time.subsec_nanos().into(),
        };
        let mut fds = [PollFd::from_borrowed_fd(self.pidfd.as_fd(), PollFlags::IN)];
        matches!(poll(&mut fds, Some(&time)), Ok(1..))
    }

    /// The texts of `/etc/passwd` and `/etc/group` as the container sees them; empty
    /// where it has no such file. No link leads out of the container.
    ///
    /// # Errors
    /// When the container ended meanwhile.
    pub fn users(&self) -> Result<[String; 2], Failure> {
        let rec = &mut Recorder::off();
        let path = format!("/proc/{}/root", self.pid);
        let what = || "read /etc/passwd of the container".to_owned();
        let root = calls::openat(rec, CWD, path, OFlags::PATH | OFlags::DIRECTORY, 0).map_err(fail(what))?;
        if !self.lives() {
            return Err(Failure::new("read /etc/passwd of the container: it has ended", None));
        }
        let text = |path: &str| {
            let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
            let file = calls::open_in_root(&mut Recorder::off(), &root, path, flags, 0).ok()?;
            let kind = rustix::fs::fstat(&file).ok()?.st_mode;
            let mut text = Vec::new();
            (FileType::from_raw_mode(kind) == FileType::RegularFile).then_some(())?;
            std::fs::File::from(file).take(LIMIT).read_to_end(&mut text).ok()?;
            Some(String::from_utf8_lossy(&text).into_owned())
        };
        Ok(["etc/passwd", "etc/group"].map(|path| text(path).unwrap_or_default()))
    }
}

/// Whether a process has not ended.
pub(super) fn lives(pidfd: &OwnedFd) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(pidfd.as_fd(), PollFlags::IN)];
    let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
    matches!(poll(&mut fds, Some(&now)), Ok(0))
}

/// proc(5): `NSpid` ends with the number in the innermost namespace.
fn first_of_its_namespace(pid: i32) -> bool {
    let numbers = numbers(&pid.to_string());
    numbers.len() > 1 && numbers.last().is_some_and(|n| n == "1")
}

fn numbers(process: &str) -> Vec<String> {
    let text = text_of(&format!("/proc/{process}/status")).unwrap_or_default();
    let line = text.lines().find_map(|l| l.strip_prefix("NSpid:")).unwrap_or_default();
    line.split_whitespace().map(str::to_owned).collect()
}

fn in_cgroup(pid: i32, cgroup: &str) -> bool {
    let text = text_of(&format!("/proc/{pid}/cgroup")).unwrap_or_default();
    !cgroup.is_empty()
        && text.lines().filter_map(|l| l.splitn(3, ':').nth(2)).any(|p| p.split('/').any(|n| n == cgroup))
}

fn has_mounts(pid: i32, container: &str) -> bool {
    let text = text_of(&format!("/proc/{pid}/mountinfo")).unwrap_or_default();
    remnant::is_of(Path::new(container), &text)
}

/// Carries out [`FindInit`](crate::plan::Op::FindInit).
pub fn find(
    file: &str,
    container: &str,
    cgroup: &str,
    cx: &mut Cx<'_>,
    state: &mut State,
) -> Result<(), Failure> {
    let held = Held::open(file, container, cgroup, cx.rec)?;
    cx.slots.insert(Slot::InitPid, Value::volatile(Kind::Pid, held.pid));
    state.init = Some(held.pidfd);
    Ok(())
}

fn not_found() -> Failure {
    Failure::new("join the container: its first process is not found yet", None)
}

/// Children of this process will be born in the container's pid namespace. Gives the
/// way back.
pub fn choose_pid_namespace(rec: &mut Recorder, state: &State) -> Result<OwnedFd, Failure> {
    let own = calls::openat(rec, CWD, "/proc/self/ns/pid", OFlags::RDONLY, 0)
        .map_err(fail(|| "open /proc/self/ns/pid".to_owned()))?;
    let init = state.init.as_ref().ok_or_else(not_found)?;
    setns(rec, init, CloneFlags::CLONE_NEWPID).map_err(join_failure)?;
    Ok(own)
}

/// Children of this process will be born in its own pid namespace again.
pub fn choose_own(rec: &mut Recorder, own: &OwnedFd) -> Result<(), Failure> {
    setns(rec, own, CloneFlags::CLONE_NEWPID)
        .map_err(fail(|| "choose the own pid namespace again for new processes".to_owned()))
}

fn flag(ns: Ns) -> (CloneFlags, &'static str) {
    match ns {
        Ns::User => (CloneFlags::CLONE_NEWUSER, "CLONE_NEWUSER"),
        Ns::Mnt => (CloneFlags::CLONE_NEWNS, "CLONE_NEWNS"),
        Ns::Pid => (CloneFlags::CLONE_NEWPID, "CLONE_NEWPID"),
        Ns::Uts => (CloneFlags::CLONE_NEWUTS, "CLONE_NEWUTS"),
        Ns::Ipc => (CloneFlags::CLONE_NEWIPC, "CLONE_NEWIPC"),
        Ns::Net => (CloneFlags::CLONE_NEWNET, "CLONE_NEWNET"),
        Ns::Cgroup => (CloneFlags::CLONE_NEWCGROUP, "CLONE_NEWCGROUP"),
        // Not known to all C libraries by name.
        Ns::Time => (CloneFlags::from_bits_retain(0x80), "CLONE_NEWTIME"),
    }
}

fn setns(rec: &mut Recorder, fd: &OwnedFd, flags: CloneFlags) -> Result<(), Errno> {
    let words = || {
        let set = Ns::ALL.into_iter().map(flag).filter(|(bit, _)| flags.contains(*bit));
        Value::Text(set.map(|(_, word)| word).collect::<Vec<_>>().join("|"))
    };
    rec.call(
        "setns",
        || vec![("fd", fd_value(fd)), ("nstype", words())],
        zero,
        || {
            // SAFETY: two numbers. Not through nix, which keeps only the flags that it knows.
            nix::errno::Errno::result(unsafe { libc::setns(fd.as_raw_fd(), flags.bits()) }).map(drop)
        },
    )
}

/// Carries out [`JoinNamespaces`](crate::plan::Op::JoinNamespaces), in the process
/// that joins. One call for all: the kernel checks each with the rights that this
/// process has in the user namespace that comes with it.
pub fn join(namespaces: &[Ns], rec: &mut Recorder, state: &mut State) -> Result<(), Failure> {
    let flags = namespaces.iter().fold(CloneFlags::empty(), |flags, ns| flags | flag(*ns).0);
    let init = state.init.take().ok_or_else(not_found)?;
    if !flags.is_empty() {
        setns(rec, &init, flags).map_err(join_failure)?;
    }
    // With the mount namespace come its root and working directory, setns(2).
    state.pivoted = true;
    (state.root_fd, state.dir) = (None, None);
    if namespaces.contains(&Ns::User) {
        init::become_root(rec);
    }
    Ok(())
}

fn join_failure(errno: Errno) -> Failure {
    let failure = Failure::new("join the namespaces of the container's first process", Some(errno));
    match errno {
        Errno::ESRCH => failure.hint("the container has ended: `glassbox ps -a` says how"),
        Errno::EPERM => {
            failure.hint("that needs root, with CAP_SYS_ADMIN, CAP_SYS_CHROOT and CAP_SYS_PTRACE")
        }
        Errno::EINVAL | Errno::EBADF => failure.hint("joining through a pidfd needs Linux 5.8"),
        _ => failure,
    }
}

/// When a process was born, in clock ticks since the machine started: field 22 of
/// proc_pid_stat(5).
pub fn born(pid: i32) -> Option<u64> {
    let text = text_of(&format!("/proc/{pid}/stat")).ok()?;
    // The name before may hold anything, also parentheses.
    text.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

/// Kills a process that joined and outlived its runtime, if it is still there.
pub fn kill_left(rec: &mut Recorder, slots: &Slots) -> Result<(), Failure> {
    let number = |slot| slots.get(&slot).and_then(|v: &Value| v.text().parse::<u64>().ok());
    let (Some(pid), Some(when)) = (number(Slot::ProcessPid), number(Slot::ProcessBorn)) else {
        return Ok(());
    };
    let Some(raw) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return Ok(()) };
    let Ok(pidfd) = pidfd_open(raw, PidfdFlags::empty()) else { return Ok(()) };
    // Read once it is held: so said of this process, if it lives.
    if born(raw.as_raw_nonzero().get()) != Some(when) || !lives(&pidfd) {
        return Ok(());
    }
    match supervise::signal(rec, &pidfd, libc::SIGKILL) {
        Ok(()) | Err(Errno::ESRCH) => {}
        Err(e) => return Err(Failure::new(format!("kill process {pid} of the container"), Some(e))),
    }
    match remnant::wait_killed(&pidfd) {
        true => Ok(()),
        false => Err(Failure::new(format!("end process {pid}: it was killed, but is not gone"), None)
            .hint(format!("see its state in /proc/{pid}/status (D waits for a device)"))),
    }
}

/// What the kernel says of the container's first process.
pub(super) fn found(init: i32) -> Vec<Fact> {
    let mut facts = born_inside(&init.to_string());
    let text = text_of(&format!("/proc/{init}/cgroup")).unwrap_or_default();
    let places: BTreeSet<&str> = text
        .lines()
        .filter_map(|l| l.splitn(3, ':').nth(2))
        .filter(|p| p.contains(crate::plan::cgroup::PREFIX))
        .collect();
    facts.extend(places.into_iter().map(|p| fact(&format!("/proc/{init}/cgroup"), "cgroup", p.into())));
    facts
}

/// Which number a process has in the innermost pid namespace, and which namespace that is.
pub(super) fn born_inside(process: &str) -> Vec<Fact> {
    let mut facts = Vec::new();
    if let Some(inside) = numbers(process).last() {
        let value = match inside.as_str() {
            "1" => Value::Int(1),
            other => Value::volatile(Kind::Pid, other),
        };
        facts.push(fact(&format!("/proc/{process}/status"), "pid inside", value));
    }
    facts.extend(namespace_facts(&[Ns::Pid], process).into_iter().filter(|f| f.key == "ns pid"));
    facts
}

/// The namespaces of a process beside those of the container's first one.
pub(super) fn joined(namespaces: &[Ns], init: i32, process: i32) -> Vec<Fact> {
    let mut facts = Vec::new();
    for ns in namespaces.iter().copied().chain([Ns::Pid]) {
        for (key, pid) in [("init's ns", init), ("ns", process)] {
            let source = format!("/proc/{pid}/ns/{}", ns.name());
            if let Ok(link) = std::fs::read_link(&source) {
                let value = Value::volatile(Kind::Namespace, link.display());
                facts.push(fact(&source, &format!("{key} {}", ns.name()), value));
            }
        }
    }
    facts
}

/// What a process has as its standard input.
pub(super) fn standard_input(process: &str) -> Vec<Fact> {
    let source = format!("/proc/{process}/fd/0");
    let link = std::fs::read_link(&source).ok();
    link.map(|l| fact(&source, "standard input", Value::Text(l.display().to_string()))).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_birth_names_a_process() {
        let own = i32::try_from(std::process::id()).unwrap();
        assert!(born(own).unwrap() > 0);
        assert_eq!(born(own), born(own));
        assert_eq!(born(-1), None);
    }

    #[test]
    fn a_process_of_another_birth_is_left_alone() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let when = born(pid).unwrap();
        let slots = |when: u64| {
            Slots::from([
                (Slot::ProcessPid, Value::volatile(Kind::Pid, pid)),
                (Slot::ProcessBorn, Value::volatile(Kind::Time, when)),
            ])
        };
        kill_left(&mut Recorder::off(), &slots(when + 1)).unwrap();
        assert!(child.try_wait().unwrap().is_none(), "the number alone does not name it");
        kill_left(&mut Recorder::off(), &Slots::new()).unwrap();
        kill_left(&mut Recorder::off(), &slots(when)).unwrap();
        use std::os::unix::process::ExitStatusExt;
        assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGKILL));
    }

    #[test]
    fn only_the_container_s_own_first_process_is_held() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("running.json");
        let open = |text: &str| {
            std::fs::write(&file, text).unwrap();
            Held::open(file.to_str().unwrap(), "/c", "glassbox-x", &mut Recorder::off()).unwrap_err()
        };
        // A process that lives, but is the container's in no way: as after a reuse of the pid.
        for text in [format!(r#"{{"pid":{}}}"#, std::process::id()), "{}".to_owned(), "no".to_owned()] {
            let failure = open(&text);
            assert!(failure.what.contains("does not run") && failure.hint.is_some(), "{text}: {failure}");
        }
        std::fs::remove_file(&file).unwrap();
        let failure = Held::open(file.to_str().unwrap(), "/c", "x", &mut Recorder::off()).unwrap_err();
        assert_eq!(failure.errno, Some(Errno::ENOENT));
    }
}
