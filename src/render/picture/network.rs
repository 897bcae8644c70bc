//! The way of a packet: bridge, veth pair, addresses, routes, translation.

use std::net::Ipv4Addr;

use serde::Serialize;

use super::fact;
use crate::kernel::Slots;
use crate::plan::Op;
use crate::plan::op::{Protocol, Slot};
use crate::trace::{Fact, Value};

/// As far as it is there. All empty: the container has nothing but a loopback
/// of its own, or shares the host's network.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Network {
    /// The host's end of the network.
    pub bridge: Option<Bridge>,
    /// The pair between bridge and container.
    pub veth: Option<Veth>,
    /// `a.b.c.d/len`, reserved for the container.
    pub lease: Option<Value>,
    /// Links that were set up in the container, with what was read back.
    pub up: Vec<(String, String)>,
    /// The container's link and its address.
    pub address: Option<(String, Value)>,
    /// Destination and way, as read back in the container.
    pub routes: Vec<(String, String)>,
    /// nftables rules of this network and this container.
    pub rules: Vec<Rule>,
    /// Ports of the host that lead to the container.
    pub ports: Vec<PortMap>,
    /// `net.ipv4.ip_forward`, as read back.
    pub forwarding: Option<String>,
    /// The container's network namespace has ended.
    pub ended: bool,
}

/// The bridge.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bridge {
    /// Interface name.
    pub name: String,
    /// The gateway: `a.b.c.d/len`.
    pub address: String,
    /// As read back: `up`.
    pub state: Option<String>,
}

/// The pair.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Veth {
    /// Name of the host's end.
    pub host: String,
    /// Its interface index.
    pub host_index: Option<Value>,
    /// Name of the container's end.
    pub peer: String,
    /// Its interface index, in the container's namespace.
    pub peer_index: Option<Value>,
    /// The container's end's.
    pub mac: String,
    /// What the host's end is plugged into.
    pub bridge: String,
}

/// One rule, as nft(8) writes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// `table ip NAME chain CHAIN`.
    pub chain: String,
    /// Its text.
    pub text: String,
}

/// A published port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PortMap {
    /// Transport.
    pub protocol: Protocol,
    /// Address of the host; unspecified is all.
    pub host_ip: Ipv4Addr,
    /// Port of the host.
    pub host_port: u16,
    /// Port of the container.
    pub container_port: u16,
}

impl Network {
    pub(super) fn done(&mut self, op: &Op, facts: &[Fact], slots: &Slots) {
        match op {
            Op::CreateBridge { name, address, prefix } => {
                self.bridge = Some(Bridge {
                    name: name.clone(),
                    address: fact(facts, &format!("address of {name}"))
                        .map_or_else(|| format!("{address}/{prefix}"), Value::text),
                    state: fact(facts, &format!("state of {name}")).map(Value::text),
                });
            }
            Op::WriteSysctl { file, .. } if file.ends_with("/ip_forward") => {
                self.forwarding = fact(facts, "net.ipv4.ip_forward").map(Value::text);
            }
            Op::CreateNat { .. } => self.add_rules(facts),
            Op::AllocateAddress { .. } => self.lease = slots.get(&Slot::Address).cloned(),
            Op::CreateVeth { host, peer, bridge, mac } => {
                self.veth = Some(Veth {
                    host: host.clone(),
                    host_index: fact(facts, "host end index").cloned(),
                    peer: peer.clone(),
                    peer_index: fact(facts, "container end index").cloned(),
                    mac: mac.clone(),
                    bridge: bridge.clone(),
                });
            }
            Op::PublishPort { protocol, host_ip, host_port, container_port, .. } => {
                self.ports.push(PortMap {
                    protocol: *protocol,
                    host_ip: *host_ip,
                    host_port: *host_port,
                    container_port: *container_port,
                });
                self.add_rules(facts);
            }
            Op::SetLinkUp { link } => {
                let state = fact(facts, &format!("link {link}")).map_or_else(String::new, Value::text);
                self.up.push((link.clone(), state));
            }
            Op::AddAddress { link, .. } => {
                let read = fact(facts, &format!("address of {link}")).cloned();
                let address = read.or_else(|| slots.get(&Slot::Address).cloned());
                self.address = address.map(|a| (link.clone(), a));
            }
            Op::AddDefaultRoute { .. } => {
                let routes = facts.iter().filter_map(|f| Some((f.key.strip_prefix("route ")?, &f.value)));
                self.routes = routes.map(|(to, way)| (to.to_owned(), way.text())).collect();
            }
            _ => {}
        }
    }

    pub(super) fn undone(&mut self, op: &Op, changed: bool) {
        match op {
            Op::CreateVeth { .. } => self.veth = None,
            Op::AllocateAddress { .. } => self.lease = None,
            Op::PublishPort { host_port, container_port, protocol, .. } => {
                self.ports.retain(|p| (p.host_port, p.protocol) != (*host_port, *protocol));
                let (from, to) = (format!("dport {host_port} "), format!(":{container_port}"));
                self.rules.retain(|r| {
                    !(r.text.contains(protocol.name()) && r.text.contains(&from) && r.text.ends_with(&to))
                });
            }
            // Others may use them: what is in use is left as it is.
            Op::CreateBridge { .. } if changed => self.bridge = None,
            Op::CreateNat { table, .. } if changed => {
                let of = format!("table ip {table} ");
                self.rules.retain(|r| !r.chain.starts_with(&of));
            }
            _ => {}
        }
    }

    pub(super) fn inside_ended(&mut self) {
        self.veth = None;
        self.up.clear();
        self.address = None;
        self.routes.clear();
        self.ended = true;
    }

    fn add_rules(&mut self, facts: &[Fact]) {
        for fact in facts.iter().filter(|f| f.key.starts_with("table ")) {
            let rule = Rule { chain: fact.key.clone(), text: fact.value.text() };
            if !self.rules.contains(&rule) {
                self.rules.push(rule);
            }
        }
    }
}
