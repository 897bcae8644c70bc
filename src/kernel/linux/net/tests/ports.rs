//! Rules: read back as written, and packets that follow them.

use std::net::UdpSocket;

use super::*;

/// Another machine: a namespace behind a veth pair, without a route to the
/// containers.
fn machine(host: &str, there: &str) -> Namespace {
    let namespace = Namespace::new();
    let rec = &mut Recorder::off();
    let nl = &mut socket::Netlink::open(socket::Family::Route, rec).unwrap();
    link::new_bridge(nl, rec, "out0", [2, 0, 0, 0, 0, 9]).unwrap();
    let bridge = link::get(nl, rec, "out0").unwrap().unwrap();
    let veth = link::Veth {
        host: "out1",
        bridge: ("out0", bridge.index),
        peer: "eth0",
        mac: [2, 0, 0, 0, 0, 8],
        pid: namespace.pid() as u32,
    };
    link::new_veth(nl, rec, &veth).unwrap();
    query::add_address("out0", ip(host), 24).unwrap();
    let there = ip(there);
    namespace.run(move || {
        query::set_link_up("eth0", true).unwrap();
        query::add_address("eth0", there, 24).unwrap();
    });
    namespace
}

#[test]
#[ignore = "root"]
fn rules_are_read_back_as_written() {
    on_a_host(|| {
        let state = tempfile::tempdir().unwrap();
        let mut run = Run::new("aaaa", state.path());
        run.up();
        let op = run.publish("0.0.0.0", 8080, 80);
        run.apply(&op).unwrap();
        let local = run.publish("127.0.0.1", 8081, 81);
        run.apply(&local).unwrap();
        let rules: Vec<String> =
            observe::rules(TABLE).unwrap().iter().map(|f| format!("{} | {}", f.key, f.value)).collect();
        let network = "comment \"glassbox network glass0\"";
        let own = "comment \"glassbox:aaaa\"";
        let chain = "table ip glassbox chain";
        let mut expected = vec![
            format!("{chain} postrouting | ip saddr 10.88.0.0/16 oifname != \"glass0\" masquerade {network}"),
            format!(
                "{chain} postrouting | ip saddr 10.88.0.0/16 oifname \"glass0\" ct status dnat masquerade {network}"
            ),
            format!("{chain} postrouting | ip saddr 127.0.0.0/8 oifname \"glass0\" masquerade {network}"),
            format!("{chain} forward | iifname \"glass0\" accept {network}"),
            format!("{chain} forward | oifname \"glass0\" ct state established,related accept {network}"),
            format!("{chain} forward | oifname \"glass0\" ct status dnat accept {network}"),
            format!("{chain} forward | oifname \"glass0\" drop {network}"),
            format!("{chain} guard | iifname \"glass0\" ip daddr 127.0.0.0/8 drop {network}"),
        ];
        for hook in ["prerouting", "output"] {
            expected.push(format!(
                "{chain} {hook} | fib daddr type local tcp dport 8080 dnat to 10.88.0.2:80 {own}"
            ));
            expected.push(format!(
                "{chain} {hook} | ip daddr 127.0.0.1 tcp dport 8081 dnat to 10.88.0.2:81 {own}"
            ));
        }
        expected.sort();
        let mut sorted = rules.clone();
        sorted.sort();
        assert_eq!(sorted, expected);
        assert_shows(
            &run.evidence(&op),
            &[
                "nftables NFT_MSG_GETRULE: table ip glassbox chain output = fib daddr type local tcp dport 8080 dnat to 10.88.0.2:80",
            ],
        );
        assert_eq!(run.evidence(&op).len(), 2);
        assert_eq!(run.evidence(&run.host_ops()[2].clone()).len(), 9);

        run.undo(&op);
        assert_eq!(run.changes(), ["sendto"]);
        assert_eq!(observe::rules(TABLE).unwrap().len(), 10, "the other port stays");
        run.undo(&op);
        assert_eq!(run.changes(), [""; 0]);
    });
}

#[test]
#[ignore = "root"]
fn a_published_port_is_reached_from_everywhere() {
    on_a_host(|| {
        let state = tempfile::tempdir().unwrap();
        let outside = machine("192.0.2.1", "192.0.2.2");
        let mut run = Run::new("aaaa", state.path());
        run.up();
        let op = run.publish("0.0.0.0", 8080, 80);
        run.apply(&op).unwrap();
        serve(&run.namespace, 80);
        serve(&outside, 7000);
        let mut other = Run::new("bbbb", state.path());
        other.up();

        // From another machine, with its own address; the other way as the host's.
        assert_eq!(outside.run(|| ask(ip("192.0.2.1"), 8080).unwrap()), "192.0.2.2");
        assert_eq!(run.namespace.run(|| ask(ip("192.0.2.2"), 7000).unwrap()), "192.0.2.1");
        // From the host, by every address of its own.
        assert_eq!(ask(ip("192.0.2.1"), 8080).unwrap(), "192.0.2.1");
        assert_eq!(ask(ip("127.0.0.1"), 8080).unwrap(), "10.88.0.1");
        assert_eq!(ask(GATEWAY, 8080).unwrap(), "10.88.0.1");
        // From a neighbour and from the container itself.
        for from in [&other, &run] {
            let seen = from.namespace.run(|| ask(ip("192.0.2.1"), 8080));
            assert_eq!(seen.ok().as_deref(), Some("10.88.0.1"), "from {}", from.id);
        }

        run.begin();
        run.undo(&op);
        let refused = outside.run(|| ask(ip("192.0.2.1"), 8080).unwrap_err());
        assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    });
}

#[test]
#[ignore = "root"]
fn a_container_does_not_reach_the_hosts_loopback() {
    on_a_host(|| {
        let state = tempfile::tempdir().unwrap();
        let mut run = Run::new("aaaa", state.path());
        run.up();
        let listener = UdpSocket::bind("127.0.0.1:5000").unwrap();
        let gate = UdpSocket::bind("10.88.0.1:5001").unwrap();
        run.namespace.run(|| {
            std::fs::write("/proc/sys/net/ipv4/conf/eth0/route_localnet", "1").unwrap();
            // Out of the container by way of its own link instead of its loopback.
            query::set_link_up("lo", false).unwrap();
            let socket = UdpSocket::bind("10.88.0.2:0").unwrap();
            let _ = socket.send_to(b"x", "127.0.0.1:5000");
            socket.send_to(b"y", "10.88.0.1:5001").unwrap();
        });
        // The second packet came later and is here, so the first one would be.
        gate.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        gate.recv(&mut [0; 4]).unwrap();
        listener.set_nonblocking(true).unwrap();
        assert_eq!(listener.recv(&mut [0; 4]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    });
}

#[test]
#[ignore = "root"]
fn a_port_is_given_once() {
    on_a_host(|| {
        let state = tempfile::tempdir().unwrap();
        let mut first = Run::new("aaaa", state.path());
        first.up();
        first.apply(&first.publish("0.0.0.0", 8080, 80)).unwrap();
        assert!(first.apply(&first.publish("0.0.0.0", 8080, 80)).unwrap(), "the same once more is no change");
        let held = TcpListener::bind("127.0.0.1:8080").unwrap_err();
        assert_eq!(held.kind(), std::io::ErrorKind::AddrInUse, "no other program takes it");

        let mut second = Run::new("bbbb", state.path());
        second.up();
        for address in ["0.0.0.0", "127.0.0.1"] {
            let failure = second.apply(&second.publish(address, 8080, 80)).unwrap_err();
            assert!(
                failure.what.ends_with(&format!("Bind for {address}:8080 failed: port is already allocated"))
            );
            assert!(failure.hint.as_ref().unwrap().contains("aaaa"), "{failure:?}");
        }
        let _server = TcpListener::bind("127.0.0.1:9090").unwrap();
        let failure = second.apply(&second.publish("0.0.0.0", 9090, 80)).unwrap_err();
        assert_eq!(failure.errno, Some(Errno::EADDRINUSE));
        assert!(failure.hint.as_ref().unwrap().contains("a program of the host"), "{failure:?}");
        let failure = second.apply(&second.publish("203.0.113.9", 9091, 80)).unwrap_err();
        assert_eq!(failure.errno, Some(Errno::EADDRNOTAVAIL));
    });
}

#[test]
#[ignore = "root"]
fn a_table_damaged_by_hand_is_made_whole() {
    on_a_host(|| {
        let state = tempfile::tempdir().unwrap();
        let mut run = Run::new("aaaa", state.path());
        run.up();
        let whole = shown(&observe::rules(TABLE).unwrap());
        let rec = &mut Recorder::off();
        let nl = &mut socket::Netlink::open(socket::Family::Netfilter, rec).unwrap();
        nft::update(nl, rec, TABLE, "damage", |rules| Ok(vec![rules[0].delete()])).unwrap();
        assert_eq!(observe::rules(TABLE).unwrap().len(), whole.len() - 1);
        let nat = run.host_ops()[2].clone();
        assert!(!run.apply(&nat).unwrap());
        assert_eq!(shown(&observe::rules(TABLE).unwrap()), whole);
    });
}

#[test]
#[ignore = "root"]
fn parallel_publishers_all_get_their_rules() {
    on_a_host(|| {
        let state = tempfile::tempdir().unwrap();
        let mut run = Run::new("aaaa", state.path());
        run.up();
        std::thread::scope(|scope| {
            for n in 0..8u16 {
                let op = run.publish("0.0.0.0", 9000 + n, 80);
                let mut slots = run.slots.clone();
                scope.spawn(move || {
                    apply(&op, &mut Cx { rec: &mut Recorder::off(), slots: &mut slots }).unwrap();
                });
            }
        });
        assert_eq!(observe::rules(TABLE).unwrap().len(), 8 + 16);
    });
}

#[test]
#[ignore = "root"]
fn only_published_ports_are_reached_from_elsewhere() {
    on_a_host(|| {
        let state = tempfile::tempdir().unwrap();
        let outside = machine("192.0.2.1", "192.0.2.2");
        let mut run = Run::new("aaaa", state.path());
        run.up();
        let Op::PublishPort { table, host_ip, address, container, .. } = run.publish("0.0.0.0", 1, 1) else {
            unreachable!()
        };
        let protocol = Protocol::Udp;
        run.apply(&Op::PublishPort {
            table,
            protocol,
            host_ip,
            host_port: 6001,
            container_port: 5001,
            address,
            container,
        })
        .unwrap();
        let bound = |port| run.namespace.run(move || UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).unwrap());
        let (hidden, published) = (bound(5000), bound(5001));
        outside.run(|| {
            inside::add_default_route(&mut Recorder::off(), ip("192.0.2.1")).unwrap();
            let socket = UdpSocket::bind("192.0.2.2:0").unwrap();
            socket.send_to(b"x", "10.88.0.2:5000").unwrap();
            socket.send_to(b"y", "192.0.2.1:6001").unwrap();
        });
        published.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        published.recv(&mut [0; 4]).unwrap();
        hidden.set_nonblocking(true).unwrap();
        assert_eq!(hidden.recv(&mut [0; 4]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    });
}

#[test]
#[ignore = "root"]
fn a_policy_to_drop_is_answered_with_marked_rules() {
    on_a_host(|| {
        let state = tempfile::tempdir().unwrap();
        let outside = machine("192.0.2.1", "192.0.2.2");
        serve(&outside, 7000);
        {
            let rec = &mut Recorder::off();
            let nl = &mut socket::Netlink::open(socket::Family::Netfilter, rec).unwrap();
            nft::foreign::tests::make_dropping_chain(nl, rec);
        }
        let theirs = shown(&observe::rules("filter").unwrap());
        assert_eq!(theirs.len(), 1);
        let mut run = Run::new("aaaa", state.path());
        run.up();
        assert_eq!(run.namespace.run(|| ask(ip("192.0.2.2"), 7000).unwrap()), "192.0.2.1");
        let nat = run.host_ops()[2].clone();
        assert_eq!(observe::rules("filter").unwrap().len(), 3);
        assert!(run.apply(&nat).unwrap(), "no more of them the next time");
        assert_shows(
            &run.evidence(&nat),
            &["nftables NFT_MSG_GETRULE: table ip filter chain FORWARD = iifname \"glass0\" accept"],
        );
        for op in run.host_ops().iter().rev() {
            run.undo(op);
        }
        assert_eq!(shown(&observe::rules("filter").unwrap()), theirs, "theirs stay");
    });
}
