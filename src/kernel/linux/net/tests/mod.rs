//! Root tests. Each has a network namespace of its own for its host, entered by
//! a thread of its own, and one for each of its containers. Nothing reaches the
//! machine's own network, and the kernel removes everything at the end.

mod ports;
mod run;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sched::{CloneFlags, unshare};

use super::observe::in_namespace;
use super::*;
use crate::kernel::Slots;
use crate::kernel::linux::recorder::Recorder;
use crate::plan::op::Protocol;
use crate::plan::{Actor, Phase, Plan, Step, StepId};
use crate::trace::{Call, Fact};

const TABLE: &str = "glassbox";
const BRIDGE: &str = "glass0";
const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 88, 0, 1);

fn ip(text: &str) -> Ipv4Addr {
    text.parse().unwrap()
}

/// Runs a test on a thread whose network namespace is new, as its host.
fn on_a_host(test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::spawn(|| {
        unshare(CloneFlags::CLONE_NEWNET).expect("needs root");
        query::set_link_up("lo", true).unwrap();
        // A new namespace takes this value from the real host.
        std::fs::write("/proc/sys/net/ipv4/ip_forward", "0").unwrap();
        test();
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// A process in a network namespace of its own, which ends when dropped.
struct Namespace(Child);

impl Namespace {
    fn new() -> Self {
        let mut command = Command::new("cat");
        command.stdin(Stdio::piped()).stdout(Stdio::null());
        // SAFETY: between fork and exec the child makes one system call and
        // allocates nothing.
        unsafe { command.pre_exec(|| Ok(unshare(CloneFlags::CLONE_NEWNET)?)) };
        Namespace(command.spawn().unwrap())
    }

    fn pid(&self) -> i32 {
        self.0.id() as i32
    }

    fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        in_namespace(self.pid(), work).unwrap()
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// A run of one container on the default network.
struct Run {
    id: String,
    leases: String,
    slots: Slots,
    namespace: Namespace,
    calls: Vec<Call>,
}

impl Run {
    fn new(id: &str, state: &Path) -> Self {
        let run = Run {
            id: id.to_owned(),
            leases: state.join("bridge/leases").display().to_string(),
            slots: Slots::new(),
            namespace: Namespace::new(),
            calls: Vec::new(),
        };
        run.begin();
        run
    }

    /// As a new process of this run's would begin.
    fn begin(&self) {
        let step = |(n, op)| Step {
            id: StepId(format!("network.{n}")),
            phase: Phase::Network,
            actor: Actor::Runtime,
            op,
        };
        let steps = self.host_ops().into_iter().enumerate().map(step).collect();
        begin(&Plan { version: 1, container: self.id.clone(), steps });
    }

    fn host_ops(&self) -> Vec<Op> {
        let subnet = ip("10.88.0.0");
        vec![
            Op::CreateBridge { name: BRIDGE.into(), address: GATEWAY, prefix: 16 },
            Op::WriteSysctl { file: "net/ipv4/ip_forward".into(), value: "1".into() },
            Op::CreateNat { table: TABLE.into(), bridge: BRIDGE.into(), subnet, prefix: 16 },
            Op::AllocateAddress {
                network: "bridge".into(),
                leases: self.leases.clone(),
                subnet,
                prefix: 16,
                gateway: GATEWAY,
                container: self.id.clone(),
            },
            Op::CreateVeth {
                host: format!("gb{}", self.id),
                peer: "eth0".into(),
                bridge: BRIDGE.into(),
                mac: crate::network::names::mac(&self.id),
            },
        ]
    }

    fn publish(&self, host_ip: &str, host_port: u16, container_port: u16) -> Op {
        Op::PublishPort {
            table: TABLE.into(),
            protocol: Protocol::Tcp,
            host_ip: ip(host_ip),
            host_port,
            container_port,
            address: Arg::Slot { slot: Slot::Address },
            container: self.id.clone(),
        }
    }

    fn apply(&mut self, op: &Op) -> Result<bool, Failure> {
        self.slots.insert(Slot::InitPid, Value::volatile(Kind::Pid, self.namespace.pid()));
        let mut rec = Recorder::on();
        let done = apply(op, &mut Cx { rec: &mut rec, slots: &mut self.slots });
        self.calls = rec.take();
        done
    }

    fn undo(&mut self, op: &Op) {
        let mut rec = Recorder::on();
        undo(op, &mut Cx { rec: &mut rec, slots: &mut self.slots }).unwrap();
        self.calls = rec.take();
    }

    fn evidence(&mut self, op: &Op) -> Vec<Fact> {
        evidence(op, &Cx { rec: &mut Recorder::off(), slots: &mut self.slots })
    }

    /// Everything up to a container that can be reached.
    fn up(&mut self) {
        for op in self.host_ops() {
            self.apply(&op).unwrap();
        }
        let mut slots = self.slots.clone();
        self.namespace.run(move || {
            for op in inside_ops() {
                apply(&op, &mut Cx { rec: &mut Recorder::off(), slots: &mut slots }).unwrap();
            }
        });
    }

    fn address(&self) -> Ipv4Addr {
        parse_address(&self.slots[&Slot::Address].text()).unwrap().0
    }

    /// Calls that changed something.
    fn changes(&self) -> Vec<&str> {
        self.calls.iter().filter(|c| c.changes).map(|c| c.name.as_str()).collect()
    }
}

fn inside_ops() -> [Op; 4] {
    [
        Op::SetLinkUp { link: "lo".into() },
        Op::SetLinkUp { link: "eth0".into() },
        Op::AddAddress { link: "eth0".into(), address: Arg::Slot { slot: Slot::Address } },
        Op::AddDefaultRoute { via: GATEWAY },
    ]
}

fn shown(facts: &[Fact]) -> Vec<String> {
    facts.iter().map(|f| format!("{}: {} = {}", f.source, f.key, f.value)).collect()
}

fn assert_shows(facts: &[Fact], expected: &[&str]) {
    let shown = shown(facts);
    for line in expected {
        assert!(shown.iter().any(|s| s == line), "no {line:?} in {shown:#?}");
    }
}

/// A server in a namespace that tells each client which address it sees.
fn serve(namespace: &Namespace, port: u16) {
    let listener = namespace.run(|| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).unwrap());
    // The listener stays in its namespace; the thread ends with the test's process
    // or with the first failed accept.
    std::thread::spawn(move || {
        while let Ok((mut stream, from)) = listener.accept() {
            let _ = stream.write_all(from.ip().to_string().as_bytes());
        }
    });
}

/// What the server at this address sees us as; from the thread's namespace.
fn ask(to: Ipv4Addr, port: u16) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&SocketAddr::from((to, port)), Duration::from_secs(5))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}
