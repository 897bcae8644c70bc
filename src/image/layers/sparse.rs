//! Which parts of a sparse file are stored. No I/O but reading the map itself.

use std::io::BufRead;

use tar::{GnuExtSparseHeader, GnuSparseHeader, Header};

use super::pax;
use super::stream::{Broken, Stream};

/// A file with holes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Map {
    /// Offset and length of each stored part, in order.
    pub parts: Vec<(u64, u64)>,
    /// Bytes of the file with its holes.
    pub size: u64,
}

const OUT_OF_ORDER: &str = "its sparse map is not in order";
const WRONG_SUM: &str = "its sparse map and its stored size differ";

impl Map {
    /// Checks the order of the parts, and that they are what is stored.
    fn new(parts: Vec<(u64, u64)>, size: u64, stored: u64) -> Result<Self, String> {
        let (mut end, mut sum) = (0u64, 0u64);
        for (offset, len) in &parts {
            if *offset < end {
                return Err(OUT_OF_ORDER.into());
            }
            end = offset.checked_add(*len).ok_or(OUT_OF_ORDER)?;
            sum = sum.checked_add(*len).ok_or(WRONG_SUM)?;
        }
        if end > size || sum != stored {
            return Err(WRONG_SUM.into());
        }
        Ok(Map { parts, size })
    }

    /// Bytes that are not stored.
    pub fn holes(&self) -> u64 {
        self.size - self.parts.iter().map(|p| p.1).sum::<u64>()
    }
}

/// Of an old GNU header (type `S`), whose map goes on in the blocks after it.
pub fn old_gnu<R: BufRead>(
    header: &Header,
    stored: u64,
    stream: &mut Stream<R>,
) -> Result<Result<Map, String>, Broken> {
    let Some(gnu) = header.as_gnu() else {
        return Err(Broken::Malformed("a sparse file without a GNU header"));
    };
    let bad = |_| Broken::Malformed("a sparse map that is not numbers");
    let mut parts = Vec::new();
    let mut take = |blocks: &[GnuSparseHeader]| -> Result<(), Broken> {
        for block in blocks.iter().filter(|b| !b.is_empty()) {
            parts.push((block.offset().map_err(bad)?, block.length().map_err(bad)?));
        }
        Ok(())
    };
    take(&gnu.sparse)?;
    let mut more = gnu.is_extended();
    while more {
        let mut next = GnuExtSparseHeader::new();
        if stream.header(next.as_mut_bytes())? < 512 {
            return Err(Broken::Truncated);
        }
        take(next.sparse())?;
        more = next.is_extended();
    }
    let size = gnu.real_size().map_err(bad)?;
    Ok(Map::new(parts, size, stored))
}

/// Of PAX records; in version 1.0 the map stands before the content. Gives the
/// map and what is stored after it.
pub fn pax<R: BufRead>(
    records: &pax::Sparse,
    stored: u64,
    stream: &mut Stream<R>,
) -> Result<Result<(Map, u64), String>, Broken> {
    let Some(size) = records.real_size else {
        return Ok(Err("it is a sparse file without its size".into()));
    };
    let (numbers, left) = match records.major {
        Some(1) => match leading_map(stored, stream)? {
            Ok(read) => read,
            Err(why) => return Ok(Err(why)),
        },
        None | Some(0) => (records.map.clone(), stored),
        Some(_) => return Ok(Err("it is a sparse file of an unknown version".into())),
    };
    if numbers.len() % 2 != 0 {
        return Ok(Err("its PAX sparse map is malformed".into()));
    }
    let parts = numbers.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
    Ok(Map::new(parts, size, left).map(|map| (map, left)))
}

/// Decimal numbers, one per line: how many parts, then offset and length of
/// each; filled up to a block.
fn leading_map<R: BufRead>(
    stored: u64,
    stream: &mut Stream<R>,
) -> Result<Result<(Vec<u64>, u64), String>, Broken> {
    let malformed = || Ok(Err("its PAX sparse map is malformed".to_owned()));
    let (mut numbers, mut wanted) = (Vec::new(), None);
    let (mut current, mut digits) = (0u64, 0);
    let mut left = stored;
    while wanted != Some(numbers.len()) {
        let mut block = [0; 512];
        let Some(rest) = left.checked_sub(512) else { return malformed() };
        left = rest;
        if stream.header(&mut block)? < 512 {
            return Err(Broken::Truncated);
        }
        for byte in block {
            match byte {
                b'0'..=b'9' if digits < 19 => {
                    current = current * 10 + u64::from(byte - b'0');
                    digits += 1;
                }
                b'\n' if digits > 0 => {
                    match wanted {
                        None => wanted = usize::try_from(current).ok().and_then(|n| n.checked_mul(2)),
                        Some(_) => numbers.push(current),
                    }
                    if wanted.is_none() {
                        return malformed();
                    }
                    (current, digits) = (0, 0);
                }
                _ => return malformed(),
            }
            if wanted == Some(numbers.len()) {
                break;
            }
        }
    }
    Ok(Ok((numbers, left)))
}
