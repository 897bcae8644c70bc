//! Requests to the kernel over netlink, as strace decodes them: by name where
//! it knows the socket's protocol, else by number (a socket of another network
//! namespace, or one that has not sent yet).

use super::strace::{Seen, integer};

const ROUTE: &[(i64, &str)] = &[
    (16, "RTM_NEWLINK"),
    (17, "RTM_DELLINK"),
    (18, "RTM_GETLINK"),
    (19, "RTM_SETLINK"),
    (20, "RTM_NEWADDR"),
    (21, "RTM_DELADDR"),
    (22, "RTM_GETADDR"),
    (24, "RTM_NEWROUTE"),
    (25, "RTM_DELROUTE"),
    (26, "RTM_GETROUTE"),
];

/// Messages of the subsystem nftables (10), linux/netfilter/nf_tables.h.
const NFT: &[&str] = &[
    "NFT_MSG_NEWTABLE",
    "NFT_MSG_GETTABLE",
    "NFT_MSG_DELTABLE",
    "NFT_MSG_NEWCHAIN",
    "NFT_MSG_GETCHAIN",
    "NFT_MSG_DELCHAIN",
    "NFT_MSG_NEWRULE",
    "NFT_MSG_GETRULE",
    "NFT_MSG_DELRULE",
    "NFT_MSG_NEWSET",
    "NFT_MSG_GETSET",
    "NFT_MSG_DELSET",
    "NFT_MSG_NEWSETELEM",
    "NFT_MSG_GETSETELEM",
    "NFT_MSG_DELSETELEM",
    "NFT_MSG_NEWGEN",
    "NFT_MSG_GETGEN",
];

/// The types of the messages in one send, by name.
pub fn types(seen: &Seen) -> Vec<String> {
    let text = seen.arg(1);
    let found: Vec<&str> = text
        .match_indices("nlmsg_type=")
        .map(|(at, label)| {
            let rest = &text[at + label.len()..];
            rest[..rest.find([',', ' ', '}']).unwrap_or(rest.len())].rsplit("<<8|").next().unwrap_or("")
        })
        .collect();
    let filter = found.iter().any(|t| t.starts_with("NF") || integer(t).is_some_and(|n| n >> 8 == 10));
    found.into_iter().map(|t| name(t, filter)).collect()
}

fn name(word: &str, filter: bool) -> String {
    let Some(number) = integer(word) else { return word.to_owned() };
    let known = match number {
        16 if filter => Some("NFNL_MSG_BATCH_BEGIN"),
        17 if filter => Some("NFNL_MSG_BATCH_END"),
        n if n >> 8 == 10 => NFT.get((n & 0xff) as usize).copied(),
        n => ROUTE.iter().find(|(of, _)| *of == n).map(|(_, name)| *name),
    };
    known.map_or_else(|| word.to_owned(), str::to_owned)
}

/// Whether a message only asks.
pub fn asks(name: &str) -> bool {
    name.starts_with("RTM_GET") || name.starts_with("NFT_MSG_GET")
}

/// The addresses that strace found in the message.
pub fn addresses(seen: &Seen) -> Vec<&str> {
    let text = seen.arg(1);
    text.split("inet_addr(\"").skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

/// The interface that the message names.
pub fn link(seen: &Seen) -> Option<&str> {
    seen.arg(1).split("IFLA_IFNAME}, \"").nth(1)?.split('"').next()
}
