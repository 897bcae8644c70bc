//! The model's rules in the words of nft(8).

use crate::kernel::model::net::{Dnat, Masquerade, network};

pub(super) const POSTROUTING: &str = "postrouting";
pub(super) const PREROUTING: &str = "prerouting";

pub(super) fn masquerade(rule: &Masquerade) -> String {
    let subnet = std::net::Ipv4Addr::from(network(rule.subnet, rule.prefix));
    format!("ip saddr {subnet}/{} oifname != \"{}\" masquerade", rule.prefix, rule.bridge)
}

pub(super) fn dnat(rule: &Dnat) -> String {
    let on = if rule.host_ip.is_unspecified() {
        "fib daddr type local".to_owned()
    } else {
        format!("ip daddr {}", rule.host_ip)
    };
    format!("{on} {} dport {} dnat to {}:{}", rule.protocol.name(), rule.host_port, rule.to.0, rule.to.1)
}
