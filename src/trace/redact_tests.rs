use super::*;
use crate::plan::{Actor, Op, Phase, StepId};
use crate::trace::{Call, When};

const ID: &str = "4f1c9be2d07a4f1c9be2d07a4f1c9be2d07a4f1c9be2d07a4f1c9be2d07a1234";

fn observed(facts: Vec<(&str, Value)>) -> Event {
    let facts =
        facts.into_iter().map(|(k, v)| Fact { source: "stat(2)".into(), key: k.into(), value: v }).collect();
    Event { seq: 1, at: 99, body: Body::Observed { step: StepId("a.b".into()), when: When::After, facts } }
}

fn knowing(values: Vec<(Kind, &str)>) -> Redactor {
    let mut redactor = Redactor::default();
    redactor.learn(&observed(values.into_iter().map(|(k, v)| ("", Value::volatile(k, v))).collect()));
    redactor
}

#[test]
fn inside_texts() {
    let redactor = knowing(vec![
        (Kind::Path, "/srv/store"),
        (Kind::Path, "/srv/store/tmp"),
        (Kind::Container, ID),
        (Kind::Digest, &format!("sha256:{}", ID.replace('4', "5"))),
        (Kind::Address, "10.88.0.2/16"),
        (Kind::Mac, "02:42:0a:58:00:02"),
        (Kind::Link, "veth4f1c"),
        (Kind::Pid, "4242"),
        (Kind::Inode, "77"),
        (Kind::Namespace, "4026532177"),
        (Kind::Host, "lab"),
        (Kind::Release, "6.18.5"),
    ]);
    let cases = [
        ("/srv/store/layers/x", "<path-1>/layers/x"),
        ("/srv/store/tmp/x", "<path-2>/x"),
        ("lowerdir=/srv/store/a:/srv/store/b", "lowerdir=<path-1>/a:<path-1>/b"),
        ("/srv/store-old /mnt/srv/store /srv/store.d", "/srv/store-old /mnt/srv/store /srv/store.d"),
        ("it is /srv/store.", "it is <path-1>."),
        (&format!("/srv/store/containers/{ID}/upper"), "<path-1>/containers/<container-1>/upper"),
        (&format!("glassbox-{}.json", &ID[..12]), "glassbox-<container-1>.json"),
        (&ID[..13], &ID[..13]),
        (&format!("blobs/sha256/{}", ID.replace('4', "5")), "blobs/sha256/<digest-1>"),
        ("inet 10.88.0.2/16 brd", "inet 192.0.2.1/16 brd"),
        ("ping 10.88.0.2.", "ping 192.0.2.1."),
        ("10.88.0.21 110.88.0.2", "10.88.0.21 110.88.0.2"),
        ("link/ether 02:42:0a:58:00:02", "link/ether <mac-1>"),
        ("veth4f1c@if3 veth4f1c2", "<link-1>@if3 veth4f1c2"),
        (
            "net.ipv4.conf.veth4f1c.forwarding made.veth4f1c.7a",
            "net.ipv4.conf.<link-1>.forwarding made.<link-1>.7a",
        ),
        ("veth4f1c.100 up", "veth4f1c.100 up"),
        ("/proc/sys/net/ipv4/conf/veth4f1c/forwarding", "/proc/sys/net/ipv4/conf/<link-1>/forwarding"),
        ("/run/x/networks/veth4f1c/leases /var/veth4f1c", "/run/x/networks/<link-1>/leases /var/veth4f1c"),
        ("/proc/4242/ns/net 4242 /proc/42421/x", "/proc/<pid-1>/ns/net 4242 /proc/42421/x"),
        ("77 bottles", "77 bottles"),
        ("net:[4026532177]", "net:[<namespace-1>]"),
        ("lab lab-2 label", "<host-1> lab-2 label"),
        ("6.18.5 6.18.5-cloud", "<release-1> 6.18.5-cloud"),
        ("<path-7> stays, 容器 too", "<path-7> stays, 容器 too"),
    ];
    for (text, want) in cases {
        assert_eq!(redactor.text(text), want);
        assert_eq!(redactor.text(want), want, "twice is once");
    }
}

#[test]
fn whole_and_short_forms_share_a_name_in_either_order() {
    for values in [[ID, &ID[..12]], [&ID[..12], ID]] {
        let redactor = knowing(values.iter().map(|v| (Kind::Container, *v)).collect());
        for value in values {
            assert_eq!(redactor.name(Kind::Container, value), "<container-1>");
        }
    }
}

#[test]
fn a_path_of_a_process_varies_by_its_pid() {
    let redactor = knowing(vec![(Kind::Path, "/proc/4242/ns"), (Kind::Pid, "4242"), (Kind::Path, "/proc/7")]);
    assert_eq!(redactor.name(Kind::Path, "/proc/4242/ns"), "/proc/<pid-1>/ns");
    assert_eq!(redactor.name(Kind::Pid, "4242"), "<pid-1>");
    assert_eq!(redactor.text("in /proc/4242/ns and /proc/7"), "in /proc/<pid-1>/ns and /proc/<pid-2>");
}

#[test]
fn a_name_that_is_also_a_word_of_redaction_does_no_harm() {
    let redactor = knowing(vec![(Kind::Host, "container"), (Kind::Container, ID)]);
    assert_eq!(redactor.text("<container-1> on container"), "<container-1> on <host-1>");
}

#[test]
fn times_are_zero_and_numbers_are_named_where_tagged() {
    let call = Call {
        name: "clone3".into(),
        args: vec![("flags".into(), "CLONE_NEWNS".into()), ("n".into(), Value::Int(4242))],
        result: Value::volatile(Kind::Pid, 4242),
        errno: None,
        micros: 17,
        changes: true,
    };
    let event = Event { seq: 3, at: 12, body: Body::Call { step: StepId("a.b".into()), call } };
    let Event { seq: 3, at: 0, body: Body::Call { call, .. } } = redact(&[event]).unwrap().remove(0) else {
        panic!("another event")
    };
    assert_eq!(call.micros, 0);
    assert_eq!(call.result, Value::volatile(Kind::Pid, "<pid-1>"));
    assert_eq!(call.args[1].1, Value::Int(4242));
}

/// A run of one command: only what is volatile depends on `n`.
fn run(n: u32) -> Vec<Event> {
    let id = format!("{n:064x}");
    let store = format!("/tmp/store-{n}");
    let op = Op::MountOverlay {
        lower: vec![format!("{store}/layers/b"), format!("{store}/layers/a")],
        upper: format!("{store}/containers/{id}/upper"),
        work: format!("{store}/containers/{id}/work"),
        style: crate::plan::op::OverlayStyle::Options,
        target: format!("{store}/containers/{id}/root"),
    };
    let about = Body::About {
        step: StepId("union.mount-overlay".into()),
        phase: Phase::Union,
        actor: Actor::Init,
        op,
    };
    vec![
        Event { seq: 0, at: u64::from(n), body: about },
        observed(vec![
            ("root", Value::from(format!("overlay on {store}/containers/{id}/root"))),
            ("inode", Value::volatile(Kind::Inode, n)),
            ("store", Value::volatile(Kind::Path, &store)),
            ("id", Value::volatile(Kind::Container, &id)),
            ("host name", Value::from(id[..12].to_owned())),
            ("pid", Value::volatile(Kind::Pid, n + 1)),
            ("again", Value::from(format!("/proc/{}/ns", n + 1))),
        ]),
    ]
}

#[test]
fn two_runs_redact_to_the_same_bytes_and_twice_is_once() {
    let text = |events: &[Event]| serde_json::to_string(events).unwrap();
    let one = redact(&run(70_000)).unwrap();
    let two = redact(&run(123_456)).unwrap();
    assert_eq!(text(&one), text(&two));
    assert_eq!(text(&redact(&one).unwrap()), text(&one));
    assert!(text(&one).contains("<path-1>/containers/<container-1>/upper"), "{}", text(&one));
    assert!(!text(&one).contains("70000"));
}

proptest::proptest! {
    #[test]
    fn no_text_breaks_it(text in "(/srv/store|sha256:|<path-1>|<|[a-f0-9]{1,14}|[/.: 容])*") {
        let redactor = knowing(vec![(Kind::Path, "/srv/store"), (Kind::Container, ID), (Kind::Address, "10.0.0.2/8")]);
        let once = redactor.text(&text);
        proptest::prop_assert_eq!(redactor.text(&once), once);
    }
}

#[test]
fn operations_keep_addresses_that_are_addresses() {
    let op = Op::CreateNat {
        table: "t".to_owned(),
        bridge: "b".to_owned(),
        subnet: "10.247.32.0".parse().unwrap(),
        prefix: 24,
    };
    let fact = |key: &str, value: &str| Fact {
        source: "netlink".into(),
        key: key.to_owned(),
        value: Value::volatile(Kind::Address, value),
    };
    let step = StepId("network.nat".to_owned());
    let facts = vec![fact("gateway of 10.247.32.1", "10.247.32.1/24"), fact("net", "10.247.32.0")];
    let bodies = [
        Body::About { step: step.clone(), phase: Phase::Network, actor: Actor::Runtime, op },
        Body::Observed { step, when: When::After, facts },
    ];
    let events: Vec<Event> =
        bodies.into_iter().enumerate().map(|(n, body)| Event { seq: n as u64, at: 7, body }).collect();
    let redacted = redact(&events).unwrap();
    let Body::About { op: Op::CreateNat { subnet, .. }, .. } = &redacted[0].body else { unreachable!() };
    assert_eq!(subnet.to_string(), "192.0.2.0");
    let Body::Observed { facts, .. } = &redacted[1].body else { unreachable!() };
    assert_eq!(facts[0], fact("gateway of 192.0.2.1", "192.0.2.1/24"));
    // What is redacted already stays as it is.
    assert_eq!(redact(&redacted).unwrap(), redacted);
}

#[test]
fn without_numbers_only_kinds_stay() {
    let cases = [
        ("<pid-7> of <container-12>", "<pid> of <container>"),
        ("via 192.0.2.7/16, 198.51.100.0/24.", "via <address>/16, <network>/24."),
        ("192.0.21.7 1192.0.2.7 10.0.0.1", "192.0.21.7 1192.0.2.7 10.0.0.1"),
        ("<b-1> <pid-> <pid>", "<b-1> <pid-> <pid>"),
    ];
    for (text, want) in cases {
        assert_eq!(unnumbered(text), want);
        assert_eq!(unnumbered(want), want);
    }
}
