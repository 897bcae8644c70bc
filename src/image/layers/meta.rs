//! What a tar entry says of a file besides its content.

use rustix::fs::{Timespec, Timestamps};
use tar::{Entry, EntryType};

/// Owner, mode, time and attributes of one entry.
pub struct Meta {
    pub uid: u32,
    pub gid: u32,
    /// Permission bits with setuid, setgid and sticky.
    pub mode: u32,
    pub times: Timestamps,
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Meta {
    /// From the header and the PAX records before it.
    ///
    /// # Errors
    /// A fragment that says what is wrong.
    pub fn of<R: std::io::Read>(entry: &mut Entry<'_, R>) -> Result<Self, String> {
        let header = entry.header();
        let number = |what: &str, value: std::io::Result<u64>| -> Result<u32, String> {
            let value = value.map_err(|e| format!("its {what} cannot be read: {e}"))?;
            // The largest number means "no change" to chown(2).
            u32::try_from(value)
                .ok()
                .filter(|id| *id != u32::MAX)
                .ok_or_else(|| format!("its {what} {value} is out of range"))
        };
        // Some writers leave a field empty where they mean 0.
        let raw = header.as_old();
        let or_zero = |field: &[u8], value: std::io::Result<u64>| {
            if field.iter().all(|b| matches!(b, 0 | b' ')) { Ok(0) } else { value }
        };
        let uid = number("uid", or_zero(&raw.uid, header.uid()))?;
        let gid = number("gid", or_zero(&raw.gid, header.gid()))?;
        let mode = header.mode().map_err(|e| format!("its mode cannot be read: {e}"))? & 0o7777;
        let seconds =
            or_zero(&raw.mtime, header.mtime()).map_err(|e| format!("its time cannot be read: {e}"))?;
        let mut mtime = Timespec { tv_sec: i64::try_from(seconds).unwrap_or(0), tv_nsec: 0 };
        let mut xattrs = Vec::new();
        if let Some(records) = entry.pax_extensions().map_err(|e| format!("its PAX header: {e}"))? {
            for record in records {
                let record = record.map_err(|e| format!("its PAX header: {e}"))?;
                let (key, value) = (record.key_bytes(), record.value_bytes());
                if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
                    if name.is_empty() || name.contains(&0) {
                        return Err("an extended attribute without a proper name".into());
                    }
                    xattrs.push((name.to_vec(), value.to_vec()));
                } else if key == b"mtime" {
                    mtime = decimal(value).ok_or("its PAX mtime is not a number")?;
                } else if key.starts_with(b"GNU.sparse.") {
                    return Err("it is a sparse file in PAX format, which is not supported".into());
                }
            }
        }
        Ok(Meta {
            uid,
            gid,
            mode,
            times: Timestamps { last_access: mtime, last_modification: mtime },
            xattrs,
        })
    }
}

/// The kind, with the old way to write a directory.
pub fn kind<R: std::io::Read>(entry: &Entry<'_, R>) -> EntryType {
    let kind = entry.header().entry_type();
    let old_directory =
        matches!(kind, EntryType::Regular) && entry.size() == 0 && entry.path_bytes().ends_with(b"/");
    if old_directory { EntryType::Directory } else { kind }
}

/// `-12.5` as seconds and nanoseconds, which are never negative.
fn decimal(text: &[u8]) -> Option<Timespec> {
    let text = std::str::from_utf8(text).ok()?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let mut seconds: i64 = whole.parse().ok()?;
    let nanos: i64 = format!("{fraction:0<9}")[..9].parse().ok()?;
    let mut nanos = nanos;
    if whole.starts_with('-') && nanos > 0 {
        seconds = seconds.checked_sub(1)?;
        nanos = 1_000_000_000 - nanos;
    }
    Some(Timespec { tv_sec: seconds, tv_nsec: nanos as _ })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pax_times() {
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
            let got = decimal(text.as_bytes()).map(|t| (t.tv_sec, t.tv_nsec));
            assert_eq!(got, *want, "{text}");
        }
    }
}
