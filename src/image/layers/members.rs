//! The members of a tar, one after another: what each is, and its content.
//!
//! The header's fields are decoded by the crate `tar`; the iteration is our own,
//! because that crate reads neither sparse files with PAX records nor the holes
//! of any, and reads ahead without a limit. Where readers of tars disagree, this
//! one reads as those of other engines do: an entry that is no file has no
//! content, whatever its size says.

use std::io::BufRead;

use rustix::fs::Timestamps;
use tar::{EntryType, Header};

use super::pax::{self, Pax};
use super::sparse::{self, Map};
use super::stream::{Broken, Stream};

const BLOCK: usize = 512;

/// What a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Kind {
    File,
    Directory,
    Symlink,
    HardLink,
    Character(u32, u32),
    Block(u32, u32),
    Fifo,
}

/// One member.
#[derive(Debug)]
pub struct Member {
    /// As in the archive.
    pub name: Vec<u8>,
    pub kind: Kind,
    /// Target of a link; else empty.
    pub link: Vec<u8>,
    pub meta: Meta,
    /// Bytes of a file's content, holes included.
    pub size: u64,
    /// The parts of a file with holes.
    pub sparse: Option<Map>,
}

/// Owner, mode, time and attributes of one member.
#[derive(Clone, Debug)]
pub struct Meta {
    pub uid: u32,
    pub gid: u32,
    /// Permission bits with setuid, setgid and sticky.
    pub mode: u32,
    pub times: Timestamps,
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

/// The archive being read.
pub struct Members<R> {
    stream: Stream<R>,
    /// Stored bytes of the current member that were not read, and what fills up
    /// its last block.
    stored: u64,
    padding: u64,
}

impl<R: BufRead> Members<R> {
    /// From its first header on.
    pub fn new(stream: Stream<R>) -> Self {
        Members { stream, stored: 0, padding: 0 }
    }

    /// The stream, after the last member.
    pub fn into_stream(self) -> Stream<R> {
        self.stream
    }

    /// The next member; what is left of the one before is passed over.
    pub fn next(&mut self) -> Result<Option<Member>, Broken> {
        self.stream.skip(self.stored + self.padding)?;
        (self.stored, self.padding) = (0, 0);
        self.stream.begin_headers();
        let (mut long_name, mut long_link, mut records) = (None, None, None);
        loop {
            let Some(header) = self.block()? else {
                if long_name.is_some() || long_link.is_some() || records.is_some() {
                    return Err(Broken::Malformed("a header of a future member without the member"));
                }
                return Ok(None);
            };
            let slot = match header.entry_type() {
                EntryType::GNULongName => &mut long_name,
                EntryType::GNULongLink => &mut long_link,
                EntryType::XHeader => &mut records,
                // Such as the commit that `git archive` notes.
                EntryType::XGlobalHeader => {
                    self.text(&header)?;
                    continue;
                }
                _ => return self.member(&header, long_name, long_link, records).map(Some),
            };
            if slot.is_some() {
                return Err(Broken::Malformed("two headers of one kind for one member"));
            }
            *slot = Some(self.text(&header)?);
        }
    }

    /// The content of the member that came last: calls `put` with each part and
    /// its offset.
    pub fn content<E: From<Broken>>(
        &mut self,
        member: &Member,
        mut put: impl FnMut(u64, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let whole = [(0, member.size)];
        let parts = member.sparse.as_ref().map_or(&whole[..], |map| &map.parts);
        for (offset, len) in parts {
            let (mut at, end) = (*offset, offset + len);
            while at < end {
                let n = self.stream.lend(end - at, |chunk| put(at, chunk))?;
                if n == 0 {
                    return Err(Broken::Truncated.into());
                }
                self.stored -= n;
                at += n;
            }
        }
        Ok(())
    }

    /// The next header; `None` at the end.
    fn block(&mut self) -> Result<Option<Header>, Broken> {
        let mut header = Header::new_old();
        match self.stream.header(header.as_mut_bytes())? {
            0 => return Ok(None),
            BLOCK => {}
            _ => return Err(Broken::Truncated),
        }
        let bytes = header.as_bytes();
        if bytes.iter().all(|b| *b == 0) {
            return Ok(None);
        }
        let sum = |bytes: &[u8]| bytes.iter().map(|b| u32::from(*b)).sum::<u32>();
        let sum = sum(&bytes[..148]) + 8 * 32 + sum(&bytes[156..]);
        match header.cksum() {
            Ok(stored) if stored == sum => Ok(Some(header)),
            _ => Err(Broken::Malformed("a header with a wrong checksum")),
        }
    }

    /// The content of a header that is itself a member, without NULs at its end.
    fn text(&mut self, header: &Header) -> Result<Vec<u8>, Broken> {
        let size = header.entry_size().map_err(|_| Broken::Malformed("a size that is no number"))?;
        let padded = size.checked_next_multiple_of(BLOCK as u64).ok_or(Broken::Headers)?;
        // The stream's allowance is what keeps a lying size out of memory.
        let mut text = Vec::new();
        let mut left = padded;
        while left > 0 {
            let mut block = [0; BLOCK];
            if self.stream.header(&mut block)? < BLOCK {
                return Err(Broken::Truncated);
            }
            text.extend_from_slice(&block);
            left -= BLOCK as u64;
        }
        text.truncate(usize::try_from(size).unwrap_or(usize::MAX));
        Ok(text)
    }

    fn member(
        &mut self,
        header: &Header,
        long_name: Option<Vec<u8>>,
        long_link: Option<Vec<u8>>,
        records: Option<Vec<u8>>,
    ) -> Result<Member, Broken> {
        let until_nul = |mut text: Vec<u8>| {
            text.truncate(text.iter().position(|b| *b == 0).unwrap_or(text.len()));
            text
        };
        let mut pax = match pax::parse(&records.unwrap_or_default()) {
            Ok(pax) => pax,
            Err(why) => {
                let name = long_name.map_or_else(|| header.path_bytes().into_owned(), until_nul);
                return Err(Broken::Entry(name, why));
            }
        };
        let name = long_name
            .map(until_nul)
            .or(pax.sparse.name.take())
            .or(pax.path.take())
            .unwrap_or_else(|| header.path_bytes().into_owned());
        let link = long_link
            .map(until_nul)
            .or(pax.link.take())
            .unwrap_or_else(|| header.link_name_bytes().unwrap_or_default().into_owned());
        let refused = |why: String| Broken::Entry(name.clone(), why);
        let meta = meta(header, &mut pax).map_err(refused)?;
        let size = match pax.size {
            Some(size) => size,
            None => header.entry_size().map_err(|_| refused("its size is no number".into()))?,
        };
        let kind = kind(header, &name, size).map_err(refused)?;
        let mut member = Member { name, kind, link, meta, size: 0, sparse: None };
        if kind != Kind::File {
            return Ok(member);
        }
        let padded = size.checked_next_multiple_of(BLOCK as u64).ok_or(Broken::Truncated)?;
        (self.stored, self.padding, member.size) = (size, padded - size, size);
        let map = if header.entry_type() == EntryType::GNUSparse {
            sparse::old_gnu(header, size, &mut self.stream)?
        } else if pax.sparse.is_some() {
            sparse::pax(&pax.sparse, size, &mut self.stream)?.map(|(map, stored)| {
                self.stored = stored;
                map
            })
        } else {
            return Ok(member);
        };
        let map = map.map_err(|why| Broken::Entry(member.name.clone(), why))?;
        member.size = map.size;
        member.sparse = Some(map);
        Ok(member)
    }
}

/// The kind, with the old way to write a directory.
fn kind(header: &Header, name: &[u8], size: u64) -> Result<Kind, String> {
    let device = || {
        let number = |n: std::io::Result<Option<u32>>| n.ok().flatten();
        match (number(header.device_major()), number(header.device_minor())) {
            (Some(major), Some(minor)) => Ok((major, minor)),
            _ => Err("it is a device without a number".to_owned()),
        }
    };
    Ok(match header.entry_type() {
        EntryType::Regular if size == 0 && name.ends_with(b"/") => Kind::Directory,
        EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => Kind::File,
        EntryType::Directory => Kind::Directory,
        EntryType::Symlink => Kind::Symlink,
        EntryType::Link => Kind::HardLink,
        EntryType::Char => device().map(|(major, minor)| Kind::Character(major, minor))?,
        EntryType::Block => device().map(|(major, minor)| Kind::Block(major, minor))?,
        EntryType::Fifo => Kind::Fifo,
        other => return Err(format!("its type {:?} is unknown", other.as_byte() as char)),
    })
}

fn meta(header: &Header, pax: &mut Pax) -> Result<Meta, String> {
    // Some writers leave a field empty where they mean 0.
    let raw = header.as_old();
    let number = |what: &str, field: &[u8], value: std::io::Result<u64>| {
        if field.iter().all(|b| matches!(b, 0 | b' ')) {
            return Ok(0);
        }
        value.map_err(|_| format!("its {what} is no number"))
    };
    let id = |what: &str, value: u64| -> Result<u32, String> {
        // The largest number means "no change" to chown(2).
        u32::try_from(value)
            .ok()
            .filter(|id| *id != u32::MAX)
            .ok_or_else(|| format!("its {what} {value} is out of range"))
    };
    let uid = match pax.uid {
        Some(uid) => uid,
        None => number("uid", &raw.uid, header.uid())?,
    };
    let gid = match pax.gid {
        Some(gid) => gid,
        None => number("gid", &raw.gid, header.gid())?,
    };
    let mode = number("mode", &raw.mode, header.mode().map(u64::from))?;
    let mtime = match pax.mtime {
        Some(time) => time,
        // A time before 1970 is a negative number in base 256.
        None => (number("time", &raw.mtime, header.mtime())?.cast_signed(), 0),
    };
    let mtime = pax::timespec(mtime);
    Ok(Meta {
        uid: id("uid", uid)?,
        gid: id("gid", gid)?,
        mode: u32::try_from(mode & 0o7777).unwrap_or(0),
        times: Timestamps { last_access: mtime, last_modification: mtime },
        xattrs: std::mem::take(&mut pax.xattrs),
    })
}
