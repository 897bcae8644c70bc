//! Links and addresses through rtnetlink(7): what is there, and changes.

use std::net::Ipv4Addr;

use super::socket::{About, Answer, NLM_F_CREATE, NLM_F_EXCL, Netlink, Refused};
use super::wire::{self, NLA_F_NESTED, Writer};
use crate::kernel::Errno;
use crate::kernel::linux::recorder::Recorder;
use crate::network::Subnet;
use crate::network::names::show_mac;
use crate::trace::{Kind, Value};

const RTM_NEWLINK: u16 = 16;
const RTM_DELLINK: u16 = 17;
const RTM_GETLINK: u16 = 18;
const RTM_SETLINK: u16 = 19;
const RTM_NEWADDR: u16 = 20;
const RTM_GETADDR: u16 = 22;

const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_LINK: u16 = 5;
const IFLA_MASTER: u16 = 10;
const IFLA_LINKINFO: u16 = 18;
const IFLA_NET_NS_PID: u16 = 19;
const IFLA_EXT_MASK: u16 = 29;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const IFLA_INFO_SLAVE_KIND: u16 = 4;
const IFLA_INFO_SLAVE_DATA: u16 = 5;
const IFLA_BRPORT_MODE: u16 = 4;
const VETH_INFO_PEER: u16 = 1;
/// Leaves the counters out of the answer.
const RTEXT_FILTER_SKIP_STATS: u32 = 8;

const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_BROADCAST: u16 = 4;

const IFF_UP: u32 = 1;
/// Has a carrier. Unlike `IFF_RUNNING`, which a kernel worker sets some time later, it is true at once.
const IFF_LOWER_UP: u32 = 0x10000;

const AF_INET: u8 = 2;
const ARPHRD_LOOPBACK: u16 = 772;

/// A link, as the kernel describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// Interface index, in its namespace.
    pub index: u32,
    /// Name.
    pub name: String,
    /// `bridge`, `veth`, …; empty for hardware and loopback.
    pub kind: String,
    /// Is a loopback device.
    pub loopback: bool,
    /// Hardware address.
    pub mac: Vec<u8>,
    /// Bytes.
    pub mtu: u32,
    /// Administratively up.
    pub up: bool,
    /// Has a carrier: connected, and up at both ends.
    pub running: bool,
    /// Index of the bridge that it is a port of.
    pub master: Option<u32>,
    /// Index of the other end, in its own namespace.
    pub peer: Option<u32>,
}

/// An IPv4 address of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// The link's index.
    pub index: u32,
    /// The address.
    pub address: Ipv4Addr,
    /// Its prefix length.
    pub prefix: u8,
}

fn link_header(w: &mut Writer, index: u32, flags: u32, change: u32) {
    w.raw(&[0; 4]);
    w.raw(&index.to_ne_bytes());
    w.raw(&flags.to_ne_bytes());
    w.raw(&change.to_ne_bytes());
}

fn parse_link(answer: &Answer) -> Option<Link> {
    let body = &answer.body;
    let flags = wire::u32_at(body, 8)?;
    let mut link = Link {
        index: wire::u32_at(body, 4)?,
        loopback: wire::u16_at(body, 2)? == ARPHRD_LOOPBACK,
        up: flags & IFF_UP != 0,
        running: flags & IFF_LOWER_UP != 0,
        ..Link::default()
    };
    for (kind, data) in wire::attrs(body.get(16..)?) {
        match kind {
            IFLA_IFNAME => link.name = wire::text(data),
            IFLA_ADDRESS => link.mac = data.to_vec(),
            IFLA_MTU => link.mtu = wire::u32_at(data, 0)?,
            IFLA_LINK => link.peer = wire::u32_at(data, 0).filter(|i| *i != 0),
            IFLA_MASTER => link.master = wire::u32_at(data, 0),
            IFLA_LINKINFO => link.kind = wire::find(data, IFLA_INFO_KIND).map(wire::text).unwrap_or_default(),
            _ => {}
        }
    }
    Some(link)
}

/// The link of this name, if there is one.
pub fn get(nl: &mut Netlink, rec: &mut Recorder, name: &str) -> Result<Option<Link>, Refused> {
    let about = About { request: "RTM_GETLINK", args: &|| vec![("link", name.into())] };
    let answer = nl.get(rec, about, RTM_GETLINK, |w| {
        link_header(w, 0, 0, 0);
        w.u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
        w.text(IFLA_IFNAME, name);
    });
    match answer {
        Ok(answer) => Ok(parse_link(&answer)),
        Err(refused) if refused.errno == Errno::ENODEV => Ok(None),
        Err(refused) => Err(refused),
    }
}

/// Every link of the namespace, by index.
pub fn all(nl: &mut Netlink, rec: &mut Recorder) -> Result<Vec<Link>, Refused> {
    let about = About { request: "RTM_GETLINK", args: &|| vec![("flags", "NLM_F_DUMP".into())] };
    let answers = nl.dump(rec, about, RTM_GETLINK, |w| {
        link_header(w, 0, 0, 0);
        w.u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
    })?;
    let mut links: Vec<Link> = answers.iter().filter_map(parse_link).collect();
    links.sort_by_key(|l| l.index);
    Ok(links)
}

/// Every IPv4 address of the namespace, by link.
pub fn addresses(nl: &mut Netlink, rec: &mut Recorder) -> Result<Vec<Address>, Refused> {
    let about = About {
        request: "RTM_GETADDR",
        args: &|| vec![("family", "AF_INET".into()), ("flags", "NLM_F_DUMP".into())],
    };
    let answers = nl.dump(rec, about, RTM_GETADDR, |w| w.raw(&[AF_INET, 0, 0, 0, 0, 0, 0, 0]))?;
    let parse = |answer: &Answer| {
        let body = &answer.body;
        let attrs = body.get(8..)?;
        let data: [u8; 4] =
            wire::find(attrs, IFA_LOCAL).or_else(|| wire::find(attrs, IFA_ADDRESS))?.try_into().ok()?;
        Some(Address { index: wire::u32_at(body, 4)?, address: data.into(), prefix: *body.get(1)? })
    };
    let mut addresses: Vec<Address> = answers.iter().filter_map(parse).collect();
    addresses.sort_by_key(|a| a.index);
    Ok(addresses)
}

/// Makes a bridge with this MAC and sets it up.
pub fn new_bridge(nl: &mut Netlink, rec: &mut Recorder, name: &str, mac: [u8; 6]) -> Result<(), Refused> {
    let args = || {
        vec![
            ("flags", "NLM_F_CREATE|NLM_F_EXCL".into()),
            ("link", name.into()),
            ("kind", "bridge".into()),
            ("mac", Value::volatile(Kind::Mac, show_mac(&mac))),
            ("state", "up".into()),
        ]
    };
    nl.change(
        rec,
        About { request: "RTM_NEWLINK", args: &args },
        RTM_NEWLINK,
        NLM_F_CREATE | NLM_F_EXCL,
        |w| {
            link_header(w, 0, IFF_UP, IFF_UP);
            w.text(IFLA_IFNAME, name);
            w.attr(IFLA_ADDRESS, &mac);
            w.nest(IFLA_LINKINFO | NLA_F_NESTED, |w| w.text(IFLA_INFO_KIND, "bridge"));
        },
    )
}

/// What [`new_veth`] makes.
pub struct Veth<'a> {
    /// Name of this namespace's end.
    pub host: &'a str,
    /// This end joins this bridge.
    pub bridge: (&'a str, u32),
    /// Name of the other end.
    pub peer: &'a str,
    /// The other end's MAC.
    pub mac: [u8; 6],
    /// The other end is born in this process's network namespace.
    pub pid: u32,
}

/// Makes a veth pair, one end in another namespace, the other in the bridge and up.
pub fn new_veth(nl: &mut Netlink, rec: &mut Recorder, veth: &Veth<'_>) -> Result<(), Refused> {
    let args = || {
        vec![
            ("flags", "NLM_F_CREATE|NLM_F_EXCL".into()),
            ("link", Value::volatile(Kind::Link, veth.host)),
            ("kind", "veth".into()),
            ("state", "up".into()),
            ("master", veth.bridge.0.into()),
            ("peer", veth.peer.into()),
            ("peer_mac", Value::volatile(Kind::Mac, show_mac(&veth.mac))),
            ("peer_netns_pid", Value::volatile(Kind::Pid, veth.pid)),
        ]
    };
    nl.change(
        rec,
        About { request: "RTM_NEWLINK", args: &args },
        RTM_NEWLINK,
        NLM_F_CREATE | NLM_F_EXCL,
        |w| {
            link_header(w, 0, IFF_UP, IFF_UP);
            w.text(IFLA_IFNAME, veth.host);
            w.u32(IFLA_MASTER, veth.bridge.1);
            w.nest(IFLA_LINKINFO | NLA_F_NESTED, |w| {
                w.text(IFLA_INFO_KIND, "veth");
                w.nest(IFLA_INFO_DATA | NLA_F_NESTED, |w| {
                    w.nest(VETH_INFO_PEER | NLA_F_NESTED, |w| {
                        link_header(w, 0, 0, 0);
                        w.text(IFLA_IFNAME, veth.peer);
                        w.attr(IFLA_ADDRESS, &veth.mac);
                        w.u32(IFLA_NET_NS_PID, veth.pid);
                    });
                });
            });
        },
    )
}

/// Lets a bridge's port send a frame back to where it came from.
pub fn set_hairpin(nl: &mut Netlink, rec: &mut Recorder, name: &str) -> Result<(), Refused> {
    let args = || vec![("link", Value::volatile(Kind::Link, name)), ("hairpin", "on".into())];
    nl.change(rec, About { request: "RTM_NEWLINK", args: &args }, RTM_NEWLINK, 0, |w| {
        link_header(w, 0, 0, 0);
        w.text(IFLA_IFNAME, name);
        w.nest(IFLA_LINKINFO | NLA_F_NESTED, |w| {
            w.text(IFLA_INFO_SLAVE_KIND, "bridge");
            w.nest(IFLA_INFO_SLAVE_DATA | NLA_F_NESTED, |w| w.attr(IFLA_BRPORT_MODE, &[1]));
        });
    })
}

/// Deletes a link. That takes the kernel milliseconds: it waits for readers.
pub fn delete(nl: &mut Netlink, rec: &mut Recorder, link: &Link) -> Result<(), Refused> {
    let args =
        || vec![("link", Value::volatile(Kind::Link, &link.name)), ("kind", link.kind.as_str().into())];
    nl.change(rec, About { request: "RTM_DELLINK", args: &args }, RTM_DELLINK, 0, |w| {
        link_header(w, link.index, 0, 0)
    })
}

/// Sets a link up or down.
pub fn set_up(nl: &mut Netlink, rec: &mut Recorder, name: &str, up: bool) -> Result<(), Refused> {
    let args = || vec![("link", name.into()), ("state", if up { "up" } else { "down" }.into())];
    nl.change(rec, About { request: "RTM_SETLINK", args: &args }, RTM_SETLINK, 0, |w| {
        link_header(w, 0, if up { IFF_UP } else { 0 }, IFF_UP);
        w.text(IFLA_IFNAME, name);
    })
}

/// Gives a link an address.
pub fn add_address(
    nl: &mut Netlink,
    rec: &mut Recorder,
    link: &Link,
    address: Ipv4Addr,
    prefix: u8,
) -> Result<(), Refused> {
    let args = || {
        vec![
            ("flags", "NLM_F_CREATE|NLM_F_EXCL".into()),
            ("link", link.name.as_str().into()),
            ("address", Value::volatile(Kind::Address, format!("{address}/{prefix}"))),
        ]
    };
    let about = About { request: "RTM_NEWADDR", args: &args };
    nl.change(rec, about, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, |w| {
        w.raw(&[AF_INET, prefix, 0, 0]);
        w.raw(&link.index.to_ne_bytes());
        w.attr(IFA_LOCAL, &address.octets());
        w.attr(IFA_ADDRESS, &address.octets());
        if let (false, true, Ok(subnet)) = (link.loopback, prefix < 31, Subnet::new(address, prefix)) {
            w.attr(IFA_BROADCAST, &subnet.last().octets());
        }
    })
}
