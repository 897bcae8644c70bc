//! What init gives up before it becomes the command: limits, privileges to
//! gain, capabilities, its user.

use std::str::FromStr;

use caps::Capability;
use rustix::fs::{Gid, Uid};
use rustix::thread::{CapabilitySet, CapabilitySets};

use super::calls::{self, fail};
use super::cx::Cx;
use super::recorder::{Args, Recorder, zero};
use super::state::State;
use crate::kernel::{Errno, Failure};
use crate::plan::Op;
use crate::plan::op::{CapSets, Rlimit};
use crate::trace::Value;

/// Carries out the security steps.
pub fn apply(op: &Op, cx: &mut Cx<'_>, state: &mut State) -> Result<bool, Failure> {
    let rec = &mut *cx.rec;
    match op {
        Op::SetRlimits { limits } => limits.iter().try_for_each(|l| set_rlimit(rec, l))?,
        Op::SetNoNewPrivs => {
            prctl(rec, "PR_SET_NO_NEW_PRIVS", libc::PR_SET_NO_NEW_PRIVS, 1)
                .map_err(fail(|| "set no_new_privs".to_owned()))?;
        }
        Op::DropBounding { keep } => drop_bounding(rec, keep)?,
        Op::SetUser { uid, gid, groups } => set_user(rec, state, *uid, *gid, groups)?,
        Op::SetCapabilities { caps } => set_capabilities(rec, caps)?,
        Op::LoadSeccomp { profile, told: false } => super::seccomp::load(profile, rec)?,
        Op::LoadSeccomp { profile, told: true } => {
            state.listener = Some(super::seccomp::load_asking(profile, rec)?);
        }
        _ => return Err(super::dispatch::misplaced(op)),
    }
    Ok(false)
}

/// prctl(2) with one number; names for the recorder.
pub fn prctl(rec: &mut Recorder, name: &'static str, option: i32, arg: u64) -> Result<(), Errno> {
    calls::prctl(rec, option, arg, 0, || shown(name, Value::Int(arg as i64)))
}

fn shown(name: &'static str, arg: Value) -> Args {
    vec![("option", Value::from(name)), ("arg2", arg)]
}

fn rlimit_kind(name: &str) -> Option<u32> {
    Some(match name {
        "RLIMIT_AS" => libc::RLIMIT_AS,
        "RLIMIT_CORE" => libc::RLIMIT_CORE,
        "RLIMIT_CPU" => libc::RLIMIT_CPU,
        "RLIMIT_DATA" => libc::RLIMIT_DATA,
        "RLIMIT_FSIZE" => libc::RLIMIT_FSIZE,
        "RLIMIT_LOCKS" => libc::RLIMIT_LOCKS,
        "RLIMIT_MEMLOCK" => libc::RLIMIT_MEMLOCK,
        "RLIMIT_MSGQUEUE" => libc::RLIMIT_MSGQUEUE,
        "RLIMIT_NICE" => libc::RLIMIT_NICE,
        "RLIMIT_NOFILE" => libc::RLIMIT_NOFILE,
        "RLIMIT_NPROC" => libc::RLIMIT_NPROC,
        "RLIMIT_RSS" => libc::RLIMIT_RSS,
        "RLIMIT_RTPRIO" => libc::RLIMIT_RTPRIO,
        "RLIMIT_RTTIME" => libc::RLIMIT_RTTIME,
        "RLIMIT_SIGPENDING" => libc::RLIMIT_SIGPENDING,
        "RLIMIT_STACK" => libc::RLIMIT_STACK,
        _ => return None,
    })
}

fn set_rlimit(rec: &mut Recorder, limit: &Rlimit) -> Result<(), Failure> {
    let what = || format!("set {} to {}:{}", limit.kind, limit.soft, limit.hard);
    let kind = rlimit_kind(&limit.kind)
        .ok_or_else(|| Failure::new(what(), None).hint("there is no such limit: see getrlimit(2)"))?;
    rec.call(
        "prlimit64",
        || {
            vec![
                ("pid", Value::Int(0)),
                ("resource", Value::from(limit.kind.as_str())),
                ("new_limit", Value::Text(format!("{{rlim_cur={}, rlim_max={}}}", limit.soft, limit.hard))),
            ]
        },
        zero,
        || {
            let new = libc::rlimit64 { rlim_cur: limit.soft, rlim_max: limit.hard };
            // SAFETY: new lives through the call; no old limit is asked for.
            let r = unsafe { libc::prlimit64(0, kind, &raw const new, std::ptr::null_mut()) };
            nix::errno::Errno::result(r).map(drop)
        },
    )
    .map_err(fail(what))
    .map_err(|f| match f.errno {
        Some(Errno::EPERM) => {
            f.hint("raising a hard limit needs CAP_SYS_RESOURCE, which glassbox lacks here")
        }
        _ => f,
    })
}

fn number(name: &str) -> Result<u8, Failure> {
    Capability::from_str(name)
        .map(|c| c.index())
        .map_err(|_| Failure::new(format!("find capability {name}"), None).hint("see capabilities(7)"))
}

fn bits(names: &[String]) -> Result<u64, Failure> {
    names.iter().try_fold(0, |bits, name| Ok(bits | 1 << number(name)?))
}

fn drop_bounding(rec: &mut Recorder, keep: &[String]) -> Result<(), Failure> {
    let keep = bits(keep)?;
    for n in (0..64u8).filter(|n| keep & (1 << n) == 0) {
        let name = || match caps::all().into_iter().find(|c| c.index() == n) {
            Some(cap) => cap.to_string(),
            None => n.to_string(),
        };
        // Beyond those that this program knows, the kernel is asked first.
        if n > LAST_KNOWN {
            let known = rec.read(
                "prctl",
                || shown("PR_CAPBSET_READ", Value::Int(i64::from(n))),
                |r: &i32| Value::Int(i64::from(*r)),
                || {
                    // SAFETY: two numbers.
                    let r = unsafe { libc::prctl(libc::PR_CAPBSET_READ, libc::c_ulong::from(n), 0, 0, 0) };
                    nix::errno::Errno::result(r)
                },
            );
            if known.is_err() {
                break;
            }
        }
        match calls::prctl(rec, libc::PR_CAPBSET_DROP, u64::from(n), 0, || {
            shown("PR_CAPBSET_DROP", Value::Text(name()))
        }) {
            Ok(()) => {}
            Err(Errno::EINVAL) => break,
            Err(e) => {
                return Err(Failure::new(format!("drop {} from the bounding set", name()), Some(e)));
            }
        }
    }
    Ok(())
}

/// CAP_CHECKPOINT_RESTORE, the last one as of Linux 6.18.
const LAST_KNOWN: u8 = 40;

fn set_user(rec: &mut Recorder, state: &State, uid: u32, gid: u32, groups: &[u32]) -> Result<(), Failure> {
    if state.tty && uid != 0 {
        // Else the user could not open /dev/stdout of its own terminal.
        rec.call(
            "fchown",
            || vec![("fd", Value::Int(0)), ("owner", Value::Int(i64::from(uid))), ("group", Value::Int(-1))],
            zero,
            || rustix::fs::fchown(rustix::stdio::stdin(), Some(Uid::from_raw(uid)), None),
        )
        .map_err(fail(|| "give the terminal to the user".to_owned()))?;
    }
    rec.call(
        "setgroups",
        || {
            let list: Vec<String> = groups.iter().map(u32::to_string).collect();
            vec![
                ("size", Value::Int(groups.len() as i64)),
                ("list", Value::Text(format!("[{}]", list.join(", ")))),
            ]
        },
        zero,
        || {
            let groups: Vec<Gid> = groups.iter().map(|g| Gid::from_raw(*g)).collect();
            rustix::thread::set_thread_groups(&groups)
        },
    )
    .map_err(fail(|| "set the supplementary groups".to_owned()))?;
    let three = |names: [&'static str; 3], id: u32| names.map(|n| (n, Value::Int(i64::from(id)))).to_vec();
    rec.call(
        "setresgid",
        || three(["rgid", "egid", "sgid"], gid),
        zero,
        || {
            let gid = Gid::from_raw(gid);
            rustix::thread::set_thread_res_gid(gid, gid, gid)
        },
    )
    .map_err(fail(|| format!("become group {gid}")))?;
    if uid != 0 {
        // Capabilities are set by a later step, which needs those of now.
        prctl(rec, "PR_SET_KEEPCAPS", libc::PR_SET_KEEPCAPS, 1)
            .map_err(fail(|| "keep capabilities while the user changes".to_owned()))?;
    }
    rec.call(
        "setresuid",
        || three(["ruid", "euid", "suid"], uid),
        zero,
        || {
            let uid = Uid::from_raw(uid);
            rustix::thread::set_thread_res_uid(uid, uid, uid)
        },
    )
    .map_err(fail(|| format!("become user {uid}")))?;
    // A change of credentials clears it, prctl(2).
    super::init::die_with_runtime(rec).map_err(fail(|| "ask to die with the runtime".to_owned()))
}

/// capset(2) of this process.
pub fn capset(rec: &mut Recorder, sets: CapabilitySets) -> Result<(), Errno> {
    rec.call(
        "capset",
        || {
            let hex = |set: CapabilitySet| Value::Text(format!("{:#018x}", set.bits()));
            vec![
                ("pid", Value::Int(0)),
                ("effective", hex(sets.effective)),
                ("permitted", hex(sets.permitted)),
                ("inheritable", hex(sets.inheritable)),
            ]
        },
        zero,
        || rustix::thread::set_capabilities(None, sets),
    )
}

fn set_capabilities(rec: &mut Recorder, sets: &CapSets) -> Result<(), Failure> {
    let of = |names: &[String]| bits(names).map(CapabilitySet::from_bits_retain);
    let (effective, permitted, inheritable) =
        (of(&sets.effective)?, of(&sets.permitted)?, of(&sets.inheritable)?);
    capset(rec, CapabilitySets { effective, permitted, inheritable })
        .map_err(fail(|| "set the capabilities".to_owned()))?;
    for name in &sets.ambient {
        let n = number(name)?;
        calls::prctl(rec, libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_RAISE as u64, u64::from(n), || {
            vec![
                ("option", Value::from("PR_CAP_AMBIENT")),
                ("arg2", Value::from("PR_CAP_AMBIENT_RAISE")),
                ("arg3", Value::from(name.as_str())),
            ]
        })
        .map_err(fail(|| format!("raise {name} into the ambient set")))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_have_numbers() {
        assert_eq!(bits(&["CAP_CHOWN".to_owned(), "CAP_SYS_ADMIN".to_owned()]).unwrap(), 1 | 1 << 21);
        assert_eq!(number("CAP_CHECKPOINT_RESTORE").unwrap(), LAST_KNOWN);
        assert!(bits(&["CAP_NONSENSE".to_owned()]).is_err());
    }

    #[test]
    fn limits_have_numbers() {
        assert_eq!(rlimit_kind("RLIMIT_NOFILE"), Some(libc::RLIMIT_NOFILE));
        let bad = Rlimit { kind: "RLIMIT_X".to_owned(), soft: 1, hard: 1 };
        assert!(set_rlimit(&mut Recorder::off(), &bad).unwrap_err().hint.is_some());
    }
}
