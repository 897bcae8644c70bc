//! A run's network: made, read back, used, taken back.

use super::*;

#[test]
#[ignore = "root"]
fn a_container_reaches_the_gateway_and_says_so() {
    on_a_host(|| {
        let state = tempfile::tempdir().unwrap();
        let mut run = Run::new("aaaa", state.path());
        let ops = run.host_ops();
        for op in &ops {
            assert!(!run.apply(op).unwrap(), "{} is new", op.name());
        }
        let requests =
            run.calls.iter().filter(|c| c.changes).map(|c| c.args[2].1.text() + " " + &c.args[3].1.text());
        let requests: Vec<String> = requests.collect();
        assert_eq!(requests[0], "RTM_NEWLINK NLM_F_CREATE|NLM_F_EXCL", "{requests:?}");
        assert!(
            requests.len() <= 2,
            "the pair is one request, with br_netfilter hairpin another: {requests:?}"
        );
        assert_shows(
            &run.evidence(&ops[0]),
            &[
                "netlink RTM_GETLINK: kind of glass0 = bridge",
                "netlink RTM_GETLINK: state of glass0 = up",
                "netlink RTM_GETLINK: ports of glass0 = 1",
                "netlink RTM_GETADDR: address of glass0 = 10.88.0.1/16",
            ],
        );
        assert_shows(&run.evidence(&ops[1]), &["/proc/sys/net/ipv4/ip_forward: net.ipv4.ip_forward = 1"]);
        assert_shows(
            &run.evidence(&ops[4]),
            &[
                "netlink RTM_GETLINK: host end kind = veth",
                "netlink RTM_GETLINK: host end state = up",
                "netlink RTM_GETLINK: host end bridge = glass0",
            ],
        );
        let lease = run.evidence(&ops[3]);
        assert_eq!((lease.len(), lease[0].value.text().as_str()), (1, "10.88.0.2/16"));

        let mut slots = run.slots.clone();
        let mac = crate::network::names::mac("aaaa");
        run.namespace.run(move || {
            let mut facts = Vec::new();
            for op in inside_ops() {
                let mut rec = Recorder::on();
                let mut cx = Cx { rec: &mut rec, slots: &mut slots };
                assert!(!apply(&op, &mut cx).unwrap(), "{} is new", op.name());
                facts.extend(evidence(&op, &cx));
                assert_eq!(rec.take().iter().filter(|c| c.changes).count(), 1, "{}", op.name());
            }
            assert_shows(
                &facts,
                &[
                    "netlink RTM_GETLINK: link lo = up",
                    "netlink RTM_GETADDR: address of eth0 = 10.88.0.2/16",
                    &format!("netlink RTM_GETLINK: mac of eth0 = {mac}"),
                    "netlink RTM_GETROUTE: route default = via 10.88.0.1 dev eth0",
                    "netlink RTM_GETROUTE: route 10.88.0.0/16 = dev eth0 src 10.88.0.2",
                ],
            );
            // The address and the route are there already: nothing to do.
            for op in &inside_ops()[2..] {
                let mut cx = Cx { rec: &mut Recorder::off(), slots: &mut slots };
                assert!(apply(op, &mut cx).unwrap(), "{}", op.name());
            }
        });
        assert_eq!(shown(&observe::of_process(run.namespace.pid()).unwrap()).len(), 7);

        let all = observe::network(&run.slots);
        assert_shows(
            &all,
            &[
                "netlink RTM_GETLINK: container: link eth0 = veth, up",
                "netlink RTM_GETLINK: link glass0 = bridge, up",
                "netlink RTM_GETLINK: link gbaaaa = veth, up, port of glass0",
                &format!("{}: lease 10.88.0.2 = aaaa", run.leases),
            ],
        );

        serve(&run.namespace, 80);
        assert_eq!(ask(run.address(), 80).unwrap(), "10.88.0.1");
    });
}

#[test]
#[ignore = "root"]
fn the_second_run_finds_the_network_and_the_first_keeps_its_address() {
    on_a_host(|| {
        let state = tempfile::tempdir().unwrap();
        let mut first = Run::new("aaaa", state.path());
        first.up();
        let mut second = Run::new("bbbb", state.path());
        for op in &second.host_ops()[..3] {
            assert!(second.apply(op).unwrap(), "{} is there", op.name());
            assert_eq!(second.changes(), [""; 0], "{}", op.name());
        }
        second.up();
        assert_eq!((first.address(), second.address()), (ip("10.88.0.2"), ip("10.88.0.3")));
        serve(&first.namespace, 80);
        let to = first.address();
        assert_eq!(second.namespace.run(move || ask(to, 80).unwrap()), "10.88.0.3");
    });
}

#[test]
#[ignore = "root"]
fn a_failed_first_run_leaves_the_host_as_it_was() {
    on_a_host(|| {
        let state = tempfile::tempdir().unwrap();
        let before = shown(&observe::here().unwrap());
        let forward = sysctl::read("net/ipv4/ip_forward").unwrap();
        let mut run = Run::new("aaaa", state.path());
        // Killed after each number of steps; undone by a new process.
        for steps in 0..=run.host_ops().len() {
            run.begin();
            let ops = run.host_ops();
            for op in &ops[..steps] {
                run.apply(op).unwrap();
            }
            run.begin();
            run.slots.clear();
            for op in ops.iter().rev() {
                run.undo(op);
            }
            assert_eq!(shown(&observe::here().unwrap()), before, "after {steps} steps");
            assert_eq!(sysctl::read("net/ipv4/ip_forward").unwrap(), forward);
            assert!(observe::rules(TABLE).unwrap().is_empty());
            let bridge = state.path().join("bridge");
            let left =
                std::fs::read_dir(&bridge).map(|d| d.flatten().map(|e| e.file_name()).collect::<Vec<_>>());
            assert!(left.is_err() || left.as_ref().is_ok_and(|l| l == &["leases"]), "{left:?}");
            for op in ops.iter().rev() {
                run.undo(op);
                assert_eq!(run.changes(), [""; 0], "undoing {} again", op.name());
            }
        }
    });
}

#[test]
#[ignore = "root"]
fn a_failed_run_leaves_a_network_that_others_use_or_made() {
    on_a_host(|| {
        let state = tempfile::tempdir().unwrap();
        let mut first = Run::new("aaaa", state.path());
        first.up();
        let host = shown(&observe::here().unwrap());
        let rules = shown(&observe::rules(TABLE).unwrap());
        let mut second = Run::new("bbbb", state.path());
        second.up();
        for op in second.host_ops().iter().rev() {
            second.undo(op);
        }
        assert_eq!(shown(&observe::here().unwrap()), host);
        assert_eq!(shown(&observe::rules(TABLE).unwrap()), rules);
        // The first run's end takes only what is its own; a later failure of
        // another run does not take what this one made.
        first.begin();
        for op in first.host_ops()[3..].iter().rev() {
            first.undo(op);
        }
        second.begin();
        for op in second.host_ops().iter().rev() {
            second.undo(op);
        }
        assert_eq!(shown(&observe::rules(TABLE).unwrap()), rules);
        assert!(query::links().unwrap().iter().any(|l| l.name == BRIDGE));
    });
}

#[test]
#[ignore = "root"]
fn a_run_being_set_up_keeps_the_network() {
    on_a_host(|| {
        let state = tempfile::tempdir().unwrap();
        let mut first = Run::new("aaaa", state.path());
        first.apply(&first.host_ops()[0].clone()).unwrap();
        let leases = first.leases.clone();
        // Another process that has found the bridge and has no lease yet.
        std::thread::scope(|scope| {
            let (ready, wait) = std::sync::mpsc::channel();
            let (done, end) = std::sync::mpsc::channel::<()>();
            scope.spawn(move || {
                state::Place::new("bbbb", Path::new(&leases)).lock_shared(&mut Recorder::off()).unwrap();
                ready.send(()).unwrap();
                let _ = end.recv();
                // Not left to the end of the thread: its locals outlive the scope.
                state::unlock();
            });
            wait.recv().unwrap();
            let op = first.host_ops()[0].clone();
            first.undo(&op);
            assert!(query::links().unwrap().iter().any(|l| l.name == BRIDGE));
            drop(done);
        });
        first.undo(&first.host_ops()[0].clone());
        assert!(!query::links().unwrap().iter().any(|l| l.name == BRIDGE));
    });
}

#[test]
#[ignore = "root"]
fn what_is_in_the_way_is_named() {
    on_a_host(|| {
        let state = tempfile::tempdir().unwrap();
        let mut run = Run::new("aaaa", state.path());
        let bridge = |name: &str, address: &str, prefix| Op::CreateBridge {
            name: name.into(),
            address: ip(address),
            prefix,
        };
        for (op, expected) in [
            (bridge("lo", "10.88.0.1", 16), "use lo as a bridge: it is another kind of link"),
            (bridge("sixteen-bytes-xx", "10.88.0.1", 16), "not a link's name"),
            (bridge("glass0", "10.88.0.1", 40), "prefix length 40"),
            (bridge("glass0", "127.0.0.1", 16), "overlaps 127.0.0.1/8 of lo"),
        ] {
            let failure = run.apply(&op).unwrap_err();
            assert!(failure.what.contains(expected), "{failure}");
        }
        run.up();
        let failure = run.apply(&bridge("glass0", "10.99.0.1", 16)).unwrap_err();
        assert!(failure.what.contains("it has 10.88.0.1/16 instead of 10.99.0.1/16"), "{failure}");
        let failure = run.apply(&bridge("glass1", "10.88.1.1", 24)).unwrap_err();
        assert!(failure.what.contains("overlaps 10.88.0.1/16 of glass0"), "{failure}");
        let failure = run.apply(&run.host_ops()[4].clone()).unwrap_err();
        assert_eq!(failure.errno, Some(Errno::EEXIST));
        assert!(failure.hint.is_some());
    });
}

#[test]
#[ignore = "root"]
fn parallel_first_runs_share_one_network() {
    on_a_host(|| {
        let state = tempfile::tempdir().unwrap();
        let addresses: Vec<Ipv4Addr> = std::thread::scope(|scope| {
            let runs: Vec<_> = (0..6)
                .map(|n| {
                    let state = state.path();
                    scope.spawn(move || {
                        let mut run = Run::new(&format!("run{n}"), state);
                        run.up();
                        // Every third one fails at its end.
                        if n % 3 == 0 {
                            for op in run.host_ops().iter().rev() {
                                run.undo(op);
                            }
                        }
                        (n % 3 != 0).then(|| (run.address(), run))
                    })
                })
                .collect();
            let left: Vec<(Ipv4Addr, Run)> = runs.into_iter().filter_map(|r| r.join().unwrap()).collect();
            let rules = observe::rules(TABLE).unwrap();
            assert_eq!(rules.len(), 8, "{rules:#?}");
            for (address, run) in &left {
                serve(&run.namespace, 80);
                assert_eq!(ask(*address, 80).unwrap(), "10.88.0.1");
            }
            left.into_iter().map(|l| l.0).collect()
        });
        let distinct: std::collections::BTreeSet<_> = addresses.iter().collect();
        assert_eq!(distinct.len(), 4);
    });
}
