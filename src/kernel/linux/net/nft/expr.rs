//! The expressions that our rules are made of, to and from netlink attributes
//! (`linux/netfilter/nf_tables.h`). A rule is a list of them; each reads or
//! writes registers, and a comparison that fails ends the rule.

use std::net::Ipv4Addr;

use crate::kernel::linux::net::wire::{self, NLA_F_NESTED, Writer};

const NFTA_LIST_ELEM: u16 = 1;
const NFTA_EXPR_NAME: u16 = 1;
const NFTA_EXPR_DATA: u16 = 2;
const NFTA_DATA_VALUE: u16 = 1;
const NFTA_DATA_VERDICT: u16 = 2;
const NFTA_VERDICT_CODE: u16 = 1;

/// What [`Expr::Meta`] loads.
pub const META_IIFNAME: u32 = 6;
/// The name of the link that the packet leaves by.
pub const META_OIFNAME: u32 = 7;
/// The transport protocol's number.
pub const META_L4PROTO: u32 = 16;
/// [`Expr::Payload`] from the IP header.
pub const NETWORK_HEADER: u32 = 1;
/// [`Expr::Payload`] from the TCP or UDP header.
pub const TRANSPORT_HEADER: u32 = 2;
/// [`Expr::Ct`]: the connection's state.
pub const CT_STATE: u32 = 0;
/// [`Expr::Ct`]: the connection's status bits.
pub const CT_STATUS: u32 = 2;
/// Connection state bits, as [`CT_STATE`] loads them.
pub const STATE_ESTABLISHED_RELATED: u32 = 2 | 4;
/// The connection's destination was translated, as [`CT_STATUS`] loads it.
pub const STATUS_DNAT: u32 = 0x20;

const FIB_ADDRTYPE: u32 = 3;
const FIB_DADDR: u32 = 2;
const RTN_LOCAL: u32 = 2;
const NAT_DNAT: u32 = 1;
const CMP_EQ: u32 = 0;
const CMP_NEQ: u32 = 1;
const NFPROTO_IPV4: u32 = 2;

/// Register 0 holds the verdict.
const VERDICT: u32 = 0;
/// The registers that our rules use.
pub const R1: u32 = 1;
const R2: u32 = 2;

/// A packet's fate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Verdict {
    Drop,
    Accept,
    Other(i32),
}

impl Verdict {
    /// Its number: `NF_DROP`, `NF_ACCEPT`, or one of nftables' own.
    pub fn code(self) -> i32 {
        match self {
            Verdict::Drop => 0,
            Verdict::Accept => 1,
            Verdict::Other(code) => code,
        }
    }
}

/// One expression.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Expr {
    /// Loads something about the packet.
    Meta { key: u32, to: u32 },
    /// Loads bytes of the packet.
    Payload { base: u32, offset: u32, len: u32, to: u32 },
    /// Loads something about the connection.
    Ct { key: u32, to: u32 },
    /// Loads the type of the destination address (local, unicast, …).
    FibDaddrType { to: u32 },
    /// `reg & mask`, in place.
    Mask { reg: u32, mask: Vec<u8> },
    /// Goes on if the register is (or is not) this.
    Cmp { reg: u32, equal: bool, data: Vec<u8> },
    /// Loads a constant.
    Immediate { to: u32, data: Vec<u8> },
    /// Decides.
    Verdict(Verdict),
    /// Translates the destination to the address and port in registers.
    Dnat { address: u32, port: u32 },
    /// Translates the source to the address of the link that it leaves by.
    Masquerade,
    /// Counts, or does something else that our rules do not.
    Other(String),
}

impl Expr {
    /// Writes it as a list's element.
    pub fn write(&self, w: &mut Writer) {
        w.nest(NFTA_LIST_ELEM | NLA_F_NESTED, |w| {
            w.text(NFTA_EXPR_NAME, self.name());
            w.nest(NFTA_EXPR_DATA | NLA_F_NESTED, |w| self.write_data(w));
        });
    }

    fn name(&self) -> &str {
        match self {
            Expr::Meta { .. } => "meta",
            Expr::Payload { .. } => "payload",
            Expr::Ct { .. } => "ct",
            Expr::FibDaddrType { .. } => "fib",
            Expr::Mask { .. } => "bitwise",
            Expr::Cmp { .. } => "cmp",
            Expr::Immediate { .. } | Expr::Verdict(_) => "immediate",
            Expr::Dnat { .. } => "nat",
            Expr::Masquerade => "masq",
            Expr::Other(name) => name,
        }
    }

    fn write_data(&self, w: &mut Writer) {
        let value = |w: &mut Writer, kind: u16, data: &[u8]| {
            w.nest(kind | NLA_F_NESTED, |w| w.attr(NFTA_DATA_VALUE, data));
        };
        match self {
            Expr::Meta { key, to } | Expr::Ct { key, to } => {
                w.be32(1, *to);
                w.be32(2, *key);
            }
            Expr::Payload { base, offset, len, to } => {
                for (kind, n) in [(1, to), (2, base), (3, offset), (4, len)] {
                    w.be32(kind, *n);
                }
            }
            Expr::FibDaddrType { to } => {
                for (kind, n) in [(1, *to), (2, FIB_ADDRTYPE), (3, FIB_DADDR)] {
                    w.be32(kind, n);
                }
            }
            Expr::Mask { reg, mask } => {
                w.be32(1, *reg);
                w.be32(2, *reg);
                w.be32(3, mask.len() as u32);
                value(w, 4, mask);
                value(w, 5, &vec![0; mask.len()]);
            }
            Expr::Cmp { reg, equal, data } => {
                w.be32(1, *reg);
                w.be32(2, if *equal { CMP_EQ } else { CMP_NEQ });
                value(w, 3, data);
            }
            Expr::Immediate { to, data } => {
                w.be32(1, *to);
                value(w, 2, data);
            }
            Expr::Verdict(verdict) => {
                w.be32(1, VERDICT);
                w.nest(2 | NLA_F_NESTED, |w| {
                    w.nest(NFTA_DATA_VERDICT | NLA_F_NESTED, |w| {
                        w.be32(NFTA_VERDICT_CODE, verdict.code() as u32)
                    });
                });
            }
            Expr::Dnat { address, port } => {
                for (kind, n) in [(1, NAT_DNAT), (2, NFPROTO_IPV4), (3, *address), (5, *port)] {
                    w.be32(kind, n);
                }
            }
            Expr::Masquerade | Expr::Other(_) => {}
        }
    }

    /// Reads a list's element. What our rules do not use becomes [`Expr::Other`].
    pub fn read(element: &[u8]) -> Expr {
        let name = wire::find(element, NFTA_EXPR_NAME).map(wire::text).unwrap_or_default();
        let data = wire::find(element, NFTA_EXPR_DATA).unwrap_or(&[]);
        Self::read_data(&name, data).unwrap_or(Expr::Other(name))
    }

    fn read_data(name: &str, data: &[u8]) -> Option<Expr> {
        let n = |kind| wire::find(data, kind).and_then(wire::be32);
        let value = |kind| Some(wire::find(wire::find(data, kind)?, NFTA_DATA_VALUE)?.to_vec());
        // The kernel says 32-bit register 8 for what was sent as 128-bit register 1.
        let reg = |kind| n(kind).map(|r| if r >= 8 { (r - 8) / 4 + 1 } else { r });
        Some(match name {
            "meta" => Expr::Meta { to: reg(1)?, key: n(2)? },
            "ct" => Expr::Ct { to: reg(1)?, key: n(2)? },
            "payload" => Expr::Payload { to: reg(1)?, base: n(2)?, offset: n(3)?, len: n(4)? },
            "fib" if n(2)? == FIB_ADDRTYPE && n(3)? == FIB_DADDR => Expr::FibDaddrType { to: reg(1)? },
            "bitwise" if reg(1)? == reg(2)? && value(5)?.iter().all(|b| *b == 0) => {
                Expr::Mask { reg: reg(1)?, mask: value(4)? }
            }
            "cmp" if n(2)? <= CMP_NEQ => Expr::Cmp { reg: reg(1)?, equal: n(2)? == CMP_EQ, data: value(3)? },
            "immediate" if reg(1)? == VERDICT => {
                let verdict = wire::find(wire::find(data, 2)?, NFTA_DATA_VERDICT)?;
                Expr::Verdict(match wire::be32(wire::find(verdict, NFTA_VERDICT_CODE)?)? as i32 {
                    0 => Verdict::Drop,
                    1 => Verdict::Accept,
                    code => Verdict::Other(code),
                })
            }
            "immediate" => Expr::Immediate { to: reg(1)?, data: value(2)? },
            "nat" if n(1)? == NAT_DNAT => Expr::Dnat { address: reg(3)?, port: reg(5)? },
            "masq" => Expr::Masquerade,
            _ => return None,
        })
    }
}

fn cmp(data: impl Into<Vec<u8>>, equal: bool) -> Expr {
    Expr::Cmp { reg: R1, equal, data: data.into() }
}

/// `iifname` or `oifname` is (or is not) this link.
pub fn link(key: u32, name: &str, equal: bool) -> [Expr; 2] {
    let mut padded = name.as_bytes().to_vec();
    padded.resize(16, 0);
    [Expr::Meta { key, to: R1 }, cmp(padded, equal)]
}

/// Offset of the source address in the IP header.
pub const SADDR: u32 = 12;
/// Offset of the destination address in the IP header.
pub const DADDR: u32 = 16;

/// An address of the IP header lies in this subnet.
pub fn address(offset: u32, first: Ipv4Addr, mask: Ipv4Addr) -> Vec<Expr> {
    let mut exprs = vec![Expr::Payload { base: NETWORK_HEADER, offset, len: 4, to: R1 }];
    if mask != Ipv4Addr::BROADCAST {
        exprs.push(Expr::Mask { reg: R1, mask: mask.octets().into() });
    }
    exprs.push(cmp(first.octets(), true));
    exprs
}

/// The destination is one of the host's own addresses.
pub fn local_destination() -> [Expr; 2] {
    [Expr::FibDaddrType { to: R1 }, cmp(RTN_LOCAL.to_ne_bytes(), true)]
}

/// The destination port of this transport protocol.
pub fn port(protocol: u8, port: u16) -> [Expr; 4] {
    [
        Expr::Meta { key: META_L4PROTO, to: R1 },
        cmp([protocol], true),
        Expr::Payload { base: TRANSPORT_HEADER, offset: 2, len: 2, to: R1 },
        cmp(port.to_be_bytes(), true),
    ]
}

/// The connection has one of these bits.
pub fn connection(key: u32, bits: u32) -> [Expr; 3] {
    [Expr::Ct { key, to: R1 }, Expr::Mask { reg: R1, mask: bits.to_ne_bytes().into() }, cmp([0; 4], false)]
}

/// Translate the destination.
pub fn dnat(address: Ipv4Addr, port: u16) -> [Expr; 3] {
    [
        Expr::Immediate { to: R1, data: address.octets().into() },
        Expr::Immediate { to: R2, data: port.to_be_bytes().into() },
        Expr::Dnat { address: R1, port: R2 },
    ]
}
