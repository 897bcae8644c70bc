//! A network's bridge. It stays after a run, as every network's bridge does.

use std::net::Ipv4Addr;

use super::link::{self, Address, Link};
use super::socket::Netlink;
use super::state::{self, Who};
use crate::kernel::linux::recorder::Recorder;
use crate::kernel::{Errno, Failure};
use crate::network::{Subnet, names};

/// Makes the bridge with its address, up, or finds it so.
pub fn apply(rec: &mut Recorder, name: &str, address: Ipv4Addr, prefix: u8) -> Result<bool, Failure> {
    let subnet =
        Subnet::new(address, prefix).map_err(|e| Failure::new(format!("make bridge {name}: {e}"), None))?;
    if !names::is_link_name(name) {
        return Err(Failure::new(format!("make bridge {name:?}: not a link's name"), Some(Errno::EINVAL))
            .hint("1 to 15 characters, no slash, colon or space"));
    }
    if let Some(place) = state::place() {
        place.lock_shared(rec)?;
    }
    state::with(Who::Host, rec, |nl, rec| {
        let mut unchanged = true;
        let found = match link::get(nl, rec, name).map_err(|e| e.at(format!("look for bridge {name}")))? {
            Some(found) => found,
            None => {
                unchanged = false;
                check_free(nl, rec, name, subnet)?;
                create(nl, rec, name, address)?
            }
        };
        if found.kind != "bridge" {
            let kind = if found.kind.is_empty() { "another kind of link" } else { &found.kind };
            return Err(Failure::new(format!("use {name} as a bridge: it is {kind}"), Some(Errno::EEXIST))
                .hint(format!(
                    "rename or remove it (`ip link show {name}`), or choose another bridge name"
                )));
        }
        let all = link::addresses(nl, rec).map_err(|e| e.at("read addresses"))?;
        let own: Vec<&Address> = all.iter().filter(|a| a.index == found.index).collect();
        if !own.iter().any(|a| (a.address, a.prefix) == (address, prefix)) {
            if let Some(other) = own.first() {
                return Err(Failure::new(
                    format!(
                        "use bridge {name}: it has {}/{} instead of {address}/{prefix}",
                        other.address, other.prefix
                    ),
                    Some(Errno::EADDRINUSE),
                )
                .hint(format!("remove it with `ip link delete {name}`, or choose that subnet")));
            }
            unchanged = false;
            match link::add_address(nl, rec, &found, address, prefix) {
                Err(e) if e.errno != Errno::EEXIST => {
                    return Err(e.at(format!("give {name} {address}/{prefix}")));
                }
                _ => {}
            }
        }
        if !found.up {
            unchanged = false;
            link::set_up(nl, rec, name, true).map_err(|e| e.at(format!("set {name} up")))?;
        }
        Ok(unchanged)
    })
}

/// A new network must not take addresses from one that the host already has.
/// The bridge itself does not count: another run may have made it just now.
fn check_free(nl: &mut Netlink, rec: &mut Recorder, name: &str, subnet: Subnet) -> Result<(), Failure> {
    let all = link::addresses(nl, rec).map_err(|e| e.at("read addresses"))?;
    let overlaps =
        |a: &&Address| Subnet::new(a.address, a.prefix).is_ok_and(|s| s.prefix() > 0 && s.overlaps(subnet));
    if !all.iter().any(|a| overlaps(&a)) {
        return Ok(());
    }
    let links = link::all(nl, rec).map_err(|e| e.at("read links"))?;
    for taken in all.iter().filter(overlaps) {
        let owner = links.iter().find(|l| l.index == taken.index).map_or("another link", |l| &l.name);
        if owner != name {
            return Err(Failure::new(
                format!(
                    "make bridge {name}: its subnet {subnet} overlaps {}/{} of {owner}",
                    taken.address, taken.prefix
                ),
                Some(Errno::EADDRINUSE),
            )
            .hint("choose another subnet for the network"));
        }
    }
    Ok(())
}

fn create(nl: &mut Netlink, rec: &mut Recorder, name: &str, address: Ipv4Addr) -> Result<Link, Failure> {
    if let Some(place) = state::place() {
        place.mark(rec, &mark(name), "")?;
    }
    // A MAC of its own keeps the bridge from taking the lowest of its ports'.
    let mac = names::parse_mac(&names::mac(&format!("{name} {address}"))).unwrap_or([2, 0, 0, 0, 0, 1]);
    match link::new_bridge(nl, rec, name, mac) {
        Err(e) if e.errno != Errno::EEXIST => return Err(e.at(format!("make bridge {name}"))),
        _ => {}
    }
    link::get(nl, rec, name)
        .map_err(|e| e.at(format!("look for bridge {name}")))?
        .ok_or_else(|| Failure::new(format!("find bridge {name} after making it"), Some(Errno::ENODEV)))
}

/// Removes the bridge, if this plan's own run made it and nobody uses it.
pub fn undo(rec: &mut Recorder, name: &str) -> Result<(), Failure> {
    let Some(place) = state::place() else { return Ok(()) };
    if place.marked(&mark(name)).is_none() || !place.unused(rec) {
        return Ok(());
    }
    state::with(Who::Host, rec, |nl, rec| {
        let links = link::all(nl, rec).map_err(|e| e.at("read links"))?;
        if let Some(bridge) = links.iter().find(|l| l.name == name && l.kind == "bridge") {
            if links.iter().any(|l| l.master == Some(bridge.index)) {
                return Ok(());
            }
            match link::delete(nl, rec, bridge) {
                Err(e) if e.errno != Errno::ENODEV => return Err(e.at(format!("delete bridge {name}"))),
                _ => {}
            }
        }
        place.unmark(rec, &mark(name))
    })
}

fn mark(name: &str) -> String {
    format!("bridge.{name}")
}
