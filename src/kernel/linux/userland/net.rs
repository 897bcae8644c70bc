//! ICMP echo and TCP for the userland; links and routes are [`crate::kernel::linux::net::query`].

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno as NixErrno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily as Family, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn, getpeername, recv,
    sendto, socket,
};

use super::borrow;
use crate::kernel::Errno;
use crate::userland::{Fd, SysResult};

/// RFC 1071.
fn checksum(data: &[u8]) -> u16 {
    let mut sum: u32 =
        data.chunks(2).map(|c| u32::from(c[0]) << 8 | u32::from(*c.get(1).unwrap_or(&0))).sum();
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    !(sum as u16)
}

/// An echo request over a raw socket, or an ICMP datagram socket where raw ones
/// are not allowed (icmp(7), `ping_group_range`).
pub fn ping(to: Ipv4Addr, seq: u16, timeout: Duration) -> SysResult<u64> {
    let icmp = SockProtocol::Icmp;
    let (fd, raw) = match socket(Family::Inet, SockType::Raw, SockFlag::SOCK_CLOEXEC, icmp) {
        Ok(fd) => (fd, true),
        Err(NixErrno::EPERM | NixErrno::EACCES) => {
            (socket(Family::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, icmp)?, false)
        }
        Err(e) => return Err(e.into()),
    };
    let id = std::process::id() as u16;
    let mut packet = [0u8; 64];
    packet[0] = 8;
    packet[4..6].copy_from_slice(&id.to_be_bytes());
    packet[6..8].copy_from_slice(&seq.to_be_bytes());
    let sum = checksum(&packet);
    packet[2..4].copy_from_slice(&sum.to_be_bytes());
    let start = Instant::now();
    let address = SockaddrIn::from(std::net::SocketAddrV4::new(to, 0));
    sendto(fd.as_raw_fd(), &packet, &address, MsgFlags::empty())?;
    loop {
        let left = timeout.checked_sub(start.elapsed()).ok_or(Errno::ETIMEDOUT)?;
        let millis = u16::try_from(left.as_millis().max(1)).unwrap_or(u16::MAX);
        let mut fds = [PollFd::new(fd.as_fd(), PollFlags::POLLIN)];
        if poll(&mut fds, PollTimeout::from(millis))? == 0 {
            return Err(Errno::ETIMEDOUT);
        }
        let mut answer = [0u8; 1500];
        let length = recv(fd.as_raw_fd(), &mut answer, MsgFlags::empty())?;
        let header = if raw { usize::from(answer[0] & 15) * 4 } else { 0 };
        let Some(reply) = answer[..length].get(header..).filter(|r| r.len() >= 8) else { continue };
        let ours = reply[6..8] == seq.to_be_bytes() && (!raw || reply[4..6] == id.to_be_bytes());
        match reply[0] {
            0 if ours => return Ok(start.elapsed().as_micros() as u64),
            // The error carries the header and 8 bytes of the packet that it is about.
            3 if raw && reply.len() >= 36 && reply[32..34] == id.to_be_bytes() => {
                return Err(Errno::EHOSTUNREACH);
            }
            _ => {}
        }
    }
}

pub fn connect(to: Ipv4Addr, port: u16, timeout: Duration) -> SysResult<Fd> {
    match TcpStream::connect_timeout(&SocketAddr::from((to, port)), timeout) {
        Ok(stream) => Ok(stream.into_raw_fd()),
        Err(e) if e.kind() == ErrorKind::TimedOut => Err(Errno::ETIMEDOUT),
        Err(e) => Err(e.into()),
    }
}

pub fn accept(fd: BorrowedFd<'_>) -> SysResult<(Fd, Ipv4Addr, u16)> {
    let fd = nix::sys::socket::accept(fd.as_raw_fd())?;
    // SAFETY: just made by accept, owned by nobody else.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    let peer: SockaddrIn = getpeername(fd.as_raw_fd())?;
    Ok((fd.into_raw_fd(), peer.ip(), peer.port()))
}

pub fn poll_readable(fds: &[Fd]) -> SysResult<Vec<Fd>> {
    let borrowed = fds.iter().map(|fd| borrow(*fd)).collect::<SysResult<Vec<_>>>()?;
    let mut polled: Vec<PollFd<'_>> = borrowed.iter().map(|fd| PollFd::new(*fd, PollFlags::POLLIN)).collect();
    poll(&mut polled, PollTimeout::NONE)?;
    let ready = |p: &PollFd<'_>| p.revents().is_some_and(|r| !r.is_empty());
    Ok(fds.iter().zip(&polled).filter(|(_, p)| ready(p)).map(|(fd, _)| *fd).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums() {
        assert_eq!(checksum(&[0, 1, 0xf2, 3, 0xf4, 0xf5, 0xf6, 0xf7]), 0x220d);
        assert_eq!(checksum(&[1]), 0xfeff);
    }

    #[test]
    fn the_loopback_link_is_listed() {
        let lo =
            crate::kernel::linux::net::query::links().unwrap().into_iter().find(|l| l.name == "lo").unwrap();
        assert_eq!((lo.index, lo.kind.as_str()), (1, "loopback"));
    }
}
