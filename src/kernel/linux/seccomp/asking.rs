//! The filter of a watched container: it asks glassbox before the calls that can
//! change a file of a read-only layer, and about those that the profile refuses.
//!
//! Two filters would not do: of two answers the kernel takes the stricter one, and
//! a refusal is stricter than a question.

use super::assemble::{Insn, Verdict, program, ranges};
use super::numbers::{Abi, Machine, numbers};

const EPERM: u32 = 1;

/// What a call can do to a file, and where its paths are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// Each path with the directory that it starts from: indexes of arguments; a
    /// path without one starts from the working directory.
    pub paths: &'static [(Option<u8>, u8)],
    /// When to ask.
    pub when: When,
}

/// When a call is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Each time.
    Always,
    /// When this argument has flags of open(2) to write.
    Writes(u8),
    /// When this argument, a path, is there.
    Set(u8),
}

const HERE: &[(Option<u8>, u8)] = &[(None, 0)];
const AT: &[(Option<u8>, u8)] = &[(Some(0), 1)];
const BOTH: &[(Option<u8>, u8)] = &[(None, 0), (None, 1)];
const BOTH_AT: &[(Option<u8>, u8)] = &[(Some(0), 1), (Some(2), 3)];

/// Calls that are asked about, by name. What works on an open descriptor is not
/// among them: whoever opened it for writing was asked then, and chmod(2) and the
/// like on one opened for reading are seen by what they leave in the layer.
pub fn told(name: &str) -> Option<Told> {
    let (paths, when) = match name {
        "open" => (HERE, When::Writes(1)),
        "openat" => (AT, When::Writes(2)),
        // Its flags are in memory, which a filter does not see.
        "openat2" => (AT, When::Always),
        "creat" | "mkdir" | "mknod" | "truncate" | "truncate64" | "unlink" | "rmdir" | "chmod" | "chown"
        | "chown32" | "lchown" | "lchown32" | "utime" | "utimes" | "setxattr" | "lsetxattr"
        | "removexattr" | "lremovexattr" => (HERE, When::Always),
        "mkdirat" | "mknodat" | "unlinkat" | "fchmodat" | "fchmodat2" | "fchownat" | "setxattrat"
        | "removexattrat" => (AT, When::Always),
        "futimesat" | "utimensat" | "utimensat_time64" => (AT, When::Set(1)),
        "symlink" => (&[(None, 1)][..], When::Always),
        "symlinkat" => (&[(Some(1), 2)][..], When::Always),
        "rename" | "link" => (BOTH, When::Always),
        "renameat" | "renameat2" | "linkat" => (BOTH_AT, When::Always),
        "execve" => (HERE, When::Always),
        "execveat" => (AT, When::Always),
        "exit_group" => (&[][..], When::Always),
        _ => return None,
    };
    Some(Told { paths, when })
}

/// The filter for a container whose profile lets these capabilities' calls pass;
/// without a profile nothing is refused.
pub fn asking(machine: Machine, caps: Option<&[&str]>) -> Vec<Insn> {
    program(machine, &|abi| runs(machine, abi, caps))
}

fn runs(machine: Machine, abi: Abi, caps: Option<&[&str]>) -> Vec<(u32, Verdict)> {
    let base = caps.map_or_else(|| vec![(0, Verdict::Allow)], |caps| ranges(machine, abi, caps));
    let mut asked: Vec<(u32, When)> =
        numbers(abi).filter_map(|(name, n)| Some((n, told(name)?.when))).collect();
    asked.sort_unstable_by_key(|(n, _)| *n);
    let newest = numbers(abi).map(|(_, n)| n).max().unwrap_or(0);
    let mut out: Vec<(u32, Verdict)> = Vec::new();
    for n in 0..=newest + 1 {
        let plain = base[base.partition_point(|(start, _)| *start <= n) - 1].1;
        let when = asked.binary_search_by_key(&n, |(n, _)| *n).ok().map(|at| asked[at].1);
        let verdict = match (plain, when) {
            (Verdict::Errno(EPERM), _) => Verdict::Ask,
            (Verdict::If(first), _) => Verdict::AskUnless(first),
            (Verdict::Allow, Some(When::Always)) => Verdict::Ask,
            (Verdict::Allow, Some(When::Writes(arg))) => Verdict::AskToWrite(arg),
            (Verdict::Allow, Some(When::Set(arg))) => Verdict::AskIfSet(arg),
            (other, _) => other,
        };
        if out.last().is_none_or(|(_, last)| *last != verdict) {
            out.push((n, verdict));
        }
    }
    out
}
