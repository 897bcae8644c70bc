//! Namespaces, namespaces(7): what each kind isolates, and the id maps of user
//! namespaces. Each has an inode number as Linux shows it in `/proc/PID/ns`.

use std::collections::BTreeMap;

use super::cgroup::CgId;
use super::process::Gpid;
use super::{Cred, Res};
use crate::kernel::Errno;
use crate::plan::op::{IdMap, Ns};

/// A namespace's inode number.
pub(crate) type NsId = u32;

/// The id that stands for one without a mapping.
pub(crate) const NOBODY: u32 = 65534;

/// What a namespace holds, where it is not kept elsewhere.
#[derive(Debug)]
pub(crate) enum Held {
    User {
        parent: Option<NsId>,
        owner: u32,
        uid: Vec<IdMap>,
        gid: Vec<IdMap>,
    },
    Pid {
        parent: Option<NsId>,
        next: i32,
        pids: BTreeMap<i32, Gpid>,
    },
    Uts {
        hostname: String,
    },
    Cgroup {
        root: CgId,
    },
    /// mnt, ipc, net and time: the namespace is only a name here.
    Plain,
}

#[derive(Debug)]
struct Namespace {
    /// The user namespace that owns it.
    owner: NsId,
    held: Held,
}

/// A process's namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NsSet {
    pub user: NsId,
    pub mnt: NsId,
    pub pid: NsId,
    pub uts: NsId,
    pub ipc: NsId,
    pub net: NsId,
    pub cgroup: NsId,
    pub time: NsId,
}

impl NsSet {
    pub fn get(&self, kind: Ns) -> NsId {
        match kind {
            Ns::User => self.user,
            Ns::Mnt => self.mnt,
            Ns::Pid => self.pid,
            Ns::Uts => self.uts,
            Ns::Ipc => self.ipc,
            Ns::Net => self.net,
            Ns::Cgroup => self.cgroup,
            Ns::Time => self.time,
        }
    }

    pub fn set(&mut self, kind: Ns, id: NsId) {
        *match kind {
            Ns::User => &mut self.user,
            Ns::Mnt => &mut self.mnt,
            Ns::Pid => &mut self.pid,
            Ns::Uts => &mut self.uts,
            Ns::Ipc => &mut self.ipc,
            Ns::Net => &mut self.net,
            Ns::Cgroup => &mut self.cgroup,
            Ns::Time => &mut self.time,
        } = id;
    }
}

/// Every kind, in the order in which they are listed.
pub(crate) const KINDS: [Ns; 8] =
    [Ns::Cgroup, Ns::Ipc, Ns::Mnt, Ns::Net, Ns::Pid, Ns::Time, Ns::User, Ns::Uts];

/// Every namespace.
#[derive(Debug)]
pub(crate) struct Namespaces {
    table: BTreeMap<NsId, Namespace>,
    next: NsId,
}

impl Namespaces {
    /// The host's, with the inode numbers of a booted Linux.
    pub fn new(hostname: &str) -> (Namespaces, NsSet) {
        let set = NsSet {
            time: 4026531834,
            cgroup: 4026531835,
            pid: 4026531836,
            user: 4026531837,
            uts: 4026531838,
            ipc: 4026531839,
            net: 4026531840,
            mnt: 4026531841,
        };
        let all = vec![IdMap { container: 0, host: 0, size: u32::MAX }];
        let mut table = BTreeMap::new();
        for kind in KINDS {
            let held = match kind {
                Ns::User => Held::User { parent: None, owner: 0, uid: all.clone(), gid: all.clone() },
                Ns::Pid => Held::Pid { parent: None, next: 1, pids: BTreeMap::new() },
                Ns::Uts => Held::Uts { hostname: hostname.to_owned() },
                Ns::Cgroup => Held::Cgroup { root: 0 },
                _ => Held::Plain,
            };
            table.insert(set.get(kind), Namespace { owner: set.user, held });
        }
        (Namespaces { table, next: 4026532200 }, set)
    }

    pub fn add(&mut self, owner: NsId, held: Held) -> NsId {
        let id = self.next;
        self.next = self.next.wrapping_add(1);
        self.table.insert(id, Namespace { owner, held });
        id
    }

    pub fn ids(&self) -> Vec<NsId> {
        self.table.keys().copied().collect()
    }

    pub fn remove(&mut self, id: NsId) {
        self.table.remove(&id);
    }

    pub fn owner(&self, id: NsId) -> Option<NsId> {
        self.table.get(&id).map(|n| n.owner)
    }

    pub fn held(&self, id: NsId) -> Option<&Held> {
        self.table.get(&id).map(|n| &n.held)
    }

    pub fn held_mut(&mut self, id: NsId) -> Option<&mut Held> {
        self.table.get_mut(&id).map(|n| &mut n.held)
    }

    pub fn parent(&self, id: NsId) -> Option<NsId> {
        match self.held(id)? {
            Held::User { parent, .. } | Held::Pid { parent, .. } => *parent,
            _ => None,
        }
    }

    pub fn hostname(&self, uts: NsId) -> &str {
        match self.held(uts) {
            Some(Held::Uts { hostname }) => hostname,
            _ => "",
        }
    }

    pub fn cgroup_root(&self, ns: NsId) -> CgId {
        match self.held(ns) {
            Some(Held::Cgroup { root }) => *root,
            _ => 0,
        }
    }

    /// ns_capable(): the capability counts in the process's own user namespace and
    /// those below it; the owner of a namespace holds them all inside it.
    pub fn capable(&self, cred: &Cred, user_ns: NsId, cap: super::cred::Cap) -> bool {
        let mut at = user_ns;
        loop {
            if at == cred.user_ns {
                return cred.has(cap);
            }
            match self.held(at) {
                Some(Held::User { parent: Some(parent), owner, .. }) => {
                    if *parent == cred.user_ns && *owner == cred.euid {
                        return true;
                    }
                    at = *parent;
                }
                _ => return false,
            }
        }
    }

    fn maps(&self, ns: NsId) -> Option<(&[IdMap], &[IdMap])> {
        match self.held(ns)? {
            Held::User { uid, gid, .. } => Some((uid, gid)),
            _ => None,
        }
    }

    /// Both ids have a number in the namespace.
    pub fn maps_ids(&self, ns: NsId, uid: u32, gid: u32) -> bool {
        self.maps(ns).is_some_and(|(u, g)| inside(u, uid).is_some() && inside(g, gid).is_some())
    }

    pub fn uid_in(&self, ns: NsId, kuid: u32) -> u32 {
        self.maps(ns).and_then(|(u, _)| inside(u, kuid)).unwrap_or(NOBODY)
    }

    pub fn gid_in(&self, ns: NsId, kgid: u32) -> u32 {
        self.maps(ns).and_then(|(_, g)| inside(g, kgid)).unwrap_or(NOBODY)
    }

    pub fn kuid(&self, ns: NsId, uid: u32) -> Res<u32> {
        self.maps(ns).and_then(|(u, _)| outside(u, uid)).ok_or(Errno::EINVAL)
    }

    pub fn kgid(&self, ns: NsId, gid: u32) -> Res<u32> {
        self.maps(ns).and_then(|(_, g)| outside(g, gid)).ok_or(Errno::EINVAL)
    }

    /// A new process's number in each pid namespace from its own outwards.
    pub fn number(&mut self, ns: NsId, gpid: Gpid) -> Vec<(NsId, i32)> {
        let mut numbers = Vec::new();
        let mut at = Some(ns);
        while let Some(id) = at {
            let Some(Held::Pid { parent, next, pids }) = self.held_mut(id) else { break };
            // In the first namespace a process is known by its own number.
            let pid = if parent.is_none() { gpid } else { *next };
            *next = if pid >= 4_194_303 { 300 } else { pid + 1 };
            pids.insert(pid, gpid);
            at = *parent;
            numbers.push((id, pid));
        }
        numbers
    }

    pub fn find_pid(&self, ns: NsId, pid: i32) -> Option<Gpid> {
        match self.held(ns)? {
            Held::Pid { pids, .. } => pids.get(&pid).copied(),
            _ => None,
        }
    }

    pub fn pids(&self, ns: NsId) -> Vec<(i32, Gpid)> {
        match self.held(ns) {
            Some(Held::Pid { pids, .. }) => pids.iter().map(|(p, g)| (*p, *g)).collect(),
            _ => Vec::new(),
        }
    }

    pub fn forget_pid(&mut self, numbers: &[(NsId, i32)]) {
        for (ns, pid) in numbers {
            if let Some(Held::Pid { pids, .. }) = self.held_mut(*ns) {
                pids.remove(pid);
            }
        }
    }
}

pub(crate) fn inside(maps: &[IdMap], id: u32) -> Option<u32> {
    maps.iter().find(|m| id >= m.host && id - m.host < m.size).map(|m| m.container.wrapping_add(id - m.host))
}

pub(crate) fn outside(maps: &[IdMap], id: u32) -> Option<u32> {
    maps.iter()
        .find(|m| id >= m.container && id - m.container < m.size)
        .map(|m| m.host.wrapping_add(id - m.container))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::model::cred::Cap;

    #[test]
    fn ids_are_mapped_both_ways() {
        let (mut all, host) = Namespaces::new("host");
        let map = vec![IdMap { container: 0, host: 100_000, size: 65536 }];
        let ns = all
            .add(host.user, Held::User { parent: Some(host.user), owner: 1000, uid: map.clone(), gid: map });
        assert_eq!(all.kuid(ns, 0), Ok(100_000));
        assert_eq!(all.uid_in(ns, 100_005), 5);
        assert_eq!(all.uid_in(ns, 0), NOBODY);
        assert_eq!(all.kuid(ns, 70_000), Err(Errno::EINVAL));
        let mut cred = Cred::root(host.user);
        cred.effective = 0;
        cred.euid = 1000;
        assert!(all.capable(&cred, ns, Cap::SYS_ADMIN), "the owner holds all capabilities inside");
        assert!(!all.capable(&cred, host.user, Cap::SYS_ADMIN));
        let inner = Cred::root(ns);
        assert!(all.capable(&inner, ns, Cap::SYS_ADMIN));
        assert!(!all.capable(&inner, host.user, Cap::SYS_ADMIN));
    }
}
