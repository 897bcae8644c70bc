//! Host names and addresses: numbers and `/etc/hosts`, nothing else.

use std::net::Ipv4Addr;

use crate::userland::Sys;
use crate::userland::prog::Prog;

/// A name in the text of `/etc/hosts`.
pub fn lookup(hosts: &str, name: &str) -> Option<Ipv4Addr> {
    hosts.lines().find_map(|line| {
        let line = line.split('#').next()?;
        let mut parts = line.split_whitespace();
        let address = parts.next()?.parse().ok()?;
        parts.any(|n| n == name).then_some(address)
    })
}

/// The address of a host, or the status of a complaint.
pub async fn resolve<S: Sys>(p: &mut Prog<S>, name: &str) -> Result<Ipv4Addr, u8> {
    if let Ok(address) = name.parse() {
        return Ok(address);
    }
    let hosts = p.read_text("/etc/hosts").await.unwrap_or_default();
    match lookup(&hosts, name) {
        Some(address) => Ok(address),
        None if name == "localhost" => Ok(Ipv4Addr::LOCALHOST),
        None => Err(p.fail(&format!("bad address '{name}'")).await),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn hosts() {
        let text = "127.0.0.1 localhost\n::1 ip6 web\n10.0.0.2\tweb www # x y\n";
        assert_eq!(super::lookup(text, "www").unwrap().to_string(), "10.0.0.2");
        assert_eq!(super::lookup(text, "web").unwrap().to_string(), "10.0.0.2");
        assert_eq!(super::lookup(text, "x"), None);
    }
}
