//! How many calls of the machine's own numbering a filter allows, refuses and asks about.
//! The build script includes this file: the usual filter's are counted when glassbox is built.

use super::asking::told;
use super::assemble::{Verdict, verdicts};
use super::numbers::{Machine, numbers};

/// Numbers of calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// Allowed with any arguments.
    pub free: i64,
    /// Allowed with some arguments.
    pub bound: i64,
    /// The others that this architecture has.
    pub refused: i64,
    /// Asked about in a watched container, whatever the answer.
    pub asked: i64,
}

/// Counts for a container with these capabilities; without any filter's profile nothing is refused.
pub fn tally(machine: Machine, caps: Option<&[&str]>) -> Tally {
    let native = machine.abis()[0].1[0];
    let known = numbers(native).count() as i64;
    let (mut free, mut bound) = (known, 0);
    if let Some(caps) = caps {
        let verdicts = verdicts(machine, native, caps);
        let count = |of: fn(&Verdict) -> bool| verdicts.iter().filter(|(_, v)| of(v)).count() as i64;
        (free, bound) = (count(|v| *v == Verdict::Allow), count(|v| matches!(v, Verdict::If(_))));
    }
    let asked = numbers(native).filter(|(name, _)| told(name).is_some()).count() as i64;
    Tally { free, bound, refused: known - free - bound, asked }
}
