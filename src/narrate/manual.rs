//! Where to read on: pages of the manual, and lessons.

use crate::plan::Op;
use crate::plan::image::ImageOp;
use crate::plan::op::{CgroupVersion, MountRole, Ns};

/// Pages of the manual about what `op` does, most telling first.
pub fn man(op: &Op) -> Vec<&'static str> {
    match op {
        Op::ReadImage { .. } => vec!["OCI image-spec: manifest, config"],
        Op::UnpackLayer { .. } => vec!["OCI image-spec: layer", "tar(5)"],
        Op::UseLayer { .. } => vec!["OCI image-spec: config (ChainID)"],
        Op::ReadHostKernel => vec!["uname(2)", "bootup(7)"],
        Op::LookForKernel { .. } => vec!["boot(7)", "file-hierarchy(7)"],
        Op::MakeDir { .. } => vec!["mkdir(2)"],
        Op::MapLayers { .. } => {
            vec!["mount_setattr(2)", "user_namespaces(7)", "kernel documentation: filesystems/idmappings"]
        }
        Op::MountOverlay { .. } => vec!["kernel documentation: filesystems/overlayfs", "mount(2)"],
        Op::AttachRootfs { .. } => vec!["move_mount(2)", "mount_namespaces(7)"],
        Op::CreateCgroup { .. } | Op::JoinCgroup { .. } => vec!["cgroups(7)"],
        Op::SetLimit { .. } => vec!["cgroups(7)", "kernel documentation: admin-guide/cgroup-v2"],
        Op::AllowDevices { version: CgroupVersion::V1, .. } => {
            vec!["kernel documentation: admin-guide/cgroup-v1/devices"]
        }
        Op::AllowDevices { version: CgroupVersion::V2, .. } => {
            vec!["bpf(2)", "kernel documentation: admin-guide/cgroup-v2"]
        }
        Op::Clone { namespaces, .. } => {
            let mut pages = vec!["clone(2)", "namespaces(7)"];
            pages.extend(namespaces.iter().map(|ns| ns_page(*ns)));
            pages
        }
        Op::WriteIdMaps { .. } => vec!["user_namespaces(7)"],
        Op::UnshareCgroup => vec!["cgroup_namespaces(7)", "unshare(2)"],
        Op::FindInit { .. } => vec!["pidfd_open(2)", "proc(5)"],
        Op::SpawnInside { .. } => vec!["setns(2)", "pid_namespaces(7)", "clone(2)"],
        Op::JoinNamespaces { namespaces } => {
            let mut pages = vec!["setns(2)", "nsenter(1)", "namespaces(7)"];
            pages.extend(namespaces.iter().map(|ns| ns_page(*ns)));
            pages
        }
        Op::CreateBridge { .. } => vec!["bridge(8)", "rtnetlink(7)"],
        Op::WriteSysctl { .. } => vec!["ip(7)", "sysctl(8)"],
        Op::CreateNat { .. } | Op::PublishPort { .. } => vec!["nft(8)"],
        Op::AllocateAddress { .. } => vec!["open(2)"],
        Op::CreateVeth { .. } => vec!["veth(4)", "network_namespaces(7)"],
        Op::SetLinkUp { .. } => vec!["ip-link(8)", "rtnetlink(7)"],
        Op::AddAddress { .. } => vec!["ip-address(8)"],
        Op::AddDefaultRoute { .. } => vec!["ip-route(8)"],
        Op::MakeMountsPrivate => vec!["mount_namespaces(7)"],
        Op::Mount { role, .. } => {
            let mut pages = vec!["mount(2)"];
            pages.extend(role_page(*role));
            pages
        }
        Op::Bind { .. } => vec!["mount(2)", "mount_setattr(2)"],
        Op::MakeNode { .. } => vec!["mknod(2)", "null(4)"],
        Op::MakeSymlink { .. } => vec!["symlink(7)"],
        Op::WriteFile { path, .. } if path.ends_with("/hosts") => vec!["hosts(5)"],
        Op::WriteFile { path, .. } if path.ends_with("/hostname") => vec!["hostname(5)"],
        Op::WriteFile { path, .. } if path.ends_with("/resolv.conf") => vec!["resolv.conf(5)"],
        Op::WriteFile { .. } => vec!["open(2)", "write(2)"],
        Op::PivotRoot { .. } => vec!["pivot_root(2)", "mount_namespaces(7)"],
        Op::RemountRootReadonly => vec!["mount(2)"],
        Op::MaskPath { .. } => vec!["proc(5)", "mount(2)"],
        Op::ReadonlyPath { .. } => vec!["proc(5)", "mount(2)"],
        Op::SetHostname { .. } => vec!["sethostname(2)", "uts_namespaces(7)"],
        Op::OpenTerminal => vec!["pty(7)", "pts(4)"],
        Op::SetRlimits { .. } => vec!["getrlimit(2)"],
        Op::SetNoNewPrivs => vec!["prctl(2)"],
        Op::DropBounding { .. } | Op::SetCapabilities { .. } => vec!["capabilities(7)"],
        Op::SetUser { .. } => vec!["credentials(7)", "setresuid(2)"],
        Op::LoadSeccomp { .. } => vec!["seccomp(2)"],
        Op::Exec { .. } => vec!["execve(2)"],
        Op::Supervise { .. } => vec!["waitpid(2)", "pid_namespaces(7)"],
        Op::LetRun => vec!["prctl(2)", "setsid(2)"],
        Op::ReadChanges { .. } => vec!["kernel documentation: filesystems/overlayfs"],
        Op::RecordExit { .. } => vec!["wait(2)", "rename(2)"],
        Op::RemoveContainer { .. } => vec!["unlink(2)", "rmdir(2)"],
        Op::Image(op) => image_pages(op),
        Op::Undo { of, .. } => man(of),
    }
}

fn image_pages(op: &ImageOp) -> Vec<&'static str> {
    match op {
        ImageOp::OpenArchive { .. } => vec!["tar(5)", "OCI image-spec: image-layout", "docker-save(1)"],
        ImageOp::ReadManifests { .. } => vec!["OCI image-spec: image-index, manifest"],
        ImageOp::ReadConfigs { .. } => vec!["OCI image-spec: config (DiffID, ChainID)"],
        ImageOp::AskRegistry { .. } => {
            vec!["OCI distribution-spec: pulling manifests", "OCI image-spec: image-index", "docker-pull(1)"]
        }
        ImageOp::FetchConfig { .. } => {
            vec!["OCI distribution-spec: pulling blobs", "OCI image-spec: config (DiffID, ChainID)"]
        }
        ImageOp::TakeLayer { .. } => {
            vec!["OCI image-spec: layer (whiteouts)", "kernel documentation: filesystems/overlayfs"]
        }
        ImageOp::NameImages { .. } => vec!["OCI image-spec: image-layout", "rename(2)"],
        ImageOp::FreezeContainer { .. } | ImageOp::ThawContainer { .. } => vec!["cgroups(7)"],
        ImageOp::WriteLayer { .. } => {
            vec!["OCI image-spec: layer (creating, whiteouts)", "kernel documentation: filesystems/overlayfs"]
        }
        ImageOp::ImportTar { .. } => vec!["tar(5)", "docker-import(1)"],
        ImageOp::StoreLayer { .. } => vec!["OCI image-spec: image-layout (blobs)", "rename(2)"],
        ImageOp::TagImage { .. } => vec!["docker-tag(1)", "OCI image-spec: image-layout (index.json)"],
        ImageOp::RemoveImage { .. } => vec!["docker-rmi(1)", "OCI image-spec: image-layout (index.json)"],
        ImageOp::SaveImages { .. } => vec!["docker-save(1)", "OCI image-spec: image-layout"],
        ImageOp::ExportTree { .. } => vec!["docker-export(1)", "kernel documentation: filesystems/overlayfs"],
        ImageOp::CompressLayer { .. } => vec!["OCI image-spec: layer (gzip)", "gzip(1)"],
        ImageOp::PushLayer { .. } | ImageOp::PushConfig { .. } => {
            vec!["OCI distribution-spec: pushing blobs, mounting blobs", "docker-push(1)"]
        }
        ImageOp::PutManifest { .. } => vec!["OCI distribution-spec: pushing manifests", "docker-push(1)"],
        ImageOp::SearchIndex { .. } => vec!["docker-search(1)"],
        ImageOp::ReadManifest { .. } => {
            vec!["OCI distribution-spec: pulling manifests", "docker-manifest-inspect(1)"]
        }
        ImageOp::TryCredential { .. } => {
            vec!["OCI distribution-spec: determining support", "docker-login(1)"]
        }
        ImageOp::KeepCredential { .. } => vec!["docker-login(1)"],
        ImageOp::ForgetCredential { .. } => vec!["docker-logout(1)"],
        ImageOp::CollectGarbage { .. } => vec!["docker-image-prune(1)", "OCI image-spec: image-layout"],
    }
}

fn ns_page(ns: Ns) -> &'static str {
    match ns {
        Ns::User => "user_namespaces(7)",
        Ns::Mnt => "mount_namespaces(7)",
        Ns::Pid => "pid_namespaces(7)",
        Ns::Uts => "uts_namespaces(7)",
        Ns::Ipc => "ipc_namespaces(7)",
        Ns::Net => "network_namespaces(7)",
        Ns::Cgroup => "cgroup_namespaces(7)",
        Ns::Time => "time_namespaces(7)",
    }
}

fn role_page(role: MountRole) -> Option<&'static str> {
    match role {
        MountRole::Proc => Some("proc(5)"),
        MountRole::Sysfs => Some("sysfs(5)"),
        MountRole::Cgroup => Some("cgroups(7)"),
        MountRole::Dev | MountRole::Shm => Some("tmpfs(5)"),
        MountRole::Devpts => Some("pts(4)"),
        MountRole::Mqueue => Some("mq_overview(7)"),
        MountRole::Volume | MountRole::Names | MountRole::Device | MountRole::Other => None,
    }
}

/// The lesson of the book that is about this operation: its topic's id.
pub fn lesson(op: &Op) -> Option<&'static str> {
    match op {
        Op::UseLayer { .. } | Op::MountOverlay { .. } | Op::ReadChanges { .. } => Some("copy-on-write"),
        Op::Undo { of, .. } => lesson(of),
        _ => None,
    }
}
