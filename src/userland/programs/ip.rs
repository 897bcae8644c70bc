//! `ip [-br] [-4] {link|addr|route} …`, in the form of iproute2.

use std::net::Ipv4Addr;

use crate::userland::prog::Prog;
use crate::userland::text::words;
use crate::userland::{LinkInfo, Sys};

pub async fn main<S: Sys>(p: &mut Prog<S>) -> u8 {
    let brief = p.args.iter().any(|a| matches!(a.as_str(), "-br" | "-brief"));
    let args: Vec<String> = p.args.iter().filter(|a| !a.starts_with('-')).cloned().collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let Some((object, rest)) = args.split_first() else {
        return p.fail("usage: ip [-br] {link|addr|route} [COMMAND]").await;
    };
    let is = |full: &str| full.starts_with(object);
    if is("address") {
        match rest {
            ["add" | "a", address, "dev", link] => add(p, address, link).await,
            ["show" | "list" | "ls" | "s", more @ ..] => show(p, true, brief, only(more)).await,
            [] => show(p, true, brief, None).await,
            ["dev", link] => show(p, true, brief, Some(link)).await,
            _ => p.fail("usage: ip addr [show [dev LINK] | add ADDRESS/LENGTH dev LINK]").await,
        }
    } else if is("link") {
        match rest {
            ["set", "dev", link, state @ ("up" | "down")] | ["set", link, state @ ("up" | "down")] => {
                match p.sys.set_link_up(link, *state == "up") {
                    Ok(()) => 0,
                    Err(e) => failed(p, link, e).await,
                }
            }
            ["show" | "list" | "ls" | "s", more @ ..] => show(p, false, brief, only(more)).await,
            [] => show(p, false, brief, None).await,
            _ => p.fail("usage: ip link [show [dev LINK] | set [dev] LINK up|down]").await,
        }
    } else if is("route") {
        match rest {
            [] | ["show" | "list" | "ls" | "s"] => routes(p).await,
            _ => p.fail("usage: ip route [show]").await,
        }
    } else {
        p.fail(&format!("unknown object \"{object}\"")).await
    }
}

fn only<'a>(more: &[&'a str]) -> Option<&'a str> {
    match more {
        ["dev", link, ..] | [link, ..] => Some(link),
        [] => None,
    }
}

async fn failed<S: Sys>(p: &mut Prog<S>, link: &str, e: crate::kernel::Errno) -> u8 {
    if e == crate::kernel::Errno::ENODEV {
        return p.fail(&format!("can't find device '{link}'")).await;
    }
    p.complain(&format!("RTNETLINK answers: {}", words(e))).await;
    2
}

async fn add<S: Sys>(p: &mut Prog<S>, text: &str, link: &str) -> u8 {
    let (address, prefix) = text.split_once('/').unwrap_or((text, "32"));
    match (address.parse::<Ipv4Addr>(), prefix.parse::<u8>()) {
        (Ok(address), Ok(prefix @ 0..=32)) => match p.sys.add_address(link, address, prefix) {
            Ok(()) => 0,
            Err(e) => failed(p, link, e).await,
        },
        _ => p.fail(&format!("invalid address '{text}'")).await,
    }
}

fn state(link: &LinkInfo) -> &'static str {
    match () {
        () if link.kind == "loopback" => "UNKNOWN",
        () if link.up && link.running => "UP",
        () if link.up => "LOWERLAYERDOWN",
        () => "DOWN",
    }
}

fn flags(link: &LinkInfo) -> String {
    let loopback = link.kind == "loopback";
    let mut flags = Vec::new();
    if link.up && !link.running {
        flags.push("NO-CARRIER");
    }
    flags.extend(if loopback { &["LOOPBACK"][..] } else { &["BROADCAST", "MULTICAST"][..] });
    if link.up {
        flags.push("UP");
    }
    if link.running {
        flags.push("LOWER_UP");
    }
    flags.join(",")
}

fn mac(bytes: [u8; 6]) -> String {
    bytes.map(|b| format!("{b:02x}")).join(":")
}

/// `eth0@if7`: the other end of a pair is in another namespace; `eth0@eth1`: in this one.
fn name(link: &LinkInfo, all: &[LinkInfo]) -> String {
    let Some(peer) = link.peer else { return link.name.clone() };
    // The index counts in the peer's namespace; it is the peer only if it points back.
    match all.iter().find(|l| l.index == peer && l.peer == Some(link.index)) {
        Some(other) => format!("{}@{}", link.name, other.name),
        None => format!("{}@if{peer}", link.name),
    }
}

async fn show<S: Sys>(p: &mut Prog<S>, addresses: bool, brief: bool, wanted: Option<&str>) -> u8 {
    let all = match p.sys.links() {
        Ok(links) => links,
        Err(e) => return p.fail_at("links", e).await,
    };
    if let Some(wanted) = wanted
        && !all.iter().any(|l| l.name == wanted)
    {
        return p.fail(&format!("can't find device '{wanted}'")).await;
    }
    for link in all.iter().filter(|l| wanted.is_none_or(|w| l.name == w)) {
        let shown = name(link, &all);
        if brief {
            let rest = if addresses {
                link.addresses.iter().map(|(a, n)| format!("{a}/{n} ")).collect::<String>()
            } else {
                format!("{} <{}> ", mac(link.mac), flags(link))
            };
            p.put(format!("{shown:<16} {:<14} {rest}\n", state(link))).await;
            continue;
        }
        p.put(format!("{}: {shown}: <{}> mtu {} state {}\n", link.index, flags(link), link.mtu, state(link)))
            .await;
        let broadcast = if link.kind == "loopback" { [0; 6] } else { [0xff; 6] };
        p.put(format!("    link/{} {} brd {}\n", link.kind, mac(link.mac), mac(broadcast))).await;
        if !addresses {
            continue;
        }
        for (address, prefix) in &link.addresses {
            let scope = if address.is_loopback() { "host" } else { "global" };
            p.put(format!("    inet {address}/{prefix} scope {scope} {}\n", link.name)).await;
            p.put("       valid_lft forever preferred_lft forever\n").await;
        }
    }
    0
}

async fn routes<S: Sys>(p: &mut Prog<S>) -> u8 {
    let routes = match p.sys.routes() {
        Ok(routes) => routes,
        Err(e) => return p.fail_at("routes", e).await,
    };
    for route in routes {
        let mut line = match route.destination {
            None => "default".to_owned(),
            Some((address, 32)) => address.to_string(),
            Some((address, prefix)) => format!("{address}/{prefix}"),
        };
        if let Some(gateway) = route.gateway {
            line.push_str(&format!(" via {gateway}"));
        }
        line.push_str(&format!(" dev {}", route.link));
        if route.gateway.is_none() {
            line.push_str(" scope link");
        }
        if let Some(source) = route.source {
            line.push_str(&format!("  src {source}"));
        }
        p.put(format!("{line}\n")).await;
    }
    0
}
