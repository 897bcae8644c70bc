//! Netlink's wire format, netlink(7): headers, attributes, alignment. Written
//! here, and used for routes and for nftables alike, because only the few
//! attributes that matter need be known: what a newer kernel adds is passed over.

/// `struct nlmsghdr`, in bytes.
const HEADER: usize = 16;

/// Marks an attribute that holds attributes.
pub const NLA_F_NESTED: u16 = 0x8000;
/// The flags in an attribute's type.
const NLA_TYPE_MASK: u16 = 0x3fff;

/// One or more messages, being written.
#[derive(Debug, Default)]
pub struct Writer {
    /// The bytes so far.
    pub bytes: Vec<u8>,
}

impl Writer {
    /// Writes one message; `body` writes what follows its header.
    pub fn message(&mut self, kind: u16, flags: u16, seq: u32, body: impl FnOnce(&mut Writer)) {
        let start = self.bytes.len();
        self.bytes.extend([0; 4]);
        self.bytes.extend(kind.to_ne_bytes());
        self.bytes.extend(flags.to_ne_bytes());
        self.bytes.extend(seq.to_ne_bytes());
        self.bytes.extend([0; 4]);
        body(self);
        let length = (self.bytes.len() - start) as u32;
        self.bytes[start..start + 4].copy_from_slice(&length.to_ne_bytes());
    }

    /// Writes bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
    }

    /// Writes an attribute.
    pub fn attr(&mut self, kind: u16, data: &[u8]) {
        self.bytes.extend(((data.len() + 4) as u16).to_ne_bytes());
        self.bytes.extend(kind.to_ne_bytes());
        self.bytes.extend(data);
        self.pad();
    }

    /// Writes an attribute that is a text closed by NUL.
    pub fn text(&mut self, kind: u16, text: &str) {
        let mut data = text.as_bytes().to_vec();
        data.push(0);
        self.attr(kind, &data);
    }

    /// Writes an attribute that is a number in the machine's byte order.
    pub fn u32(&mut self, kind: u16, value: u32) {
        self.attr(kind, &value.to_ne_bytes());
    }

    /// Writes an attribute that is a number in network byte order.
    pub fn be32(&mut self, kind: u16, value: u32) {
        self.attr(kind, &value.to_be_bytes());
    }

    /// Writes an attribute that holds attributes (or a header and attributes).
    pub fn nest(&mut self, kind: u16, body: impl FnOnce(&mut Writer)) {
        let start = self.bytes.len();
        self.bytes.extend([0; 2]);
        self.bytes.extend(kind.to_ne_bytes());
        body(self);
        let length = (self.bytes.len() - start) as u16;
        self.bytes[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

/// One message, as received.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Its type, such as `RTM_NEWLINK`.
    pub kind: u16,
    /// `NLM_F_…`.
    pub flags: u16,
    /// The request's number.
    pub seq: u32,
    /// What follows the header.
    pub body: &'a [u8],
}

/// The messages of one datagram. A cut-off message ends it.
pub fn messages(mut bytes: &[u8]) -> impl Iterator<Item = Message<'_>> {
    std::iter::from_fn(move || {
        let length = u32_at(bytes, 0)? as usize;
        let body = bytes.get(HEADER..length)?;
        let message =
            Message { kind: u16_at(bytes, 4)?, flags: u16_at(bytes, 6)?, seq: u32_at(bytes, 8)?, body };
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or(&[]);
        Some(message)
    })
}

/// The attributes in some bytes, as type and value. A cut-off attribute ends them.
pub fn attrs(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = u16_at(bytes, 0)? as usize;
        let kind = u16_at(bytes, 2)? & NLA_TYPE_MASK;
        let data = bytes.get(4..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or(&[]);
        Some((kind, data))
    })
}

/// The value of the first attribute of this type.
pub fn find(bytes: &[u8], kind: u16) -> Option<&[u8]> {
    attrs(bytes).find(|a| a.0 == kind).map(|a| a.1)
}

/// A text, without its closing NUL.
pub fn text(data: &[u8]) -> String {
    let end = data.iter().position(|b| *b == 0).unwrap_or(data.len());
    String::from_utf8_lossy(&data[..end]).into_owned()
}

/// A number in the machine's byte order at an offset.
pub fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// A number in the machine's byte order at an offset.
pub fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

/// A number in network byte order.
pub fn be32(data: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(data.get(..4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut w = Writer::default();
        w.message(16, 5, 7, |w| {
            w.raw(&[1, 2, 3, 4]);
            w.text(3, "lo");
            w.nest(18 | NLA_F_NESTED, |w| w.be32(1, 9));
        });
        w.message(17, 0, 8, |_| {});
        let all: Vec<_> = messages(&w.bytes).collect();
        assert_eq!(
            all.iter().map(|m| (m.kind, m.flags, m.seq)).collect::<Vec<_>>(),
            [(16, 5, 7), (17, 0, 8)]
        );
        let body = &all[0].body[4..];
        assert_eq!(find(body, 3).map(text).as_deref(), Some("lo"));
        assert_eq!(find(find(body, 18).unwrap(), 1).and_then(be32), Some(9));
    }

    #[test]
    fn cut_off_bytes_end_quietly() {
        let mut w = Writer::default();
        w.message(16, 0, 1, |w| w.text(3, "name"));
        for end in 0..w.bytes.len() {
            assert_eq!(messages(&w.bytes[..end]).count(), 0, "{end}");
        }
        assert_eq!(attrs(&[3, 0, 1, 0, 0, 0]).count(), 0, "shorter than its own header");
    }
}
