//! Which namespaces are the container's own, and which it shares with the host.

use serde::Serialize;

use super::fact;
use crate::plan::Op;
use crate::plan::op::Ns;
use crate::trace::{Fact, Value};

/// All eight, once init is there; none before.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Namespaces {
    /// In a fixed order.
    pub all: Vec<Namespace>,
    /// The name that the uts namespace holds.
    pub hostname: Option<String>,
    /// The last process has ended, and its own namespaces with it.
    pub ended: bool,
}

/// One of them, seen from the container.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Namespace {
    /// Type.
    pub ns: Ns,
    /// The container's own; else that of the host.
    pub own: bool,
    /// As `/proc/PID/ns` names the container's: `mnt:[4026532258]`.
    pub inside: Option<Value>,
    /// As it names the host's.
    pub host: Option<Value>,
}

impl Namespaces {
    pub(super) fn done(&mut self, op: &Op, facts: &[Fact]) {
        match op {
            Op::Clone { namespaces, .. } => {
                let seen = |key: &str, ns: Ns| fact(facts, &format!("{key} {}", ns.name())).cloned();
                let one = |ns: Ns| {
                    let host = seen("host ns", ns);
                    let own = namespaces.contains(&ns);
                    // What is shared is the host's, and was read as such.
                    let inside = seen("ns", ns).or_else(|| host.clone().filter(|_| !own));
                    Namespace { ns, own, inside, host }
                };
                self.all = Ns::ALL.into_iter().map(one).collect();
                self.ended = false;
            }
            Op::JoinNamespaces { namespaces } => {
                let one = |ns: Ns| {
                    let own = ns == Ns::Pid || namespaces.contains(&ns);
                    let inside = fact(facts, &format!("ns {}", ns.name())).cloned();
                    Namespace { ns, own, inside, host: None }
                };
                self.all = Ns::ALL.into_iter().map(one).collect();
                self.ended = false;
            }
            Op::UnshareCgroup => {
                if let Some(cgroup) = self.all.iter_mut().find(|n| n.ns == Ns::Cgroup) {
                    cgroup.own = true;
                    cgroup.inside = fact(facts, "ns cgroup").cloned();
                }
            }
            Op::SetHostname { name } => {
                self.hostname = Some(fact(facts, "nodename").map_or_else(|| name.clone(), Value::text));
            }
            _ => {}
        }
    }

    /// The one of this type, once init is there.
    pub fn get(&self, ns: Ns) -> Option<&Namespace> {
        self.all.iter().find(|n| n.ns == ns)
    }
}
