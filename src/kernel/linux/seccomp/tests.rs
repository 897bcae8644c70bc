#![cfg(test)]

use super::assemble::{
    ANY_BIT, AT_LEAST, EQUAL, JUMP, LOAD, RET_ALLOW, RET_ERRNO, RET_KILL_THREAD, RETURN, Verdict, verdicts,
};
use super::numbers::{Abi, X32_BIT, numbers};
use super::profile::{ALWAYS, NOT_THERE, ON_ARM, ON_X86, WITH_CAPABILITY};
use super::*;
use crate::spec::capabilities;

const CAPS: &[&[&str]] = &[
    &[],
    &["CAP_SYS_CHROOT"],
    &["CAP_SYS_ADMIN", "CAP_SYS_CHROOT"],
    &["CAP_SYS_NICE", "CAP_SYS_PTRACE", "CAP_SYS_TIME", "CAP_SYSLOG"],
];

/// Runs a filter as the kernel would, and counts its instructions.
fn run(program: &[Insn], arch: u32, nr: u32, arg0: u64) -> (u32, usize) {
    run_with(program, arch, nr, [arg0, 0, 0, 0, 0, 0])
}

fn evaluate(program: &[Insn], arch: u32, nr: u32, args: [u64; 6]) -> u32 {
    run_with(program, arch, nr, args).0
}

fn run_with(program: &[Insn], arch: u32, nr: u32, args: [u64; 6]) -> (u32, usize) {
    let (mut at, mut a, mut steps) = (0usize, 0u32, 0);
    loop {
        let i = program[at];
        steps += 1;
        at += 1;
        let jump = |yes: bool| if yes { i.jt as usize } else { i.jf as usize };
        match i.code {
            LOAD => {
                a = match i.k {
                    0 => nr,
                    4 => arch,
                    k @ 16..64 if k % 8 == 0 => args[(k as usize - 16) / 8] as u32,
                    k @ 16..64 if k % 8 == 4 => (args[(k as usize - 20) / 8] >> 32) as u32,
                    other => panic!("offset {other}"),
                }
            }
            JUMP => at += i.k as usize,
            EQUAL => at += jump(a == i.k),
            AT_LEAST => at += jump(a >= i.k),
            ANY_BIT => at += jump(a & i.k != 0),
            RETURN => return (i.k, steps),
            other => panic!("opcode {other:#x}"),
        }
    }
}

fn names(list: &[&'static str]) -> Vec<&'static str> {
    list.iter().flat_map(|l| l.split_whitespace()).collect()
}

/// The profile's meaning for one call, by name and without the assembler.
fn meaning(machine: Machine, name: Option<&str>, past: bool, caps: &[&str], arg0: u64) -> u32 {
    const EPERM: u32 = RET_ERRNO | 1;
    const ENOSYS: u32 = RET_ERRNO | 38;
    let Some(name) = name else { return if past { ENOSYS } else { EPERM } };
    let family = if machine == Machine::X86_64 { ON_X86 } else { ON_ARM };
    let granted: Vec<_> = WITH_CAPABILITY.iter().filter(|c| caps.contains(&c.0)).map(|c| c.1).collect();
    if names(ALWAYS).contains(&name) || names(&[family]).contains(&name) || names(&granted).contains(&name) {
        return RET_ALLOW;
    }
    let allowed = match name {
        "clone" => arg0 & 0x7e02_0000 == 0,
        "personality" => [0, 8, 0x20000, 0x20008, 0xffff_ffff].contains(&arg0),
        "socket" => arg0 <= 45 && ![12, 19, 20, 23, 25, 34, 37, 38, 40].contains(&arg0),
        name if name == NOT_THERE => return ENOSYS,
        _ => false,
    };
    if allowed { RET_ALLOW } else { EPERM }
}

#[test]
fn filters_mean_what_the_profile_says_for_every_number() {
    let mut args: Vec<u64> = (0..50).collect();
    args.extend([8, 0x20000, 0x20008, 0xffff_ffff, 0x1_0000_0002, u64::MAX, 17, 0x1200011]);
    args.extend((0..32).map(|b| 1u64 << b));
    for machine in [Machine::X86_64, Machine::Aarch64] {
        for caps in CAPS {
            let program = assemble(machine, caps);
            for (audit, abis) in machine.abis() {
                for abi in *abis {
                    let table: Vec<_> = numbers(*abi).collect();
                    let newest = table.iter().map(|t| t.1).max().unwrap();
                    let bit = if *abi == Abi::X32 { X32_BIT } else { 0 };
                    for nr in (0..700).chain([newest, newest + 1, 983_041, 0x3fff_ffff]) {
                        let name = table.iter().find(|t| t.1 == nr).map(|t| t.0);
                        let few = [0];
                        let some = matches!(name, Some("clone" | "personality" | "socket"));
                        for arg0 in if some { &args[..] } else { &few[..] } {
                            let (got, _) = run(&program, *audit, nr | bit, *arg0);
                            let want = meaning(machine, name, nr > newest, caps, *arg0);
                            assert_eq!(got, want, "{abi:?} {nr} {name:?} arg0 {arg0:#x} caps {caps:?}");
                        }
                    }
                }
            }
            assert_eq!(run(&program, 0xdead_beef, 0, 0).0, RET_KILL_THREAD);
        }
    }
}

#[test]
fn every_name_of_the_profile_is_a_call_somewhere() {
    let all = [Abi::X86_64, Abi::X32, Abi::I386, Abi::Aarch64, Abi::Arm];
    let known: Vec<&str> = all.into_iter().flat_map(numbers).map(|n| n.0).collect();
    let mut mine = names(ALWAYS);
    mine.extend(names(&[ON_X86, ON_ARM, NOT_THERE]));
    mine.extend(WITH_CAPABILITY.iter().flat_map(|c| c.1.split_whitespace()));
    for name in mine {
        assert!(known.contains(&name), "{name}");
    }
    for (cap, _) in WITH_CAPABILITY {
        assert!(capabilities::number(cap).is_some(), "{cap}");
    }
}

#[test]
fn numbers_agree_with_the_c_library_of_this_machine() {
    let of = |name| numbers(machine().unwrap().abis()[0].1[0]).find(|n| n.0 == name).unwrap().1;
    for (name, n) in [
        ("read", libc::SYS_read),
        ("clone3", libc::SYS_clone3),
        ("socket", libc::SYS_socket),
        ("mseal", libc::SYS_mseal),
        ("openat2", libc::SYS_openat2),
        ("ptrace", libc::SYS_ptrace),
        ("futex_waitv", libc::SYS_futex_waitv),
    ] {
        assert_eq!(i64::from(of(name)), n, "{name}");
    }
}

#[test]
fn the_built_filter_is_the_one_that_would_be_assembled() {
    let caps = relevant(capabilities::DEFAULT.into_iter());
    assert_eq!(caps, BUILT_FOR);
    assert_eq!(assemble(machine().unwrap(), &caps), BUILT);
    assert!(BUILT.len() < 4096, "{} instructions", BUILT.len());
    let most = (0..470).map(|nr| run(BUILT, machine().unwrap().abis()[0].0, nr, 0).1).max().unwrap();
    assert!(most <= 16, "{most} instructions for one call");
}

fn default_profile() -> SeccompProfile {
    SeccompProfile::Default { caps: capabilities::DEFAULT.iter().map(|c| (*c).to_owned()).collect() }
}

#[test]
fn a_capability_without_calls_uses_the_built_filter() {
    let SeccompProfile::Default { mut caps } = default_profile() else { unreachable!() };
    assert!(matches!(program(&SeccompProfile::Default { caps: caps.clone() }), Ok(Cow::Borrowed(_))));
    caps.push("CAP_NET_ADMIN".to_owned());
    assert!(matches!(program(&SeccompProfile::Default { caps: caps.clone() }), Ok(Cow::Borrowed(_))));
    caps.push("CAP_SYS_ADMIN".to_owned());
    assert!(matches!(program(&SeccompProfile::Default { caps }), Ok(Cow::Owned(_))));
}

/// In a forked child under the filter: makes each call and writes its errno (0 for success) down.
fn under_filter(profile: &SeccompProfile, calls: &[(i64, [u64; 2])]) -> Vec<i32> {
    use std::io::Read;
    use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
    let mut fds = [0; 2];
    // SAFETY: pipe2 fills the two descriptors, which then are owned here alone.
    let (reader, writer) = unsafe {
        assert_eq!(libc::pipe2(fds.as_mut_ptr(), libc::O_CLOEXEC), 0);
        (OwnedFd::from_raw_fd(fds[0]), OwnedFd::from_raw_fd(fds[1]))
    };
    // SAFETY: the child only makes system calls and leaves by _exit; the built filter needs no memory.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0);
    if pid == 0 {
        // SAFETY: as above; the arguments of the calls are made so that they harm nothing.
        unsafe {
            libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
            if load(profile, &mut Recorder::off()).is_err() {
                libc::_exit(9);
            }
            for (nr, args) in calls {
                *libc::__errno_location() = 0;
                let made = libc::syscall(*nr, args[0], args[1], 0, 0, 0, 0);
                if *nr == libc::SYS_clone && made == 0 {
                    libc::_exit(0);
                }
                let errno = if made < 0 { *libc::__errno_location() } else { 0 };
                libc::write(writer.as_raw_fd(), (&raw const errno).cast(), 4);
            }
            libc::_exit(0);
        }
    }
    drop(writer);
    let mut bytes = Vec::new();
    std::fs::File::from(reader).read_to_end(&mut bytes).unwrap();
    let mut status = 0;
    // SAFETY: waits for the child made above.
    unsafe { libc::waitpid(pid, &mut status, 0) };
    assert_eq!(status, 0, "the child ended with {status:#x}");
    bytes.chunks(4).map(|b| i32::from_ne_bytes(b.try_into().unwrap())).collect()
}

#[test]
fn the_kernel_refuses_and_allows_under_the_filter() {
    let sigchld = libc::SIGCHLD as u64;
    let table: &[(&str, i64, [u64; 2], i32)] = &[
        ("getpid", libc::SYS_getpid, [0, 0], 0),
        ("unshare", libc::SYS_unshare, [libc::CLONE_NEWUTS as u64, 0], libc::EPERM),
        ("mount", libc::SYS_mount, [0, 0], libc::EPERM),
        ("clone3", libc::SYS_clone3, [0, 0], libc::ENOSYS),
        ("clone of a process", libc::SYS_clone, [sigchld, 0], 0),
        ("clone of a user namespace", libc::SYS_clone, [sigchld | 0x1000_0000, 0], libc::EPERM),
        ("io_uring_setup", libc::SYS_io_uring_setup, [0, 0], libc::EPERM),
        ("keyctl", libc::SYS_keyctl, [0, 0], libc::EPERM),
        ("bpf", libc::SYS_bpf, [0, 0], libc::EPERM),
        ("userfaultfd", libc::SYS_userfaultfd, [0, 0], libc::EPERM),
        ("socket of a unix address", libc::SYS_socket, [1, 1], 0),
        ("socket of the hypervisor", libc::SYS_socket, [40, 1], libc::EPERM),
        ("socket of the crypto API", libc::SYS_socket, [38, 5], libc::EPERM),
        ("personality read", libc::SYS_personality, [0xffff_ffff, 0], 0),
        ("personality without ASLR", libc::SYS_personality, [0x0004_0000, 0], libc::EPERM),
        // Allowed, and then the kernel's own answer to a null path.
        ("chroot", libc::SYS_chroot, [0, 0], libc::EFAULT),
        ("a call not known yet", 999, [0, 0], libc::ENOSYS),
    ];
    let calls: Vec<_> = table.iter().map(|(_, nr, args, _)| (*nr, *args)).collect();
    let got = under_filter(&default_profile(), &calls);
    assert_eq!(got.len(), table.len());
    for ((name, _, _, want), got) in table.iter().zip(got) {
        assert_eq!(got, *want, "{name}");
    }
}

#[test]
fn what_is_told_of_the_filter() {
    let facts = describe(&default_profile(), false);
    let of = |key| facts.iter().find(|f| f.key == key).unwrap().value.clone();
    assert_eq!(of("instructions"), Value::Int(BUILT.len() as i64));
    assert_eq!(of("calls allowed with some arguments"), Value::Int(3));
    let Value::Int(free) = of("calls allowed") else { panic!() };
    assert!((280..340).contains(&free), "{free}");
}

#[test]
fn the_built_tables_are_those_that_would_be_made() {
    let machine = machine().unwrap();
    assert_eq!(BUILT_TALLY, Some(tally::tally(machine, Some(BUILT_FOR))));
    let (audit, abis) = machine.abis()[0];
    let mut names = names::Names::new(machine);
    let newest = numbers::numbers(abis[0]).map(|(_, n)| n).max().unwrap();
    for n in 0..=newest + 2 {
        let name = names.get(audit, n);
        match name {
            Some(name) => assert!(numbers::numbers(abis[0]).any(|call| call == (name, n)), "{name} {n}"),
            None => assert!(numbers::numbers(abis[0]).all(|(_, m)| m != n), "{n}"),
        }
    }
}

/// A call that is only asked about is one that every container may make: it is let
/// go on without a look at the profile.
#[test]
fn what_is_asked_about_is_allowed_to_all() {
    use super::asking::told;
    use super::names::Names;
    for machine in [Machine::X86_64, Machine::Aarch64] {
        for abi in machine.abis().iter().flat_map(|(_, abis)| abis.iter()) {
            let allowed: Vec<u32> = verdicts(machine, *abi, &[])
                .into_iter()
                .filter(|(_, v)| *v == Verdict::Allow)
                .map(|(n, _)| n)
                .collect();
            for (name, n) in numbers::numbers(*abi).filter(|(name, _)| told(name).is_some()) {
                assert!(allowed.contains(&n), "{name} on {abi:?}");
            }
        }
        let mut names = Names::new(machine);
        let native = machine.abis()[0];
        for (name, n) in numbers::numbers(native.1[0]) {
            let found = names.get(native.0, n).unwrap();
            assert!(found == name || numbers::numbers(native.1[0]).any(|(o, m)| o == found && m == n));
        }
        assert_eq!(names.native(100_000), None);
        assert_eq!(names.get(1, 0), None);
    }
}

/// The program of the filter that asks, run by hand: what it says to these calls.
#[test]
fn the_asking_filter_looks_at_flags_and_pointers() {
    use super::asking::asking;
    let machine = machine().unwrap();
    let native = machine.abis()[0];
    let number = |name: &str| numbers::numbers(native.1[0]).find(|(n, _)| *n == name).unwrap().1;
    let (ask, allow) = (assemble::RET_USER_NOTIF, assemble::RET_ALLOW);
    let table: &[(&str, [u64; 6], u32)] = &[
        ("openat", [0, 1, libc::O_RDONLY as u64, 0, 0, 0], allow),
        ("openat", [0, 1, libc::O_WRONLY as u64, 0, 0, 0], ask),
        ("openat", [0, 1, (libc::O_RDONLY | libc::O_TRUNC) as u64, 0, 0, 0], ask),
        ("openat", [0, 1, (libc::O_RDWR | libc::O_CREAT | libc::O_EXCL) as u64, 0, 0, 0], allow),
        ("utimensat", [3, 0, 1, 0, 0, 0], allow),
        ("utimensat", [3, 1 << 40, 1, 0, 0, 0], ask),
        ("unlinkat", [0; 6], ask),
        ("getpid", [0; 6], allow),
        ("fchmod", [0; 6], allow),
    ];
    for caps in [None, Some(&[][..])] {
        let program = asking(machine, caps);
        for (name, args, want) in table {
            assert_eq!(evaluate(&program, native.0, number(name), *args), *want, "{name} {args:?} {caps:?}");
        }
        let refused = if caps.is_some() { ask } else { allow };
        assert_eq!(evaluate(&program, native.0, number("mount"), [0; 6]), refused);
        assert_eq!(evaluate(&program, native.0, number("socket"), [38, 0, 0, 0, 0, 0]), refused);
        assert_eq!(evaluate(&program, native.0, number("socket"), [1, 0, 0, 0, 0, 0]), allow);
    }
}
