//! Joining a container that runs: its first process is found, a further one is made
//! in its pid namespace, and that enters the other namespaces.

use super::{Cx, at_cwd, fail, look, zero};
use crate::kernel::Failure;
use crate::kernel::model::process::Gpid;
use crate::kernel::model::world::World;
use crate::plan::op::{Ns, Slot};
use crate::trace::{Fact, Kind, Value};

fn of_pidfd() -> Value {
    Value::volatile(Kind::Fd, 3)
}

/// The modelled machine keeps no run-time state of its containers: the first process
/// is known by its number in its own pid namespace and by its cgroup.
pub(super) fn find(cx: &mut Cx<'_>, cgroup: &str) -> Result<(), Failure> {
    let first = |w: &World, pid: Gpid| {
        let Some(p) = w.procs.get(&pid).filter(|p| p.exit.is_none()) else { return false };
        let in_cgroup = w.cgroups.path(p.cgroup, 0).split('/').any(|name| name == cgroup);
        p.ns.pid != w.host_ns.pid && w.pid_in(pid, p.ns.pid) == Some(1) && in_cgroup
    };
    let found = cx.w.procs.keys().copied().find(|pid| first(cx.w, *pid));
    let Some(pid) = found else {
        return Err(Failure::new("find the first process of the container: it does not run", None)
            .hint("`glassbox ps` lists the containers that run"));
    };
    let args = || vec![("pid", Value::volatile(Kind::Pid, pid)), ("flags", Value::Int(0))];
    let opened = cx.read("pidfd_open", args, |()| of_pidfd(), |w, _| w.process(pid).map(drop));
    opened.map_err(fail(|| "find the first process of the container".to_owned()))?;
    cx.carried.init = Some(pid);
    cx.slots.insert(Slot::InitPid, Value::volatile(Kind::Pid, pid));
    Ok(())
}

fn setns(cx: &mut Cx<'_>, of: Gpid, kinds: &[Ns]) -> Result<(), Failure> {
    let pid = cx.pid;
    let args = || {
        let words: Vec<&str> = kinds.iter().map(|ns| super::process::flag(*ns)).collect();
        vec![("fd", of_pidfd()), ("nstype", Value::Text(words.join("|")))]
    };
    cx.call("setns", args, zero, |w, _| w.setns(pid, of, kinds))
        .map_err(fail(|| "join the namespaces of the container's first process".to_owned()))
}

pub(super) fn spawn(cx: &mut Cx<'_>, cgroup: Option<&str>) -> Result<(), Failure> {
    let init = cx.init()?;
    let own = cx.pid;
    let open = || {
        let path = Value::from("/proc/self/ns/pid");
        vec![("dirfd", at_cwd()), ("pathname", path), ("flags", "O_RDONLY|O_CLOEXEC".into())]
    };
    cx.read("openat", open, |()| of_pidfd(), |_, _| Ok(()))
        .map_err(fail(|| "open /proc/self/ns/pid".to_owned()))?;
    setns(cx, init, &[Ns::Pid])?;
    let made = super::process::make(cx, &[], cgroup);
    // Also when no process could be made.
    setns(cx, own, &[Ns::Pid])?;
    let pid = made?;
    let born = cx.w.process(pid).map(|p| p.start).unwrap_or_default();
    cx.carried.process = Some(pid);
    cx.slots.insert(Slot::ProcessPid, Value::volatile(Kind::Pid, pid));
    // A hundred ticks a second, as Linux has it.
    cx.slots.insert(Slot::ProcessBorn, Value::volatile(Kind::Time, born / 10_000));
    Ok(())
}

pub(super) fn join(cx: &mut Cx<'_>, namespaces: &[Ns]) -> Result<(), Failure> {
    let (pid, init) = (cx.pid, cx.init()?);
    if !namespaces.is_empty() {
        setns(cx, init, namespaces)?;
    }
    cx.carried.pivoted = true;
    if namespaces.contains(&Ns::User) {
        super::process::become_root(cx, pid)?;
    }
    Ok(())
}

/// Which number a process has in its innermost pid namespace, and which one that is.
pub(super) fn number(w: &World, runtime: Gpid, pid: Gpid) -> Vec<Fact> {
    let Ok(ns) = w.process(pid).map(|p| p.ns.pid) else { return Vec::new() };
    let inside = match w.pid_in(pid, ns) {
        Some(1) => Value::Int(1),
        Some(n) => Value::volatile(Kind::Pid, n),
        None => return Vec::new(),
    };
    let mut facts = vec![look::fact(&format!("/proc/{pid}/status"), "pid inside", inside)];
    let read = look::namespaces(w, &[Ns::Pid], runtime, pid, &pid.to_string());
    facts.extend(read.into_iter().filter(|f| f.key == "ns pid"));
    facts
}

/// The namespaces of a process beside those of the container's first one.
pub(super) fn joined(w: &World, runtime: Gpid, kinds: &[Ns], init: Gpid, pid: Gpid) -> Vec<Fact> {
    let mut facts = Vec::new();
    for kind in kinds.iter().copied().chain([Ns::Pid]) {
        for (prefix, of) in [("init's ", init), ("", pid)] {
            let read = look::namespaces(w, &[kind], runtime, of, &of.to_string());
            let own = read.into_iter().filter(|f| f.key.starts_with("ns "));
            facts.extend(own.map(|f| Fact { key: format!("{prefix}{}", f.key), ..f }));
        }
    }
    facts
}

/// Ends the process that joined, if it is still there. The container goes on.
pub(super) fn kill(cx: &mut Cx<'_>) -> Result<(), Failure> {
    let Some(pid) = cx.carried.process.take() else { return Ok(()) };
    super::undo::kill(cx, pid, "the process")
}
