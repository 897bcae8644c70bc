//! What init does in the container's own network namespace. Nothing of it needs
//! undoing: it goes with the namespace.

use std::net::Ipv4Addr;

use super::link;
use super::route;
use super::state::{self, Who};
use crate::kernel::linux::recorder::Recorder;
use crate::kernel::{Errno, Failure};
use crate::network::subnet::parse_address;

/// Sets a link up.
pub fn set_link_up(rec: &mut Recorder, name: &str) -> Result<bool, Failure> {
    state::with(Who::Init, rec, |nl, rec| {
        link::set_up(nl, rec, name, true).map_err(|e| e.at(format!("set {name} up")))?;
        Ok(false)
    })
}

/// Gives a link an address, `a.b.c.d/len`.
pub fn add_address(rec: &mut Recorder, name: &str, address: &str) -> Result<bool, Failure> {
    let what = || format!("give {name} {address}");
    let (ip, prefix) = parse_address(address).map_err(|e| Failure::new(format!("{}: {e}", what()), None))?;
    state::with(Who::Init, rec, |nl, rec| {
        let found = link::get(nl, rec, name)
            .map_err(|e| e.at(what()))?
            .ok_or_else(|| Failure::new(what(), Some(Errno::ENODEV)))?;
        match link::add_address(nl, rec, &found, ip, prefix) {
            Err(e) if e.errno == Errno::EEXIST => Ok(true),
            done => done.map(|()| false).map_err(|e| e.at(what())),
        }
    })
}

/// Adds the default route.
pub fn add_default_route(rec: &mut Recorder, via: Ipv4Addr) -> Result<bool, Failure> {
    state::with(Who::Init, rec, |nl, rec| match route::add_default(nl, rec, via) {
        Err(e) if e.errno == Errno::EEXIST => Ok(true),
        done => done.map(|()| false).map_err(|e| e.at(format!("add the default route via {via}"))),
    })
}
