//! Which devices the members may use: files on v1, a BPF program on v2.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use rustix::fs::OFlags;

use super::device_program::{Insn, assemble};
use super::files;
use crate::kernel::linux::recorder::{Recorder, zero};
use crate::kernel::{Errno, Failure};
use crate::plan::op::{CgroupVersion, DeviceRule};
use crate::trace::{Fact, Kind, Value};

// bpf(2) commands, program type, attach type and flag, linux/bpf.h.
const BPF_PROG_LOAD: i32 = 5;
const BPF_PROG_ATTACH: i32 = 8;
const BPF_PROG_QUERY: i32 = 16;
const BPF_PROG_TYPE_CGROUP_DEVICE: u32 = 15;
const BPF_CGROUP_DEVICE: u32 = 6;
const BPF_F_ALLOW_MULTI: u32 = 2;

pub(super) fn allow(
    rec: &mut Recorder,
    version: CgroupVersion,
    path: &str,
    rules: &[DeviceRule],
) -> Result<bool, Failure> {
    match version {
        CgroupVersion::V1 => by_files(rec, path, rules),
        CgroupVersion::V2 => by_program(rec, path, rules),
    }
}

/// One rule is one write; neighbours of one kind share an open file.
fn by_files(rec: &mut Recorder, path: &str, rules: &[DeviceRule]) -> Result<bool, Failure> {
    for group in rules.chunk_by(|a, b| a.allow == b.allow) {
        let file = format!("{path}/devices.{}", if group[0].allow { "allow" } else { "deny" });
        let lines: Vec<String> = group.iter().flat_map(lines).collect();
        let mut at = 0;
        files::write_each(rec, &file, &lines, &mut at).map_err(|errno| {
            let failure = files::failure(format!("write {:?} to {file}", lines[at]), errno);
            match errno {
                Errno::EPERM => {
                    failure.hint("the cgroup above does not allow that device itself: see devices.list there")
                }
                Errno::ENOENT => {
                    failure.hint("the devices controller is not mounted there: see /proc/cgroups")
                }
                _ => failure,
            }
        })?;
    }
    Ok(false)
}

/// A rule as the files take it. They know `a` only as everything at once.
fn lines(rule: &DeviceRule) -> Vec<String> {
    let number = |n: Option<i64>| n.map_or("*".to_owned(), |n| n.to_string());
    let kinds: &[char] = match rule.kind {
        'a' if rule.major.is_none() && rule.minor.is_none() && rule.access.len() == 3 => {
            return vec!["a".to_owned()];
        }
        'a' => &['c', 'b'],
        'b' => &['b'],
        _ => &['c'],
    };
    let line = |kind| format!("{kind} {}:{} {}", number(rule.major), number(rule.minor), rule.access);
    kinds.iter().map(line).collect()
}

/// `union bpf_attr` as BPF_PROG_LOAD reads it, up to `log_buf`.
#[repr(C)]
#[derive(Default)]
struct Load {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
}

/// `union bpf_attr` as BPF_PROG_ATTACH reads it.
#[repr(C)]
struct Attach {
    target_fd: u32,
    attach_bpf_fd: u32,
    attach_type: u32,
    attach_flags: u32,
}

/// `union bpf_attr` as BPF_PROG_QUERY reads it.
#[repr(C)]
#[derive(Default)]
struct Query {
    target_fd: u32,
    attach_type: u32,
    query_flags: u32,
    attach_flags: u32,
    prog_ids: u64,
    prog_cnt: u32,
    pad: u32,
}

fn bpf<T>(command: i32, attr: &mut T) -> Result<i32, Errno> {
    // SAFETY: `attr` is a live, initialised prefix of union bpf_attr of the size given; the buffers
    // that it points at are kept by the callers until the call returns.
    let made = unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_mut(attr), size_of::<T>()) };
    if made < 0 { Err(nix::errno::Errno::last().into()) } else { Ok(made as i32) }
}

fn by_program(rec: &mut Recorder, path: &str, rules: &[DeviceRule]) -> Result<bool, Failure> {
    let explain = |what: &str, errno| {
        let failure = files::failure(format!("{what} for {path}"), errno);
        match errno {
            Errno::EPERM => failure.hint(
                "bpf(2) needs CAP_SYS_ADMIN, or CAP_BPF and CAP_NET_ADMIN: run glassbox with sudo, not in an unprivileged container",
            ),
            Errno::EINVAL | Errno::ENOSYS => {
                failure.hint("the kernel needs CONFIG_BPF_SYSCALL and CONFIG_CGROUP_BPF (Linux 4.15 or later)")
            }
            _ => failure,
        }
    };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let dir = files::open(rec, path, flags, "O_RDONLY|O_DIRECTORY|O_CLOEXEC")
        .map_err(|e| files::failure(format!("open the cgroup {path}"), e))?;
    let loaded = load(rec, &assemble(rules)).map_err(|e| explain("load the device program", e));
    let attached = loaded.and_then(|program| {
        let attached = attach(rec, &dir, &program).map_err(|e| explain("attach the device program", e));
        files::close(rec, program);
        attached
    });
    files::close(rec, dir);
    attached.map(|()| false)
}

fn load(rec: &mut Recorder, program: &[Insn]) -> Result<OwnedFd, Errno> {
    rec.call(
        "bpf",
        || {
            vec![
                ("cmd", "BPF_PROG_LOAD".into()),
                ("prog_type", "BPF_PROG_TYPE_CGROUP_DEVICE".into()),
                ("insn_cnt", Value::Int(program.len() as i64)),
            ]
        },
        files::fd_value,
        || {
            let mut attr = Load {
                prog_type: BPF_PROG_TYPE_CGROUP_DEVICE,
                insn_cnt: program.len() as u32,
                insns: program.as_ptr() as u64,
                license: c"MIT OR Apache-2.0".as_ptr() as u64,
                ..Load::default()
            };
            let fd = bpf(BPF_PROG_LOAD, &mut attr)?;
            // SAFETY: the kernel just made this descriptor (close-on-exec) and nobody else knows it.
            Ok::<_, Errno>(unsafe { OwnedFd::from_raw_fd(fd) })
        },
    )
}

fn attach(rec: &mut Recorder, dir: &OwnedFd, program: &OwnedFd) -> Result<(), Errno> {
    rec.call(
        "bpf",
        || {
            vec![
                ("cmd", "BPF_PROG_ATTACH".into()),
                ("target_fd", files::fd_value(dir)),
                ("attach_bpf_fd", files::fd_value(program)),
                ("attach_type", "BPF_CGROUP_DEVICE".into()),
                ("attach_flags", "BPF_F_ALLOW_MULTI".into()),
            ]
        },
        zero,
        || {
            let mut attr = Attach {
                target_fd: dir.as_raw_fd() as u32,
                attach_bpf_fd: program.as_raw_fd() as u32,
                attach_type: BPF_CGROUP_DEVICE,
                attach_flags: BPF_F_ALLOW_MULTI,
            };
            bpf(BPF_PROG_ATTACH, &mut attr).map(|_| ())
        },
    )
}

pub(super) fn evidence(version: CgroupVersion, path: &str) -> Vec<Fact> {
    match version {
        CgroupVersion::V1 => vec![files::fact(&format!("{path}/devices.list"))],
        CgroupVersion::V2 => {
            let count = attached(path);
            let value = count.as_ref().map_or_else(|e| e.words().into(), |ids| Value::Int(ids.len() as i64));
            let fact = |key: &str, value| Fact {
                source: format!("bpf BPF_PROG_QUERY {path}").into(),
                key: key.to_owned(),
                value,
            };
            let mut facts = vec![fact("device programs", value)];
            for id in count.unwrap_or_default() {
                facts.push(fact("device program id", Value::volatile(Kind::Other, id)));
            }
            facts
        }
    }
}

/// The ids of the device programs attached to the cgroup itself.
fn attached(path: &str) -> Result<Vec<u32>, Errno> {
    let dir = std::fs::File::open(path)?;
    let mut ids = [0u32; 64];
    let mut attr = Query {
        target_fd: dir.as_raw_fd() as u32,
        attach_type: BPF_CGROUP_DEVICE,
        prog_ids: ids.as_mut_ptr() as u64,
        prog_cnt: ids.len() as u32,
        ..Query::default()
    };
    bpf(BPF_PROG_QUERY, &mut attr)?;
    Ok(ids[..(attr.prog_cnt as usize).min(ids.len())].to_vec())
}
