//! NAT rules and the connections that they were applied to.

use std::net::Ipv4Addr;

use super::{LinkId, Net, within};
use crate::kernel::model::ns::NsId;
use crate::plan::op::Protocol;

/// Packets from a subnet that leave by another link than its bridge take the
/// address of that link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Masquerade {
    pub bridge: String,
    pub subnet: Ipv4Addr,
    pub prefix: u8,
}

/// Packets to a port of the host go to a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dnat {
    pub protocol: Protocol,
    pub host_ip: Ipv4Addr,
    pub host_port: u16,
    pub to: (Ipv4Addr, u16),
    /// The container's id.
    pub owner: String,
}

/// One connection as connection tracking knows it: as it was sent, and as the
/// answer comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tracked {
    pub protocol: &'static str,
    pub original: (Ipv4Addr, u16, Ipv4Addr, u16),
    pub reply: (Ipv4Addr, u16, Ipv4Addr, u16),
}

impl Net {
    /// The redirection for a packet to an address of this namespace.
    pub(super) fn dnat(&self, ns: NsId, protocol: Protocol, to: (Ipv4Addr, u16)) -> Option<(Ipv4Addr, u16)> {
        let tables = self.stacks.get(&ns)?.tables.values();
        tables
            .flat_map(|t| &t.dnat)
            .find(|r| {
                r.protocol == protocol
                    && r.host_port == to.1
                    && (r.host_ip.is_unspecified() || r.host_ip == to.0)
            })
            .map(|r| r.to)
    }

    /// The source that a packet has once it left by this link.
    pub(super) fn masquerade(&self, ns: NsId, source: Ipv4Addr, out: LinkId) -> Option<Ipv4Addr> {
        let link = self.links.get(&out)?;
        let tables = self.stacks.get(&ns)?.tables.values();
        let applies = tables
            .flat_map(|t| &t.masquerade)
            .any(|m| within(source, m.subnet, m.prefix) && link.name != m.bridge);
        if applies { link.addresses.first().map(|a| a.0) } else { None }
    }

    /// Remembers a connection that was translated.
    pub(super) fn track(&mut self, ns: NsId, tracked: Tracked) {
        if let Some(stack) = self.stacks.get_mut(&ns)
            && !stack.tracked.contains(&tracked)
        {
            stack.tracked.push(tracked);
            // As a real table it is bounded; the oldest go first.
            if stack.tracked.len() > 4096 {
                stack.tracked.remove(0);
            }
        }
    }
}
