//! IPv4 subnets and the address that is given out next.

use std::collections::BTreeSet;
use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

/// An IPv4 subnet: its first address and its prefix length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Subnet {
    first: u32,
    prefix: u8,
}

/// Why a text is no subnet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubnetError {
    /// No `a.b.c.d/len`.
    #[error("read {0:?} as an address with a prefix length (such as 10.88.0.0/16)")]
    Syntax(String),
    /// Longer than 32 bits.
    #[error("use prefix length {0}: IPv4 has 0 to 32")]
    Prefix(u8),
}

impl Subnet {
    /// The subnet of `prefix` bits that holds `address`.
    pub fn new(address: Ipv4Addr, prefix: u8) -> Result<Self, SubnetError> {
        if prefix > 32 {
            return Err(SubnetError::Prefix(prefix));
        }
        Ok(Subnet { first: u32::from(address) & mask_bits(prefix), prefix })
    }

    /// Its first address: the network's own.
    pub fn first(self) -> Ipv4Addr {
        self.first.into()
    }

    /// Its prefix length, 0 to 32.
    pub fn prefix(self) -> u8 {
        self.prefix
    }

    /// Its mask, such as 255.255.0.0.
    pub fn mask(self) -> Ipv4Addr {
        mask_bits(self.prefix).into()
    }

    /// Its last address: the broadcast address, for prefixes up to 30.
    pub fn last(self) -> Ipv4Addr {
        (self.first | !mask_bits(self.prefix)).into()
    }

    /// Whether the address lies in it.
    pub fn contains(self, address: Ipv4Addr) -> bool {
        u32::from(address) & mask_bits(self.prefix) == self.first
    }

    /// Whether the two share an address.
    pub fn overlaps(self, other: Subnet) -> bool {
        self.contains(other.first()) || other.contains(self.first())
    }

    /// The addresses that a host may have, lowest first. Network and broadcast
    /// address are left out, except in /31 and /32, which have none (RFC 3021).
    pub fn hosts(self) -> impl Iterator<Item = Ipv4Addr> {
        let (first, last) = (u64::from(self.first), u64::from(u32::from(self.last())));
        let (from, to) = if self.prefix >= 31 { (first, last) } else { (first + 1, last - 1) };
        (from..=to).map(|n| Ipv4Addr::from(n as u32))
    }

    /// The lowest address above the gateway that is not taken; then the ones
    /// below it.
    pub fn lowest_free(self, gateway: Ipv4Addr, taken: &BTreeSet<Ipv4Addr>) -> Option<Ipv4Addr> {
        let free = |a: &Ipv4Addr| *a != gateway && !taken.contains(a);
        self.hosts().find(|a| *a > gateway && free(a)).or_else(|| self.hosts().find(free))
    }
}

fn mask_bits(prefix: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0)
}

/// Reads `a.b.c.d/len`, the address as it stands.
pub fn parse_address(text: &str) -> Result<(Ipv4Addr, u8), SubnetError> {
    let syntax = || SubnetError::Syntax(text.to_owned());
    let (address, prefix) = text.split_once('/').ok_or_else(syntax)?;
    let prefix: u8 = prefix.parse().map_err(|_| syntax())?;
    if prefix > 32 {
        return Err(SubnetError::Prefix(prefix));
    }
    Ok((address.parse().map_err(|_| syntax())?, prefix))
}

impl FromStr for Subnet {
    type Err = SubnetError;

    fn from_str(text: &str) -> Result<Self, SubnetError> {
        let (address, prefix) = parse_address(text)?;
        Subnet::new(address, prefix)
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first(), self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> Ipv4Addr {
        text.parse().unwrap()
    }

    #[test]
    fn arithmetic() {
        for (text, shown, mask, last, hosts) in [
            ("10.88.3.4/16", "10.88.0.0/16", "255.255.0.0", "10.88.255.255", 65534),
            ("192.0.2.9/29", "192.0.2.8/29", "255.255.255.248", "192.0.2.15", 6),
            ("192.0.2.9/31", "192.0.2.8/31", "255.255.255.254", "192.0.2.9", 2),
            ("192.0.2.9/32", "192.0.2.9/32", "255.255.255.255", "192.0.2.9", 1),
            ("255.255.255.255/30", "255.255.255.252/30", "255.255.255.252", "255.255.255.255", 2),
        ] {
            let s: Subnet = text.parse().unwrap();
            assert_eq!(s.to_string(), shown);
            assert_eq!((s.mask(), s.last()), (ip(mask), ip(last)), "{text}");
            assert_eq!(s.hosts().count(), hosts, "{text}");
        }
        assert_eq!("0.0.0.0/0".parse::<Subnet>().unwrap().last(), Ipv4Addr::BROADCAST);
    }

    #[test]
    fn bad_texts() {
        for text in ["", "10.0.0.0", "10.0.0.0/", "10.0.0/8", "10.0.0.0/x", "10.0.0.0/-1", "a/8"] {
            assert_eq!(text.parse::<Subnet>(), Err(SubnetError::Syntax(text.into())));
        }
        assert_eq!("10.0.0.0/33".parse::<Subnet>(), Err(SubnetError::Prefix(33)));
    }

    #[test]
    fn overlap_is_symmetric() {
        for (a, b, both) in [
            ("10.88.0.0/16", "10.88.7.0/24", true),
            ("10.88.0.0/16", "10.89.0.0/16", false),
            ("0.0.0.0/0", "10.89.0.0/16", true),
        ] {
            let (a, b): (Subnet, Subnet) = (a.parse().unwrap(), b.parse().unwrap());
            assert_eq!((a.overlaps(b), b.overlaps(a)), (both, both));
        }
    }

    #[test]
    fn next_address() {
        let s: Subnet = "192.0.2.0/29".parse().unwrap();
        let mut taken = BTreeSet::new();
        let mut order = Vec::new();
        while let Some(a) = s.lowest_free(ip("192.0.2.2"), &taken) {
            order.push(a.octets()[3]);
            taken.insert(a);
        }
        assert_eq!(order, [3, 4, 5, 6, 1]);
    }
}
