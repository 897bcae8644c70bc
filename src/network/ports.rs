//! Published ports: what collides with what, and comments that say whose a rule is.

use std::net::Ipv4Addr;

use crate::plan::op::Protocol;

/// A port of the host that leads to a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// Transport.
    pub protocol: Protocol,
    /// Address of the host; unspecified is every one of them.
    pub host_ip: Ipv4Addr,
    /// Port of the host.
    pub host_port: u16,
    /// The container's id.
    pub container: String,
}

impl Published {
    /// Whether both cannot be published at once.
    pub fn collides(&self, other: &Published) -> bool {
        self.protocol == other.protocol
            && self.host_port == other.host_port
            && (self.host_ip == other.host_ip
                || self.host_ip.is_unspecified()
                || other.host_ip.is_unspecified())
    }
}

/// The comment of the rules that belong to one container.
pub fn container_comment(container: &str) -> String {
    format!("glassbox:{container}")
}

/// The comment of a network's base rules.
pub fn network_comment(bridge: &str) -> String {
    format!("glassbox network {bridge}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collisions() {
        let p = |protocol, ip: &str, host_port| Published {
            protocol,
            host_ip: ip.parse().unwrap(),
            host_port,
            container: String::new(),
        };
        let all = p(Protocol::Tcp, "0.0.0.0", 80);
        for (other, both) in [
            (p(Protocol::Tcp, "0.0.0.0", 80), true),
            (p(Protocol::Tcp, "127.0.0.1", 80), true),
            (p(Protocol::Udp, "0.0.0.0", 80), false),
            (p(Protocol::Tcp, "0.0.0.0", 81), false),
        ] {
            assert_eq!((all.collides(&other), other.collides(&all)), (both, both), "{other:?}");
        }
        assert!(!p(Protocol::Tcp, "127.0.0.1", 80).collides(&p(Protocol::Tcp, "127.0.0.2", 80)));
    }
}
