//! The closed set of things that glassbox does to a host, as plain data.
//!
//! Everything that changes or reads the host on behalf of a container is one
//! of these. Both kernels, the narration and the undo match on it
//! exhaustively, so that none of them can fall behind.
//!
//! Paths are absolute. Paths of `init` steps before [`Op::PivotRoot`] are host
//! paths beneath the new root; after it they are the container's own.

use std::net::Ipv4Addr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A value that is either known when the plan is made or filled in by an
/// earlier step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Arg<T> {
    /// Filled in while running, by the step that names this slot.
    Slot {
        /// The slot.
        slot: Slot,
    },
    /// Known from the start.
    Known(T),
}

/// A value that is known only while running.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Slot {
    /// The init process's pid as the runtime sees it; filled by [`Op::Clone`], and by
    /// [`Op::FindInit`] where the container runs already.
    InitPid,
    /// The container's address, `a.b.c.d/len`; filled by [`Op::AllocateAddress`].
    Address,
    /// The exit status, 0 to 255; filled by [`Op::Supervise`].
    ExitStatus,
    /// The pid of a process that joins a container, as the runtime sees it; filled by
    /// [`Op::SpawnInside`].
    ProcessPid,
    /// When that process was born, in clock ticks since the machine started: with its
    /// pid it names the process, and no later one of that pid. Filled with it.
    ProcessBorn,
}

/// A Linux namespace type, namespaces(7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Ns {
    User,
    Mnt,
    Pid,
    Uts,
    Ipc,
    Net,
    Cgroup,
    Time,
}

impl Ns {
    /// Every type, in a fixed order.
    pub const ALL: [Ns; 8] = [Ns::User, Ns::Mnt, Ns::Pid, Ns::Uts, Ns::Ipc, Ns::Net, Ns::Cgroup, Ns::Time];

    /// Every type, these first.
    pub fn first(wanted: &[Ns]) -> Vec<Ns> {
        let rest = Ns::ALL.into_iter().filter(|ns| !wanted.contains(ns));
        wanted.iter().copied().chain(rest).collect()
    }

    /// The name of its link in `/proc/PID/ns`.
    pub fn name(self) -> &'static str {
        match self {
            Ns::User => "user",
            Ns::Mnt => "mnt",
            Ns::Pid => "pid",
            Ns::Uts => "uts",
            Ns::Ipc => "ipc",
            Ns::Net => "net",
            Ns::Cgroup => "cgroup",
            Ns::Time => "time",
        }
    }
}

/// How the overlay is mounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OverlayStyle {
    /// fsopen, one `lowerdir+` per layer, fsmount: a mount that no namespace
    /// shows until init attaches it. Needs Linux 6.8 or so.
    Detached,
    /// mount(2) by init, in its own mount namespace, with relative layer
    /// names, because the option string is limited to one page.
    Options,
}

/// One mapping of user or group ids, user_namespaces(7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs)]
pub struct IdMap {
    pub container: u32,
    pub host: u32,
    pub size: u32,
}

/// The version of a cgroup hierarchy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum CgroupVersion {
    V1,
    V2,
}

/// What a cgroup file is set for; the narration explains this, not the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// Bytes of memory (`-m`).
    Memory,
    /// Bytes of memory and swap together (v1) or swap alone (v2).
    Swap,
    /// CPU time per period (`--cpus`).
    CpuQuota,
    /// The quota's period, microseconds (v1 has a file of its own for it).
    CpuPeriod,
    /// Relative weight.
    CpuWeight,
    /// Allowed CPUs (`--cpuset-cpus`).
    CpusetCpus,
    /// Allowed memory nodes.
    CpusetMems,
    /// Number of tasks (`--pids-limit`).
    Pids,
    /// Controllers passed on to children (v2 `cgroup.subtree_control`).
    Controllers,
}

/// One rule of the devices cgroup (v1) or its BPF program (v2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeviceRule {
    /// Allow or deny.
    pub allow: bool,
    /// `a` all, `c` character, `b` block.
    pub kind: char,
    /// Major number; `None` is any.
    pub major: Option<i64>,
    /// Minor number; `None` is any.
    pub minor: Option<i64>,
    /// Some of `r`, `w`, `m`.
    pub access: String,
}

/// Transport protocol of a published port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Protocol {
    Tcp,
    Udp,
}

impl Protocol {
    /// `tcp` or `udp`.
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        }
    }
}

/// What a mount is for; the narration explains this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MountRole {
    /// `/proc`.
    Proc,
    /// `/sys`.
    Sysfs,
    /// `/sys/fs/cgroup` and what is below it.
    Cgroup,
    /// `/dev`.
    Dev,
    /// `/dev/pts`.
    Devpts,
    /// `/dev/shm`.
    Shm,
    /// `/dev/mqueue`.
    Mqueue,
    /// A volume of the user (`-v`).
    Volume,
    /// `/etc/hosts`, `/etc/hostname`, `/etc/resolv.conf`.
    Names,
    /// A device of the host, bound because the node cannot be made.
    Device,
    /// Any other tmpfs or mount of the specification.
    Other,
}

/// The five capability sets, as names (`CAP_CHOWN`), capabilities(7). Sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs)]
pub struct CapSets {
    pub bounding: Vec<String>,
    pub effective: Vec<String>,
    pub permitted: Vec<String>,
    pub inheritable: Vec<String>,
    pub ambient: Vec<String>,
}

/// A resource limit, getrlimit(2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rlimit {
    /// Such as `RLIMIT_NOFILE`.
    pub kind: String,
    /// Soft limit.
    pub soft: u64,
    /// Hard limit.
    pub hard: u64,
}

/// Which seccomp filter is loaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SeccompProfile {
    /// Equal in effect to Docker's default, for these granted capabilities.
    Default {
        /// Sorted names; the profile allows more calls to more capabilities.
        caps: Vec<String>,
    },
    /// Nothing is refused; only for a run that is told.
    Unconfined,
}

/// One operation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Op {
    /// Resolve the reference to a manifest and a config, and read them.
    ReadImage {
        /// As resolved, such as `docker.io/library/box:latest`.
        reference: String,
        /// Digest of the image config (`sha256:…`): Docker's image id.
        image: String,
        /// Digest of the manifest.
        manifest: String,
        /// Number of layers.
        layers: u32,
    },
    /// Verify, decompress and unpack a layer that the store lacks.
    UnpackLayer {
        /// Position, 1 is the lowest.
        index: u32,
        /// Digest of the blob as stored (compressed).
        blob: String,
        /// Media type of the blob.
        media_type: String,
        /// Bytes of the blob.
        size: u64,
        /// Digest of the uncompressed tar.
        diff_id: String,
        /// Digest over this layer and all below it.
        chain_id: String,
        /// Where the tree goes.
        dir: String,
        /// What made the layer, from the image's history.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        created_by: String,
    },
    /// Use a layer that the store already holds unpacked.
    UseLayer {
        /// Position, 1 is the lowest.
        index: u32,
        /// Digest of the uncompressed tar.
        diff_id: String,
        /// Digest over this layer and all below it.
        chain_id: String,
        /// Where the tree is.
        dir: String,
        /// What made the layer, from the image's history.
        created_by: String,
    },
    /// Read which kernel the host booted: the container will run on it.
    ReadHostKernel,
    /// Look into the layers for anything that could boot (`/boot`, a kernel).
    LookForKernel {
        /// Layer trees, lowest first.
        layers: Vec<String>,
    },
    /// Make a directory; an existing one is taken as it is.
    MakeDir {
        /// The directory.
        path: String,
        /// Permission bits.
        mode: u32,
    },
    /// Make views of the layers in which their files belong to the users of the
    /// container's user namespace.
    MapLayers {
        /// Layer trees, **uppermost first**.
        layers: Vec<String>,
        /// The container's directory, which holds its writable layer.
        own: String,
        /// User ids.
        uid: Vec<IdMap>,
        /// Group ids.
        gid: Vec<IdMap>,
    },
    /// Build the union of the read-only layers and the writable one.
    MountOverlay {
        /// Layer trees, **uppermost first**, as overlayfs wants them.
        lower: Vec<String>,
        /// The container's writable layer.
        upper: String,
        /// overlayfs' scratch directory, on the same file system as `upper`.
        work: String,
        /// How.
        style: OverlayStyle,
        /// Where it will stand.
        target: String,
    },
    /// Attach the detached union at its place, in init's mount namespace.
    AttachRootfs {
        /// Where.
        target: String,
    },
    /// Make the container's cgroup in one hierarchy.
    CreateCgroup {
        /// Version of the hierarchy.
        version: CgroupVersion,
        /// Controllers of the hierarchy, such as `memory`.
        controllers: Vec<String>,
        /// The directory.
        path: String,
    },
    /// Write one limit.
    SetLimit {
        /// What for.
        limit: Limit,
        /// The file.
        file: String,
        /// What is written.
        value: String,
    },
    /// Say which devices the cgroup may use.
    AllowDevices {
        /// Version of the hierarchy: rules by file, or by BPF program.
        version: CgroupVersion,
        /// The cgroup's directory.
        path: String,
        /// In order; the last match counts. The first denies all.
        rules: Vec<DeviceRule>,
    },
    /// Make the init process in new namespaces. Fills [`Slot::InitPid`].
    Clone {
        /// New namespaces.
        namespaces: Vec<Ns>,
        /// cgroup v2 directory to be born in.
        cgroup: Option<String>,
    },
    /// Write init's uid and gid maps.
    WriteIdMaps {
        /// `/proc/PID/uid_map`.
        uid: Vec<IdMap>,
        /// `/proc/PID/gid_map`.
        gid: Vec<IdMap>,
    },
    /// Put the process that will be the command into the cgroups (v1: one file per hierarchy).
    JoinCgroup {
        /// Files `cgroup.procs`, to which the runtime writes the process's pid, or `tasks`, to
        /// which the process writes 0 for itself.
        files: Vec<String>,
    },
    /// Take the cgroup joined as the root of a new cgroup namespace.
    UnshareCgroup,
    /// Find the first process of a container that runs, and hold it by a pidfd, which
    /// means this process and no later one of its pid. Fills [`Slot::InitPid`].
    FindInit {
        /// The container's run-time state, a file that says its pid.
        state: String,
        /// The container's directory, by which its mounts are known.
        container: String,
        /// The name of its cgroup in every hierarchy that it has one in.
        cgroup: String,
    },
    /// Make a process in the container's pid namespace: pid_namespaces(7) lets a process
    /// choose that namespace for its children only. Fills [`Slot::ProcessPid`] and
    /// [`Slot::ProcessBorn`].
    SpawnInside {
        /// cgroup v2 directory to be born in.
        cgroup: Option<String>,
    },
    /// Enter the other namespaces of the container's first process, with one setns(2).
    JoinNamespaces {
        /// Those that are the container's own, but for its pid namespace.
        namespaces: Vec<Ns>,
    },
    /// Make a bridge with an address; an existing one of that name is used.
    CreateBridge {
        /// Interface name.
        name: String,
        /// The gateway's address.
        address: Ipv4Addr,
        /// Prefix length of the subnet.
        prefix: u8,
    },
    /// Write a kernel parameter of the host if it differs.
    WriteSysctl {
        /// The file below `/proc/sys`.
        file: String,
        /// What is written.
        value: String,
    },
    /// Make the network's base rules: masquerade and forwarding. Once per network.
    CreateNat {
        /// nftables table (family ip).
        table: String,
        /// The network's bridge.
        bridge: String,
        /// The subnet's first address.
        subnet: Ipv4Addr,
        /// Its prefix length.
        prefix: u8,
    },
    /// Reserve an address. Fills [`Slot::Address`].
    AllocateAddress {
        /// The network's name.
        network: String,
        /// Lease directory of the network: a file per address.
        leases: String,
        /// The subnet's first address.
        subnet: Ipv4Addr,
        /// Its prefix length.
        prefix: u8,
        /// Never given out.
        gateway: Ipv4Addr,
        /// Who gets it: the container's id.
        container: String,
    },
    /// Make a veth pair: one end on the host, the other in init's namespace.
    CreateVeth {
        /// Name of the host's end.
        host: String,
        /// Name of the container's end.
        peer: String,
        /// The host's end joins this bridge and is set up.
        bridge: String,
        /// The container's end's MAC, `02:…`.
        mac: String,
    },
    /// Redirect a port of the host to the container.
    PublishPort {
        /// nftables table.
        table: String,
        /// Transport.
        protocol: Protocol,
        /// Address of the host; unspecified is all.
        host_ip: Ipv4Addr,
        /// Port of the host.
        host_port: u16,
        /// Port of the container.
        container_port: u16,
        /// The container's address.
        address: Arg<Ipv4Addr>,
        /// The rule's owner: the container's id.
        container: String,
    },
    /// Set a link up (by init: in the container's namespace).
    SetLinkUp {
        /// Interface name.
        link: String,
    },
    /// Give a link its address.
    AddAddress {
        /// Interface name.
        link: String,
        /// `a.b.c.d/len`.
        address: Arg<String>,
    },
    /// Add the default route.
    AddDefaultRoute {
        /// The gateway.
        via: Ipv4Addr,
    },
    /// Keep mounts from propagating to the host.
    MakeMountsPrivate,
    /// Mount a file system.
    Mount {
        /// What for.
        role: MountRole,
        /// Type, such as `proc`.
        fstype: String,
        /// Source, such as `proc` or `tmpfs`.
        source: String,
        /// Mount point.
        target: String,
        /// Options as mount(8) writes them: `nosuid`, `noexec`, `ro`, `mode=755`….
        options: Vec<String>,
    },
    /// Show a file or directory of the host in the container.
    Bind {
        /// What for.
        role: MountRole,
        /// On the host.
        source: String,
        /// Mount point; made if missing, beneath the new root only.
        target: String,
        /// Also mounts below the source.
        recursive: bool,
        /// `ro`, `nosuid`, … and propagation (`rprivate`).
        options: Vec<String>,
    },
    /// Make a device node.
    MakeNode {
        /// The node.
        path: String,
        /// `c` or `b`.
        kind: char,
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
        /// Permission bits.
        mode: u32,
    },
    /// Make a symbolic link.
    MakeSymlink {
        /// The link.
        path: String,
        /// What it says.
        target: String,
    },
    /// Write a small file on the host, in the container's own directory.
    WriteFile {
        /// The file.
        path: String,
        /// Its text; may hold `{address}`, replaced by the container's address.
        content: String,
        /// Permission bits.
        mode: u32,
    },
    /// Swap roots and let go of the old one.
    PivotRoot {
        /// The new root.
        new_root: String,
    },
    /// Make the root read-only.
    RemountRootReadonly,
    /// Hide a path: an empty file or directory over it. A missing path is passed over.
    MaskPath {
        /// The path.
        path: String,
    },
    /// Make a path read-only. A missing path is passed over.
    ReadonlyPath {
        /// The path.
        path: String,
    },
    /// Set the host name in the container's UTS namespace.
    SetHostname {
        /// The name.
        name: String,
    },
    /// Open a terminal in the container's devpts and hand its master to the runtime.
    OpenTerminal,
    /// Set resource limits.
    SetRlimits {
        /// Limits.
        limits: Vec<Rlimit>,
    },
    /// Forbid gaining privileges by execve, prctl(2) PR_SET_NO_NEW_PRIVS.
    SetNoNewPrivs,
    /// Drop capabilities from the bounding set.
    DropBounding {
        /// What is kept.
        keep: Vec<String>,
    },
    /// Become the user.
    SetUser {
        /// User id.
        uid: u32,
        /// Group id.
        gid: u32,
        /// Supplementary groups.
        groups: Vec<u32>,
    },
    /// Set the capability sets.
    SetCapabilities {
        /// The sets.
        caps: CapSets,
    },
    /// Load the system call filter.
    LoadSeccomp {
        /// Which.
        profile: SeccompProfile,
        /// glassbox is asked before calls that can change a file of a read-only layer,
        /// and about those that the profile refuses: for a run that is told.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        told: bool,
    },
    /// Become the container's command.
    Exec {
        /// Command and arguments.
        argv: Vec<String>,
        /// `NAME=value`.
        env: Vec<String>,
        /// Working directory; made if missing.
        cwd: String,
    },
    /// Wait for the command while it lives, carrying terminal and signals.
    /// Fills [`Slot::ExitStatus`].
    Supervise {
        /// There is a terminal.
        tty: bool,
        /// Standard input is connected.
        interactive: bool,
        /// The command is a further process of a container, not its first: the container
        /// does not end with it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        joined: bool,
    },
    /// Let the command run on with nobody waiting for it.
    LetRun,
    /// Read what the container changed: its writable layer.
    ReadChanges {
        /// The writable layer.
        upper: String,
        /// Layer trees, uppermost first.
        lower: Vec<String>,
    },
    /// Write the exit status into the container's record.
    RecordExit {
        /// The record.
        record: String,
    },
    /// Remove the container's directory, writable layer included.
    RemoveContainer {
        /// The directory.
        path: String,
    },
    /// Something with the images of the store.
    Image(super::image::ImageOp),
    /// Undo an earlier step now that its work is over.
    Undo {
        /// The step undone.
        step: super::StepId,
        /// Its operation.
        of: Box<Op>,
    },
}

impl Op {
    /// The operation's name as serialised and as message files use it, such as
    /// `mount_overlay`.
    pub fn name(&self) -> &'static str {
        match self {
            Op::ReadImage { .. } => "read_image",
            Op::UnpackLayer { .. } => "unpack_layer",
            Op::UseLayer { .. } => "use_layer",
            Op::ReadHostKernel => "read_host_kernel",
            Op::LookForKernel { .. } => "look_for_kernel",
            Op::MakeDir { .. } => "make_dir",
            Op::MapLayers { .. } => "map_layers",
            Op::MountOverlay { .. } => "mount_overlay",
            Op::AttachRootfs { .. } => "attach_rootfs",
            Op::CreateCgroup { .. } => "create_cgroup",
            Op::SetLimit { .. } => "set_limit",
            Op::AllowDevices { .. } => "allow_devices",
            Op::Clone { .. } => "clone",
            Op::WriteIdMaps { .. } => "write_id_maps",
            Op::JoinCgroup { .. } => "join_cgroup",
            Op::UnshareCgroup => "unshare_cgroup",
            Op::FindInit { .. } => "find_init",
            Op::SpawnInside { .. } => "spawn_inside",
            Op::JoinNamespaces { .. } => "join_namespaces",
            Op::CreateBridge { .. } => "create_bridge",
            Op::WriteSysctl { .. } => "write_sysctl",
            Op::CreateNat { .. } => "create_nat",
            Op::AllocateAddress { .. } => "allocate_address",
            Op::CreateVeth { .. } => "create_veth",
            Op::PublishPort { .. } => "publish_port",
            Op::SetLinkUp { .. } => "set_link_up",
            Op::AddAddress { .. } => "add_address",
            Op::AddDefaultRoute { .. } => "add_default_route",
            Op::MakeMountsPrivate => "make_mounts_private",
            Op::Mount { .. } => "mount",
            Op::Bind { .. } => "bind",
            Op::MakeNode { .. } => "make_node",
            Op::MakeSymlink { .. } => "make_symlink",
            Op::WriteFile { .. } => "write_file",
            Op::PivotRoot { .. } => "pivot_root",
            Op::RemountRootReadonly => "remount_root_readonly",
            Op::MaskPath { .. } => "mask_path",
            Op::ReadonlyPath { .. } => "readonly_path",
            Op::SetHostname { .. } => "set_hostname",
            Op::OpenTerminal => "open_terminal",
            Op::SetRlimits { .. } => "set_rlimits",
            Op::SetNoNewPrivs => "set_no_new_privs",
            Op::DropBounding { .. } => "drop_bounding",
            Op::SetUser { .. } => "set_user",
            Op::SetCapabilities { .. } => "set_capabilities",
            Op::LoadSeccomp { .. } => "load_seccomp",
            Op::Exec { .. } => "exec",
            Op::Supervise { .. } => "supervise",
            Op::LetRun => "let_run",
            Op::ReadChanges { .. } => "read_changes",
            Op::RecordExit { .. } => "record_exit",
            Op::RemoveContainer { .. } => "remove_container",
            Op::Image(op) => op.name(),
            Op::Undo { .. } => "undo",
        }
    }
}
