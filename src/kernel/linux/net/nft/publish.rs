//! Published ports: a port of the host leads to a container.
//!
//! Two rules each: one for packets that come in, one for the host's own. Their
//! comment says whose they are, so that undoing finds exactly these. While the
//! publishing process lives it also listens on the port without ever taking a
//! connection, so that no other program of the host can believe it free.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::net::{AddressFamily, SocketFlags, SocketType};

use super::expr::{self, Expr};
use super::{Change, Rule};
use crate::kernel::linux::net::state::{self, Who};
use crate::kernel::linux::recorder::{Recorder, zero};
use crate::kernel::{Errno, Failure};
use crate::network::ports::{Published, container_comment};
use crate::plan::op::Protocol;
use crate::trace::{Kind, Value};

/// The chains that translate a destination.
const CHAINS: [&str; 2] = ["prerouting", "output"];

fn number(protocol: Protocol) -> u8 {
    match protocol {
        Protocol::Tcp => 6,
        Protocol::Udp => 17,
    }
}

fn selects(port: &Published) -> Vec<Expr> {
    let destination = if port.host_ip.is_unspecified() {
        expr::local_destination().to_vec()
    } else {
        expr::address(expr::DADDR, port.host_ip, Ipv4Addr::BROADCAST)
    };
    [destination, expr::port(number(port.protocol), port.host_port).to_vec()].concat()
}

/// What a rule publishes, if it is one of ours that does.
pub fn published(rule: &Rule) -> Option<Published> {
    let container = rule.comment.strip_prefix("glassbox:")?.to_owned();
    let (mut protocol, mut host_port, mut host_ip) = (None, None, Ipv4Addr::UNSPECIFIED);
    for pair in rule.exprs.windows(2) {
        match pair {
            [Expr::Meta { key: expr::META_L4PROTO, .. }, Expr::Cmp { data, .. }] => {
                protocol = [Protocol::Tcp, Protocol::Udp].into_iter().find(|p| data == &[number(*p)]);
            }
            [Expr::Payload { base: expr::TRANSPORT_HEADER, offset: 2, .. }, Expr::Cmp { data, .. }] => {
                host_port = Some(u16::from_be_bytes(data.as_slice().try_into().ok()?));
            }
            [
                Expr::Payload { base: expr::NETWORK_HEADER, offset: expr::DADDR, .. },
                Expr::Cmp { data, .. },
            ] => {
                host_ip = <[u8; 4]>::try_from(data.as_slice()).ok()?.into();
            }
            _ => {}
        }
    }
    Some(Published { protocol: protocol?, host_ip, host_port: host_port?, container })
}

/// Adds the rules for one port.
pub fn apply(
    rec: &mut Recorder,
    table: &str,
    port: &Published,
    to: Ipv4Addr,
    container_port: u16,
) -> Result<bool, Failure> {
    let comment = container_comment(&port.container);
    let what = format!("publish {}:{}/{}", port.host_ip, port.host_port, port.protocol.name());
    let rule = [selects(port), expr::dnat(to, container_port).to_vec()].concat();
    let missing = |rules: &[Rule]| -> Result<bool, Failure> {
        let mut found = rules.iter().filter_map(published);
        if let Some(other) = found.find(|o| o.container != port.container && o.collides(port)) {
            return Err(allocated(port, &other));
        }
        let own = rules.iter().filter(|r| r.comment == comment && r.exprs == rule).count();
        Ok(own != CHAINS.len())
    };
    state::with(Who::Rules, rec, |nl, rec| {
        if !missing(&super::rules(nl, rec, table).map_err(|e| e.at(&what))?)? {
            return Ok(true);
        }
        let fd = hold(rec, port).map_err(|e| refused(&what, port, e))?;
        let changed = super::update(nl, rec, table, &what, |rules| {
            if !missing(rules)? {
                return Ok(Vec::new());
            }
            Ok(CHAINS.map(|chain| Change::Add { chain, exprs: rule.clone(), comment: &comment }).into())
        })?;
        state::hold(&port.container, fd);
        Ok(!changed)
    })
}

fn allocated(port: &Published, other: &Published) -> Failure {
    let what = format!(
        "publish port: Bind for {}:{} failed: port is already allocated",
        port.host_ip, port.host_port
    );
    let other: String = other.container.chars().take(12).collect();
    Failure::new(what, Some(Errno::EADDRINUSE))
        .hint(format!("container {other} has it: stop that container, or choose another port"))
}

fn refused(what: &str, port: &Published, errno: Errno) -> Failure {
    let failure = Failure::new(what, Some(errno));
    match errno {
        Errno::EADDRINUSE => failure.hint(format!(
            "a program of the host uses the port (`ss -lnp sport = :{}` shows it): choose another port",
            port.host_port
        )),
        Errno::EADDRNOTAVAIL => failure.hint(format!("no link of the host has the address {}", port.host_ip)),
        _ => failure,
    }
}

/// Listens on the port, if it is free.
fn hold(rec: &mut Recorder, port: &Published) -> Result<OwnedFd, Errno> {
    let (kind, shown) = match port.protocol {
        Protocol::Tcp => (SocketType::STREAM, "SOCK_STREAM|SOCK_CLOEXEC"),
        Protocol::Udp => (SocketType::DGRAM, "SOCK_DGRAM|SOCK_CLOEXEC"),
    };
    let fd = rec.read(
        "socket",
        || vec![("domain", "AF_INET".into()), ("type", shown.into()), ("protocol", Value::Int(0))],
        |fd: &OwnedFd| Value::volatile(Kind::Fd, fd.as_raw_fd()),
        || rustix::net::socket_with(AddressFamily::INET, kind, SocketFlags::CLOEXEC, None),
    )?;
    let shown = || ("fd", Value::volatile(Kind::Fd, fd.as_raw_fd()));
    if port.protocol == Protocol::Tcp {
        // As every server does: connections of an earlier one may linger.
        rustix::net::sockopt::set_socket_reuseaddr(&fd, true)?;
    }
    let address = SocketAddrV4::new(port.host_ip, port.host_port);
    rec.call(
        "bind",
        || vec![shown(), ("addr", address.to_string().into())],
        zero,
        || rustix::net::bind(&fd, &address),
    )?;
    if port.protocol == Protocol::Tcp {
        rec.call(
            "listen",
            || vec![shown(), ("backlog", Value::Int(0))],
            zero,
            || rustix::net::listen(&fd, 0),
        )?;
    }
    Ok(fd)
}

/// Deletes the container's rules for this port, and no others.
pub fn undo(rec: &mut Recorder, table: &str, port: &Published) -> Result<(), Failure> {
    state::let_go(&port.container);
    let what = format!("delete the rules of port {} in nftables table {table}", port.host_port);
    state::with(Who::Rules, rec, |nl, rec| {
        let own = |r: &&Rule| published(r).as_ref() == Some(port);
        if !super::rules(nl, rec, table).map_err(|e| e.at(&what))?.iter().any(|r| own(&r)) {
            return Ok(());
        }
        super::update(nl, rec, table, &what, |rules| {
            Ok(rules.iter().filter(own).map(Rule::delete).collect())
        })?;
        Ok(())
    })
}
