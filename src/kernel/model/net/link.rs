//! Links and their addresses.

use std::net::Ipv4Addr;

use super::{LinkId, Net, Route, network, within};
use crate::kernel::Errno;
use crate::kernel::model::Res;
use crate::kernel::model::ns::NsId;
use crate::userland::{LinkInfo, RouteInfo};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LinkKind {
    Loopback,
    Bridge,
    /// One end of a pair.
    Veth {
        peer: LinkId,
    },
    /// The host's link to the world outside.
    Outer,
}

#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub ns: NsId,
    pub index: u32,
    pub name: String,
    pub kind: LinkKind,
    pub mac: [u8; 6],
    pub up: bool,
    /// The bridge that it is a port of.
    pub master: Option<LinkId>,
    pub addresses: Vec<(Ipv4Addr, u8)>,
}

impl Net {
    pub fn find(&self, ns: NsId, name: &str) -> Option<LinkId> {
        self.links.iter().find(|(_, l)| l.ns == ns && l.name == name).map(|(id, _)| *id)
    }

    pub fn link(&self, id: LinkId) -> Res<&Link> {
        self.links.get(&id).ok_or(Errno::ENODEV)
    }

    fn link_mut(&mut self, id: LinkId) -> Res<&mut Link> {
        self.links.get_mut(&id).ok_or(Errno::ENODEV)
    }

    pub fn add_link(&mut self, ns: NsId, name: &str, kind: LinkKind, mac: [u8; 6]) -> LinkId {
        let id = self.next_link;
        self.next_link += 1;
        let index = match self.stacks.get_mut(&ns) {
            Some(stack) => {
                stack.next_index += 1;
                stack.next_index - 1
            }
            None => 0,
        };
        let link = Link {
            ns,
            index,
            name: name.to_owned(),
            kind,
            mac,
            up: false,
            master: None,
            addresses: Vec::new(),
        };
        self.links.insert(id, link);
        id
    }

    /// A veth pair, one end in each namespace. EEXIST when a name is taken.
    pub fn add_veth(&mut self, a: (NsId, &str), b: (NsId, &str), mac: [u8; 6]) -> Res<(LinkId, LinkId)> {
        if self.find(a.0, a.1).is_some() || self.find(b.0, b.1).is_some() {
            return Err(Errno::EEXIST);
        }
        let mut other = mac;
        other[5] ^= 0x80;
        let host = self.add_link(a.0, a.1, LinkKind::Veth { peer: 0 }, other);
        let peer = self.add_link(b.0, b.1, LinkKind::Veth { peer: host }, mac);
        self.link_mut(host)?.kind = LinkKind::Veth { peer };
        Ok((host, peer))
    }

    /// Removes a link, its addresses and routes; of a veth pair both ends.
    pub fn remove_link(&mut self, id: LinkId) {
        let Some(link) = self.links.remove(&id) else { return };
        for stack in self.stacks.values_mut() {
            stack.routes.retain(|r| r.link != id);
        }
        for port in self.links.values_mut().filter(|l| l.master == Some(id)) {
            port.master = None;
        }
        if let LinkKind::Veth { peer } = link.kind {
            self.remove_link(peer);
        }
    }

    /// `lo` gets its address as it comes up; a link that goes down loses its routes.
    pub fn set_up(&mut self, id: LinkId, up: bool) -> Res<()> {
        let link = self.link_mut(id)?;
        link.up = up;
        let ns = link.ns;
        if up && link.kind == LinkKind::Loopback && link.addresses.is_empty() {
            link.addresses.push((Ipv4Addr::LOCALHOST, 8));
        }
        if !up && let Some(stack) = self.stacks.get_mut(&ns) {
            stack.routes.retain(|r| r.link != id);
        }
        Ok(())
    }

    pub fn set_master(&mut self, id: LinkId, bridge: LinkId) -> Res<()> {
        if self.link(bridge)?.kind != LinkKind::Bridge {
            return Err(Errno::EOPNOTSUPP);
        }
        self.link_mut(id)?.master = Some(bridge);
        Ok(())
    }

    pub fn add_address(&mut self, id: LinkId, address: Ipv4Addr, prefix: u8) -> Res<()> {
        if prefix > 32 {
            return Err(Errno::EINVAL);
        }
        let link = self.link_mut(id)?;
        if link.addresses.contains(&(address, prefix)) {
            return Err(Errno::EEXIST);
        }
        link.addresses.push((address, prefix));
        Ok(())
    }

    /// The gateway must be reached over a link that is up.
    pub fn add_default_route(&mut self, ns: NsId, via: Ipv4Addr) -> Res<()> {
        let link = self.on_link(ns, via).ok_or(Errno::ENETUNREACH)?;
        let stack = self.stacks.get_mut(&ns).ok_or(Errno::ENODEV)?;
        if stack.routes.iter().any(|r| r.destination.is_none()) {
            return Err(Errno::EEXIST);
        }
        stack.routes.push(Route { destination: None, gateway: Some(via), link });
        Ok(())
    }

    /// The link whose subnet holds the address: the longest prefix wins.
    pub fn on_link(&self, ns: NsId, to: Ipv4Addr) -> Option<LinkId> {
        self.links
            .iter()
            .filter(|(_, l)| l.ns == ns && l.up)
            .flat_map(|(id, l)| l.addresses.iter().map(move |a| (*id, *a)))
            .filter(|(_, (a, p))| within(to, *a, *p))
            .max_by_key(|(id, (_, p))| (*p, u32::MAX - id))
            .map(|(id, _)| id)
    }

    /// It carries packets: for a veth end, the other end is up too; for a
    /// bridge, a port of it does.
    pub fn running(&self, id: LinkId) -> bool {
        let Some(link) = self.links.get(&id) else { return false };
        link.up
            && match link.kind {
                LinkKind::Veth { peer } => self.links.get(&peer).is_some_and(|p| p.up),
                LinkKind::Bridge => self
                    .links
                    .iter()
                    .any(|(port, l)| l.master == Some(id) && *port != id && self.running(*port)),
                _ => true,
            }
    }

    /// As `ip addr` shows them.
    pub fn link_infos(&self, ns: NsId) -> Vec<LinkInfo> {
        let mut all: Vec<LinkInfo> = self
            .links
            .iter()
            .filter(|(_, l)| l.ns == ns)
            .map(|(id, l)| LinkInfo {
                index: l.index,
                name: l.name.clone(),
                peer: match l.kind {
                    LinkKind::Veth { peer } => self.links.get(&peer).map(|p| p.index),
                    _ => None,
                },
                kind: if l.kind == LinkKind::Loopback { "loopback" } else { "ether" }.to_owned(),
                mac: l.mac,
                mtu: if l.kind == LinkKind::Loopback { 65536 } else { 1500 },
                up: l.up,
                running: self.running(*id),
                addresses: l.addresses.clone(),
            })
            .collect();
        all.sort_by_key(|l| l.index);
        all
    }

    /// The main table as `ip route` shows it: the default route, then subnets.
    pub fn route_infos(&self, ns: NsId) -> Vec<RouteInfo> {
        let mut routes = Vec::new();
        if let Some(stack) = self.stacks.get(&ns) {
            for r in &stack.routes {
                let link = self.links.get(&r.link).map_or(String::new(), |l| l.name.clone());
                routes.push(RouteInfo { destination: r.destination, gateway: r.gateway, link, source: None });
            }
        }
        for link in self.links.values().filter(|l| l.ns == ns && l.up && l.kind != LinkKind::Loopback) {
            for (address, prefix) in &link.addresses {
                routes.push(RouteInfo {
                    destination: Some((Ipv4Addr::from(network(*address, *prefix)), *prefix)),
                    gateway: None,
                    link: link.name.clone(),
                    source: Some(*address),
                });
            }
        }
        routes
    }
}
