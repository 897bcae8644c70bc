//! Links, addresses and routes over netlink; ICMP echo; TCP.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd};
use std::time::{Duration, Instant};

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkInfo as Info, LinkLayerType, LinkMessage};
use netlink_packet_route::route::{RouteAddress, RouteAttribute, RouteHeader, RouteMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage as Message};
use netlink_sys::{Socket, SocketAddr as NetlinkAddr, protocols::NETLINK_ROUTE};
use nix::errno::Errno as NixErrno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily as Family, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn, getpeername, recv,
    sendto, socket,
};

use super::borrow;
use crate::kernel::Errno;
use crate::userland::{Fd, LinkInfo, RouteInfo, SysResult};

/// Sends one request and gathers the answers.
fn request(message: Message, flags: u16) -> SysResult<Vec<Message>> {
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.bind_auto()?;
    socket.connect(&NetlinkAddr::new(0, 0))?;
    let mut packet = NetlinkMessage::from(message);
    packet.header.flags = NLM_F_REQUEST | flags;
    packet.header.sequence_number = 1;
    packet.finalize();
    let mut bytes = vec![0; packet.header.length as usize];
    packet.serialize(&mut bytes);
    socket.send(&bytes, 0)?;
    let mut answers = Vec::new();
    loop {
        let (data, _) = socket.recv_from_full()?;
        let mut rest = data.as_slice();
        while !rest.is_empty() {
            let answer = NetlinkMessage::<Message>::deserialize(rest).map_err(|_| Errno::EIO)?;
            let length = (answer.header.length as usize).next_multiple_of(4);
            match answer.payload {
                NetlinkPayload::Done(_) => return Ok(answers),
                NetlinkPayload::Error(e) => match e.code {
                    None => return Ok(answers),
                    Some(code) => return Err(Errno(code.get().abs())),
                },
                NetlinkPayload::InnerMessage(inner) => answers.push(inner),
                _ => {}
            }
            rest = rest.get(length..).unwrap_or_default();
        }
    }
}

fn link_of(message: LinkMessage) -> LinkInfo {
    let flags = message.header.flags;
    let mut link = LinkInfo {
        index: message.header.index,
        name: String::new(),
        peer: None,
        kind: match message.header.link_layer_type {
            LinkLayerType::Loopback => "loopback".to_owned(),
            LinkLayerType::Ether => "ether".to_owned(),
            other => format!("{other:?}").to_lowercase(),
        },
        mac: [0; 6],
        mtu: 0,
        up: flags.contains(LinkFlags::Up),
        running: flags.contains(LinkFlags::LowerUp),
        addresses: Vec::new(),
    };
    let mut other_end = None;
    let mut veth = false;
    for attribute in message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name = name,
            LinkAttribute::Mtu(mtu) => link.mtu = mtu,
            LinkAttribute::Address(bytes) => {
                if let Ok(mac) = <[u8; 6]>::try_from(bytes.as_slice()) {
                    link.mac = mac;
                }
            }
            LinkAttribute::Link(index) => other_end = Some(index),
            LinkAttribute::LinkInfo(infos) => {
                veth |= infos.iter().any(|i| matches!(i, Info::Kind(k) if k.to_string() == "veth"));
            }
            _ => {}
        }
    }
    link.peer = other_end.filter(|_| veth);
    link
}

pub fn links() -> SysResult<Vec<LinkInfo>> {
    let mut links: Vec<LinkInfo> = request(Message::GetLink(LinkMessage::default()), NLM_F_DUMP)?
        .into_iter()
        .filter_map(|m| if let Message::NewLink(m) = m { Some(link_of(m)) } else { None })
        .collect();
    let mut wanted = AddressMessage::default();
    wanted.header.family = AddressFamily::Inet;
    for message in request(Message::GetAddress(wanted), NLM_F_DUMP)? {
        let Message::NewAddress(message) = message else { continue };
        let Some(link) = links.iter_mut().find(|l| l.index == message.header.index) else { continue };
        // On a point-to-point link `Address` is the other end; `Local` is ours.
        let mut ours = None;
        for attribute in message.attributes {
            match attribute {
                AddressAttribute::Local(IpAddr::V4(a)) => ours = Some(a),
                AddressAttribute::Address(IpAddr::V4(a)) => ours = ours.or(Some(a)),
                _ => {}
            }
        }
        link.addresses.extend(ours.map(|a| (a, message.header.prefix_len)));
    }
    links.sort_by_key(|l| l.index);
    Ok(links)
}

pub fn routes() -> SysResult<Vec<RouteInfo>> {
    let links = links()?;
    let mut wanted = RouteMessage::default();
    wanted.header.address_family = AddressFamily::Inet;
    let mut routes = Vec::new();
    for message in request(Message::GetRoute(wanted), NLM_F_DUMP)? {
        let Message::NewRoute(message) = message else { continue };
        if message.header.table != RouteHeader::RT_TABLE_MAIN {
            continue;
        }
        let v4 = |a: &RouteAddress| if let RouteAddress::Inet(a) = a { Some(*a) } else { None };
        let mut route = RouteInfo { destination: None, gateway: None, link: String::new(), source: None };
        for attribute in &message.attributes {
            match attribute {
                RouteAttribute::Destination(a) => {
                    route.destination = v4(a).map(|a| (a, message.header.destination_prefix_length));
                }
                RouteAttribute::Gateway(a) => route.gateway = v4(a),
                RouteAttribute::PrefSource(a) => route.source = v4(a),
                RouteAttribute::Oif(index) => {
                    if let Some(link) = links.iter().find(|l| l.index == *index) {
                        route.link.clone_from(&link.name);
                    }
                }
                _ => {}
            }
        }
        routes.push(route);
    }
    Ok(routes)
}

fn index_of(link: &str) -> SysResult<u32> {
    links()?.into_iter().find(|l| l.name == link).map(|l| l.index).ok_or(Errno::ENODEV)
}

pub fn set_link_up(link: &str, up: bool) -> SysResult<()> {
    let mut message = LinkMessage::default();
    message.header.index = index_of(link)?;
    message.header.change_mask = LinkFlags::Up;
    message.header.flags = if up { LinkFlags::Up } else { LinkFlags::empty() };
    request(Message::SetLink(message), NLM_F_ACK).map(drop)
}

pub fn add_address(link: &str, address: Ipv4Addr, prefix: u8) -> SysResult<()> {
    let mut message = AddressMessage::default();
    message.header.family = AddressFamily::Inet;
    message.header.prefix_len = prefix;
    message.header.index = index_of(link)?;
    message.attributes.push(AddressAttribute::Local(address.into()));
    message.attributes.push(AddressAttribute::Address(address.into()));
    request(Message::NewAddress(message), NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL).map(drop)
}

/// RFC 1071.
fn checksum(data: &[u8]) -> u16 {
    let mut sum: u32 =
        data.chunks(2).map(|c| u32::from(c[0]) << 8 | u32::from(*c.get(1).unwrap_or(&0))).sum();
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    !(sum as u16)
}

/// An echo request over a raw socket, or an ICMP datagram socket where raw ones
/// are not allowed (icmp(7), `ping_group_range`).
pub fn ping(to: Ipv4Addr, seq: u16, timeout: Duration) -> SysResult<u64> {
    let icmp = SockProtocol::Icmp;
    let (fd, raw) = match socket(Family::Inet, SockType::Raw, SockFlag::SOCK_CLOEXEC, icmp) {
        Ok(fd) => (fd, true),
        Err(NixErrno::EPERM | NixErrno::EACCES) => {
            (socket(Family::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, icmp)?, false)
        }
        Err(e) => return Err(e.into()),
    };
    let id = std::process::id() as u16;
    let mut packet = [0u8; 64];
    packet[0] = 8;
    packet[4..6].copy_from_slice(&id.to_be_bytes());
    packet[6..8].copy_from_slice(&seq.to_be_bytes());
    let sum = checksum(&packet);
    packet[2..4].copy_from_slice(&sum.to_be_bytes());
    let start = Instant::now();
    let address = SockaddrIn::from(std::net::SocketAddrV4::new(to, 0));
    sendto(fd.as_raw_fd(), &packet, &address, MsgFlags::empty())?;
    loop {
        let left = timeout.checked_sub(start.elapsed()).ok_or(Errno::ETIMEDOUT)?;
        let millis = u16::try_from(left.as_millis().max(1)).unwrap_or(u16::MAX);
        let mut fds = [PollFd::new(fd.as_fd(), PollFlags::POLLIN)];
        if poll(&mut fds, PollTimeout::from(millis))? == 0 {
            return Err(Errno::ETIMEDOUT);
        }
        let mut answer = [0u8; 1500];
        let length = recv(fd.as_raw_fd(), &mut answer, MsgFlags::empty())?;
        let header = if raw { usize::from(answer[0] & 15) * 4 } else { 0 };
        let Some(reply) = answer[..length].get(header..).filter(|r| r.len() >= 8) else { continue };
        let ours = reply[6..8] == seq.to_be_bytes() && (!raw || reply[4..6] == id.to_be_bytes());
        match reply[0] {
            0 if ours => return Ok(start.elapsed().as_micros() as u64),
            // The error carries the header and 8 bytes of the packet that it is about.
            3 if raw && reply.len() >= 36 && reply[32..34] == id.to_be_bytes() => {
                return Err(Errno::EHOSTUNREACH);
            }
            _ => {}
        }
    }
}

pub fn connect(to: Ipv4Addr, port: u16, timeout: Duration) -> SysResult<Fd> {
    match TcpStream::connect_timeout(&SocketAddr::from((to, port)), timeout) {
        Ok(stream) => Ok(stream.into_raw_fd()),
        Err(e) if e.kind() == ErrorKind::TimedOut => Err(Errno::ETIMEDOUT),
        Err(e) => Err(e.into()),
    }
}

pub fn accept(fd: BorrowedFd<'_>) -> SysResult<(Fd, Ipv4Addr, u16)> {
    let fd = nix::sys::socket::accept(fd.as_raw_fd())?;
    // SAFETY: just made by accept, owned by nobody else.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    let peer: SockaddrIn = getpeername(fd.as_raw_fd())?;
    Ok((fd.into_raw_fd(), peer.ip(), peer.port()))
}

pub fn poll_readable(fds: &[Fd]) -> SysResult<Vec<Fd>> {
    let borrowed = fds.iter().map(|fd| borrow(*fd)).collect::<SysResult<Vec<_>>>()?;
    let mut polled: Vec<PollFd<'_>> = borrowed.iter().map(|fd| PollFd::new(*fd, PollFlags::POLLIN)).collect();
    poll(&mut polled, PollTimeout::NONE)?;
    let ready = |p: &PollFd<'_>| p.revents().is_some_and(|r| !r.is_empty());
    Ok(fds.iter().zip(&polled).filter(|(_, p)| ready(p)).map(|(fd, _)| *fd).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums() {
        assert_eq!(checksum(&[0, 1, 0xf2, 3, 0xf4, 0xf5, 0xf6, 0xf7]), 0x220d);
        assert_eq!(checksum(&[1]), 0xfeff);
    }

    #[test]
    fn the_loopback_link_is_listed() {
        let lo = links().unwrap().into_iter().find(|l| l.name == "lo").unwrap();
        assert_eq!((lo.index, lo.kind.as_str()), (1, "loopback"));
    }
}
