//! These need root and touch only cgroups named after the test and this process. They run on
//! whichever layout the host has; `tests/vm/run.sh` runs them on cgroup v2.
#![cfg(test)]

use std::process::{Child, Command, Stdio};

use super::*;
use crate::kernel::linux::recorder::Recorder;
use crate::kernel::{CgroupMount, Errno, HostFacts, Slots};
use crate::plan::cgroup::{Resources, cgroup_ops, default_devices, quota};
use crate::plan::op::{CgroupVersion, Slot};
use crate::trace::{Kind, Value};

/// Undoes its operations when the test ends, also by a panic.
struct Group {
    ops: Vec<Op>,
    slots: Slots,
    rec: Recorder,
}

impl Group {
    fn new(ops: Vec<Op>) -> Self {
        Group { ops, slots: Slots::new(), rec: Recorder::on() }
    }

    fn apply(&mut self, op: &Op) -> Result<bool, Failure> {
        apply(op, &mut Cx { rec: &mut self.rec, slots: &mut self.slots })
    }

    fn apply_all(&mut self) {
        for op in self.ops.clone() {
            self.apply(&op).unwrap_or_else(|f| panic!("{op:?}: {f}, {:?}", f.hint));
        }
    }

    fn undo(&mut self) -> Result<(), Failure> {
        for op in self.ops.clone().iter().rev() {
            undo(op, &mut Cx { rec: &mut self.rec, slots: &mut self.slots })?;
        }
        Ok(())
    }

    fn evidence(&mut self, op: &Op) -> Vec<Fact> {
        evidence(op, &Cx { rec: &mut self.rec, slots: &mut self.slots })
    }

    fn dirs(&self) -> Vec<String> {
        self.ops
            .iter()
            .filter_map(|op| match op {
                Op::CreateCgroup { path, .. } => Some(path.clone()),
                _ => None,
            })
            .collect()
    }

    fn read(&self, file: &str) -> String {
        let found = self.dirs().iter().map(|d| format!("{d}/{file}")).find_map(|f| files::read(&f).ok());
        found.unwrap_or_else(|| panic!("no {file} in {:?}", self.dirs()))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = self.undo();
    }
}

fn host() -> HostFacts {
    crate::kernel::linux::host::facts().unwrap()
}

fn id(test: &str) -> String {
    format!("test-{test}-{}", std::process::id())
}

fn planned(test: &str, resources: &Resources) -> (Group, Option<String>, Option<Op>) {
    let plan = cgroup_ops(&host(), &id(test), resources).unwrap();
    let group = Group::new(plan.before_clone.iter().map(|s| s.2.clone()).collect());
    (group, plan.clone_into.clone(), plan.join_by_runtime())
}

/// A process that waits for a line and then runs the script.
fn waiting(script: &str) -> Child {
    Command::new("/bin/sh")
        .args(["-c", &format!("read line; {script}")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Puts the process into the group, as join or a birth in the directory would.
fn enter(group: &mut Group, clone_into: Option<&String>, join: Option<&Op>, pid: u32) {
    group.slots.insert(Slot::InitPid, Value::volatile(Kind::Pid, pid));
    if let Some(op) = join {
        group.apply(op).unwrap();
    }
    if let Some(dir) = clone_into {
        std::fs::write(format!("{dir}/cgroup.procs"), pid.to_string()).unwrap();
    }
}

#[test]
#[ignore = "root"]
fn cgroup_limits_are_what_the_kernel_then_says() {
    let cpus = if host().cpus > 1 { "0-1" } else { "0" };
    let resources = Resources {
        memory: Some(64 << 20),
        cpu_quota: Some(quota(0.5)),
        cpuset_cpus: Some(cpus.into()),
        pids: Some(33),
        devices: default_devices(),
        ..Resources::default()
    };
    let (mut group, _, _) = planned("limits", &resources);
    group.apply_all();
    let v2 = group.ops.iter().any(|o| matches!(o, Op::SetLimit { file, .. } if file.ends_with("memory.max")));
    assert_eq!(group.read("pids.max"), "33");
    assert_eq!(group.read("cpuset.cpus"), cpus);
    if v2 {
        assert_eq!(group.read("memory.max"), "67108864");
        assert_eq!(group.read("cpu.max"), "50000 100000");
    } else {
        assert_eq!(group.read("memory.limit_in_bytes"), "67108864");
        assert_eq!(group.read("cpu.cfs_quota_us"), "50000");
        assert_eq!(group.read("cpu.cfs_period_us"), "100000");
    }
    for op in group.ops.clone() {
        let facts = group.evidence(&op);
        assert!(!facts.is_empty(), "{op:?}");
        assert!(facts.iter().all(|f| f.value.text() != Errno::ENOENT.words()), "{facts:?}");
    }
    assert!(group.rec.take().iter().any(|c| c.name == "mkdirat" && c.errno.is_none()));
    let dirs = group.dirs();
    group.undo().unwrap();
    for dir in &dirs {
        assert!(!std::path::Path::new(dir).exists(), "{dir}");
    }
    group.rec.take();
    group.undo().unwrap();
    assert!(
        group.rec.take().iter().all(|c| !c.changes || c.errno.is_some()),
        "a second undo changed something"
    );
}

#[test]
#[ignore = "root"]
fn cgroup_pids_limit_stops_a_fork() {
    let resources = Resources { pids: Some(1), ..Resources::default() };
    let (mut group, into, join) = planned("pids", &resources);
    group.apply_all();
    let mut child = waiting("/bin/true && echo forked; :");
    enter(&mut group, into.as_ref(), join.as_ref(), child.id());
    drop(child.stdin.take());
    let out = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&out.stdout), "");
}

#[test]
#[ignore = "root"]
fn cgroup_devices_are_refused_and_allowed() {
    let resources = Resources { devices: default_devices(), ..Resources::default() };
    let (mut group, into, join) = planned("devices", &resources);
    group.apply_all();
    // 1:11 is /dev/kmsg: no rule names it. 1:3 is /dev/null.
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().display();
    let script = format!(
        "mknod {at}/kmsg c 1 11 && echo made; mknod {at}/null c 1 3; \
         (: < {at}/kmsg) 2>&1 && echo read; (: < {at}/null) && echo null; (: > {at}/null) && echo written"
    );
    let mut child = waiting(&script);
    enter(&mut group, into.as_ref(), join.as_ref(), child.id());
    if let Some(join) = &join {
        let facts = group.evidence(join);
        assert!(facts.iter().any(|f| f.value.text().ends_with(&id("devices"))), "{facts:?}");
    }
    drop(child.stdin.take());
    let out = child.wait_with_output().unwrap();
    let lines = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(lines.contains("made"), "{lines}");
    assert!(!lines.contains("read"), "{lines}");
    assert!(lines.contains("null\nwritten"), "{lines}");
}

#[test]
#[ignore = "root"]
fn cgroup_device_program_works_where_v2_is_mounted() {
    let Some(mount) = host().cgroups.into_iter().find(|m| m.version == CgroupVersion::V2) else {
        panic!("no cgroup2 is mounted here");
    };
    let path = format!("{}/{}{}", mount.mount, crate::plan::cgroup::PREFIX, id("program"));
    let version = CgroupVersion::V2;
    let allow = Op::AllowDevices { version, path: path.clone(), rules: default_devices() };
    let create = Op::CreateCgroup { version, controllers: Vec::new(), path: path.clone() };
    let mut group = Group::new(vec![create, allow.clone()]);
    let none = group.evidence(&allow);
    assert_eq!(none[0].value.text(), Errno::ENOENT.words());
    group.apply_all();
    assert_eq!(group.evidence(&allow)[0].value, Value::Int(1));
    let mut child = waiting("(: < /dev/kmsg) 2>/dev/null && echo read; (: < /dev/null) && echo null");
    enter(&mut group, Some(&path), None, child.id());
    drop(child.stdin.take());
    let out = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&out.stdout), "null\n");
}

#[test]
#[ignore = "root"]
fn cgroup_undo_kills_what_lives_there_and_below() {
    let (mut group, into, join) = planned("kill", &Resources::default());
    group.apply_all();
    let mut child = waiting("while :; do sleep 1000; done");
    enter(&mut group, into.as_ref(), join.as_ref(), child.id());
    // A process in a cgroup that the container made itself, two levels down.
    let mut deeper = waiting("sleep 1000");
    for dir in group.dirs() {
        std::fs::create_dir_all(format!("{dir}/a/b")).unwrap();
        std::fs::write(format!("{dir}/a/b/cgroup.procs"), deeper.id().to_string()).unwrap();
    }
    // The children are not reaped before: a zombie must not be in the way.
    group.undo().unwrap();
    for dir in group.dirs() {
        assert!(!std::path::Path::new(&dir).exists(), "{dir}");
    }
    use std::os::unix::process::ExitStatusExt;
    assert_eq!(child.wait().unwrap().signal(), Some(9));
    assert_eq!(deeper.wait().unwrap().signal(), Some(9));
}

/// A thread stands for init: `tasks` moves the caller alone.
#[test]
#[ignore = "root"]
fn cgroup_v1_is_joined_by_init_itself() {
    let plan = cgroup_ops(&host(), &id("itself"), &Resources::default()).unwrap();
    let Some(op) = plan.join_by_init() else {
        assert!(plan.clone_into.is_some(), "neither v1 nor v2");
        return;
    };
    let mut group = Group::new(plan.before_clone.iter().map(|s| s.2.clone()).collect());
    group.apply_all();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            group.apply(&op).unwrap();
            let text = std::fs::read_to_string("/proc/thread-self/cgroup").unwrap();
            let inside = text.lines().filter(|l| l.ends_with(&id("itself"))).count();
            assert_eq!(inside, plan.join.len(), "{text}");
        });
    });
    // A thread is joined a moment before it has left its cgroup.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    let busy = |dir: &String| !std::fs::read_to_string(format!("{dir}/tasks")).unwrap_or_default().is_empty();
    while group.dirs().iter().any(busy) {
        assert!(std::time::Instant::now() < deadline, "the thread stays in its cgroup");
        std::thread::yield_now();
    }
    group.undo().unwrap();
}

#[test]
#[ignore = "root"]
fn cgroup_errors_name_the_file_and_what_to_do() {
    let mut group = Group::new(Vec::new());
    let mount: CgroupMount = host().cgroups.remove(0);
    let file = format!("{}/glassbox-none/{}/pids.max", mount.mount, id("errors"));
    let op = Op::SetLimit { limit: crate::plan::op::Limit::Pids, file: file.clone(), value: "1".into() };
    let failure = group.apply(&op).unwrap_err();
    assert_eq!(failure.errno, Some(Errno::ENOENT));
    assert!(failure.what.contains(&file) && failure.hint.is_some(), "{failure:?}");
    let failure = group.apply(&Op::JoinCgroup { files: vec![file] }).unwrap_err(); // no pid yet
    assert!(failure.what.contains("before there is a process"), "{failure}");
}

#[test]
#[ignore = "root"]
fn cgroups_are_made_and_removed_side_by_side() {
    let threads: Vec<_> = (0..4)
        .map(|n| {
            std::thread::spawn(move || {
                for round in 0..20 {
                    let (mut group, _, _) = planned(&format!("side-{n}-{round}"), &Resources::default());
                    group.apply_all();
                    group.undo().unwrap();
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}
