//! The network: links, addresses and routes per network namespace, bridges, NAT
//! with connection tracking, ICMP echo and TCP streams. A packet's way is
//! computed at once, hop by hop; neighbours are found without ARP; nothing is
//! lost. Beyond the host's gateway nobody answers.

mod link;
mod nat;
mod path;
mod tcp;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

pub(crate) use link::{Link, LinkKind};
pub(crate) use nat::{Dnat, Masquerade, Tracked};
pub(crate) use path::Packet;
pub(crate) use tcp::{ConnId, ListenerId, Side};

use super::ns::NsId;

/// A link, by number across all namespaces.
pub(crate) type LinkId = u32;

/// A route of a namespace's main table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    /// `None` is the default route.
    pub destination: Option<(Ipv4Addr, u8)>,
    pub gateway: Option<Ipv4Addr>,
    pub link: LinkId,
}

/// One network namespace.
#[derive(Debug, Default)]
pub(crate) struct Stack {
    pub routes: Vec<Route>,
    pub forward: bool,
    pub tables: BTreeMap<String, Table>,
    pub tracked: Vec<Tracked>,
    next_index: u32,
    next_port: u16,
}

/// An nftables table, as far as the model has it.
#[derive(Debug, Default, Clone)]
pub(crate) struct Table {
    pub masquerade: Vec<Masquerade>,
    pub dnat: Vec<Dnat>,
}

/// Every namespace's network.
#[derive(Debug)]
pub(crate) struct Net {
    pub stacks: BTreeMap<NsId, Stack>,
    pub links: BTreeMap<LinkId, Link>,
    next_link: LinkId,
    listeners: BTreeMap<ListenerId, tcp::Listener>,
    conns: BTreeMap<ConnId, tcp::Conn>,
    next_socket: usize,
}

/// The host's address on its outer link (TEST-NET-1, RFC 5737).
pub(crate) const HOST_ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 10);
/// The host's gateway: it answers echo requests, and nothing else does out there.
pub(crate) const OUTER_GATEWAY: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

impl Net {
    pub fn new(host: NsId) -> Net {
        let mut net = Net {
            stacks: BTreeMap::new(),
            links: BTreeMap::new(),
            next_link: 1,
            listeners: BTreeMap::new(),
            conns: BTreeMap::new(),
            next_socket: 0,
        };
        net.add_namespace(host);
        if let Some(lo) = net.find(host, "lo") {
            let _ = net.set_up(lo, true);
        }
        let eth = net.add_link(host, "eth0", LinkKind::Outer, [0x52, 0x54, 0, 0, 0, 0x0a]);
        let _ = net.set_up(eth, true);
        let _ = net.add_address(eth, HOST_ADDRESS, 24);
        if let Some(stack) = net.stacks.get_mut(&host) {
            stack.routes.push(Route { destination: None, gateway: Some(OUTER_GATEWAY), link: eth });
        }
        net
    }

    /// A new namespace has `lo`, and it is down.
    pub fn add_namespace(&mut self, ns: NsId) {
        self.stacks.insert(ns, Stack { next_index: 1, next_port: 32768, ..Stack::default() });
        self.add_link(ns, "lo", LinkKind::Loopback, [0; 6]);
    }

    /// The namespace's links go, and with a veth end its peer.
    pub fn remove_namespace(&mut self, ns: NsId) {
        if self.stacks.remove(&ns).is_none() {
            return;
        }
        let gone: Vec<LinkId> = self.links.iter().filter(|(_, l)| l.ns == ns).map(|(id, _)| *id).collect();
        for id in gone {
            self.remove_link(id);
        }
        self.listeners.retain(|_, l| l.ns != ns);
    }
}

/// The network part of an address.
pub(crate) fn network(address: Ipv4Addr, prefix: u8) -> u32 {
    let mask = if prefix == 0 { 0 } else { u32::MAX << (32 - u32::from(prefix.min(32))) };
    u32::from(address) & mask
}

/// The address is within the subnet.
pub(crate) fn within(address: Ipv4Addr, net: Ipv4Addr, prefix: u8) -> bool {
    network(address, prefix) == network(net, prefix)
}
