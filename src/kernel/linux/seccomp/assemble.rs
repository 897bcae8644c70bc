//! From the profile to a BPF program, seccomp(2).
//! The build script includes this file and its neighbours, so that the usual filter is assembled
//! when glassbox is built; filters for other capabilities are assembled by the same code at run time.
//!
//! The crate seccompiler was tried first: it knows one architecture, one answer for what does not
//! match (not EPERM beside ENOSYS) and no x32, and it compares call after call. Here a program first
//! tells the architectures apart and then searches ranges of numbers with one answer by halving, about
//! seven comparisons. Recent kernels ask the filter once per call while it is loaded and remember which
//! calls are always allowed, so the search also makes loading quick.

use super::numbers::{Abi, Machine, X32_BIT, numbers};
use super::profile::{ALWAYS, CONDITIONS, First, NOT_THERE, ON_ARM, ON_X86, WITH_CAPABILITY};

/// One classic BPF instruction, `struct sock_filter`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
#[allow(missing_docs)]
pub struct Insn {
    pub code: u16,
    pub jt: u8,
    pub jf: u8,
    pub k: u32,
}

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// It goes on to the kernel.
    Allow,
    /// It returns this errno.
    Errno(u32),
    /// It depends on the first argument; refused with EPERM if that does not fit.
    If(First),
    /// Whoever holds the listener of the filter is asked.
    Ask,
    /// The same if the first argument does not fit.
    AskUnless(First),
    /// The same if this argument holds flags of open(2) that let an existing file
    /// be written.
    AskToWrite(u8),
    /// The same if this argument is a pointer, and not null.
    AskIfSet(u8),
}

/// O_WRONLY, O_RDWR and O_TRUNC; a file that O_EXCL makes did not exist.
const WRITES: u32 = 0x203;
const EXCLUSIVE: u32 = 0x80;

const EPERM: u32 = 1;
const ENOSYS: u32 = 38;

// Opcodes: load a word of struct seccomp_data, jumps, and (A, constant), return; linux/bpf_common.h.
pub(super) const LOAD: u16 = 0x20;
pub(super) const JUMP: u16 = 0x05;
pub(super) const EQUAL: u16 = 0x15;
pub(super) const AT_LEAST: u16 = 0x35;
pub(super) const ANY_BIT: u16 = 0x45;
pub(super) const RETURN: u16 = 0x06;

// Offsets in struct seccomp_data; both families are little-endian.
const NR: u32 = 0;
const ARCH: u32 = 4;
const ARG0_LOW: u32 = 16;
const ARG0_HIGH: u32 = 20;

// Return values, linux/seccomp.h.
pub(super) const RET_KILL_THREAD: u32 = 0;
pub(super) const RET_ERRNO: u32 = 0x0005_0000;
pub(super) const RET_USER_NOTIF: u32 = 0x7fc0_0000;
pub(super) const RET_ALLOW: u32 = 0x7fff_0000;

fn insn(code: u16, k: u32) -> Insn {
    Insn { code, jt: 0, jf: 0, k }
}

/// The capabilities that change the filter, out of these.
pub fn relevant<'a>(caps: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut caps: Vec<_> = caps.filter(|c| WITH_CAPABILITY.iter().any(|(name, _)| name == c)).collect();
    caps.sort_unstable();
    caps.dedup();
    caps
}

/// The filter for a container with these capabilities on this machine.
pub fn assemble(machine: Machine, caps: &[&str]) -> Vec<Insn> {
    program(machine, &|abi| ranges(machine, abi, caps))
}

/// The filter with these answers, as runs of numbers, for each numbering.
pub fn program(machine: Machine, runs: &dyn Fn(Abi) -> Vec<(u32, Verdict)>) -> Vec<Insn> {
    let mut program = vec![insn(LOAD, ARCH)];
    for (audit, abis) in machine.abis() {
        let mut block = vec![insn(LOAD, NR)];
        let native = search(&runs(abis[0]));
        if abis.contains(&Abi::X32) {
            // x32 calls stand above bit 30 of the same architecture.
            block.push(Insn { jf: 1, ..insn(AT_LEAST, X32_BIT) });
            block.push(insn(JUMP, native.len() as u32));
            block.extend(native);
            let mut above = runs(Abi::X32);
            above.iter_mut().for_each(|(start, _)| *start |= X32_BIT);
            block.extend(search(&above));
        } else {
            block.extend(native);
        }
        program.push(Insn { jt: 1, ..insn(EQUAL, *audit) });
        program.push(insn(JUMP, block.len() as u32));
        program.extend(block);
    }
    // An architecture that this kernel has and the profile does not know: as libseccomp answers.
    program.push(insn(RETURN, RET_KILL_THREAD));
    program
}

/// What happens to each call of an architecture, by number. What is not listed
/// is refused: below the newest number with EPERM, above with ENOSYS.
pub fn verdicts(machine: Machine, abi: Abi, caps: &[&str]) -> Vec<(u32, Verdict)> {
    let family = match machine {
        Machine::X86_64 => ON_X86,
        Machine::Aarch64 => ON_ARM,
    };
    let always = ALWAYS.iter().copied().chain([family]);
    let granted = WITH_CAPABILITY.iter().filter(|(cap, _)| caps.contains(cap)).map(|(_, calls)| *calls);
    let mut free: Vec<&str> = always.chain(granted).flat_map(str::split_whitespace).collect();
    free.sort_unstable();
    let verdict = |name: &str| {
        if free.binary_search(&name).is_ok() {
            return Some(Verdict::Allow);
        }
        if let Some((_, first)) = CONDITIONS.iter().find(|(call, _)| *call == name) {
            return Some(Verdict::If(*first));
        }
        (name == NOT_THERE).then_some(Verdict::Errno(ENOSYS))
    };
    let mut all: Vec<_> = numbers(abi).filter_map(|(name, n)| Some((n, verdict(name)?))).collect();
    all.sort_unstable();
    all
}

/// Runs of numbers with one answer: first number and verdict. The first run starts at 0.
pub(super) fn ranges(machine: Machine, abi: Abi, caps: &[&str]) -> Vec<(u32, Verdict)> {
    let newest = numbers(abi).map(|(_, n)| n).max().unwrap_or(0);
    let mut runs: Vec<(u32, Verdict)> = Vec::new();
    let mut add = |start, verdict| {
        if runs.last().is_none_or(|(_, last)| *last != verdict) {
            runs.push((start, verdict));
        }
    };
    let mut next = 0;
    for (n, verdict) in verdicts(machine, abi, caps) {
        // Two names may share a number.
        if n < next {
            continue;
        }
        if n > next {
            add(next, Verdict::Errno(EPERM));
        }
        add(n, verdict);
        next = n + 1;
    }
    if next <= newest {
        add(next, Verdict::Errno(EPERM));
    }
    add(newest + 1, Verdict::Errno(ENOSYS));
    runs
}

/// A search by halving over sorted runs; the number is in the accumulator.
fn search(runs: &[(u32, Verdict)]) -> Vec<Insn> {
    if let Some(code) = compact(runs) {
        return code;
    }
    // Conditional jumps reach 255 instructions, an unconditional one any number.
    let (low, high) = runs.split_at(runs.len() / 2);
    let (start, low) = (high[0].0, search(low));
    let mut code = vec![Insn { jf: 1, ..insn(AT_LEAST, start) }, insn(JUMP, low.len() as u32)];
    code.extend(low);
    code.extend(search(high));
    code
}

/// The search with each answer written once, after the comparisons: the time to load a filter goes
/// with its length. `None` when an answer would be out of reach.
fn compact(runs: &[(u32, Verdict)]) -> Option<Vec<Insn>> {
    let mut answers: Vec<Verdict> = runs.iter().map(|r| r.1).collect();
    answers.sort_unstable();
    answers.dedup();
    let mut at = runs.len() - 1;
    let mut places = Vec::new();
    let mut tail = Vec::new();
    for verdict in answers {
        let code = answer(verdict);
        places.push((verdict, at));
        at += code.len();
        tail.extend(code);
    }
    let mut code = Vec::new();
    compare(runs, &places, &mut code)?;
    code.extend(tail);
    Some(code)
}

/// Adds the comparisons of these runs and says where they start, or where the one answer is.
fn compare(runs: &[(u32, Verdict)], places: &[(Verdict, usize)], code: &mut Vec<Insn>) -> Option<usize> {
    if let [(_, verdict)] = runs {
        return places.iter().find(|p| p.0 == *verdict).map(|p| p.1);
    }
    let (low, high) = runs.split_at(runs.len() / 2);
    let here = code.len();
    code.push(insn(AT_LEAST, high[0].0));
    let (low, high) = (compare(low, places, code)?, compare(high, places, code)?);
    let over = |to: usize| u8::try_from(to - here - 1).ok();
    (code[here].jt, code[here].jf) = (over(high)?, over(low)?);
    Some(here)
}

fn answer(verdict: Verdict) -> Vec<Insn> {
    let refuse = insn(RETURN, RET_ERRNO | EPERM);
    let allow = insn(RETURN, RET_ALLOW);
    let ask = insn(RETURN, RET_USER_NOTIF);
    let refuse = if matches!(verdict, Verdict::AskUnless(_)) { ask } else { refuse };
    match verdict {
        Verdict::Allow => vec![allow],
        Verdict::Errno(errno) => vec![insn(RETURN, RET_ERRNO | errno)],
        Verdict::Ask => vec![ask],
        Verdict::AskToWrite(arg) => vec![
            insn(LOAD, ARG0_LOW + 8 * u32::from(arg)),
            Insn { jf: 1, ..insn(ANY_BIT, WRITES) },
            Insn { jf: 1, ..insn(ANY_BIT, EXCLUSIVE) },
            allow,
            ask,
        ],
        Verdict::AskIfSet(arg) => vec![
            insn(LOAD, ARG0_LOW + 8 * u32::from(arg)),
            Insn { jf: 3, ..insn(EQUAL, 0) },
            insn(LOAD, ARG0_HIGH + 8 * u32::from(arg)),
            Insn { jf: 1, ..insn(EQUAL, 0) },
            allow,
            ask,
        ],
        // All flags are in the low half; the kernel has no others.
        Verdict::If(First::Without(mask)) | Verdict::AskUnless(First::Without(mask)) => {
            vec![insn(LOAD, ARG0_LOW), Insn { jt: 1, ..insn(ANY_BIT, mask) }, allow, refuse]
        }
        Verdict::If(First::Among(below, list)) | Verdict::AskUnless(First::Among(below, list)) => {
            // A value past 32 bits is none of them. Layout: two loads, the tests, refuse, allow.
            let tests = list.len() as u8 + 1;
            let mut code = vec![
                insn(LOAD, ARG0_HIGH),
                Insn { jf: tests + 1, ..insn(EQUAL, 0) },
                insn(LOAD, ARG0_LOW),
                Insn { jf: tests, ..insn(AT_LEAST, below) },
            ];
            for (at, value) in list.iter().enumerate() {
                code.push(Insn { jt: tests - 1 - at as u8, ..insn(EQUAL, *value) });
            }
            code.extend([refuse, allow]);
            code
        }
    }
}
