//! The container's cgroup, and the init process born into its namespaces.

use oci_spec::runtime::{LinuxIdMapping, LinuxNamespaceType};

use super::Builder;
use crate::kernel::{Failure, HostFacts};
use crate::plan::cgroup::{CgroupPlan, Resources};
use crate::plan::op::{IdMap, Ns};
use crate::plan::{Op, Phase};
use crate::spec::RunSpec;

pub(super) fn cgroup(b: &mut Builder, spec: &RunSpec, facts: &HostFacts) -> Result<CgroupPlan, Failure> {
    let resources = spec.oci.linux().as_ref().and_then(|l| l.resources().clone()).unwrap_or_default();
    let mut plan = crate::plan::cgroup::cgroup_ops(facts, &spec.cgroup(), &Resources::from(&resources))?;
    for (label, actor, op) in plan.before_clone.drain(..) {
        b.add(Phase::Cgroup, actor, &label, op);
    }
    Ok(plan)
}

pub(super) fn clone(b: &mut Builder, spec: &RunSpec, cgroups: &CgroupPlan) {
    let linux = spec.oci.linux().as_ref();
    let mut namespaces: Vec<Ns> = linux
        .and_then(|l| l.namespaces().as_ref())
        .into_iter()
        .flatten()
        .filter_map(|n| match n.typ() {
            LinuxNamespaceType::Mount => Some(Ns::Mnt),
            LinuxNamespaceType::Pid => Some(Ns::Pid),
            LinuxNamespaceType::Uts => Some(Ns::Uts),
            LinuxNamespaceType::Ipc => Some(Ns::Ipc),
            LinuxNamespaceType::Network => Some(Ns::Net),
            LinuxNamespaceType::User => Some(Ns::User),
            LinuxNamespaceType::Time => Some(Ns::Time),
            // Taken by init itself once it is in its cgroup: at clone time the
            // new namespace's root would be the runtime's cgroup.
            LinuxNamespaceType::Cgroup => None,
        })
        .collect();
    namespaces.sort();
    let user = namespaces.contains(&Ns::User);
    b.runtime(Phase::Namespaces, "clone", Op::Clone { namespaces, cgroup: cgroups.clone_into.clone() });
    if user {
        let (uid, gid) = id_maps(spec);
        b.runtime(Phase::Namespaces, "write-id-maps", Op::WriteIdMaps { uid, gid });
    }
    if user && let Some(op) = cgroups.join_by_runtime() {
        b.runtime(Phase::Namespaces, "join-cgroup", op);
    }
}

/// The maps of the container's user namespace, of users and of groups; none without one.
pub(super) fn id_maps(spec: &RunSpec) -> (Vec<IdMap>, Vec<IdMap>) {
    let linux = spec.oci.linux().as_ref();
    let maps = |m: Option<&Vec<LinuxIdMapping>>| {
        m.into_iter()
            .flatten()
            .map(|m| IdMap { container: m.container_id(), host: m.host_id(), size: m.size() })
            .collect()
    };
    (maps(linux.and_then(|l| l.uid_mappings().as_ref())), maps(linux.and_then(|l| l.gid_mappings().as_ref())))
}

/// Init joins by itself, which is much quicker, where it may: not from a user namespace.
pub(super) fn join(b: &mut Builder, spec: &RunSpec, cgroups: &CgroupPlan) {
    let namespaces = spec.oci.linux().as_ref().and_then(|l| l.namespaces().as_ref());
    let user = namespaces.into_iter().flatten().any(|n| n.typ() == LinuxNamespaceType::User);
    if !user && let Some(op) = cgroups.join_by_init() {
        b.init(Phase::Mounts, "join-cgroup", op);
    }
}
