//! The way of a packet: routing, forwarding, bridges and translation.

use std::net::Ipv4Addr;

use super::nat::Tracked;
use super::{LinkId, LinkKind, Net, OUTER_GATEWAY};
use crate::kernel::Errno;
use crate::kernel::model::Res;
use crate::kernel::model::ns::NsId;
use crate::plan::op::Protocol;

/// The first packet of an exchange.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packet {
    /// None for ICMP.
    pub protocol: Option<Protocol>,
    pub to: (Ipv4Addr, u16),
    pub from_port: u16,
}

/// Where it arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arrival {
    /// None: outside, at the host's gateway.
    pub ns: Option<NsId>,
    /// As the receiver sees the packet.
    pub from: (Ipv4Addr, u16),
    pub to: (Ipv4Addr, u16),
    /// Links crossed.
    pub hops: u32,
    /// Source address as the sender has it.
    pub source: Ipv4Addr,
}

const MAX_HOPS: u32 = 16;

impl Net {
    fn is_local(&self, ns: NsId, address: Ipv4Addr) -> bool {
        self.links.values().any(|l| {
            l.ns == ns
                && l.up
                && (l.addresses.iter().any(|(a, _)| *a == address)
                    || (l.kind == LinkKind::Loopback && address.is_loopback()))
        })
    }

    /// An address of the sender itself while its loopback link is down: the route
    /// stays, and the packet is dropped.
    fn is_lost_at_home(&self, ns: NsId, to: Ipv4Addr) -> bool {
        let mut own = self.links.values().filter(|l| l.ns == ns);
        let down = own.clone().any(|l| l.kind == LinkKind::Loopback && !l.up);
        down && (to.is_loopback() || own.any(|l| l.addresses.iter().any(|(a, _)| *a == to)))
    }

    /// (link, next hop) for a destination that is not local.
    fn route(&self, ns: NsId, to: Ipv4Addr) -> Option<(LinkId, Ipv4Addr)> {
        if let Some(link) =
            self.on_link(ns, to).filter(|l| self.links.get(l).is_some_and(|l| l.kind != LinkKind::Loopback))
        {
            return Some((link, to));
        }
        let stack = self.stacks.get(&ns)?;
        let default = stack.routes.iter().find(|r| r.destination.is_none())?;
        Some((default.link, default.gateway?))
    }

    /// Who on the wire of a link has an address: the link that receives.
    fn neighbour(&self, out: LinkId, address: Ipv4Addr) -> Option<LinkId> {
        let has = |id: LinkId| {
            self.links.get(&id).is_some_and(|l| {
                // The host answers for any of its addresses on any link.
                l.up && l.master.is_none() && self.is_local(l.ns, address)
            })
        };
        let link = self.links.get(&out)?;
        let mut segment: Vec<LinkId> = Vec::new();
        let bridge = match link.kind {
            LinkKind::Bridge => Some(out),
            LinkKind::Veth { peer } if self.running(out) => {
                let peer_link = self.links.get(&peer)?;
                segment.push(peer);
                peer_link.master
            }
            _ => None,
        };
        if let Some(bridge) = bridge.filter(|b| self.links.get(b).is_some_and(|l| l.up)) {
            segment.push(bridge);
            for (port, l) in self.links.iter().filter(|(_, l)| l.master == Some(bridge)) {
                if let LinkKind::Veth { peer } = l.kind
                    && self.running(*port)
                {
                    segment.push(peer);
                }
            }
        }
        segment.into_iter().filter(|id| *id != out).find(|id| has(*id))
    }

    /// The source address that a socket of this namespace gets for a destination.
    pub(super) fn source_for(&self, ns: NsId, to: Ipv4Addr) -> Res<Ipv4Addr> {
        if self.is_local(ns, to) {
            return Ok(to);
        }
        let (link, hop) = self.route(ns, to).ok_or(Errno::ENETUNREACH)?;
        let addresses = &self.link(link)?.addresses;
        let near = addresses.iter().find(|(a, p)| super::within(hop, *a, *p)).or(addresses.first());
        near.map(|a| a.0).ok_or(Errno::ENETUNREACH)
    }

    /// Sends a packet and sees that an answer could come back.
    ///
    /// ENETUNREACH: no route. EHOSTUNREACH: nobody on the wire has the address.
    /// ETIMEDOUT: lost on the way, or no way back.
    pub fn send(&mut self, from: NsId, packet: Packet) -> Res<Arrival> {
        if self.is_lost_at_home(from, packet.to.0) {
            return Err(Errno::ETIMEDOUT);
        }
        let mut source = self.source_for(from, packet.to.0)?;
        let first_source = source;
        let original = (source, packet.from_port, packet.to.0, packet.to.1);
        let mut to = packet.to;
        let mut ns = from;
        let mut translated_in = Vec::new();
        for hops in 0..MAX_HOPS {
            if let Some(protocol) = packet.protocol
                && self.is_local(ns, to.0)
                && let Some(new) = self.dnat(ns, protocol, to)
            {
                to = new;
                translated_in.push(ns);
            }
            if self.is_local(ns, to.0) {
                if self.source_for(ns, source).is_err() {
                    return Err(Errno::ETIMEDOUT);
                }
                self.remember(&packet, original, (to, source), &translated_in);
                let from = (source, packet.from_port);
                return Ok(Arrival { ns: Some(ns), from, to, hops, source: first_source });
            }
            if hops > 0 && !self.stacks.get(&ns).is_some_and(|s| s.forward) {
                return Err(Errno::ETIMEDOUT);
            }
            // A router without a route answers with an ICMP error, as Linux does.
            let unreachable = if hops > 0 { Errno::ENETUNREACH } else { Errno::EHOSTUNREACH };
            let (out, next) = self.route(ns, to.0).ok_or(Errno::ENETUNREACH)?;
            if !self.links.get(&out).is_some_and(|l| l.up) {
                return Err(Errno::ENETUNREACH);
            }
            if (hops > 0 || !translated_in.is_empty() || !self.is_local(ns, source))
                && let Some(new) = self.masquerade(ns, source, out)
                && new != source
            {
                source = new;
                translated_in.push(ns);
            }
            if self.link(out)?.kind == LinkKind::Outer {
                // Private sources are not answered out there.
                if source != super::HOST_ADDRESS {
                    return Err(Errno::ETIMEDOUT);
                }
                if next == to.0 && next != OUTER_GATEWAY {
                    return Err(Errno::EHOSTUNREACH);
                }
                if to.0 == OUTER_GATEWAY {
                    self.remember(&packet, original, (to, source), &translated_in);
                    let from = (source, packet.from_port);
                    return Ok(Arrival { ns: None, from, to, hops: hops + 1, source: first_source });
                }
                return Err(Errno::ETIMEDOUT);
            }
            let Some(receiver) = self.neighbour(out, next) else {
                return Err(if hops == 0 { unreachable } else { Errno::EHOSTUNREACH });
            };
            ns = self.link(receiver)?.ns;
        }
        Err(Errno::ETIMEDOUT)
    }

    fn remember(
        &mut self,
        packet: &Packet,
        original: (Ipv4Addr, u16, Ipv4Addr, u16),
        end: ((Ipv4Addr, u16), Ipv4Addr),
        spaces: &[NsId],
    ) {
        let (to, source) = end;
        let protocol = match packet.protocol {
            Some(p) => p.name(),
            None => "icmp",
        };
        let reply = (to.0, to.1, source, packet.from_port);
        for ns in spaces {
            self.track(*ns, Tracked { protocol, original, reply });
        }
    }

    /// One echo request: microseconds until the reply.
    pub fn ping(&mut self, ns: NsId, to: Ipv4Addr) -> Res<u64> {
        let arrival = self.send(ns, Packet { protocol: None, to: (to, 0), from_port: 0 })?;
        Ok(40 + 15 * u64::from(arrival.hops))
    }
}
