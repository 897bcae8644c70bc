//! The filter of system calls, seccomp(2): the default profile as data, its assembly into a BPF
//! program, mostly when glassbox is built, and its loading.

pub mod asking;
pub mod assemble;
pub mod names;
pub mod numbers;
pub mod profile;
pub mod tally;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::os::fd::{FromRawFd, OwnedFd};

use assemble::{Insn, assemble, relevant};
use numbers::Machine;
use tally::{Tally, tally};

use crate::kernel::linux::recorder::Recorder;
use crate::kernel::{Errno, Failure};
use crate::plan::op::SeccompProfile;
use crate::trace::{Fact, Kind, Value};

// BUILT_FOR: capabilities that the built filter is for, those that matter only.
// BUILT: the filter. BUILT_ASKING: the one that asks. BUILT_TALLY: what they are to say of
// themselves. NAMES: the names of this architecture's calls by number, each up to its number's
// NAME_ENDS. All are empty where the architecture has none.
include!(concat!(env!("OUT_DIR"), "/seccomp.rs"));

/// Loads the filter into the calling thread, for good. Needs CAP_SYS_ADMIN or no_new_privs.
pub fn load(profile: &SeccompProfile, rec: &mut Recorder) -> Result<(), Failure> {
    let program = program(profile)?;
    // Without this flag kernels before 5.16 slow every container down against speculative store
    // bypass; kernels before 4.17 do not know it.
    let flags = libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW;
    let loaded = match set(rec, &program, flags, "SECCOMP_FILTER_FLAG_SPEC_ALLOW") {
        Err(Errno::EINVAL) => set(rec, &program, 0, "0"),
        other => other,
    };
    loaded.map(drop).map_err(|errno| not_loaded(program.len(), errno))
}

/// Loads the filter that asks glassbox. Returns where it asks: its listener.
pub fn load_asking(profile: &SeccompProfile, rec: &mut Recorder) -> Result<OwnedFd, Failure> {
    let program = asking_program(profile)?;
    let listener = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER;
    let plain = libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW | listener;
    // Linux 5.19: while it is asked about, a process takes no signal but a fatal one. Before,
    // a signal has the call made once more.
    let loaded = match set(
        rec,
        &program,
        plain | WAIT_KILLABLE,
        "SECCOMP_FILTER_FLAG_SPEC_ALLOW|SECCOMP_FILTER_FLAG_NEW_LISTENER|SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
    ) {
        Err(Errno::EINVAL) => {
            set(rec, &program, plain, "SECCOMP_FILTER_FLAG_SPEC_ALLOW|SECCOMP_FILTER_FLAG_NEW_LISTENER")
        }
        other => other,
    };
    let fd = loaded.map_err(|errno| {
        let failure = not_loaded(program.len(), errno);
        match errno {
            Errno::EBUSY => failure.hint("something else listens to this process already"),
            _ => failure,
        }
    })?;
    // SAFETY: the kernel made this descriptor for us just now.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Linux 5.19.
const WAIT_KILLABLE: u64 = 1 << 5;

fn not_loaded(instructions: usize, errno: Errno) -> Failure {
    let failure =
        Failure::new(format!("load the system call filter of {instructions} instructions"), Some(errno));
    match errno {
        Errno::EACCES => failure.hint("a filter needs CAP_SYS_ADMIN, or no_new_privs set before it"),
        Errno::EINVAL | Errno::ENOSYS => failure.hint(
            "the kernel needs CONFIG_SECCOMP_FILTER; without a filter: --security-opt seccomp=unconfined",
        ),
        _ => failure,
    }
}

/// The filter that asks, for a profile: the built one, or one assembled now.
fn asking_program(profile: &SeccompProfile) -> Result<Cow<'static, [Insn]>, Failure> {
    let caps = capabilities(profile);
    if !BUILT_ASKING.is_empty() && caps.as_deref() == Some(BUILT_FOR) {
        return Ok(Cow::Borrowed(BUILT_ASKING));
    }
    Ok(Cow::Owned(asking::asking(machine()?, caps.as_deref())))
}

/// Those that change the filter; `None` where nothing is refused.
fn capabilities(profile: &SeccompProfile) -> Option<Vec<&str>> {
    match profile {
        SeccompProfile::Default { caps } => Some(relevant(caps.iter().map(String::as_str))),
        SeccompProfile::Unconfined => None,
    }
}

fn set(rec: &mut Recorder, program: &[Insn], flags: u64, told: &'static str) -> Result<i32, Errno> {
    rec.call(
        "seccomp",
        || {
            vec![
                ("operation", "SECCOMP_SET_MODE_FILTER".into()),
                ("flags", told.into()),
                ("args", format!("{{len={}}}", program.len()).into()),
            ]
        },
        |made: &i32| match made {
            0 => Value::Int(0),
            fd => Value::volatile(Kind::Fd, fd),
        },
        || {
            let fprog =
                libc::sock_fprog { len: program.len() as u16, filter: program.as_ptr().cast_mut().cast() };
            // SAFETY: `fprog` points at `len` instructions laid out as struct sock_filter, which live
            // past the call; the kernel copies and checks them.
            let made = unsafe {
                libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const fprog)
            };
            nix::errno::Errno::result(made).map(|made| made as i32)
        },
    )
}

/// The filter of a profile: the built one, or one assembled now.
fn program(profile: &SeccompProfile) -> Result<Cow<'static, [Insn]>, Failure> {
    let Some(caps) = capabilities(profile) else {
        return Err(Failure::new(
            "load a filter that refuses nothing: the plan has it in the wrong place",
            None,
        ));
    };
    if !BUILT.is_empty() && caps == BUILT_FOR {
        return Ok(Cow::Borrowed(BUILT));
    }
    Ok(Cow::Owned(assemble(machine()?, &caps)))
}

/// The machine that this program is for.
pub fn machine() -> Result<Machine, Failure> {
    Machine::from_name(std::env::consts::ARCH).ok_or_else(|| {
        Failure::new(format!("find a system call filter for {}", std::env::consts::ARCH), None)
            .hint("run without one: --security-opt seccomp=unconfined")
    })
}

/// What the profile's filter is: its size, and how many of this architecture's
/// calls it allows. Read from the program and its table, not from the kernel.
pub fn describe(profile: &SeccompProfile, told: bool) -> Vec<Fact> {
    let Ok(machine) = machine() else { return Vec::new() };
    let fact =
        |key: &str, n: i64| Fact { source: "the filter".into(), key: key.to_owned(), value: Value::Int(n) };
    let caps = capabilities(profile);
    let Ok(program) = (if told { asking_program(profile) } else { program(profile) }) else {
        return Vec::new();
    };
    let counts = match BUILT_TALLY {
        Some(counts) if caps.as_deref() == Some(BUILT_FOR) => counts,
        _ => tally(machine, caps.as_deref()),
    };
    let mut facts = vec![
        fact("instructions", program.len() as i64),
        fact("calls allowed", counts.free),
        fact("calls allowed with some arguments", counts.bound),
        fact("calls refused", counts.refused),
    ];
    if told {
        facts.push(fact("calls that glassbox is asked about", counts.asked));
    }
    facts
}
