//! TCP as two byte streams: connecting, listening, reading, writing, closing.

use std::collections::VecDeque;
use std::net::Ipv4Addr;

use super::{Net, Packet};
use crate::kernel::Errno;
use crate::kernel::model::Res;
use crate::kernel::model::ns::NsId;
use crate::kernel::model::vfs::ReadOutcome;
use crate::plan::op::Protocol;

pub(crate) type ListenerId = usize;
pub(crate) type ConnId = usize;

/// Bytes that wait in one direction.
const BUFFER: usize = 65536;
/// Connections that wait to be accepted.
const BACKLOG: usize = 128;

/// Which end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}

impl Side {
    fn index(self) -> usize {
        match self {
            Side::Client => 0,
            Side::Server => 1,
        }
    }

    fn other(self) -> Side {
        match self {
            Side::Client => Side::Server,
            Side::Server => Side::Client,
        }
    }
}

#[derive(Debug)]
pub(super) struct Listener {
    pub ns: NsId,
    on: Ipv4Addr,
    port: u16,
    backlog: VecDeque<(ConnId, Ipv4Addr, u16)>,
}

/// What one end sends.
#[derive(Debug, Default)]
struct Stream {
    data: VecDeque<u8>,
    /// Nothing more will be sent.
    shut: bool,
    /// The sending end is closed.
    closed: bool,
}

#[derive(Debug, Default)]
pub(super) struct Conn {
    from: [Stream; 2],
}

impl Net {
    /// EADDRINUSE, EADDRNOTAVAIL as bind(2) gives them.
    pub fn listen(&mut self, ns: NsId, on: Ipv4Addr, port: u16) -> Res<ListenerId> {
        let own = on.is_unspecified()
            || on.is_loopback()
            || self.links.values().any(|l| l.ns == ns && l.addresses.iter().any(|(a, _)| *a == on));
        if !own {
            return Err(Errno::EADDRNOTAVAIL);
        }
        let clash = |l: &Listener| {
            l.ns == ns && l.port == port && (l.on == on || l.on.is_unspecified() || on.is_unspecified())
        };
        let mut port = port;
        if port == 0 {
            port = self.free_port(ns)?;
        } else if self.listeners.values().any(clash) {
            return Err(Errno::EADDRINUSE);
        }
        let id = self.next_socket;
        self.next_socket += 1;
        self.listeners.insert(id, Listener { ns, on, port, backlog: VecDeque::new() });
        Ok(id)
    }

    fn free_port(&mut self, ns: NsId) -> Res<u16> {
        let stack = self.stacks.get_mut(&ns).ok_or(Errno::ENETUNREACH)?;
        let port = stack.next_port.max(32768);
        stack.next_port = if port >= 60999 { 32768 } else { port + 1 };
        Ok(port)
    }

    /// Connects to whoever listens there. ECONNREFUSED when nobody does.
    pub fn connect(&mut self, ns: NsId, to: Ipv4Addr, port: u16) -> Res<ConnId> {
        let to = if to.is_unspecified() { Ipv4Addr::LOCALHOST } else { to };
        let from_port = self.free_port(ns)?;
        let packet = Packet { protocol: Some(Protocol::Tcp), to: (to, port), from_port };
        let arrival = self.send(ns, packet)?;
        let at = arrival.ns.ok_or(Errno::ECONNREFUSED)?;
        let listener = self
            .listeners
            .values_mut()
            .find(|l| l.ns == at && l.port == arrival.to.1 && (l.on.is_unspecified() || l.on == arrival.to.0))
            .ok_or(Errno::ECONNREFUSED)?;
        if listener.backlog.len() >= BACKLOG {
            return Err(Errno::ETIMEDOUT);
        }
        let id = self.next_socket;
        listener.backlog.push_back((id, arrival.from.0, arrival.from.1));
        self.next_socket += 1;
        self.conns.insert(id, Conn::default());
        Ok(id)
    }

    pub fn accept(&mut self, id: ListenerId) -> Res<Option<(ConnId, Ipv4Addr, u16)>> {
        Ok(self.listeners.get_mut(&id).ok_or(Errno::EINVAL)?.backlog.pop_front())
    }

    pub fn pending(&self, id: ListenerId) -> bool {
        self.listeners.get(&id).is_none_or(|l| !l.backlog.is_empty())
    }

    fn conn(&mut self, id: ConnId) -> Res<&mut Conn> {
        self.conns.get_mut(&id).ok_or(Errno::ENOTCONN)
    }

    pub fn read(&mut self, id: ConnId, side: Side, max: usize) -> Res<ReadOutcome> {
        let stream = &mut self.conn(id)?.from[side.other().index()];
        if stream.data.is_empty() && !stream.shut && max > 0 {
            return Ok(ReadOutcome::Block);
        }
        let count = max.min(stream.data.len());
        Ok(ReadOutcome::Data(stream.data.drain(..count).collect()))
    }

    pub fn write(&mut self, id: ConnId, side: Side, bytes: &[u8]) -> Res<Option<usize>> {
        let conn = self.conn(id)?;
        if conn.from[side.other().index()].closed || conn.from[side.index()].shut {
            return Err(Errno::EPIPE);
        }
        let stream = &mut conn.from[side.index()];
        let room = BUFFER.saturating_sub(stream.data.len());
        if room == 0 && !bytes.is_empty() {
            return Ok(None);
        }
        let count = room.min(bytes.len());
        stream.data.extend(&bytes[..count]);
        Ok(Some(count))
    }

    pub fn readable(&self, id: ConnId, side: Side) -> bool {
        self.conns.get(&id).is_none_or(|c| {
            let stream = &c.from[side.other().index()];
            !stream.data.is_empty() || stream.shut
        })
    }

    pub fn shutdown(&mut self, id: ConnId, side: Side) -> Res<()> {
        self.conn(id)?.from[side.index()].shut = true;
        Ok(())
    }

    pub fn close_conn(&mut self, id: ConnId, side: Side) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        let own = &mut conn.from[side.index()];
        own.shut = true;
        own.closed = true;
        if conn.from.iter().all(|s| s.closed) {
            self.conns.remove(&id);
        }
    }

    pub fn close_listener(&mut self, id: ListenerId) {
        let Some(listener) = self.listeners.remove(&id) else { return };
        for (conn, _, _) in listener.backlog {
            self.close_conn(conn, Side::Server);
        }
    }
}
