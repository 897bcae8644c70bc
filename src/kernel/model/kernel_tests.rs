//! Whole plans on the model: made by the planner, run by the userland.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;

use super::*;
use crate::kernel::model::vfs::tests::read;
use crate::plan::Plan;
use crate::spec::ports::PortMapping;
use crate::spec::{BridgeNetwork, Dirs, RunRequest};
use crate::userland::{MULTICALL, PROGRAMS};

const ID: &str = "c0ffee0000000000000000000000000000000000000000000000000000000000";
const STORE: &str = "/var/lib/glassbox";

type Texts = Rc<RefCell<(String, String)>>;

fn console(input: &'static [u8]) -> (Console, Texts) {
    let output: Texts = Rc::default();
    let (to, mut input) = (output.clone(), Some(input.to_vec()));
    let console = Console {
        output: Box::new(move |stream, bytes| {
            let text = String::from_utf8_lossy(bytes).into_owned();
            let mut out = to.borrow_mut();
            match stream {
                Stream::Stdout => out.0.push_str(&text),
                Stream::Stderr => out.1.push_str(&text),
            }
            true
        }),
        input: Box::new(move || input.take()),
    };
    (console, output)
}

fn image() -> crate::image::Image {
    let mut image = builtin::model_image(PROGRAMS);
    for (n, layer) in image.layers.iter_mut().enumerate() {
        layer.dir = PathBuf::from(format!("{STORE}/layers/{n}"));
    }
    image
}

fn world() -> World {
    let mut world = World::new();
    for (n, layer) in builtin::layers(PROGRAMS).iter().enumerate() {
        world.add_layer(&format!("{STORE}/layers/{n}"), &layer.entries).unwrap();
    }
    // The container's directory is made with its record, before the plan runs.
    for path in [format!("containers/{ID}"), "leases".to_owned()] {
        world.populate(STORE, &[crate::kernel::model::HostEntry::Dir { path, mode: 0o755 }]).unwrap();
    }
    world
}

fn plan(request: &RunRequest) -> Plan {
    let image = image();
    let spec = crate::spec::build::build(crate::spec::build::Inputs {
        id: ID.to_owned(),
        name: "test".to_owned(),
        request,
        image: &image,
        user: crate::spec::user::User { uid: 0, gid: 0, groups: vec![0], home: "/root".to_owned() },
        facts: &ModelKernel::host_facts(),
        bridge: BridgeNetwork {
            bridge: "glass0".to_owned(),
            table: "glassbox".to_owned(),
            subnet: [172, 30, 0, 0].into(),
            prefix: 16,
            gateway: [172, 30, 0, 1].into(),
            ports: Vec::new(),
        },
        dirs: Dirs {
            container: PathBuf::from(format!("{STORE}/containers/{ID}")),
            scope: String::new(),
            leases: PathBuf::from(format!("{STORE}/leases")),
        },
        host_name: "model".to_owned(),
    })
    .unwrap();
    crate::plan::run::plan(&spec, &ModelKernel::host_facts()).unwrap()
}

fn script(text: &str) -> RunRequest {
    RunRequest { command: vec!["sh".into(), "-c".into(), text.into()], ..RunRequest::default() }
}

struct Ran {
    status: Result<String, StepFailure>,
    out: String,
    err: String,
    kernel: ModelKernel,
    applied: BTreeMap<String, Applied>,
}

fn run_on(world: World, request: &RunRequest, input: &'static [u8], watch: Watch) -> Ran {
    let (console, output) = console(input);
    let mut kernel = ModelKernel::new(world, console);
    let plan = plan(request);
    let mut slots = Slots::new();
    let mut applied = BTreeMap::new();
    kernel.begin(&plan, watch);
    let mut failed = None;
    for step in &plan.steps {
        match kernel.apply(step, &mut slots, &mut |_| {}) {
            Ok(a) => {
                applied.insert(step.id.0.clone(), a);
            }
            Err(e) => {
                failed = Some(e);
                break;
            }
        }
    }
    let status = match failed {
        Some(e) => Err(e),
        None => Ok(slots.get(&Slot::ExitStatus).map(Value::text).unwrap_or_default()),
    };
    let (out, err) = output.borrow().clone();
    Ran { status, out, err, kernel, applied }
}

fn run(request: &RunRequest) -> Ran {
    run_on(world(), request, b"", Watch::Off)
}

fn sh(text: &str) -> (String, String) {
    let ran = run(&script(text));
    let status = ran.status.unwrap_or_else(|e| format!("{:?}: {}", e.step, e.failure));
    (format!("{}{}", ran.out, ran.err), status)
}

#[test]
fn scripts_run_as_on_linux() {
    let cases: &[(&str, &str, &str)] = &[
        ("echo hello > /etc/motd; cat /etc/motd", "hello\n", "0"),
        ("exit 3", "", "3"),
        ("echo a | cat | cat; echo b >&2", "a\nb\n", "0"),
        ("false || echo no; (exit 4); echo $?", "no\n4\n", "0"),
        ("echo $$; sh -c 'echo $$'", "1\n2\n", "0"),
        ("kill -9 $$; echo alive", "alive\n", "0"),
        ("sh -c 'kill -9 $$'; echo $?", "137\nKilled\n", "0"),
        ("sh -c 'kill -15 $$' & wait $!; echo $?", "143\n", "0"),
        ("cat /proc/1/comm /proc/self/comm", "sh\ncat\n", "0"),
        ("cat /proc/sys/kernel/hostname", "c0ffee000000\n", "0"),
        ("(echo x > /proc/sys/kernel/hostname) 2>/dev/null || echo read-only", "read-only\n", "0"),
        ("cat /dev/null; (echo x > /dev/full) 2>/dev/null || echo full", "full\n", "0"),
        ("echo out > /dev/stdout; echo err > /dev/stderr", "out\nerr\n", "0"),
        (
            "echo '#!/bin/sh' > /tmp/s; echo 'echo script $1' >> /tmp/s; chmod +x /tmp/s; /tmp/s one",
            "script one\n",
            "0",
        ),
        ("sleep 1000 & kill $!; wait $!; echo $?", "143\n", "0"),
        ("trap 'echo caught' TERM; kill $$; echo after", "caught\nafter\n", "0"),
    ];
    for (text, out, status) in cases {
        assert_eq!(sh(text), ((*out).to_owned(), (*status).to_owned()), "{text}");
    }
}

#[test]
fn the_container_sees_its_own_system() {
    let contains: &[(&str, &[&str])] = &[
        ("ps", &["1 root", "2 root"]),
        ("hostname; id", &["c0ffee000000\n", "uid=0(root)"]),
        ("mount", &["overlay on / type overlay (rw", "proc on /proc/sys type proc (ro", "cgroup2 (ro"]),
        ("ip addr; ip route", &["eth0@if4", "172.30.0.2/16", "default via 172.30.0.1"]),
        ("ping -c 1 172.30.0.1", &["1 packets received"]),
        ("ping -c 1 -W 1 198.51.100.1", &["100% packet loss"]),
        ("grep NSpid /proc/self/status; cat /proc/self/cgroup", &["NSpid:\t2", "0::/\n"]),
        ("nc -l -p 80 > /tmp/got & sleep 1; echo hi | nc 172.30.0.2 80; wait; cat /tmp/got", &["hi\n"]),
        ("mount -t tmpfs t /mnt", &["not permitted"]),
        ("touch /sys/x", &["Read-only file system"]),
        ("cat /etc/hosts", &["172.30.0.2\tc0ffee000000"]),
        ("mkdir /a; cd /a; rmdir /a; touch x", &["No such file"]),
        ("while :; do sleep 1; done & sleep 5; kill $!; wait; date", &["00:00:05"]),
    ];
    for (text, parts) in contains {
        let (out, _) = sh(text);
        for part in *parts {
            assert!(out.contains(part), "{text}: no {part:?} in {out}");
        }
    }
}

#[test]
fn the_writable_layer_holds_what_changed() {
    let request = script("echo hello > /etc/motd; rm /etc/passwd; mkdir /new; echo x > /new/f");
    let mut ran = run(&request);
    assert_eq!(ran.status, Ok("0".to_owned()), "{}", ran.err);
    ran.kernel.with_world(|w| {
        let ctx = w.ctx(1).unwrap();
        let upper = format!("{STORE}/containers/{ID}/upper");
        assert_eq!(read(w, &ctx, &format!("{upper}/etc/motd")).unwrap(), "hello\n");
        let gone = w.stat(&ctx, &format!("{upper}/etc/passwd"), false).unwrap();
        assert_eq!((gone.kind, gone.rdev_major), (userland::FileType::Char, 0));
        assert!(w.procs.len() == 2, "init and the runtime are left: {:?}", w.procs.keys());
    });
    let again = World::load(&ran.kernel.save()).unwrap();
    let (console, _) = console(b"");
    let mut kernel = ModelKernel::new(again, console);
    let record = format!("{STORE}/containers/{ID}/record.json");
    let text = kernel.with_world(|w| {
        let ctx = w.ctx(1).unwrap();
        read(w, &ctx, &record).unwrap()
    });
    assert!(text.contains(r#""exit_code":0"#), "{text}");
}

#[test]
fn the_command_must_be_found_and_executable() {
    let cases = [("nonsense", 127), ("/etc/passwd", 126), ("/nowhere", 127), ("/etc", 126)];
    for (command, status) in cases {
        let request = RunRequest { command: vec![command.to_owned()], ..RunRequest::default() };
        let failure = run(&request).status.unwrap_err().failure;
        assert_eq!(failure.status, status, "{command}: {failure}");
    }
}

#[test]
fn a_published_port_and_the_host_meet() {
    let request = RunRequest {
        publish: vec![PortMapping {
            protocol: crate::plan::op::Protocol::Tcp,
            host_ip: std::net::Ipv4Addr::UNSPECIFIED,
            host_port: 8080,
            container_port: 80,
        }],
        ..script("nc -l -p 80 & sleep 1; echo through | nc 192.0.2.10 8080; wait")
    };
    let ran = run(&request);
    assert_eq!(ran.out, "through\n", "{:?} {}", ran.status, ran.err);
}

#[test]
fn limits_hold() {
    let mut request = script("for i in 1 2 3 4 5; do sleep 5 & done; echo started; wait");
    request.pids_limit = Some(4);
    let ran = run(&request);
    assert!(ran.err.contains("temporarily unavailable"), "{:?} {:?} {:?}", ran.status, ran.out, ran.err);
    let mut request = script("cat /dev/zero > /dev/shm/fill; echo $?");
    request.memory = Some(8 << 20);
    let ran = run(&request);
    assert_eq!((ran.out.as_str(), ran.status), ("137\n", Ok("0".to_owned())), "{}", ran.err);
}

#[test]
fn input_and_terminal() {
    let request = RunRequest { interactive: true, ..script("read a; echo got $a; cat") };
    let ran = run_on(world(), &request, b"one\ntwo\n", Watch::Off);
    assert_eq!((ran.out.as_str(), ran.status), ("got one\ntwo\n", Ok("0".to_owned())), "{}", ran.err);
    let request =
        RunRequest { interactive: true, tty: true, ..script("test -t 0 && echo tty; read a; echo $a") };
    let ran = run_on(world(), &request, b"ab\x7fc\r", Watch::Off);
    assert_eq!(ran.out, "tty\r\nab\x08 \x08c\r\nac\r\n", "{:?} {}", ran.status, ran.err);
}

#[test]
fn every_step_that_changes_something_says_so() {
    let request = RunRequest {
        publish: vec![PortMapping {
            protocol: crate::plan::op::Protocol::Tcp,
            host_ip: std::net::Ipv4Addr::UNSPECIFIED,
            host_port: 8080,
            container_port: 80,
        }],
        ..script("true")
    };
    let ran = run_on(world(), &request, b"", Watch::BeforeAndAfter);
    assert_eq!(ran.status, Ok("0".to_owned()), "{}", ran.err);
    let names = |id: &str| -> Vec<&str> {
        ran.applied
            .get(id)
            .unwrap_or_else(|| panic!("no {id} in {:?}", ran.applied.keys()))
            .calls
            .iter()
            .map(|c| c.name.as_str())
            .collect()
    };
    assert_eq!(names("namespaces.clone"), ["clone3"]);
    assert_eq!(names("pivot.pivot-root"), ["chdir", "pivot_root", "umount2", "chdir"]);
    assert!(names("union.mount-overlay").contains(&"fsconfig"));
    assert_eq!(names("exec.exec"), ["chdir", "execve"]);
    for (id, a) in &ran.applied {
        let undoes = id.starts_with("exit.undo-");
        if a.calls.iter().any(|c| c.changes && c.errno.is_none()) && !undoes {
            assert!(!a.after.is_empty(), "{id} changed something and shows no evidence");
        }
        assert!(a.calls.iter().all(|c| c.micros == 0), "the model has no clock");
    }
    let fact = |id: &str, key: &str| -> String {
        let facts = &ran.applied[id].after;
        facts.iter().find(|f| f.key == key).unwrap_or_else(|| panic!("{id} {key} {facts:?}")).value.text()
    };
    assert_eq!(fact("network.add-address", "address of eth0"), "172.30.0.2/16");
    assert!(fact("namespaces.clone", "ns pid").starts_with("pid:["));
    assert!(
        fact("mounts.mount-proc", &format!("mount {STORE}/containers/{ID}/rootfs/proc"))
            .contains(" proc proc ")
    );
}

/// What a failed run must not leave behind.
fn left(kernel: &mut ModelKernel) -> String {
    let saved = kernel.save();
    kernel.with_world(|w| {
        let links: Vec<_> = w.net.links.values().map(|l| l.name.clone()).collect();
        let tables: Vec<_> = w.net.stacks.values().map(|s| format!("{:?}", s.tables)).collect();
        let mounts: Vec<_> = w.mounts.all().map(|m| m.id).collect();
        let groups = w.cgroups.name_of(crate::kernel::model::cgroup::dir_ino(1));
        let procs: Vec<_> = w.procs.keys().copied().collect();
        let tree: serde_json::Value = serde_json::from_slice(&saved).unwrap();
        let names: Vec<String> =
            tree["inodes"].as_array().unwrap().iter().map(|i| i["entries"].to_string()).collect();
        format!("{links:?} {tables:?} {mounts:?} {groups:?} {procs:?} {:?}\n{}", w.ns.ids(), names.join("\n"))
    })
}

#[test]
fn a_failure_at_any_step_leaves_the_host_as_it_was() {
    let request = script("true");
    let plan = plan(&request);
    let (quiet, _) = console(b"");
    let before = left(&mut ModelKernel::new(world(), quiet));
    for failing in plan.steps.iter().filter(|s| s.phase < crate::plan::Phase::Life) {
        let (quiet, _) = console(b"");
        let mut kernel = ModelKernel::new(world(), quiet);
        kernel.fail_at(failing.id.clone(), Errno::EIO);
        kernel.begin(&plan, Watch::After);
        let mut slots = Slots::new();
        let failed =
            plan.steps.iter().position(|s| kernel.apply(s, &mut slots, &mut |_| {}).is_err()).unwrap();
        assert_eq!(plan.steps[failed].id, failing.id);
        for round in 0..2 {
            for step in plan.steps.iter().rev() {
                let undone = kernel.undo(&step.op, &slots).unwrap();
                assert!(round == 0 || !undone.calls.iter().any(|c| c.changes), "{} undone twice", step.id);
            }
        }
        // The network's links, rules, and its leases' directory may stay.
        assert_eq!(left(&mut kernel), before, "after a failure at {}", failing.id);
    }
}

#[test]
fn the_marker_is_what_the_multicall_binary_holds() {
    let mut w = world();
    let ctx = w.ctx(1).unwrap();
    let text = read(&mut w, &ctx, &format!("{STORE}/layers/1/bin/{MULTICALL}")).unwrap();
    assert_eq!(text.as_bytes(), crate::kernel::model::process::MARKER);
}
