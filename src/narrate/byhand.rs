//! The commands of a shell that do what an operation does.
//!
//! Commands are the same in every language, and many have more options than a
//! message can hold, so they are built here. Where a value is known only while
//! running and is not known yet, a shell variable stands for it.

use std::fmt::Write as _;

use super::args::{Known, without_prefix};
use super::text::Line;
use crate::plan::Op;
use crate::plan::op::{Arg, CapSets, CgroupVersion, DeviceRule, IdMap, Limit, Ns, OverlayStyle, Slot};

/// How to do it by hand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hand {
    /// Lines for a POSIX shell, as root.
    pub commands: Vec<String>,
    /// What no command does.
    pub note: Option<Line>,
}

/// Quotes a word for a POSIX shell, if it needs it.
pub fn quote(word: &str) -> String {
    let safe = |c: char| c.is_alphanumeric() || "%+,-./:=@_".contains(c);
    if !word.is_empty() && word.chars().all(safe) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// The commands for one operation; none where the shell has none.
pub(super) fn commands(op: &Op, known: Known<'_>) -> Vec<String> {
    let q = |s: &String| quote(s);
    match op {
        Op::ReadImage { manifest, image, .. } => {
            vec![show_blob(manifest), show_blob(image)]
        }
        Op::UnpackLayer { blob, dir, media_type, .. } => {
            let unpack = match media_type.rsplit(['+', '.']).next() {
                Some("gzip") => "--gzip ",
                Some("zstd") => "--zstd ",
                _ => "",
            };
            vec![
                format!("sha256sum blobs/{}", blob_path(blob)),
                format!(
                    "mkdir {} && tar {unpack}--numeric-owner --xattrs -x -C {} -f blobs/{}",
                    q(dir),
                    q(dir),
                    blob_path(blob)
                ),
            ]
        }
        Op::UseLayer { dir, .. } => vec![format!("ls {}", q(dir))],
        Op::Image(op) => super::byhand_image::commands(op),
        Op::ReadHostKernel => vec!["uname -r".into()],
        Op::LookForKernel { layers } => {
            let dirs: Vec<_> = layers.iter().map(|l| format!("{}/boot", quote(l))).collect();
            if dirs.is_empty() { vec![] } else { vec![format!("ls {}", dirs.join(" "))] }
        }
        Op::MakeDir { path, mode } => vec![format!("mkdir -p -m {mode:04o} {}", q(path))],
        Op::MapLayers { layers, own, uid, gid } => layers
            .iter()
            .chain([own])
            .map(|l| format!("mount --bind -o X-mount.idmap={} {} {}", quote(&id_maps(uid, gid)), q(l), q(l)))
            .collect(),
        Op::MountOverlay { lower, upper, work, style, target } => overlay(lower, upper, work, *style, target),
        // A detached mount is a descriptor; no command of the shell holds one.
        Op::AttachRootfs { .. } => vec![],
        Op::CreateCgroup { path, .. } => vec![format!("mkdir -p {}", q(path))],
        Op::SetLimit { limit, file, value } => vec![match limit {
            Limit::Controllers => format!("echo {} > {}", quote(value), q(file)),
            _ => write(file, value),
        }],
        Op::AllowDevices { version: CgroupVersion::V1, path, rules } => {
            rules.iter().map(|r| device_rule(path, r)).collect()
        }
        Op::AllowDevices { version: CgroupVersion::V2, .. } => vec![],
        Op::Clone { namespaces, .. } => vec![unshare(namespaces)],
        Op::WriteIdMaps { uid, gid } => vec![id_map("uid_map", uid, known), id_map("gid_map", gid, known)],
        Op::JoinCgroup { files } => {
            files.iter().map(|f| format!("echo {} > {}", pid(known), quote(f))).collect()
        }
        Op::UnshareCgroup => vec!["unshare --cgroup sh".into()],
        Op::FindInit { state, .. } => vec![
            format!("grep -o '\"pid\":[0-9]*' {}", q(state)),
            format!("grep NSpid /proc/{}/status", init(known)),
        ],
        Op::SpawnInside { .. } => vec![nsenter(&[Ns::Pid], known)],
        Op::JoinNamespaces { namespaces } => vec![nsenter(namespaces, known)],
        Op::CreateBridge { name, address, prefix } => vec![
            format!("ip link add {} type bridge", q(name)),
            format!("ip addr add {address}/{prefix} dev {}", q(name)),
            format!("ip link set {} up", q(name)),
        ],
        Op::WriteSysctl { file, value } => {
            let name = file.strip_prefix("/proc/sys").unwrap_or(file).trim_start_matches('/');
            vec![write(&format!("/proc/sys/{name}"), value)]
        }
        Op::CreateNat { table, bridge, subnet, prefix } => nat(table, bridge, &format!("{subnet}/{prefix}")),
        Op::AllocateAddress { leases, container, .. } => {
            let address = bare_address(known).unwrap_or_else(|| "$ADDRESS".into());
            vec![format!("set -C; echo {} > {}/{address}", quote(container), q(leases))]
        }
        Op::CreateVeth { host, peer, bridge, mac } => vec![
            format!(
                "ip link add {} type veth peer name {} address {mac} netns {}",
                q(host),
                q(peer),
                pid(known)
            ),
            format!("ip link set {} master {} up", q(host), q(bridge)),
        ],
        Op::PublishPort { table, protocol, host_ip, host_port, container_port, address, .. } => {
            let to = match address {
                Arg::Known(a) => a.to_string(),
                Arg::Slot { .. } => bare_address(known).unwrap_or_else(|| "$ADDRESS".into()),
            };
            let on = if host_ip.is_unspecified() { String::new() } else { format!("ip daddr {host_ip} ") };
            let rule = format!("{on}{} dport {host_port} dnat to {to}:{container_port}", protocol.name());
            ["prerouting", "output"]
                .iter()
                .map(|hook| format!("nft add rule ip {} {hook} fib daddr type local {rule}", q(table)))
                .collect()
        }
        Op::SetLinkUp { link } => vec![format!("ip link set {} up", q(link))],
        Op::AddAddress { link, address } => {
            let address = match address {
                Arg::Known(a) => a.clone(),
                Arg::Slot { slot } => slot_or(known, *slot, "$ADDRESS"),
            };
            vec![format!("ip addr add {address} dev {}", q(link))]
        }
        Op::AddDefaultRoute { via } => vec![format!("ip route add default via {via}")],
        Op::MakeMountsPrivate => vec!["mount --make-rslave /".into()],
        Op::Mount { fstype, source, target, options, .. } => {
            let o =
                if options.is_empty() { String::new() } else { format!(" -o {}", quote(&options.join(","))) };
            vec![format!("mount -t {}{o} {} {}", q(fstype), q(source), q(target))]
        }
        Op::Bind { source, target, recursive, options, .. } => bind(source, target, *recursive, options),
        Op::MakeNode { path, kind, major, minor, mode } => {
            vec![format!("mknod -m {mode:04o} {} {kind} {major} {minor}", q(path))]
        }
        Op::MakeSymlink { path, target } => vec![format!("ln -s {} {}", q(target), q(path))],
        Op::WriteFile { path, content, mode } => {
            let content = match bare_address(known) {
                Some(a) => content.replace("{address}", &a),
                None => content.clone(),
            };
            let content = content.replace('\\', r"\\").replace('%', "%%").replace('\n', r"\n");
            vec![format!("printf {} > {}", quote(&content), q(path)), format!("chmod {mode:04o} {}", q(path))]
        }
        Op::PivotRoot { new_root } => {
            vec![format!("cd {} && pivot_root . . && umount -l .", q(new_root))]
        }
        Op::RemountRootReadonly => vec!["mount -o remount,bind,ro /".into()],
        Op::MaskPath { path } => vec![format!("mount --bind /dev/null {}", q(path))],
        Op::ReadonlyPath { path } => vec![
            format!("mount --bind {} {}", q(path), q(path)),
            format!("mount -o remount,bind,ro {}", q(path)),
        ],
        Op::SetHostname { name } => vec![format!("hostname {}", q(name))],
        Op::OpenTerminal | Op::LoadSeccomp { .. } => vec![],
        Op::SetRlimits { limits } => limits.iter().map(prlimit).collect(),
        Op::SetNoNewPrivs => vec!["setpriv --no-new-privs sh".into()],
        Op::DropBounding { keep } => vec![format!("setpriv --bounding-set {} sh", cap_list(keep))],
        Op::SetUser { uid, gid, groups } => {
            let groups = if groups.is_empty() {
                "--clear-groups".to_owned()
            } else {
                format!("--groups {}", groups.iter().map(u32::to_string).collect::<Vec<_>>().join(","))
            };
            vec![format!("setpriv --reuid {uid} --regid {gid} {groups} sh")]
        }
        Op::SetCapabilities { caps } => vec![capabilities(caps)],
        Op::Exec { argv, env, cwd } => {
            let words = |list: &[String]| list.iter().map(|w| quote(w)).collect::<Vec<_>>().join(" ");
            let env = if env.is_empty() { String::new() } else { format!(" {}", words(env)) };
            vec![format!("cd {} && exec env -i{env} {}", q(cwd), words(argv))]
        }
        Op::Supervise { .. } => vec![format!("wait {}; echo $?", pid(known))],
        // What the shell has for it takes a command, which is running by now.
        Op::LetRun => vec![],
        Op::ReadChanges { upper, .. } => vec![format!("find {} -ls", q(upper))],
        Op::RecordExit { .. } => vec![],
        Op::RemoveContainer { path } => vec![format!("rm -rf --one-file-system {}", q(path))],
        Op::Undo { of, .. } => undo(of, known),
    }
}

/// The commands that take an operation back.
pub(super) fn undo(op: &Op, known: Known<'_>) -> Vec<String> {
    let q = |s: &String| quote(s);
    match op {
        Op::MakeDir { path, .. } => vec![format!("rmdir {}", q(path))],
        Op::MountOverlay { target, .. }
        | Op::AttachRootfs { target }
        | Op::Mount { target, .. }
        | Op::Bind { target, .. } => vec![format!("umount {}", q(target))],
        Op::CreateCgroup { path, .. } => vec![format!("rmdir {}", q(path))],
        Op::Clone { .. } | Op::SpawnInside { .. } => vec![format!("kill -KILL {}", pid(known))],
        Op::CreateBridge { name, .. } => vec![format!("ip link del {}", q(name))],
        Op::CreateVeth { host, .. } => vec![format!("ip link del {}", q(host))],
        Op::WriteFile { path, .. } => vec![format!("rm {}", q(path))],
        _ => vec![],
    }
}

fn slot_or(known: Known<'_>, slot: Slot, variable: &str) -> String {
    known.slots.get(&slot).map_or_else(|| variable.to_owned(), |v| quote(&v.text()))
}

/// The process that the plan makes.
fn pid(known: Known<'_>) -> String {
    if known.slots.contains_key(&Slot::ProcessPid) {
        return slot_or(known, Slot::ProcessPid, "$PID");
    }
    init(known)
}

fn init(known: Known<'_>) -> String {
    slot_or(known, Slot::InitPid, "$PID")
}

fn bare_address(known: Known<'_>) -> Option<String> {
    known.slots.get(&Slot::Address).map(|v| without_prefix(&v.text()).to_owned())
}

pub(super) fn blob_path(digest: &str) -> String {
    quote(&digest.replacen(':', "/", 1))
}

pub(super) fn show_blob(digest: &str) -> String {
    format!("cat blobs/{}", blob_path(digest))
}

fn write(file: &str, value: &str) -> String {
    format!("echo {} > {}", quote(value), quote(file))
}

fn overlay(lower: &[String], upper: &str, work: &str, style: OverlayStyle, target: &str) -> Vec<String> {
    // mount(8) takes lowerdir+ since util-linux 2.39; before, one list with colons.
    let layers = match style {
        OverlayStyle::Detached => {
            lower.iter().map(|l| format!("lowerdir+={l}")).collect::<Vec<_>>().join(",")
        }
        OverlayStyle::Options => format!("lowerdir={}", lower.join(":")),
    };
    let options = format!("{layers},upperdir={upper},workdir={work}");
    vec![format!("mount -t overlay overlay -o {} {}", quote(&options), quote(target))]
}

fn device_rule(cgroup: &str, rule: &DeviceRule) -> String {
    let number = |n: Option<i64>| n.map_or_else(|| "*".to_owned(), |n| n.to_string());
    let text = if rule.kind == 'a' && rule.major.is_none() && rule.minor.is_none() {
        "a".to_owned()
    } else {
        format!("{} {}:{} {}", rule.kind, number(rule.major), number(rule.minor), rule.access)
    };
    let file = if rule.allow { "devices.allow" } else { "devices.deny" };
    write(&format!("{cgroup}/{file}"), &text)
}

fn unshare(namespaces: &[Ns]) -> String {
    let mut command = "unshare".to_owned();
    for ns in namespaces {
        command.push_str(match ns {
            Ns::User => " --user",
            Ns::Mnt => " --mount",
            Ns::Pid => " --pid --fork",
            Ns::Uts => " --uts",
            Ns::Ipc => " --ipc",
            Ns::Net => " --net",
            Ns::Cgroup => " --cgroup",
            Ns::Time => " --time",
        });
    }
    command + " sh"
}

fn nsenter(namespaces: &[Ns], known: Known<'_>) -> String {
    let options: String = namespaces
        .iter()
        .map(|ns| match ns {
            Ns::User => " --user",
            Ns::Mnt => " --mount",
            Ns::Pid => " --pid",
            Ns::Uts => " --uts",
            Ns::Ipc => " --ipc",
            Ns::Net => " --net",
            Ns::Cgroup => " --cgroup",
            Ns::Time => " --time",
        })
        .collect();
    format!("nsenter --target {}{options} sh", init(known))
}

/// As mount(8) takes them: kind, id on disk, id of the host, how many.
fn id_maps(uid: &[IdMap], gid: &[IdMap]) -> String {
    let of = |kind: char, maps: &[IdMap]| -> Vec<String> {
        maps.iter().map(|m| format!("{kind}:{}:{}:{}", m.container, m.host, m.size)).collect()
    };
    [of('u', uid), of('g', gid)].concat().join(" ")
}

fn id_map(file: &str, maps: &[IdMap], known: Known<'_>) -> String {
    let mut text = String::new();
    for map in maps {
        // One write for all lines: the kernel takes only one.
        let _ = write!(text, "{} {} {}\\n", map.container, map.host, map.size);
    }
    format!("printf {} > /proc/{}/{file}", quote(&text), pid(known))
}

fn nat(table: &str, bridge: &str, subnet: &str) -> Vec<String> {
    let t = quote(table);
    let chain = |name: &str, kind: &str, hook: &str, priority: &str| {
        format!("nft 'add chain ip {t} {name} {{ type {kind} hook {hook} priority {priority}; }}'")
    };
    vec![
        format!("nft add table ip {t}"),
        chain("postrouting", "nat", "postrouting", "srcnat"),
        format!("nft add rule ip {t} postrouting ip saddr {subnet} oifname != {} masquerade", quote(bridge)),
        chain("prerouting", "nat", "prerouting", "dstnat"),
        chain("output", "nat", "output", "dstnat"),
        chain("forward", "filter", "forward", "filter"),
        format!("nft add rule ip {t} forward iifname {} accept", quote(bridge)),
        format!("nft add rule ip {t} forward oifname {} ct state established,related accept", quote(bridge)),
    ]
}

fn bind(source: &str, target: &str, recursive: bool, options: &[String]) -> Vec<String> {
    let (source, target) = (quote(source), quote(target));
    let mut commands =
        vec![format!("mount --{} {source} {target}", if recursive { "rbind" } else { "bind" })];
    let propagation =
        |o: &&String| matches!(o.trim_start_matches('r'), "private" | "shared" | "slave" | "unbindable");
    let flags: Vec<_> = options.iter().filter(|o| !propagation(o)).map(String::as_str).collect();
    if !flags.is_empty() {
        commands.push(format!("mount -o {} {target}", quote(&format!("remount,bind,{}", flags.join(",")))));
    }
    for option in options.iter().filter(propagation) {
        commands.push(format!("mount --make-{option} {target}"));
    }
    commands
}

fn prlimit(limit: &crate::plan::op::Rlimit) -> String {
    let name = limit.kind.trim_start_matches("RLIMIT_").to_lowercase();
    let number = |n: u64| if n == u64::MAX { "unlimited".to_owned() } else { n.to_string() };
    format!("prlimit --pid $$ --{name}={}:{}", number(limit.soft), number(limit.hard))
}

/// `-all,+chown,+kill` as setpriv(1) writes it.
fn cap_list(caps: &[String]) -> String {
    let mut list = "-all".to_owned();
    for cap in caps {
        let _ = write!(list, ",+{}", cap.trim_start_matches("CAP_").to_lowercase());
    }
    list
}

fn capabilities(caps: &CapSets) -> String {
    format!(
        "setpriv --bounding-set {} --inh-caps {} --ambient-caps {} sh",
        cap_list(&caps.bounding),
        cap_list(&caps.inheritable),
        cap_list(&caps.ambient)
    )
}

#[cfg(test)]
#[path = "byhand_tests.rs"]
mod tests;
