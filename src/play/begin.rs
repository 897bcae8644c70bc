//! The first event of a run, whichever kernel carries it out.

use std::path::Path;

use crate::kernel::{KernelName, Watch};
use crate::plan::{Op, Plan};
use crate::spec::{Network, RunSpec};
use crate::trace::{Body, Kind, TRACE_VERSION, Value};

/// The event, with all that differs from run to run named by kind. `places` are the
/// run-time directory and the store; a command line's own places are given in `more`.
pub fn begin(
    spec: &RunSpec,
    plan: &Plan,
    places: [&Path; 2],
    (kernel, release): (KernelName, &str),
    (command, more): (Vec<String>, Vec<Value>),
    watch: Watch,
) -> Body {
    let path = |p: &Path| Value::volatile(Kind::Path, p.to_string_lossy());
    let mut names = vec![
        Value::volatile(Kind::Container, &spec.id),
        path(places[0]),
        path(places[1]),
        Value::volatile(Kind::Image, &spec.image.id),
        Value::volatile(Kind::Digest, &spec.image.manifest),
        Value::volatile(Kind::Container, spec.cgroup()),
    ];
    names.extend(more);
    for layer in &spec.image.layers {
        names
            .extend([&layer.diff_id, &layer.chain_id, &layer.blob].map(|d| Value::volatile(Kind::Digest, d)));
    }
    if let Network::Bridge(net) = &spec.network {
        names.push(Value::volatile(Kind::Link, &net.bridge));
        names.push(Value::volatile(Kind::Link, &net.table));
        names.push(Value::volatile(Kind::Address, net.gateway));
        names.push(Value::volatile(Kind::Address, net.subnet));
    }
    for step in &plan.steps {
        if let Op::CreateVeth { host, mac, .. } = &step.op {
            names.push(Value::volatile(Kind::Link, host));
            names.push(Value::volatile(Kind::Mac, mac));
        }
    }
    Body::Begin {
        version: TRACE_VERSION,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        kernel,
        release: Value::volatile(Kind::Release, release),
        command,
        watch,
        plan: plan.clone(),
        names,
    }
}
