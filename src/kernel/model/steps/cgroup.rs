//! The container's cgroup.

use super::{Cx, at_cwd, fail, misplaced, zero};
use crate::kernel::model::Res;
use crate::kernel::model::cgroup::CgId;
use crate::kernel::model::ns::Held;
use crate::kernel::model::vfs::Sb;
use crate::kernel::{Errno, Failure};
use crate::plan::Op;
use crate::plan::op::{DeviceRule, Limit};
use crate::trace::Value;
use crate::userland::OpenFlags;

pub(super) fn apply(op: &Op, cx: &mut Cx<'_>) -> Result<bool, Failure> {
    match op {
        Op::CreateCgroup { path, .. } => create(cx, path),
        Op::SetLimit { limit, file, value } => {
            if *limit == Limit::Controllers {
                let now = cx.text(file).unwrap_or_default();
                let has = |c: &str| now.split_whitespace().any(|n| Some(n) == c.strip_prefix('+'));
                if value.split_whitespace().all(has) {
                    return Ok(true);
                }
            }
            write(cx, file, value).map_err(fail(|| format!("write {value:?} to {file}")))?;
            Ok(false)
        }
        Op::AllowDevices { path, rules, .. } => {
            let what = || format!("limit the devices of {path}");
            let id = group(cx, path).map_err(fail(what))?;
            let shown: Vec<String> = rules.iter().map(rule).collect();
            let args = || {
                vec![
                    ("cmd", "BPF_PROG_ATTACH".into()),
                    ("attach_type", "BPF_CGROUP_DEVICE".into()),
                    ("target", path.as_str().into()),
                    ("rules", Value::Text(shown.join("; "))),
                ]
            };
            cx.call("bpf", args, zero, |w, _| w.cgroups.allow_devices(id, rules.clone()))
                .map_err(fail(what))?;
            Ok(false)
        }
        Op::JoinCgroup { files } => {
            let pid = cx.command()?.to_string();
            for file in files {
                write(cx, file, &pid).map_err(fail(|| format!("write pid {pid} to {file}")))?;
            }
            Ok(false)
        }
        Op::UnshareCgroup => {
            let pid = cx.pid;
            let args = || vec![("flags", "CLONE_NEWCGROUP".into())];
            cx.call("unshare", args, zero, |w, ctx| {
                let id = w.ns.add(ctx.ns.user, Held::Cgroup { root: ctx.cgroup });
                w.process_mut(pid)?.ns.cgroup = id;
                Ok(())
            })
            .map_err(fail(|| "take the cgroup as the root of a new namespace".to_owned()))?;
            Ok(false)
        }
        _ => Err(misplaced(op)),
    }
}

/// A rule as the v1 file would have it.
pub(super) fn rule(r: &DeviceRule) -> String {
    let number = |n: Option<i64>| n.map_or_else(|| "*".to_owned(), |n| n.to_string());
    let verb = if r.allow { "allow" } else { "deny" };
    format!("{verb} {} {}:{} {}", r.kind, number(r.major), number(r.minor), r.access)
}

fn write(cx: &mut Cx<'_>, file: &str, value: &str) -> Res<()> {
    let flags = OpenFlags { write: true, ..OpenFlags::default() };
    cx.write_file(file, flags, 0, value.as_bytes())
}

fn create(cx: &mut Cx<'_>, path: &str) -> Result<bool, Failure> {
    make(cx, path).map(|made| !made).map_err(fail(|| format!("make the cgroup {path}")))
}

fn make(cx: &mut Cx<'_>, path: &str) -> Res<bool> {
    let args = || vec![("dirfd", at_cwd()), ("pathname", path.into()), ("mode", "0755".into())];
    match cx.call("mkdirat", args, zero, |w, ctx| w.mkdir(ctx, path, 0o755)) {
        Ok(()) => Ok(true),
        Err(Errno::EEXIST) => Ok(false),
        Err(e) => Err(e),
    }
}

/// The group behind a path.
pub(super) fn group(cx: &mut Cx<'_>, path: &str) -> Res<CgId> {
    let ctx = cx.ctx()?;
    let loc = cx.w.resolve(&ctx, path, true)?;
    match cx.w.fs.sb(loc.node.sb)? {
        Sb::Cgroup(_) => Ok(cx.w.cgroups.of_node(loc.node)),
        _ => Err(Errno::EBADF),
    }
}

/// Ends what is left in the group and removes it.
pub(super) fn remove(cx: &mut Cx<'_>, path: &str) -> Result<(), Failure> {
    let id = match group(cx, path) {
        Ok(id) => id,
        Err(Errno::ENOENT) => return Ok(()),
        Err(e) => return Err(Failure::new(format!("remove the cgroup {path}"), Some(e))),
    };
    for pid in cx.w.members(id) {
        cx.w.exit(pid, crate::userland::Exit::Signal(9));
    }
    let args = || vec![("dirfd", at_cwd()), ("pathname", path.into()), ("flags", "AT_REMOVEDIR".into())];
    match cx.call("unlinkat", args, zero, |w, ctx| w.rmdir(ctx, path)) {
        Ok(()) | Err(Errno::ENOENT) => Ok(()),
        Err(e) => Err(Failure::new(format!("remove the cgroup {path}"), Some(e))),
    }
}
