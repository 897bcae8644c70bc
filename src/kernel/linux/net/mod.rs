//! Network operations on the real kernel: bridge, veth, addresses and routes
//! through rtnetlink, rules through nftables' netlink messages, leases as files.
//! No helper program is run.
//!
//! [`begin`] first: what a whole network shares is taken back only for the plan
//! whose run made it.

mod bridge;
mod evidence;
mod file;
mod inside;
mod lease;
mod link;
mod nft;
pub mod observe;
pub mod query;
mod route;
mod socket;
mod state;
mod sysctl;
#[cfg(test)]
mod tests;
mod veth;
mod wire;

use std::net::Ipv4Addr;
use std::path::Path;

pub use evidence::evidence;
pub use state::{begin, end, settle};

use crate::kernel::linux::cx::Cx;
use crate::kernel::{Errno, Failure};
use crate::network::Subnet;
use crate::network::ports::Published;
use crate::network::subnet::parse_address;
use crate::plan::Op;
use crate::plan::op::{Arg, Slot};
use crate::trace::{Kind, Value};

fn not_ours(op: &Op) -> Failure {
    Failure::new(format!("do {} as an operation of the network", op.name()), Some(Errno::ENOSYS))
}

fn subnet(first: Ipv4Addr, prefix: u8) -> Result<Subnet, Failure> {
    Subnet::new(first, prefix).map_err(|e| Failure::new(e.to_string(), Some(Errno::EINVAL)))
}

fn published(op: &Op) -> Option<(&str, Published)> {
    let Op::PublishPort { table, protocol, host_ip, host_port, container, .. } = op else { return None };
    let port = Published {
        protocol: *protocol,
        host_ip: *host_ip,
        host_port: *host_port,
        container: container.clone(),
    };
    Some((table, port))
}

/// The container's own address, from the slot that holds it with its prefix length.
fn slot_address(cx: &Cx<'_>) -> Option<Ipv4Addr> {
    parse_address(&cx.address()?).ok().map(|a| a.0)
}

fn no_address() -> Failure {
    Failure::new("use the container's address: none is allocated yet", Some(Errno::EADDRNOTAVAIL))
}

/// Carries out one operation of the network. True: it had been done already.
pub fn apply(op: &Op, cx: &mut Cx<'_>) -> Result<bool, Failure> {
    match op {
        Op::CreateBridge { name, address, prefix } => bridge::apply(cx.rec, name, *address, *prefix),
        Op::WriteSysctl { file, value } => sysctl::apply(cx.rec, file, value),
        Op::CreateNat { table, bridge, subnet: first, prefix } => {
            nft::base::apply(cx.rec, table, bridge, subnet(*first, *prefix)?)
        }
        Op::AllocateAddress { network, leases, subnet: first, prefix, gateway, container } => {
            let subnet = subnet(*first, *prefix)?;
            let address = lease::allocate(cx.rec, network, Path::new(leases), subnet, *gateway, container)?;
            cx.slots.insert(Slot::Address, Value::volatile(Kind::Address, format!("{address}/{prefix}")));
            Ok(false)
        }
        Op::CreateVeth { host, peer, bridge, mac } => veth::apply(cx, host, peer, bridge, mac),
        Op::PublishPort { address, container_port, .. } => {
            let to = match address {
                Arg::Known(address) => *address,
                Arg::Slot { .. } => slot_address(cx).ok_or_else(no_address)?,
            };
            let (table, port) = published(op).ok_or_else(|| not_ours(op))?;
            nft::publish::apply(cx.rec, table, &port, to, *container_port)
        }
        Op::SetLinkUp { link } => inside::set_link_up(cx.rec, link),
        Op::AddAddress { link, address } => {
            let address = match address {
                Arg::Known(address) => address.clone(),
                Arg::Slot { .. } => cx.address().ok_or_else(no_address)?,
            };
            inside::add_address(cx.rec, link, &address)
        }
        Op::AddDefaultRoute { via } => inside::add_default_route(cx.rec, *via),
        other => Err(not_ours(other)),
    }
}

/// Takes one operation of the network back. Idempotent. What a network shares
/// (bridge, base rules, parameters) goes only if this plan's own run made it
/// and nobody uses the network; what lies inside the container's namespace goes
/// with the namespace.
pub fn undo(op: &Op, cx: &mut Cx<'_>) -> Result<(), Failure> {
    match op {
        Op::CreateBridge { name, .. } => bridge::undo(cx.rec, name),
        Op::WriteSysctl { file, value } => sysctl::undo(cx.rec, file, value),
        Op::CreateNat { table, bridge, .. } => nft::base::undo(cx.rec, table, bridge),
        Op::AllocateAddress { leases, container, .. } => {
            let known = slot_address(cx);
            lease::release(cx.rec, Path::new(leases), container, known)
        }
        Op::CreateVeth { host, .. } => veth::undo(cx.rec, host),
        Op::PublishPort { .. } => match published(op) {
            Some((table, port)) => nft::publish::undo(cx.rec, table, &port),
            None => Ok(()),
        },
        Op::SetLinkUp { .. } | Op::AddAddress { .. } | Op::AddDefaultRoute { .. } => Ok(()),
        other => Err(not_ours(other)),
    }
}
