//! Init puts the container's file systems together and moves into them.

use oci_spec::runtime::Mount;

use super::{Builder, image, inside, label, rootfs};
use crate::kernel::HostFacts;
use crate::plan::cgroup::CgroupPlan;
use crate::plan::op::{CgroupVersion, MountRole};
use crate::plan::{Op, Phase};
use crate::spec::RunSpec;

pub(super) fn mounts(b: &mut Builder, spec: &RunSpec, facts: &HostFacts, cgroups: &CgroupPlan) {
    b.init(Phase::Mounts, "make-private", Op::MakeMountsPrivate);
    image::place_union(b, spec, facts);
    let all: Vec<Mount> = spec.oci.mounts().clone().unwrap_or_default();
    for mount in &all {
        let destination = mount.destination().to_string_lossy().into_owned();
        let options = mount.options().clone().unwrap_or_default();
        match mount.typ().as_deref() {
            Some("bind") => bind(b, spec, mount, &destination, options),
            Some("cgroup") => cgroup(b, spec, facts, cgroups, &destination, options),
            _ => {
                let fstype = mount.typ().clone().unwrap_or_default();
                let source =
                    mount.source().as_ref().map_or(fstype.clone(), |s| s.to_string_lossy().into_owned());
                let op = Op::Mount {
                    role: role(&destination),
                    fstype,
                    source,
                    target: inside(spec, &destination),
                    options,
                };
                b.init(Phase::Mounts, &format!("mount-{}", label(&destination)), op);
                if destination == "/dev" {
                    devices(b, spec);
                }
            }
        }
    }
}

fn role(destination: &str) -> MountRole {
    match destination {
        "/proc" => MountRole::Proc,
        "/sys" => MountRole::Sysfs,
        "/dev" => MountRole::Dev,
        "/dev/pts" => MountRole::Devpts,
        "/dev/shm" => MountRole::Shm,
        "/dev/mqueue" => MountRole::Mqueue,
        _ => MountRole::Other,
    }
}

fn devices(b: &mut Builder, spec: &RunSpec) {
    for (path, major, minor) in crate::spec::default_nodes() {
        b.init(
            Phase::Mounts,
            &format!("make-{}", label(path)),
            Op::MakeNode { path: inside(spec, path), kind: 'c', major: *major, minor: *minor, mode: 0o666 },
        );
    }
    for (path, target) in crate::spec::default_links() {
        b.init(
            Phase::Mounts,
            &format!("link-{}", label(path)),
            Op::MakeSymlink { path: inside(spec, path), target: (*target).to_owned() },
        );
    }
}

fn bind(b: &mut Builder, spec: &RunSpec, mount: &Mount, destination: &str, options: Vec<String>) {
    let names = ["/etc/hosts", "/etc/hostname", "/etc/resolv.conf"];
    let role = if names.contains(&destination) { MountRole::Names } else { MountRole::Volume };
    let recursive = options.iter().any(|o| o == "rbind");
    let op = Op::Bind {
        role,
        source: mount.source().as_ref().map_or_else(String::new, |s| s.to_string_lossy().into_owned()),
        target: inside(spec, destination),
        recursive,
        options: options.into_iter().filter(|o| o != "bind" && o != "rbind").collect(),
    };
    b.init(Phase::Mounts, &format!("bind-{}", label(destination)), op);
}

fn cgroup(
    b: &mut Builder,
    spec: &RunSpec,
    facts: &HostFacts,
    cgroups: &CgroupPlan,
    destination: &str,
    options: Vec<String>,
) {
    if facts.cgroups.is_empty() {
        return;
    }
    b.init(Phase::Mounts, "unshare-cgroup", Op::UnshareCgroup);
    let mut mount = |at: &str, fstype: &str, source: &str, options: Vec<String>| {
        b.init(
            Phase::Mounts,
            &format!("mount-{}", label(at)),
            Op::Mount {
                role: MountRole::Cgroup,
                fstype: fstype.into(),
                source: source.into(),
                target: inside(spec, at),
                options,
            },
        );
    };
    if let [only] = &facts.cgroups[..]
        && only.version == CgroupVersion::V2
    {
        mount(destination, "cgroup2", "cgroup", options);
        return;
    }
    let writable = !options.iter().any(|o| o == "ro");
    let tmpfs = ["nosuid", "noexec", "nodev", "mode=755"].map(str::to_owned).to_vec();
    mount(destination, "tmpfs", "tmpfs", tmpfs);
    // Where the container has no cgroup of its own, its cgroup namespace begins
    // at the runtime's: mounted here, that hierarchy would show the host's.
    for hierarchy in facts.cgroups.iter().filter(|c| c.version == CgroupVersion::V1 && cgroups.owns(c)) {
        let names = hierarchy.controllers.join(",");
        let mut own: Vec<String> = options.clone();
        own.push(names.clone());
        mount(&format!("{destination}/{names}"), "cgroup", "cgroup", own);
    }
    if !writable {
        b.init(Phase::Mounts, "seal-cgroup", Op::ReadonlyPath { path: inside(spec, destination) });
    }
}

pub(super) fn pivot(b: &mut Builder, spec: &RunSpec) {
    b.init(Phase::Pivot, "pivot-root", Op::PivotRoot { new_root: rootfs(spec) });
}
