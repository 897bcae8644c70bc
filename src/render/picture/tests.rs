//! On recordings of real runs: what the picture holds is what they say.

use super::*;
use crate::plan::op::{Limit, Ns};
use crate::trace::record::read;

/// A run on Linux with a bridge, a published port and a memory limit.
const BRIDGE: &str = include_str!("fixtures/linux-bridge.jsonl");
/// A run on the model that failed at the pivot, with its rollback.
const ROLLBACK: &str = include_str!("fixtures/model-rollback.jsonl");
/// A redacted recording on Linux without a network, that of a lesson.
const LESSON: &str = include_str!("../../../lessons/01-copy-on-write/recordings/copy-up.jsonl");

fn events(recording: &str) -> Vec<Event> {
    read(recording.as_bytes()).collect::<Result<_, _>>().unwrap()
}

/// How many events there are up to and with the first that is so.
fn until(events: &[Event], wanted: impl Fn(&Body) -> bool) -> usize {
    events.iter().position(|e| wanted(&e.body)).expect("there is such an event") + 1
}

fn is_done(step: &str) -> impl Fn(&Body) -> bool {
    move |body| matches!(body, Body::Done { step: id, .. } if id.0 == step)
}

fn is_about(step: &str) -> impl Fn(&Body) -> bool {
    move |body| matches!(body, Body::About { step: id, .. } if id.0 == step)
}

#[test]
fn before_the_first_event_there_is_nothing() {
    assert_eq!(Picture::at(&events(BRIDGE), 0), Picture::default());
    let first = Picture::at(&events(BRIDGE), 1);
    assert_eq!(first.kernel, Some(KernelName::Linux));
    assert!(first.progress.steps.len() > 50);
    assert!(first.progress.steps.iter().all(|s| s.state == State::Ahead));
    assert_eq!(first.layers, Layers::default());
}

#[test]
fn about_to_is_not_done() {
    let events = events(BRIDGE);
    let about = Picture::at(&events, until(&events, is_about("union.mount-overlay")));
    assert_eq!(about.progress.at().unwrap().state, State::About);
    assert_eq!(about.layers.union, None);
    assert_eq!(about.layers.read_only.len(), 3);
    let done = Picture::at(&events, until(&events, is_done("union.mount-overlay")));
    assert_eq!(done.progress.at().unwrap().state, State::Done);
    let union = done.layers.union.unwrap();
    assert!(!union.attached && union.target.ends_with("/rootfs"));
}

#[test]
fn layers_have_the_sizes_that_were_counted() {
    let events = events(BRIDGE);
    let end = Picture::at(&events, until(&events, is_done("image.unpack-layer-3")));
    let layers: Vec<_> = end.layers.read_only.iter().map(|l| (l.index, l.entries, l.reused)).collect();
    assert_eq!(layers, [(1, Some(24), false), (2, Some(9), false), (3, Some(68), false)]);
    assert_eq!(end.layers.read_only[2].whiteouts, Some(1));
    assert!(end.layers.read_only[1].bytes > Some(1 << 20));
    assert_eq!(end.layers.image.as_deref(), Some("docker.io/library/box:latest"));
}

#[test]
fn namespaces_are_own_or_shared_with_their_inodes() {
    let events = events(BRIDGE);
    let before = Picture::at(&events, until(&events, is_about("namespaces.clone")));
    assert!(before.namespaces.all.is_empty() && before.processes.all.is_empty());
    let after = Picture::at(&events, until(&events, is_done("namespaces.clone")));
    let own = |ns| after.namespaces.get(ns).unwrap().own;
    assert!(own(Ns::Pid) && own(Ns::Net) && own(Ns::Mnt) && !own(Ns::User) && !own(Ns::Cgroup));
    let net = after.namespaces.get(Ns::Net).unwrap();
    assert!(net.inside.as_ref().unwrap().text().starts_with("net:["));
    assert_ne!(net.inside, net.host);
    let init = after.processes.init().unwrap();
    assert_eq!((init.inside.clone(), init.state.clone()), (Some(Value::Int(1)), ProcessState::Preparing));
    assert_eq!(Some(&init.outside), after.slots.get(&Slot::InitPid));
    let named = Picture::at(&events, until(&events, is_done("security.set-hostname")));
    assert_eq!(named.namespaces.hostname.as_deref(), Some(&after.container[..12]));
}

#[test]
fn the_way_of_a_packet_is_there_while_the_container_lives() {
    let events = events(BRIDGE);
    let live = Picture::at(&events, until(&events, is_done("exec.exec")));
    let network = &live.network;
    assert_eq!(network.bridge.as_ref().unwrap().address, "10.98.7.1/24");
    assert_eq!(network.veth.as_ref().unwrap().bridge, "glass-stepper");
    assert_eq!(network.address.as_ref().unwrap().1.text(), "10.98.7.2/24");
    assert_eq!(network.ports[0].host_port, 18080);
    assert!(network.rules.iter().any(|r| r.text.ends_with("dnat to 10.98.7.2:80")));
    assert!(network.rules.iter().any(|r| r.text.contains("masquerade")));
    assert!(network.routes.contains(&("default".to_owned(), "via 10.98.7.1 dev eth0".to_owned())));
    let end = Picture::at(&events, events.len());
    assert!(end.network.veth.is_none() && end.network.ports.is_empty() && end.network.lease.is_none());
    assert!(!end.network.rules.iter().any(|r| r.text.contains("dnat to")));
    // The network outlives the container.
    assert!(end.network.bridge.is_some());
}

#[test]
fn a_life_has_a_process_and_ends_with_its_status() {
    let events = events(BRIDGE);
    let live = Picture::at(&events, until(&events, is_done("exec.exec")));
    let init = live.processes.init().unwrap();
    assert_eq!((init.program.as_str(), &init.state), ("sh", &ProcessState::Running));
    assert!(!live.namespaces.ended && live.mounts.points.iter().any(|m| m.target == "/proc"));
    let end = Picture::at(&events, events.len());
    assert_eq!(end.processes.init().unwrap().state, ProcessState::Exited(0));
    assert!(end.namespaces.ended && end.mounts.ended);
    assert_eq!(end.status, Some(0));
}

#[test]
fn limits_are_those_read_back_and_go_with_the_group() {
    let events = events(BRIDGE);
    let limited = Picture::at(&events, until(&events, is_done("mounts.join-cgroup")));
    let memory = limited.cgroup.limits.iter().find(|l| l.limit == Limit::Memory).unwrap();
    assert_eq!((memory.file.as_str(), memory.value.as_str()), ("memory.limit_in_bytes", "67108864"));
    assert!(limited.cgroup.joined && limited.cgroup.devices);
    assert!(Picture::at(&events, events.len()).cgroup.groups.is_empty());
}

#[test]
fn the_writable_layer_holds_what_was_read_from_it() {
    let events = events(BRIDGE);
    let read = Picture::at(&events, until(&events, is_done("life.read-changes")));
    let writable = read.layers.writable.unwrap();
    let what = |path: &str| writable.entries.iter().find(|e| e.path == path).map(|e| e.what);
    assert_eq!(what("/etc/motd"), Some(What::Copied));
    assert_eq!(what("/etc/passwd"), Some(What::Whiteout));
    assert_eq!(what("/new"), Some(What::Added));
    let end = Picture::at(&events, events.len());
    assert!(end.layers.writable.unwrap().removed && end.layers.union.is_none());
}

#[test]
fn a_rollback_takes_the_picture_apart_again() {
    let events = events(ROLLBACK);
    let failed = Picture::at(&events, until(&events, |b| matches!(b, Body::Failed { .. })));
    let at = failed.progress.at().unwrap();
    assert_eq!((at.step.id.0.as_str(), at.state), ("pivot.pivot-root", State::Failed));
    assert_eq!(failed.kernel, Some(KernelName::Model));
    assert!(at.failure.as_ref().unwrap().what.contains("injected"));
    assert!(!failed.progress.rolling_back && failed.network.veth.is_some());
    let end = Picture::at(&events, events.len());
    assert!(end.progress.rolling_back);
    assert_eq!(end.status, Some(125));
    let state = |id: &str| end.progress.steps.iter().find(|s| s.step.id.0 == id).unwrap().state;
    assert_eq!(state("union.mount-overlay"), State::Undone);
    assert_eq!(state("image.read-image"), State::Done);
    assert_eq!(state("exec.exec"), State::Ahead);
    assert_eq!(end.layers.union, None);
    assert!(end.network.veth.is_none() && end.network.bridge.is_none() && end.network.rules.is_empty());
    assert!(end.cgroup.groups.is_empty() && end.namespaces.ended);
    assert!(end.processes.all.iter().all(|p| p.state.over()));
    let veth = end.progress.steps.iter().find(|s| s.step.id.0 == "network.create-veth").unwrap();
    assert!(!veth.calls.is_empty() && !veth.undo.as_ref().unwrap().calls.is_empty());
}

#[test]
fn evidence_before_and_after_stays_apart() {
    let events = events(ROLLBACK);
    let end = Picture::at(&events, until(&events, is_done("cgroup.limit-memory-max")));
    let step = end.progress.steps.iter().find(|s| s.step.id.0 == "cgroup.limit-memory-max").unwrap();
    assert_eq!(step.before[0].value.text(), "max");
    assert_eq!(step.after[0].value.text(), "67108864");
}

#[test]
fn every_state_follows_from_the_one_before() {
    for recording in [BRIDGE, ROLLBACK, LESSON] {
        let events = events(recording);
        let mut folded = Picture::default();
        for (n, event) in events.iter().enumerate() {
            folded.event(event);
            if n % 37 == 0 {
                assert_eq!(folded, Picture::at(&events, n + 1));
            }
        }
        assert_eq!(folded, Picture::at(&events, usize::MAX));
        assert!(compare(&folded, &folded).is_empty());
    }
}

#[test]
fn a_redacted_recording_gives_a_picture_too() {
    let events = events(LESSON);
    let live = Picture::at(&events, until(&events, is_done("exec.exec")));
    assert!(live.namespaces.get(Ns::Net).unwrap().own);
    assert_eq!(live.network.bridge, None);
    assert_eq!(live.layers.read_only.len(), 3);
}

#[test]
fn two_states_differ_by_what_happened_between() {
    let events = events(BRIDGE);
    let before = Picture::at(&events, until(&events, is_about("network.create-bridge")));
    let after = Picture::at(&events, until(&events, is_done("network.create-bridge")));
    let changes = compare(&before, &after);
    let told: Vec<_> =
        changes.iter().map(|c| (c.topic, c.key.as_str(), c.before.as_deref(), c.after.as_deref())).collect();
    assert_eq!(
        told,
        [
            (Topic::Steps, "network.create-bridge", Some("about to"), Some("done, nothing changed")),
            (Topic::Network, "bridge glass-stepper", None, Some("10.98.7.1/24")),
        ]
    );
    let back = compare(&after, &before);
    assert_eq!(back[1].after, None);
    let all = compare(&Picture::default(), &Picture::at(&events, until(&events, is_done("exec.exec"))));
    for topic in Topic::ALL {
        assert!(all.iter().any(|c| c.topic == topic), "{topic:?}");
    }
}
