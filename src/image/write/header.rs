//! One member's header: a ustar block, and PAX records before it where the
//! block cannot say it. No I/O.

/// What a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Kind {
    File,
    HardLink,
    Symlink,
    Char,
    Block,
    Dir,
    Fifo,
}

impl Kind {
    fn flag(self) -> u8 {
        match self {
            Kind::File => b'0',
            Kind::HardLink => b'1',
            Kind::Symlink => b'2',
            Kind::Char => b'3',
            Kind::Block => b'4',
            Kind::Dir => b'5',
            Kind::Fifo => b'6',
        }
    }
}

/// A member of the archive, without its content.
#[derive(Clone, Debug)]
pub struct Member<'a> {
    /// Without a leading `/`; a directory ends in `/`.
    pub path: &'a [u8],
    pub kind: Kind,
    /// Permission bits with setuid, setgid and sticky.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    /// Seconds since 1970 and nanoseconds, which are never negative.
    pub mtime: (i64, u32),
    /// Bytes that follow the header, or for a sparse file of its map and parts.
    pub stored: u64,
    /// The whole size of a sparse file.
    pub sparse: Option<u64>,
    /// Target of a link.
    pub link: &'a [u8],
    pub device: (u32, u32),
    pub attributes: &'a [(Vec<u8>, Vec<u8>)],
}

const NAME: usize = 100;
const PREFIX: usize = 155;
/// The largest number of seven octal digits.
const MAX_OCTAL_7: u64 = 0o7_777_777;
/// The largest number of eleven octal digits.
const MAX_OCTAL_11: u64 = 0o77_777_777_777;

/// Appends the header to `out`.
pub fn write(member: &Member<'_>, out: &mut Vec<u8>) {
    let mut records = Vec::new();
    let sparse_path;
    let path = match member.sparse {
        None => member.path,
        Some(size) => {
            record(&mut records, b"GNU.sparse.major", b"1");
            record(&mut records, b"GNU.sparse.minor", b"0");
            record(&mut records, b"GNU.sparse.name", member.path);
            record(&mut records, b"GNU.sparse.realsize", size.to_string().as_bytes());
            // Whoever does not know sparse files makes a file of this name.
            let at = member.path.iter().rposition(|b| *b == b'/').map_or(0, |n| n + 1);
            sparse_path = [&member.path[..at], b"GNUSparseFile.0/", &member.path[at..]].concat();
            &sparse_path[..]
        }
    };
    let (prefix, name) = match split(path) {
        Some(parts) => parts,
        None => {
            text_record(&mut records, b"path", path);
            (&b""[..], &path[..NAME])
        }
    };
    if member.link.len() > NAME {
        text_record(&mut records, b"linkpath", member.link);
    }
    let (seconds, nanos) = member.mtime;
    if nanos != 0 || seconds < 0 || seconds as u64 > MAX_OCTAL_11 {
        record(&mut records, b"mtime", decimal(seconds, nanos).as_bytes());
    }
    for (key, value, limit) in [
        (&b"uid"[..], u64::from(member.uid), MAX_OCTAL_7),
        (b"gid", u64::from(member.gid), MAX_OCTAL_7),
        (b"size", member.stored, MAX_OCTAL_11),
    ] {
        if value > limit {
            record(&mut records, key, value.to_string().as_bytes());
        }
    }
    for (key, value) in member.attributes {
        record(&mut records, &[b"SCHILY.xattr.", &key[..]].concat(), value);
    }
    if !records.is_empty() {
        let leaf = member.path.strip_suffix(b"/").unwrap_or(member.path);
        let leaf = leaf.rsplit(|b| *b == b'/').next().unwrap_or_default();
        let name = [b"PaxHeaders.0/", &leaf[..leaf.len().min(80)]].concat();
        let start = Block { flag: b'x', mode: 0o644, size: records.len() as u64, ..Block::default() };
        out.extend_from_slice(&start.bytes(b"", &name, b""));
        out.extend_from_slice(&records);
        fill(out, records.len() as u64);
    }
    let fits = |n: u64, limit: u64| if n > limit { 0 } else { n };
    let block = Block {
        flag: member.kind.flag(),
        mode: member.mode,
        uid: fits(member.uid.into(), MAX_OCTAL_7),
        gid: fits(member.gid.into(), MAX_OCTAL_7),
        size: fits(member.stored, MAX_OCTAL_11),
        mtime: u64::try_from(seconds).map_or(0, |s| fits(s, MAX_OCTAL_11)),
        device: member.device,
    };
    out.extend_from_slice(&block.bytes(prefix, name, &member.link[..member.link.len().min(NAME)]));
}

/// Zeros up to a whole block after this many bytes.
pub fn fill(out: &mut Vec<u8>, len: u64) {
    let rest = (len % 512) as usize;
    if rest != 0 {
        out.resize(out.len() + 512 - rest, 0);
    }
}

/// The map of a sparse file in front of its parts, PAX 1.0.
pub fn sparse_map(parts: &[(u64, u64)]) -> Vec<u8> {
    let mut text = format!("{}\n", parts.len());
    for (offset, len) in parts {
        text.push_str(&format!("{offset}\n{len}\n"));
    }
    let mut bytes = text.into_bytes();
    let len = bytes.len() as u64;
    fill(&mut bytes, len);
    bytes
}

/// The path in the two fields of ustar, if it can be split so.
fn split(path: &[u8]) -> Option<(&[u8], &[u8])> {
    if path.len() <= NAME {
        return Some((b"", path));
    }
    // A slash at the end belongs to the name.
    let body = path.strip_suffix(b"/").unwrap_or(path);
    let at = (0..body.len().min(PREFIX + 1)).rev().find(|i| body[*i] == b'/' && *i > 0)?;
    let name = &path[at + 1..];
    (name.len() <= NAME && at <= PREFIX).then(|| (&path[..at], name))
}

/// A record whose value should be UTF-8; where it is not, that is said first.
fn text_record(out: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    if std::str::from_utf8(value).is_err() && !out.starts_with(b"21 hdrcharset=BINARY\n") {
        out.splice(0..0, *b"21 hdrcharset=BINARY\n");
    }
    record(out, key, value);
}

/// `LENGTH KEY=VALUE\n`, where the length counts itself.
fn record(out: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    let mut len = rest + 1;
    while len != rest + len.to_string().len() {
        len = rest + len.to_string().len();
    }
    out.extend_from_slice(len.to_string().as_bytes());
    out.push(b' ');
    out.extend_from_slice(key);
    out.push(b'=');
    out.extend_from_slice(value);
    out.push(b'\n');
}

/// `-1.25` for -2 s and 750,000,000 ns.
fn decimal(seconds: i64, nanos: u32) -> String {
    let (sign, whole, nanos) = match (seconds, nanos) {
        (..0, 1..) => ("-", (seconds + 1).unsigned_abs(), 1_000_000_000 - nanos),
        (..0, 0) => ("-", seconds.unsigned_abs(), 0),
        _ => ("", seconds.unsigned_abs(), nanos),
    };
    if nanos == 0 {
        return format!("{sign}{whole}");
    }
    format!("{sign}{whole}.{}", format!("{nanos:09}").trim_end_matches('0'))
}

#[derive(Default)]
struct Block {
    flag: u8,
    mode: u32,
    uid: u64,
    gid: u64,
    size: u64,
    mtime: u64,
    device: (u32, u32),
}

impl Block {
    fn bytes(&self, prefix: &[u8], name: &[u8], link: &[u8]) -> [u8; 512] {
        let mut block = [0u8; 512];
        let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, name);
        put(100, format!("{:07o}", self.mode & 0o7777).as_bytes());
        put(108, format!("{:07o}", self.uid).as_bytes());
        put(116, format!("{:07o}", self.gid).as_bytes());
        put(124, format!("{:011o}", self.size).as_bytes());
        put(136, format!("{:011o}", self.mtime).as_bytes());
        put(148, b"        ");
        put(156, &[self.flag]);
        put(157, link);
        put(257, b"ustar\x0000");
        put(329, format!("{:07o}", self.device.0).as_bytes());
        put(337, format!("{:07o}", self.device.1).as_bytes());
        put(345, prefix);
        let sum: u32 = block.iter().map(|b| u32::from(*b)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        block
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member<'a>(path: &'a [u8]) -> Member<'a> {
        Member {
            path,
            kind: Kind::File,
            mode: 0o644,
            uid: 0,
            gid: 0,
            mtime: (1, 0),
            stored: 0,
            sparse: None,
            link: b"",
            device: (0, 0),
            attributes: &[],
        }
    }

    /// As another reader sees it.
    #[expect(clippy::type_complexity, reason = "one test's own view")]
    fn read(member: &Member<'_>) -> (Vec<u8>, Vec<(String, Vec<u8>)>, tar::Header) {
        let mut bytes = Vec::new();
        write(member, &mut bytes);
        bytes.extend([0; 1024]);
        let mut archive = tar::Archive::new(&bytes[..]);
        let mut entry = archive.entries().unwrap().next().unwrap().unwrap();
        let records = entry.pax_extensions().unwrap().map_or(Vec::new(), |all| {
            all.map(|r| r.unwrap()).map(|r| (r.key().unwrap().to_owned(), r.value_bytes().to_vec())).collect()
        });
        (entry.path_bytes().into_owned(), records, entry.header().clone())
    }

    #[test]
    fn names_of_every_length() {
        for len in [1, 99, 100, 101, 150, 255, 256, 257, 300, 4000] {
            for part in [10, 99, 120] {
                let mut path: Vec<u8> =
                    (0..len).map(|i| if i % part == part - 1 { b'/' } else { b'n' }).collect();
                if path.ends_with(b"/") {
                    path.pop();
                }
                let (got, records, _) = read(&member(&path));
                assert_eq!(got, path, "{len} {part}");
                assert!(len > 240 || part > 100 || records.is_empty(), "{len} {part}: ustar is enough");
            }
        }
        let raw: Vec<u8> = [&b"\xff".repeat(120)[..], b"/", &b"\xff".repeat(120)].concat();
        let (got, records, _) = read(&member(&raw));
        assert_eq!((got, records[0].0.as_str()), (raw, "hdrcharset"));
    }

    #[test]
    fn times_owners_and_sizes() {
        for (mtime, text) in [
            ((5, 0), None),
            ((5, 120_000_000), Some("5.12")),
            ((-2, 750_000_000), Some("-1.25")),
            ((-1, 999_999_999), Some("-0.000000001")),
            ((-3, 0), Some("-3")),
            ((1 << 34, 1), Some("17179869184.000000001")),
        ] {
            let (_, records, _) = read(&Member { mtime, ..member(b"f") });
            let got =
                records.iter().find(|r| r.0 == "mtime").map(|r| String::from_utf8_lossy(&r.1).into_owned());
            assert_eq!(got.as_deref(), text, "{mtime:?}");
        }
        let (_, records, header) = read(&Member { uid: 3_000_000, gid: 7, ..member(b"f") });
        assert_eq!((records[0].1.as_slice(), header.gid().unwrap()), (&b"3000000"[..], 7));
        let mut bytes = Vec::new();
        write(&Member { stored: 9 << 30, ..member(b"huge") }, &mut bytes);
        assert!(String::from_utf8_lossy(&bytes).contains("size=9663676416"));
    }

    #[test]
    fn the_map_of_a_sparse_file_fills_blocks() {
        assert!(sparse_map(&[(0, 4096), (1 << 40, 1)]).starts_with(b"2\n0\n4096\n1099511627776\n1\n\0"));
        assert_eq!(sparse_map(&[]).len(), 512);
        assert_eq!(sparse_map(&vec![(123_456, 7); 200]).len() % 512, 0);
    }
}
