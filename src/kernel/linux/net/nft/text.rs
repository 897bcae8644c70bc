//! Rules as `nft list ruleset` writes them, from what the kernel reports.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use super::expr::{self, Expr, Verdict};

/// The rule's text, without its comment.
pub fn rule(exprs: &[Expr]) -> String {
    let mut loaded: BTreeMap<u32, Loaded> = BTreeMap::new();
    let mut words = Vec::new();
    for e in exprs {
        match e {
            Expr::Meta { key, to } => {
                let name = match *key {
                    expr::META_IIFNAME => "iifname".to_owned(),
                    expr::META_OIFNAME => "oifname".to_owned(),
                    expr::META_L4PROTO => "meta l4proto".to_owned(),
                    other => format!("meta {other}"),
                };
                loaded.insert(*to, Loaded::new(name));
            }
            Expr::Payload { base, offset, len, to } => {
                let name = match (*base, *offset, *len) {
                    (expr::NETWORK_HEADER, expr::SADDR, 4) => "ip saddr".to_owned(),
                    (expr::NETWORK_HEADER, expr::DADDR, 4) => "ip daddr".to_owned(),
                    (expr::TRANSPORT_HEADER, 2, 2) => "th dport".to_owned(),
                    (base, offset, len) => format!("@{base},{},{}", offset * 8, len * 8),
                };
                loaded.insert(*to, Loaded::new(name));
            }
            Expr::Ct { key, to } => {
                let name = match *key {
                    expr::CT_STATE => "ct state".to_owned(),
                    expr::CT_STATUS => "ct status".to_owned(),
                    other => format!("ct {other}"),
                };
                loaded.insert(*to, Loaded::new(name));
            }
            Expr::FibDaddrType { to } => {
                loaded.insert(*to, Loaded::new("fib daddr type".to_owned()));
            }
            Expr::Mask { reg, mask } => {
                if let Some(l) = loaded.get_mut(reg) {
                    l.mask = Some(mask.clone());
                }
            }
            Expr::Immediate { to, data } => {
                loaded.insert(*to, Loaded { name: String::new(), mask: None, data: data.clone() });
            }
            Expr::Cmp { reg, equal, data } => match loaded.get(reg) {
                Some(l) => words.push(l.compared(*equal, data)),
                None => words.push("cmp".to_owned()),
            },
            Expr::Verdict(Verdict::Accept) => words.push("accept".to_owned()),
            Expr::Verdict(Verdict::Drop) => words.push("drop".to_owned()),
            Expr::Verdict(Verdict::Other(code)) => words.push(format!("verdict {code}")),
            Expr::Dnat { address, port } => {
                let data = |reg| loaded.get(reg).map(|l: &Loaded| l.data.as_slice()).unwrap_or_default();
                words.push(format!("dnat to {}:{}", show("ip", data(address)), show("th dport", data(port))));
            }
            Expr::Masquerade => words.push("masquerade".to_owned()),
            Expr::Other(name) => words.push(name.clone()),
        }
    }
    merge_protocol(words).join(" ")
}

struct Loaded {
    name: String,
    mask: Option<Vec<u8>>,
    data: Vec<u8>,
}

impl Loaded {
    fn new(name: String) -> Self {
        Loaded { name, mask: None, data: Vec::new() }
    }

    fn compared(&self, equal: bool, data: &[u8]) -> String {
        let name = &self.name;
        let is = if equal { "" } else { "!= " };
        let Some(mask) = &self.mask else { return format!("{name} {is}{}", show(name, data)) };
        if name.starts_with("ct ") && !equal && data.iter().all(|b| *b == 0) {
            return format!("{name} {}", show(name, mask));
        }
        match <[u8; 4]>::try_from(mask.as_slice()).map(u32::from_be_bytes) {
            Ok(bits) if bits.leading_ones() + bits.trailing_zeros() == 32 => {
                format!("{name} {is}{}/{}", show(name, data), bits.leading_ones())
            }
            _ => format!("{name} & {} {is}{}", hex(mask), hex(data)),
        }
    }
}

/// `meta l4proto tcp th dport 80` is written `tcp dport 80`.
fn merge_protocol(words: Vec<String>) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for word in words {
        match (out.last().and_then(|w| w.strip_prefix("meta l4proto ")), word.strip_prefix("th ")) {
            (Some(protocol), Some(rest)) => {
                let merged = format!("{protocol} {rest}");
                out.pop();
                out.push(merged);
            }
            _ => out.push(word),
        }
    }
    out
}

fn show(name: &str, data: &[u8]) -> String {
    let number = |data: &[u8]| data.try_into().map(u32::from_ne_bytes);
    match (name, data.len()) {
        ("iifname" | "oifname", _) => {
            let end = data.iter().position(|b| *b == 0).unwrap_or(data.len());
            format!("\"{}\"", String::from_utf8_lossy(&data[..end]))
        }
        ("meta l4proto", 1) => match data[0] {
            6 => "tcp".to_owned(),
            17 => "udp".to_owned(),
            n => n.to_string(),
        },
        ("th dport", 2) => u16::from_be_bytes([data[0], data[1]]).to_string(),
        ("fib daddr type", 4) => match number(data) {
            Ok(1) => "unicast".to_owned(),
            Ok(2) => "local".to_owned(),
            Ok(3) => "broadcast".to_owned(),
            _ => hex(data),
        },
        ("ct state", 4) => bits(number(data).unwrap_or(0), &["invalid", "established", "related", "new"]),
        ("ct status", 4) => bits(
            number(data).unwrap_or(0),
            &["expected", "seen-reply", "assured", "confirmed", "snat", "dnat"],
        ),
        (_, 4) if name.starts_with("ip") => Ipv4Addr::new(data[0], data[1], data[2], data[3]).to_string(),
        _ => hex(data),
    }
}

fn bits(value: u32, names: &[&str]) -> String {
    let set: Vec<String> = (0..32)
        .filter(|b| value & (1 << b) != 0)
        .map(|b| names.get(b).map_or_else(|| format!("bit{b}"), |n| (*n).to_owned()))
        .collect();
    set.join(",")
}

fn hex(data: &[u8]) -> String {
    data.iter().fold("0x".to_owned(), |text, b| format!("{text}{b:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_as_nft_writes() {
        let ip = |t: &str| t.parse::<Ipv4Addr>().unwrap();
        let parts: [(Vec<Expr>, &str); 8] = [
            (expr::address(expr::SADDR, ip("10.88.0.0"), ip("255.255.0.0")), "ip saddr 10.88.0.0/16"),
            (expr::address(expr::DADDR, ip("192.0.2.1"), ip("255.255.255.255")), "ip daddr 192.0.2.1"),
            (expr::link(expr::META_OIFNAME, "glass0", false).into(), "oifname != \"glass0\""),
            (expr::local_destination().into(), "fib daddr type local"),
            (expr::port(6, 8080).into(), "tcp dport 8080"),
            (
                expr::connection(expr::CT_STATE, expr::STATE_ESTABLISHED_RELATED).into(),
                "ct state established,related",
            ),
            (expr::connection(expr::CT_STATUS, expr::STATUS_DNAT).into(), "ct status dnat"),
            (expr::dnat(ip("10.88.0.2"), 80).into(), "dnat to 10.88.0.2:80"),
        ];
        for (exprs, text) in &parts {
            assert_eq!(rule(exprs), *text);
        }
        let all: Vec<Expr> = parts.iter().flat_map(|p| p.0.clone()).collect();
        assert_eq!(rule(&all), parts.map(|p| p.1).join(" "));
        assert_eq!(rule(&[Expr::Masquerade, Expr::Other("counter".into())]), "masquerade counter");
    }
}
