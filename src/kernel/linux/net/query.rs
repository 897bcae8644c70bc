//! Links and routes of the namespace one is in, for the userland's `ip`.

use std::net::Ipv4Addr;

use super::link;
use super::route;
use super::socket::{Family, Netlink};
use crate::kernel::Errno;
use crate::kernel::linux::recorder::Recorder;
use crate::userland::{LinkInfo, RouteInfo};

fn open() -> Result<(Netlink, Recorder), Errno> {
    let mut rec = Recorder::off();
    Ok((Netlink::open(Family::Route, &mut rec)?, rec))
}

/// Every link with its IPv4 addresses, by index.
pub fn links() -> Result<Vec<LinkInfo>, Errno> {
    let (mut nl, mut rec) = open()?;
    let addresses = link::addresses(&mut nl, &mut rec)?;
    let info = |l: link::Link| LinkInfo {
        addresses: addresses.iter().filter(|a| a.index == l.index).map(|a| (a.address, a.prefix)).collect(),
        index: l.index,
        peer: l.peer.filter(|_| l.kind == "veth"),
        kind: if l.loopback { "loopback" } else { "ether" }.to_owned(),
        mac: l.mac.try_into().unwrap_or_default(),
        name: l.name,
        mtu: l.mtu,
        up: l.up,
        running: l.up && l.running,
    };
    Ok(link::all(&mut nl, &mut rec)?.into_iter().map(info).collect())
}

/// The unicast routes of the main table, the default route first.
pub fn routes() -> Result<Vec<RouteInfo>, Errno> {
    let (mut nl, mut rec) = open()?;
    let links = link::all(&mut nl, &mut rec)?;
    let name = |index| links.iter().find(|l| l.index == index).map(|l| l.name.clone()).unwrap_or_default();
    let info = |r: route::Route| RouteInfo {
        destination: r.destination,
        gateway: r.gateway,
        link: name(r.index),
        source: r.source,
    };
    Ok(route::all(&mut nl, &mut rec)?.into_iter().map(info).collect())
}

/// Sets a link up or down.
pub fn set_link_up(link: &str, up: bool) -> Result<(), Errno> {
    let (mut nl, mut rec) = open()?;
    Ok(link::set_up(&mut nl, &mut rec, link, up)?)
}

/// Gives a link an address.
pub fn add_address(link: &str, address: Ipv4Addr, prefix: u8) -> Result<(), Errno> {
    let (mut nl, mut rec) = open()?;
    let found = link::get(&mut nl, &mut rec, link)?.ok_or(Errno::ENODEV)?;
    Ok(link::add_address(&mut nl, &mut rec, &found, address, prefix)?)
}
