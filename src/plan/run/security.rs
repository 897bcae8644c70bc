//! What init gives up before it becomes the container's command.

use oci_spec::runtime::{Capabilities, PosixRlimit, Process};

use super::{Builder, label};
use crate::plan::op::{CapSets, Rlimit, SeccompProfile};
use crate::plan::{Op, Phase};
use crate::spec::RunSpec;

pub(super) fn security(b: &mut Builder, spec: &RunSpec) {
    let phase = Phase::Security;
    if let Some(name) = spec.oci.hostname() {
        b.init(phase, "set-hostname", Op::SetHostname { name: name.clone() });
    }
    let Some(process) = spec.oci.process() else { return };
    if process.terminal() == Some(true) {
        b.init(phase, "open-terminal", Op::OpenTerminal);
    }
    let linux = spec.oci.linux().as_ref();
    for path in linux.and_then(|l| l.masked_paths().as_ref()).into_iter().flatten() {
        b.init(phase, &format!("mask-{}", label(path)), Op::MaskPath { path: path.clone() });
    }
    for path in linux.and_then(|l| l.readonly_paths().as_ref()).into_iter().flatten() {
        b.init(phase, &format!("readonly-{}", label(path)), Op::ReadonlyPath { path: path.clone() });
    }
    if spec.oci.root().as_ref().and_then(|r| r.readonly()).unwrap_or(false) {
        b.init(phase, "readonly-root", Op::RemountRootReadonly);
    }
    for (label, op) in confine(process, spec.seccomp) {
        b.init(phase, label, op);
    }
}

/// What a process gives up before it becomes its command, in the order in which it may.
pub(in crate::plan) fn confine(process: &Process, seccomp: bool) -> Vec<(&'static str, Op)> {
    let mut ops = Vec::new();
    let limits: Vec<Rlimit> = process.rlimits().iter().flatten().map(rlimit).collect();
    if !limits.is_empty() {
        ops.push(("set-rlimits", Op::SetRlimits { limits }));
    }
    let caps = process.capabilities().as_ref();
    let sets = CapSets {
        bounding: names(caps.and_then(|c| c.bounding().as_ref())),
        effective: names(caps.and_then(|c| c.effective().as_ref())),
        permitted: names(caps.and_then(|c| c.permitted().as_ref())),
        inheritable: names(caps.and_then(|c| c.inheritable().as_ref())),
        ambient: names(caps.and_then(|c| c.ambient().as_ref())),
    };
    let filter = seccomp.then(|| Op::LoadSeccomp {
        profile: SeccompProfile::Default { caps: sets.bounding.clone() },
        told: false,
    });
    let no_new_privs = process.no_new_privileges() == Some(true);
    ops.push(("drop-bounding", Op::DropBounding { keep: sets.bounding.clone() }));
    // Loading a filter needs CAP_SYS_ADMIN or no_new_privs: without the
    // latter it has to come before the capabilities go.
    if no_new_privs {
        ops.push(("set-no-new-privs", Op::SetNoNewPrivs));
    } else if let Some(filter) = filter.clone() {
        ops.push(("load-seccomp", filter));
    }
    let user = process.user();
    let groups = user.additional_gids().clone().unwrap_or_default();
    ops.push(("set-user", Op::SetUser { uid: user.uid(), gid: user.gid(), groups }));
    ops.push(("set-capabilities", Op::SetCapabilities { caps: sets }));
    if no_new_privs && let Some(filter) = filter {
        ops.push(("load-seccomp", filter));
    }
    ops
}

fn names(set: Option<&Capabilities>) -> Vec<String> {
    let mut names: Vec<String> = set.into_iter().flatten().map(|c| format!("CAP_{c}")).collect();
    names.sort();
    names
}

fn rlimit(limit: &PosixRlimit) -> Rlimit {
    let kind = serde_json::to_value(limit.typ()).ok().and_then(|v| v.as_str().map(str::to_owned));
    Rlimit { kind: kind.unwrap_or_default(), soft: limit.soft(), hard: limit.hard() }
}
