//! Capabilities by name, capabilities(7): what a container has at first, and
//! what `--cap-add` and `--cap-drop` make of it.
//!
//! The build script includes this file: it depends on nothing.

use std::collections::BTreeSet;
use std::fmt;

/// How many capabilities there are; their numbers are those below it.
pub const COUNT: usize = 41;

/// Every capability, at the place of its number.
const ALL: [&str; COUNT] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];

/// What a container has unless told otherwise: Docker's set. Sorted.
pub const DEFAULT: [&str; 14] = [
    "CAP_AUDIT_WRITE",
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_MKNOD",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_RAW",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_CHROOT",
];

/// Every capability, in the order of its number.
pub fn all() -> &'static [&'static str] {
    &ALL
}

/// The capability's number, for capset(2).
pub fn number(name: &str) -> Option<u8> {
    ALL.iter().position(|c| *c == name).map(|n| n as u8)
}

/// A name that is no capability. Reads as a fragment after "failed to …".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// As it was given.
    pub name: String,
    /// The nearest one that exists, if one is near.
    pub near: Option<&'static str>,
}

impl Unknown {
    /// What to do next.
    pub fn hint(&self) -> String {
        match self.near {
            Some(near) => format!("did you mean {}?", &near[4..]),
            None => "capabilities(7) lists them; ALL is every one".to_owned(),
        }
    }
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "find a capability named {:?}", self.name)
    }
}

impl std::error::Error for Unknown {}

/// A name as it is given to `--cap-add`: any case, with or without `CAP_`.
/// `ALL` is [`None`].
pub fn parse(name: &str) -> Result<Option<&'static str>, Unknown> {
    let upper = name.trim().to_ascii_uppercase();
    let bare = upper.strip_prefix("CAP_").unwrap_or(&upper);
    if bare == "ALL" {
        return Ok(None);
    }
    if let Some(found) = ALL.iter().find(|c| &c[4..] == bare) {
        return Ok(Some(found));
    }
    let near = ALL.iter().map(|c| (distance(bare, &c[4..]), *c)).min();
    let near = near.filter(|(d, _)| *d <= 2 || *d * 4 <= bare.len()).map(|(_, c)| c);
    Err(Unknown { name: name.to_owned(), near })
}

/// The capabilities of a container, sorted. As Docker does it: `ALL` dropped
/// leaves only what is added by name; `ALL` added leaves out only what is
/// dropped by name; otherwise what is dropped is taken from the default set and
/// what is added comes on top.
pub fn resolve<S: AsRef<str>>(add: &[S], drop: &[S]) -> Result<Vec<&'static str>, Unknown> {
    let parsed = |names: &[S]| names.iter().map(|n| parse(n.as_ref())).collect::<Result<Vec<_>, _>>();
    let (add, drop) = (parsed(add)?, parsed(drop)?);
    let named = |list: &[Option<&'static str>]| list.iter().flatten().copied().collect::<BTreeSet<_>>();
    let (all_added, all_dropped) = (add.contains(&None), drop.contains(&None));
    let set: BTreeSet<&'static str> = if all_added {
        ALL.iter().copied().filter(|c| !named(&drop).contains(c)).collect()
    } else {
        let start: BTreeSet<_> =
            if all_dropped { BTreeSet::new() } else { DEFAULT.iter().copied().collect() };
        let kept: BTreeSet<_> = start.difference(&named(&drop)).copied().collect();
        kept.union(&named(&add)).copied().collect()
    };
    Ok(set.into_iter().collect())
}

/// Number of letters to insert, delete or replace.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let replaced = corner + usize::from(x != y);
            corner = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(corner + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_every_spelling() {
        for name in ["NET_ADMIN", "net_admin", "CAP_NET_ADMIN", "cap_net_admin", " Net_Admin "] {
            assert_eq!(parse(name), Ok(Some("CAP_NET_ADMIN")), "{name}");
        }
        assert_eq!(parse("all"), Ok(None));
        assert_eq!(parse("CAP_ALL"), Ok(None));
    }

    #[test]
    fn an_unknown_name_gets_a_hint() {
        let unknown = parse("NET_ADMN").unwrap_err();
        assert_eq!(unknown.to_string(), "find a capability named \"NET_ADMN\"");
        assert_eq!(unknown.hint(), "did you mean NET_ADMIN?");
        assert!(parse("flying").unwrap_err().hint().contains("capabilities(7)"));
        assert!(parse("").is_err());
    }

    #[test]
    fn numbers_are_the_kernels() {
        for (name, n) in [("CAP_CHOWN", 0), ("CAP_SYS_ADMIN", 21), ("CAP_CHECKPOINT_RESTORE", 40)] {
            assert_eq!(number(name), Some(n));
        }
        assert_eq!(number("SYS_ADMIN"), None);
        assert!(DEFAULT.is_sorted() && DEFAULT.iter().all(|c| number(c).is_some()));
    }

    #[test]
    fn adding_and_dropping() {
        let none: &[&str] = &[];
        assert_eq!(resolve(none, none).unwrap(), DEFAULT);
        assert_eq!(resolve(&["ALL"], none).unwrap().len(), 41);
        assert_eq!(resolve(&["ALL"], &["SYS_ADMIN"]).unwrap().len(), 40);
        assert_eq!(resolve(&["chown"], &["ALL"]).unwrap(), ["CAP_CHOWN"]);
        assert!(resolve(none, &["ALL"]).unwrap().is_empty());
        let some = resolve(&["NET_ADMIN"], &["MKNOD", "SYS_TIME"]).unwrap();
        assert!(some.contains(&"CAP_NET_ADMIN") && !some.contains(&"CAP_MKNOD") && some.len() == 14);
        assert!(some.is_sorted());
        assert!(resolve(&["what"], none).is_err());
    }
}
