use std::net::Ipv4Addr;

use super::*;
use crate::kernel::Errno;
use crate::kernel::model::vfs::ReadOutcome;
use crate::plan::op::Protocol;

const HOST: u32 = 1;
const A: Ipv4Addr = Ipv4Addr::new(172, 30, 0, 2);
const B: Ipv4Addr = Ipv4Addr::new(172, 30, 0, 3);
const GATEWAY: Ipv4Addr = Ipv4Addr::new(172, 30, 0, 1);
const FAR: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);

/// Two namespaces, 2 and 3, on a bridge of the host with NAT.
fn bridged() -> Net {
    let mut net = Net::new(HOST);
    let bridge = net.add_link(HOST, "glass0", LinkKind::Bridge, [2, 0, 0, 0, 0, 1]);
    net.set_up(bridge, true).unwrap();
    net.add_address(bridge, GATEWAY, 16).unwrap();
    for (ns, address) in [(2, A), (3, B)] {
        net.add_namespace(ns);
        let host = format!("veth{ns}");
        let (out, inside) = net.add_veth((HOST, &host), (ns, "eth0"), [2, 0, 0, 0, 0, ns as u8]).unwrap();
        net.set_master(out, bridge).unwrap();
        net.set_up(out, true).unwrap();
        net.add_address(inside, address, 16).unwrap();
        net.set_up(inside, true).unwrap();
        net.add_default_route(ns, GATEWAY).unwrap();
    }
    let stack = net.stacks.get_mut(&HOST).unwrap();
    stack.forward = true;
    stack.tables.entry("t".to_owned()).or_default().masquerade.push(Masquerade {
        bridge: "glass0".to_owned(),
        subnet: GATEWAY,
        prefix: 16,
    });
    net
}

#[test]
fn neighbours_reach_each_other_and_the_world() {
    let mut net = bridged();
    assert!(net.ping(2, B).is_ok());
    assert!(net.ping(2, GATEWAY).is_ok());
    assert!(net.ping(HOST, A).is_ok());
    assert!(net.ping(2, OUTER_GATEWAY).is_ok(), "masqueraded");
    let tracked = &net.stacks[&HOST].tracked;
    assert_eq!(tracked.len(), 1);
    assert_eq!(tracked[0].original.0, A);
    assert_eq!(tracked[0].reply.2, HOST_ADDRESS);
}

#[test]
fn what_fails_fails_as_on_linux() {
    let mut net = bridged();
    assert_eq!(net.ping(2, Ipv4Addr::new(172, 30, 0, 9)), Err(Errno::EHOSTUNREACH));
    assert_eq!(net.ping(2, FAR), Err(Errno::ETIMEDOUT));
    net.add_namespace(4);
    assert_eq!(net.ping(4, A), Err(Errno::ENETUNREACH), "no route");
    assert_eq!(net.add_default_route(4, GATEWAY), Err(Errno::ENETUNREACH));
    assert_eq!(net.connect(2, B, 80).err(), Some(Errno::ECONNREFUSED));
    net.stacks.get_mut(&HOST).unwrap().forward = false;
    assert_eq!(net.ping(2, OUTER_GATEWAY), Err(Errno::ETIMEDOUT), "not forwarded");
    net.stacks.get_mut(&HOST).unwrap().forward = true;
    net.stacks.get_mut(&HOST).unwrap().tables.clear();
    assert_eq!(net.ping(2, OUTER_GATEWAY), Err(Errno::ETIMEDOUT), "no way back without NAT");
    let bridge = net.find(HOST, "glass0").unwrap();
    net.set_up(bridge, false).unwrap();
    assert_eq!(net.ping(2, B), Err(Errno::EHOSTUNREACH), "the bridge is down");
}

#[test]
fn streams_carry_bytes_both_ways_and_end() {
    let mut net = bridged();
    let listener = net.listen(3, Ipv4Addr::UNSPECIFIED, 80).unwrap();
    assert_eq!(net.listen(3, B, 80), Err(Errno::EADDRINUSE));
    assert_eq!(net.listen(3, A, 80), Err(Errno::EADDRNOTAVAIL));
    let client = net.connect(2, B, 80).unwrap();
    let (server, from, _) = net.accept(listener).unwrap().unwrap();
    assert_eq!(from, A);
    assert_eq!(net.accept(listener), Ok(None));
    assert_eq!(net.read(server, Side::Server, 9), Ok(ReadOutcome::Block));
    assert_eq!(net.write(client, Side::Client, b"ask"), Ok(Some(3)));
    assert_eq!(net.read(server, Side::Server, 9), Ok(ReadOutcome::Data(b"ask".to_vec())));
    net.shutdown(client, Side::Client).unwrap();
    assert_eq!(net.read(server, Side::Server, 9), Ok(ReadOutcome::Data(Vec::new())));
    assert_eq!(net.write(server, Side::Server, b"answer"), Ok(Some(6)));
    assert_eq!(net.read(client, Side::Client, 2), Ok(ReadOutcome::Data(b"an".to_vec())));
    net.close_conn(client, Side::Client);
    assert_eq!(net.write(server, Side::Server, b"x"), Err(Errno::EPIPE));
}

#[test]
fn a_published_port_leads_to_the_container() {
    let mut net = bridged();
    let rule = Dnat {
        protocol: Protocol::Tcp,
        host_ip: Ipv4Addr::UNSPECIFIED,
        host_port: 8080,
        to: (A, 80),
        owner: "a".to_owned(),
    };
    net.stacks.get_mut(&HOST).unwrap().tables.entry("t".to_owned()).or_default().dnat.push(rule);
    let listener = net.listen(2, Ipv4Addr::UNSPECIFIED, 80).unwrap();
    for from in [HOST, 3] {
        net.connect(from, HOST_ADDRESS, 8080).unwrap();
        assert!(net.accept(listener).unwrap().is_some(), "from {from}");
    }
    assert_eq!(net.connect(HOST, HOST_ADDRESS, 8081).err(), Some(Errno::ECONNREFUSED));
    let tracked = net.stacks[&HOST].tracked.last().unwrap();
    assert_eq!((tracked.original.2, tracked.original.3), (HOST_ADDRESS, 8080));
    assert_eq!((tracked.reply.0, tracked.reply.1), (A, 80));
}

#[test]
fn a_namespace_takes_its_links_and_their_peers_with_it() {
    let mut net = bridged();
    net.remove_namespace(2);
    assert_eq!(net.find(HOST, "veth2"), None);
    assert!(net.find(HOST, "veth3").is_some());
    assert_eq!(net.ping(3, A), Err(Errno::EHOSTUNREACH));
}
