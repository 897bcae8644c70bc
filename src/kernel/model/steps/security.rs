//! Host name, limits, user, capabilities and filter: what init does to itself.

use super::{Cx, fail, misplaced, zero};
use crate::kernel::Errno;
use crate::kernel::Failure;
use crate::kernel::model::cred::{Cap, cap_mask, cap_names};
use crate::plan::Op;
use crate::plan::op::SeccompProfile;
use crate::trace::Value;

pub(super) fn apply(op: &Op, cx: &mut Cx<'_>) -> Result<bool, Failure> {
    let pid = cx.pid;
    match op {
        Op::SetHostname { name } => {
            let args = || vec![("name", name.as_str().into()), ("len", Value::Int(name.len() as i64))];
            cx.call("sethostname", args, zero, |w, ctx| w.set_hostname(ctx, name))
                .map_err(fail(|| format!("set host name {name:?}")))?;
        }
        Op::SetRlimits { limits } => {
            for limit in limits {
                let args = || {
                    vec![
                        ("pid", Value::Int(0)),
                        ("resource", limit.kind.as_str().into()),
                        (
                            "new_limit",
                            Value::Text(format!("{{rlim_cur={}, rlim_max={}}}", limit.soft, limit.hard)),
                        ),
                    ]
                };
                cx.call("prlimit64", args, zero, |w, ctx| {
                    let raises =
                        w.process(pid)?.limits.iter().any(|l| l.kind == limit.kind && limit.hard > l.hard);
                    if limit.soft > limit.hard {
                        return Err(Errno::EINVAL);
                    }
                    if raises && !ctx.cred.has(Cap::SYS_RESOURCE) {
                        return Err(Errno::EPERM);
                    }
                    let p = w.process_mut(pid)?;
                    p.limits.retain(|l| l.kind != limit.kind);
                    p.limits.push(limit.clone());
                    Ok(())
                })
                .map_err(fail(|| format!("set {} to {}:{}", limit.kind, limit.soft, limit.hard)))?;
            }
        }
        Op::SetNoNewPrivs => {
            let args = || vec![("option", "PR_SET_NO_NEW_PRIVS".into()), ("arg2", Value::Int(1))];
            cx.call("prctl", args, zero, |w, _| w.set_cred(pid, |c| c.no_new_privs = true))
                .map_err(fail(|| "set no_new_privs".to_owned()))?;
        }
        Op::DropBounding { keep } => {
            let dropped = crate::kernel::model::cred::ALL_CAPS & !cap_mask(keep);
            for name in cap_names(dropped) {
                let bit = cap_mask(&[&name]);
                let args = || vec![("option", "PR_CAPBSET_DROP".into()), ("arg2", name.as_str().into())];
                cx.call("prctl", args, zero, |w, ctx| {
                    if !ctx.cred.has(Cap::SETPCAP) {
                        return Err(Errno::EPERM);
                    }
                    w.set_cred(pid, |c| c.bounding &= !bit)
                })
                .map_err(fail(|| format!("drop {name} from the bounding set")))?;
            }
        }
        Op::SetUser { uid, gid, groups } => set_user(cx, *uid, *gid, groups)?,
        Op::SetCapabilities { caps } => {
            let sets = [&caps.effective, &caps.permitted, &caps.inheritable].map(|s| cap_mask(s));
            let [effective, permitted, inheritable] = sets;
            let args = || {
                let hex = |set: u64| Value::Text(format!("{set:#018x}"));
                vec![
                    ("pid", Value::Int(0)),
                    ("effective", hex(effective)),
                    ("permitted", hex(permitted)),
                    ("inheritable", hex(inheritable)),
                ]
            };
            cx.call("capset", args, zero, |w, ctx| {
                if permitted & !ctx.cred.permitted != 0 || effective & !permitted != 0 {
                    return Err(Errno::EPERM);
                }
                w.set_cred(pid, |c| {
                    (c.effective, c.permitted, c.inheritable) = (effective, permitted, inheritable);
                    c.ambient &= permitted & inheritable;
                })
            })
            .map_err(fail(|| "set the capability sets".to_owned()))?;
            for name in &caps.ambient {
                let bit = cap_mask(&[name]);
                let args = || {
                    vec![
                        ("option", "PR_CAP_AMBIENT".into()),
                        ("arg2", "PR_CAP_AMBIENT_RAISE".into()),
                        ("arg3", name.as_str().into()),
                    ]
                };
                cx.call("prctl", args, zero, |w, ctx| {
                    if ctx.cred.permitted & ctx.cred.inheritable & bit == 0 {
                        return Err(Errno::EPERM);
                    }
                    w.set_cred(pid, |c| c.ambient |= bit)
                })
                .map_err(fail(|| format!("raise {name} into the ambient set")))?;
            }
        }
        // The model tells what happens without asking anybody.
        Op::LoadSeccomp { profile: SeccompProfile::Unconfined, .. } => {}
        Op::LoadSeccomp { profile: SeccompProfile::Default { caps }, .. } => {
            let mask = cap_mask(caps);
            let args = || {
                vec![
                    ("operation", "SECCOMP_SET_MODE_FILTER".into()),
                    ("flags", Value::Int(0)),
                    ("args", "the default profile".into()),
                ]
            };
            cx.call("seccomp", args, zero, |w, ctx| {
                if !ctx.cred.no_new_privs && !ctx.cred.has(Cap::SYS_ADMIN) {
                    return Err(Errno::EACCES);
                }
                w.set_cred(pid, |c| c.seccomp = Some(c.seccomp.unwrap_or(u64::MAX) & mask))
            })
            .map_err(fail(|| "load the system call filter".to_owned()))?;
        }
        _ => return Err(misplaced(op)),
    }
    Ok(false)
}

/// setgroups, setresgid, setresuid: in this order, because the last one may take
/// the right to the others away.
fn set_user(cx: &mut Cx<'_>, uid: u32, gid: u32, groups: &[u32]) -> Result<(), Failure> {
    let pid = cx.pid;
    let ns = cx.ctx().map_err(fail(|| format!("become user {uid}")))?.cred.user_ns;
    let id = |n: u32| Value::Int(i64::from(n));
    let list: Vec<String> = groups.iter().map(u32::to_string).collect();
    let args = || {
        vec![
            ("size", Value::Int(groups.len() as i64)),
            ("list", Value::Text(format!("[{}]", list.join(", ")))),
        ]
    };
    cx.call("setgroups", args, zero, |w, ctx| {
        let all = groups.iter().map(|g| w.ns.kgid(ns, *g)).collect::<Result<Vec<_>, _>>()?;
        if !ctx.cred.has(Cap::SETGID) {
            return Err(Errno::EPERM);
        }
        w.set_cred(pid, |c| c.groups = all.into())
    })
    .map_err(fail(|| format!("take the groups [{}]", list.join(", "))))?;
    let args = || vec![("rgid", id(gid)), ("egid", id(gid)), ("sgid", id(gid))];
    cx.call("setresgid", args, zero, |w, ctx| {
        let kgid = w.ns.kgid(ns, gid)?;
        if !ctx.cred.has(Cap::SETGID) && kgid != ctx.cred.gid {
            return Err(Errno::EPERM);
        }
        w.set_cred(pid, |c| (c.gid, c.egid) = (kgid, kgid))
    })
    .map_err(fail(|| format!("become group {gid}")))?;
    // Capabilities stay over the change of user until the plan sets them.
    let args = || vec![("option", "PR_SET_KEEPCAPS".into()), ("arg2", Value::Int(1))];
    cx.call("prctl", args, zero, |_, _| Ok(())).map_err(fail(|| "keep capabilities".to_owned()))?;
    let args = || vec![("ruid", id(uid)), ("euid", id(uid)), ("suid", id(uid))];
    cx.call("setresuid", args, zero, |w, ctx| {
        let kuid = w.ns.kuid(ns, uid)?;
        if !ctx.cred.has(Cap::SETUID) && kuid != ctx.cred.uid {
            return Err(Errno::EPERM);
        }
        w.set_cred(pid, |c| {
            (c.uid, c.euid) = (kuid, kuid);
            if uid != 0 {
                c.effective = 0;
            }
        })
    })
    .map_err(fail(|| format!("become user {uid}")))?;
    Ok(())
}
