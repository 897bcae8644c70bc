//! One sample of every operation, with ordinary values: for tests that must
//! not miss one.

use std::net::Ipv4Addr;

use super::samples_image::{image_edges, images, next_image};
use crate::plan::op::{
    Arg, CapSets, CgroupVersion, DeviceRule, IdMap, Limit, MountRole, Ns, OverlayStyle, Protocol, Rlimit,
    SeccompProfile, Slot,
};
use crate::plan::{Op, StepId};

pub(super) const CONTAINER: &str = "4f1c9be2d07a4f1c9be2d07a4f1c9be2d07a4f1c9be2d07a4f1c9be2d07a1234";
pub(super) const DIR: &str = "/var/lib/glassbox/containers/4f1c9be2d07a";

pub(super) fn digest(c: char) -> String {
    format!("sha256:{}", String::from(c).repeat(64))
}

pub(super) fn layer(n: char) -> String {
    format!("/var/lib/glassbox/layers/{}", String::from(n).repeat(12))
}

pub(super) fn s(text: &str) -> String {
    text.to_owned()
}

/// A sample of every operation, in the order of [`Op`].
pub fn all() -> Vec<Op> {
    let first = Op::ReadImage {
        reference: s("docker.io/library/box:latest"),
        image: digest('a'),
        manifest: digest('b'),
        layers: 3,
    };
    std::iter::successors(Some(first), next).collect()
}

/// The sample after this one. The match is exhaustive, so that a new operation
/// cannot be left out without notice.
fn next(op: &Op) -> Option<Op> {
    Some(match op {
        Op::ReadImage { .. } => Op::UnpackLayer {
            index: 0,
            blob: digest('1'),
            media_type: s("application/vnd.oci.image.layer.v1.tar+gzip"),
            size: 1_234_567,
            diff_id: digest('2'),
            chain_id: digest('2'),
            dir: layer('2'),
            created_by: s("COPY base/ /"),
        },
        Op::UnpackLayer { .. } => Op::UseLayer {
            index: 1,
            diff_id: digest('3'),
            chain_id: digest('4'),
            dir: layer('4'),
            created_by: s("COPY etc /etc"),
        },
        Op::UseLayer { .. } => Op::ReadHostKernel,
        Op::ReadHostKernel => Op::LookForKernel { layers: vec![layer('2'), layer('4')] },
        Op::LookForKernel { .. } => Op::MakeDir { path: format!("{DIR}/upper"), mode: 0o755 },
        Op::MakeDir { .. } => Op::MapLayers {
            layers: vec![layer('4'), layer('2')],
            own: s(DIR),
            uid: vec![IdMap { container: 0, host: 100_000, size: 65_536 }],
            gid: vec![IdMap { container: 0, host: 100_000, size: 65_536 }],
        },
        Op::MapLayers { .. } => Op::MountOverlay {
            lower: vec![layer('4'), layer('2')],
            upper: format!("{DIR}/upper"),
            work: format!("{DIR}/work"),
            style: OverlayStyle::Detached,
            target: format!("{DIR}/rootfs"),
        },
        Op::MountOverlay { .. } => Op::AttachRootfs { target: format!("{DIR}/rootfs") },
        Op::AttachRootfs { .. } => Op::CreateCgroup {
            version: CgroupVersion::V1,
            controllers: vec![s("cpu"), s("cpuacct")],
            path: s("/sys/fs/cgroup/cpu/glassbox-4f1c9be2d07a"),
        },
        Op::CreateCgroup { .. } => Op::SetLimit {
            limit: Limit::Memory,
            file: s("/sys/fs/cgroup/memory/glassbox-4f1c9be2d07a/memory.limit_in_bytes"),
            value: s("67108864"),
        },
        Op::SetLimit { .. } => Op::AllowDevices {
            version: CgroupVersion::V1,
            path: s("/sys/fs/cgroup/devices/glassbox-4f1c9be2d07a"),
            rules: vec![
                DeviceRule { allow: false, kind: 'a', major: None, minor: None, access: s("rwm") },
                DeviceRule { allow: true, kind: 'c', major: Some(1), minor: Some(3), access: s("rwm") },
                DeviceRule { allow: true, kind: 'c', major: Some(136), minor: None, access: s("rwm") },
            ],
        },
        Op::AllowDevices { .. } => Op::Clone {
            namespaces: vec![Ns::Mnt, Ns::Pid, Ns::Uts, Ns::Ipc, Ns::Net, Ns::Cgroup],
            cgroup: Some(s("/sys/fs/cgroup/glassbox-4f1c9be2d07a")),
        },
        Op::Clone { .. } => Op::WriteIdMaps {
            uid: vec![IdMap { container: 0, host: 100_000, size: 65_536 }],
            gid: vec![IdMap { container: 0, host: 100_000, size: 65_536 }],
        },
        Op::WriteIdMaps { .. } => {
            Op::JoinCgroup { files: vec![s("/sys/fs/cgroup/cpu/glassbox-4f1c9be2d07a/cgroup.procs")] }
        }
        Op::JoinCgroup { .. } => Op::UnshareCgroup,
        Op::UnshareCgroup => Op::FindInit {
            state: format!("/run/glassbox/receipts/{CONTAINER}/running.json"),
            container: s(DIR),
            cgroup: s("glassbox-4f1c9be2d07a"),
        },
        Op::FindInit { .. } => Op::SpawnInside { cgroup: Some(s("/sys/fs/cgroup/glassbox-4f1c9be2d07a")) },
        Op::SpawnInside { .. } => {
            Op::JoinNamespaces { namespaces: vec![Ns::Mnt, Ns::Uts, Ns::Ipc, Ns::Net, Ns::Cgroup, Ns::Time] }
        }
        Op::JoinNamespaces { .. } => {
            Op::CreateBridge { name: s("glass0"), address: Ipv4Addr::new(10, 88, 0, 1), prefix: 16 }
        }
        Op::CreateBridge { .. } => {
            Op::WriteSysctl { file: s("/proc/sys/net/ipv4/ip_forward"), value: s("1") }
        }
        Op::WriteSysctl { .. } => Op::CreateNat {
            table: s("glassbox"),
            bridge: s("glass0"),
            subnet: Ipv4Addr::new(10, 88, 0, 0),
            prefix: 16,
        },
        Op::CreateNat { .. } => Op::AllocateAddress {
            network: s("bridge"),
            leases: s("/run/glassbox/networks/bridge"),
            subnet: Ipv4Addr::new(10, 88, 0, 0),
            prefix: 16,
            gateway: Ipv4Addr::new(10, 88, 0, 1),
            container: s(CONTAINER),
        },
        Op::AllocateAddress { .. } => Op::CreateVeth {
            host: s("gb4f1c9be2"),
            peer: s("eth0"),
            bridge: s("glass0"),
            mac: s("02:42:0a:58:00:02"),
        },
        Op::CreateVeth { .. } => Op::PublishPort {
            table: s("glassbox"),
            protocol: Protocol::Tcp,
            host_ip: Ipv4Addr::UNSPECIFIED,
            host_port: 8080,
            container_port: 80,
            address: Arg::Slot { slot: Slot::Address },
            container: s(CONTAINER),
        },
        Op::PublishPort { .. } => Op::SetLinkUp { link: s("lo") },
        Op::SetLinkUp { .. } => {
            Op::AddAddress { link: s("eth0"), address: Arg::Slot { slot: Slot::Address } }
        }
        Op::AddAddress { .. } => Op::AddDefaultRoute { via: Ipv4Addr::new(10, 88, 0, 1) },
        Op::AddDefaultRoute { .. } => Op::MakeMountsPrivate,
        Op::MakeMountsPrivate => Op::Mount {
            role: MountRole::Proc,
            fstype: s("proc"),
            source: s("proc"),
            target: format!("{DIR}/rootfs/proc"),
            options: vec![s("nosuid"), s("noexec"), s("nodev")],
        },
        Op::Mount { .. } => Op::Bind {
            role: MountRole::Volume,
            source: s("/home/me/data"),
            target: format!("{DIR}/rootfs/data"),
            recursive: true,
            options: vec![s("ro"), s("rprivate")],
        },
        Op::Bind { .. } => Op::MakeNode {
            path: format!("{DIR}/rootfs/dev/null"),
            kind: 'c',
            major: 1,
            minor: 3,
            mode: 0o666,
        },
        Op::MakeNode { .. } => {
            Op::MakeSymlink { path: format!("{DIR}/rootfs/dev/stdin"), target: s("/proc/self/fd/0") }
        }
        Op::MakeSymlink { .. } => Op::WriteFile {
            path: format!("{DIR}/hosts"),
            content: s("127.0.0.1 localhost\n{address} 4f1c9be2d07a\n"),
            mode: 0o644,
        },
        Op::WriteFile { .. } => Op::PivotRoot { new_root: format!("{DIR}/rootfs") },
        Op::PivotRoot { .. } => Op::RemountRootReadonly,
        Op::RemountRootReadonly => Op::MaskPath { path: s("/proc/kcore") },
        Op::MaskPath { .. } => Op::ReadonlyPath { path: s("/proc/sys") },
        Op::ReadonlyPath { .. } => Op::SetHostname { name: s("4f1c9be2d07a") },
        Op::SetHostname { .. } => Op::OpenTerminal,
        Op::OpenTerminal => {
            Op::SetRlimits { limits: vec![Rlimit { kind: s("RLIMIT_NOFILE"), soft: 1024, hard: u64::MAX }] }
        }
        Op::SetRlimits { .. } => Op::SetNoNewPrivs,
        Op::SetNoNewPrivs => Op::DropBounding { keep: caps() },
        Op::DropBounding { .. } => Op::SetUser { uid: 1000, gid: 1000, groups: vec![27] },
        Op::SetUser { .. } => Op::SetCapabilities {
            caps: CapSets {
                bounding: caps(),
                effective: caps(),
                permitted: caps(),
                inheritable: vec![],
                ambient: vec![],
            },
        },
        Op::SetCapabilities { .. } => {
            Op::LoadSeccomp { profile: SeccompProfile::Default { caps: caps() }, told: false }
        }
        Op::LoadSeccomp { .. } => Op::Exec {
            argv: vec![s("sh"), s("-c"), s("echo 'hello' > /etc/motd; ps")],
            env: vec![s("PATH=/bin"), s("HOME=/root")],
            cwd: s("/"),
        },
        Op::Exec { .. } => Op::Supervise { tty: false, interactive: true, joined: false },
        Op::Supervise { .. } => Op::LetRun,
        Op::LetRun => Op::ReadChanges { upper: format!("{DIR}/upper"), lower: vec![layer('4'), layer('2')] },
        Op::ReadChanges { .. } => Op::RecordExit { record: format!("{DIR}/record.json") },
        Op::RecordExit { .. } => Op::RemoveContainer { path: s(DIR) },
        Op::RemoveContainer { .. } => Op::Image(images()[0].clone()),
        Op::Image(op) if next_image(op).is_some() => Op::Image(next_image(op)?),
        Op::Image(_) => Op::Undo {
            step: StepId(s("network.create-veth")),
            of: Box::new(Op::CreateVeth {
                host: s("gb4f1c9be2"),
                peer: s("eth0"),
                bridge: s("glass0"),
                mac: s("02:42:0a:58:00:02"),
            }),
        },
        Op::Undo { .. } => return None,
    })
}

fn caps() -> Vec<String> {
    vec![s("CAP_CHOWN"), s("CAP_KILL"), s("CAP_NET_BIND_SERVICE")]
}

/// Samples with values at the edges: nothing, one, the other choice.
pub fn edges() -> Vec<Op> {
    let dir = |role, target: &str| Op::Mount {
        role,
        fstype: s("tmpfs"),
        source: s("tmpfs"),
        target: s(target),
        options: vec![],
    };
    let mut ops = vec![
        Op::ReadImage { reference: s("x"), image: digest('a'), manifest: digest('b'), layers: 0 },
        Op::ReadImage { reference: s("x"), image: digest('a'), manifest: digest('b'), layers: 1 },
        Op::UseLayer {
            index: 0,
            diff_id: digest('3'),
            chain_id: digest('4'),
            dir: layer('4'),
            created_by: s(""),
        },
        Op::LookForKernel { layers: vec![] },
        Op::MountOverlay {
            lower: vec![layer('2')],
            upper: s("/u"),
            work: s("/w"),
            style: OverlayStyle::Options,
            target: s("/t"),
        },
        Op::CreateCgroup { version: CgroupVersion::V2, controllers: vec![], path: s("/sys/fs/cgroup/x") },
        Op::AllowDevices { version: CgroupVersion::V2, path: s("/sys/fs/cgroup/x"), rules: vec![] },
        Op::Clone { namespaces: vec![], cgroup: None },
        Op::Clone { namespaces: vec![Ns::User, Ns::Time], cgroup: None },
        Op::WriteIdMaps { uid: vec![], gid: vec![] },
        Op::JoinCgroup { files: vec![] },
        Op::AddAddress { link: s("eth0"), address: Arg::Known(s("10.88.0.2/16")) },
        Op::PublishPort {
            table: s("glassbox"),
            protocol: Protocol::Udp,
            host_ip: Ipv4Addr::LOCALHOST,
            host_port: 53,
            container_port: 53,
            address: Arg::Known(Ipv4Addr::new(10, 88, 0, 9)),
            container: s(CONTAINER),
        },
        Op::SetRlimits { limits: vec![] },
        Op::DropBounding { keep: vec![] },
        Op::SetUser { uid: 0, gid: 0, groups: vec![] },
        Op::SetCapabilities { caps: CapSets::default() },
        Op::LoadSeccomp { profile: SeccompProfile::Default { caps: vec![] }, told: false },
        Op::LoadSeccomp { profile: SeccompProfile::Default { caps: vec![] }, told: true },
        Op::LoadSeccomp { profile: SeccompProfile::Unconfined, told: true },
        Op::Exec { argv: vec![s("true")], env: vec![], cwd: s("/work dir") },
        Op::Supervise { tty: true, interactive: false, joined: true },
        Op::SpawnInside { cgroup: None },
        Op::JoinNamespaces { namespaces: vec![] },
        Op::JoinNamespaces { namespaces: vec![Ns::User] },
        Op::ReadChanges { upper: s("/u"), lower: vec![] },
    ];
    ops.extend(image_edges());
    for role in roles() {
        ops.push(dir(role, "/mnt"));
        ops.push(Op::Bind { role, source: s("/a"), target: s("/b"), recursive: false, options: vec![] });
    }
    for limit in limits() {
        ops.push(Op::SetLimit { limit, file: s("/sys/fs/cgroup/x/file"), value: s("max") });
    }
    ops.extend(all().into_iter().map(|op| Op::Undo { step: StepId(s("union.some-step")), of: Box::new(op) }));
    ops
}

/// Every role of a mount.
pub fn roles() -> Vec<MountRole> {
    let next = |role: &MountRole| {
        Some(match role {
            MountRole::Proc => MountRole::Sysfs,
            MountRole::Sysfs => MountRole::Cgroup,
            MountRole::Cgroup => MountRole::Dev,
            MountRole::Dev => MountRole::Devpts,
            MountRole::Devpts => MountRole::Shm,
            MountRole::Shm => MountRole::Mqueue,
            MountRole::Mqueue => MountRole::Volume,
            MountRole::Volume => MountRole::Names,
            MountRole::Names => MountRole::Device,
            MountRole::Device => MountRole::Other,
            MountRole::Other => return None,
        })
    };
    std::iter::successors(Some(MountRole::Proc), next).collect()
}

/// Every limit.
pub fn limits() -> Vec<Limit> {
    let next = |limit: &Limit| {
        Some(match limit {
            Limit::Memory => Limit::Swap,
            Limit::Swap => Limit::CpuQuota,
            Limit::CpuQuota => Limit::CpuPeriod,
            Limit::CpuPeriod => Limit::CpuWeight,
            Limit::CpuWeight => Limit::CpusetCpus,
            Limit::CpusetCpus => Limit::CpusetMems,
            Limit::CpusetMems => Limit::Pids,
            Limit::Pids => Limit::Controllers,
            Limit::Controllers => return None,
        })
    };
    std::iter::successors(Some(Limit::Memory), next).collect()
}
