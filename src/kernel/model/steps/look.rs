//! Reading the modelled state back, with the sources and keys of a real one.

use super::read_text;
use crate::kernel::Subject;
use crate::kernel::model::net::LinkKind;
use crate::kernel::model::process::{Ctx, Gpid};
use crate::kernel::model::vfs::{Loc, Mount};
use crate::kernel::model::world::World;
use crate::network::names::show_mac;
use crate::plan::op::Ns;
use crate::trace::{Fact, Kind, Value};
use crate::userland::FileType;

pub(super) const GETLINK: &str = "netlink RTM_GETLINK";
pub(super) const GETADDR: &str = "netlink RTM_GETADDR";
pub(super) const GETROUTE: &str = "netlink RTM_GETROUTE";
pub(super) const GETRULE: &str = "nftables NFT_MSG_GETRULE";

/// What would boot a machine, were it in a layer.
pub(super) const BOOTABLE: [&str; 5] = ["boot", "vmlinuz", "initrd.img", "lib/modules", "usr/lib/modules"];

pub(super) fn fact(source: &str, key: impl Into<String>, value: impl Into<Value>) -> Fact {
    let pid = source.strip_prefix("/proc/").and_then(|s| s.split('/').next());
    let source = match pid.is_some_and(|p| p.parse::<u32>().is_ok()) {
        true => Value::volatile(Kind::Path, source),
        false => Value::from(source),
    };
    Fact { source, key: key.into(), value: value.into() }
}

/// One subject, for `inspect`.
pub(in crate::kernel::model) fn observe(
    w: &mut World,
    subject: Subject,
    runtime: Gpid,
    init: Option<Gpid>,
    (layers, upper): (&[String], &str),
) -> Vec<Fact> {
    let init = init.filter(|pid| w.procs.get(pid).is_some_and(|p| p.exit.is_none()));
    let pid = init.unwrap_or(runtime);
    let Ok(ctx) = w.ctx(pid) else { return Vec::new() };
    let who = init.map_or_else(|| "self".to_owned(), |p| p.to_string());
    match subject {
        Subject::Mounts => mounts(w, &ctx, &who, |_| true),
        Subject::Namespaces => namespaces(w, &Ns::ALL, runtime, pid, &who),
        Subject::Cgroup => {
            let Ok(host) = w.ctx(runtime) else { return Vec::new() };
            let path = w.cgroups.path(ctx.cgroup, 0);
            let mut facts = vec![fact(&format!("/proc/{who}/cgroup"), "cgroup", format!("0::{path}"))];
            for file in
                ["cgroup.procs", "memory.max", "memory.current", "pids.max", "pids.current", "cpu.max"]
            {
                let source = format!("/sys/fs/cgroup{}/{file}", path.trim_end_matches('/'));
                if let Ok(text) = read_text(w, &host, &source) {
                    let value = text.split_whitespace().collect::<Vec<_>>().join(" ");
                    facts.push(fact(&source, file, Value::volatile(Kind::Other, value)));
                }
            }
            facts
        }
        Subject::Network => network(w, &ctx),
        Subject::Layers => {
            let Ok(host) = w.ctx(runtime) else { return Vec::new() };
            let mut facts: Vec<Fact> = layers.iter().flat_map(|l| made(w, &host, l, l)).collect();
            facts.extend(changes(w, upper, layers));
            facts
        }
        Subject::Processes => {
            let own = ctx.ns.pid;
            let inside: Vec<Gpid> = w.ns.pids(own).into_iter().map(|(_, g)| g).collect();
            let shown = inside.iter().filter_map(|g| w.procs.get(g));
            match init {
                Some(_) => {
                    shown.map(|p| fact(&format!("/proc/{}/comm", p.pid), "process", p.comm.clone())).collect()
                }
                None => Vec::new(),
            }
        }
    }
}

/// Links, addresses, routes, rules and translated connections.
fn network(w: &World, ctx: &Ctx) -> Vec<Fact> {
    let ns = ctx.ns.net;
    let mut facts = Vec::new();
    for id in w.net.links.iter().filter(|(_, l)| l.ns == ns).map(|(id, _)| *id).collect::<Vec<_>>() {
        let Ok(l) = w.net.link(id) else { continue };
        let kind = match l.kind {
            LinkKind::Loopback => "loopback",
            LinkKind::Bridge => "bridge",
            LinkKind::Veth { .. } => "veth",
            LinkKind::Outer => "device",
        };
        let master = l.master.and_then(|m| w.net.link(m).ok());
        let port = master.map(|m| format!(", port of {}", m.name)).unwrap_or_default();
        facts.push(fact(GETLINK, format!("link {}", l.name), format!("{kind}, {}{port}", state(w, id))));
        if l.kind != LinkKind::Loopback {
            facts.push(fact(
                GETLINK,
                format!("mac of {}", l.name),
                Value::volatile(Kind::Mac, show_mac(&l.mac)),
            ));
        }
        facts.extend(addresses(w, id));
    }
    facts.extend(routes(w, ctx));
    if let Some(stack) = w.net.stacks.get(&ns) {
        facts.extend(stack.tables.keys().flat_map(|t| rules(w, ctx, t)));
        for t in &stack.tracked {
            let ((a, b, c, d), (e, f, g, h)) = (t.original, t.reply);
            let text = format!(
                "{} src={a} dst={c} sport={b} dport={d} src={e} dst={g} sport={f} dport={h}",
                t.protocol
            );
            facts.push(fact("/proc/net/nf_conntrack", "connection", Value::volatile(Kind::Address, text)));
        }
    }
    facts
}

/// `up` or `down`, and whether there is a carrier.
pub(super) fn state(w: &World, id: u32) -> &'static str {
    match (w.net.link(id).is_ok_and(|l| l.up), w.net.running(id)) {
        (true, true) => "up, running",
        (true, false) => "up, no carrier",
        (false, _) => "down",
    }
}

pub(super) fn addresses(w: &World, id: u32) -> Vec<Fact> {
    let Ok(link) = w.net.link(id) else { return Vec::new() };
    let shown = |(a, p): &(std::net::Ipv4Addr, u8)| {
        fact(GETADDR, format!("address of {}", link.name), Value::volatile(Kind::Address, format!("{a}/{p}")))
    };
    link.addresses.iter().map(shown).collect()
}

pub(super) fn routes(w: &World, ctx: &Ctx) -> Vec<Fact> {
    let shown = |r: &crate::userland::RouteInfo| {
        let key = match r.destination {
            Some((to, prefix)) => format!("route {to}/{prefix}"),
            None => "route default".to_owned(),
        };
        let via = r.gateway.map(|g| format!("via {g} ")).unwrap_or_default();
        let src = r.source.map(|s| format!(" src {s}")).unwrap_or_default();
        fact(GETROUTE, key, format!("{via}dev {}{src}", r.link))
    };
    w.net.route_infos(ctx.ns.net).iter().map(shown).collect()
}

pub(super) fn rules(w: &World, ctx: &Ctx, table: &str) -> Vec<Fact> {
    let Some(t) = w.net.stacks.get(&ctx.ns.net).and_then(|s| s.tables.get(table)) else { return Vec::new() };
    let key = |chain: &str| format!("table ip {table} chain {chain}");
    let masquerade =
        t.masquerade.iter().map(|m| fact(GETRULE, key(super::nft::POSTROUTING), super::nft::masquerade(m)));
    let dnat = t.dnat.iter().map(|d| fact(GETRULE, key(super::nft::PREROUTING), super::nft::dnat(d)));
    masquerade.chain(dnat).collect()
}

/// The mounts that a process sees, filtered by mount point.
pub(super) fn mounts(w: &World, ctx: &Ctx, who: &str, wanted: impl Fn(&str) -> bool) -> Vec<Fact> {
    let source = format!("/proc/{who}/mountinfo");
    w.mounts
        .of(ctx.ns.mnt)
        .filter_map(|m| Some((m, w.path_from(ctx.root, Loc { mount: m.id, node: m.root })?)))
        .filter(|(_, path)| wanted(path))
        .map(|(m, path)| fact(&source, format!("mount {path}"), mount_text(m)))
        .collect()
}

fn mount_text(m: &Mount) -> String {
    let root = if m.root_path == "/" { String::new() } else { format!(" root={}", m.root_path) };
    let propagation = if m.shared.is_some() { "shared" } else { "private" };
    format!("{} {propagation} {} {}{root} ({})", m.flags.text(), m.fstype, m.source, m.sb_options)
}

/// The inodes of a process's namespaces beside those of the runtime.
pub(super) fn namespaces(w: &World, kinds: &[Ns], runtime: Gpid, pid: Gpid, who: &str) -> Vec<Fact> {
    let link = |pid: Gpid, kind: Ns| Some(format!("{}:[{}]", kind.name(), w.process(pid).ok()?.ns.get(kind)));
    let mut facts = Vec::new();
    for kind in kinds {
        let name = kind.name();
        let mut add = |who: &str, key: &str, pid| {
            if let Some(text) = link(pid, *kind) {
                let source = format!("/proc/{who}/ns/{name}");
                facts.push(fact(&source, format!("{key} {name}"), Value::volatile(Kind::Namespace, text)));
            }
        };
        if who != "self" {
            add("self", "host ns", runtime);
        }
        add(who, "ns", pid);
    }
    facts
}

/// Fields of `/proc/PID/status`, read through the modelled procfs' own text.
pub(super) fn status(w: &World, ctx: &Ctx, pid: Gpid, who: &str, fields: &[&str]) -> Vec<Fact> {
    let Some(text) = crate::kernel::model::procfs::status_text(w, pid, ctx) else { return Vec::new() };
    let source = format!("/proc/{who}/status");
    fields
        .iter()
        .filter_map(|field| {
            let line = text.lines().find_map(|l| l.strip_prefix(field)?.strip_prefix(':'))?;
            Some(fact(&source, *field, line.split_whitespace().collect::<Vec<_>>().join(" ")))
        })
        .collect()
}

/// What stands at a path.
pub(super) fn made(w: &mut World, ctx: &Ctx, shown: &str, path: &str) -> Vec<Fact> {
    let Ok(stat) = w.stat(ctx, path, false) else {
        return vec![fact("stat(2)", shown, "no such file or directory")];
    };
    let numbers = format!("{}:{}", stat.rdev_major, stat.rdev_minor);
    let kind = match stat.kind {
        FileType::Dir => "directory".to_owned(),
        FileType::File => format!("file of {} bytes", stat.size),
        FileType::Symlink => {
            let target = w.read_link(ctx, path).unwrap_or_default();
            return vec![fact("readlink(2)", shown, target)];
        }
        FileType::Char => format!("character device {numbers}"),
        FileType::Block => format!("block device {numbers}"),
        FileType::Fifo => "fifo".to_owned(),
        FileType::Socket => "socket".to_owned(),
    };
    vec![fact("stat(2)", shown, format!("{kind}, mode 0{:o}, owner {}:{}", stat.mode, stat.uid, stat.gid))]
}

/// What answers at a path now, and on what kind of file system.
pub(super) fn answers(w: &mut World, ctx: &Ctx, path: &str) -> Vec<Fact> {
    let mut facts = made(w, ctx, path, path);
    if let Ok(at) = w.resolve(ctx, path, true)
        && let Some(mount) = w.mounts.get(at.mount)
    {
        facts.push(fact("statfs(2)", path, format!("{} {}", mount.flags.text(), mount.fstype)));
    }
    facts
}

/// What of the things that boot a machine is in a layer's tree.
pub(super) fn bootable(w: &mut World, ctx: &Ctx, layer: &str) -> Vec<Fact> {
    let look = |name: &&str| {
        let path = format!("{layer}/{name}");
        let value = match w.stat(ctx, &path, false) {
            Err(e) => e.words().to_owned(),
            Ok(s) if s.kind == FileType::Dir => match w.read_dir(ctx, &path).map(|e| e.len()) {
                Ok(0) => "an empty directory".to_owned(),
                Ok(n) => format!("a directory with {n} entries"),
                Err(e) => e.words().to_owned(),
            },
            Ok(s) => format!("a file of {} bytes", s.size),
        };
        fact(&path, format!("/{name}"), value)
    };
    BOOTABLE.iter().map(look).collect()
}

/// Every change in the writable layer, as `docker diff` tells it.
pub(super) fn changes(w: &World, upper: &str, lower: &[String]) -> Vec<Fact> {
    let found = w.changes(upper, lower).unwrap_or_default();
    found.into_iter().map(|(path, letter)| fact(upper, path, letter.to_string())).collect()
}
