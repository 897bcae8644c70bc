//! `-p`: published ports, as Docker writes them.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use super::SpecError;
use crate::plan::op::Protocol;

/// One published port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortMapping {
    /// Address of the host; unspecified is all.
    pub host_ip: Ipv4Addr,
    /// Port of the host.
    pub host_port: u16,
    /// Port of the container.
    pub container_port: u16,
    /// Transport.
    pub protocol: Protocol,
}

/// Parses `[[ip:]hostPort:]containerPort[/protocol]`; a range on both sides
/// gives one mapping per port. Without a host port, the container's number is used.
pub fn parse(text: &str) -> Result<Vec<PortMapping>, SpecError> {
    let bad = |why: &str| {
        SpecError::new(format!("invalid published port {text:?}: {why}"))
            .hint("write -p hostPort:containerPort, such as -p 8080:80, -p 127.0.0.1:8080:80 or -p 53:53/udp")
    };
    let (ports, protocol) = match text.rsplit_once('/') {
        None => (text, Protocol::Tcp),
        Some((ports, "tcp")) => (ports, Protocol::Tcp),
        Some((ports, "udp")) => (ports, Protocol::Udp),
        Some((_, other)) => return Err(bad(&format!("unknown protocol {other:?}"))),
    };
    let parts: Vec<&str> = ports.split(':').collect();
    let (ip, host, container) = match parts[..] {
        [container] => ("", container, container),
        [host, container] => ("", if host.is_empty() { container } else { host }, container),
        [ip, host, container] => (ip, if host.is_empty() { container } else { host }, container),
        _ => return Err(bad("too many colons; IPv6 addresses are not supported")),
    };
    let host_ip = match ip {
        "" => Ipv4Addr::UNSPECIFIED,
        ip => ip.parse().map_err(|_| bad(&format!("{ip:?} is no IPv4 address")))?,
    };
    let range = |text: &str| -> Result<(u16, u16), SpecError> {
        let port = |p: &str| match p.parse::<u16>() {
            Ok(n) if n > 0 => Ok(n),
            _ => Err(bad(&format!("{p:?} is no port from 1 to 65535"))),
        };
        let (first, last) = match text.split_once('-') {
            None => (port(text)?, port(text)?),
            Some((a, b)) => (port(a)?, port(b)?),
        };
        if first > last { Err(bad("the range runs backwards")) } else { Ok((first, last)) }
    };
    let (h1, h2) = range(host)?;
    let (c1, c2) = range(container)?;
    if h2 - h1 != c2 - c1 {
        return Err(bad("the two ranges differ in length"));
    }
    Ok((0..=h2 - h1)
        .map(|i| PortMapping { host_ip, host_port: h1 + i, container_port: c1 + i, protocol })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_a_published_port() {
        let one = |t: &str| {
            let m = parse(t).unwrap();
            assert_eq!(m.len(), 1, "{t}");
            (m[0].host_ip.to_string(), m[0].host_port, m[0].container_port, m[0].protocol)
        };
        assert_eq!(one("8080:80"), ("0.0.0.0".into(), 8080, 80, Protocol::Tcp));
        assert_eq!(one("80"), ("0.0.0.0".into(), 80, 80, Protocol::Tcp));
        assert_eq!(one("127.0.0.1:53:5353/udp"), ("127.0.0.1".into(), 53, 5353, Protocol::Udp));
        assert_eq!(one("127.0.0.1::80"), ("127.0.0.1".into(), 80, 80, Protocol::Tcp));
        assert_eq!(parse("8000-8002:80-82").unwrap().len(), 3);
        for bad in ["", "a:b", "0:80", "1:2:3:4", "8000-8002:80", "80/sctp", "70000:1", "9-8:9-8", "x:1:1"] {
            let e = parse(bad).unwrap_err();
            assert!(e.hint.is_some() && e.message.contains(bad), "{bad}: {e}");
        }
    }
}
