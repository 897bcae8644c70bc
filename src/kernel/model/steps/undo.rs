//! Taking operations back. Each looks first: what is not there is not undone,
//! and no call that changes anything is made for it.

use super::{Cx, at_cwd, fail, zero};
use crate::kernel::model::net::LinkKind;
use crate::kernel::{Errno, Failure};
use crate::plan::Op;
use crate::trace::{Kind, Value};
use crate::userland::Exit;

pub(in crate::kernel::model) fn undo(op: &Op, cx: &mut Cx<'_>) -> Result<(), Failure> {
    match op {
        Op::MakeDir { path, .. } if cx.carried.owns(path) => super::files::remove_tree(cx, path).map(drop),
        Op::WriteFile { path, .. } if cx.carried.owns(path) => unlink(cx, path),
        Op::MountOverlay { .. } => {
            if cx.carried.detached.take().is_some() {
                cx.w.collect();
            }
            Ok(())
        }
        Op::CreateCgroup { path, .. } => super::cgroup::remove(cx, path),
        Op::Clone { .. } => kill_init(cx),
        Op::SpawnInside { .. } => super::inside::kill(cx),
        Op::AllocateAddress { leases, container, .. } => release(cx, leases, container),
        Op::CreateVeth { host, .. } => remove_link(cx, host),
        Op::PublishPort { table, .. } => unpublish(cx, op, table),
        Op::CreateBridge { name, .. } => match unused_bridge(cx, name) {
            true => remove_link(cx, name),
            false => Ok(()),
        },
        Op::CreateNat { table, bridge, .. } => match unused_bridge(cx, bridge) {
            true => remove_nat(cx, table, bridge),
            false => Ok(()),
        },
        // Shared directories and the host's parameters stay as they are.
        Op::MakeDir { .. } | Op::WriteFile { .. } | Op::WriteSysctl { .. } => Ok(()),
        // Gone with the cgroup.
        Op::SetLimit { .. } | Op::AllowDevices { .. } | Op::JoinCgroup { .. } => Ok(()),
        Op::Image(op) => super::images::undo(op, cx),
        // The layers belong to the image, which stays; reading leaves nothing.
        Op::ReadImage { .. }
        | Op::UnpackLayer { .. }
        | Op::UseLayer { .. }
        | Op::ReadHostKernel
        | Op::LookForKernel { .. }
        | Op::ReadChanges { .. } => Ok(()),
        // Gone with init, which the undo of `Clone` kills.
        Op::MapLayers { .. }
        | Op::AttachRootfs { .. }
        | Op::WriteIdMaps { .. }
        | Op::UnshareCgroup
        | Op::FindInit { .. }
        | Op::JoinNamespaces { .. }
        | Op::LetRun
        | Op::SetLinkUp { .. }
        | Op::AddAddress { .. }
        | Op::AddDefaultRoute { .. }
        | Op::MakeMountsPrivate
        | Op::Mount { .. }
        | Op::Bind { .. }
        | Op::MakeNode { .. }
        | Op::MakeSymlink { .. }
        | Op::PivotRoot { .. }
        | Op::RemountRootReadonly
        | Op::MaskPath { .. }
        | Op::ReadonlyPath { .. }
        | Op::SetHostname { .. }
        | Op::OpenTerminal
        | Op::SetRlimits { .. }
        | Op::SetNoNewPrivs
        | Op::DropBounding { .. }
        | Op::SetUser { .. }
        | Op::SetCapabilities { .. }
        | Op::LoadSeccomp { .. }
        | Op::Exec { .. }
        | Op::Supervise { .. } => Ok(()),
        // What is written of an ended container, and what was removed or undone,
        // stays so.
        Op::RecordExit { .. } | Op::RemoveContainer { .. } | Op::Undo { .. } => Ok(()),
    }
}

fn unlink(cx: &mut Cx<'_>, path: &str) -> Result<(), Failure> {
    let ctx = cx.ctx().map_err(fail(|| format!("remove {path}")))?;
    if cx.w.stat(&ctx, path, false).is_err() {
        return Ok(());
    }
    let args = || vec![("dirfd", at_cwd()), ("pathname", path.into()), ("flags", Value::Int(0))];
    match cx.call("unlinkat", args, zero, |w, ctx| w.unlink(ctx, path)) {
        Ok(()) | Err(Errno::ENOENT | Errno::ENOTDIR) => Ok(()),
        Err(e) => Err(Failure::new(format!("remove {path}"), Some(e))),
    }
}

fn kill_init(cx: &mut Cx<'_>) -> Result<(), Failure> {
    let Some(pid) = cx.carried.init.take() else { return Ok(()) };
    kill(cx, pid, "init, process")
}

pub(super) fn kill(
    cx: &mut Cx<'_>,
    pid: crate::kernel::model::process::Gpid,
    who: &str,
) -> Result<(), Failure> {
    let alive = cx.w.procs.get(&pid).is_some_and(|p| p.exit.is_none());
    if alive {
        let args = || vec![("pidfd", Value::volatile(Kind::Fd, 3)), ("sig", "SIGKILL".into())];
        cx.call("pidfd_send_signal", args, zero, |w, _| {
            w.exit(pid, Exit::Signal(9));
            Ok(())
        })
        .map_err(fail(|| format!("kill {who} {pid}")))?;
    }
    cx.w.reap(pid);
    cx.w.drop_dead_namespaces();
    Ok(())
}

fn release(cx: &mut Cx<'_>, leases: &str, container: &str) -> Result<(), Failure> {
    let ctx = cx.ctx().map_err(fail(|| format!("release an address in {leases}")))?;
    let entries = match cx.w.read_dir(&ctx, leases) {
        Ok(entries) => entries,
        Err(Errno::ENOENT) => return Ok(()),
        Err(e) => return Err(Failure::new(format!("read {leases}"), Some(e))),
    };
    for entry in entries {
        let path = format!("{leases}/{}", entry.name);
        if super::read_text(cx.w, &ctx, &path).is_ok_and(|owner| owner == container) {
            unlink(cx, &path)?;
        }
    }
    Ok(())
}

fn remove_link(cx: &mut Cx<'_>, name: &str) -> Result<(), Failure> {
    let what = || format!("remove link {name}");
    let ns = cx.ctx().map_err(fail(what))?.ns.net;
    let Some(id) = cx.w.net.find(ns, name) else { return Ok(()) };
    let args = || vec![("link", Value::volatile(Kind::Link, name))];
    super::network::netlink(cx, true, "RTM_DELLINK", args, |w, _| {
        w.net.remove_link(id);
        Ok(())
    })
    .map_err(fail(what))
}

/// The bridge has no port: no container uses the network.
fn unused_bridge(cx: &Cx<'_>, name: &str) -> bool {
    let Ok(ctx) = cx.ctx() else { return false };
    match cx.w.net.find(ctx.ns.net, name) {
        Some(id) => {
            cx.w.net.link(id).is_ok_and(|l| l.kind == LinkKind::Bridge)
                && !cx.w.net.links.values().any(|l| l.master == Some(id))
        }
        None => true,
    }
}

fn remove_nat(cx: &mut Cx<'_>, table: &str, bridge: &str) -> Result<(), Failure> {
    let what = || format!("remove the rules of {bridge} from table {table}");
    let ns = cx.ctx().map_err(fail(what))?.ns.net;
    let known = cx.w.net.stacks.get(&ns).and_then(|s| s.tables.get(table));
    if !known.is_some_and(|t| t.masquerade.iter().any(|m| m.bridge == bridge)) {
        return Ok(());
    }
    let args = || vec![("table", table.into()), ("change", format!("rules of {bridge}").into())];
    super::network::netfilter(cx, "NFT_MSG_DELRULE", args, |w, ctx| {
        let stack = w.net.stacks.get_mut(&ctx.ns.net).ok_or(Errno::ENODEV)?;
        if let Some(t) = stack.tables.get_mut(table) {
            t.masquerade.retain(|m| m.bridge != bridge);
            if t.masquerade.is_empty() && t.dnat.is_empty() {
                stack.tables.remove(table);
            }
        }
        Ok(())
    })
    .map_err(fail(what))
}

fn unpublish(cx: &mut Cx<'_>, op: &Op, table: &str) -> Result<(), Failure> {
    let Op::PublishPort { protocol, host_port, host_ip, container, .. } = op else { return Ok(()) };
    let what = || format!("withdraw port {host_port}/{}", protocol.name());
    let ns = cx.ctx().map_err(fail(what))?.ns.net;
    let own = |r: &crate::kernel::model::net::Dnat| {
        &r.owner == container && r.protocol == *protocol && r.host_port == *host_port && r.host_ip == *host_ip
    };
    let known = cx.w.net.stacks.get(&ns).and_then(|s| s.tables.get(table));
    if !known.is_some_and(|t| t.dnat.iter().any(own)) {
        return Ok(());
    }
    let args = || vec![("table", table.into()), ("change", format!("port {host_port}").into())];
    super::network::netfilter(cx, "NFT_MSG_DELRULE", args, |w, ctx| {
        let stack = w.net.stacks.get_mut(&ctx.ns.net).ok_or(Errno::ENODEV)?;
        if let Some(t) = stack.tables.get_mut(table) {
            t.dnat.retain(|r| !own(r));
        }
        Ok(())
    })
    .map_err(fail(what))
}
