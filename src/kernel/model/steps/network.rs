//! Bridge, NAT, address, veth, ports; and init's own links, addresses and routes.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use super::{Args, Cx, fail, misplaced, nft};
use crate::kernel::model::Res;
use crate::kernel::model::net::{Dnat, LinkKind, Masquerade};
use crate::kernel::model::process::Ctx;
use crate::kernel::model::world::World;
use crate::kernel::{Errno, Failure};
use crate::network::Subnet;
use crate::network::names::{mac, parse_mac, show_mac};
use crate::network::subnet::parse_address;
use crate::plan::Op;
use crate::plan::op::{Arg, Slot};
use crate::trace::{Kind, Value};
use crate::userland::OpenFlags;

pub(super) fn apply(op: &Op, cx: &mut Cx<'_>) -> Result<bool, Failure> {
    match op {
        Op::CreateBridge { name, address, prefix } => bridge(cx, name, *address, *prefix),
        Op::WriteSysctl { file, value } => {
            let path = parameter_path(file);
            if cx.text(&path).is_ok_and(|now| now.trim() == value) {
                return Ok(true);
            }
            let flags = OpenFlags { write: true, ..OpenFlags::default() };
            cx.write_file(&path, flags, 0, value.as_bytes())
                .map_err(fail(|| format!("write {value} to {path}")))?;
            Ok(false)
        }
        Op::CreateNat { table, bridge, subnet, prefix } => nat(cx, table, bridge, *subnet, *prefix),
        Op::AllocateAddress { network, leases, subnet, prefix, gateway, container } => {
            let net = Subnet::new(*subnet, *prefix)
                .map_err(|e| Failure::new(format!("reserve an address: {e}"), None))?;
            let address = lease(cx, network, leases, net, *gateway, container)?;
            let text = format!("{address}/{prefix}");
            cx.slots.insert(Slot::Address, Value::volatile(Kind::Address, text));
            Ok(false)
        }
        Op::CreateVeth { host, peer, bridge, mac } => veth(cx, host, peer, bridge, mac).map(|()| false),
        Op::PublishPort { .. } => publish(cx, op).map(|()| false),
        Op::SetLinkUp { link } => {
            let args = || vec![("link", link.as_str().into()), ("state", "up".into())];
            netlink(cx, true, "RTM_SETLINK", args, |w, ctx| {
                let id = w.net.find(ctx.ns.net, link).ok_or(Errno::ENODEV)?;
                w.net.set_up(id, true)
            })
            .map_err(fail(|| format!("set link {link} up")))?;
            Ok(false)
        }
        Op::AddAddress { link, address } => {
            let text = match address {
                Arg::Known(text) => text.clone(),
                Arg::Slot { .. } => cx.address().unwrap_or_default(),
            };
            let (own, prefix) = parse_address(&text)
                .map_err(|e| Failure::new(format!("add an address to {link}: {e}"), None))?;
            let args =
                || vec![("link", link.as_str().into()), ("address", Value::volatile(Kind::Address, &text))];
            netlink(cx, true, "RTM_NEWADDR", args, |w, ctx| {
                let id = w.net.find(ctx.ns.net, link).ok_or(Errno::ENODEV)?;
                w.net.add_address(id, own, prefix)
            })
            .map_err(fail(|| format!("add address {text} to {link}")))?;
            Ok(false)
        }
        Op::AddDefaultRoute { via } => {
            let args = || vec![("destination", "default".into()), ("gateway", via.to_string().into())];
            netlink(cx, true, "RTM_NEWROUTE", args, |w, ctx| w.net.add_default_route(ctx.ns.net, *via))
                .map_err(fail(|| format!("add the default route via {via}")))?;
            Ok(false)
        }
        _ => Err(misplaced(op)),
    }
}

/// A parameter may be given as a path or as below `/proc/sys`.
pub(super) fn parameter_path(file: &str) -> String {
    if file.starts_with("/proc/") { file.to_owned() } else { format!("/proc/sys/{}", file.trim_matches('/')) }
}

/// One request, as its own sendto(2) on a netlink socket.
fn request<T>(
    cx: &mut Cx<'_>,
    socket: &'static str,
    changes: bool,
    name: &'static str,
    args: impl FnOnce() -> Args,
    make: impl FnOnce(&mut World, &Ctx) -> Res<T>,
) -> Res<T> {
    let all = || {
        let mut all: Args =
            vec![("fd", Value::volatile(Kind::Fd, 3)), ("socket", socket.into()), ("request", name.into())];
        all.extend(args());
        all
    };
    let make = |w: &mut World, ctx: &Ctx| {
        if changes {
            w.may_admin_net(ctx)?;
        }
        make(w, ctx)
    };
    match changes {
        true => cx.call("sendto", all, super::zero, make),
        false => cx.read("sendto", all, super::zero, make),
    }
}

pub(super) fn netlink<T>(
    cx: &mut Cx<'_>,
    changes: bool,
    name: &'static str,
    args: impl FnOnce() -> Args,
    make: impl FnOnce(&mut World, &Ctx) -> Res<T>,
) -> Res<T> {
    request(cx, "NETLINK_ROUTE", changes, name, args, make)
}

pub(super) fn netfilter<T>(
    cx: &mut Cx<'_>,
    name: &'static str,
    args: impl FnOnce() -> Args,
    make: impl FnOnce(&mut World, &Ctx) -> Res<T>,
) -> Res<T> {
    request(cx, "NETLINK_NETFILTER", true, name, args, make)
}

fn bridge(cx: &mut Cx<'_>, name: &str, address: Ipv4Addr, prefix: u8) -> Result<bool, Failure> {
    let what = || format!("make bridge {name}");
    let link = || vec![("link", Value::from(name))];
    let there = netlink(cx, false, "RTM_GETLINK", link, |w, ctx| Ok(w.net.find(ctx.ns.net, name)))
        .map_err(fail(what))?;
    let mut unchanged = true;
    let id = match there {
        Some(id) if cx.w.net.link(id).is_ok_and(|l| l.kind == LinkKind::Bridge) => id,
        Some(_) => {
            return Err(Failure::new(what(), Some(Errno::EEXIST)).hint("a link of that name is no bridge"));
        }
        None => {
            unchanged = false;
            let own = parse_mac(&mac(name)).unwrap_or([2, 0, 0, 0, 0, 1]);
            let args = || {
                vec![
                    ("flags", "NLM_F_CREATE|NLM_F_EXCL".into()),
                    ("link", name.into()),
                    ("kind", "bridge".into()),
                    ("mac", Value::volatile(Kind::Mac, show_mac(&own))),
                    ("state", "up".into()),
                ]
            };
            netlink(cx, true, "RTM_NEWLINK", args, |w, ctx| {
                let id = w.net.add_link(ctx.ns.net, name, LinkKind::Bridge, own);
                w.net.set_up(id, true)?;
                Ok(id)
            })
            .map_err(fail(what))?
        }
    };
    if !cx.w.net.link(id).is_ok_and(|l| l.addresses.contains(&(address, prefix))) {
        unchanged = false;
        let args = || vec![("link", name.into()), ("address", format!("{address}/{prefix}").into())];
        netlink(cx, true, "RTM_NEWADDR", args, |w, _| w.net.add_address(id, address, prefix))
            .map_err(fail(|| format!("add address {address}/{prefix} to {name}")))?;
    }
    Ok(unchanged)
}

fn nat(cx: &mut Cx<'_>, table: &str, bridge: &str, subnet: Ipv4Addr, prefix: u8) -> Result<bool, Failure> {
    let what = || format!("make the rules of {bridge} in table {table}");
    let wanted = Masquerade { bridge: bridge.to_owned(), subnet, prefix };
    let ns = cx.ctx().map_err(fail(what))?.ns.net;
    let known = cx.w.net.stacks.get(&ns).and_then(|s| s.tables.get(table));
    if known.is_some_and(|t| t.masquerade.contains(&wanted)) {
        return Ok(true);
    }
    let args = || {
        vec![
            ("table", Value::from(table)),
            ("change", format!("{}: {}", nft::POSTROUTING, nft::masquerade(&wanted)).into()),
        ]
    };
    netfilter(cx, "NFT_MSG_NEWRULE", args, |w, ctx| {
        let stack = w.net.stacks.get_mut(&ctx.ns.net).ok_or(Errno::ENODEV)?;
        stack.tables.entry(table.to_owned()).or_default().masquerade.push(wanted.clone());
        Ok(())
    })
    .map_err(fail(what))?;
    Ok(false)
}

fn lease(
    cx: &mut Cx<'_>,
    network: &str,
    leases: &str,
    subnet: Subnet,
    gateway: Ipv4Addr,
    container: &str,
) -> Result<Ipv4Addr, Failure> {
    let what = || format!("reserve an address in {leases}");
    let ctx = cx.ctx().map_err(fail(what))?;
    cx.make_dirs(&ctx, leases, leases, 0o755).map_err(fail(what))?;
    let taken: BTreeSet<Ipv4Addr> =
        cx.w.read_dir(&ctx, leases).map_err(fail(what))?.iter().filter_map(|e| e.name.parse().ok()).collect();
    let address = subnet.lowest_free(gateway, &taken).ok_or_else(|| {
        Failure::new(format!("reserve an address on network {network}: all are taken"), Some(Errno::ENOSPC))
            .hint("remove containers, or use a network with a larger subnet")
    })?;
    let flags = OpenFlags { exclusive: true, ..OpenFlags::CREATE };
    cx.write_file(&format!("{leases}/{address}"), flags, 0o600, container.as_bytes()).map_err(fail(what))?;
    Ok(address)
}

fn veth(cx: &mut Cx<'_>, host: &str, peer: &str, bridge: &str, mac: &str) -> Result<(), Failure> {
    let what = || format!("make veth pair {host} and {peer}");
    let init = cx.init()?;
    let own =
        parse_mac(mac).ok_or_else(|| Failure::new(format!("{}: {mac:?} is no MAC address", what()), None))?;
    let args = || {
        vec![
            ("flags", "NLM_F_CREATE|NLM_F_EXCL".into()),
            ("link", Value::volatile(Kind::Link, host)),
            ("kind", "veth".into()),
            ("state", "up".into()),
            ("master", bridge.into()),
            ("peer", peer.into()),
            ("peer_mac", Value::volatile(Kind::Mac, mac)),
            ("peer_netns_pid", Value::volatile(Kind::Pid, init)),
        ]
    };
    netlink(cx, true, "RTM_NEWLINK", args, |w, ctx| {
        let master = w.net.find(ctx.ns.net, bridge).ok_or(Errno::ENODEV)?;
        let inside = w.process(init)?.ns.net;
        let (id, _) = w.net.add_veth((ctx.ns.net, host), (inside, peer), own)?;
        w.net.set_master(id, master)?;
        w.net.set_up(id, true)
    })
    .map_err(fail(what))
}

/// The redirection that an operation asks for.
pub(super) fn wanted(op: &Op, known: Option<String>) -> Option<(String, Dnat)> {
    let Op::PublishPort { table, protocol, host_ip, host_port, container_port, address, container } = op
    else {
        return None;
    };
    let to = match address {
        Arg::Known(a) => *a,
        Arg::Slot { .. } => parse_address(&known?).ok()?.0,
    };
    let rule = Dnat {
        protocol: *protocol,
        host_ip: *host_ip,
        host_port: *host_port,
        to: (to, *container_port),
        owner: container.clone(),
    };
    Some((table.clone(), rule))
}

fn publish(cx: &mut Cx<'_>, op: &Op) -> Result<(), Failure> {
    let Some((table, rule)) = wanted(op, cx.address()) else {
        return Err(Failure::new("publish a port: the container has no address", None));
    };
    let what = || format!("publish port {}/{}", rule.host_port, rule.protocol.name());
    let args = || {
        vec![
            ("table", Value::from(table.as_str())),
            ("change", format!("{}: {}", nft::PREROUTING, nft::dnat(&rule)).into()),
        ]
    };
    netfilter(cx, "NFT_MSG_NEWRULE", args, |w, ctx| {
        let stack = w.net.stacks.get_mut(&ctx.ns.net).ok_or(Errno::ENODEV)?;
        let clash = |r: &Dnat| {
            r.protocol == rule.protocol
                && r.host_port == rule.host_port
                && (r.host_ip == rule.host_ip || r.host_ip.is_unspecified() || rule.host_ip.is_unspecified())
        };
        if stack.tables.values().flat_map(|t| &t.dnat).any(clash) {
            return Err(Errno::EADDRINUSE);
        }
        stack.tables.entry(table.clone()).or_default().dnat.push(rule.clone());
        Ok(())
    })
    .map_err(fail(what))
    .map_err(|f| match f.errno {
        Some(Errno::EADDRINUSE) => f.hint("another container has published that port: choose another"),
        _ => f,
    })
}
