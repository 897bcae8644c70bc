//! Which container has which address: a file per lease, named by the address,
//! holding the container's id. Creating the file is what takes the address.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::path::Path;

use super::file;
use super::state::{self, Place};
use crate::kernel::linux::recorder::Recorder;
use crate::kernel::{Errno, Failure};
use crate::network::Subnet;

/// A lease, as found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lease {
    /// The address.
    pub address: Ipv4Addr,
    /// The container's id; empty while it is being written.
    pub container: String,
}

/// The leases in a directory, by address. A missing directory has none.
pub fn all(leases: &Path) -> Result<Vec<Lease>, Errno> {
    let mut found: Vec<Lease> = taken(leases)?
        .into_iter()
        .map(|address| Lease {
            address,
            container: std::fs::read_to_string(leases.join(address.to_string())).unwrap_or_default(),
        })
        .collect();
    found.sort();
    Ok(found)
}

fn taken(leases: &Path) -> Result<BTreeSet<Ipv4Addr>, Errno> {
    match std::fs::read_dir(leases) {
        Ok(dir) => Ok(dir.flatten().filter_map(|e| e.file_name().to_str()?.parse().ok()).collect()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(BTreeSet::new()),
        Err(e) => Err(e.into()),
    }
}

/// Takes the lowest free address.
pub fn allocate(
    rec: &mut Recorder,
    network: &str,
    leases: &Path,
    subnet: Subnet,
    gateway: Ipv4Addr,
    container: &str,
) -> Result<Ipv4Addr, Failure> {
    let at = |e: Errno| Failure::new(format!("reserve an address in {}", leases.display()), Some(e));
    // Nobody may take an empty lease for a dead one while we write ours.
    Place::new(container, leases).lock_shared(rec)?;
    let mut taken = taken(leases).map_err(at)?;
    let done = loop {
        let Some(address) = subnet.lowest_free(gateway, &taken) else {
            break Err(Failure::new(
                format!("reserve an address on network {network}: all {} of {subnet} are taken", taken.len()),
                Some(Errno::ENOSPC),
            )
            .hint("remove containers, or use a network with a larger subnet"));
        };
        match file::create(rec, &leases.join(address.to_string()), container, 0o600) {
            Ok(()) => break Ok(address),
            Err(Errno::EEXIST) => taken.insert(address),
            Err(e) => break Err(at(e)),
        };
    };
    state::unlock();
    done
}

/// Gives back the container's own leases and no others; `known` is looked at
/// first, because reading every lease takes time.
pub fn release(
    rec: &mut Recorder,
    leases: &Path,
    container: &str,
    known: Option<Ipv4Addr>,
) -> Result<(), Failure> {
    let at = |e: Errno| Failure::new(format!("give back an address in {}", leases.display()), Some(e));
    if let Some(address) = known {
        let path = leases.join(address.to_string());
        if std::fs::read_to_string(&path).is_ok_and(|text| text == container) {
            return file::unlink(rec, &path).map_err(at);
        }
    }
    let found = all(leases).map_err(at)?;
    let own = |l: &&Lease| l.container == container;
    for lease in found.iter().filter(own) {
        file::unlink(rec, &leases.join(lease.address.to_string())).map_err(at)?;
    }
    // A run killed between making its lease and writing into it leaves an empty
    // one. Only with the lock is it certain that nobody is about to write it.
    if found.iter().any(|l| l.container.is_empty()) {
        Place::new(container, leases).clear_unwritten(rec, leases).map_err(at)?;
    }
    Ok(())
}

impl Place {
    fn clear_unwritten(&self, rec: &mut Recorder, leases: &Path) -> Result<(), Errno> {
        if self.lock_alone(rec).is_err() {
            return Ok(());
        }
        let mut done = Ok(());
        for lease in all(leases)?.iter().filter(|l| l.container.is_empty()) {
            done = done.and(file::unlink(rec, &leases.join(lease.address.to_string())));
        }
        state::unlock();
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> Ipv4Addr {
        text.parse().unwrap()
    }

    #[test]
    fn takes_the_lowest_and_gives_back_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let leases = dir.path().join("net/leases");
        let subnet: Subnet = "192.0.2.0/29".parse().unwrap();
        let rec = &mut Recorder::on();
        let mut take = |who: &str| allocate(rec, "n", &leases, subnet, ip("192.0.2.1"), who);
        assert_eq!(take("a").unwrap(), ip("192.0.2.2"));
        assert_eq!(take("b").unwrap(), ip("192.0.2.3"));
        let rec = &mut Recorder::on();
        release(rec, &leases, "a", Some(ip("192.0.2.3"))).unwrap();
        assert_eq!(rec.take().iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["unlinkat"]);
        release(rec, &leases, "a", None).unwrap();
        assert!(rec.take().is_empty(), "giving back twice changes nothing");
        let left = all(&leases).unwrap();
        assert_eq!(left, [Lease { address: ip("192.0.2.3"), container: "b".into() }]);
        let mut take = |who: &str| allocate(rec, "n", &leases, subnet, ip("192.0.2.1"), who);
        for n in 0..4 {
            take(&format!("c{n}")).unwrap();
        }
        let full = take("d").unwrap_err();
        assert_eq!(full.errno, Some(Errno::ENOSPC));
        assert!(full.what.contains("all 5 of 192.0.2.0/29"), "{full}");
    }

    #[test]
    fn parallel_takers_never_share() {
        let dir = tempfile::tempdir().unwrap();
        let leases = dir.path().join("leases");
        let subnet: Subnet = "10.1.0.0/24".parse().unwrap();
        let threads: Vec<_> = (0..8)
            .map(|t| {
                let leases = leases.clone();
                std::thread::spawn(move || {
                    (0..20)
                        .map(|n| {
                            let who = format!("t{t}-{n}");
                            allocate(&mut Recorder::off(), "n", &leases, subnet, ip("10.1.0.1"), &who)
                                .unwrap()
                        })
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        let given: Vec<Ipv4Addr> = threads.into_iter().flat_map(|t| t.join().unwrap()).collect();
        let distinct: BTreeSet<_> = given.iter().copied().collect();
        assert_eq!((given.len(), distinct.len()), (160, 160));
        assert_eq!(distinct, subnet.hosts().skip(1).take(160).collect(), "the lowest ones, without gaps");
    }

    #[test]
    fn an_unwritten_lease_of_a_killed_run_is_cleared() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("192.0.2.2"), "").unwrap();
        release(&mut Recorder::off(), dir.path(), "a", None).unwrap();
        assert!(all(dir.path()).unwrap().is_empty());
    }
}
