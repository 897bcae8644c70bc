//! The one place outside our table that is touched: where another program (Docker's
//! daemon does it) has set the policy of iptables' `FORWARD` chain to drop, the
//! bridge needs accept rules there, because each table has its say. They bear the
//! network's comment and are all that is ever deleted there. They are as plain as
//! `iptables -i BRIDGE -j ACCEPT`, so that iptables-nft can still read its table;
//! what may come in is decided in our own table's `forward` chain.

use super::expr::{self, Expr, Verdict};
use super::{Change, Rule, update};
use crate::kernel::linux::net::socket::{About, Netlink, Refused};
use crate::kernel::linux::net::wire;
use crate::kernel::linux::recorder::Recorder;
use crate::kernel::{Errno, Failure};

/// iptables-nft's table.
pub const TABLE: &str = "filter";
const CHAIN: &str = "FORWARD";
const NF_DROP: u32 = 0;

fn drops(nl: &mut Netlink, rec: &mut Recorder) -> Result<bool, Refused> {
    let args = || vec![("family", "ip".into()), ("table", TABLE.into()), ("chain", CHAIN.into())];
    let about = About { request: "NFT_MSG_GETCHAIN", args: &args };
    let answer = nl.get(rec, about, super::NFT_MSG_GETCHAIN, |w| {
        super::header(w, super::NFPROTO_IPV4, 0);
        w.text(super::NFTA_CHAIN_TABLE, TABLE);
        w.text(super::NFTA_CHAIN_NAME, CHAIN);
    });
    match answer {
        Ok(answer) => {
            let attrs = answer.body.get(4..).unwrap_or_default();
            Ok(wire::find(attrs, super::NFTA_CHAIN_POLICY).and_then(wire::be32) == Some(NF_DROP))
        }
        Err(refused) if refused.errno == Errno::ENOENT => Ok(false),
        Err(refused) => Err(refused),
    }
}

fn wanted(bridge: &str) -> [Vec<Expr>; 2] {
    [expr::META_IIFNAME, expr::META_OIFNAME]
        .map(|key| [expr::link(key, bridge, true).to_vec(), vec![Expr::Verdict(Verdict::Accept)]].concat())
}

fn own<'a>(rules: &'a [Rule], comment: &'a str) -> impl Iterator<Item = &'a Rule> {
    rules.iter().filter(move |r| r.chain == CHAIN && r.comment == comment)
}

/// Lets the bridge's packets through, if the policy is to drop. True: rules were added.
pub fn apply(nl: &mut Netlink, rec: &mut Recorder, bridge: &str, comment: &str) -> Result<bool, Failure> {
    let what = format!("let packets of {bridge} through iptables' {CHAIN} chain, which drops");
    if !drops(nl, rec).map_err(|e| e.at(&what))? {
        return Ok(false);
    }
    let wanted = wanted(bridge);
    let whole = |rules: &[Rule]| wanted.iter().all(|w| own(rules, comment).any(|r| &r.exprs == w));
    if whole(&super::rules(nl, rec, TABLE).map_err(|e| e.at(&what))?) {
        return Ok(false);
    }
    update(nl, rec, TABLE, &what, |rules| {
        if whole(rules) {
            return Ok(Vec::new());
        }
        let mut changes: Vec<Change<'_>> = own(rules, comment).map(Rule::delete).collect();
        changes.extend(wanted.iter().map(|exprs| Change::Insert {
            chain: CHAIN,
            exprs: exprs.clone(),
            comment,
        }));
        Ok(changes)
    })
}

/// Deletes our rules there.
pub fn undo(nl: &mut Netlink, rec: &mut Recorder, comment: &str) -> Result<(), Failure> {
    let what = format!("delete the marked rules of iptables' {CHAIN} chain");
    if own(&super::rules(nl, rec, TABLE).map_err(|e| e.at(&what))?, comment).next().is_none() {
        return Ok(());
    }
    update(nl, rec, TABLE, &what, |rules| Ok(own(rules, comment).map(Rule::delete).collect())).map(|_| ())
}

#[cfg(test)]
pub mod tests {
    //! What a test needs of a foreign table.

    use super::*;
    use crate::kernel::linux::net::nft::Chain;

    /// A table as iptables-nft makes it, with a policy to drop and a rule of its owner's.
    pub fn make_dropping_chain(nl: &mut Netlink, rec: &mut Recorder) {
        let chain = Chain { name: CHAIN, kind: "filter", hook: 2, priority: 0, policy: Verdict::Drop };
        let theirs = Change::Add { chain: CHAIN, exprs: wanted("other0")[0].clone(), comment: "theirs" };
        let mut changes = Some(vec![Change::Table, Change::Chain(&chain), theirs]);
        update(nl, rec, TABLE, "make a table", |_| Ok(changes.take().unwrap_or_default())).unwrap();
    }
}
