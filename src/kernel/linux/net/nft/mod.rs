//! nftables without nft(8): tables, chains and rules as netlink messages. A
//! batch is taken by the kernel as a whole or not at all, and only if nobody
//! changed the rule set since it was read. Nothing but our own table is
//! touched (and one chain of iptables, see [`foreign`]), and rules are deleted one
//! by one, by handle.

pub mod base;
pub mod expr;
pub mod foreign;
pub mod publish;
pub mod text;

use expr::{Expr, Verdict};

use super::socket::{
    About, Answer, ERESTART, NLM_F_ACK, NLM_F_APPEND, NLM_F_CREATE, NLM_F_REQUEST, Netlink, Refused,
};
use super::wire::{self, NLA_F_NESTED, Writer};
use crate::kernel::linux::recorder::{Args, Recorder};
use crate::kernel::{Errno, Failure};
use crate::trace::{Kind, Value};

const NFPROTO_IPV4: u8 = 2;
const NFNL_MSG_BATCH_BEGIN: u16 = 0x10;
const NFNL_MSG_BATCH_END: u16 = 0x11;
const NFNL_BATCH_GENID: u16 = 1;
const NFNL_SUBSYS_NFTABLES: u16 = 10;
const NFT_MSG_NEWTABLE: u16 = NFNL_SUBSYS_NFTABLES << 8;
const NFT_MSG_DELTABLE: u16 = NFT_MSG_NEWTABLE | 2;
const NFT_MSG_NEWCHAIN: u16 = NFT_MSG_NEWTABLE | 3;
const NFT_MSG_GETCHAIN: u16 = NFT_MSG_NEWTABLE | 4;
const NFT_MSG_NEWRULE: u16 = NFT_MSG_NEWTABLE | 6;
const NFT_MSG_GETRULE: u16 = NFT_MSG_NEWTABLE | 7;
const NFT_MSG_DELRULE: u16 = NFT_MSG_NEWTABLE | 8;
const NFT_MSG_GETGEN: u16 = NFT_MSG_NEWTABLE | 16;
const NFTA_GEN_ID: u16 = 1;
const NFTA_TABLE_NAME: u16 = 1;
const NFTA_CHAIN_TABLE: u16 = 1;
const NFTA_CHAIN_NAME: u16 = 3;
const NFTA_CHAIN_HOOK: u16 = 4;
const NFTA_CHAIN_POLICY: u16 = 5;
const NFTA_CHAIN_TYPE: u16 = 7;
const NFTA_HOOK_HOOKNUM: u16 = 1;
const NFTA_HOOK_PRIORITY: u16 = 2;
const NFTA_RULE_TABLE: u16 = 1;
const NFTA_RULE_CHAIN: u16 = 2;
const NFTA_RULE_HANDLE: u16 = 3;
const NFTA_RULE_EXPRESSIONS: u16 = 4;
const NFTA_RULE_USERDATA: u16 = 7;
/// Type of the comment in nft(8)'s own encoding of user data.
const UDATA_COMMENT: u8 = 0;

/// A rule that the kernel has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its chain.
    pub chain: String,
    /// Its number, for deleting it.
    pub handle: u64,
    /// Its comment, which says whose it is.
    pub comment: String,
    /// What it does.
    pub exprs: Vec<Expr>,
}

impl Rule {
    /// The change that deletes it.
    pub fn delete<'a>(&self) -> Change<'a> {
        Change::Delete { chain: self.chain.clone(), handle: self.handle }
    }
}

/// A base chain: where the kernel calls it.
pub struct Chain {
    name: &'static str,
    kind: &'static str,
    hook: u32,
    priority: i32,
    /// What befalls a packet that no rule decides on.
    policy: Verdict,
}

/// One change of a batch.
#[allow(missing_docs)]
pub enum Change<'a> {
    /// Make the table, if there is none.
    Table,
    /// Make the chain, if there is none.
    Chain(&'a Chain),
    /// Add a rule at the chain's end.
    Add { chain: &'static str, exprs: Vec<Expr>, comment: &'a str },
    /// Add a rule at the chain's start.
    Insert { chain: &'static str, exprs: Vec<Expr>, comment: &'a str },
    /// Delete a rule.
    Delete { chain: String, handle: u64 },
    /// Delete the table with what is in it.
    DeleteTable,
}

fn header(w: &mut Writer, family: u8, resource: u16) {
    w.raw(&[family, 0]);
    w.raw(&resource.to_be_bytes());
}

/// The rules of a table, in order; none if there is no such table.
pub fn rules(nl: &mut Netlink, rec: &mut Recorder, table: &str) -> Result<Vec<Rule>, Refused> {
    let args = || vec![("family", "ip".into()), ("table", table.into()), ("flags", "NLM_F_DUMP".into())];
    let answers = nl.dump(rec, About { request: "NFT_MSG_GETRULE", args: &args }, NFT_MSG_GETRULE, |w| {
        header(w, NFPROTO_IPV4, 0);
        w.text(NFTA_RULE_TABLE, table);
    });
    match answers {
        Ok(answers) => Ok(answers.iter().filter_map(|a| parse(a, table)).collect()),
        Err(refused) if refused.errno == Errno::ENOENT => Ok(Vec::new()),
        Err(refused) => Err(refused),
    }
}

fn parse(answer: &Answer, table: &str) -> Option<Rule> {
    let attrs = answer.body.get(4..)?;
    if wire::text(wire::find(attrs, NFTA_RULE_TABLE)?) != table {
        return None;
    }
    let exprs = wire::find(attrs, NFTA_RULE_EXPRESSIONS).unwrap_or(&[]);
    Some(Rule {
        chain: wire::text(wire::find(attrs, NFTA_RULE_CHAIN)?),
        handle: u64::from_be_bytes(wire::find(attrs, NFTA_RULE_HANDLE)?.try_into().ok()?),
        comment: wire::find(attrs, NFTA_RULE_USERDATA).and_then(comment).unwrap_or_default(),
        exprs: wire::attrs(exprs).map(|(_, element)| Expr::read(element)).collect(),
    })
}

/// The comment among the type, length, value triples of a rule's user data.
fn comment(mut data: &[u8]) -> Option<String> {
    while let [kind, length, rest @ ..] = data {
        let value = rest.get(..usize::from(*length))?;
        if *kind == UDATA_COMMENT {
            return Some(wire::text(value));
        }
        data = &rest[usize::from(*length)..];
    }
    None
}

fn generation(nl: &mut Netlink, rec: &mut Recorder) -> Result<u32, Refused> {
    let about = About { request: "NFT_MSG_GETGEN", args: &Vec::new };
    let answer = nl.get(rec, about, NFT_MSG_GETGEN, |w| header(w, 0, 0))?;
    let id = answer.body.get(4..).and_then(|attrs| wire::find(attrs, NFTA_GEN_ID)).and_then(wire::be32);
    id.ok_or_else(|| Errno::EINVAL.into())
}

/// Reads a table's rules, lets `decide` say what to change, and changes that
/// only if nobody changed anything in between; otherwise once more. Returns
/// whether there was something to change.
pub fn update<'a>(
    nl: &mut Netlink,
    rec: &mut Recorder,
    table: &str,
    what: &str,
    mut decide: impl FnMut(&[Rule]) -> Result<Vec<Change<'a>>, Failure>,
) -> Result<bool, Failure> {
    for _ in 0..20 {
        let generation = generation(nl, rec).map_err(|e| e.at(what))?;
        let changes = decide(&rules(nl, rec, table).map_err(|e| e.at(what))?)?;
        if changes.is_empty() {
            return Ok(false);
        }
        match batch(nl, rec, table, generation, &changes) {
            Err(refused) if refused.errno == ERESTART => {}
            done => return done.map(|()| true).map_err(|e| e.at(what)),
        }
    }
    Err(Failure::new(what, Some(Errno::EAGAIN)).hint("another program keeps changing the rules: try again"))
}

fn batch(
    nl: &mut Netlink,
    rec: &mut Recorder,
    table: &str,
    generation: u32,
    changes: &[Change<'_>],
) -> Result<(), Refused> {
    let mut w = Writer::default();
    let first = nl.next_seq();
    w.message(NFNL_MSG_BATCH_BEGIN, NLM_F_REQUEST, first, |w| {
        header(w, 0, NFNL_SUBSYS_NFTABLES);
        w.be32(NFNL_BATCH_GENID, generation);
    });
    let mut last = first;
    for (n, change) in changes.iter().enumerate() {
        last = nl.next_seq();
        let ack = if n + 1 == changes.len() { NLM_F_ACK } else { 0 };
        change.write(&mut w, table, ack | NLM_F_REQUEST, last);
    }
    let end = nl.next_seq();
    w.message(NFNL_MSG_BATCH_END, NLM_F_REQUEST, end, |w| header(w, 0, NFNL_SUBSYS_NFTABLES));
    let args = || {
        let mut args: Args = vec![("family", "ip".into()), ("table", table.into())];
        args.extend(changes.iter().map(Change::shown));
        args
    };
    nl.batch(rec, About { request: "NFNL_MSG_BATCH", args: &args }, &w.bytes, first, last)
}

impl Change<'_> {
    fn write(&self, w: &mut Writer, table: &str, flags: u16, seq: u32) {
        match self {
            Change::Table | Change::DeleteTable => {
                let (kind, create) = match self {
                    Change::Table => (NFT_MSG_NEWTABLE, NLM_F_CREATE),
                    _ => (NFT_MSG_DELTABLE, 0),
                };
                w.message(kind, flags | create, seq, |w| {
                    header(w, NFPROTO_IPV4, 0);
                    w.text(NFTA_TABLE_NAME, table);
                });
            }
            Change::Chain(chain) => w.message(NFT_MSG_NEWCHAIN, flags | NLM_F_CREATE, seq, |w| {
                header(w, NFPROTO_IPV4, 0);
                w.text(NFTA_CHAIN_TABLE, table);
                w.text(NFTA_CHAIN_NAME, chain.name);
                w.nest(NFTA_CHAIN_HOOK | NLA_F_NESTED, |w| {
                    w.be32(NFTA_HOOK_HOOKNUM, chain.hook);
                    w.be32(NFTA_HOOK_PRIORITY, chain.priority as u32);
                });
                w.be32(NFTA_CHAIN_POLICY, chain.policy.code() as u32);
                w.text(NFTA_CHAIN_TYPE, chain.kind);
            }),
            Change::Add { chain, exprs, comment } | Change::Insert { chain, exprs, comment } => {
                let end = if matches!(self, Change::Add { .. }) { NLM_F_APPEND } else { 0 };
                w.message(NFT_MSG_NEWRULE, flags | NLM_F_CREATE | end, seq, |w| {
                    header(w, NFPROTO_IPV4, 0);
                    w.text(NFTA_RULE_TABLE, table);
                    w.text(NFTA_RULE_CHAIN, chain);
                    w.nest(NFTA_RULE_EXPRESSIONS | NLA_F_NESTED, |w| exprs.iter().for_each(|e| e.write(w)));
                    let mut data = vec![UDATA_COMMENT, comment.len() as u8 + 1];
                    data.extend(comment.as_bytes());
                    data.push(0);
                    w.attr(NFTA_RULE_USERDATA, &data);
                });
            }
            Change::Delete { chain, handle } => w.message(NFT_MSG_DELRULE, flags, seq, |w| {
                header(w, NFPROTO_IPV4, 0);
                w.text(NFTA_RULE_TABLE, table);
                w.text(NFTA_RULE_CHAIN, chain);
                w.attr(NFTA_RULE_HANDLE, &handle.to_be_bytes());
            }),
        }
    }

    /// As an argument of the recorded call.
    fn shown(&self) -> (&'static str, Value) {
        match self {
            Change::Table => ("NFT_MSG_NEWTABLE", "flags 0".into()),
            Change::DeleteTable => ("NFT_MSG_DELTABLE", "with its chains".into()),
            Change::Chain(c) => (
                "NFT_MSG_NEWCHAIN",
                format!(
                    "{} {{ type {} hook {} priority {} }}",
                    c.name,
                    c.kind,
                    hook_name(c.hook),
                    c.priority
                )
                .into(),
            ),
            Change::Add { chain, exprs, .. } => {
                ("NFT_MSG_NEWRULE", format!("{chain}: {}", text::rule(exprs)).into())
            }
            Change::Insert { chain, exprs, .. } => {
                ("NFT_MSG_NEWRULE", format!("first in {chain}: {}", text::rule(exprs)).into())
            }
            Change::Delete { chain, handle } => {
                ("NFT_MSG_DELRULE", Value::volatile(Kind::Other, format!("{chain} handle {handle}")))
            }
        }
    }
}

fn hook_name(hook: u32) -> &'static str {
    ["prerouting", "input", "forward", "output", "postrouting"]
        .get(hook as usize)
        .copied()
        .unwrap_or("unknown")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_among_user_data() {
        for (data, expected) in [
            (&b"\x00\x03ab\x00"[..], Some("ab")),
            (b"\x01\x01x\x00\x02y\x00", Some("y")),
            (b"\x00\x09ab", None),
            (b"\x01", None),
            (b"", None),
        ] {
            assert_eq!(comment(data).as_deref(), expected);
        }
    }
}
