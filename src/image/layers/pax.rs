//! PAX records: `LENGTH KEY=VALUE\n`, pax(1). No I/O.

use rustix::fs::Timespec;

/// What the records before an entry say of it. Fields that are absent keep what
/// the header says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pax {
    pub path: Option<Vec<u8>>,
    pub link: Option<Vec<u8>>,
    pub size: Option<u64>,
    pub uid: Option<u64>,
    pub gid: Option<u64>,
    pub mtime: Option<(i64, i64)>,
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    pub sparse: Sparse,
}

/// The three ways in which GNU tar writes a sparse file with PAX records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sparse {
    /// 1 for the map that stands before the content.
    pub major: Option<u64>,
    pub name: Option<Vec<u8>>,
    pub real_size: Option<u64>,
    /// Offset and length by turns, from `GNU.sparse.map` or from repeated
    /// `GNU.sparse.offset` and `GNU.sparse.numbytes`.
    pub map: Vec<u64>,
}

impl Sparse {
    /// Whether there was any record of it.
    pub fn is_some(&self) -> bool {
        *self != Sparse::default()
    }
}

/// Reads all records. Of two with one key the later counts; a record without a
/// value takes nothing away, as with other readers of layers.
///
/// # Errors
/// A fragment that says what is wrong.
pub fn parse(mut text: &[u8]) -> Result<Pax, String> {
    let mut pax = Pax::default();
    while !text.is_empty() {
        let (record, rest) = split(text).ok_or("its PAX header is malformed")?;
        text = rest;
        let equals = record.iter().position(|b| *b == b'=').ok_or("its PAX header is malformed")?;
        let (key, value) = (&record[..equals], &record[equals + 1..]);
        if value.is_empty() && !key.starts_with(XATTR) {
            continue;
        }
        pax.set(key, value)?;
    }
    Ok(pax)
}

const XATTR: &[u8] = b"SCHILY.xattr.";

impl Pax {
    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<(), String> {
        let number = || {
            std::str::from_utf8(value).ok().and_then(|t| t.parse::<u64>().ok()).ok_or_else(|| {
                format!("its PAX {} is not a number", String::from_utf8_lossy(&key[..key.len().min(40)]))
            })
        };
        match key {
            b"path" => self.path = Some(value.to_vec()),
            b"linkpath" => self.link = Some(value.to_vec()),
            b"size" => self.size = Some(number()?),
            b"uid" => self.uid = Some(number()?),
            b"gid" => self.gid = Some(number()?),
            b"mtime" => self.mtime = Some(decimal(value).ok_or("its PAX mtime is not a number")?),
            b"GNU.sparse.major" => self.sparse.major = Some(number()?),
            b"GNU.sparse.name" => self.sparse.name = Some(value.to_vec()),
            b"GNU.sparse.realsize" | b"GNU.sparse.size" => self.sparse.real_size = Some(number()?),
            b"GNU.sparse.offset" | b"GNU.sparse.numbytes" => {
                // They come in pairs, offset first.
                if self.sparse.map.len() % 2 != usize::from(key == b"GNU.sparse.numbytes") {
                    return Err("its PAX sparse map is malformed".into());
                }
                self.sparse.map.push(number()?);
            }
            b"GNU.sparse.map" => {
                let text = std::str::from_utf8(value).map_err(|_| "its PAX sparse map is malformed")?;
                self.sparse.map = text
                    .split(',')
                    .map(str::parse)
                    .collect::<Result<_, _>>()
                    .map_err(|_| "its PAX sparse map is malformed")?;
            }
            _ => {
                if let Some(name) = key.strip_prefix(XATTR) {
                    if name.is_empty() || name.contains(&0) {
                        return Err("an extended attribute without a proper name".into());
                    }
                    self.xattrs.retain(|(known, _)| known != name);
                    self.xattrs.push((name.to_vec(), value.to_vec()));
                }
            }
        }
        Ok(())
    }
}

/// One record without its length and newline, and the rest.
fn split(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = text.iter().take(20).position(|b| *b == b' ')?;
    let len: usize = std::str::from_utf8(&text[..space]).ok()?.parse().ok()?;
    let record = text.get(space + 1..len)?;
    let record = record.strip_suffix(b"\n")?;
    Some((record, &text[len..]))
}

/// `-12.5` as seconds and nanoseconds, which are never negative.
pub fn decimal(text: &[u8]) -> Option<(i64, i64)> {
    let text = std::str::from_utf8(text).ok()?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let mut seconds: i64 = whole.parse().ok()?;
    let mut nanos: i64 = format!("{fraction:0<9}")[..9].parse().ok()?;
    if whole.starts_with('-') && nanos > 0 {
        seconds = seconds.checked_sub(1)?;
        nanos = 1_000_000_000 - nanos;
    }
    Some((seconds, nanos))
}

/// For utimensat(2).
pub fn timespec((seconds, nanos): (i64, i64)) -> Timespec {
    Timespec { tv_sec: seconds, tv_nsec: nanos as _ }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        let table: &[(&str, Option<(i64, i64)>)] = &[
            ("0", Some((0, 0))),
            ("12.5", Some((12, 500_000_000))),
            ("12.123456789123", Some((12, 123_456_789))),
            ("-1.25", Some((-2, 750_000_000))),
            ("", None),
            ("x", None),
            ("1.-5", None),
            ("1.é", None),
            ("99999999999999999999", None),
        ];
        for (text, want) in table {
            assert_eq!(decimal(text.as_bytes()), *want, "{text}");
        }
    }

    #[test]
    fn records() {
        let text = b"9 path=a\n12 path=b\nc\n11 size=12\n7 uid=\n28 SCHILY.xattr.user.a=\0=\n\x01\n";
        let pax = parse(text).unwrap();
        assert_eq!(pax.xattrs, [(b"user.a".to_vec(), b"\0=\n\x01".to_vec())]);
        assert_eq!(pax.path.as_deref(), Some(&b"b\nc"[..]));
        assert_eq!((pax.size, pax.uid), (Some(12), None));
        for bad in [
            &b"x"[..],
            b"9 path=a",
            b"99999999999999999999 a=b\n",
            b"0 a=b\n",
            b"3 a\n",
            b"6 noeq\n",
            b"10 size=x\n",
            b"11 size=-1\n",
            b"18 SCHILY.xattr.=a\n",
        ] {
            assert!(parse(bad).is_err(), "{:?}", String::from_utf8_lossy(bad));
        }
    }
}
