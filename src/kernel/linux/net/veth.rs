//! The pair of links between the host's bridge and a container.

use super::link::{self, Veth};
use super::state::{self, Who};
use super::sysctl;
use crate::kernel::linux::cx::Cx;
use crate::kernel::linux::recorder::Recorder;
use crate::kernel::{Errno, Failure};
use crate::network::names;

/// Whether bridged frames pass the IP rules; exists with br_netfilter only.
const BRIDGED_FRAMES: &str = "net/bridge/bridge-nf-call-iptables";

/// Makes the pair, in one request.
pub fn apply(cx: &mut Cx<'_>, host: &str, peer: &str, bridge: &str, mac: &str) -> Result<bool, Failure> {
    let what = format!("make veth pair {host} and {peer}");
    let pid = cx
        .init_pid()
        .ok_or_else(|| Failure::new(format!("{what}: no init process yet"), Some(Errno::ESRCH)))?;
    let bytes = names::parse_mac(mac)
        .ok_or_else(|| Failure::new(format!("{what}: {mac:?} is no MAC address"), None))?;
    state::with(Who::Host, cx.rec, |nl, rec| {
        let master = link::get(nl, rec, bridge)
            .map_err(|e| e.at(format!("look for bridge {bridge}")))?
            .ok_or_else(|| Failure::new(format!("{what}: no bridge {bridge}"), Some(Errno::ENODEV)))?;
        let veth = Veth { host, bridge: (bridge, master.index), peer, mac: bytes, pid: pid as u32 };
        link::new_veth(nl, rec, &veth).map_err(|e| {
            let exists = e.errno == Errno::EEXIST;
            let failure = e.at(what);
            if exists {
                failure.hint("a run left it behind: `glassbox system repair` removes it")
            } else {
                failure
            }
        })?;
        // With br_netfilter a bridged frame meets the NAT rules on the bridge, and
        // a container that uses its own published port is answered through the
        // very port that it asked from.
        if sysctl::read(BRIDGED_FRAMES).is_ok_and(|on| on == "1") {
            link::set_hairpin(nl, rec, host).map_err(|e| e.at(format!("set hairpin mode on {host}")))?;
        }
        Ok(false)
    })
}

/// Deletes the pair if its host end is still there; with init's namespace gone,
/// the kernel has done so or is about to.
pub fn undo(rec: &mut Recorder, host: &str) -> Result<(), Failure> {
    state::with(Who::Host, rec, |nl, rec| {
        let what = || format!("delete link {host}");
        match link::get(nl, rec, host).map_err(|e| e.at(what()))? {
            Some(found) if found.kind == "veth" => match link::delete(nl, rec, &found) {
                Err(e) if e.errno != Errno::ENODEV => Err(e.at(what())),
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    })
}
