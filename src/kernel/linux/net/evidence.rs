//! What the kernel says after an operation. Nothing here is remembered: each
//! fact is read again, unrecorded, from the source that it names.

use std::path::Path;

use super::link::{self, Address, Link};
use super::socket::{Netlink, Refused};
use super::state::{self, Who};
use super::{lease, nft, observe, published, route, slot_address, sysctl};
use crate::kernel::Failure;
use crate::kernel::linux::cx::Cx;
use crate::kernel::linux::recorder::Recorder;
use crate::network::names::show_mac;
use crate::network::ports::network_comment;
use crate::plan::Op;
use crate::trace::{Fact, Kind, Value};

/// Source of a link's facts.
pub const GETLINK: &str = "netlink RTM_GETLINK";
/// Source of an address's facts.
pub const GETADDR: &str = "netlink RTM_GETADDR";
/// Source of a route's facts.
pub const GETROUTE: &str = "netlink RTM_GETROUTE";
/// Source of a rule's facts.
pub const GETRULE: &str = "nftables NFT_MSG_GETRULE";

/// A fact from a named source.
pub fn fact(source: impl Into<Value>, key: impl Into<String>, value: impl Into<Value>) -> Fact {
    Fact { source: source.into(), key: key.into(), value: value.into() }
}

/// Reads back what one operation of the network was about. What cannot be read
/// is left out: there is no evidence then.
pub fn evidence(op: &Op, cx: &Cx<'_>) -> Vec<Fact> {
    read(op, cx).unwrap_or_default()
}

fn read(op: &Op, cx: &Cx<'_>) -> Result<Vec<Fact>, Failure> {
    let rec = &mut Recorder::off();
    match op {
        Op::CreateBridge { name, .. } => {
            state::with(Who::Host, rec, |nl, rec| bridge(nl, rec, name).map_err(|e| e.at("read")))
        }
        Op::WriteSysctl { file, .. } => Ok(vec![parameter(file)?]),
        Op::CreateNat { table, bridge, .. } => {
            let comment = network_comment(bridge);
            let mut facts = rules(rec, table, |r| r.comment == comment)?;
            facts.extend(rules(rec, nft::foreign::TABLE, |r| r.comment == comment)?);
            facts.push(parameter(&nft::base::route_localnet(bridge))?);
            Ok(facts)
        }
        Op::PublishPort { .. } => match published(op) {
            Some((table, port)) => rules(rec, table, |r| nft::publish::published(r).as_ref() == Some(&port)),
            None => Ok(Vec::new()),
        },
        Op::AllocateAddress { leases, prefix, container, .. } => {
            let own = |l: &&lease::Lease| &l.container == container;
            let found = lease::all(Path::new(leases)).map_err(|e| Failure::new("read", Some(e)))?;
            let known = slot_address(cx);
            Ok(found
                .iter()
                .filter(own)
                .filter(|l| known.is_none_or(|k| k == l.address))
                .map(|l| {
                    fact(
                        Value::Text(Path::new(leases).join(l.address.to_string()).display().to_string()),
                        "lease",
                        Value::volatile(Kind::Address, format!("{}/{prefix}", l.address)),
                    )
                })
                .collect())
        }
        Op::CreateVeth { host, .. } => {
            state::with(Who::Host, rec, |nl, rec| veth(nl, rec, host).map_err(|e| e.at("read")))
        }
        Op::SetLinkUp { link } => state::with(Who::Init, rec, |nl, rec| {
            let found = link::get(nl, rec, link).map_err(|e| e.at("read"))?;
            Ok(found.map(|l| fact(GETLINK, format!("link {link}"), shown_state(&l))).into_iter().collect())
        }),
        Op::AddAddress { link, .. } => state::with(Who::Init, rec, |nl, rec| {
            let found = link::get(nl, rec, link).map_err(|e| e.at("read"))?;
            let all = link::addresses(nl, rec).map_err(|e| e.at("read"))?;
            let mut facts = Vec::new();
            if let Some(l) = found {
                facts.extend(addresses(&l, &all));
                facts.push(fact(
                    GETLINK,
                    format!("mac of {link}"),
                    Value::volatile(Kind::Mac, show_mac(&l.mac)),
                ));
            }
            Ok(facts)
        }),
        Op::AddDefaultRoute { .. } => state::with(Who::Init, rec, |nl, rec| {
            let routes = route::all(nl, rec).map_err(|e| e.at("read"))?;
            let links = link::all(nl, rec).map_err(|e| e.at("read"))?;
            Ok(observe::routes(&routes, &links))
        }),
        _ => Ok(Vec::new()),
    }
}

/// `up` or `down`. The carrier is left out: the kernel learns of it later, so
/// that the same run would say different things.
pub fn shown_state(link: &Link) -> &'static str {
    if link.up { "up" } else { "down" }
}

/// One fact for each address of a link.
pub fn addresses(link: &Link, all: &[Address]) -> Vec<Fact> {
    all.iter()
        .filter(|a| a.index == link.index)
        .map(|a| {
            let value = Value::volatile(Kind::Address, format!("{}/{}", a.address, a.prefix));
            fact(GETADDR, format!("address of {}", link.name), value)
        })
        .collect()
}

fn bridge(nl: &mut Netlink, rec: &mut Recorder, name: &str) -> Result<Vec<Fact>, Refused> {
    let links = link::all(nl, rec)?;
    let Some(found) = links.iter().find(|l| l.name == name) else { return Ok(Vec::new()) };
    let ports = links.iter().filter(|l| l.master == Some(found.index)).count();
    let mut facts = vec![
        fact(GETLINK, format!("kind of {name}"), found.kind.as_str()),
        fact(GETLINK, format!("state of {name}"), shown_state(found)),
        fact(GETLINK, format!("mac of {name}"), Value::volatile(Kind::Mac, show_mac(&found.mac))),
        fact(GETLINK, format!("ports of {name}"), Value::volatile(Kind::Other, ports)),
    ];
    facts.extend(link::addresses(nl, rec)?.iter().filter(|a| a.index == found.index).map(|a| {
        // The gateway is in the plan: the same in every run.
        fact(GETADDR, format!("address of {name}"), format!("{}/{}", a.address, a.prefix))
    }));
    Ok(facts)
}

fn veth(nl: &mut Netlink, rec: &mut Recorder, host: &str) -> Result<Vec<Fact>, Refused> {
    let Some(found) = link::get(nl, rec, host)? else { return Ok(Vec::new()) };
    let links = link::all(nl, rec)?;
    let master = links.iter().find(|l| Some(l.index) == found.master).map_or("none", |l| &l.name);
    let mut facts = vec![
        fact(GETLINK, "host end", Value::volatile(Kind::Link, &found.name)),
        fact(GETLINK, "host end kind", found.kind.as_str()),
        fact(GETLINK, "host end index", Value::volatile(Kind::Index, found.index)),
        fact(GETLINK, "host end mac", Value::volatile(Kind::Mac, show_mac(&found.mac))),
        fact(GETLINK, "host end state", shown_state(&found)),
        fact(GETLINK, "host end bridge", master),
    ];
    if let Some(peer) = found.peer {
        facts.push(fact(GETLINK, "container end index", Value::volatile(Kind::Index, peer)));
    }
    Ok(facts)
}

fn parameter(name: &str) -> Result<Fact, Failure> {
    let path = sysctl::path(name).display().to_string();
    let key = path.trim_start_matches("/proc/sys/").replace('/', ".");
    Ok(fact(path, key, sysctl::read(name)?))
}

fn rules(rec: &mut Recorder, table: &str, wanted: impl Fn(&nft::Rule) -> bool) -> Result<Vec<Fact>, Failure> {
    state::with(Who::Rules, rec, |nl, rec| {
        let rules = nft::rules(nl, rec, table).map_err(|e| e.at("read"))?;
        Ok(rules.iter().filter(|r| wanted(r)).map(|r| observe::rule(table, r)).collect())
    })
}
