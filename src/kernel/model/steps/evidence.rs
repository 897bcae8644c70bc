//! What the model says now of the thing that an operation is about.

use super::look::{self, GETADDR, GETLINK, fact};
use super::{Cx, network, read_text};
use crate::kernel::model::net::LinkKind;
use crate::kernel::model::process::{Ctx, Gpid};
use crate::network::names::show_mac;
use crate::plan::Op;
use crate::plan::op::Ns;
use crate::trace::{Fact, Kind, Value};

pub(in crate::kernel::model) fn evidence(op: &Op, cx: &mut Cx<'_>) -> Vec<Fact> {
    let Ok(ctx) = cx.ctx() else { return Vec::new() };
    match op {
        Op::MakeDir { path, .. }
        | Op::WriteFile { path, .. }
        | Op::RemoveContainer { path }
        | Op::MakeNode { path, .. }
        | Op::MakeSymlink { path, .. } => match cx.beneath(path) {
            Ok((inside, rest)) => look::made(cx.w, &inside, path, rest),
            Err(_) => Vec::new(),
        },
        Op::MapLayers { .. } => super::views::evidence(cx),
        Op::MountOverlay { target, .. } => match cx.carried.detached.as_ref().map(|d| d.0) {
            Some(sb) => {
                let root = cx.w.root_of(sb);
                let names = cx.w.entries(&ctx, root).unwrap_or_default();
                let names: Vec<String> = names.into_iter().map(|e| e.0).collect();
                vec![
                    fact("fstatfs(2)", "type", "overlayfs (0x794c7630)"),
                    fact("getdents64(2)", "union /", names.join(" ")),
                ]
            }
            None => mount(cx, &ctx, target),
        },
        Op::AttachRootfs { target } | Op::Mount { target, .. } | Op::Bind { target, .. } => {
            mount(cx, &ctx, target)
        }
        Op::MaskPath { path } | Op::ReadonlyPath { path } => look::answers(cx.w, &ctx, path),
        Op::MakeMountsPrivate | Op::RemountRootReadonly => look::mounts(cx.w, &ctx, "self", |at| at == "/"),
        Op::PivotRoot { .. } => look::mounts(cx.w, &ctx, "self", |_| true),
        Op::Clone { namespaces, .. } => {
            let (pid, who) = of_init(cx);
            look::namespaces(cx.w, &Ns::first(namespaces), cx.runtime, pid, &who)
        }
        Op::FindInit { .. } => {
            let Some(init) = cx.carried.init else { return Vec::new() };
            let mut facts = super::inside::number(cx.w, cx.runtime, init);
            let cgroup = cx.w.process(init).map(|p| cx.w.cgroups.path(p.cgroup, 0));
            facts.extend(cgroup.map(|path| fact(&format!("/proc/{init}/cgroup"), "cgroup", path)));
            facts
        }
        Op::SpawnInside { .. } => match cx.carried.process {
            Some(pid) => super::inside::number(cx.w, cx.runtime, pid),
            None => Vec::new(),
        },
        Op::JoinNamespaces { namespaces } => match (cx.carried.init, cx.carried.process) {
            (Some(init), Some(pid)) => super::inside::joined(cx.w, cx.runtime, namespaces, init, pid),
            _ => Vec::new(),
        },
        Op::LetRun => Vec::new(),
        Op::UnshareCgroup => {
            let mut facts = look::namespaces(cx.w, &[Ns::Cgroup], cx.runtime, cx.pid, "self");
            facts.push(fact("/proc/self/cgroup", "cgroup", own_cgroup(cx, &ctx)));
            facts
        }
        Op::WriteIdMaps { .. } => ["uid_map", "gid_map"].iter().flat_map(|m| id_map(cx, &ctx, m)).collect(),
        Op::SetHostname { .. } => {
            vec![fact("uname(2)", "nodename", cx.w.ns.hostname(ctx.ns.uts).to_owned())]
        }
        Op::OpenTerminal => match cx.w.read_link(&ctx, "/proc/self/fd/0") {
            Ok(name) => vec![fact("/proc/self/fd/0", "standard input", name)],
            Err(_) => Vec::new(),
        },
        Op::SetRlimits { .. } => {
            let limits = cx.w.process(cx.pid).map(|p| p.limits.clone()).unwrap_or_default();
            let shown = |l: &crate::plan::op::Rlimit| {
                fact("/proc/self/limits", l.kind.clone(), format!("{}:{}", l.soft, l.hard))
            };
            limits.iter().map(shown).collect()
        }
        Op::SetNoNewPrivs => own_status(cx, &ctx, &["NoNewPrivs"]),
        Op::DropBounding { .. } => own_status(cx, &ctx, &["CapBnd"]),
        Op::SetUser { .. } => own_status(cx, &ctx, &["Uid", "Gid", "Groups"]),
        Op::SetCapabilities { .. } => {
            own_status(cx, &ctx, &["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"])
        }
        Op::LoadSeccomp { .. } => own_status(cx, &ctx, &["Seccomp"]),
        Op::Exec { .. } => {
            let Ok(host) = cx.w.ctx(cx.runtime) else { return Vec::new() };
            let (pid, who) = of_init(cx);
            let fields = ["Name", "Uid", "CapEff", "CapBnd", "NoNewPrivs", "Seccomp"];
            look::status(cx.w, &host, pid, &who, &fields)
        }
        Op::Supervise { joined, .. } => match cx.command() {
            Ok(pid) => {
                let there = if cx.w.procs.contains_key(&pid) { "exists" } else { "no such process" };
                let key = if *joined { "process" } else { "init" };
                let mut facts = vec![fact(&format!("/proc/{pid}"), key, there)];
                if !joined {
                    facts.extend(totals(cx, &ctx));
                }
                facts
            }
            Err(_) => Vec::new(),
        },
        Op::RecordExit { record } => record_fields(cx, &ctx, record),
        Op::Image(op) => super::images::evidence(op, cx),
        Op::ReadImage { .. } => Vec::new(),
        Op::UnpackLayer { dir, .. } | Op::UseLayer { dir, .. } => match cx.w.read_dir(&ctx, dir) {
            Ok(entries) => {
                let names: Vec<String> = entries.into_iter().map(|e| e.name).collect();
                vec![fact(dir, "its root", names.join(" "))]
            }
            Err(_) => Vec::new(),
        },
        Op::ReadHostKernel => vec![
            fact("uname(2)", "sysname", "Linux"),
            fact(
                "uname(2)",
                "release",
                Value::volatile(Kind::Release, crate::kernel::model::kernel::RELEASE),
            ),
        ],
        Op::LookForKernel { layers } => layers.iter().flat_map(|l| look::bootable(cx.w, &ctx, l)).collect(),
        Op::ReadChanges { upper, lower } => look::changes(cx.w, upper, lower),
        Op::CreateCgroup { path, .. } => ["cgroup.procs", "cgroup.controllers"]
            .iter()
            .map(|f| file(cx, &ctx, &format!("{path}/{f}")))
            .collect(),
        Op::SetLimit { file: path, .. } => vec![file(cx, &ctx, path)],
        Op::AllowDevices { path, .. } => match super::cgroup::group(cx, path) {
            Ok(id) => vec![fact(path, "device rules", Value::Int(cx.w.cgroups.device_rules(id) as i64))],
            Err(_) => Vec::new(),
        },
        Op::JoinCgroup { .. } => match cx.command().ok().and_then(|p| cx.w.ctx(p).ok()) {
            Some(init) => {
                let path = cx.w.cgroups.path(init.cgroup, 0);
                vec![fact(&format!("/proc/{}/cgroup", init.pid), "unified", path)]
            }
            None => Vec::new(),
        },
        Op::WriteSysctl { file: name, .. } => {
            let path = network::parameter_path(name);
            let key = path.trim_start_matches("/proc/sys/").replace('/', ".");
            match read_text(cx.w, &ctx, &path) {
                Ok(text) => vec![fact(&path, key, text.trim().to_owned())],
                Err(_) => Vec::new(),
            }
        }
        Op::CreateBridge { name, .. } => bridge(cx, &ctx, name),
        Op::CreateNat { table, .. } | Op::PublishPort { table, .. } => look::rules(cx.w, &ctx, table),
        Op::AllocateAddress { leases, prefix, container, .. } => lease(cx, &ctx, leases, *prefix, container),
        Op::CreateVeth { host, .. } => veth(cx, &ctx, host),
        Op::SetLinkUp { link } => match cx.w.net.find(ctx.ns.net, link) {
            Some(id) => vec![fact(GETLINK, format!("link {link}"), look::state(cx.w, id))],
            None => Vec::new(),
        },
        Op::AddAddress { link, .. } => match cx.w.net.find(ctx.ns.net, link) {
            Some(id) => {
                let mut facts = look::addresses(cx.w, id);
                if let Ok(l) = cx.w.net.link(id) {
                    let mac = Value::volatile(Kind::Mac, show_mac(&l.mac));
                    facts.push(fact(GETLINK, format!("mac of {link}"), mac));
                }
                facts
            }
            None => Vec::new(),
        },
        Op::AddDefaultRoute { .. } => look::routes(cx.w, &ctx),
        Op::Undo { of, .. } if matches!(**of, Op::Clone { .. }) => Vec::new(),
        Op::Undo { of, .. } => evidence(of, cx),
    }
}

fn of_init(cx: &Cx<'_>) -> (Gpid, String) {
    match cx.command() {
        Ok(pid) => (pid, pid.to_string()),
        Err(_) => (cx.runtime, "self".to_owned()),
    }
}

fn own_status(cx: &Cx<'_>, ctx: &Ctx, fields: &[&str]) -> Vec<Fact> {
    look::status(cx.w, ctx, cx.pid, "self", fields)
}

fn mount(cx: &Cx<'_>, ctx: &Ctx, target: &str) -> Vec<Fact> {
    let place = target.trim_end_matches('/');
    look::mounts(cx.w, ctx, "self", |at| at == place)
}

/// What the container used at most, from its cgroup, which is there until it is taken back.
fn totals(cx: &mut Cx<'_>, ctx: &Ctx) -> Vec<Fact> {
    let Some(path) = cx.carried.cgroup.clone() else { return Vec::new() };
    let mut facts = Vec::new();
    let peak = format!("{path}/memory.peak");
    if let Ok(text) = read_text(cx.w, ctx, &peak) {
        facts.push(fact(&peak, "memory.peak", Value::volatile(Kind::Bytes, text.trim())));
    }
    let events = format!("{path}/memory.events");
    let text = read_text(cx.w, ctx, &events).unwrap_or_default();
    if let Some(kills) = text.lines().find_map(|line| line.strip_prefix("oom_kill ")) {
        facts.push(fact(&events, "memory.events oom_kill", kills));
    }
    facts
}

fn own_cgroup(cx: &Cx<'_>, ctx: &Ctx) -> String {
    format!("0::{}", cx.w.cgroups.path(ctx.cgroup, cx.w.ns.cgroup_root(ctx.ns.cgroup)))
}

fn id_map(cx: &mut Cx<'_>, ctx: &Ctx, map: &str) -> Vec<Fact> {
    let (pid, who) = of_init(cx);
    let Ok(text) = read_text(cx.w, ctx, &format!("/proc/{pid}/{map}")) else { return Vec::new() };
    let words = |l: &str| l.split_whitespace().collect::<Vec<_>>().join(" ");
    text.lines().map(|l| fact(&format!("/proc/{who}/{map}"), map, words(l))).collect()
}

fn file(cx: &mut Cx<'_>, ctx: &Ctx, path: &str) -> Fact {
    let key = path.rsplit('/').next().unwrap_or(path).to_owned();
    let value = match read_text(cx.w, ctx, path) {
        Ok(text) => text.trim_end().to_owned(),
        Err(e) => e.words().to_owned(),
    };
    fact(path, key, value)
}

fn record_fields(cx: &mut Cx<'_>, ctx: &Ctx, record: &str) -> Vec<Fact> {
    let Ok(text) = read_text(cx.w, ctx, record) else { return Vec::new() };
    let Ok(json) = serde_json::from_str::<serde_json::Value>(&text) else { return Vec::new() };
    ["status", "exit_code"]
        .into_iter()
        .filter_map(|key| {
            let value = json.get(key)?;
            Some(fact(record, key, value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
        })
        .collect()
}

fn bridge(cx: &Cx<'_>, ctx: &Ctx, name: &str) -> Vec<Fact> {
    let Some(id) = cx.w.net.find(ctx.ns.net, name) else { return Vec::new() };
    let Ok(link) = cx.w.net.link(id) else { return Vec::new() };
    let kind = if link.kind == LinkKind::Bridge { "bridge" } else { "device" };
    let ports = cx.w.net.links.values().filter(|l| l.master == Some(id)).count();
    let mut facts = vec![
        fact(GETLINK, format!("kind of {name}"), kind),
        fact(GETLINK, format!("state of {name}"), look::state(cx.w, id)),
        fact(GETLINK, format!("mac of {name}"), Value::volatile(Kind::Mac, show_mac(&link.mac))),
        fact(GETLINK, format!("ports of {name}"), Value::volatile(Kind::Other, ports)),
    ];
    let shown =
        |(a, p): &(std::net::Ipv4Addr, u8)| fact(GETADDR, format!("address of {name}"), format!("{a}/{p}"));
    facts.extend(link.addresses.iter().map(shown));
    facts
}

fn veth(cx: &Cx<'_>, ctx: &Ctx, host: &str) -> Vec<Fact> {
    let Some(id) = cx.w.net.find(ctx.ns.net, host) else { return Vec::new() };
    let Ok(link) = cx.w.net.link(id) else { return Vec::new() };
    let master = link.master.and_then(|m| cx.w.net.link(m).ok()).map_or("none", |m| m.name.as_str());
    let mut facts = vec![
        fact(GETLINK, "host end", Value::volatile(Kind::Link, &link.name)),
        fact(GETLINK, "host end kind", "veth"),
        fact(GETLINK, "host end index", Value::volatile(Kind::Index, link.index)),
        fact(GETLINK, "host end mac", Value::volatile(Kind::Mac, show_mac(&link.mac))),
        fact(GETLINK, "host end state", look::state(cx.w, id)),
        fact(GETLINK, "host end bridge", master),
    ];
    if let LinkKind::Veth { peer } = link.kind
        && let Ok(peer) = cx.w.net.link(peer)
    {
        facts.push(fact(GETLINK, "container end index", Value::volatile(Kind::Index, peer.index)));
    }
    facts
}

fn lease(cx: &mut Cx<'_>, ctx: &Ctx, leases: &str, prefix: u8, container: &str) -> Vec<Fact> {
    let entries = cx.w.read_dir(ctx, leases).unwrap_or_default();
    let mut facts = Vec::new();
    for entry in entries {
        let path = format!("{leases}/{}", entry.name);
        if read_text(cx.w, ctx, &path).is_ok_and(|owner| owner == container) {
            let address = Value::volatile(Kind::Address, format!("{}/{prefix}", entry.name));
            facts.push(Fact {
                source: Value::volatile(Kind::Path, path),
                key: "lease".to_owned(),
                value: address,
            });
        }
    }
    facts
}
