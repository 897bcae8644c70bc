//! The rules that a network shares: made once, kept after a run.
//!
//! - `postrouting`: what leaves the subnet leaves as the host (masquerade). So
//!   does what comes back into the bridge by way of a published port, from
//!   the subnet itself or from the host's loopback: the answer must pass the
//!   host again to be translated back.
//! - `forward`: containers may go anywhere; what may come to them from elsewhere is
//!   answers and published ports. Every other table still has its say: [`foreign`].
//! - `guard`: with `route_localnet`, which publishing on 127.0.0.1 needs, a
//!   container could reach the host's loopback; this keeps it out.

use std::net::Ipv4Addr;

use super::expr::{self, Expr, Verdict};
use super::{Chain, Change, foreign};
use crate::kernel::Failure;
use crate::kernel::linux::net::state::{self, Who};
use crate::kernel::linux::net::sysctl;
use crate::kernel::linux::recorder::Recorder;
use crate::network::Subnet;
use crate::network::ports::network_comment;

const GUARD: Chain =
    Chain { name: "guard", kind: "filter", hook: 0, priority: -300, policy: Verdict::Accept };
const PREROUTING: Chain =
    Chain { name: "prerouting", kind: "nat", hook: 0, priority: -100, policy: Verdict::Accept };
const FORWARD: Chain =
    Chain { name: "forward", kind: "filter", hook: 2, priority: 0, policy: Verdict::Accept };
const OUTPUT: Chain = Chain { name: "output", kind: "nat", hook: 3, priority: -100, policy: Verdict::Accept };
const POSTROUTING: Chain =
    Chain { name: "postrouting", kind: "nat", hook: 4, priority: 100, policy: Verdict::Accept };

fn wanted(bridge: &str, subnet: Subnet) -> Vec<(&'static str, Vec<Expr>)> {
    let (loopback, loopback_mask) = (Ipv4Addr::new(127, 0, 0, 0), Ipv4Addr::new(255, 0, 0, 0));
    let from_subnet = || expr::address(expr::SADDR, subnet.first(), subnet.mask());
    let into = || expr::link(expr::META_OIFNAME, bridge, true).to_vec();
    let out_of = || expr::link(expr::META_IIFNAME, bridge, true).to_vec();
    let elsewhere = expr::link(expr::META_OIFNAME, bridge, false).to_vec();
    let translated = || expr::connection(expr::CT_STATUS, expr::STATUS_DNAT).to_vec();
    let answers = expr::connection(expr::CT_STATE, expr::STATE_ESTABLISHED_RELATED).to_vec();
    let accept = || vec![Expr::Verdict(Verdict::Accept)];
    vec![
        ("postrouting", [from_subnet(), elsewhere, vec![Expr::Masquerade]].concat()),
        ("postrouting", [from_subnet(), into(), translated(), vec![Expr::Masquerade]].concat()),
        (
            "postrouting",
            [expr::address(expr::SADDR, loopback, loopback_mask), into(), vec![Expr::Masquerade]].concat(),
        ),
        ("forward", [out_of(), accept()].concat()),
        ("forward", [into(), answers, accept()].concat()),
        ("forward", [into(), translated(), accept()].concat()),
        ("forward", [into(), vec![Expr::Verdict(Verdict::Drop)]].concat()),
        (
            "guard",
            [
                out_of(),
                expr::address(expr::DADDR, loopback, loopback_mask),
                vec![Expr::Verdict(Verdict::Drop)],
            ]
            .concat(),
        ),
    ]
}

/// The parameter that lets the host's loopback addresses be routed to a bridge.
pub fn route_localnet(bridge: &str) -> String {
    format!("net/ipv4/conf/{bridge}/route_localnet")
}

fn mark(table: &str, bridge: &str) -> String {
    format!("nat.{table}.{bridge}")
}

/// Makes the network's rules, or finds them whole.
pub fn apply(rec: &mut Recorder, table: &str, bridge: &str, subnet: Subnet) -> Result<bool, Failure> {
    let comment = network_comment(bridge);
    let wanted = wanted(bridge, subnet);
    let what = format!("make the rules of network {subnet} in nftables table {table}");
    let whole = |rules: &[super::Rule]| {
        let own: Vec<(&str, &[Expr])> = rules
            .iter()
            .filter(|r| r.comment == comment)
            .map(|r| (r.chain.as_str(), r.exprs.as_slice()))
            .collect();
        own.len() == wanted.len() && wanted.iter().all(|(chain, exprs)| own.contains(&(*chain, exprs)))
    };
    let changed = state::with(Who::Rules, rec, |nl, rec| {
        if whole(&super::rules(nl, rec, table).map_err(|e| e.at(&what))?) {
            return foreign::apply(nl, rec, bridge, &comment);
        }
        if let Some(place) = state::place() {
            place.lock_shared(rec)?;
            place.mark(rec, &mark(table, bridge), "")?;
        }
        super::update(nl, rec, table, &what, |rules| {
            if whole(rules) {
                return Ok(Vec::new());
            }
            let mut changes = vec![Change::Table];
            changes.extend([&GUARD, &PREROUTING, &FORWARD, &OUTPUT, &POSTROUTING].map(Change::Chain));
            changes.extend(rules.iter().filter(|r| r.comment == comment).map(super::Rule::delete));
            changes.extend(wanted.iter().map(|(chain, exprs)| Change::Add {
                chain,
                exprs: exprs.clone(),
                comment: &comment,
            }));
            Ok(changes)
        })?;
        foreign::apply(nl, rec, bridge, &comment)?;
        Ok(true)
    })?;
    // Goes with the bridge, so there is nothing to write back.
    let parameter = route_localnet(bridge);
    if sysctl::read(&parameter)? == "1" {
        return Ok(!changed);
    }
    sysctl::write(rec, &parameter, "1")?;
    Ok(false)
}

/// Deletes the network's rules, if this plan's own run made them and nobody
/// uses the network; the table too, if nothing is left in it.
pub fn undo(rec: &mut Recorder, table: &str, bridge: &str) -> Result<(), Failure> {
    let Some(place) = state::place() else { return Ok(()) };
    if place.marked(&mark(table, bridge)).is_none() || !place.unused(rec) {
        return Ok(());
    }
    let comment = network_comment(bridge);
    let what = format!("delete the rules of {bridge} in nftables table {table}");
    state::with(Who::Rules, rec, |nl, rec| {
        foreign::undo(nl, rec, &comment)?;
        super::update(nl, rec, table, &what, |rules| {
            if !rules.is_empty() && rules.iter().all(|r| r.comment == comment) {
                return Ok(vec![Change::DeleteTable]);
            }
            Ok(rules.iter().filter(|r| r.comment == comment).map(super::Rule::delete).collect())
        })
    })?;
    place.unmark(rec, &mark(table, bridge))
}
