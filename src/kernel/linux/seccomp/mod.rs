//! The filter of system calls, seccomp(2): the default profile as data, its assembly into a BPF
//! program, mostly when glassbox is built, and its loading.

pub mod assemble;
pub mod numbers;
pub mod profile;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use assemble::{Insn, Verdict, assemble, relevant, verdicts};
use numbers::Machine;

use crate::kernel::linux::recorder::{Recorder, zero};
use crate::kernel::{Errno, Failure};
use crate::plan::op::SeccompProfile;
use crate::trace::{Fact, Value};

// BUILT_FOR: capabilities that the built filter is for, those that matter only.
// BUILT: the filter. Both are empty where the architecture has none.
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
    loaded.map_err(|errno| {
        let failure = Failure::new(
            format!("load the system call filter of {} instructions", program.len()),
            Some(errno),
        );
        match errno {
            Errno::EACCES => failure.hint("a filter needs CAP_SYS_ADMIN, or no_new_privs set before it"),
            Errno::EINVAL | Errno::ENOSYS => failure.hint(
                "the kernel needs CONFIG_SECCOMP_FILTER; without a filter: --security-opt seccomp=unconfined",
            ),
            _ => failure,
        }
    })
}

fn set(rec: &mut Recorder, program: &[Insn], flags: u64, told: &'static str) -> Result<(), Errno> {
    rec.call(
        "seccomp",
        || {
            vec![
                ("operation", "SECCOMP_SET_MODE_FILTER".into()),
                ("flags", told.into()),
                ("args", format!("{{len={}}}", program.len()).into()),
            ]
        },
        zero,
        || {
            let fprog =
                libc::sock_fprog { len: program.len() as u16, filter: program.as_ptr().cast_mut().cast() };
            // SAFETY: `fprog` points at `len` instructions laid out as struct sock_filter, which live
            // past the call; the kernel copies and checks them.
            let made = unsafe {
                libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const fprog)
            };
            if made == 0 { Ok(()) } else { Err(nix::errno::Errno::last()) }
        },
    )
}

/// The filter of a profile: the built one, or one assembled now.
fn program(profile: &SeccompProfile) -> Result<Cow<'static, [Insn]>, Failure> {
    let SeccompProfile::Default { caps } = profile;
    let caps = relevant(caps.iter().map(String::as_str));
    if !BUILT.is_empty() && caps == BUILT_FOR {
        return Ok(Cow::Borrowed(BUILT));
    }
    Ok(Cow::Owned(assemble(machine()?, &caps)))
}

fn machine() -> Result<Machine, Failure> {
    Machine::from_name(std::env::consts::ARCH).ok_or_else(|| {
        Failure::new(format!("find a system call filter for {}", std::env::consts::ARCH), None)
            .hint("run without one: --security-opt seccomp=unconfined")
    })
}

/// What the profile's filter is: its size, and how many of this architecture's
/// calls it allows. Read from the program and its table, not from the kernel.
pub fn describe(profile: &SeccompProfile) -> Vec<Fact> {
    let SeccompProfile::Default { caps } = profile;
    let (Ok(program), Ok(machine)) = (program(profile), machine()) else { return Vec::new() };
    let caps = relevant(caps.iter().map(String::as_str));
    let native = machine.abis()[0].1[0];
    let verdicts = verdicts(machine, native, &caps);
    let count = |of: fn(&Verdict) -> bool| verdicts.iter().filter(|(_, v)| of(v)).count() as i64;
    let free = count(|v| *v == Verdict::Allow);
    let bound = count(|v| matches!(v, Verdict::If(_)));
    let known = numbers::numbers(native).count() as i64;
    let fact =
        |key: &str, n: i64| Fact { source: "the filter".into(), key: key.to_owned(), value: Value::Int(n) };
    vec![
        fact("instructions", program.len() as i64),
        fact("calls allowed", free),
        fact("calls allowed with some arguments", bound),
        fact("calls refused", known - free - bound),
    ]
}
