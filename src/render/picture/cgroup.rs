//! The control groups: where, with which limits, and how much was used.

use serde::Serialize;

use crate::plan::Op;
use crate::plan::op::{CgroupVersion, Limit};
use crate::trace::{Fact, Value};

/// As far as they are there.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Cgroup {
    /// One per hierarchy; on v2 there is only one.
    pub groups: Vec<Group>,
    /// In the order in which they were written.
    pub limits: Vec<LimitSet>,
    /// Which devices may be used was said.
    pub devices: bool,
    /// Init is in them.
    pub joined: bool,
    /// Files that count what was used, and what they said last.
    pub usage: Vec<(String, Value)>,
}

/// The container's directory in one hierarchy.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Group {
    /// Version of the hierarchy.
    pub version: CgroupVersion,
    /// Its controllers.
    pub controllers: Vec<String>,
    /// The directory.
    pub path: String,
}

/// A limit.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LimitSet {
    /// What for.
    pub limit: Limit,
    /// The file's name.
    pub file: String,
    /// What it says: read back, or as written where nothing was read.
    pub value: String,
}

/// Files that count use, cgroup v1 and v2: `Documentation/admin-guide/cgroup-v2.rst`
/// and `cgroup-v1/` of the kernel.
const USAGE: [&str; 10] = [
    "memory.current",
    "memory.peak",
    "memory.usage_in_bytes",
    "memory.max_usage_in_bytes",
    "memory.events oom_kill",
    "memory.oom_control oom_kill",
    "pids.current",
    "pids.peak",
    "cpu.stat usage_usec",
    "cpuacct.usage",
];

impl Cgroup {
    pub(super) fn done(&mut self, op: &Op, facts: &[Fact]) {
        match op {
            Op::CreateCgroup { version, controllers, path } => self.groups.push(Group {
                version: *version,
                controllers: controllers.clone(),
                path: path.clone(),
            }),
            // What children may have is no limit of this container.
            Op::SetLimit { limit: Limit::Controllers, .. } => {}
            Op::SetLimit { limit, file, value } => {
                let name = file.rsplit('/').next().unwrap_or(file).to_owned();
                let read = facts.iter().find(|f| f.key == name).map(|f| f.value.text());
                let value = read.unwrap_or_else(|| value.clone());
                self.limits.push(LimitSet { limit: *limit, file: name, value });
            }
            Op::AllowDevices { .. } => self.devices = true,
            Op::JoinCgroup { .. } => self.joined = true,
            Op::Clone { cgroup: Some(_), .. } => self.joined = true,
            Op::Supervise { .. } => self.joined = false,
            _ => {}
        }
        for (key, value) in Cgroup::used(facts) {
            self.usage.retain(|(known, _)| *known != key);
            self.usage.push((key, value));
        }
    }

    /// Those of the facts that count what was used.
    pub fn used(facts: &[Fact]) -> Vec<(String, Value)> {
        let counts = facts.iter().filter(|f| USAGE.contains(&f.key.as_str()));
        counts.map(|f| (f.key.clone(), f.value.clone())).collect()
    }

    pub(super) fn undone(&mut self, op: &Op) {
        if let Op::CreateCgroup { path, .. } = op {
            self.groups.retain(|g| g.path != *path);
            if self.groups.is_empty() {
                self.limits.clear();
                self.devices = false;
            }
        }
    }
}
