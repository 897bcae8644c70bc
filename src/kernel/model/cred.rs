//! Who a process is: ids, capability sets and the locks on gaining more,
//! credentials(7) and capabilities(7). Ids are the kernel's own (those of the
//! first user namespace).

use std::rc::Rc;

use super::ns::NsId;
use crate::spec::capabilities;

/// A capability, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cap(pub u32);

#[allow(dead_code)]
impl Cap {
    pub const CHOWN: Cap = Cap(0);
    pub const DAC_OVERRIDE: Cap = Cap(1);
    pub const DAC_READ_SEARCH: Cap = Cap(2);
    pub const FOWNER: Cap = Cap(3);
    pub const FSETID: Cap = Cap(4);
    pub const KILL: Cap = Cap(5);
    pub const SETGID: Cap = Cap(6);
    pub const SETUID: Cap = Cap(7);
    pub const SETPCAP: Cap = Cap(8);
    pub const NET_BIND_SERVICE: Cap = Cap(10);
    pub const NET_ADMIN: Cap = Cap(12);
    pub const NET_RAW: Cap = Cap(13);
    pub const SYS_PTRACE: Cap = Cap(19);
    pub const SYS_ADMIN: Cap = Cap(21);
    pub const SYS_RESOURCE: Cap = Cap(24);
    pub const MKNOD: Cap = Cap(27);

    pub fn bit(self) -> u64 {
        1 << self.0
    }
}

/// Every capability.
pub(crate) const ALL_CAPS: u64 = (1 << capabilities::COUNT) - 1;

/// The set with these names; unknown names are passed over.
pub fn cap_mask<S: AsRef<str>>(names: &[S]) -> u64 {
    names.iter().filter_map(|n| capabilities::number(n.as_ref())).fold(0, |mask, bit| mask | 1 << bit)
}

/// The names in a set, sorted.
pub fn cap_names(mask: u64) -> Vec<String> {
    let mut names: Vec<String> = capabilities::all()
        .iter()
        .enumerate()
        .filter(|(i, _)| mask & (1 << i) != 0)
        .map(|(_, n)| (*n).to_owned())
        .collect();
    names.sort();
    names
}

/// A process's credentials.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Cred {
    pub(crate) uid: u32,
    pub(crate) euid: u32,
    pub(crate) gid: u32,
    pub(crate) egid: u32,
    pub(crate) groups: Rc<[u32]>,
    pub(crate) bounding: u64,
    pub(crate) effective: u64,
    pub(crate) permitted: u64,
    pub(crate) inheritable: u64,
    pub(crate) ambient: u64,
    pub(crate) user_ns: NsId,
    pub(crate) no_new_privs: bool,
    /// Capabilities for which the loaded filter lets privileged calls through.
    pub(crate) seccomp: Option<u64>,
}

impl Cred {
    /// Root with every capability, in this user namespace.
    pub(crate) fn root(user_ns: NsId) -> Cred {
        Cred {
            uid: 0,
            euid: 0,
            gid: 0,
            egid: 0,
            groups: Rc::from([0u32].as_slice()),
            bounding: ALL_CAPS,
            effective: ALL_CAPS,
            permitted: ALL_CAPS,
            inheritable: 0,
            ambient: 0,
            user_ns,
            no_new_privs: false,
            seccomp: None,
        }
    }

    /// The capability is effective (in the process's own user namespace).
    pub(crate) fn has(&self, cap: Cap) -> bool {
        self.effective & cap.bit() != 0
    }

    pub(crate) fn in_group(&self, gid: u32) -> bool {
        self.egid == gid || self.groups.contains(&gid)
    }

    /// What execve(2) makes of the sets, for a file without file capabilities.
    /// A setuid program's new euid is given by the caller beforehand.
    pub(crate) fn after_exec(&mut self, root: bool) {
        if root {
            self.permitted = self.inheritable | self.bounding;
            self.effective = self.permitted;
        } else {
            self.permitted = self.ambient;
            self.effective = self.ambient;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_bits_agree() {
        for (name, cap) in [("CAP_SYS_ADMIN", Cap::SYS_ADMIN), ("CAP_MKNOD", Cap::MKNOD)] {
            assert_eq!(cap_mask(&[name]), cap.bit());
        }
        let mask = cap_mask(&["CAP_KILL", "CAP_CHOWN", "CAP_NONSENSE"]);
        assert_eq!(mask, 0b100001);
        assert_eq!(cap_names(mask), ["CAP_CHOWN", "CAP_KILL"]);
        assert_eq!(cap_names(ALL_CAPS).len(), 41);
    }

    #[test]
    fn exec_of_a_user_keeps_only_ambient() {
        let mut cred = Cred::root(1);
        cred.bounding = cap_mask(&["CAP_CHOWN"]);
        cred.after_exec(true);
        assert_eq!(cred.effective, 1);
        cred.after_exec(false);
        assert_eq!((cred.effective, cred.permitted), (0, 0));
    }
}
