use super::*;
use crate::plan::op::OverlayStyle;

fn facts(cgroups: &[(CgroupVersion, &str, &str)]) -> HostFacts {
    HostFacts {
        cgroups: cgroups
            .iter()
            .map(|(version, mount, controllers)| CgroupMount {
                version: *version,
                mount: (*mount).to_owned(),
                controllers: controllers.split_whitespace().map(str::to_owned).collect(),
            })
            .collect(),
        overlay: OverlayStyle::Options,
        resolv_conf: String::new(),
        cpus: 4,
        capabilities: u64::MAX,
        time_namespace: true,
        mapped_layers: true,
    }
}

const V2: (CgroupVersion, &str, &str) =
    (CgroupVersion::V2, "/sys/fs/cgroup", "cpuset cpu io memory hugetlb pids rdma misc");

fn hybrid() -> HostFacts {
    facts(&[
        (CgroupVersion::V1, "/c/cpu,cpuacct", "cpu cpuacct"),
        (CgroupVersion::V1, "/c/cpuset", "cpuset"),
        (CgroupVersion::V1, "/c/memory", "memory"),
        (CgroupVersion::V1, "/c/devices", "devices"),
        (CgroupVersion::V1, "/c/freezer", "freezer"),
        (CgroupVersion::V1, "/c/blkio", "blkio"),
        (CgroupVersion::V1, "/c/pids", "pids"),
        (CgroupVersion::V2, "/c/unified", ""),
    ])
}

/// One line per operation, so that a table can be compared at a glance.
fn lines(plan: &CgroupPlan) -> Vec<String> {
    plan.before_clone
        .iter()
        .map(|(label, _, op)| match op {
            Op::CreateCgroup { path, .. } => format!("{label}: mkdir {path}"),
            Op::SetLimit { file, value, .. } => format!("{label}: {file} = {value}"),
            Op::AllowDevices { path, rules, version } => {
                format!("{label}: {} rules {version:?} {path}", rules.len())
            }
            other => panic!("{other:?}"),
        })
        .collect()
}

fn everything() -> Resources {
    Resources {
        memory: Some(64 << 20),
        cpu_quota: Some(quota(1.5)),
        cpuset_cpus: Some("0-1".into()),
        pids: Some(100),
        devices: default_devices(),
        ..Resources::default()
    }
}

#[test]
fn one_directory_on_v2() {
    let plan = cgroup_ops(&facts(&[V2]), "x", &everything()).unwrap();
    assert_eq!(
        lines(&plan),
        [
            "create-unified: mkdir /sys/fs/cgroup/glassbox-x",
            "controllers: /sys/fs/cgroup/cgroup.subtree_control = +cpuset +cpu +memory +pids",
            "limit-memory-max: /sys/fs/cgroup/glassbox-x/memory.max = 67108864",
            "limit-memory-swap-max: /sys/fs/cgroup/glassbox-x/memory.swap.max = 67108864",
            "limit-cpu-max: /sys/fs/cgroup/glassbox-x/cpu.max = 150000 100000",
            "limit-cpuset-cpus: /sys/fs/cgroup/glassbox-x/cpuset.cpus = 0-1",
            "limit-pids-max: /sys/fs/cgroup/glassbox-x/pids.max = 100",
            "devices: 12 rules V2 /sys/fs/cgroup/glassbox-x",
        ]
    );
    assert_eq!(plan.clone_into.as_deref(), Some("/sys/fs/cgroup/glassbox-x"));
    assert_eq!((plan.join_by_init(), plan.join_by_runtime()), (None, None));
}

#[test]
fn a_directory_per_hierarchy_on_v1() {
    let plan = cgroup_ops(&hybrid(), "x", &everything()).unwrap();
    assert_eq!(
        lines(&plan),
        [
            "create-cpu-cpuacct: mkdir /c/cpu,cpuacct/glassbox-x",
            "limit-cpu-cfs-period-us: /c/cpu,cpuacct/glassbox-x/cpu.cfs_period_us = 100000",
            "limit-cpu-cfs-quota-us: /c/cpu,cpuacct/glassbox-x/cpu.cfs_quota_us = 150000",
            "create-cpuset: mkdir /c/cpuset/glassbox-x",
            "limit-cpuset-cpus: /c/cpuset/glassbox-x/cpuset.cpus = 0-1",
            "create-memory: mkdir /c/memory/glassbox-x",
            "limit-memory-limit-in-bytes: /c/memory/glassbox-x/memory.limit_in_bytes = 67108864",
            "limit-memory-memsw-limit-in-bytes: /c/memory/glassbox-x/memory.memsw.limit_in_bytes = 134217728",
            "create-devices: mkdir /c/devices/glassbox-x",
            "devices: 12 rules V1 /c/devices/glassbox-x",
            "create-pids: mkdir /c/pids/glassbox-x",
            "limit-pids-max: /c/pids/glassbox-x/pids.max = 100",
        ]
    );
    assert_eq!(plan.clone_into, None);
    let Some(Op::JoinCgroup { files }) = plan.join_by_runtime() else { panic!() };
    assert_eq!(files.len(), 5);
    assert_eq!(files[0], "/c/cpu,cpuacct/glassbox-x/cgroup.procs");
    let Some(Op::JoinCgroup { files }) = plan.join_by_init() else { panic!() };
    assert_eq!(files[4], "/c/pids/glassbox-x/tasks");
}

#[test]
fn hierarchies_without_a_purpose_are_left_out() {
    let plain = Resources { devices: default_devices(), ..Resources::default() };
    let plan = cgroup_ops(&hybrid(), "x", &plain).unwrap();
    let made: Vec<_> = plan.before_clone.iter().map(|s| s.0.as_str()).collect();
    assert_eq!(made, ["create-cpu-cpuacct", "create-memory", "create-devices", "devices", "create-pids"]);
    let apart = facts(&[(CgroupVersion::V1, "/c/cpu", "cpu"), (CgroupVersion::V1, "/c/cpuacct", "cpuacct")]);
    assert_eq!(cgroup_ops(&apart, "x", &Resources::default()).unwrap().join, ["/c/cpuacct/glassbox-x"]);
    let limited = Resources { cpu_quota: Some(quota(1.0)), ..Resources::default() };
    assert_eq!(cgroup_ops(&apart, "x", &limited).unwrap().join.len(), 2);
}

#[test]
fn labels_are_unique() {
    for facts in [hybrid(), facts(&[V2])] {
        let plan = cgroup_ops(&facts, "x", &everything()).unwrap();
        let mut labels: Vec<_> = plan.before_clone.iter().map(|s| &s.0).collect();
        labels.sort();
        labels.dedup();
        assert_eq!(labels.len(), plan.before_clone.len());
    }
}

#[test]
fn devices_without_the_v1_controller_go_to_the_unified_hierarchy() {
    let mixed = facts(&[(CgroupVersion::V1, "/c/memory", "memory"), (CgroupVersion::V2, "/c/unified", "")]);
    let plan = cgroup_ops(&mixed, "x", &everything_but_limits()).unwrap();
    assert_eq!(
        lines(&plan),
        [
            "create-memory: mkdir /c/memory/glassbox-x",
            "create-unified: mkdir /c/unified/glassbox-x",
            "devices: 12 rules V2 /c/unified/glassbox-x",
        ]
    );
    assert_eq!(plan.clone_into.as_deref(), Some("/c/unified/glassbox-x"));
    assert_eq!(plan.join, ["/c/memory/glassbox-x"]);
}

fn everything_but_limits() -> Resources {
    Resources { devices: default_devices(), ..Resources::default() }
}

#[test]
fn a_missing_controller_matters_only_when_asked_for() {
    let lacks = facts(&[(CgroupVersion::V2, "/sys/fs/cgroup", "memory")]);
    assert!(cgroup_ops(&lacks, "x", &everything_but_limits()).is_ok());
    let wants = Resources { pids: Some(5), ..Resources::default() };
    let failure = cgroup_ops(&lacks, "x", &wants).unwrap_err();
    assert_eq!(
        failure.to_string(),
        "find the cgroup controller pids for --pids-limit in: /sys/fs/cgroup (memory)"
    );
    assert!(failure.hint.unwrap().contains("cgroup_enable=pids"));
    let failure = cgroup_ops(&facts(&[]), "x", &everything_but_limits()).unwrap_err();
    assert!(failure.to_string().ends_with("no hierarchy is mounted"), "{failure}");
    // Nothing asked for, nothing there: nothing to do.
    assert_eq!(cgroup_ops(&facts(&[]), "x", &Resources::default()).unwrap(), CgroupPlan::default());
}

#[test]
fn values_that_cannot_work_are_refused() {
    let table: &[(Resources, &str)] = &[
        (Resources { memory: Some(1000), ..Resources::default() }, "less than 6 MiB"),
        (
            Resources { memory: Some(64 << 20), memory_swap: Some(1 << 20), ..Resources::default() },
            "less than the 67108864 of memory alone",
        ),
        (Resources { cpu_quota: Some(quota(4.5)), ..Resources::default() }, "4.5 CPUs: this host has 4"),
        (Resources { cpu_quota: Some(quota(0.001)), ..Resources::default() }, "100 microseconds"),
        (Resources { cpuset_cpus: Some("3-1".into()), ..Resources::default() }, "\"3-1\""),
        (Resources { cpuset_cpus: Some("0,,1".into()), ..Resources::default() }, "\"0,,1\""),
    ];
    for (resources, words) in table {
        let failure = cgroup_ops(&facts(&[V2]), "x", resources).unwrap_err();
        assert!(failure.to_string().contains(words), "{failure}");
        assert!(failure.hint.is_some());
    }
}

#[test]
fn resources_come_from_a_runtime_specification() {
    let json = r#"{"memory":{"limit":1048576000,"swap":-1},"cpu":{"quota":50000,"period":100000},
        "pids":{"limit":7},"devices":[{"allow":false,"access":"rwm"},
        {"allow":true,"type":"c","major":1,"minor":3,"access":"rw"}]}"#;
    let spec: LinuxResources = serde_json::from_str(json).unwrap();
    let r = Resources::from(&spec);
    assert_eq!(
        (r.memory, r.memory_swap, r.cpu_quota, r.pids),
        (Some(1_048_576_000), Some(-1), Some(50_000), Some(7))
    );
    assert_eq!(r.devices[0].kind, 'a');
    assert_eq!((r.devices[1].kind, r.devices[1].major, r.devices[1].access.as_str()), ('c', Some(1), "rw"));
    let plan = cgroup_ops(&facts(&[V2]), "x", &r).unwrap();
    assert!(
        lines(&plan)
            .contains(&"limit-memory-swap-max: /sys/fs/cgroup/glassbox-x/memory.swap.max = max".into())
    );
}
