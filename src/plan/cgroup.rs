//! The container's control groups as operations, for both layouts of cgroups.
//!
//! On v2 there is one directory, and clone3 puts init straight into it. On v1
//! every controller has a hierarchy of its own, and init is moved into each.
//!
//! On a v1 hierarchy a directory costs about 70 µs of a run (mkdir 20 to 50,
//! joining 25, rmdir 15 to 30), and joining the cpu hierarchy 2 ms on recent
//! kernels. So those that only serve a limit (cpu, cpuset, blkio) are used only
//! when that limit is asked for, and freezer is left to `pause`.
//!
//! Who joins matters more. A pid written to `cgroup.procs` waits for every fork
//! and exit on the machine (an RCU grace period: 7 ms and more when nobody did
//! the same just before). A thread that writes its own 0 to the v1 file `tasks`
//! waits for nobody; init has one thread, so that is the whole process.

use oci_spec::runtime::LinuxResources;

use super::op::{CgroupVersion, DeviceRule, Limit};
use super::{Actor, Op};
use crate::kernel::{CgroupMount, Failure, HostFacts};

/// How the containers' directories in each hierarchy begin. They have no common
/// parent: that would be one directory more to make and to remove in each
/// hierarchy and for each run, and containers that end would race for it.
pub const PREFIX: &str = "glassbox-";

/// The period that `--cpus` is counted in, microseconds.
pub const CPU_PERIOD: u64 = 100_000;

/// Less than this does not hold even a small program and its page tables.
pub const MEMORY_MIN: i64 = 6 * 1024 * 1024;

/// What the container may use. `None` asks for no limit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resources {
    /// Bytes of memory (`-m`).
    pub memory: Option<i64>,
    /// Bytes of memory and swap together; `None` is twice the memory, -1 no limit.
    pub memory_swap: Option<i64>,
    /// Microseconds of CPU time per period; [`quota`] makes it from `--cpus`.
    pub cpu_quota: Option<i64>,
    /// The quota's period, microseconds.
    pub cpu_period: Option<u64>,
    /// Relative weight as v1 counts it (1024 is usual).
    pub cpu_shares: Option<u64>,
    /// Such as `0-2,7`.
    pub cpuset_cpus: Option<String>,
    /// Memory nodes.
    pub cpuset_mems: Option<String>,
    /// Number of tasks; 0 or less is no limit.
    pub pids: Option<i64>,
    /// Device rules, in order, the last match counts; empty asks for no control.
    pub devices: Vec<DeviceRule>,
}

impl From<&LinuxResources> for Resources {
    fn from(from: &LinuxResources) -> Self {
        let (memory, cpu) = (from.memory().as_ref(), from.cpu().as_ref());
        let devices = from.devices().iter().flatten().map(|d| DeviceRule {
            allow: d.allow(),
            kind: d.typ().map_or('a', |t| t.as_str().chars().next().unwrap_or('a')),
            major: d.major().filter(|n| *n >= 0),
            minor: d.minor().filter(|n| *n >= 0),
            access: d.access().clone().unwrap_or_else(|| "rwm".to_owned()),
        });
        Resources {
            memory: memory.and_then(|m| m.limit()),
            memory_swap: memory.and_then(|m| m.swap()),
            cpu_quota: cpu.and_then(|c| c.quota()),
            cpu_period: cpu.and_then(|c| c.period()),
            cpu_shares: cpu.and_then(|c| c.shares()),
            cpuset_cpus: cpu.and_then(|c| c.cpus().clone()),
            cpuset_mems: cpu.and_then(|c| c.mems().clone()),
            pids: from.pids().as_ref().map(|p| p.limit()),
            devices: devices.collect(),
        }
    }
}

/// What is done about cgroups, in three places of a plan.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CgroupPlan {
    /// Before the clone: label (unique, for the step's id), actor, operation.
    pub before_clone: Vec<(String, Actor, Op)>,
    /// For [`Op::Clone`]: the cgroup v2 directory that init is born in.
    pub clone_into: Option<String>,
    /// The v1 directories that init joins after the clone, before its cgroup
    /// namespace is unshared.
    pub join: Vec<String>,
}

impl CgroupPlan {
    /// Joining as a step of init, the quick way. Before the pivot: init must
    /// still see the hierarchies. Not for an init in a user namespace, who may
    /// not write there.
    pub fn join_by_init(&self) -> Option<Op> {
        self.join_by("tasks")
    }

    /// Joining as a step of the runtime, after the clone.
    pub fn join_by_runtime(&self) -> Option<Op> {
        self.join_by("cgroup.procs")
    }

    /// Whether the container has a cgroup of its own in this hierarchy.
    pub fn owns(&self, mount: &CgroupMount) -> bool {
        let own = format!("{}/{PREFIX}", mount.mount);
        self.join.iter().chain(&self.clone_into).any(|dir| dir.starts_with(&own))
    }

    fn join_by(&self, file: &str) -> Option<Op> {
        let files: Vec<_> = self.join.iter().map(|dir| format!("{dir}/{file}")).collect();
        (!files.is_empty()).then_some(Op::JoinCgroup { files })
    }
}

/// `--cpus 1.5` as a quota for [`CPU_PERIOD`].
pub fn quota(cpus: f64) -> i64 {
    (cpus * CPU_PERIOD as f64).round() as i64
}

/// The devices that every container may use, as Docker has it: any node may be
/// made, few may be opened.
pub fn default_devices() -> Vec<DeviceRule> {
    let rule = |allow, kind, major, minor, access: &str| DeviceRule {
        allow,
        kind,
        major,
        minor,
        access: access.to_owned(),
    };
    let mut rules = vec![
        rule(false, 'a', None, None, "rwm"),
        rule(true, 'c', None, None, "m"),
        rule(true, 'b', None, None, "m"),
    ];
    // null, zero, full, random, urandom, tty, console, ptmx, and the pts.
    for (major, minor) in [(1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 1), (5, 2)] {
        rules.push(rule(true, 'c', Some(major), Some(minor), "rwm"));
    }
    rules.push(rule(true, 'c', Some(136), None, "rwm"));
    rules
}

/// One limit that was asked for.
struct Wanted {
    controller: &'static str,
    option: &'static str,
    limit: Limit,
    /// File and value on v1 and on v2.
    v1: (&'static str, String),
    v2: (&'static str, String),
}

/// The operations for the cgroup `/glassbox-<id>`.
///
/// A controller that the host lacks is passed over, unless a limit needs it.
pub fn cgroup_ops(facts: &HostFacts, id: &str, resources: &Resources) -> Result<CgroupPlan, Failure> {
    check(facts, resources)?;
    let limits = limits(resources);
    for wanted in &limits {
        if find(facts, wanted.controller).is_none() {
            return Err(missing(facts, wanted.controller, wanted.option));
        }
    }
    let mut plan = CgroupPlan::default();
    for mount in hierarchies(facts, resources, &limits)? {
        let dir = format!("{}/{PREFIX}{id}", mount.mount);
        let used: Vec<&str> = mount.controllers.iter().map(String::as_str).collect();
        let label = match mount.version {
            CgroupVersion::V1 => used.join("-"),
            CgroupVersion::V2 => "unified".to_owned(),
        };
        let mut add = |label: String, op| plan.before_clone.push((label, Actor::Runtime, op));
        add(
            format!("create-{label}"),
            Op::CreateCgroup {
                version: mount.version,
                controllers: mount.controllers.clone(),
                path: dir.clone(),
            },
        );
        if mount.version == CgroupVersion::V2 && !used.is_empty() {
            let enable = used.iter().map(|c| format!("+{c}")).collect::<Vec<_>>().join(" ");
            add(
                "controllers".to_owned(),
                Op::SetLimit {
                    limit: Limit::Controllers,
                    file: format!("{}/cgroup.subtree_control", mount.mount),
                    value: enable,
                },
            );
        }
        for wanted in limits.iter().filter(|w| used.contains(&w.controller)) {
            let (file, value) = match mount.version {
                CgroupVersion::V1 => &wanted.v1,
                CgroupVersion::V2 => &wanted.v2,
            };
            if !value.is_empty() {
                add(
                    format!("limit-{}", file.replace(['.', '_'], "-")),
                    Op::SetLimit { limit: wanted.limit, file: format!("{dir}/{file}"), value: value.clone() },
                );
            }
        }
        if controls_devices(facts, &mount) && !resources.devices.is_empty() {
            add(
                "devices".to_owned(),
                Op::AllowDevices {
                    version: mount.version,
                    path: dir.clone(),
                    rules: resources.devices.clone(),
                },
            );
        }
        match mount.version {
            CgroupVersion::V1 => plan.join.push(dir),
            CgroupVersion::V2 => plan.clone_into = Some(dir),
        }
    }
    Ok(plan)
}

fn find<'a>(facts: &'a HostFacts, controller: &str) -> Option<&'a CgroupMount> {
    facts.cgroups.iter().find(|m| m.controllers.iter().any(|c| c == controller))
}

/// The hierarchies to use, each with only the controllers that serve a purpose.
fn hierarchies(
    facts: &HostFacts,
    resources: &Resources,
    limits: &[Wanted],
) -> Result<Vec<CgroupMount>, Failure> {
    let asked = |controller: &str| limits.iter().any(|l| l.controller == controller);
    let serves = |version: CgroupVersion, controller: &str| match controller {
        "memory" | "pids" | "cpuacct" => true,
        "cpu" => version == CgroupVersion::V2 || asked("cpu"),
        "devices" => version == CgroupVersion::V1,
        "freezer" => false,
        other => asked(other),
    };
    let mut used: Vec<CgroupMount> = Vec::new();
    for mount in &facts.cgroups {
        if mount.controllers.iter().any(|c| serves(mount.version, c)) {
            // What shares a v1 hierarchy comes along; on v2 each is enabled by name.
            let keep = |c: &&String| mount.version == CgroupVersion::V1 || serves(mount.version, c);
            let controllers = mount.controllers.iter().filter(keep).cloned().collect();
            used.push(CgroupMount { controllers, ..mount.clone() });
        }
    }
    let device_control =
        used.iter().any(|m| m.version == CgroupVersion::V2 || m.controllers.iter().any(|c| c == "devices"));
    if !resources.devices.is_empty() && !device_control {
        // A device program needs a v2 directory, but no controller.
        match facts.cgroups.iter().find(|m| m.version == CgroupVersion::V2) {
            Some(v2) => used.push(CgroupMount { controllers: Vec::new(), ..v2.clone() }),
            None => return Err(missing(facts, "devices", "the device rules of every container")),
        }
    }
    Ok(used)
}

fn controls_devices(facts: &HostFacts, mount: &CgroupMount) -> bool {
    match mount.version {
        CgroupVersion::V1 => mount.controllers.iter().any(|c| c == "devices"),
        CgroupVersion::V2 => find(facts, "devices").is_none(),
    }
}

fn limits(r: &Resources) -> Vec<Wanted> {
    let mut all = Vec::new();
    let mut add = |controller, option, limit, v1: (&'static str, String), v2: (&'static str, String)| {
        all.push(Wanted { controller, option, limit, v1, v2 });
    };
    let none = || ("", String::new());
    if let Some(memory) = r.memory.filter(|m| *m > 0) {
        let bytes = |file| (file, memory.to_string());
        add("memory", "-m", Limit::Memory, bytes("memory.limit_in_bytes"), bytes("memory.max"));
        let both = r.memory_swap.filter(|s| *s != 0).unwrap_or(memory.saturating_mul(2));
        let swap = if both < 0 { "max".to_owned() } else { (both - memory).to_string() };
        // v1 counts memory and swap together, v2 swap alone.
        let v1 = ("memory.memsw.limit_in_bytes", both.to_string());
        add("memory", "-m", Limit::Swap, v1, ("memory.swap.max", swap));
    }
    if let Some(shares) = r.cpu_shares.filter(|s| *s > 0) {
        let weight = 1 + (shares.clamp(2, 262_144) - 2) * 9999 / 262_142;
        let v1 = ("cpu.shares", shares.to_string());
        add("cpu", "--cpu-shares", Limit::CpuWeight, v1, ("cpu.weight", weight.to_string()));
    }
    if let Some(quota) = r.cpu_quota.filter(|q| *q > 0) {
        let period = r.cpu_period.filter(|p| *p > 0).unwrap_or(CPU_PERIOD);
        // The period first: the quota is checked against it.
        add("cpu", "--cpus", Limit::CpuPeriod, ("cpu.cfs_period_us", period.to_string()), none());
        let v1 = ("cpu.cfs_quota_us", quota.to_string());
        add("cpu", "--cpus", Limit::CpuQuota, v1, ("cpu.max", format!("{quota} {period}")));
    }
    if let Some(cpus) = r.cpuset_cpus.clone().filter(|c| !c.is_empty()) {
        let file = ("cpuset.cpus", cpus);
        add("cpuset", "--cpuset-cpus", Limit::CpusetCpus, file.clone(), file);
    }
    if let Some(mems) = r.cpuset_mems.clone().filter(|c| !c.is_empty()) {
        let file = ("cpuset.mems", mems);
        add("cpuset", "--cpuset-mems", Limit::CpusetMems, file.clone(), file);
    }
    if let Some(pids) = r.pids.filter(|p| *p > 0) {
        let file = ("pids.max", pids.to_string());
        add("pids", "--pids-limit", Limit::Pids, file.clone(), file);
    }
    all
}

fn check(facts: &HostFacts, r: &Resources) -> Result<(), Failure> {
    if let Some(memory) = r.memory.filter(|m| *m != 0 && *m < MEMORY_MIN) {
        return Err(Failure::new(format!("limit memory to {memory} bytes: less than 6 MiB"), None)
            .hint("give at least -m 6m"));
    }
    if let (Some(memory), Some(both)) = (r.memory, r.memory_swap)
        && both > 0
        && both < memory
    {
        return Err(Failure::new(
            format!("limit memory and swap to {both} bytes: less than the {memory} of memory alone"),
            None,
        )
        .hint("memory-swap counts memory and swap together: give it at least the value of -m, or -1"));
    }
    if let Some(quota) = r.cpu_quota.filter(|q| *q > 0) {
        let period = r.cpu_period.filter(|p| *p > 0).unwrap_or(CPU_PERIOD);
        if facts.cpus > 0 && quota as u128 > u128::from(facts.cpus) * u128::from(period) {
            let cpus = quota as f64 / period as f64;
            return Err(Failure::new(
                format!("limit the container to {cpus} CPUs: this host has {}", facts.cpus),
                None,
            )
            .hint(format!("give --cpus between 0.01 and {}", facts.cpus)));
        }
        if quota < 1000 {
            return Err(Failure::new(format!("limit CPU time to {quota} microseconds per period"), None)
                .hint("the kernel takes no quota under 1000: give at least --cpus 0.01"));
        }
    }
    for (option, list) in [("cpuset-cpus", &r.cpuset_cpus), ("cpuset-mems", &r.cpuset_mems)] {
        if let Some(list) = list.as_deref().filter(|l| !l.is_empty())
            && !is_list(list)
        {
            return Err(Failure::new(format!("read --{option} {list:?}"), None)
                .hint("write numbers and ranges with commas between, such as 0-2,7"));
        }
    }
    Ok(())
}

/// `0-2,7`.
fn is_list(text: &str) -> bool {
    text.split(',').all(|part| {
        let (low, high) = part.split_once('-').unwrap_or((part, part));
        matches!((low.parse::<u16>(), high.parse::<u16>()), (Ok(low), Ok(high)) if low <= high)
    })
}

fn missing(facts: &HostFacts, controller: &str, option: &str) -> Failure {
    let has: Vec<_> =
        facts.cgroups.iter().map(|m| format!("{} ({})", m.mount, m.controllers.join(" "))).collect();
    let place = if has.is_empty() { "no hierarchy is mounted".to_owned() } else { has.join(", ") };
    let v2 = facts.cgroups.iter().any(|m| m.version == CgroupVersion::V2 && !m.controllers.is_empty());
    let hint = match (has.is_empty(), v2) {
        (true, _) => "mount one: mount -t cgroup2 cgroup2 /sys/fs/cgroup".to_owned(),
        (false, true) => {
            format!("see /proc/cgroups; the kernel may need cgroup_enable={controller} when it boots")
        }
        (false, false) => format!(
            "mount it: mkdir /sys/fs/cgroup/{controller} && mount -t cgroup -o {controller} cgroup /sys/fs/cgroup/{controller}"
        ),
    };
    Failure::new(format!("find the cgroup controller {controller} for {option} in: {place}"), None).hint(hint)
}

#[cfg(test)]
#[path = "cgroup_tests.rs"]
mod tests;
